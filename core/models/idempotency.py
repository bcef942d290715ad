from typing import ClassVar

from django.db import models


class IdempotencyRecord(models.Model):
    """What a caller's Idempotency-Key led to: keyed digests, a status and an id, no content.

    The key itself is kept as a MAC only, since a client may put anything into it. `owner` is
    random and new for each request that is let act.
    """

    caller_id = models.CharField(max_length=64)
    key_mac = models.BinaryField(max_length=32)
    owner = models.UUIDField()
    body_mac = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    resource_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    locked_until = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["caller_id", "key_mac"], name="core_idempotency_one_per_key"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.caller_id} {self.status}"
