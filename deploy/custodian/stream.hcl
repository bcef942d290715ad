# stream: read shares, and nothing else until an operator attaches purposes to a stream, each by a
# policy like purpose-key.hcl. Must not: custody, wrapping, creating or destroying shares.
path "lethe-shares/data/+/+/+" {
  capabilities = ["read"]
}

# Its own token, nothing of the default policy.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
