import uuid

from django.db import models
from django.db.models import Q

from vault.domain.states import ShareState, SubjectState
from vault.models import triggers


class Subject(models.Model):
    """A data subject. After erasure the row stays as a tombstone without a trail.

    `trail_id` is what audit, consent and disclosure rows carry; only this row maps it to the
    subject, and erasure cuts the mapping.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    controller_id = models.UUIDField()
    state = models.CharField(
        max_length=8, choices=[(s, s) for s in SubjectState], default=SubjectState.LIVE
    )
    trail_id = models.UUIDField(null=True, unique=True, default=uuid.uuid4)
    evidence_public = models.BinaryField(null=True)
    erasure_id = models.UUIDField(null=True)
    created_at = models.DateTimeField()
    restricted_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["controller_id", "id"], name="subject_by_controller")]
        triggers = [
            triggers.not_back("erased"),
            triggers.fence_holds(),
            triggers.fixed("controller_id"),
        ]


class KeyShare(models.Model):
    """Where one group's key share of a subject lies; committed before the key store is called.

    `subject` is cut when the erasure is swept: the share stays, for who reads its destruction.
    A re-key's new share is SUCCESSOR beside the LIVE one, which stays in use until they change
    places in one commit; so there is one of each at most. `lost_at` is when the key store was
    found not to have a share that was in use; it stays through a fence, for the certificate.
    """

    kid = models.UUIDField(primary_key=True)
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, related_name="shares", null=True)
    controller_id = models.UUIDField()
    group = models.CharField(max_length=40)
    cluster = models.CharField(max_length=40, default="default")
    state = models.CharField(max_length=9, choices=[(s, s) for s in ShareState])
    planned_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)
    lost_at = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "group"],
                condition=Q(state__in=[ShareState.PLANNED, ShareState.LIVE]),
                name="one_open_share_per_subject_and_group",
            ),
            models.UniqueConstraint(
                fields=["subject", "group"],
                condition=Q(state=ShareState.SUCCESSOR),
                name="one_successor_per_subject_and_group",
            ),
        ]
        indexes = [
            models.Index(
                fields=["subject", "group"], condition=Q(state=ShareState.LOST), name="share_lost"
            )
        ]
        triggers = [
            triggers.owner_live(),
            triggers.not_back("destroyed", "absent"),
            triggers.fixed("controller_id", cut=("subject_id",)),
        ]
