# What the two scripts for Vault and OpenBao share; sourced after common.sh.
# shellcheck shell=bash

# The binary that speaks to the key store, or nothing: then curl does.
vault_binary() {
  command -v vault || command -v bao || true
}

vault_ready() {
  need VAULT_ADDR
  if [[ -z ${VAULT_TOKEN:-} && -n ${VAULT_TOKEN_FILE:-} ]]; then
    VAULT_TOKEN=$(<"$VAULT_TOKEN_FILE")
  fi
  need VAULT_TOKEN
  export VAULT_ADDR VAULT_TOKEN
  if [[ -n ${VAULT_CACERT:-} ]]; then export VAULT_CACERT; fi
}

# vault_curl METHOD PATH ARGUMENTS...: the token goes through a pipe, never on the command line, and
# never to another host: a standby's redirect is an error, so VAULT_ADDR must lead to the active node.
vault_curl() {
  local method=$1 path=$2 status
  shift 2
  status=$(curl --silent --show-error --fail --max-time 3600 --request "$method" \
    ${VAULT_CACERT:+--cacert "$VAULT_CACERT"} --config - --write-out '%{http_code}' "$@" \
    "$VAULT_ADDR/v1/$path" <<<"header = \"X-Vault-Token: $VAULT_TOKEN\"") ||
    fail key-store-unavailable "$VAULT_ADDR does not do this (status ${status:-none})"
  [[ $status == 2?? ]] || fail key-store-redirects "$VAULT_ADDR is not the active node"
}

# sound_snapshot FILE: whether its own list of sums is right.
sound_snapshot() {
  local folder ok=1
  folder=$(mktemp -d)
  if tar -xzf "$1" -C "$folder" 2>/dev/null && [[ -s $folder/state.bin ]] &&
    grep -q state.bin "$folder/SHA256SUMS" && grep -q meta.json "$folder/SHA256SUMS" &&
    (cd -- "$folder" && sha256sum --status --strict -c SHA256SUMS); then
    ok=0
  fi
  rm -rf -- "$folder"
  return "$ok"
}
