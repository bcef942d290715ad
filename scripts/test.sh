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

# The build uses both cores for minutes when the cache is cold, so it starts before the checks.
vault_pid=
start_vault_build() {
  mkdir -p .lethe
  scripts/vaultd.sh >.lethe/vaultd-build.log 2>&1 &
  vault_pid=$!
}
finish_vault_build() {
  step "Vault server of the tests"
  if wait "$vault_pid"; then
    tail -n 1 .lethe/vaultd-build.log
    return
  fi
  tail -n 20 .lethe/vaultd-build.log
  if [[ "${LETHE_TEST_REQUIRE:-}" == 1 ]]; then
    echo "No Vault server, and LETHE_TEST_REQUIRE=1 asks for one." >&2
    return 1
  fi
  echo "Going on without it; the suites that need it are skipped."
}

case "${1:-all}" in
all)
  start_vault_build
  static_checks
  finish_vault_build
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
  case "$2" in vault | fault) start_vault_build && finish_vault_build ;; chain) scripts/chain.sh ;; esac
  pytest_or_empty -m "$2"
  ;;
lint | types | imports) "$1" ;;
*)
  echo "test.sh all | quick | suite NAME | lint | types | imports" >&2
  exit 2
  ;;
esac
