"""Any EVM chain: the only package that imports web3, which raises the limit of recursion."""

import sys

_limit = sys.getrecursionlimit()
try:
    import web3  # noqa: F401  so that nothing below raises it again
finally:
    sys.setrecursionlimit(_limit)
