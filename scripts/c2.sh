#!/usr/bin/env bash
# Builds the BFT chain's node into the cache (a cold build takes minutes), and prints its path.
set -euo pipefail
exec "$(dirname "$0")/../deploy/c2/build.sh"
