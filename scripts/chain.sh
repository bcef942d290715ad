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
# The Ethereum Attestation Service, to measure beside our own: the published package alone, without
# the toolchain that it names as a dependency.
eas=ethereum-attestation-service-eas-contracts-1.9.0.tgz
eas_digest=9b168dcbeea489418df67ed665b830c7919ae6c8d8c44bbd3694fdcf8bbd6f25
if [[ ! -d "$folder/eas" ]]; then
  draft="$(mktemp -d "${TMPDIR:-/tmp}/lethe-eas.XXXXXX")"
  trap 'rm -rf "$draft"' EXIT
  (cd "$draft" && npm pack --loglevel=error @ethereum-attestation-service/eas-contracts@1.9.0 >/dev/null &&
    echo "$eas_digest  $eas" | sha256sum --check --quiet >&2 && tar -xzf "$eas" && rm "$eas")
  mv -T "$draft/package" "$folder/eas" 2>/dev/null || [[ -d "$folder/eas" ]]
fi
echo "$folder"
