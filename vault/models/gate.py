from django.db import models
from django.db.models import Q


class GateLease(models.Model):
    """The one row that opens the gate, for as long as the eraser process keeps renewing it.

    It is bound to the server and the table it was written in: system identifier, start of the
    postmaster and this table's own OID. A restored or promoted server starts closed, and so does
    a dump restored into the same server.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    is_open = models.BooleanField()
    reason = models.CharField(max_length=24)
    trouble = models.CharField(max_length=64, blank=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    system_identifier = models.BigIntegerField()
    postmaster_started = models.DateTimeField()
    timeline = models.PositiveIntegerField()
    table_oid = models.BigIntegerField()
    beat = models.BigIntegerField(default=0)
    beaten_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_gate_lease")]


class PendingEntry(models.Model):
    """A journal entry that was committed with the act it describes and is not yet appended."""

    kind = models.CharField(max_length=24)
    body = models.JSONField()
    created_at = models.DateTimeField()


class Destruction(models.Model):
    """A destruction entry of the journal; `settled_at` once its keys were read back as gone."""

    journal_id = models.UUIDField()
    ordinal = models.PositiveBigIntegerField()
    sequence = models.PositiveBigIntegerField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["journal_id", "ordinal"], name="one_per_ordinal")
        ]
        indexes = [
            models.Index(
                fields=["journal_id", "ordinal"],
                condition=Q(settled_at=None),
                name="destruction_unsettled",
            )
        ]


class Replay(models.Model):
    """One replay of the journal: what it began from, what it did, and who read it back."""

    id = models.UUIDField(primary_key=True)
    journal_id = models.UUIDField()
    after_sequence = models.BigIntegerField()
    after_ordinal = models.BigIntegerField()
    to_sequence = models.PositiveBigIntegerField()
    counts = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True)
    verified_at = models.DateTimeField(null=True)
