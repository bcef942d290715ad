"""Any EVM chain over JSON-RPC."""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from typing import Any, Final, TypeVar

import requests
from hexbytes import HexBytes
from web3 import Web3
from web3.exceptions import (
    BlockNotFound,
    ContractCustomError,
    ContractLogicError,
    TransactionNotFound,
    Web3Exception,
    Web3RPCError,
)
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import RPCEndpoint

from contracts.adapters.evm import receipt_proofs
from contracts.adapters.evm.interface import ABI, address_of, call_of
from contracts.domain.anchors import NO_ROOT, Anchored
from contracts.domain.chain_rules import ChainRules
from contracts.domain.finality import Rule, Tip
from contracts.errors import ChainContradicts, ChainUnavailable
from contracts.ports import Answer, Block, ChainHead, Fees, Identity, Inclusion, ReceiptProof

T = TypeVar("T")
_LIST_PUBLISHED: Final = bytes(Web3.keccak(text="ListPublished(bytes32,uint64,bytes32)"))
#: What the median tip is taken of.
_BLOCKS: Final = 20
#: Words of geth, anvil, Besu and cosmos/evm, in lower case; the first that fits.
_ANSWERS: Final[Sequence[tuple[str, Answer]]] = (
    ("already known", Answer.KNOWN),
    ("already imported", Answer.KNOWN),
    ("known transaction", Answer.KNOWN),
    ("already exists", Answer.KNOWN),
    ("already in", Answer.KNOWN),
    ("nonce too low", Answer.SPENT),
    ("invalid nonce", Answer.SPENT),
    ("underpriced", Answer.CHEAP),
    ("fee too low", Answer.CHEAP),
    ("block base fee", Answer.CHEAP),
    ("insufficient", Answer.POOR),
)


class EvmChain:
    """The port AnchorChain. The first node that answers is used until it fails."""

    def __init__(self, rules: ChainRules) -> None:
        """Nothing is asked yet."""
        self.rules = rules
        self._nodes = [node_at(url, rules.timeout) for url in rules.rpc]
        self._codec = Web3().eth.contract(abi=ABI)

    def identity(self) -> Identity:
        """Which chain this is; cosmos/evm answers its block 1 for block 0."""
        return self._ask(
            lambda node: Identity(int(node.eth.chain_id), bytes(node.eth.get_block(0)["hash"]))
        )

    def tip(self) -> Tip:
        """As far as `agree` nodes have come: fewer that lie together make nothing final."""
        agree = self.rules.agree
        if agree == 1:
            return self._ask(self._tip)
        tips = [tip for tip in map(self._tip_of, self._nodes) if tip is not None]
        if len(tips) < agree:
            raise ChainUnavailable
        head, safe, final = (
            sorted(numbers, reverse=True)[agree - 1]
            for numbers in zip(*((tip.head, tip.safe, tip.finalized) for tip in tips), strict=True)
        )
        return Tip(head, safe, final)

    def block(self, number: int) -> Block | None:
        """Raises ChainContradicts where hash and number are not of one block."""
        return self._ask(lambda node: _block(node, number))

    def agreeing(self, block: Block) -> int:
        """Each node is asked by itself; one that fails or differs does not count."""
        count = 0
        for node in self._nodes:
            try:
                count += guarded(partial(_block, node, block.number)) == block
            except (ChainUnavailable, ChainContradicts):
                continue
        return count

    def fees(self) -> Fees:
        """EIP-1559's where the newest block has a base fee."""
        return self._ask(_fees)

    def spent(self, address: str) -> int:
        """At the newest block; what waits in pools does not count."""
        return self._ask(
            lambda node: int(node.eth.get_transaction_count(address_of(address), "latest"))
        )

    def balance(self, address: str) -> int:
        """At the newest block."""
        return self._ask(lambda node: int(node.eth.get_balance(address_of(address))))

    def send(self, raw: bytes) -> Answer:
        """An answer that was lost is ChainUnavailable: the same bytes are sent again later."""

        def one(node: Web3) -> Answer:
            try:
                node.eth.send_raw_transaction(raw)
            except Web3RPCError as error:
                return _answer(error)
            return Answer.TAKEN

        return self._ask(one)

    def inclusion(self, tx_hash: bytes, *, contract: str) -> Inclusion | None:
        """Raises ChainContradicts for a receipt of something else."""
        return self._ask(lambda node: self._inclusion(node, tx_hash, contract))

    def head(self, *, contract: str, stream: bytes, is_list: bool = False) -> ChainHead:
        """Raises ChainContradicts where there is no such contract."""
        if is_list:
            version, _time = self._call(contract, "listOf", stream)
            return ChainHead(int(version), 0)
        sequence, size, _time = self._call(contract, "headOf", stream)
        return ChainHead(int(sequence), int(size))

    def receipt_proof(self, block: Block, *, tx_hash: bytes, log_index: int) -> ReceiptProof | None:
        """From the block and all its receipts, as the node words them."""

        def one(node: Web3) -> ReceiptProof | None:
            told = _raw(node, "eth_getBlockByHash", "0x" + block.hash.hex(), False)
            receipts = _raw(node, "eth_getBlockReceipts", hex(block.number))
            if not isinstance(told, dict) or not isinstance(receipts, list):
                return None
            return receipt_proofs.make(told, receipts, tx_hash=tx_hash, log_index=log_index)

        return self._ask(one)

    def refusal(self, anchored: Anchored, *, contract: str, sender: str) -> str | None:
        """By a call that changes nothing."""
        try:
            function, arguments = call_of(anchored)
            self._call(contract, function, *arguments, by=sender)
        except _Refused as error:
            return error.name
        return None

    def code_digest(self, address: str) -> bytes:
        """At the newest block."""
        return self._ask(
            lambda node: sha256(bytes(node.eth.get_code(address_of(address)))).digest()
        )

    def _call(self, contract: str, function: str, *arguments: object, by: str = "") -> Any:
        def one(node: Web3) -> Any:
            made = node.eth.contract(address=address_of(contract), abi=ABI)
            options: Any = {"from": address_of(by)} if by else {}
            try:
                return getattr(made.functions, function)(*arguments).call(options)
            except ContractCustomError as error:
                raise _Refused(_error_name(str(error.data))) from None
            except ContractLogicError:
                raise _Refused("reverted") from None

        return self._ask(one)

    def _tip(self, node: Web3) -> Tip:
        """Where the rule needs no tags, nodes without them are not asked for any."""
        head = int(node.eth.block_number)
        if self.rules.finality.rule is not Rule.TAG:
            return Tip(head, head, head)
        return Tip(head, _tagged(node, "safe"), _tagged(node, "finalized"))

    def _tip_of(self, node: Web3) -> Tip | None:
        try:
            return guarded(partial(self._tip, node))
        except (ChainUnavailable, ChainContradicts):
            return None

    def _inclusion(self, node: Web3, tx_hash: bytes, contract: str) -> Inclusion | None:
        try:
            receipt = node.eth.get_transaction_receipt(HexBytes(tx_hash))
        except TransactionNotFound:
            return None
        if receipt.get("blockHash") is None:
            return None
        if bytes(receipt["transactionHash"]) != tx_hash:
            raise ChainContradicts(reason="receipt-of-another")
        place = int(receipt["blockNumber"]), bytes(receipt["blockHash"])
        if receipt["status"] != 1:
            return Inclusion(*place, None, None)
        for log in receipt["logs"]:
            if str(log["address"]).lower() == contract.lower():
                return Inclusion(*place, self._event(log), int(log["logIndex"]))
        raise ChainContradicts(reason="receipt-without-event")

    def _event(self, log: Any) -> Anchored:
        """The one of the two that it is. Raises MismatchedABI for any other."""
        if bytes(log["topics"][0]) == _LIST_PUBLISHED:
            told = self._codec.events.ListPublished().process_log(log)["args"]
            list_id, digest = bytes(told["listId"]), bytes(told["listDigest"])
            return Anchored(list_id, int(told["version"]), 0, NO_ROOT, digest)
        return _anchored(self._codec.events.Anchored().process_log(log)["args"])

    def _ask(self, question: Callable[[Web3], T]) -> T:
        """The first node that answers moves to the front."""
        last: ChainUnavailable | None = None
        for node in list(self._nodes):
            try:
                answer = guarded(partial(question, node))
            except ChainUnavailable as error:
                last = error
                continue
            self._nodes.remove(node)
            self._nodes.insert(0, node)
            return answer
        raise last or ChainUnavailable()


class _Refused(Exception):
    """The contract reverted; `name` is its error's."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def node_at(url: str, timeout: float) -> Web3:
    provider = Web3.HTTPProvider(
        url,
        request_kwargs={"timeout": timeout, "allow_redirects": False},
        exception_retry_configuration=None,
    )
    node = Web3(provider)
    node.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
    return node


def guarded(question: Callable[[], T]) -> T:
    """Whatever a node may do becomes one of two errors."""
    try:
        return question()
    except (ChainContradicts, _Refused):
        raise
    except (requests.RequestException, Web3RPCError, OSError) as error:
        raise ChainUnavailable(kind=type(error).__name__) from None
    except (
        Web3Exception, ValueError, TypeError, KeyError, IndexError, AttributeError,
        OverflowError, RecursionError,
    ) as error:  # fmt: skip
        raise ChainContradicts(reason="not-understood", kind=type(error).__name__) from None


def _tagged(node: Web3, tag: Any) -> int:
    return int(node.eth.get_block(tag)["number"])


def _block(node: Web3, number: int) -> Block | None:
    try:
        found = node.eth.get_block(number)
        if int(found["number"]) != number:
            raise ChainContradicts(reason="another-number")
        again = node.eth.get_block(found["hash"])
    except BlockNotFound:
        return None
    if int(again["number"]) != number or again["hash"] != found["hash"]:
        raise ChainContradicts(reason="hash-of-another")
    return Block(number, bytes(found["hash"]), int(found["timestamp"]))


def _raw(node: Web3, method: str, *arguments: object) -> Any:
    """The result as the node words it; None where it has none."""
    return node.provider.make_request(RPCEndpoint(method), list(arguments)).get("result")


def _code(node: Web3, address: str) -> bytes:
    return bytes(node.eth.get_code(address_of(address)))


def _fees(node: Web3) -> Fees:
    base = node.eth.get_block("latest").get("baseFeePerGas")
    if base is None:
        return Fees(None, [int(node.eth.gas_price)])
    history = node.eth.fee_history(_BLOCKS, "latest", [50.0])
    return Fees(int(base), [int(tips[0]) for tips in history.get("reward") or [] if tips])


def _answer(error: Web3RPCError) -> Answer:
    said = str((error.rpc_response or {}).get("error", error)).lower()
    return next((answer for words, answer in _ANSWERS if words in said), Answer.REFUSED)


def _anchored(event: Any) -> Anchored:
    return Anchored(
        bytes(event["stream"]), int(event["seq"]), int(event["treeSize"]), bytes(event["root"]),
        bytes(event["metaDigest"]),
    )  # fmt: skip


def _error_name(data: str) -> str:
    for entry in ABI:
        if entry["type"] == "error":
            kinds = ",".join(item["type"] for item in entry.get("inputs", []))
            selector = Web3.keccak(text=f"{entry['name']}({kinds})")[:4].hex()
            if data.removeprefix("0x").startswith(selector.removeprefix("0x")):
                return str(entry["name"])
    return "reverted"
