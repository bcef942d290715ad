#!/usr/bin/env bash
# Write down what lies in the folders of base backups, WAL and snapshots, whatever went wrong before.
# LETHE_MANAGE is how manage.py is called, such as: docker compose run --rm command manage.py
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=deploy/backup/common.sh
. "$here/common.sh"

need LETHE_BACKUP_DIR
need LETHE_SNAPSHOT_DIR
need LETHE_MANAGE
read -r -a manage <<<"$LETHE_MANAGE"
place=${LETHE_BACKUP_PLACE:-main}
status=0
"${manage[@]}" attest_backup --base "$LETHE_BACKUP_DIR/base" --place "$place" \
  --keep-days "${LETHE_BACKUP_KEEP_DAYS:-35}" || status=1
"${manage[@]}" attest_backup --wal "$LETHE_BACKUP_DIR/wal" --place "$place" \
  --keep-days "${LETHE_BACKUP_KEEP_DAYS:-35}" || status=1
"${manage[@]}" attest_backup --snapshots "$LETHE_SNAPSHOT_DIR" --place "$place" \
  --keep-days "${LETHE_SNAPSHOT_KEEP_DAYS:-7}" || status=1
exit "$status"
