"""A node that lies makes nothing true: nothing is believed, and honest answers go on from there."""

from collections.abc import Iterator
from typing import Any

import pytest
from web3 import Web3

from contracts.errors import ChainContradicts, ChainHalted, ChainUnavailable
from contracts.services import halts
from core import runtime
from tests.chain.bed import Bed, Flaky, rules
from tests.servers import lying_node
from tests.servers.lying_node import Liar

pytestmark = [pytest.mark.chain, pytest.mark.long]
OTHER = "0x" + "ab" * 32


def honest(bed: Bed) -> str:
    provider = bed.node.provider
    assert isinstance(provider, Web3.HTTPProvider)
    return str(provider.endpoint_uri)


@pytest.fixture
def liar(bed: Bed) -> Iterator[Liar]:
    """The pipeline's only node; honest at first."""
    with lying_node.before(honest(bed)) as made:
        bed.chain = Flaky(rules(made.url))
        with runtime.override(chains={"c1": bed.chain}, senders={"c1": bed.sender}):
            yield made


def changed(method: str, **members: Any) -> lying_node.Lie:
    """Every answer to `method` has these members instead of its own."""

    def lie(asked: str, _parameters: list[Any], result: Any) -> Any:
        if asked != method or not isinstance(result, dict):
            return result
        return result | members

    return lie


def replaced(method: str, answer: Any) -> lying_node.Lie:
    return lambda asked, _parameters, result: answer if asked == method else result


def caught(bed: Bed) -> str:
    with pytest.raises(ChainContradicts) as raised:
        bed.round()
    return str(raised.value.context["reason"])


def comes_to_its_end(bed: Bed, liar: Liar) -> None:
    """Once the node is honest again."""
    liar.lie = lambda _method, _parameters, result: result
    bed.settle()
    assert bed.states() == ["final"]
    assert len(bed.attempts()) == 1
    bed.assert_true()


class TestOfWhichChainItIs:
    def test_a_wrong_number_is_caught(self, bed: Bed, liar: Liar) -> None:
        bed.batch()
        liar.lie = replaced("eth_chainId", "0x1")

        assert caught(bed) == "another-chain-id"
        assert bed.attempts() == []

    def test_another_chain_of_the_same_number_is_caught(self, bed: Bed, liar: Liar) -> None:
        liar.lie = lambda method, parameters, result: (
            result | {"hash": OTHER}
            if method == "eth_getBlockByNumber" and parameters[0] == "0x0"
            else result
        )

        assert caught(bed) == "another-genesis"

    def test_another_contract_at_our_address_is_caught(self, bed: Bed, liar: Liar) -> None:
        liar.lie = replaced("eth_getCode", "0x6001")

        assert caught(bed) == "another-code"


class TestOfAReceipt:
    @pytest.fixture(autouse=True)
    def mined(self, bed: Bed, liar: Liar) -> None:
        """An anchor that is in a block, of which the pipeline does not know yet."""
        bed.batch()
        bed.round(with_log=True)
        bed.mine()

    @pytest.mark.parametrize(
        ("members", "reason"),
        [
            ({"transactionHash": OTHER}, "receipt-of-another"),
            ({"logs": []}, "receipt-without-event"),
            ({"status": "0x7f"}, None),
            ({"blockNumber": None}, "not-understood"),
            ({"logs": [{"address": 5}]}, "not-understood"),
        ],
    )
    def test_is_caught_or_not_believed(
        self, bed: Bed, liar: Liar, members: dict[str, Any], reason: str | None
    ) -> None:
        liar.lie = changed("eth_getTransactionReceipt", **members)

        if reason is None:
            bed.round()
        else:
            assert caught(bed) == reason
        assert "final" not in bed.states()
        comes_to_its_end(bed, liar)

    def test_with_another_root_is_caught(self, bed: Bed, liar: Liar) -> None:
        def lie(method: str, _parameters: list[Any], result: Any) -> Any:
            if method == "eth_getTransactionReceipt" and result:
                result["logs"][0]["topics"][3] = OTHER
            return result

        liar.lie = lie

        assert caught(bed) == "receipt-of-another-anchor"
        comes_to_its_end(bed, liar)

    def test_of_a_block_that_is_not_there_is_not_believed(self, bed: Bed, liar: Liar) -> None:
        liar.lie = changed("eth_getTransactionReceipt", blockHash=OTHER)

        bed.round()

        assert bed.states() == ["sent"]
        comes_to_its_end(bed, liar)

    def test_that_is_denied_changes_nothing(self, bed: Bed, liar: Liar) -> None:
        liar.lie = replaced("eth_getTransactionReceipt", None)

        bed.round()

        assert bed.states() == ["sent"]
        comes_to_its_end(bed, liar)


class TestOfABlock:
    @pytest.mark.parametrize(
        ("members", "reason"),
        [({"number": "0x3e8"}, "another-number"), ({"hash": None}, "not-understood")],
    )
    def test_with_another_number_or_no_hash_is_caught(
        self, bed: Bed, liar: Liar, members: dict[str, Any], reason: str
    ) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.mine()
        bed.round()

        def lie(method: str, parameters: list[Any], result: Any) -> Any:
            by_number = method == "eth_getBlockByNumber" and parameters[0] not in (
                "0x0", "latest", "safe", "finalized",
            )  # fmt: skip
            return result | members if by_number else result

        liar.lie = lie
        assert caught(bed) == reason
        assert bed.states() == ["mined"]
        comes_to_its_end(bed, liar)

    def test_whose_hash_is_of_another_number_is_caught(self, bed: Bed, liar: Liar) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.mine()
        bed.round()
        liar.lie = changed("eth_getBlockByHash", number="0x1")

        assert caught(bed) == "hash-of-another"
        comes_to_its_end(bed, liar)

    def test_that_is_final_by_one_node_alone_is_not_final(self, bed: Bed, liar: Liar) -> None:
        both = Flaky(rules(liar.url, rpc=[liar.url, honest(bed)], agree=2))
        with runtime.override(chains={"c1": both}, senders={"c1": bed.sender}):
            bed.batch()
            bed.round(with_log=True)
            bed.mine()
            head = hex(bed.node.eth.block_number)
            liar.lie = lambda method, parameters, result: (
                result | {"number": head}
                if method == "eth_getBlockByNumber" and parameters[0] in {"safe", "finalized"}
                else result
            )

            bed.round()
            bed.round()

            assert bed.states() == ["mined"]
            comes_to_its_end(bed, liar)

    def test_that_another_node_does_not_show_is_not_final(self, bed: Bed, liar: Liar) -> None:
        both = Flaky(rules(liar.url, rpc=[honest(bed), liar.url], agree=2))
        with runtime.override(chains={"c1": both}, senders={"c1": bed.sender}):
            bed.batch()
            bed.round(with_log=True)
            bed.mine()
            number = hex(bed.node.eth.block_number)
            liar.lie = lambda method, parameters, result: (
                None if method == "eth_getBlockByNumber" and parameters[0] == number else result
            )

            for _ in range(4):
                bed.round()
                bed.mine()

            assert bed.states() == ["safe"]
            comes_to_its_end(bed, liar)

    def test_that_one_of_two_nodes_denies_is_no_reorg(self, bed: Bed, liar: Liar) -> None:
        both = Flaky(rules(liar.url, rpc=[liar.url, honest(bed)]))
        with runtime.override(chains={"c1": both}, senders={"c1": bed.sender}):
            bed.batch()
            bed.round(with_log=True)
            bed.settle()
            number = hex(bed.newest().block_number or 0)

            def lie(method: str, parameters: list[Any], result: Any) -> Any:
                if method == "eth_getBlockByNumber" and parameters[0] == number:
                    return None
                return result

            liar.lie = lie

            assert caught(bed) == "one-node-differs"
            assert halts.current("c1") is None
            comes_to_its_end(bed, liar)

    def test_that_the_only_node_denies_halts(self, bed: Bed, liar: Liar) -> None:
        bed.batch()
        bed.round(with_log=True)
        bed.settle()
        number = hex(bed.newest().block_number or 0)
        liar.lie = lambda method, parameters, result: (
            None if method == "eth_getBlockByNumber" and parameters[0] == number else result
        )

        with pytest.raises(ChainHalted):
            bed.round()

        liar.lie = lambda _method, _parameters, result: result
        bed.resume()
        bed.settle()
        assert bed.states() == ["final"]


class TestOfAnything:
    @pytest.mark.parametrize(
        "body",
        [
            b"", b"<html>", b"[]", b"{}", b"null", b'{"jsonrpc":"2.0","id":0,"result":"0x"}',
            b'{"jsonrpc":"2.0","id":0,"result":{"number":"x"}}', b'{"result":' + b"[" * 200_000,
        ],
        ids=range(8),
    )  # fmt: skip
    def test_is_an_error_and_nothing_else(self, bed: Bed, liar: Liar, body: bytes) -> None:
        bed.batch()
        liar.raw = body

        with pytest.raises((ChainContradicts, ChainUnavailable)):
            bed.round(with_log=True)

        liar.raw = None
        bed.round(with_log=True)
        comes_to_its_end(bed, liar)
