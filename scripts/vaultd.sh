#!/usr/bin/env bash
# Builds the Vault server of the tests into the cache (a cold build takes minutes), and prints
# one clear line when that cannot be done.
set -euo pipefail
cd "$(dirname "$0")/.."
if [[ -n "${LETHE_TEST_VAULT_ADDR:-}" ]]; then
  echo "Vault of the tests: $LETHE_TEST_VAULT_ADDR"
  exit 0
fi
if ! command -v go >/dev/null; then
  echo "Go 1.25.9 or newer is missing, so the Vault server of the tests cannot be built." >&2
  exit 1
fi
exec deploy/testing/vaultd/build.sh
