#!/usr/bin/env bash
# Measures on this machine; needs the Vault server of the tests.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ ! -f bench/__main__.py ]]; then
  echo "no benchmarks yet"
  exit 0
fi
scripts/vaultd.sh
# scripts/bench.sh [erasures|streams|log|chains|latency] [options]
part=bench
if [[ "${1:-}" =~ ^(erasures|streams|log|chains|latency)$ ]]; then
  part="bench.$1"
  shift
fi
exec .venv/bin/python -m "$part" "$@"
