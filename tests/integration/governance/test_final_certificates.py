"""From the interim to the final certificate, and what must not hasten or survive it."""

import base64
import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from contracts.verifier import __main__ as verify
from contracts.verifier import documents as verifier
from contracts.verifier.report import VALID
from core import effects
from core.models import AuditEvent
from core.unit_of_work import unit_of_work
from governance.models import Certificate, SubjectRequest
from governance.services import certificates, final_certificates, rekeys
from tests.fakes.inventory import Shelves, state
from tests.fakes.world import World
from tests.integration.governance.office import Office, reread
from vault.domain.backups import Copy, Kind
from vault.domain.gate import Reason
from vault.models import BackupClearance, Replay, Shredding
from vault.services import gate
from vault.services.grants import CategoryRef

BASE, SNAPSHOT, DISK = Kind.DATABASE_BACKUP, Kind.KEY_STORE_SNAPSHOT, Kind.RETIRED_DISK


@pytest.fixture
def shelves(world: World) -> Shelves:
    return Shelves(world)


def erased(world: World, office: Office, name: str = "ada") -> SubjectRequest:
    subject = world.subject(name)
    world.record(subject)
    request = office.released(subject)
    office.run()
    return reread(request)


def keep_open(world: World) -> None:
    """What the eraser does every few seconds: tests move the clock by weeks."""
    with unit_of_work():
        gate.write(Reason.IN_STEP, server=gate.identity(), now=world.now)


def round_of(world: World) -> int:
    """One hour's round, and the attester after it."""
    keep_open(world)
    count = final_certificates.clear(now=world.now)
    effects.sweep(queue="attest", now=world.now)
    return count


def expire(world: World, shelves: Shelves, days: float = 40) -> None:
    """All backups end, their job deletes them, and every place is stated again."""
    world.later(days=days)
    shelves.purge()
    shelves.state_all()


def predicate(certificate: Certificate) -> dict[str, Any]:
    payload = base64.b64decode(certificate.document["envelope"]["payload"])
    content: dict[str, Any] = json.loads(payload)["predicate"]
    return content


def outlook(request: SubjectRequest, world: World) -> dict[str, Any]:
    found = final_certificates.outlook(erasure_id=request.erasure_id, now=world.now)
    assert found is not None
    return found


def final(request: SubjectRequest) -> Certificate:
    return Certificate.objects.get(erasure_id=request.erasure_id, kind="final")


def replay_of(journal: dict[str, Any], at: datetime) -> None:
    """A replay that destroyed again all that the journal has."""
    Replay.objects.create(
        id=uuid4(), journal_id=journal["journal_id"], after_sequence=0, after_ordinal=0,
        to_sequence=journal["sequence"], started_at=at, applied_at=at,
    )  # fmt: skip


class TestClear:
    def test_certifies_once_nothing_can_hold_the_keys(
        self, world: World, office: Office, shelves: Shelves, tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        shelves.make(BASE, "b1", keep=30)
        shelves.make(SNAPSHOT, "s1", keep=7)
        request = erased(world, office)
        assert outlook(request, world)["reason"] == "backup-inventory-missing"
        expire(world, shelves)
        assert outlook(request, world)["reason"] == "backup-clearing-due"

        assert round_of(world) == 1

        made = final(request)
        said = predicate(made)
        interim = Certificate.objects.get(kind="interim")
        payload = base64.b64decode(interim.document["envelope"]["payload"])
        assert said["interim"]["sha256"] == hashlib.sha256(payload).hexdigest()
        assert {line["kind"] for line in said["irrecoverable_from"]["inventory"]} == set(Kind)
        assert Shredding.objects.get().state == "backup-clear"
        file = tmp_path / "final.json"
        file.write_text(json.dumps(certificates.file(made)))
        assert verify.main([str(file)]) == 0
        assert "final erasure certificate" in capsys.readouterr().out

    def test_says_until_when_it_waits(self, world: World, office: Office, shelves: Shelves) -> None:
        copy = shelves.make(BASE, "b1", keep=30)
        request = erased(world, office)
        world.later(days=2)
        shelves.state_all()

        assert round_of(world) == 0
        assert outlook(request, world) == {
            "state": "pending", "at": copy.expires_at, "reason": "backups-exist",
        }  # fmt: skip

    def test_issues_once(self, world: World, office: Office, shelves: Shelves) -> None:
        request = erased(world, office)
        expire(world, shelves)
        round_of(world)

        assert round_of(world) == 0
        again = certificates.issue_final(erasure_id=request.erasure_id, now=world.now)
        assert again.id == final(request).id
        assert AuditEvent.objects.filter(action="vault.shredding.backup_clear").count() == 1

    def test_leaves_those_that_were_destroyed_too_lately(
        self, world: World, office: Office, shelves: Shelves
    ) -> None:
        early = erased(world, office, "ada")
        world.later(days=20)
        shelves.make(BASE, "b1", keep=30)
        late = erased(world, office, "bo")
        world.later(days=2)
        shelves.state_all()

        assert round_of(world) == 1
        assert outlook(early, world)["state"] == "established"
        assert outlook(late, world)["reason"] == "backups-exist"

    def test_does_nothing_while_the_gate_is_closed(
        self, world: World, office: Office, shelves: Shelves
    ) -> None:
        erased(world, office)
        expire(world, shelves)
        with unit_of_work():
            gate.write(Reason.KEY_STORE_BEHIND, server=gate.identity(), now=world.now)

        assert final_certificates.clear(now=world.now) == 0

    def test_counts_from_the_replay_that_destroyed_the_keys_again(
        self, world: World, office: Office, shelves: Shelves
    ) -> None:
        request = erased(world, office)
        journal = Shredding.objects.get().journal
        world.later(days=5)
        shelves.make(SNAPSHOT, "with-the-key-alive", keep=30)
        replayed = world.later(hours=1)
        replay_of(journal, replayed)
        world.later(days=2)
        shelves.state_all()

        assert round_of(world) == 0
        assert outlook(request, world)["reason"] == "backups-exist"
        expire(world, shelves)
        assert round_of(world) == 1
        assert BackupClearance.objects.get().destroyed_at == replayed

    def test_names_the_operator_where_it_rests_on_a_word(
        self, world: World, office: Office, shelves: Shelves, tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:  # fmt: skip
        shelves.make(DISK, "node-2", keep=90)
        shelves.state_all()
        request = erased(world, office)
        world.later(days=2)
        shelves.lying.clear()
        shelves.state(DISK, gone=("node-2",))
        shelves.state_all()
        round_of(world)

        file = tmp_path / "final.json"
        file.write_text(json.dumps(certificates.file(final(request))))
        assert verify.main([str(file)]) == 0
        assert "retired-disk gone at" in (said := capsys.readouterr().out)
        assert "an operator's word" in said

    def test_is_not_hastened_by_who_deletes_rows(
        self, world: World, office: Office, shelves: Shelves
    ) -> None:
        shelves.make(BASE, "b1", keep=300)
        shelves.state_all()
        request = erased(world, office)
        world.later(days=2)
        shelves.state_all()
        with connections["owner"].cursor() as cursor:
            cursor.execute("DELETE FROM vault_backupattestation WHERE label = 'b1'")

        assert round_of(world) == 0
        assert outlook(request, world)["reason"] == "backup-inventory-broken"
        assert Certificate.objects.count() == 1


class TestIssueFinal:
    def test_refuses_without_a_clearance(self, world: World, office: Office) -> None:
        request = erased(world, office)

        with pytest.raises(certificates.NotCleared):
            certificates.issue_final(erasure_id=request.erasure_id, now=world.now)

    def test_signs_nothing_over_an_interim_one_that_was_altered(
        self, world: World, office: Office, shelves: Shelves
    ) -> None:
        request = erased(world, office)
        interim = Certificate.objects.get()
        content = predicate(interim)
        content["deleted"]["records"] = 99
        envelope = interim.document["envelope"]
        envelope["payload"] = base64.b64encode(json.dumps(content).encode()).decode()
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "UPDATE governance_certificate SET document = %s", [json.dumps(interim.document)]
            )
        expire(world, shelves)
        round_of(world)

        assert Certificate.objects.filter(kind="final").count() == 0
        assert reread(request).state == "certified"


class TestParts:
    def test_of_a_person_get_a_final_certificate_too(
        self, world: World, office: Office, shelves: Shelves
    ) -> None:
        world.category = CategoryRef(uuid4(), "logs")
        subject = world.subject()
        world.record(subject)
        rekeys.expire(
            controller_id=world.controller_id, subject_id=subject, group="logs",
            actor=office.staff("dpo"), now=world.now,
        )  # fmt: skip
        office.run()
        expire(world, shelves)

        assert round_of(world) == 1

        made = Certificate.objects.get(kind="final")
        assert predicate(made)["scope"] == {"kind": "groups", "groups": ["logs"]}
        file = json.dumps(certificates.file(made)).encode()
        assert verifier.examine(file, None).verdict == VALID


class TestContradiction:
    @pytest.fixture
    def drawer(self, world: World, shelves: Shelves) -> Copy:
        copy = shelves.make(BASE, "b1", keep=30)
        shelves.state_all()
        return copy

    @pytest.fixture
    def request_(
        self, world: World, office: Office, shelves: Shelves, drawer: Copy
    ) -> SubjectRequest:
        request = erased(world, office)
        expire(world, shelves)
        assert round_of(world) == 1
        assert outlook(request, world)["state"] == "established"
        return request

    def test_of_a_backup_that_turns_up_again_is_said_and_audited(
        self, world: World, shelves: Shelves, drawer: Copy, request_: SubjectRequest
    ) -> None:
        shelves.lying[BASE, "main"] = [drawer]

        stated = shelves.state(BASE)

        assert (stated.overdue, stated.contradicted) == (("b1",), 1)
        assert outlook(request_, world)["state"] == "contradicted"
        assert AuditEvent.objects.filter(action="vault.backup.contradicted").count() == 1
        assert final(request_).kind == "final"

    def test_of_a_backup_whose_end_was_moved_is_said(
        self, world: World, shelves: Shelves, drawer: Copy, request_: SubjectRequest
    ) -> None:
        longer = replace(drawer, expires_at=world.now + timedelta(days=90))

        assert state(BASE, longer, now=world.now).contradicted == 1
        assert outlook(request_, world) == {
            "state": "contradicted",
            "at": BackupClearance.objects.get().irrecoverable_from,
            "reason": "backup-contradicts",
        }

    def test_ends_when_the_backup_is_gone_for_good(
        self, world: World, shelves: Shelves, drawer: Copy, request_: SubjectRequest
    ) -> None:
        state(BASE, drawer, now=world.now)

        state(BASE, now=world.now)

        assert outlook(request_, world)["state"] == "established"

    def test_of_a_key_store_put_back_from_before_is_said(
        self, world: World, request_: SubjectRequest
    ) -> None:
        replay_of(Shredding.objects.get().journal, world.later(hours=1))

        assert outlook(request_, world)["state"] == "contradicted"
