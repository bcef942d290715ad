"""A real Vault, sealed or killed in the middle of an act: 503, nothing half-done, no loss."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from config.local.vaultd import Vaultd
from core import effects, runtime
from core.models import Effect
from tests.faults.conftest import real_cast
from tests.functional.api.cast import SCHEMA, Cast, Study, reference
from tests.functional.api.test_requests import released
from tests.servers.vaultd import VaultServer, program, started
from vault.models import (
    DestructionAttestation,
    KeyGrant,
    LookupTag,
    SealedRecord,
    Shredding,
    SuppressionTag,
)
from vault.services import key_cache

pytestmark = [pytest.mark.vault, pytest.mark.fault, pytest.mark.long]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    """A server on disk that these tests may break; each leaves it running."""
    with Vaultd(program(), data=tmp_path_factory.mktemp("vault") / "n0") as process:
        yield started(process)


@pytest.fixture
def cast(
    transactional_db: None, settings: Settings, tmp_path: Path, own: VaultServer
) -> Iterator[Cast]:
    settings.STATIC_ROOT = str(tmp_path)
    with real_cast(tmp_path, own) as made:
        yield made


class Breaks:
    """The key store, taken down just before the call named `name` is made."""

    def __init__(self, store: Any, name: str, *, after: int, down: Callable[[], None]) -> None:
        self._store, self._name, self._left, self._down = store, name, after, down
        self.is_down = False

    def __getattr__(self, name: str) -> Any:
        if name == self._name and not self.is_down:
            self._left -= 1
            if self._left < 0:
                self._down()
                self.is_down = True
        return getattr(self._store, name)


@pytest.fixture(params=["sealed", "killed"])
def down(request: pytest.FixtureRequest, own: VaultServer) -> Callable[[], None]:
    """How the store goes down: an operator seals it, or its machine loses power."""
    process = own.process
    assert process is not None
    return process.kill if request.param == "killed" else lambda: process.seal(own.root)


def bring_up(own: VaultServer) -> None:
    process, keys = own.process, own.keys
    assert process is not None
    assert keys is not None
    if process.health() == 0:
        process.start()
    process.unseal(keys)
    key_cache.cache().clear()


@contextmanager
def broken(
    own: VaultServer, down: Callable[[], None], call: str, *, after: int = 0
) -> Iterator[None]:
    """Take the store down at that call; it is up again after the block."""
    key_cache.cache().clear()
    store = Breaks(runtime.port("custodian"), call, after=after, down=down)
    try:
        with runtime.override(custodian=store, hasher=store):
            yield
        assert store.is_down, "the act never made this call"
    finally:
        bring_up(own)


def assert_unavailable(answer: Any) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "key-store-unavailable")
    assert int(answer["Retry-After"]) > 0


class TestCreateSubject:
    @pytest.mark.parametrize("call", ["tags", "create_shares", "make_grants"])
    def test_is_refused_and_can_be_repeated(
        self, cast: Cast, own: VaultServer, down: Callable[[], None], call: str
    ) -> None:
        source, body = cast.clinic.source(), {"references": [reference("ada")]}

        with broken(own, down, call):
            answer = source.post("/subjects", body, Idempotency_Key="k1")
        assert_unavailable(answer)
        assert not LookupTag.objects.exists()
        again = source.post("/subjects", body, Idempotency_Key="k1")

        assert again.status_code == 201
        found = source.post("/subjects/lookup", reference("ada"))
        assert found.json()["id"] == again.json()["id"]


class TestPutRecord:
    @pytest.mark.parametrize("call", ["create_shares", "make_grants"])
    def test_is_refused_and_can_be_repeated(
        self, study: Study, own: VaultServer, down: Callable[[], None], call: str
    ) -> None:
        subject, source = study.cast.subject("ada"), study.cast.clinic.source()
        study.cast.clinic.person("compliance-officer").post(
            "/categories",
            {"code": "apart", "name": "Apart", "schema": SCHEMA, "key_group": "apart"},
        )
        body = {"category": "apart", "reference": "r1", "document": {"age": 7}}

        with broken(own, down, call):
            answer = source.post(f"/subjects/{subject}/records", body)
        assert_unavailable(answer)
        assert not SealedRecord.objects.exists()
        again = source.post(f"/subjects/{subject}/records", body)

        assert again.status_code == 201
        (record,) = source.get(f"/subjects/{subject}/records").json()["items"]
        assert record["document"] == {"age": 7}

    def test_reading_is_refused_too(
        self, study: Study, own: VaultServer, down: Callable[[], None]
    ) -> None:
        subject, source = study.patient("ada"), study.cast.clinic.source()

        with broken(own, down, "open_grants"):
            answer = source.get(f"/subjects/{subject}/records")
        again = source.get(f"/subjects/{subject}/records")

        assert_unavailable(answer)
        assert again.json()["items"][0]["document"] == {"age": 41}


class TestBulk:
    def test_says_which_line_was_the_last(
        self,
        study: Study,
        own: VaultServer,
        down: Callable[[], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("governance.api.bulk.BATCH", 2)
        names = ("ada", "bea", "cle", "dan")
        lines = [
            {
                "subject": reference(name),
                "category": "health",
                "reference": "r1",
                "document": {"age": 41},
            }
            for name in names
            if study.cast.subject(name)
        ]
        source = study.cast.clinic.source()

        with broken(own, down, "make_grants", after=1):
            *outcomes, summary = source.bulk("/records:bulk", lines)
        *again, _ = source.bulk("/records:bulk", lines)

        assert [o["outcome"] for o in outcomes] == ["created"] * 2 + ["key-store-unavailable"] * 2
        assert summary["last_processed_line"] == 2
        assert [o["outcome"] for o in again] == ["unchanged"] * 2 + ["created"] * 2
        assert SealedRecord.objects.count() == 4


class TestConsent:
    def test_is_kept_and_opens_access_later(
        self, study: Study, own: VaultServer, down: Callable[[], None]
    ) -> None:
        subject = study.patient("ada", consents=False)

        with broken(own, down, "make_grants"):
            answer = study.consent(subject)
        assert (answer.status_code, answer.json()["access"]) == (201, "pending")
        assert not KeyGrant.objects.exists()
        effects.sweep(queue="default", now=study.cast.world.later(minutes=10))

        assert study.read(study.lease())[0]["data"] == {"age": 41}

    def test_is_withdrawn_all_the_same(
        self, study: Study, own: VaultServer, down: Callable[[], None]
    ) -> None:
        """A withdrawal needs no key, so nothing may keep it waiting."""
        subject = study.patient("ada")
        down()

        answer = study.consent(subject, "withdrawn")

        bring_up(own)
        assert answer.status_code == 201
        assert study.read(study.lease())[-1]["records"] == 0


class TestStream:
    def test_is_refused_before_its_first_byte(
        self, study: Study, own: VaultServer, down: Callable[[], None]
    ) -> None:
        study.patient("ada")
        lease = study.lease()

        with broken(own, down, "open_grants"):
            answer = study.pipeline.get(f"/leases/{lease['id']}/records")
        again = study.read(lease)

        assert_unavailable(answer)
        assert again[0]["data"] == {"age": 41}
        assert again[-1]["complete"]


class TestErasure:
    @pytest.mark.parametrize("call", ["destroy_shares", "read_destruction"])
    def test_waits_and_completes_once(
        self, study: Study, own: VaultServer, down: Callable[[], None], call: str
    ) -> None:
        subject, cast = study.patient("ada"), study.cast
        request = released(cast, subject)

        with broken(own, down, call):
            cast.run()
        assert Shredding.objects.get().state == "ordered"
        assert Effect.objects.get(kind="vault.shred").last_error == "key-store-unavailable"
        assert SealedRecord.objects.filter(subject_id__isnull=False).count() == 1
        cast.run()

        shown = cast.clinic.person("dpo").get(f"/requests/{request['id']}").json()
        assert shown["state"] == "certified"
        assert DestructionAttestation.objects.count() == 1
        assert SuppressionTag.objects.count() == 1
        assert not SealedRecord.objects.exists()

    def test_is_not_attested_while_nobody_can_read_it_back(
        self, study: Study, own: VaultServer, down: Callable[[], None]
    ) -> None:
        cast = study.cast
        released(cast, study.patient("ada"))
        cast.world.later(minutes=10)
        effects.sweep(queue="shred", now=cast.world.now)

        with broken(own, down, "read_destruction"):
            effects.sweep(queue="attest", now=cast.world.now)
        assert Shredding.objects.get().state == "swept"
        assert not DestructionAttestation.objects.exists()
        cast.run()

        assert Shredding.objects.get().state == "verified"
