from typing import ClassVar

from django.db import models

from core.ids import new_random, new_time_ordered


class AuditEvent(models.Model):
    """A fact in the past tense; insert-only for every role but the owner.

    Partitioned by month on the UUIDv7 id (see `core.partitions`). A subject event has a
    `trail_id` and keeps no commitment here; process evidence keeps `r` and `leaf`.
    """

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    occurred_at = models.DateTimeField()
    action = models.CharField(max_length=80)
    actor_id = models.CharField(max_length=64)
    actor_role = models.CharField(max_length=200)
    controller_id = models.UUIDField(null=True)
    trail_id = models.UUIDField(null=True)
    erasure_id = models.UUIDField(null=True)
    request_id = models.UUIDField(null=True)
    details = models.JSONField(default=dict)
    r = models.BinaryField(max_length=32, null=True)
    leaf = models.BinaryField(max_length=32, null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(trail_id__isnull=False, r__isnull=True, leaf__isnull=True)
                | models.Q(trail_id__isnull=True, r__isnull=False, leaf__isnull=False),
                name="core_auditevent_subject_keeps_no_leaf",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["controller_id", "id"], name="core_audit_controller"),
            models.Index(fields=["trail_id", "id"], name="core_audit_trail"),
            models.Index(fields=["erasure_id", "id"], name="core_audit_erasure"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.id}"


class LeafInbox(models.Model):
    """A leaf on its way to the log. The random id and the missing time keep order out of it."""

    id = models.UUIDField(primary_key=True, default=new_random, editable=False)
    leaf = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return str(self.id)
