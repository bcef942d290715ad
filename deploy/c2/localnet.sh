#!/usr/bin/env bash
# A network of four validators on 127.0.0.1, until Ctrl-C:
#   localnet.sh FOLDER [--fund 0xA=WEI,..] [--deployer 0xB,..] [--evm-chain-id N] [--block-time 500ms]
# FOLDER is made when it is not there; otherwise the network in it goes on.
set -euo pipefail
folder="${1:?the folder of the network}"
shift
binary="$("$(dirname "$0")/build.sh")"
if [[ ! -d "$folder" ]]; then
  "$binary" testnet --out "$folder" "$@"
fi
nodes=()
trap 'kill "${nodes[@]}" 2>/dev/null || true; wait' EXIT
for node in "$folder"/node*; do
  "$binary" start --home "$node" --log_no_color >>"$node/log" 2>&1 </dev/null &
  nodes+=($!)
done
echo "Four validators run; their logs are in $folder/node*/log. Ctrl-C stops them."
wait
