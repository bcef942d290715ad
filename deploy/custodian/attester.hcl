# attester: read the destruction back and the journal's marker, and sign what it read. Must not: read a share, destroy.
path "lethe-shares/metadata/+/+/+" {
  capabilities = ["read"]
}
path "lethe-marker/data/journal" {
  capabilities = ["read"]
}
path "lethe-sign/sign/attester" {
  capabilities = ["update"]
}
path "lethe-sign/keys/attester" {
  capabilities = ["read"]
}

# Its own token, nothing of the default policy.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
