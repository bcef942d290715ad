"""A real Vault that is slow, mute, or answers after we stopped waiting: nothing is assumed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from core.models import Effect
from governance.models import Certificate
from tests.faults.conftest import real_cast
from tests.functional.api.cast import SCHEMA, Cast, Study, reference
from tests.functional.api.test_requests import released
from tests.servers.proxy import Fault, Proxy
from tests.servers.vaultd import VaultServer
from vault.domain.gate import Reason
from vault.models import (
    Destruction,
    DestructionAttestation,
    KeyShare,
    LookupTag,
    SealedRecord,
    Shredding,
)
from vault.services import gatekeeper, key_cache, reconciling

pytestmark = [pytest.mark.vault, pytest.mark.fault, pytest.mark.long]

#: Seconds after which our calls give up; far more than Vault takes on a busy machine.
DEADLINE = 1.5


@pytest.fixture(scope="module")
def proxy(vault_server: VaultServer) -> Iterator[Proxy]:
    with Proxy(vault_server.address) as made:
        yield made


@pytest.fixture
def far(vault_server: VaultServer, proxy: Proxy) -> VaultServer:
    """The same Vault, reached through the proxy."""
    return replace(vault_server, address=proxy.address, timeout=DEADLINE)


@pytest.fixture
def cast(
    transactional_db: None, settings: Settings, tmp_path: Path, far: VaultServer
) -> Iterator[Cast]:
    settings.STATIC_ROOT = str(tmp_path)
    with real_cast(tmp_path, far) as made:
        yield made


@pytest.fixture
def apart(study: Study) -> Callable[[], Any]:
    """Puts the first record of a key group of its own, which needs a share and a data key."""
    subject, clinic = study.cast.subject("ada"), study.cast.clinic
    clinic.person("compliance-officer").post(
        "/categories", {"code": "apart", "name": "Apart", "schema": SCHEMA, "key_group": "apart"}
    )
    body = {"category": "apart", "reference": "r1", "document": {"age": 7}}
    return lambda: clinic.source().post(f"/subjects/{subject}/records", body)


def assert_unavailable(answer: Any) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "key-store-unavailable")
    assert int(answer["Retry-After"]) > 0


def posted(server: VaultServer, area: str) -> bytes:
    """What the bytes of a write to this area of the shares contain."""
    return f"POST /v1/{server.layout.shares}/{area}/".encode()


def share_in_vault(server: VaultServer, share: KeyShare) -> dict[str, Any]:
    """The metadata that Vault holds of a share; its versions tell who wrote and destroyed."""
    path = f"{share.controller_id}/{share.kid.hex[:2]}/{share.kid.hex}"
    return server.admin("GET", f"{server.layout.shares}/metadata/{path}").data()


def versions(server: VaultServer, share: KeyShare) -> list[bool]:
    """Of each version of a share, whether it is destroyed."""
    held = share_in_vault(server, share).get("versions", {})
    return [version["destroyed"] for version in held.values()]


class TestSlowKeyStore:
    def test_within_its_deadline_only_takes_longer(self, study: Study, proxy: Proxy) -> None:
        with proxy.fault(Fault(delay=0.05)) as fault:
            subject = study.patient("ada")
            assert study.read(study.lease())[0]["data"] == {"age": 41}
            released(study.cast, subject)
            study.cast.run()

        assert fault.caught.is_set()
        assert Shredding.objects.get().state == "verified"

    def test_past_its_deadline_makes_no_subject_and_the_repeat_makes_one(
        self, cast: Cast, proxy: Proxy
    ) -> None:
        source, body = cast.clinic.source(), {"references": [reference("ada")]}

        with proxy.fault(Fault(delay=60)):
            answer = source.post("/subjects", body, Idempotency_Key="k1")
        assert_unavailable(answer)
        assert not LookupTag.objects.exists()
        again = source.post("/subjects", body, Idempotency_Key="k1")

        assert again.status_code == 201

    @pytest.mark.parametrize("fault", [Fault(hold_request=True), Fault(cut_after=0)],
                             ids=["mute", "cut"])  # fmt: skip
    def test_refuses_reads_and_streams_before_the_first_byte(
        self, study: Study, proxy: Proxy, fault: Fault
    ) -> None:
        subject, source = study.patient("ada"), study.cast.clinic.source()
        lease = study.lease()
        key_cache.cache().clear()

        with proxy.fault(replace(fault)):
            assert_unavailable(source.get(f"/subjects/{subject}/records"))
            assert_unavailable(study.pipeline.get(f"/leases/{lease['id']}/records"))

        assert source.get(f"/subjects/{subject}/records").json()["items"][0]["document"] == {
            "age": 41
        }
        assert study.read(lease)[-1]["complete"]

    @pytest.mark.parametrize("length", [0, 1, 40])
    def test_that_cuts_one_answer_off_is_asked_again(
        self, study: Study, proxy: Proxy, length: int
    ) -> None:
        subject, source = study.patient("ada"), study.cast.clinic.source()
        key_cache.cache().clear()

        with proxy.fault(Fault(cut_after=length, times=1)) as fault:
            answer = source.get(f"/subjects/{subject}/records")

        assert fault.caught.is_set()
        assert answer.status_code == 200, answer.content
        assert answer.json()["items"][0]["document"] == {"age": 41}


class TestLateShare:
    def test_whose_answer_was_lost_is_adopted(
        self, apart: Callable[[], Any], proxy: Proxy, far: VaultServer
    ) -> None:
        with proxy.fault(Fault(posted(far, "data"), hold_answer=True)) as fault:
            assert_unavailable(apart())
            fault.wait()
            planned = KeyShare.objects.get(group="apart")
            assert (planned.state, versions(far, planned)) == ("planned", [False])

        assert apart().status_code == 201
        share = KeyShare.objects.get(group="apart")
        assert (share.kid, share.state) == (planned.kid, "live")
        assert versions(far, share) == [False]

    def test_that_comes_late_does_not_replace_the_one_in_use(
        self, apart: Callable[[], Any], study: Study, proxy: Proxy, far: VaultServer
    ) -> None:
        """The network held the first write back; it arrives when the second is long in use."""
        with proxy.fault(Fault(posted(far, "data"), hold_request=True, times=1)) as fault:
            assert_unavailable(apart())
            assert versions(far, KeyShare.objects.get(group="apart")) == []
            assert apart().status_code == 201
        fault.wait_for_delivery()

        share = KeyShare.objects.get(group="apart")
        assert share_in_vault(far, share)["current_version"] == 1
        key_cache.cache().clear()
        assert apart().status_code in {200, 201}
        (record,) = SealedRecord.objects.filter(data_key__share=share)
        subject = study.cast.subject("ada")
        shown = study.cast.clinic.source().get(f"/subjects/{subject}/records").json()["items"]
        assert record.version == 1
        assert [item["document"] for item in shown] == [{"age": 7}]

    def test_that_comes_after_the_erasure_is_found_by_the_reconciler(
        self, apart: Callable[[], Any], study: Study, proxy: Proxy, far: VaultServer
    ) -> None:
        """It wraps nothing; but no key may live that nobody asks for."""
        cast = study.cast
        with proxy.fault(Fault(posted(far, "data"), hold_request=True, times=1)) as fault:
            assert_unavailable(apart())
            released(cast, cast.subject("ada"))
            cast.run()
            share = KeyShare.objects.get(group="apart")
            assert (share.state, Shredding.objects.get().state) == ("absent", "verified")
        fault.wait_for_delivery()

        report = reconciling.compare(controller_id=cast.clinic.controller.pk)
        assert not report.is_clean
        assert list(report.absent_but_live) == [share.kid.hex]


class TestLateDestruction:
    def erase(self, study: Study, proxy: Proxy, fault: Fault) -> KeyShare:
        """An erasure whose eraser meets the fault once, and the share it is about."""
        subject = study.patient("ada")
        released(study.cast, subject)
        with proxy.fault(fault):
            study.cast.run()
            fault.wait()
            assert Effect.objects.get(kind="vault.shred").last_error == "key-store-unavailable"
            assert Shredding.objects.get().state == "ordered"
            assert SealedRecord.objects.exists()
            return KeyShare.objects.get(subject__isnull=False)

    def assert_completes_once(self, study: Study, far: VaultServer, share: KeyShare) -> None:
        study.cast.run()
        assert Shredding.objects.get().state == "verified"
        assert DestructionAttestation.objects.count() == 1
        assert versions(far, share) == [True]
        assert gatekeeper.tend(now=study.cast.world.now) is Reason.IN_STEP

    def test_whose_answer_was_lost_is_read_back(
        self, study: Study, proxy: Proxy, far: VaultServer
    ) -> None:
        fault = Fault(posted(far, "destroy"), hold_answer=True)

        share = self.erase(study, proxy, fault)

        assert share.state == "retired"
        assert versions(far, share) == [True]  # Vault has done it, and we do not believe so yet
        self.assert_completes_once(study, far, share)

    def test_that_never_arrived_is_not_assumed(
        self, study: Study, proxy: Proxy, far: VaultServer
    ) -> None:
        fault = Fault(posted(far, "destroy"), hold_request=True)
        subject = study.patient("ada")
        released(study.cast, subject)

        with proxy.fault(fault):
            study.cast.run()
            share = KeyShare.objects.get(subject__isnull=False)
            assert (share.state, versions(far, share)) == ("retired", [False])
            assert Shredding.objects.get().state == "ordered"
        fault.wait_for_delivery()

        self.assert_completes_once(study, far, share)

    def test_is_not_settled_before_the_marker_was_written(
        self, study: Study, proxy: Proxy, far: VaultServer
    ) -> None:
        fault = Fault(f"POST /v1/{far.layout.marker}/data/".encode(), hold_answer=True)

        share = self.erase(study, proxy, fault)

        assert not Destruction.objects.exclude(settled_at=None).exists()
        self.assert_completes_once(study, far, share)

    def test_is_not_certified_without_a_signature(
        self, study: Study, proxy: Proxy, far: VaultServer
    ) -> None:
        released(study.cast, study.patient("ada"))
        signing = f"POST /v1/{far.layout.sign}/sign/".encode()

        with proxy.fault(Fault(signing, hold_answer=True)) as fault:
            study.cast.run()
            fault.wait()
        assert Shredding.objects.get().state == "verified"
        assert not Certificate.objects.exists()
        study.cast.run()

        assert Certificate.objects.count() == 1


class TestToken:
    def test_revoked_in_between_is_replaced_without_hands(
        self, study: Study, far: VaultServer
    ) -> None:
        subject, source = study.patient("ada"), study.cast.clinic.source()
        released(study.cast, study.patient("bea"))

        assert revoke_logins(far) > 0
        key_cache.cache().clear()
        shown = source.get(f"/subjects/{subject}/records")
        lines = study.read(study.lease())
        assert revoke_logins(far) > 0
        study.cast.run()

        assert shown.json()["items"][0]["document"] == {"age": 41}
        assert lines[-1]["records"] == 1
        assert Shredding.objects.get().state == "verified"
        assert not Effect.objects.exclude(last_error="").exists()


def revoke_logins(server: VaultServer) -> int:
    """Revoke each token that a login of ours was given; how many."""
    accessors = server.admin("LIST", "auth/token/accessors").data()["keys"]
    revoked = 0
    for accessor in accessors:
        body = b'{"accessor":"%s"}' % accessor.encode()
        looked = server.admin("POST", "auth/token/lookup-accessor", body).data()
        if looked.get("path") == "auth/approle/login":
            assert server.admin("POST", "auth/token/revoke-accessor", body).is_ok
            revoked += 1
    return revoked
