"""Key custody in HashiCorp Vault or OpenBao, over plain HTTP calls on many kept connections."""
