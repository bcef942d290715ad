#!/usr/bin/env bash
# One raft snapshot of Vault or OpenBao, checked, under the name of its start; then the old ones go.
# The token may read sys/storage/raft/snapshot and nothing else.
set -euo pipefail
umask 077
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/backup/common.sh
. "$here/common.sh"
# shellcheck source=deploy/backup/vault-common.sh
. "$here/vault-common.sh"

need LETHE_SNAPSHOT_DIR
outside_journal "$LETHE_SNAPSHOT_DIR"
[[ -d $LETHE_SNAPSHOT_DIR ]] || fail backup-folder-missing "$LETHE_SNAPSHOT_DIR is not mounted"
vault_ready

target=$LETHE_SNAPSHOT_DIR/$(stamp).snap
[[ ! -e $target && ! -e $target.partial ]] || fail backup-exists "$target is there"
trap 'rm -f -- "$target.partial"' EXIT
binary=$(vault_binary)
if [[ -n $binary ]]; then
  "$binary" operator raft snapshot save "$target.partial" >&2
else
  vault_curl GET sys/storage/raft/snapshot --output "$target.partial"
fi
sound_snapshot "$target.partial" ||
  fail backup-sums-mismatch "the new snapshot does not match its own sums"
sync -- "$target.partial"
mv -- "$target.partial" "$target"
sync -- "$LETHE_SNAPSHOT_DIR"
trap - EXIT

prune "$LETHE_SNAPSHOT_DIR" "${LETHE_SNAPSHOT_KEEP_DAYS:-7}" .snap
printf '%s\n' "$target"
