# loggerd: sign checkpoints of the log, and keep its last head where a restored database does not
# reach. Must not: anything with keys of people.
path "lethe-marker/data/log" {
  capabilities = ["create", "update", "read"]
}
path "lethe-sign/sign/loggerd" {
  capabilities = ["update"]
}
path "lethe-sign/keys/loggerd" {
  capabilities = ["read"]
}

# Its own token, nothing of the default policy.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
