"""Proofs that a block has a transaction's receipt, for who has the block's hash and nothing else.

Header and receipts are encoded as Ethereum has them since London (yellow paper, sections 4.3 and
appendix D; EIP-2718). Where a chain has others, what comes out does not match its hashes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self, TypeAlias

import rlp
from web3 import Web3

from contracts.ports import ReceiptProof

#: A path of nibbles with its value; an item of RLP.
Pairs: TypeAlias = Sequence[tuple[str, bytes]]
Item: TypeAlias = Any
_HASH: Final = 32
#: Members of a header in their order, and whether they are numbers; later forks only added.
_HEADER: Final = (
    ("parentHash", False), ("sha3Uncles", False), ("miner", False), ("stateRoot", False),
    ("transactionsRoot", False), ("receiptsRoot", False), ("logsBloom", False),
    ("difficulty", True), ("number", True), ("gasLimit", True), ("gasUsed", True),
    ("timestamp", True), ("extraData", False), ("mixHash", False), ("nonce", False),
    ("baseFeePerGas", True), ("withdrawalsRoot", False), ("blobGasUsed", True),
    ("excessBlobGas", True), ("parentBeaconBlockRoot", False), ("requestsHash", False),
)  # fmt: skip


def make(
    block: Mapping[str, Any],
    receipts: Sequence[Mapping[str, Any]],
    *,
    tx_hash: bytes,
    log_index: int,
) -> ReceiptProof:
    """From what a node answers, as it answers it. Raises KeyError, ValueError."""
    (mine,) = [one for one in receipts if _bytes(one["transactionHash"]) == tx_hash]
    place = int(mine["transactionIndex"], 16)
    logs = [int(log["logIndex"], 16) for log in mine["logs"]]
    pairs = [
        (rlp.encode(int(one["transactionIndex"], 16)).hex(), _receipt(one)) for one in receipts
    ]
    return ReceiptProof(
        header=_header(block),
        key=place,
        nodes=_path(_built(pairs), rlp.encode(place).hex()),
        log=logs.index(log_index),
    )


def _header(block: Mapping[str, Any]) -> bytes:
    fields = [
        _number(block[name]) if is_number else _bytes(block[name])
        for name, is_number in _HEADER
        if block.get(name) is not None
    ]
    return bytes(rlp.encode(fields))


def _receipt(one: Mapping[str, Any]) -> bytes:
    logs = [
        [_bytes(log["address"]), [_bytes(topic) for topic in log["topics"]], _bytes(log["data"])]
        for log in one["logs"]
    ]
    body = [
        _number(one["status"]), _number(one["cumulativeGasUsed"]), _bytes(one["logsBloom"]), logs,
    ]  # fmt: skip
    kind = int(one.get("type", "0x0"), 16)
    return (bytes([kind]) if kind else b"") + bytes(rlp.encode(body))


def _built(pairs: Pairs) -> Item:
    """The node over these, none of which is a beginning of another (as of receipts none is)."""
    if len(pairs) == 1:
        ((path, value),) = pairs
        return [_packed(path, is_leaf=True), value]
    common = _common([path for path, _ in pairs])
    if common:
        rest = [(path[len(common) :], value) for path, value in pairs]
        return [_packed(common, is_leaf=False), _reference(_built(rest))]
    node: list[Item] = [b""] * 17
    for nibble in range(16):
        below = [(path[1:], value) for path, value in pairs if int(path[0], 16) == nibble]
        if below:
            node[nibble] = _reference(_built(below))
    return node


def _reference(node: Item) -> Item:
    """A short node stands in place, any other by its hash; its content is remembered."""
    return node if len(rlp.encode(node)) < _HASH else _Hashed(node)


class _Hashed(bytes):
    """The hash of a node, which knows the node."""

    node: Item

    def __new__(cls, node: Item) -> Self:
        made = super().__new__(cls, Web3.keccak(rlp.encode(node)))
        made.node = node
        return made


def _path(node: Item, path: str) -> list[bytes]:
    """The encoded nodes from this one, which is the root, to the end of the path."""
    found = [bytes(rlp.encode(node))]
    while True:
        if len(node) == 17:  # noqa: PLR2004  a branch
            below, path = node[int(path[0], 16)], path[1:]
        else:
            own, is_leaf = _unpacked(node[0])
            if is_leaf:
                return found
            below, path = node[1], path[len(own) :]
        if isinstance(below, _Hashed):
            found.append(bytes(rlp.encode(below.node)))
            node = below.node
        else:
            node = below


def _packed(path: str, *, is_leaf: bool) -> bytes:
    """Nibbles as bytes, with a flag in front (appendix C)."""
    flag = 2 * int(is_leaf) + len(path) % 2
    return bytes.fromhex(f"{flag}{path}" if len(path) % 2 else f"{flag}0{path}")


def _unpacked(packed: bytes) -> tuple[str, bool]:
    nibbles = packed.hex()
    return nibbles[1 if int(nibbles[0]) % 2 else 2 :], int(nibbles[0]) >= 2  # noqa: PLR2004


def _common(paths: Sequence[str]) -> str:
    first, last = min(paths), max(paths)
    count = next((at for at, nibble in enumerate(first) if last[at] != nibble), len(first))
    return first[:count]


def _bytes(text: Any) -> bytes:
    return bytes.fromhex(str(text).removeprefix("0x"))


def _number(text: Any) -> bytes:
    value = int(str(text), 16)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
