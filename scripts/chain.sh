#!/usr/bin/env bash
# Puts the Solidity compiler, OpenZeppelin and a local EVM chain (anvil) into the cache, and prints where.
set -euo pipefail
cd "$(dirname "$0")/../contracts/solidity"
cache="${LETHE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lethe}"
key="$(cat package.json package-lock.json | cksum | tr ' ' '-')"
folder="$cache/chain-$key"
if [[ ! -x "$folder/node_modules/.bin/anvil" ]]; then
  if ! command -v npm >/dev/null; then
    echo "Node.js 20 or newer with npm is missing, so the local chain of the tests cannot be installed." >&2
    exit 1
  fi
  draft="$(mktemp -d "${TMPDIR:-/tmp}/lethe-chain.XXXXXX")"
  trap 'rm -rf "$draft"' EXIT
  cp package.json package-lock.json .npmrc "$draft"
  # Not `npm ci`: the lock has no entries for platforms that its registry had no packages for.
  (cd "$draft" && npm install --no-save --no-audit --no-fund --loglevel=error >&2)
  mkdir -p "$cache"
  mv -T "$draft" "$folder" 2>/dev/null || [[ -x "$folder/node_modules/.bin/anvil" ]]
fi
echo "$folder"
