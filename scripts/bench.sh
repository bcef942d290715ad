#!/usr/bin/env bash
# Measures on this machine; needs the Vault server of the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ ! -f bench/__main__.py ]]; then
  echo "no benchmarks yet"
  exit 0
fi
scripts/vaultd.sh
exec .venv/bin/python -m bench "$@"
