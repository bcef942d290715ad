"""Any EVM chain: the only package that imports web3, which `..chains` loads with care."""
