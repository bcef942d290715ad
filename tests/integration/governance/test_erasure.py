"""What an erasure leaves behind, and a crash at every point between release and certificate."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from core import effects, failpoints, runtime
from core.effects import Claim
from core.models import AuditEvent, Effect
from core.ports import Signature
from core.unit_of_work import unit_of_work
from governance import effects as handlers
from governance.adapters.participant import participant
from governance.models import Certificate, Disclosure, Lease, SubjectRequest
from governance.services import suppressions
from tests.fakes.custodian import FakeSigner
from tests.fakes.points import ATTESTER, ERASER, Killed
from tests.fakes.world import World
from tests.integration.governance.office import Office, reread
from vault.domain.lookup import Reference
from vault.models import Shredding, Subject, SuppressionTag
from vault.ports import Swept
from vault.services import subjects

POINTS = [*ERASER, *ATTESTER]


def killer(point: str) -> Callable[[str], None]:
    def kill(reached: str) -> None:
        if reached == point:
            raise Killed

    return kill


class SignerThatDies(FakeSigner):
    """Signs, and the process ends before the signature is stored."""

    def sign(self, message: bytes) -> Signature:
        super().sign(message)
        raise Killed


def full(world: World, name: str = "ada") -> UUID:
    subject = world.subject(name)
    world.record(subject)
    world.consent(subject)
    return subject


def require_one_of_everything(request: SubjectRequest) -> None:
    assert reread(request).state == "certified"
    assert Certificate.objects.filter(erasure_id=request.erasure_id).count() == 1
    actions = list(
        AuditEvent.objects.filter(erasure_id=request.erasure_id).values_list("action", flat=True)
    )
    assert len(actions) == len(set(actions))
    assert set(Effect.objects.values_list("state", flat=True)) == {"done"}


class TestCrash:
    @pytest.mark.parametrize("point", POINTS)
    def test_at_each_point_ends_in_one_certificate_after_restart(
        self, world: World, office: Office, point: str
    ) -> None:
        request = office.released(full(world))

        with failpoints.installed(killer(point)), pytest.raises(Killed):
            office.run()
        assert not Certificate.objects.exists()
        office.run()
        office.run()

        require_one_of_everything(request)

    def test_after_signing_ends_in_one_certificate_after_restart(
        self, world: World, office: Office
    ) -> None:
        request = office.released(full(world))

        with runtime.override(signer=SignerThatDies()), pytest.raises(Killed):
            office.run()
        assert reread(request).state == "destroyed-live"
        office.run()

        require_one_of_everything(request)

    def test_after_storing_the_certificate_issues_no_second(
        self, world: World, office: Office
    ) -> None:
        request = office.released(full(world))
        with failpoints.installed(killer("vault.attest.done")), pytest.raises(Killed):
            office.run()
        effect = Effect.objects.get(kind="governance.certify")

        handlers.certify(
            Claim(effect.id, effect.kind, effect.key, effect.payload, attempt=1, now=world.now)
        )
        office.run()

        require_one_of_everything(request)


class TestErasure:
    def test_leaves_nothing_that_names_the_subject_or_its_trail(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        world.record(subject)
        trail = Subject.objects.get(id=subject).trail_id
        request = office.released(subject)
        office.run()

        assert reread(request).subject_id is None
        events = AuditEvent.objects.filter(erasure_id=request.erasure_id)
        assert events.count() >= 8
        assert not events.exclude(trail_id=None).exists()
        assert not any(
            str(subject) in str(effect.payload) or str(trail) in str(effect.payload)
            for effect in Effect.objects.all()
        )

    def test_turns_disclosures_into_a_counter_of_the_lease(
        self, world: World, office: Office
    ) -> None:
        subject, other = world.subject("ada"), world.subject("bo")
        lease = Lease.objects.create(
            controller_id=world.controller_id,
            purpose_id=world.purpose_id,
            purpose_version_id=uuid4(),
            client_id=uuid4(),
            categories=[],
            fields={},
            opened_at=world.now,
            expires_at=world.now + timedelta(hours=1),
        )
        trails = dict(Subject.objects.values_list("id", "trail_id"))
        for who in (subject, subject, other):
            trail = trails[who]
            assert trail is not None
            Disclosure.objects.create(lease_id=lease.id, trail_id=trail, at=world.now)
        office.released(subject)

        office.run()

        assert Disclosure.objects.count() == 1
        assert Lease.objects.get(id=lease.id).subjects_erased == 1

    def test_counts_the_leases_that_were_open_at_the_fence(
        self, world: World, office: Office
    ) -> None:
        subject = world.subject()
        world.consent(subject)
        for hours, purpose in ((1, world.purpose_id), (-1, world.purpose_id), (1, uuid4())):
            Lease.objects.create(
                controller_id=world.controller_id,
                purpose_id=purpose,
                purpose_version_id=uuid4(),
                client_id=uuid4(),
                categories=[],
                fields={},
                opened_at=world.now,
                expires_at=world.now + timedelta(hours=hours),
            )

        request = office.released(subject)

        assert Shredding.objects.get(erasure_id=request.erasure_id).open_leases == 1

    def test_ends_what_else_was_asked_for_the_subject(self, world: World, office: Office) -> None:
        subject = full(world)
        request = office.open(subject)

        for _ in range(2):
            with unit_of_work():
                participant().swept(erasures=[Swept(uuid4(), subject, uuid4())])

        ended = reread(request)
        assert (ended.state, ended.subject_id, ended.version) == ("withdrawn", None, 2)

    def test_waits_until_running_pages_are_out(self, world: World, office: Office) -> None:
        request = office.released(full(world))

        effects.sweep(queue="shred", now=world.now)

        assert Shredding.objects.get(erasure_id=request.erasure_id).state == "fenced"


class TestExpire:
    def test_lets_the_reference_be_taken_anew_after_the_last_day(
        self, world: World, office: Office
    ) -> None:
        office.released(full(world))
        office.run()
        last = SuppressionTag.objects.get().expires_at

        assert suppressions.expire(now=last - timedelta(seconds=1)) == 0
        assert state_of(world, "ada") == "erased"
        assert suppressions.expire(now=last) == 1
        assert state_of(world, "ada") == "unknown"


def state_of(world: World, name: str) -> str:
    (found,) = subjects.resolve_many(
        controller_id=world.controller_id, references=[Reference("customer-number", name)]
    )
    return found.state
