#!/usr/bin/env bash
# Installs the pinned packages into .venv: `setup.sh demo` to try the product, `setup.sh dev` for
# tests and linters too. Does nothing when they are there already.
set -euo pipefail
cd "$(dirname "$0")/.."
level="${1:-dev}"
lock="requirements/$level.txt"

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

find_python() {
  local name
  for name in "${LETHE_PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  fail "Python 3.11 or newer is missing. Install it, or name it: LETHE_PYTHON=/path/to/python"
}

works() { "$1" --version >/dev/null 2>&1; }

install_packages() {
  local python
  python="$(find_python)"
  say "Installing the packages of $lock into .venv ..."
  if works uv; then
    [[ -x .venv/bin/python ]] || uv venv --quiet --python "$python" .venv
    uv pip install --quiet --python .venv/bin/python --require-hashes -r "$lock"
    return
  fi
  if [[ ! -x .venv/bin/python ]]; then
    "$python" -m venv .venv ||
      fail "This Python has no venv module. On Debian: apt-get install python3-venv"
  fi
  .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --upgrade >/dev/null
  .venv/bin/python -m pip install --quiet --require-hashes -r "$lock"
}

# One mark per lock file, holding its checksum; dev contains demo.
is_installed() {
  local mark
  for mark in "$@"; do
    [[ -x .venv/bin/python && -f ".venv/.installed-$mark" ]] || continue
    cmp -s ".venv/.installed-$mark" <(cksum <"requirements/$mark.txt") && return 0
  done
  return 1
}

# The browser suite needs Chromium; translations are compiled by a later one.
debian_packages() {
  local wanted=()
  [[ "${LETHE_NO_APT:-}" != 1 && -f /etc/debian_version ]] || return 0
  command -v chromium >/dev/null || wanted+=(chromium)
  command -v msgfmt >/dev/null || wanted+=(gettext)
  ((${#wanted[@]})) || return 0
  if ((EUID != 0)); then
    say "Not installed: ${wanted[*]}; suites that need them are skipped. As root: apt-get install ${wanted[*]}"
    return 0
  fi
  say "Installing ${wanted[*]} ..."
  if ! { timeout 300 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 600 \
    apt-get install -y --no-install-recommends "${wanted[@]}"; } >/dev/null 2>&1; then
    say "Could not install ${wanted[*]}; suites that need them are skipped. Again: make setup"
  fi
}

if [[ "$level" == dev ]]; then
  is_installed dev || { install_packages && cksum <"$lock" >.venv/.installed-dev && debian_packages; }
else
  is_installed dev demo || { install_packages && cksum <"$lock" >.venv/.installed-demo; }
fi
