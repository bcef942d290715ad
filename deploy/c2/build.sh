#!/usr/bin/env bash
# Builds c2d into the cache and prints the path of the binary. Nothing is done when it is there;
# two builds at once wait for each other. A cold build takes about five minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")"
readonly oldest_go=1.25.9

cache="${LETHE_CACHE:-$HOME/.cache/lethe}"
version="$(cat ./*.go go.mod go.sum | sha256sum | cut -c1-12)"
binary="$cache/c2d-$version"
if [[ -x "$binary" ]]; then
  echo "$binary"
  exit 0
fi
if ! command -v go >/dev/null; then
  echo "c2d: Go $oldest_go or newer is missing; install it to run the BFT chain of the tests." >&2
  exit 1
fi
found="$(GOTOOLCHAIN=local GOFLAGS=-mod=mod go env GOVERSION | sed 's/^go//')"
if [[ "$(printf '%s\n' "$oldest_go" "$found" | sort -V | head -n 1)" != "$oldest_go" ]]; then
  echo "c2d: Go $found is too old; $oldest_go or newer is needed." >&2
  exit 1
fi

mkdir -p "$cache"
exec 9>"$binary.lock"
flock 9
if [[ ! -x "$binary" ]]; then
  echo "c2d: building; a cold build takes about five minutes on two cores." >&2
  trap 'rm -f "$binary.new"' EXIT
  GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS="-trimpath -mod=readonly" \
    go build -ldflags "-s -w" -o "$binary.new" . >&2
  mv "$binary.new" "$binary"
fi
echo "$binary"
