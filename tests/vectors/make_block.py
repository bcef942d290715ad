"""A synthetic block that has an anchor's event, and the proof of it."""

from typing import Any

from contracts.adapters.evm import receipt_proofs
from contracts.verifier import log
from contracts.verifier.anchors import Anchor
from contracts.verifier.keccak import keccak256

#: As many transactions, of which the anchor is this one; its event is the second of its logs.
_COUNT, _PLACE = 20, 7


def with_receipt(part: dict[str, Any]) -> dict[str, Any]:
    """The anchor with its proof, in a block of which it has the hash now."""
    entry = log.parse(part["proof"])
    assert entry is not None
    anchor = Anchor(part, entry)
    receipts = [_receipt(number) for number in range(_COUNT)]
    receipts[_PLACE]["logs"] = [
        _log(number, part["contract"], anchor.topics, anchor.data) for number in range(2)
    ]
    receipts[_PLACE]["logs"][0]["address"] = "0x" + "11" * 20
    block = _block(part)
    proof = receipt_proofs.make(block, receipts, tx_hash=bytes([_PLACE]) * 32, log_index=1)
    block["receiptsRoot"] = "0x" + keccak256(proof.nodes[0]).hex()
    proof = receipt_proofs.make(block, receipts, tx_hash=bytes([_PLACE]) * 32, log_index=1)
    hash_ = keccak256(proof.header).hex()
    return {**part, "block_hash": hash_, "log_index": 1, "receipt": proof.as_part()}


def _receipt(number: int) -> dict[str, Any]:
    return {
        "transactionHash": "0x" + f"{number:02x}" * 32,
        "transactionIndex": hex(number),
        "status": "0x1",
        "cumulativeGasUsed": hex(21_000 * (number + 1)),
        "logsBloom": "0x" + "00" * 256,
        "logs": [],
        "type": hex(2 if number % 2 else 0),
    }


def _log(number: int, address: str, topics: list[str], data: str) -> dict[str, Any]:
    return {"address": address, "topics": topics, "data": data, "logIndex": hex(number)}


def _block(part: dict[str, Any]) -> dict[str, Any]:
    words = ("parentHash", "sha3Uncles", "stateRoot", "transactionsRoot", "receiptsRoot", "mixHash",
             "withdrawalsRoot", "parentBeaconBlockRoot", "requestsHash")  # fmt: skip
    numbers = {
        "difficulty": 0, "number": part["block_number"], "gasLimit": 30_000_000,
        "gasUsed": 420_000, "timestamp": part["block_time"], "baseFeePerGas": 7,
        "blobGasUsed": 0, "excessBlobGas": 0,
    }  # fmt: skip
    return {
        **dict.fromkeys(words, "0x" + "22" * 32),
        **{name: hex(value) for name, value in numbers.items()},
        "miner": "0x" + "33" * 20,
        "logsBloom": "0x" + "00" * 256,
        "extraData": "0x",
        "nonce": "0x" + "00" * 8,
    }
