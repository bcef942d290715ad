"""Digests of status lists on a real chain, by the same sender and discipline as heads."""

from pathlib import Path

import pytest
from django.db import connections
from web3 import Web3

from contracts.errors import ChainHalted
from contracts.models import ChainAnchor, StatusVersion
from contracts.services import status_lists, status_publishing
from core import failpoints
from core.unit_of_work import unit_of_work
from tests.chain.bed import Bed
from tests.fakes.points import Killed
from tests.fakes.site import killer

pytestmark = [pytest.mark.chain, pytest.mark.long]


@pytest.fixture
def book(bed: Bed, tmp_path: Path) -> Bed:
    """The bed with a RevocationBook, and a list that gives out places."""
    bed.deploy(tmp_path, name="RevocationBook")
    with unit_of_work():
        status_lists.allocate(count=1, now=bed.now)
    return bed


def published(bed: Bed) -> StatusVersion:
    (made,) = status_publishing.publish(now=bed.now)
    return made


def told(bed: Bed) -> list[tuple[int, bytes]]:
    """What the book says of lists now: numbers and digests, in order."""
    contract = bed.node.eth.contract(
        address=Web3.to_checksum_address(bed.book().address), abi=bed.chain._codec.abi
    )
    found = contract.events.ListPublished.get_logs(from_block=0)
    return [(one["args"]["version"], bytes(one["args"]["listDigest"])) for one in found]


class TestPublish:
    def test_brings_the_digest_of_a_version_into_a_final_block(self, book: Bed) -> None:
        version = published(book)

        book.round(with_log=True)
        book.settle()

        assert book.states() == ["final"]
        assert told(book) == [(1, bytes(version.digest))]
        anchor = ChainAnchor.objects.get()
        assert bytes(anchor.stream) == bytes(version.status_list.list_id)
        assert anchor.batch is None

    def test_leaves_out_versions_that_were_overtaken(self, book: Bed) -> None:
        published(book)
        book.round(with_log=True)
        book.settle()
        published(book)
        newest = published(book)

        book.round(with_log=True)
        book.settle()

        assert newest.number == 3
        assert [number for number, _ in told(book)] == [1, 2]
        assert told(book)[-1][1] == bytes(newest.digest)

    def test_says_nothing_again_that_was_said(self, book: Bed) -> None:
        published(book)
        for _ in range(3):
            book.round(with_log=True)
            book.settle()

        assert len(told(book)) == 1

    def test_goes_beside_heads_with_one_sender_and_no_hole(self, book: Bed) -> None:
        published(book)
        batch = book.batch()
        book.round(with_log=True)
        book.settle()

        assert book.states() == ["final", "final"]
        assert [size for _, size, _ in book.events()] == [batch.size]
        assert len(told(book)) == 1
        book.assert_true()

    def test_without_a_book_is_not_done(self, bed: Bed) -> None:
        with unit_of_work():
            status_lists.allocate(count=1, now=bed.now)
        published(bed)

        bed.round(with_log=True)

        assert bed.states() == []

    @pytest.mark.parametrize("depth", [1, 2])
    def test_is_sent_again_after_a_reorg_the_same_bytes(self, book: Bed, depth: int) -> None:
        published(book)
        book.round(with_log=True)
        book.mine(depth)
        book.round()
        book.reorg(depth)

        book.settle()

        assert book.states() == ["final"]
        assert len(told(book)) == 1
        assert len(book.attempts()) == 1

    @pytest.mark.parametrize("point", ["contracts.anchor.signed", "contracts.anchor.sent"])
    def test_that_broke_off_is_made_good(self, book: Bed, point: str) -> None:
        published(book)
        hits: list[str] = []
        with failpoints.installed(killer(point, hits)), pytest.raises(Killed):
            book.round(with_log=True)
        assert hits

        book.settle()

        assert book.states() == ["final"]
        assert len(told(book)) == len(book.attempts()) == 1

    def test_halts_when_the_book_knows_more_than_we_do_and_goes_on_when_resumed(
        self, book: Bed
    ) -> None:
        published(book)
        book.round(with_log=True)
        book.settle()
        forget(book)
        with pytest.raises(ChainHalted):
            book.round(with_log=True)

        book.resume()
        newest = published(book)
        book.round(with_log=True)
        book.settle()

        assert told(book)[-1] == (2, bytes(newest.digest))


def forget(bed: Bed) -> None:
    """A database that was put back to before the publication, and knows its sender's nonce."""
    anchor = bed.newest()
    with connections["owner"].cursor() as cursor:
        for table in ("contracts_chainattempt", "contracts_chainstep"):
            cursor.execute(f"DELETE FROM {table} WHERE anchor_id = %s", [anchor.pk])
        cursor.execute("DELETE FROM contracts_chainanchor WHERE id = %s", [anchor.pk])
