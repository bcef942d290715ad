"""Status lists: which places are taken, and what was published. Nothing here is about anybody."""

from typing import ClassVar

from django.db import models
from django.db.models import Q


class StatusList(models.Model):
    """A list; `bits` as its newest version has them. One that is `closed` gives out no places."""

    list_id = models.BinaryField(max_length=32, unique=True)
    bits = models.BinaryField()
    version = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()
    is_closed = models.BooleanField(default=False)

    def __str__(self) -> str:
        return f"status list {bytes(self.list_id).hex()}"


class StatusEntry(models.Model):
    """A place that is taken: given out, or a decoy. `is_set`: its bit is, in the newest version.

    `is_due`: it is to be in the next one. There are no times here: those of versions are public.
    """

    status_list = models.ForeignKey(StatusList, on_delete=models.PROTECT)
    index = models.PositiveIntegerField()
    is_due = models.BooleanField(default=False)
    is_set = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["status_list", "index"], name="one_status_entry")
        ]
        indexes: ClassVar = [
            models.Index(fields=["status_list"], condition=Q(is_due=True), name="status_entry_due")
        ]

    def __str__(self) -> str:
        return f"place {self.index} of status list {self.status_list_id}"


class StatusVersion(models.Model):
    """A version as it was published. Old documents are dropped; their digests stay."""

    status_list = models.ForeignKey(StatusList, on_delete=models.PROTECT)
    number = models.PositiveBigIntegerField()
    document = models.TextField(blank=True)
    digest = models.BinaryField(max_length=32)
    published_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["status_list", "number"], name="one_status_version")
        ]

    def __str__(self) -> str:
        return f"version {self.number} of status list {self.status_list_id}"
