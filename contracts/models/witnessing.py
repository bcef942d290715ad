"""What others say about published heads: when they were there, and that the log only grew."""

from typing import ClassVar

from django.db import models

from contracts.models.log import LogCheckpoint


class LogTimestamp(models.Model):
    """An RFC 3161 token over the text of a checkpoint, verified before it was stored.

    `stamped_at` is the authority's time, `obtained_at` ours.
    """

    checkpoint = models.OneToOneField(LogCheckpoint, primary_key=True, on_delete=models.PROTECT)
    authority = models.CharField(max_length=500)
    token = models.BinaryField()
    stamped_at = models.DateTimeField()
    obtained_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"timestamp of checkpoint {self.checkpoint_id}"


class LogCosignature(models.Model):
    """A witness's cosignature over a checkpoint, verified before it was stored.

    `line` is its line of the signed note; `cosigned_at` is the witness's time, `obtained_at` ours.
    """

    checkpoint = models.ForeignKey(LogCheckpoint, on_delete=models.PROTECT)
    name = models.CharField(max_length=200)
    key_id = models.CharField(max_length=8)
    line = models.CharField(max_length=400)
    cosigned_at = models.DateTimeField()
    obtained_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["checkpoint", "name", "key_id"], name="one_log_cosignature"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} on checkpoint {self.checkpoint_id}"
