"""Certificates as the product composes them, checked by the verifier that strangers use."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from contracts.services import sequencing
from contracts.verifier import __main__ as verify
from contracts.verifier import documents as verifier
from contracts.verifier.report import INVALID, VALID
from core import dsse, runtime, signing_keys
from core.actors import process_actor
from core.errors import ServiceError
from core.models import AuditEvent, SigningKey
from governance.models import Certificate, SubjectRequest
from governance.services import certificates
from tests.fakes.custodian import FakeSigner
from tests.fakes.heads import FakeHeadKeeper
from tests.fakes.world import World
from tests.integration.governance.office import Office, reread
from vault.services import losing


def certified(world: World, office: Office) -> SubjectRequest:
    subject = world.subject()
    world.record(subject)
    world.consent(subject)
    request = office.released(subject)
    office.run()
    return reread(request)


def handed_out(request: SubjectRequest) -> dict[str, Any]:
    (made,) = certificates.of_erasure(
        controller_id=request.controller_id, erasure_id=request.erasure_id
    )
    return certificates.file(made)


def verdict(file: dict[str, Any], keys: dict[str, Any] | None = None) -> str:
    given = None if keys is None else json.dumps(keys).encode()
    return verifier.examine(json.dumps(file).encode(), given).verdict


def statement(file: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(base64.b64decode(file["envelope"]["payload"]))
    return content


Predicate = dict[str, Any]
FLIPS: dict[str, Callable[[Predicate], object]] = {
    "effect": lambda p: p.update(effect="Anonymised."),
    "a share": lambda p: p["shares"][0].update(state="absent"),
    "a share's name": lambda p: p["shares"][0].update(share="00" * 32),
    "a time": lambda p: p.update(destroyed_at=p["requested_at"]),
    "a role": lambda p: p["roles"].update(approver=p["roles"]["drafter"]),
    "the attester": lambda p: p["roles"].update(attester="process:web"),
    "the signer": lambda p: p.update(signed_by="web"),
    "the kind": lambda p: p.update(kind="final"),
    "the nodes": lambda p: p["nodes"][0].update(state="unreachable"),
    "one more member": lambda p: p.update(subject_id="sub_1"),
}


class TestFile:
    def test_passes_the_verifiers_command(
        self, world: World, office: Office, tmp_path: Path
    ) -> None:
        file, keys = tmp_path / "certificate.json", tmp_path / "keys.json"
        file.write_text(json.dumps(handed_out(certified(world, office))))
        keys.write_text(json.dumps(signing_keys.published()))

        assert verify.main([str(file)]) == 0
        assert verify.main([str(file), "--keys", str(keys)]) == 0

    def test_has_its_place_in_the_log_once_that_is_published(
        self, world: World, office: Office, tmp_path: Path
    ) -> None:
        request = certified(world, office)
        assert "log" not in handed_out(request)
        with runtime.override(signer=FakeSigner("loggerd"), head_keeper=FakeHeadKeeper()):
            sequencing.run_round(now=world.now)

        file = tmp_path / "certificate.json"
        file.write_text(json.dumps(handed_out(request)))

        assert verify.main([str(file), "--level", "1"]) == 0
        event = handed_out(request)["log"]["event"]
        assert event["trail"] is None
        assert str(request.subject_id) not in json.dumps(handed_out(request))

    @pytest.mark.parametrize("part", ["payload", "sig"])
    def test_fails_when_a_byte_is_flipped(self, world: World, office: Office, part: str) -> None:
        file = handed_out(certified(world, office))
        envelope = file["envelope"]
        holder = envelope if part == "payload" else envelope["signatures"][0]
        content = bytearray(base64.b64decode(holder[part]))
        content[len(content) // 2] ^= 1
        holder[part] = base64.b64encode(content).decode()

        assert verdict(file) == INVALID

    def test_fails_with_any_statement_that_was_altered_and_signed_again(
        self, world: World, office: Office
    ) -> None:
        file = handed_out(certified(world, office))
        signer = runtime.port("signer")
        passed = []
        for name, flip in FLIPS.items():
            altered = statement(file)
            flip(altered["predicate"])
            envelope = dsse.envelope(altered, signer=signer)
            if verdict({**file, "envelope": envelope}) != INVALID:
                passed.append(name)

        assert passed == []
        again = dsse.envelope(statement(file), signer=signer)
        assert verdict({**file, "envelope": again}) == VALID

    def test_fails_with_keys_of_another_installation(self, world: World, office: Office) -> None:
        file = handed_out(certified(world, office))
        stranger = json.loads(json.dumps(file["keys"]))
        (foreign,) = FakeSigner().verifying_keys()
        stranger["keys"][0]["public"] = foreign.public.hex()

        assert verdict(file, stranger) == INVALID

    def test_says_that_a_key_had_been_lost_before(
        self, world: World, office: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        subject = world.subject()
        world.custodian.shares.clear()
        losing.find(now=world.now, accepted_by=office.staff("operator"))
        request = office.released(subject)
        office.run()
        handed = handed_out(reread(request))
        file = tmp_path / "certificate.json"
        file.write_text(json.dumps(handed))

        assert verify.main([str(file)]) == 0
        assert "1 lost before" in capsys.readouterr().out
        (share,) = statement(handed)["predicate"]["shares"]
        assert (share["state"], share["versions"]) == ("lost", 0)

    def test_calls_a_key_that_was_lost_and_found_destroyed(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        held = dict(world.custodian.shares)
        world.custodian.shares.clear()
        losing.find(now=world.now, accepted_by=office.staff("operator"))
        world.custodian.shares = held
        losing.find(now=world.now)
        request = office.released(subject)
        office.run()

        (share,) = statement(handed_out(reread(request)))["predicate"]["shares"]
        assert share["state"] == "destroyed"

    def test_names_nobody(self, world: World, office: Office) -> None:
        subject = world.subject()
        request = office.released(subject)
        office.run()

        text = json.dumps(statement(handed_out(reread(request))))
        assert str(subject) not in text
        assert "ada" not in text.split('"')

    def test_says_who_decided_and_what_was_deleted(self, world: World, office: Office) -> None:
        request = certified(world, office)

        predicate = statement(handed_out(request))["predicate"]

        deciders = ("analyst", "compliance-officer", "key-custodian")
        named = [predicate["roles"][role] for role in ("drafter", "approver", "releaser")]
        assert named == [office.staff(role).id for role in deciders]
        assert predicate["deleted"]["records"] == 1
        assert predicate["suppression"]["tags_kept"] == 1
        assert predicate["irrecoverable_from"]["state"] == "pending"


class TestPublishedKeys:
    def test_keep_a_key_after_its_signer_is_gone(self, world: World, office: Office) -> None:
        file = handed_out(certified(world, office))

        with runtime.override(signer=FakeSigner()):
            assert verdict(file, signing_keys.published()) == VALID


class TestSigningKey:
    def test_that_changed_under_its_name_issues_nothing(self, world: World, office: Office) -> None:
        certified(world, office)
        request = office.released(world.subject("bo"))

        with runtime.override(signer=FakeSigner()):
            office.run()

        assert reread(request).state == "destroyed-live"
        assert Certificate.objects.count() == SigningKey.objects.count() == 1


class TestIssue:
    def test_issues_once(self, world: World, office: Office) -> None:
        request = office.released(world.subject())
        office.run()
        first = Certificate.objects.get()

        again = certificates.issue(erasure_id=request.erasure_id, now=world.now)

        assert again.id == first.id
        assert Certificate.objects.count() == 1

    def test_waits_for_the_attestation(self, world: World, office: Office) -> None:
        request = office.released(world.subject())

        with pytest.raises(certificates.NotAttested):
            certificates.issue(erasure_id=request.erasure_id, now=world.now)

    def test_tells_of_no_certificate_of_another_controller(
        self, world: World, office: Office
    ) -> None:
        office.released(world.subject())
        office.run()

        with pytest.raises(ServiceError) as caught:
            certificates.get(controller_id=uuid4(), certificate_id=Certificate.objects.get().id)

        assert caught.value.code == "certificate-not-found"

    def test_is_recorded_as_the_attesters_act(self, world: World, office: Office) -> None:
        office.released(world.subject())
        office.run()

        event = AuditEvent.objects.get(action="governance.certificate.issued")
        assert event.actor_id == process_actor("attester").id
        assert event.leaf is not None
