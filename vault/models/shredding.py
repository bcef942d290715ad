import uuid

from django.db import models
from django.db.models import Q

from vault.domain.states import Scope, ShreddingState
from vault.models import triggers
from vault.models.subjects import KeyShare, Subject


class ShredLock(models.Model):
    """Forbids destruction within its scope until it is lifted (legal hold, retention floor)."""

    class Scope(models.TextChoices):
        SUBJECT = "subject"
        CATEGORY = "category"
        PURPOSE = "purpose"
        CONTROLLER = "controller"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    controller_id = models.UUIDField()
    scope = models.CharField(max_length=10, choices=Scope.choices)
    scope_id = models.UUIDField()
    ground = models.CharField(max_length=60)
    placed_by = models.CharField(max_length=60)
    placed_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=60, blank=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["controller_id", "scope", "scope_id"],
                condition=Q(lifted_at=None),
                name="lock_in_force",
            )
        ]


class Shredding(models.Model):
    """One erasure on its way; `state` is the machine of design §5.

    `subject` is cut when the erasure is swept; `counts` says how many rows of each kind were
    deleted. `held_at` stops a destruction that a restored database brought back, until a named
    officer releases it. Of any scope but `subject` it destroys shares of one `group` only, and the
    subject lives on; `request` then says who asked for it, when, why, and what was removed.
    """

    erasure_id = models.UUIDField(primary_key=True)
    controller_id = models.UUIDField()
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT, null=True)
    scope = models.CharField(max_length=7, choices=[(s, s) for s in Scope], default=Scope.SUBJECT)
    group = models.CharField(max_length=40, blank=True)
    request = models.JSONField(default=dict)
    state = models.CharField(max_length=14, choices=[(s, s) for s in ShreddingState])
    fenced_at = models.DateTimeField()
    drain_until = models.DateTimeField()
    drained_at = models.DateTimeField(null=True)
    ordered_at = models.DateTimeField(null=True)
    keys_destroyed_at = models.DateTimeField(null=True)
    swept_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
    backup_clear_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    held_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    released_by = models.CharField(max_length=60, blank=True)
    open_leases = models.PositiveIntegerField(default=0)
    journal = models.JSONField(default=dict)
    counts = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject"],
                condition=~Q(state=ShreddingState.CANCELLED) & Q(scope=Scope.SUBJECT),
                name="one_shredding_per_subject",
            )
        ]
        indexes = [
            models.Index(
                fields=["fenced_at"],
                condition=Q(
                    state__in=[
                        ShreddingState.FENCED,
                        ShreddingState.DRAINED,
                        ShreddingState.ORDERED,
                        ShreddingState.KEYS_DESTROYED,
                        ShreddingState.SWEPT,
                    ]
                ),
                name="shredding_under_way",
            )
        ]
        triggers = [triggers.shred_lock(), triggers.not_back("backup-clear", "cancelled")]


class ShreddingShare(models.Model):
    """A key share that a shredding destroys; `was_live` lets a cancellation put it back."""

    shredding = models.ForeignKey(Shredding, on_delete=models.CASCADE, related_name="shares")
    share = models.ForeignKey(KeyShare, on_delete=models.PROTECT)
    was_live = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["shredding", "share"], name="share_once_per_shredding")
        ]


class Removal(models.Model):
    """Tells a purpose's consumers that an alias is gone; names no subject and no instant.

    `number` is the row's place in the purpose's list, given when the list is first read.
    """

    class Reason(models.TextChoices):
        WITHDRAWN = "withdrawn"
        RESTRICTED = "restricted"
        ERASED = "erased"

    id = models.UUIDField(primary_key=True)
    purpose_id = models.UUIDField()
    number = models.PositiveBigIntegerField(null=True)
    alias = models.UUIDField()
    reason = models.CharField(max_length=10, choices=Reason.choices)
    on = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose_id", "number"], name="removal_by_number")
        ]
        indexes = [
            models.Index(
                fields=["purpose_id", "alias"],
                condition=Q(number=None),
                name="removal_without_number",
            )
        ]


class JournalHead(models.Model):
    """History of the journal's head as the database knew it; rows are only added."""

    journal_id = models.UUIDField()
    sequence = models.PositiveBigIntegerField()
    hash = models.BinaryField()
    ordinal = models.PositiveBigIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journal_id", "sequence"], name="one_head_per_sequence")
        ]


class DestructionAttestation(models.Model):
    """What the attester read back after a destruction; the certificate is composed from it."""

    erasure_id = models.UUIDField(primary_key=True)
    controller_id = models.UUIDField()
    body = models.JSONField()
    at = models.DateTimeField()
