# web and worker: take data in, serve the person's own rights, and grant to purposes.
# Must not: open for a purpose, overwrite or destroy a share, read metadata, make or change keys.
path "lethe-shares/data/+/+/+" {
  capabilities = ["create", "read"]
}
path "lethe-custody/encrypt/custody" {
  capabilities = ["update"]
}
path "lethe-custody/decrypt/custody" {
  capabilities = ["update"]
}
path "lethe-custody/keys/custody" {
  capabilities = ["read"]
}
# "update" without "create": wrapping under a key that is not there is refused, not made.
path "lethe-wrap/encrypt/+" {
  capabilities = ["update"]
}
# Says of a refused key whether it is missing; a key of the pool is never readable itself.
path "lethe-wrap/keys/+" {
  capabilities = ["read"]
}
path "lethe-lookup/hmac/lookup" {
  capabilities = ["update"]
}
path "lethe-lookup/hmac/suppression" {
  capabilities = ["update"]
}
path "lethe-sign/sign/web" {
  capabilities = ["update"]
}
path "lethe-sign/keys/web" {
  capabilities = ["read"]
}
path "lethe-marker/data/journal" {
  capabilities = ["read"]
}

# Its own token, nothing of the default policy.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
