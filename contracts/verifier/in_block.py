"""That a block with a given hash has an event: its header, and a proof in its trie of receipts.

Format: `docs/formats/certificate.md`, anchors. Ethereum yellow paper, appendix D; EIP-2718. Nothing
here trusts its input. That a chain has the block is not shown by this.
"""

from __future__ import annotations

from typing import Any, List

from contracts.verifier import rlp
from contracts.verifier.keccak import keccak256
from contracts.verifier.rlp import Item, NotRlpError

#: Places in a header (yellow paper, section 4.3).
_RECEIPTS_ROOT, _NUMBER, _TIME, _LEAST = 5, 8, 11, 15
_BRANCH, _SHORT = 17, 2
_LEGACY, _HASH, _LEAF = 0xC0, 32, 2


def problems(part: Any, *, topics: List[str], data: str) -> List[str]:
    """Why the `receipt` of an anchor does not show its event in the block of its hash."""
    receipt = part["receipt"]
    try:
        header = bytes.fromhex(receipt["header"])
        if keccak256(header) != bytes.fromhex(part["block_hash"]):
            return ["the header is of another block"]
        fields = _list(rlp.read(header))
        if len(fields) < _LEAST:
            return ["the header is none"]
        told = (rlp.number(fields[_NUMBER]), rlp.number(fields[_TIME]))
        if told != (part["block_number"], part["block_time"]):
            return ["the header has another number or time"]
        nodes = [bytes.fromhex(node) for node in receipt["nodes"]]
        value = _proven(_bytes(fields[_RECEIPTS_ROOT]), rlp.write_number(receipt["key"]), nodes)
        return _event_problems(value, part, receipt["log"], topics, data)
    except NotRlpError as error:
        return ["the proof cannot be read: %s" % error]


def _event_problems(
    value: bytes, part: Any, number: int, topics: List[str], data: str
) -> List[str]:
    """`value` is the receipt: [status, gas, bloom, logs], behind its type unless it is legacy."""
    status, _gas, _bloom, logs = _exactly(rlp.read(value if value[0] >= _LEGACY else value[1:]), 4)
    if _bytes(status) != b"\x01":
        return ["the transaction failed"]
    found = _list(logs)
    if number >= len(found):
        return ["the receipt has no such event"]
    address, own_topics, own_data = _exactly(found[number], 3)
    told = (
        "0x" + _bytes(address).hex(),
        ["0x" + _bytes(topic).hex() for topic in _list(own_topics)],
        "0x" + _bytes(own_data).hex(),
    )
    return [] if told == (part["contract"], topics, data) else ["the event says otherwise"]


def _proven(root: bytes, key: bytes, nodes: List[bytes]) -> bytes:
    """What the trie of this root has under `key`. Raises NotRlpError."""
    path = "".join("%02x" % byte for byte in key)
    wanted: Item = root
    left = list(nodes)
    while True:
        node = _resolved(wanted, left)
        if len(node) == _BRANCH:
            if path == "":
                return _ended(node[16], left)
            wanted, path = node[int(path[0], 16)], path[1:]
        elif len(node) == _SHORT:
            own, is_leaf = _path(_bytes(node[0]))
            if not path.startswith(own):
                raise NotRlpError("the path leads elsewhere")
            path = path[len(own) :]
            if is_leaf:
                if path:
                    raise NotRlpError("the path ends too early")
                return _ended(node[1], left)
            wanted = node[1]
        else:
            raise NotRlpError("a node is none")


def _resolved(wanted: Item, left: List[bytes]) -> List[Any]:
    """The node: in place where it is short, else the next one, which has to have the hash."""
    if isinstance(wanted, list):
        return wanted
    if not left or len(wanted) != _HASH or keccak256(left[0]) != wanted:
        raise NotRlpError("a node is missing, or is another one")
    return _list(rlp.read(left.pop(0)))


def _path(packed: bytes) -> tuple[str, bool]:
    """The nibbles of a short node, and whether it is a leaf (appendix C)."""
    nibbles = packed.hex()
    if nibbles[:1] not in ("0", "1", "2", "3") or (nibbles[0] in "02" and nibbles[1] != "0"):
        raise NotRlpError("a path is not written as it must be")
    flag = int(nibbles[0])
    return nibbles[1 if flag & 1 else 2 :], flag >= _LEAF


def _ended(value: Item, left: List[bytes]) -> bytes:
    found = _bytes(value)
    if left or not found:
        raise NotRlpError("nodes are left over, or nothing is there")
    return found


def _list(item: Any) -> List[Any]:
    if not isinstance(item, list):
        raise NotRlpError("not a list")
    return item


def _bytes(item: Any) -> bytes:
    if not isinstance(item, bytes):
        raise NotRlpError("not bytes")
    return item


def _exactly(item: Any, count: int) -> List[Any]:
    found = _list(item)
    if len(found) != count:
        raise NotRlpError("a list has another length")
    return found
