"""What others say about published heads: that they were there by a time."""

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
