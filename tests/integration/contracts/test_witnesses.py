"""Cosignatures over heads, by witnesses that check for themselves, and by some that lie."""

import base64
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.utils import ProgrammingError
from django.test import Client
from pytest_django import Settings

from contracts.adapters import asking_threads
from contracts.domain.tree import hashes_of, root_of
from contracts.errors import WitnessRefused
from contracts.models import LogCheckpoint, LogCosignature, LogLeaf
from contracts.services import proofs, publishing, sealing, witnesses
from contracts.verifier.log import parse
from core import clock, runtime
from core.models import LeafInbox
from tests.fakes.custodian import FakeSigner
from tests.servers import outside
from tests.servers.witness import Reply, Witness, running

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Ring:
    """Three witnesses, w0 to w2, and their servers; two of them are a quorum."""

    witnesses: Sequence[Witness]
    servers: Sequence[outside.Answers]
    log: pytest.LogCaptureFixture

    def ask(self) -> set[str]:
        found = witnesses.ask(now=clock.now())
        assert found is not None
        assert found.is_quorum == (len(found.cosigned) >= 2)
        return set(found.cosigned)

    def said(self) -> list[str]:
        """`code reason` of each failure that was told, and no more than that."""
        told = [record.msg for record in self.log.records if isinstance(record.msg, dict)]
        return [
            f"{one['code']} {one['reason']}" for one in told if one["event"] == "log.asking_failed"
        ]

    def refuses(self, reply: Reply) -> str:
        """Why what the first witness answers is refused; nothing of it is stored."""
        self.servers[0].behaviour = lambda _body: reply
        assert self.ask() == {"w1", "w2"}
        assert set(LogCosignature.objects.values_list("name", flat=True)) == {
            "w.example/1",
            "w.example/2",
        }
        (said,) = self.said()
        return said


@pytest.fixture
def ring(settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Ring]:
    signer = FakeSigner("loggerd")
    keys = [key.public for key in signer.verifying_keys()]
    made = [Witness(f"w.example/{number}", log_keys=keys) for number in range(3)]
    with ExitStack() as stack:
        stack.enter_context(runtime.override(signer=signer))
        servers = [stack.enter_context(running(one)) for one in made]
        lines = [f"witness w{n} {one.vkey} {one.url}" for n, one in enumerate(made)]
        (tmp_path / "policy").write_text("\n".join([*lines, "group g 2 w0 w1 w2", "quorum g"]))
        settings.LETHE_LOG_WITNESSES = str(tmp_path / "policy")
        settings.LETHE_ASKING_TIMEOUT = 5
        yield Ring(made, servers, caplog)


def published(*, least: int = 64) -> LogCheckpoint:
    now = clock.now()
    sealing.seal(now=now, least=least)
    publishing.publish(now=now)
    return publishing.latest()


def text_of(head: LogCheckpoint) -> str:
    return head.note.partition("\n\n")[0] + "\n"


class TestAttack:
    def test_with_the_key_of_another_under_the_name_of_this_one(self, ring: Ring) -> None:
        text = text_of(published())
        forger = Witness("w.example/0", log_keys=[])
        line = forger.line(text)

        assert ring.refuses((200, [line.encode()])) == "witness-refused key"

    def test_with_the_name_and_the_key_id_of_this_one(self, ring: Ring) -> None:
        forger, forged = Witness("w.example/0", log_keys=[]), ring.witnesses[0]
        held = base64.b64decode(forger.line(text_of(published())).split(" ")[2])
        line = f"\u2014 w.example/0 {base64.b64encode(forged._id() + held[4:]).decode()}\n"

        assert ring.refuses((200, [line.encode()])) == "witness-refused signature"

    def test_with_a_cosignature_over_another_head(self, ring: Ring) -> None:
        origin, size, _ = text_of(published()).split("\n")[:3]
        other = f"{origin}\n{size}\n{base64.b64encode(bytes(32)).decode()}\n"
        line = ring.witnesses[0].line(other)

        assert ring.refuses((200, [line.encode()])) == "witness-refused signature"

    def test_with_the_cosignature_of_an_older_head(self, ring: Ring) -> None:
        line = ring.witnesses[0].line(text_of(published()))
        published()

        assert ring.refuses((200, [line.encode()])) == "witness-refused signature"

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_with_a_time_that_the_head_cannot_have_been_seen_at(
        self, ring: Ring, minutes: int
    ) -> None:
        at = clock.now() + timedelta(minutes=minutes)
        line = ring.witnesses[0].line(text_of(published()), at=int(at.timestamp()))

        assert ring.refuses((200, [line.encode()])) == "witness-refused time"

    def test_with_a_changed_time(self, ring: Ring) -> None:
        line = ring.witnesses[0].line(text_of(published()))
        content = bytearray(base64.b64decode(line.split(" ")[2]))
        content[11] ^= 1
        changed = f"\u2014 w.example/0 {base64.b64encode(content).decode()}\n"

        assert ring.refuses((200, [changed.encode()])) == "witness-refused signature"

    @pytest.mark.parametrize(
        ("size", "said"),
        [
            (b"65\n", "witness-contradicts ahead"),
            (b"999999999999999999", "witness-contradicts ahead"),
            (b"64\n", "witness-contradicts conflict"),
            (b"7\n", "witness-contradicts conflict"),
            (b"-1\n", "witness-refused garbled"),
            (b"064\n", "witness-refused garbled"),
            (b"6" * 5000, "witness-refused garbled"),
            (b"", "witness-refused garbled"),
        ],
    )
    def test_with_a_size_that_cannot_be(self, ring: Ring, size: bytes, said: str) -> None:
        """Asked twice at the most, however often it says so."""
        published()

        assert ring.refuses((409, [size])) == said
        assert len(ring.servers[0].asked) <= 2

    @pytest.mark.parametrize(
        "reply",
        [
            b"",
            b"\xff\xfe",
            b"<html>",
            b"\xe2\x80\x94 w.example/0 AAAA\n\n",
            b"\xe2\x80\x94 a b c\n",
        ],
    )
    def test_with_garbage(self, ring: Ring, reply: bytes) -> None:
        published()

        said = ring.refuses((200, [reply]))

        assert said in {"witness-refused garbled", "witness-refused key"}

    def test_with_lines_of_others_around_its_own(self, ring: Ring) -> None:
        """They are ignored, and served to nobody."""
        text = text_of(published())
        stranger = Witness("stranger.example", log_keys=[]).line(text)
        own = ring.witnesses[0].line(text)
        ring.servers[0].behaviour = lambda _body: (200, [(stranger + own + stranger).encode()])

        assert ring.ask() == {"w0", "w1", "w2"}
        assert LogCosignature.objects.get(name="w.example/0").line == own
        assert "stranger" not in Client().get("/log/checkpoint").content.decode()

    def test_with_an_answer_without_end(self, ring: Ring) -> None:
        published()

        assert ring.refuses(ring.servers[0].endless(b"")) == "witness-unavailable too-large"

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (403, "witness-unavailable key-unknown"),
            (404, "witness-unavailable origin-unknown"),
            (422, "witness-contradicts inconsistent"),
            (302, "witness-unavailable status"),
            (500, "witness-unavailable status"),
        ],
    )
    def test_with_a_refusal(self, ring: Ring, status: int, said: str) -> None:
        published()

        assert ring.refuses((status, [])) == said


class TestAsk:
    def test_has_every_head_cosigned_and_proves_that_the_log_grew(self, ring: Ring) -> None:
        for least in (64, 128, 64, 1024, 64):
            head = published(least=least)

            assert ring.ask() == {"w0", "w1", "w2"}
            for witness in ring.witnesses:
                assert witness.heads[head.origin] == (head.batch.size, bytes(head.batch.root))
        assert ring.said() == []
        assert [len(server.asked) for server in ring.servers] == [5, 5, 5]
        assert LogCosignature.objects.count() == 15

    def test_asks_nobody_twice_for_a_head(self, ring: Ring) -> None:
        published()
        for _ in range(3):
            assert ring.ask() == {"w0", "w1", "w2"}

        assert [len(server.asked) for server in ring.servers] == [1, 1, 1]

    def test_takes_up_where_the_witness_says_that_it_is(self, ring: Ring) -> None:
        """Its answers never came, or it follows another policy than ours about which heads."""
        heads = [published() for _ in range(3)]
        leaves = [bytes(row.leaf) for row in LogLeaf.objects.order_by("index")[:7]]
        known = [(head.batch.size, bytes(head.batch.root)) for head in heads[1:]]
        known.append((7, root_of(hashes_of(leaves))))
        for witness, last in zip(ring.witnesses, known, strict=True):
            witness.heads[heads[0].origin] = last

        assert ring.ask() == {"w0", "w1", "w2"}

        assert [len(server.asked) for server in ring.servers] == [2, 2, 2]
        assert ring.said() == []

    def test_is_told_by_a_witness_that_has_seen_another_log(self, ring: Ring) -> None:
        published()
        head = published()
        ring.witnesses[0].heads[head.origin] = (64, bytes(32))
        ring.witnesses[1].heads[head.origin] = (head.batch.size, bytes(32))

        assert ring.ask() == {"w2"}

        contradicts = [f"witness-contradicts {why}" for why in ("conflict", "inconsistent")]
        assert sorted(ring.said()) == contradicts
        assert "witness-quorum-missed" in ring.log.text

    def test_keeps_what_came_while_one_is_down_and_asks_it_later(
        self, ring: Ring, settings: Settings
    ) -> None:
        published()
        settings.LETHE_ASKING_TIMEOUT = 0.5
        ring.servers[0].behaviour = ring.servers[0].never
        assert ring.ask() == {"w1", "w2"}
        assert ring.said() == ["witness-unavailable timeout"]
        ring.servers[0].behaviour = ring.witnesses[0].behave

        assert ring.ask() == {"w0", "w1", "w2"}
        assert [len(server.asked) for server in ring.servers] == [2, 1, 1]

    def test_asks_all_at_once(self, ring: Ring, settings: Settings) -> None:
        published()
        settings.LETHE_ASKING_TIMEOUT = 1
        for server in ring.servers:
            server.behaviour = server.never
        began = time.monotonic()

        assert ring.ask() == set()
        assert time.monotonic() - began < 2.5

    def test_thinks_nothing_of_a_witness_that_has_a_newer_head_of_ours(self, ring: Ring) -> None:
        """Another process published it, and had it cosigned, while this one asked."""
        published()

        def behave(_body: bytes) -> Reply:
            published()
            connection.close()
            return 409, [b"128\n"]

        ring.servers[0].behaviour = behave

        assert ring.ask() == {"w1", "w2"}
        assert ring.said() == ["witness-unavailable raced"]

    def test_begins_anew_with_another_key_of_the_witness(
        self, ring: Ring, settings: Settings
    ) -> None:
        published()
        ring.ask()
        head, new = published(), Witness("w.example/0", log_keys=ring.witnesses[0].log_keys)
        ring.servers[0].behaviour = new.behave
        path = Path(settings.LETHE_LOG_WITNESSES)
        path.write_text(path.read_text().replace(ring.witnesses[0].vkey, new.vkey))

        assert ring.ask() == {"w0", "w1", "w2"}
        assert new.heads[head.origin][0] == head.batch.size

    def test_does_nothing_unless_configured(self, ring: Ring, settings: Settings) -> None:
        published()
        settings.LETHE_LOG_WITNESSES = ""

        assert witnesses.ask(now=clock.now()) is None
        assert asking_threads.start_all(threading.Event()) == []
        assert [server.asked for server in ring.servers] == [[], [], []]

    def test_does_nothing_before_the_first_head(self, ring: Ring) -> None:
        assert witnesses.ask(now=clock.now()) is None

    @pytest.mark.parametrize("content", [None, b"\xff", b"quorum nobody"])
    def test_refuses_a_policy_that_cannot_be_read(
        self, ring: Ring, settings: Settings, tmp_path: Path, content: bytes | None
    ) -> None:
        published()
        settings.LETHE_LOG_WITNESSES = str(tmp_path / "other")
        if content is not None:
            (tmp_path / "other").write_bytes(content)

        with pytest.raises(WitnessRefused):
            witnesses.ask(now=clock.now())

    def test_lets_nobody_change_what_is_stored(self, ring: Ring) -> None:
        published()
        ring.ask()

        table = "contracts_logcosignature"
        for act in (f"UPDATE {table} SET line = ''", f"DELETE FROM {table}"):
            with pytest.raises(ProgrammingError, match="denied"), connection.cursor() as cursor:
                cursor.execute(act)


class TestOverHttp:
    def test_brings_cosignatures_behind_the_log_s_own_signature(self, ring: Ring) -> None:
        head = published()
        assert Client().get("/log/checkpoint").content.decode() == head.note

        ring.ask()

        note = Client().get("/log/checkpoint").content.decode()
        assert note.startswith(head.note)
        names = [line.split(" ")[1] for line in note.removeprefix(head.note).splitlines()]
        assert names == ["w.example/0", "w.example/1", "w.example/2"]


class TestProof:
    def test_brings_the_cosignatures_of_its_head(self, ring: Ring) -> None:
        LeafInbox.objects.create(leaf=bytes(range(32)))
        published()
        ring.ask()

        proof = proofs.inclusion(leaf=bytes(range(32))).text()

        assert proof.count("\n\u2014 w.example/") == 3
        assert proof.endswith(Client().get("/log/checkpoint").content.decode())
        assert parse(proof) is not None


class TestThread:
    def test_has_heads_cosigned_beside_the_log(self, ring: Ring, settings: Settings) -> None:
        settings.LETHE_WITNESS_EVERY, stopped, pause = 0.1, threading.Event(), threading.Event()
        published()

        (thread,) = asking_threads.start_all(stopped)
        while LogCosignature.objects.count() < 3:
            assert thread.is_alive()
            pause.wait(0.02)
        stopped.set()
        thread.join(10)

        assert not thread.is_alive()
