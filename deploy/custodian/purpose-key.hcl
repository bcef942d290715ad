# Template, one policy per key of the pool: open what is wrapped for one purpose.
path "lethe-wrap/decrypt/KEY" {
  capabilities = ["update"]
}
