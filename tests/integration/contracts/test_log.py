"""The log on a real PostgreSQL: sealing, publishing, proofs, and what its check finds."""

import base64
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from io import StringIO

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.db.utils import ProgrammingError

from contracts.domain.checkpoint import signature_in
from contracts.domain.tree import Edge, hashes_of
from contracts.errors import NotLogged
from contracts.models import LogBatch, LogCheckpoint, LogLeaf, LogRefusal, LogTile
from contracts.services import checking, proofs, publishing, sealing
from contracts.verifier.merkle import is_consistent, leaf_hash, root_from_inclusion
from core import audit, failpoints, runtime
from core.actors import process_actor
from core.models import AuditEvent, LeafInbox
from core.ports import Signature, VerifyingKey
from core.unit_of_work import unit_of_work
from tests.fakes.custodian import FakeSigner
from tests.fakes.points import Killed

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def signer() -> Iterator[FakeSigner]:
    made = FakeSigner("loggerd")
    with runtime.override(signer=made):
        yield made


def put(count: int) -> list[bytes]:
    leaves = [os.urandom(32) for _ in range(count)]
    LeafInbox.objects.bulk_create(LeafInbox(leaf=leaf) for leaf in leaves)
    return leaves


def sealed(*counts: int) -> list[bytes]:
    """Batches of so many leaves, published; the leaves."""
    leaves = []
    for count in counts:
        leaves += put(count)
        sealing.seal(now=NOON)
        publishing.publish(now=NOON)
    return leaves


def entries() -> list[bytes]:
    return [
        bytes(leaf) for leaf in LogLeaf.objects.order_by("index").values_list("leaf", flat=True)
    ]


class TestSeal:
    def test_takes_what_the_audit_recorded(self) -> None:
        with unit_of_work():
            audit.record(
                action="core.thing.done", actor=process_actor("t"), controller_id=None, now=NOON
            )

        batch = sealing.seal(now=NOON)

        assert bytes(AuditEvent.objects.get().leaf or b"") in entries()
        assert (batch.first, batch.size, LeafInbox.objects.count()) == (0, 64, 0)

    @pytest.mark.parametrize(("count", "size"), [(0, 64), (1, 64), (64, 64), (65, 128), (300, 512)])
    def test_pads_to_a_power_of_two(self, count: int, size: int) -> None:
        leaves = put(count)

        batch = sealing.seal(now=NOON)

        assert batch.size == size == LogLeaf.objects.count()
        assert set(leaves) <= set(entries())
        edge, _ = Edge().grown(hashes_of(entries()))
        assert bytes(batch.root) == edge.root()

    def test_keeps_no_order(self) -> None:
        leaves = sealed(512)

        kept = [leaf for leaf in entries() if leaf in set(leaves)]

        assert sorted(kept) == sorted(leaves)
        assert kept not in (leaves, sorted(leaves))

    def test_grows_over_full_tiles(self) -> None:
        sealed(100, 1, 900, 64)

        edge, tiles = Edge().grown(hashes_of(entries()))
        assert bytes(publishing.latest().batch.root) == edge.root()
        assert LogTile.objects.count() == len(tiles) == 5
        assert list(checking.faults()) == []

    def test_leaves_the_rest_for_the_next(self) -> None:
        leaves = put(70)

        sealing.seal(now=NOON, most=64)
        assert LeafInbox.objects.count() == 6
        sealing.seal(now=NOON, most=64)

        assert set(leaves) <= set(entries())

    @pytest.mark.parametrize("least", [0, 32, 96])
    def test_refuses_a_batch_that_could_cover_one_person(self, least: int) -> None:
        put(1)

        with pytest.raises(ValueError, match="64"):
            sealing.seal(now=NOON, least=least)
        assert LeafInbox.objects.count() == 1

    @pytest.mark.parametrize(
        ("leaf", "code"),
        [
            (b"x" * 31 + b"\x00", "shape"),
            (b"ada.lovelace@example.org, erased", "shape"),
            (os.urandom(24) + bytes(8), "shape"),
            (os.urandom(31), "length"),
        ],
        ids=["same", "text", "padded", "short"],
    )
    def test_refuses_what_may_say_something(self, leaf: bytes, code: str) -> None:
        LeafInbox.objects.create(leaf=leaf)
        good = put(2)

        sealing.seal(now=NOON)

        assert set(good) <= set(entries())
        assert leaf not in entries()
        refused = LogRefusal.objects.get()
        assert (refused.code, bytes(refused.digest)) == (code, sha256(leaf).digest())

    def test_refuses_a_leaf_that_it_has_or_is_given_twice(self) -> None:
        (old,) = sealed(1)
        (new,) = put(1)
        LeafInbox.objects.bulk_create(LeafInbox(leaf=leaf) for leaf in (old, new))

        sealing.seal(now=NOON)

        assert entries().count(old) == entries().count(new) == 1
        assert list(LogRefusal.objects.values_list("code", flat=True)) == ["repeated", "repeated"]

    def test_finds_a_leaf_that_was_committed_late(self) -> None:
        """Its transaction had begun, and taken its id, before the batch was sealed."""
        late, other = os.urandom(32), connections.create_connection("default")
        with closing(other), other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(
                "INSERT INTO core_leafinbox VALUES ('00000000-0000-0000-0000-000000000000', %s)",
                [late],
            )
            sealed(3)
            assert late not in entries()
            cursor.execute("COMMIT")

        sealed(0)

        assert late in entries()

    def test_is_done_by_one_at_a_time(self) -> None:
        leaves = put(400)

        def run(_: int) -> None:
            try:
                sealing.seal(now=NOON, most=50)
            finally:
                connection.close()

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(run, range(8)))

        assert LogBatch.objects.count() == 8
        assert set(leaves) <= set(entries())
        publishing.publish(now=NOON)
        assert list(checking.faults()) == []


class Remembering:
    """A signer that keeps what it signed."""

    def __init__(self, signer: FakeSigner) -> None:
        self.signer, self.signed = signer, list[bytes]()

    def sign(self, message: bytes) -> Signature:
        self.signed.append(message)
        return self.signer.sign(message)

    def verifying_keys(self) -> Sequence[VerifyingKey]:
        return self.signer.verifying_keys()


class TestCrash:
    @pytest.mark.parametrize(
        "point",
        [f"contracts.log.{step}" for step in ("sealing", "sealed", "signed", "published")],
    )
    def test_anywhere_loses_nothing_and_signs_one_history(
        self, point: str, signer: FakeSigner
    ) -> None:
        leaves, log = put(5), Remembering(signer)

        def run() -> None:
            sealing.seal(now=NOON)
            publishing.publish(now=NOON)

        def kill(reached: str) -> None:
            if reached == point:
                raise Killed

        with runtime.override(signer=log):
            with pytest.raises(Killed), failpoints.installed(kill):
                run()
            run()

        assert [entries().count(leaf) for leaf in leaves] == [1] * 5
        assert LogCheckpoint.objects.count() == LogBatch.objects.count()
        assert list(checking.faults()) == []
        sizes = [message.split(b"\n")[1] for message in set(log.signed)]
        assert len(set(sizes)) == len(sizes), "two heads of one size were signed"


class TestPublish:
    def test_signs_the_head_as_a_note(self, signer: FakeSigner) -> None:
        sealed(3)

        found = publishing.latest()

        origin, size, root = found.note.split("\n")[:3]
        assert (origin, size) == ("localhost:8000/log", "64")
        assert base64.b64decode(root) == bytes(found.batch.root)
        public, text = signer.verifying_keys()[0].public, f"{origin}\n{size}\n{root}\n"
        signature = signature_in(found.note, text=text, name=origin, public=public)
        assert signature is not None
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text.encode())

    def test_shows_nothing_that_is_not_signed(self) -> None:
        (leaf,) = put(1)
        sealing.seal(now=NOON)

        with pytest.raises(NotLogged):
            proofs.inclusion(leaf=leaf)
        publishing.publish(now=NOON)

        assert proofs.inclusion(leaf=leaf).leaf == leaf


class TestProofs:
    def test_of_every_leaf_lead_to_the_signed_root(self) -> None:
        leaves = sealed(100, 1, 300)

        for leaf in leaves:
            found = proofs.inclusion(leaf=leaf)
            batch = found.checkpoint.batch
            root = root_from_inclusion(
                leaf_hash(leaf), index=found.index, size=batch.size, path=found.path
            )
            assert root == bytes(batch.root)

    def test_of_growth_join_every_two_heads(self) -> None:
        sealed(100, 1, 300, 64)
        heads = [(batch.size, bytes(batch.root)) for batch in LogBatch.objects.order_by("sequence")]

        for old, old_root in heads:
            for new, new_root in heads:
                if old <= new:
                    path = proofs.consistency(old=old, new=new)
                    assert is_consistent(old_root, new_root, old_size=old, new_size=new, path=path)

    def test_stand_by_themselves_as_text(self) -> None:
        (leaf,) = sealed(1)

        text = proofs.inclusion(leaf=leaf).text()

        head, _, checkpoint = text.partition("\n\n")
        assert head.splitlines()[0] == "c2sp.org/tlog-proof@v1"
        assert len(head.splitlines()) == 2 + 6
        assert checkpoint == publishing.latest().note

    def test_are_refused_for_what_is_not_there(self) -> None:
        with pytest.raises(NotLogged):
            proofs.inclusion(leaf=os.urandom(32))
        sealed(1)
        with pytest.raises(NotLogged):
            proofs.inclusion(leaf=os.urandom(32))
        for old, new in [(0, 65), (-1, 64), (64, 1)]:
            with pytest.raises(NotLogged):
                proofs.consistency(old=old, new=new)


def owner(statement: str) -> Callable[[], None]:
    def run() -> None:
        with connections["owner"].cursor() as cursor:
            cursor.execute(statement)

    return run


class TestCheck:
    @pytest.mark.parametrize(
        ("tamper", "index"),
        [
            (owner("UPDATE contracts_logleaf SET leaf = sha256(leaf) WHERE index = 70"), 70),
            (owner("DELETE FROM contracts_logleaf WHERE index = 300"), 300),
            (owner("UPDATE contracts_logtile SET root = sha256(root) WHERE index = 1"), 256),
            (owner("UPDATE contracts_logtile SET hashes = substr(hashes, 2)"), 0),
            (owner("DELETE FROM contracts_logtile WHERE index = 1"), 256),
            (owner("UPDATE contracts_logbatch SET root = sha256(root) WHERE sequence = 1"), 64),
            (owner("UPDATE contracts_logbatch SET path = substr(path, 33) WHERE sequence = 1"), 64),
            (owner("UPDATE contracts_logcheckpoint SET note = replace(note, '—', '-')"), 0),
            (owner("UPDATE core_signingkey SET public = sha256(public)"), 0),
            (owner("INSERT INTO contracts_logleaf VALUES (9999, sha256('x'))"), 9999),
        ],
        ids=[
            "leaf",
            "gone",
            "tile-root",
            "tile",
            "tile-gone",
            "root",
            "proof",
            "note",
            "key",
            "extra",
        ],
    )
    def test_names_the_first_leaf_that_is_wrong(
        self, tamper: Callable[[], None], index: int
    ) -> None:
        sealed(60, 300, 1)
        call_command("fsck_log", stdout=StringIO())
        tamper()

        with pytest.raises(CommandError, match=f"from leaf {index} on"):
            call_command("fsck_log", stderr=StringIO())

    def test_says_what_it_has_seen(self) -> None:
        sealed(60, 300)
        out = StringIO()

        call_command("fsck_log", stdout=out)

        assert "576 leaves in 2 batches" in out.getvalue()

    def test_has_nothing_to_say_of_an_empty_log(self) -> None:
        assert list(checking.faults()) == []


class TestRights:
    @pytest.mark.parametrize("table", ["logleaf", "logbatch", "logtile", "logcheckpoint"])
    @pytest.mark.parametrize("act", ["DELETE FROM contracts_{}", "TRUNCATE contracts_{} CASCADE"])
    def test_let_the_application_add_and_nothing_else(self, table: str, act: str) -> None:
        sealed(300)

        with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as one:
            one.execute(act.format(table))
