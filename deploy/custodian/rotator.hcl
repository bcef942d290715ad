# beat and commands: rotate keys, wrap anew under the new version, refuse older ones, list the pool.
# Rewrapping answers no plaintext, but its context needs the share. Must not: open, wrap, destroy,
# change anything else about a key.
path "lethe-shares/data/+/+/+" {
  capabilities = ["read"]
}
path "lethe-wrap/keys" {
  capabilities = ["list"]
}
path "lethe-wrap/keys/+/rotate" {
  capabilities = ["update"]
}
path "lethe-wrap/keys/+" {
  capabilities = ["read"]
}
path "lethe-wrap/keys/+/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
  }
}
path "lethe-wrap/rewrap/+" {
  capabilities = ["update"]
}
path "lethe-custody/keys/custody" {
  capabilities = ["read"]
}
path "lethe-custody/keys/custody/config" {
  capabilities = ["update"]
  allowed_parameters = {
    "min_decryption_version" = []
  }
}
path "lethe-custody/keys/custody/rotate" {
  capabilities = ["update"]
}
path "lethe-custody/rewrap/custody" {
  capabilities = ["update"]
}

# Its own token, nothing of the default policy.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
