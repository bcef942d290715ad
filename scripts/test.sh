#!/usr/bin/env bash
# `test.sh all`: lint, types, import rules, every suite. `test.sh quick`: without the long ones.
# `test.sh suite NAME`: one marked suite. `test.sh lint | types | imports`: one check. With LETHE_TEST_REQUIRE=1 a missing server is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
workers="${LETHE_TEST_WORKERS:-2}"
no_tests=5 # pytest's status when nothing was collected

step() { printf '\n== %s\n' "$*"; }

pytest_or_empty() {
  local status=0
  .venv/bin/python -m pytest "$@" || status=$?
  if ((status == no_tests)); then
    echo "no tests in this suite yet"
    return 0
  fi
  return "$status"
}

lint() {
  step "ruff"
  .venv/bin/python -m ruff check .
  .venv/bin/python -m ruff format --check .
}
imports() {
  step "import rules"
  .venv/bin/lint-imports
}
types() {
  step "mypy"
  # The Django plugin loads the settings, which want a database's name and never connect to it.
  LETHE_DEVELOPMENT=1 DATABASE_URL=postgresql:///types .venv/bin/python -m mypy .
}
static_checks() {
  lint
  imports
  types
}

# The builds use both cores for minutes when the cache is cold, so they start before the checks, one
# after the other: NAME is vaultd or c2.
builds_pid=
start_builds() {
  mkdir -p .lethe
  (
    for name in "$@"; do
      scripts/"$name".sh >".lethe/$name-build.log" 2>&1 || touch ".lethe/$name-build.failed"
    done
  ) &
  builds_pid=$!
}
finish_builds() {
  wait "$builds_pid"
  local name failed=0
  for name in "$@"; do
    step "built for the tests: $name"
    tail -n 20 ".lethe/$name-build.log"
    [[ ! -e ".lethe/$name-build.failed" ]] && continue
    rm ".lethe/$name-build.failed"
    failed=1
  done
  ((failed == 0)) && return
  if [[ "${LETHE_TEST_REQUIRE:-}" == 1 ]]; then
    echo "A server could not be built, and LETHE_TEST_REQUIRE=1 asks for it." >&2
    return 1
  fi
  echo "Going on without it; the suites that need it are skipped."
}

case "${1:-all}" in
all)
  start_builds vaultd c2
  static_checks
  finish_builds vaultd c2
  step "local chain"
  scripts/chain.sh || [[ "${LETHE_TEST_REQUIRE:-}" != 1 ]]
  step "fault suite"
  pytest_or_empty -m fault -q
  step "every other suite"
  .venv/bin/python -m pytest -m "not fault" -n "$workers"
  ;;
quick)
  static_checks
  step "quick tests"
  .venv/bin/python -m pytest -m "not long and not fault" -n "$workers" -q
  ;;
suite)
  case "$2" in
  vault | fault) start_builds vaultd && finish_builds vaultd ;;
  bft) start_builds c2 && finish_builds c2 ;;
  chain) scripts/chain.sh ;;
  esac
  pytest_or_empty -m "$2"
  ;;
lint | types | imports) "$1" ;;
*)
  echo "test.sh all | quick | suite NAME | lint | types | imports" >&2
  exit 2
  ;;
esac
