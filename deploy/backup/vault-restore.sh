#!/usr/bin/env bash
# Put a raft snapshot back into the cluster that VAULT_ADDR names:
#   vault-restore.sh FILE [--force]
# --force: into a cluster with other unseal keys; afterwards those of the snapshot's time unseal it.
# Keys that were destroyed since then live again until `manage.py replay_journal` has run.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/backup/common.sh
. "$here/common.sh"
# shellcheck source=deploy/backup/vault-common.sh
. "$here/vault-common.sh"

[[ $# -ge 1 && $# -le 2 && ${2:---force} == --force ]] || fail usage "FILE [--force]"
file=$1 force=${2:-}
[[ -f $file && $file != *.partial ]] || fail backup-unreadable "$file is no finished snapshot"
sound_snapshot "$file" || fail backup-sums-mismatch "$file does not match its own sums; take another"
vault_ready

binary=$(vault_binary)
if [[ -n $binary ]]; then
  "$binary" operator raft snapshot restore ${force:+-force} "$file" >&2
else
  vault_curl POST "sys/storage/raft/snapshot${force:+-force}" --data-binary "@$file" --output /dev/null
fi
cat >&2 <<'TEXT'
Restored. Unseal every node, keep other clients out, and then:
   eraser$   manage.py replay_journal
   attester$ manage.py replay_journal
 See docs/runbooks/restore-key-store.md.
TEXT
