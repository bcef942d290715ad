"""The log as monitors read it: C2SP tlog-tiles, open to everybody."""

import base64
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.test import Client
from pytest_django import Settings

from contracts.services import founding, sequencing
from core import runtime
from core.actors import Actor
from core.models import LeafInbox
from tests.fakes.custodian import FakeSigner
from tests.fakes.heads import FakeHeadKeeper

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def log() -> Iterator[FakeHeadKeeper]:
    keeper = FakeHeadKeeper()
    with runtime.override(signer=FakeSigner("loggerd"), head_keeper=keeper):
        yield keeper


def sealed(count: int = 0) -> None:
    LeafInbox.objects.bulk_create(LeafInbox(leaf=os.urandom(32)) for _ in range(count))
    sequencing.run_round(now=NOON)


def root_of(hashes: list[bytes]) -> bytes:
    """RFC 9162, section 2.1.1, for a power of two."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]


def tile(path: str) -> list[bytes]:
    answer = Client().get(f"/log/tile/{path}")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/octet-stream")
    assert "immutable" in answer["Cache-Control"]
    return [answer.content[at : at + 32] for at in range(0, len(answer.content), 32)]


class TestCheckpoint:
    def test_verifies_with_the_key_and_makes_the_root_of_the_tiles(self) -> None:
        sealed(500)
        answer = Client().get("/log/checkpoint")
        (generation,) = Client().get("/log/").json()["generations"]

        origin, size, root, _, line = answer.content.decode().splitlines()
        name, key_id, key = generation["vkeys"][0].split("+", 2)
        signature = base64.b64decode(line.split(" ")[2])
        assert (origin, int(size), name) == (generation["origin"], 512, origin)
        assert signature[:4].hex() == key_id
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:])
        public.verify(signature[4:], f"{origin}\n{size}\n{root}\n".encode())
        leaves = tile("0/000") + tile("0/001")
        assert root_of(leaves) == base64.b64decode(root)
        assert tile("1/000.p/2") == [root_of(leaves[:256]), root_of(leaves[256:])]

    def test_is_not_there_before_the_first_batch(self) -> None:
        answer = Client().get("/log/checkpoint")

        assert (answer.status_code, answer.json()["code"]) == (404, "not-logged")

    def test_is_ended_once_another_generation_follows(
        self, log: FakeHeadKeeper, settings: Settings
    ) -> None:
        sealed()
        log.head = None
        founding.found(operator=Actor("psn_x", "operator", None), now=NOON)
        sealed()

        old, new = Client().get("/log/checkpoint"), Client().get("/log/1/checkpoint")
        missing = Client().get("/log/2/checkpoint")

        assert (old.status_code, old.json()["code"]) == (410, "log-ended")
        assert new.content.decode().startswith(f"{settings.LETHE_LOG_ORIGIN}/1\n128\n")
        assert missing.status_code == 404
        assert Client().get("/log/1/tile/0/000.p/64").status_code == 200
        current = [one["is_current"] for one in Client().get("/log/").json()["generations"]]
        assert current == [False, True]


class TestTile:
    @pytest.mark.parametrize(
        "path", ["0/001", "0/000.p/65", "0/000", "0/0", "1/000.p/1", "0/000.p/0", "x", "0/../0"]
    )
    def test_that_the_published_tree_does_not_have_is_not_there(self, path: str) -> None:
        sealed()

        answer = Client().get(f"/log/tile/{path}")

        assert (answer.status_code, answer.json()["code"]) == (404, "not-logged")

    def test_is_read_and_nothing_else(self) -> None:
        assert Client().post("/log/checkpoint").status_code == 405
