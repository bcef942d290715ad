#!/usr/bin/env bash
# One base backup of PostgreSQL, checked, under the name of its start; then the old ones and the old
# WAL go. Connection: libpq's own variables (PGHOST, PGUSER, PGPASSFILE …), a role with REPLICATION.
set -euo pipefail
umask 077
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/backup/common.sh
. "$here/common.sh"

need LETHE_BACKUP_DIR
base=$LETHE_BACKUP_DIR/base
wal=$LETHE_BACKUP_DIR/wal
outside_journal "$LETHE_BACKUP_DIR"
[[ -d $LETHE_BACKUP_DIR ]] || fail backup-folder-missing "$LETHE_BACKUP_DIR is not mounted"
if data=$(psql -XAtq -d "${PGDATABASE:-postgres}" -c 'SHOW data_directory' 2>/dev/null); then
  outside_journal "$data"
fi
mkdir -p -- "$base" "$wal"

began=$(stamp)
target=$base/$began
[[ ! -e $target && ! -e $target.partial ]] || fail backup-exists "$target is there"
trap 'rm -rf -- "$target.partial"' EXIT
pg_basebackup --pgdata="$target.partial" --format=plain --checkpoint=fast --wal-method=stream \
  --manifest-checksums=SHA256 --no-password
pg_verifybackup --quiet "$target.partial" ||
  fail backup-sums-mismatch "the new backup does not match its manifest"
mv -- "$target.partial" "$target"
sync -f "$target"
trap - EXIT

days=${LETHE_BACKUP_KEEP_DAYS:-35}
prune "$base" "$days" ''
find "$wal" -maxdepth 1 -type f ! -name '*.history' -mmin "+$((days * 1440))" -delete
printf '%s\n' "$target"
