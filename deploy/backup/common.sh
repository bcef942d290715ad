# Shared by the scripts beside it; sourced, never run. Settings are described in README.md.
# shellcheck shell=bash

fail() {
  printf '%s: %s (%s)\n' "${0##*/}" "$2" "$1" >&2
  exit 1
}

need() {
  [[ -n ${!1:-} ]] || fail not-configured "set $1; see deploy/backup/README.md"
}

stamp() {
  date -u +%Y%m%dT%H%M%SZ
}

# days_before N: the stamp of N days ago.
days_before() {
  [[ $1 =~ ^[1-9][0-9]{0,3}$ ]] || fail not-configured "days are a whole number: $1"
  date -u -d "-$1 days" +%Y%m%dT%H%M%SZ
}

# outside_journal PATH...: the journal is in no job of the stores, nor they in its volumes.
# One copy that holds both could be put back together, and no gate would notice.
outside_journal() {
  local path journal
  local -a journals=()
  need LETHE_JOURNAL_DIR
  IFS=', ' read -r -a journals <<<"$LETHE_JOURNAL_DIR,${LETHE_JOURNAL_MIRRORS:-}"
  for path in "$@"; do
    for journal in "${journals[@]}"; do
      [[ -n $journal ]] || continue
      inside "$path" "$journal" && fail journal-in-backup "$path lies on the journal's volume"
      inside "$journal" "$path" && fail journal-in-backup "the journal lies in $path"
    done
  done
  return 0
}

# inside A B: whether A is B or lies in it.
inside() {
  local a b
  a=$(realpath -m -- "$1") b=$(realpath -m -- "$2")
  [[ $a/ == "$b"/* ]]
}

# prune FOLDER DAYS SUFFIX: delete copies that began longer ago, but never the last finished one:
# attest_backup says that it is overdue, and somebody must look why no younger one was made.
prune() {
  local cutoff path name last=''
  cutoff=$(days_before "$2")
  for path in "$1"/*"$3"; do
    [[ -e $path && $path != *.partial ]] && last=$path
  done
  for path in "$1"/*; do
    name=${path##*/}
    [[ -e $path && $name =~ ^[0-9]{8}T[0-9]{6}Z && $path != "$last" ]] || continue
    [[ ${name:0:16} < $cutoff ]] && rm -rf -- "$path"
  done
  return 0
}
