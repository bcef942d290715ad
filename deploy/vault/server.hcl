# One node for trying on one host. In earnest: three nodes, TLS, an audit device, auto-unseal.
storage "raft" {
  path    = "/vault/file"
  node_id = "one"
  # Destroyed entries linger in the raft log until it is truncated.
  trailing_logs      = 1000
  snapshot_threshold = 1000
}
listener "tcp" {
  address     = "0.0.0.0:8200"
  tls_disable = true
}
api_addr     = "http://vault:8200"
cluster_addr = "http://vault:8201"
disable_mlock = true
