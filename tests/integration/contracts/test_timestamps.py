"""Timestamps over heads, by a real authority that can be made to lie."""

import base64
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.utils import ProgrammingError
from django.test import Client
from pytest_django import Settings

from contracts.adapters import asking_threads
from contracts.adapters.asking_threads import AskingThread
from contracts.errors import AuthorityUnavailable, TimestampRefused
from contracts.models import LogCheckpoint, LogTimestamp
from contracts.services import asking, proofs, publishing, sealing, stamp_proofs, timestamps
from contracts.verifier import stamps
from core import clock, runtime, signing_keys
from core.models import LeafInbox
from tests.fakes.custodian import FakeSigner
from tests.servers import outside, tsa

pytestmark = pytest.mark.django_db(transaction=True)
Answer = tuple[int, list[bytes]]
LEAF = bytes(range(32))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tsa.Authority:
    return tsa.Authority(tmp_path_factory.mktemp("authority") / "one")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> tsa.Authority:
    """Of the same names and numbers, with other keys."""
    return tsa.Authority(tmp_path_factory.mktemp("authority") / "other")


@pytest.fixture
def server(authority: tsa.Authority, settings: Settings) -> Iterator[outside.Answers]:
    with (
        outside.serving(lambda query: (200, [authority.reply(query)])) as made,
        runtime.override(signer=FakeSigner("loggerd")),
    ):
        settings.LETHE_TSA_URL = f"{made.url}/stamp"
        settings.LETHE_TSA_ROOTS = str(authority.roots)
        settings.LETHE_ASKING_TIMEOUT = 5
        yield made


def published() -> LogCheckpoint:
    now = clock.now()
    sealing.seal(now=now)
    publishing.publish(now=now)
    return publishing.latest()


def text_of(head: LogCheckpoint) -> bytes:
    return head.note.partition("\n\n")[0].encode() + b"\n"


def altered(place: int) -> Callable[[bytes], bytes]:
    """The query with one bit of it changed."""

    def change(query: bytes) -> bytes:
        changed = bytearray(query)
        changed[place] ^= 1
        return bytes(changed)

    return change


def refusal(now: datetime | None = None) -> str:
    """Why the answer is refused; nothing of it is stored."""
    with pytest.raises(TimestampRefused) as caught:
        timestamps.stamp(now=now or clock.now())
    assert not LogTimestamp.objects.exists()
    return str(caught.value.context["reason"])


def silence() -> str:
    with pytest.raises(AuthorityUnavailable) as caught:
        timestamps.stamp(now=clock.now())
    assert not LogTimestamp.objects.exists()
    return str(caught.value.context["reason"])


class TestAttack:
    def test_with_a_token_over_something_else(
        self, server: outside.Answers, authority: tsa.Authority
    ) -> None:
        digest = sha256(text_of(published())).digest()
        lie = sha256(b"another head").digest()
        server.behaviour = lambda query: (200, [authority.reply(query.replace(digest, lie))])

        assert refusal() == "imprint"

    def test_with_a_token_that_answers_another_request(
        self, server: outside.Answers, authority: tsa.Authority
    ) -> None:
        published()
        server.behaviour = lambda query: (200, [authority.reply(altered(-4)(query))])

        assert refusal() == "nonce"

    def test_with_the_token_of_an_older_head(
        self, server: outside.Answers, authority: tsa.Authority
    ) -> None:
        digest = sha256(text_of(published())).digest()
        assert timestamps.stamp(now=clock.now()) is not None
        newer = sha256(text_of(published())).digest()
        (old_query,) = server.asked

        def of_the_old_request(_query: bytes) -> Answer:
            return 200, [authority.reply(old_query.replace(digest, newer))]

        def of_the_old_head(query: bytes) -> Answer:
            return 200, [authority.reply(query.replace(newer, digest))]

        for behaviour, reason in ((of_the_old_request, "nonce"), (of_the_old_head, "imprint")):
            server.behaviour = behaviour
            with pytest.raises(TimestampRefused) as caught:
                timestamps.stamp(now=clock.now())
            assert caught.value.context["reason"] == reason
        assert LogTimestamp.objects.count() == 1

    def test_by_another_authority_of_the_same_name(
        self, server: outside.Answers, other: tsa.Authority
    ) -> None:
        published()
        server.behaviour = lambda query: (200, [other.reply(query)])

        assert refusal() == "signature"

    def test_by_a_key_of_the_root_that_may_not_stamp(
        self, server: outside.Answers, authority: tsa.Authority
    ) -> None:
        published()
        server.behaviour = lambda query: (200, [authority.reply_as(query, signer="web")])

        assert refusal() == "signature"

    def test_by_such_a_key_beside_a_certificate_that_takes_its_name(
        self, server: outside.Answers, authority: tsa.Authority, tmp_path: Path
    ) -> None:
        """Made by anybody, with the root's name and the number of the key that signed."""
        published()
        forger = tsa.Authority(tmp_path / "forger")
        forger.issue(
            "twin", subject="/CN=web", extension="extendedKeyUsage=critical,timeStamping", serial=18
        )
        (authority.folder / "twin.pem").write_bytes((forger.folder / "twin.pem").read_bytes())
        server.behaviour = lambda query: (
            200,
            [authority.reply_as(query, signer="web", beside="twin")],
        )

        assert refusal() == "certificate"

    @pytest.mark.parametrize("shift", [timedelta(minutes=-6), timedelta(minutes=6)])
    def test_with_a_time_that_is_not_now(self, server: outside.Answers, shift: timedelta) -> None:
        published()

        assert refusal(clock.now() + shift) == "time"

    def test_with_a_changed_token(self, server: outside.Answers, authority: tsa.Authority) -> None:
        published()
        server.behaviour = lambda query: (200, [altered(-3)(authority.reply(query))])

        assert refusal() == "signature"

    @pytest.mark.parametrize(
        "garbage", [b"", b"\x30", b"<html>", bytes(5000), b"\x30\x05\x30\x03\x02\x01\x00"]
    )
    def test_with_garbage(self, server: outside.Answers, garbage: bytes) -> None:
        published()
        server.behaviour = lambda _query: (200, [garbage])

        assert refusal() == "garbled"

    def test_with_a_refusal(self, server: outside.Answers, authority: tsa.Authority) -> None:
        """An algorithm that it does not know makes `openssl ts` refuse."""
        published()
        server.behaviour = lambda query: (
            200,
            [authority.reply(query.replace(b"\x65\x03\x04\x02\x01", b"\x65\x03\x04\x02\x04"))],
        )

        assert refusal() == "status"

    def test_with_an_answer_without_end(self, server: outside.Answers) -> None:
        published()
        server.behaviour = server.endless

        assert silence() == "too-large"

    @pytest.mark.parametrize("how", ["never", "trickle"])
    def test_with_an_answer_that_does_not_come(
        self, server: outside.Answers, settings: Settings, how: str
    ) -> None:
        published()
        settings.LETHE_ASKING_TIMEOUT = 0.3
        server.behaviour = getattr(server, how)

        assert silence() == "timeout"

    def test_with_a_place_elsewhere(
        self, server: outside.Answers, authority: tsa.Authority
    ) -> None:
        published()
        server.headers = {"Location": f"{server.url}/elsewhere"}
        server.behaviour = lambda query: (307, [authority.reply(query)])

        assert silence() == "status"
        assert server.paths == ["/stamp"]

    @pytest.mark.parametrize("url", ["file:///etc/hostname", "http://127.0.0.1:1/", "gopher://x"])
    def test_with_no_server_at_all(
        self, server: outside.Answers, settings: Settings, url: str
    ) -> None:
        published()
        settings.LETHE_TSA_URL = url

        assert silence() == "connection"


class TestStamp:
    def test_stores_what_openssl_verifies(
        self, server: outside.Answers, authority: tsa.Authority
    ) -> None:
        head, now = published(), clock.now()

        assert timestamps.stamp(now=now) is not None

        row = LogTimestamp.objects.get()
        assert (row.checkpoint, row.authority) == (head, f"{server.url}/stamp")
        assert abs(row.stamped_at - now) < timedelta(seconds=60)
        assert authority.verifies(bytes(row.token), text_of(head))
        assert not authority.verifies(bytes(row.token), text_of(head) + b"\n")

    def test_keeps_no_password_of_the_authority_s(
        self, server: outside.Answers, settings: Settings
    ) -> None:
        published()
        host = server.url.removeprefix("http://")
        settings.LETHE_TSA_URL = f"http://ada:secret@{host}/stamp?key=secret"

        timestamps.stamp(now=clock.now())

        assert LogTimestamp.objects.get().authority == f"{server.url}/stamp"

    def test_asks_once_for_a_head_and_again_for_the_next(self, server: outside.Answers) -> None:
        published()
        for expected in (1, 1, 1):
            timestamps.stamp(now=clock.now())
            assert len(server.asked) == expected
        newest = published()

        timestamps.stamp(now=clock.now())

        assert LogTimestamp.objects.count() == 2
        assert timestamps.newest(number=0).checkpoint == newest

    def test_goes_on_after_a_failure(
        self, server: outside.Answers, authority: tsa.Authority
    ) -> None:
        published()
        server.behaviour = lambda _query: (500, [b"down"])
        assert silence() == "status"
        server.behaviour = lambda query: (200, [authority.reply(query)])

        assert timestamps.stamp(now=clock.now()) is not None

    def test_has_nothing_to_do_before_the_first_head(self, server: outside.Answers) -> None:
        assert timestamps.stamp(now=clock.now()) is None
        assert server.asked == []

    @pytest.mark.parametrize("name", ["LETHE_TSA_URL", "LETHE_TSA_ROOTS"])
    def test_asks_nobody_unless_configured(
        self, server: outside.Answers, settings: Settings, name: str
    ) -> None:
        published()
        setattr(settings, name, "")

        assert timestamps.stamp(now=clock.now()) is None
        assert asking_threads.start_all(threading.Event()) == []
        assert server.asked == []

    @pytest.mark.parametrize("content", [None, b"", b"no certificate"])
    def test_asks_nobody_without_roots_that_can_be_read(
        self, server: outside.Answers, settings: Settings, tmp_path: Path, content: bytes | None
    ) -> None:
        published()
        settings.LETHE_TSA_ROOTS = str(tmp_path / "roots.pem")
        if content is not None:
            (tmp_path / "roots.pem").write_bytes(content)

        assert refusal() == "roots"
        assert server.asked == []

    def test_lets_nobody_change_what_is_stored(self, server: outside.Answers) -> None:
        published()
        timestamps.stamp(now=clock.now())

        for act in (
            "UPDATE contracts_logtimestamp SET authority = ''",
            "DELETE FROM contracts_logtimestamp",
        ):
            with pytest.raises(ProgrammingError, match="denied"), connection.cursor() as cursor:
                cursor.execute(act)


class TestOverHttp:
    def test_brings_the_newest_stamped_head_and_its_token(
        self, server: outside.Answers, authority: tsa.Authority
    ) -> None:
        missing = Client().get("/log/timestamp")
        stamped = published()
        timestamps.stamp(now=clock.now())
        published()

        found = Client().get("/log/timestamp").json()

        assert (missing.status_code, missing.json()["code"]) == (404, "not-logged")
        assert found["checkpoint"] == stamped.note
        assert authority.verifies(base64.b64decode(found["token"]), text_of(stamped))
        assert datetime.fromisoformat(found["stamped_at"]) == LogTimestamp.objects.get().stamped_at


class TestThread:
    def test_stamps_beside_the_log_and_outlives_failures(
        self, server: outside.Answers, authority: tsa.Authority, settings: Settings
    ) -> None:
        published()
        settings.LETHE_TSA_EVERY, answered, stopped = 0.1, threading.Event(), threading.Event()

        def behave(query: bytes) -> Answer:
            if len(server.asked) < 3:
                return 503, []
            return 200, [authority.reply(query)]

        server.behaviour = behave
        (thread,) = asking_threads.start_all(stopped)
        while not LogTimestamp.objects.exists():
            assert thread.is_alive()
            answered.wait(0.02)
        stopped.set()
        thread.join(10)

        assert not thread.is_alive()
        assert len(server.asked) >= 3

    def test_outlives_what_nobody_foresaw(self, caplog: pytest.LogCaptureFixture) -> None:
        def fail(_now: datetime) -> None:
            raise RuntimeError("very private")

        thread = AskingThread("t", fail, every=timedelta(1), stopped=threading.Event())

        assert not thread.round(now=clock.now())
        assert "log.asking_failed" in caplog.text

    def test_says_with_a_code_what_failed(
        self, server: outside.Answers, caplog: pytest.LogCaptureFixture
    ) -> None:
        published()
        server.behaviour = lambda _query: (200, [b"garbage"])
        thread = AskingThread(
            "t",
            lambda now: timestamps.stamp(now=now),
            every=timedelta(hours=1),
            stopped=threading.Event(),
        )

        assert not thread.round(now=clock.now())

        assert "timestamp-refused" in caplog.text
        assert "garbled" in caplog.text


class TestPost:
    def test_takes_as_much_as_allowed(self, server: outside.Answers) -> None:
        content = bytes(asking.MOST_BYTES)
        server.behaviour = lambda _body: (418, [content])

        answer = asking.post(server.url, b"x", content_type="text/plain", timeout=5)

        assert (answer.status, answer.body, server.asked) == (418, content, [b"x"])


class TestAuthority:
    def test_of_the_tests_is_believed_by_openssl_alone_for_its_own(
        self, authority: tsa.Authority, other: tsa.Authority
    ) -> None:
        """The attacks above would mean nothing if the honest token did not verify."""
        run = subprocess.run(
            ["openssl", "verify", "-CAfile", str(other.roots), str(authority.folder / "tsa.pem")],
            capture_output=True,
            check=False,
        )
        assert run.returncode != 0


@pytest.mark.usefixtures("server")
class TestInDocuments:
    """What a document carries of them, for a stranger with openssl."""

    def test_is_the_first_over_a_head_with_the_entry(self, authority: tsa.Authority) -> None:
        timestamps.stamp(now=clock.now())
        LeafInbox.objects.create(leaf=LEAF)
        assert stamp_proofs.of_leaf(LEAF) is None
        first = published()
        assert stamp_proofs.of_leaf(LEAF) is None
        timestamps.stamp(now=clock.now())
        published()
        timestamps.stamp(now=clock.now())

        part = stamp_proofs.of_leaf(LEAF)

        assert part is not None
        stamp, problems = stamps.examine(part, LEAF, keys())
        assert problems == []
        assert stamp is not None
        assert stamp.entry.text.encode() == text_of(first)
        assert authority.verifies(stamp.token, stamp.entry.text.encode())

    def test_of_another_head_is_refused(self) -> None:
        LeafInbox.objects.create(leaf=LEAF)
        published()
        timestamps.stamp(now=clock.now())
        part = stamp_proofs.of_leaf(LEAF)
        published()
        assert part is not None

        moved = {**part, "proof": proofs.inclusion(leaf=LEAF).text()}
        later = {**part, "stamped_at": "2026-01-01T00:00:00.000000Z"}

        assert stamps.examine(moved, LEAF, keys())[1] == ["the token is about something else"]
        assert stamps.examine(later, LEAF, keys())[1] == ["the token says another time"]


def keys() -> dict[str, Any]:
    return {
        key.key_id: {"holder": key.holder, "public": key.public.hex(), "revoked_at": None}
        for key in signing_keys.of("loggerd")
    }
