from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from core import audit, commitment, runtime
from core.actors import process_actor
from core.errors import Erased
from core.models import AuditEvent, LeafInbox
from core.unit_of_work import TransactionMisuse, unit_of_work

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


class Sealer:
    """Keeps openings in memory; refuses the trails it is told to."""

    def __init__(self) -> None:
        self.kept: dict[UUID, tuple[UUID, bytes]] = {}
        self.erased: set[UUID] = set()

    def seal_openings(self, *, openings: Sequence[tuple[UUID, UUID, bytes]]) -> None:
        for trail_id, event_id, opening in openings:
            if trail_id in self.erased:
                raise Erased
            self.kept[event_id] = (trail_id, opening)


@pytest.fixture
def sealer() -> Iterator[Sealer]:
    made = Sealer()
    with runtime.override(opening_sealer=made):
        yield made


def record(**more: object) -> UUID:
    fields = {"action": "core.thing.done", "actor": process_actor("test"), "now": NOON}
    with unit_of_work():
        return audit.record(**{"controller_id": None, **fields, **more})  # type: ignore[arg-type]


class TestRecord:
    def test_refuses_outside_a_unit_of_work(self) -> None:
        with pytest.raises(TransactionMisuse):
            audit.record(
                action="core.thing.done", actor=process_actor("t"), controller_id=None, now=NOON
            )

    def test_keeps_process_evidence_provable(self) -> None:
        row = AuditEvent.objects.get(id=record(details={"count": 3}))

        assert row.r is not None
        assert row.leaf is not None
        opening = commitment.Commitment(r=bytes(row.r), leaf=bytes(row.leaf))
        assert commitment.opens(opening, audit.payload(row), tag=commitment.AUDIT_EVENT)
        assert bytes(LeafInbox.objects.get().leaf) == opening.leaf

    def test_keeps_no_commitment_of_a_subject_event(self, sealer: Sealer) -> None:
        trail = uuid4()
        row = AuditEvent.objects.get(id=record(trail_id=trail))

        sealed_for, packed = sealer.kept[row.id]
        opening = commitment.Commitment.unpack(packed)
        assert (row.r, row.leaf, sealed_for) == (None, None, trail)
        assert commitment.opens(opening, audit.payload(row), tag=commitment.AUDIT_EVENT)
        assert bytes(LeafInbox.objects.get().leaf) == opening.leaf

    def test_leaves_nothing_when_the_trail_is_erased(self, sealer: Sealer) -> None:
        trail = uuid4()
        sealer.erased.add(trail)

        with pytest.raises(Erased):
            record(trail_id=trail)

        assert not AuditEvent.objects.exists()
        assert not LeafInbox.objects.exists()

    @pytest.mark.parametrize(
        "details", [{"Name": "x"}, {"x": 1.5}, {"x": {"y": 1}}, {"x": "y" * 501}], ids=str
    )
    def test_refuses_details_of_another_kind(self, details: dict[str, object]) -> None:
        with pytest.raises((ValueError, TypeError)):
            record(details=details)


class TestRecordMany:
    def test_records_one_event_each_in_order(self, sealer: Sealer) -> None:
        trails = [uuid4() for _ in range(5)]
        events = [
            audit.Event(
                action="core.thing.done",
                actor=process_actor("test"),
                controller_id=None,
                now=NOON,
                trail_id=trail,
            )
            for trail in trails
        ]

        with unit_of_work():
            ids = audit.record_many(events)

        assert [sealer.kept[event_id][0] for event_id in ids] == trails
        assert LeafInbox.objects.count() == 5
