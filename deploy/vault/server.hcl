# One node on one host. In earnest: three nodes, an audit device, auto-unseal.
storage "raft" {
  path    = "/vault/file"
  node_id = "one"
  # Destroyed entries linger in the raft log until it is truncated.
  trailing_logs      = 1000
  snapshot_threshold = 1000
}
listener "tcp" {
  address       = "0.0.0.0:8200"
  tls_cert_file = "/vault/tls/vault.pem"
  tls_key_file  = "/vault/tls/vault.key"
}
api_addr     = "https://vault:8200"
cluster_addr = "https://vault:8201"
disable_mlock = true
