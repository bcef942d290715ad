#!/usr/bin/env bash
# Lay a base backup out as a data directory that recovers from the archived WAL when it is started:
#   postgres-restore.sh --backup FOLDER --data FOLDER [--time '2027-01-31 22:00:00+00']
# Nothing is started. The server comes up closed: the gate is bound to the old one.
set -euo pipefail
umask 077
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/backup/common.sh
. "$here/common.sh"

backup='' data='' time=''
while [[ $# -gt 0 ]]; do
  case $1 in
    --backup) backup=${2:?} ;;
    --data) data=${2:?} ;;
    --time) time=${2:?} ;;
    *) fail usage "unknown option $1" ;;
  esac
  shift 2
done
need LETHE_BACKUP_DIR
[[ -n $backup && -n $data ]] || fail usage "name --backup and --data"
[[ $backup$data$time$LETHE_BACKUP_DIR != *[\'\"\\]* ]] || fail usage "no quotes in paths or times"
[[ $backup != *.partial ]] || fail backup-unfinished "$backup was never finished"
[[ -f $backup/backup_manifest ]] || fail backup-unreadable "$backup is no base backup"
outside_journal "$data" "$LETHE_BACKUP_DIR"
if [[ -e $data ]] && [[ -n $(ls -A -- "$data") ]]; then
  fail data-directory-in-use "$data is not empty; move it away first, it may still be needed"
fi
pg_verifybackup --quiet "$backup" ||
  fail backup-sums-mismatch "$backup does not match its manifest; take another"

mkdir -p -- "$data"
cp -a -- "$backup/." "$data/"
rm -f -- "$data/postmaster.pid" "$data/backup_manifest" "$data/standby.signal"
chmod 700 "$data"
auto=$data/postgresql.auto.conf
touch -- "$auto"
grep -vE '^(restore_command|recovery_target|primary_conninfo|primary_slot_name)' "$auto" \
  >"$auto.new" || true
{
  printf "restore_command = 'cp \"%s/wal/%%f\" \"%%p\"'\n" "$LETHE_BACKUP_DIR"
  printf "recovery_target_timeline = 'latest'\n"
  if [[ -n $time ]]; then
    printf "recovery_target_time = '%s'\nrecovery_target_action = 'promote'\n" "$time"
  fi
} >>"$auto.new"
mv -- "$auto.new" "$auto"
touch -- "$data/recovery.signal"
sync -f "$data"
cat >&2 <<TEXT
Laid out in $data. Now:
 1. give it to the server's account and start PostgreSQL; it recovers and promotes itself
 2. command\$  manage.py migrate --database=owner
 3. start Lethe: it answers 503 until
    eraser\$   manage.py replay_journal
    attester\$ manage.py replay_journal
 See docs/runbooks/restore-database.md.
TEXT
