# eraser: destroy shares, read and list what is left of them, keep the journal's marker, sign
# summaries of the journal. Must not: read a share, open, wrap, sign with another process's key.
path "lethe-shares/destroy/+/+/+" {
  capabilities = ["update"]
}
path "lethe-shares/metadata/+/+/+" {
  capabilities = ["read"]
}
path "lethe-shares/metadata/" {
  capabilities = ["list"]
}
path "lethe-shares/metadata/+/" {
  capabilities = ["list"]
}
path "lethe-shares/metadata/+/+/" {
  capabilities = ["list"]
}
path "lethe-marker/data/journal" {
  capabilities = ["create", "update", "read"]
}
# Which versions of wrapping keys there are: after a restore some may be lost.
path "lethe-wrap/keys/+" {
  capabilities = ["read"]
}
path "lethe-custody/keys/custody" {
  capabilities = ["read"]
}
path "lethe-sign/sign/eraser" {
  capabilities = ["update"]
}
path "lethe-sign/keys/eraser" {
  capabilities = ["read"]
}

# Its own token, nothing of the default policy.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
