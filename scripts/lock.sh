#!/usr/bin/env bash
# Pins requirements/*.in with hashes, for every platform, naming no index.
set -euo pipefail
cd "$(dirname "$0")/../requirements"
uv --version >/dev/null 2>&1 || { echo "uv is missing: pip install uv" >&2; exit 1; }
for name in base demo dev; do
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
    --no-annotate --no-emit-index-url --no-emit-find-links "$name.in" --output-file "$name.txt"
done
