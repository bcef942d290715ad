#!/usr/bin/env bash
# archive_command = '/path/to/archive-wal.sh /backups/wal %p %f'
# PostgreSQL keeps a segment until this says 0, and repeats it until then.
set -euo pipefail
umask 077
[[ $# -eq 3 ]] || { printf 'usage: %s FOLDER %%p %%f\n' "${0##*/}" >&2; exit 2; }
folder=$1 source=$2 target=$1/$3

[[ -d $folder ]] || { printf 'archive-wal.sh: %s is not mounted\n' "$folder" >&2; exit 1; }
if [[ -e $target ]]; then
  cmp -s -- "$source" "$target" && exit 0
  printf 'archive-wal.sh: %s is there and differs\n' "$3" >&2
  exit 1
fi
cp -- "$source" "$target.tmp"
sync -- "$target.tmp"
mv -- "$target.tmp" "$target"
sync -- "$folder"
