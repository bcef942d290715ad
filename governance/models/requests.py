from typing import ClassVar

from django.db import models
from django.db.models import Q

from core.ids import new_random, new_time_ordered
from governance.domain.law import Channel, ErasureGround


class SubjectRequest(models.Model):
    """A request of a data subject. `subject_id` is cut when its erasure is swept.

    `version` is the ETag: every change raises it. `mass_act_id` is the mass erasure that made it,
    where nobody asked.
    """

    class Kind(models.TextChoices):
        ERASURE = "erasure"

    class State(models.TextChoices):
        RECEIVED = "received"
        DRAFTED = "drafted"
        APPROVED = "approved"
        BLOCKED = "blocked"
        EXECUTING = "executing"
        DESTROYED_LIVE = "destroyed-live"
        CERTIFIED = "certified"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    #: States in which the case is over.
    CLOSED: ClassVar[tuple[State, ...]] = (State.CERTIFIED, State.REFUSED, State.WITHDRAWN)

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    controller_id = models.UUIDField()
    kind = models.CharField(max_length=12, choices=Kind.choices)
    subject_id = models.UUIDField(null=True)
    erasure_id = models.UUIDField(default=new_random, unique=True)
    state = models.CharField(max_length=14, choices=State.choices, default=State.RECEIVED)
    ground = models.CharField(max_length=10, choices=[(g, g) for g in ErasureGround])
    channel = models.CharField(max_length=13, choices=[(c, c) for c in Channel])
    received_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=60)
    due_on = models.DateField()
    version = models.PositiveIntegerField(default=1)
    mass_act_id = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject_id", "kind"],
                condition=~Q(state__in=["certified", "refused", "withdrawn"]),
                name="one_open_request_per_subject_and_kind",
            )
        ]
        indexes = [
            models.Index(fields=["controller_id", "id"], name="request_by_controller"),
            models.Index(
                fields=["mass_act_id", "id"],
                condition=Q(mass_act_id__isnull=False),
                name="request_by_mass_act",
            ),
        ]


class Decision(models.Model):
    """One act of decision on a request, by one person; rows are only added.

    `event_id` is that of the audit event which records the act; of a mass act, its own.
    """

    class Act(models.TextChoices):
        DRAFT = "draft"
        APPROVAL = "approval"
        RELEASE = "release"
        WITHDRAWAL = "withdrawal"

    class Outcome(models.TextChoices):
        ERASE = "erase"
        REFUSE = "refuse"

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    request = models.ForeignKey(SubjectRequest, on_delete=models.PROTECT, related_name="decisions")
    act = models.CharField(max_length=10, choices=Act.choices)
    outcome = models.CharField(max_length=6, choices=Outcome.choices)
    person_id = models.UUIDField()
    actor_id = models.CharField(max_length=60)
    role = models.CharField(max_length=30)
    ground = models.CharField(max_length=10, blank=True)
    at = models.DateTimeField()
    event_id = models.UUIDField(null=True)


class Certificate(models.Model):
    """A signed certificate of an erasure; `document` is the file as handed out."""

    class Kind(models.TextChoices):
        INTERIM = "interim"
        FINAL = "final"

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    controller_id = models.UUIDField()
    erasure_id = models.UUIDField()
    kind = models.CharField(max_length=7, choices=Kind.choices)
    document = models.JSONField()
    issued_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["erasure_id", "kind"], name="one_certificate_per_kind")
        ]
