"""What the pipeline needs of a chain and of a sender; `contracts.adapters` implements them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from contracts.domain.anchors import Anchored
from contracts.domain.chain_rules import ChainRules
from contracts.domain.fees import Offer
from contracts.domain.finality import Tip


@dataclass(frozen=True, slots=True)
class Identity:
    """Which chain a node is on: its number, and the hash of its first block."""

    chain_id: int
    genesis: bytes


@dataclass(frozen=True, slots=True)
class Block:
    """A block as it is told now; `time` in Unix seconds."""

    number: int
    hash: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Fees:
    """The newest block's base fee in wei, None where blocks have none; median tips of the last."""

    base_fee: int | None
    tips: Sequence[int]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What a receipt says: the block, and the anchor that the contract emitted; None: refused."""

    block_number: int
    block_hash: bytes
    anchored: Anchored | None
    log_index: int | None


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction as bytes that any node takes, and its hash."""

    raw: bytes
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last anchor of a stream as the contract holds it; zero before the first."""

    sequence: int
    size: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where a contract is; `code` is SHA-256 of its code there, `source` of its source."""

    name: str
    chain_id: int
    genesis: bytes
    address: str
    block_number: int
    block_hash: bytes
    source: str
    code: bytes


@dataclass(frozen=True, slots=True)
class ReceiptProof:
    """That a block has an event, for who has its hash.

    The encoded header, and the nodes of its trie of receipts from the root to the receipt at
    `key`, whose log number `log` the event is.
    """

    header: bytes
    key: int
    nodes: Sequence[bytes]
    log: int

    def as_part(self) -> dict[str, Any]:
        """As documents have it (`docs/formats/certificate.md`)."""
        nodes = [node.hex() for node in self.nodes]
        return {"header": self.header.hex(), "key": self.key, "nodes": nodes, "log": self.log}


class Answer(StrEnum):
    """What a node said to a transaction.

    TAKEN and KNOWN: it has it. SPENT: the nonce is used, by this transaction or another attempt.
    CHEAP: it has one of this nonce that pays as much, or blocks ask for more. POOR: the sender
    cannot pay. REFUSED: anything else.
    """

    TAKEN = "taken"
    KNOWN = "known"
    SPENT = "spent"
    CHEAP = "cheap"
    POOR = "poor"
    REFUSED = "refused"


class AnchorChain(Protocol):
    """One chain through its nodes. Every method raises ChainUnavailable and ChainContradicts.

    Nothing here is believed because it was said once: callers ask for blocks by number again.
    """

    rules: ChainRules

    def identity(self) -> Identity:
        """Which chain this is."""

    def tip(self) -> Tip:
        """The newest, the safe and the finalized block's numbers."""

    def block(self, number: int) -> Block | None:
        """The block of this number now; None where there is none."""

    def agreeing(self, block: Block) -> int:
        """How many of the configured nodes show this very block; silent ones do not count."""

    def fees(self) -> Fees:
        """What a transaction costs now."""

    def spent(self, address: str) -> int:
        """How many transactions of this address are in blocks: its next nonce."""

    def balance(self, address: str) -> int:
        """In wei."""

    def send(self, raw: bytes) -> Answer:
        """Hand a signed transaction to the node; once, never repeated in secret."""

    def inclusion(self, tx_hash: bytes, *, contract: str) -> Inclusion | None:
        """What the receipt of a transaction says; None while there is none."""

    def head(self, *, contract: str, stream: bytes, is_list: bool = False) -> ChainHead:
        """The stream's last anchor in the newest block; of a status list in a RevocationBook."""

    def receipt_proof(self, block: Block, *, tx_hash: bytes, log_index: int) -> ReceiptProof | None:
        """Not checked; None where the node does not give what it takes."""

    def refusal(self, anchored: Anchored, *, contract: str, sender: str) -> str | None:
        """The contract's error if this were anchored now, by its name; None when it would do."""

    def code_digest(self, address: str) -> bytes:
        """SHA-256 of the code at an address, and of nothing where there is none."""


class Sender(Protocol):
    """The key that pays for anchors and can do nothing else; only the log's process has it."""

    address: str

    def sign(
        self, anchored: Anchored, *, contract: str, chain_id: int, nonce: int, gas_limit: int,
        offer: Offer,
    ) -> Signed:  # fmt: skip
        """The transaction that anchors this."""
