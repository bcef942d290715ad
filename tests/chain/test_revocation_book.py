"""RevocationBook on a real EVM: versions of a list rise by one, digests are all there is."""

import os

import pytest
from web3 import Web3

from tests.chain.contracts import Deployed, deploy

pytestmark = pytest.mark.chain
LIST, OTHER = b"\x01" * 32, b"\x02" * 32


@pytest.fixture
def book(chain: Web3) -> Deployed:
    return deploy(chain, "RevocationBook", "PUBLISHER")


class TestPublishList:
    def test_keeps_the_version_and_says_the_digest(self, book: Deployed) -> None:
        digest = os.urandom(32)

        receipt = book.send("publishList", LIST, 1, digest)

        (event,) = book.events("ListPublished", receipt)
        assert event == {"listId": LIST, "version": 1, "listDigest": digest}
        version, time = book.contract.functions.listOf(LIST).call()
        block = book.chain.eth.get_block(receipt["blockNumber"])
        assert (version, time) == (1, block["timestamp"])
        assert tuple(book.contract.functions.listOf(OTHER).call()) == (0, 0)

    @pytest.mark.parametrize("version", [0, 1, 3, 2**64 - 1])
    def test_refuses_any_but_the_next(self, book: Deployed, version: int) -> None:
        book.send("publishList", LIST, 1, os.urandom(32))

        said = book.refusal("publishList", LIST, version, os.urandom(32))

        assert said == f"RevocationBookVersionMismatch(2, {version})"

    def test_refuses_a_digest_of_nothing(self, book: Deployed) -> None:
        assert book.refusal("publishList", LIST, 1, bytes(32)) == "RevocationBookEmpty()"

    @pytest.mark.parametrize("who", ["admin", "stranger"])
    def test_is_the_publishers_alone(self, book: Deployed, who: str) -> None:
        by = getattr(book, who)

        said = book.refusal("publishList", LIST, 1, os.urandom(32), by=by)

        assert said.startswith(f"AccessControlUnauthorizedAccount({by.lower()}")
