#!/usr/bin/env bash
# The long fault run: LETHE_FAULTS faults raised in process at named points (10,000), and LETHE_KILLS
# real processes killed at them (200). The figures are written to bench/results/.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
faults="${LETHE_FAULTS:-10000}" kills="${LETHE_KILLS:-200}" workers="${LETHE_TEST_WORKERS:-2}"
scripts/vaultd.sh
counts=$(mktemp -d)
trap 'rm -rf "$counts"' EXIT

run() { # NAME: pytest on a database and in a folder of its own
  LETHE_TEST_DB_SUFFIX="_$1" .venv/bin/python -m pytest -q -p no:logging -p no:cacheprovider \
    --basetemp="$counts/$1" "${@:2}"
}

pids=()
for ((worker = 0; worker < workers; worker++)); do
  LETHE_FAULTS=$(((faults + workers - 1) / workers)) \
    LETHE_FAULT_COUNTS="$counts/faults-$worker.json" \
    run "faults_$worker" tests/machine/test_long.py -s &
  pids+=($!)
done
status=0
for pid in "${pids[@]}"; do wait "$pid" || status=1; done
if ((kills > 0)); then
  LETHE_KILLS="$kills" LETHE_KILL_COUNTS="$counts/kills.json" \
    run kills tests/faults/test_many_killed.py || status=1
fi
((status == 0)) || exit "$status"
.venv/bin/python -m bench.faults "$counts"
