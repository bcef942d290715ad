from typing import ClassVar

from django.db import models
from django.db.models import Q


class LogBatch(models.Model):
    """Leaves that entered the log together: those from `first` up to `size`, and the tree then.

    `path` is the consistency proof from the batch before, hash after hash.
    """

    sequence = models.PositiveBigIntegerField(primary_key=True)
    first = models.PositiveBigIntegerField(unique=True)
    size = models.PositiveBigIntegerField(unique=True)
    root = models.BinaryField(max_length=32)
    path = models.BinaryField()
    sealed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(size__gt=models.F("first")), name="log_batch_grows")
        ]

    def __str__(self) -> str:
        return f"batch {self.sequence}, {self.size} leaves"


class LogFounding(models.Model):
    """A generation of the log after the first one; see ADR 0010.

    Its tree begins with the `size` entries that the database had. `follows` is the head that was
    kept of the generation before; its entries beyond those of this tree are lost.
    """

    number = models.PositiveIntegerField(primary_key=True)
    origin = models.CharField(max_length=200, unique=True)
    size = models.PositiveBigIntegerField()
    follows = models.JSONField(null=True)
    founded_by = models.CharField(max_length=60)
    founded_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.origin


class LogCheckpoint(models.Model):
    """The signed head of a batch; without it the batch is not published."""

    batch = models.OneToOneField(LogBatch, primary_key=True, on_delete=models.PROTECT)
    origin = models.CharField(max_length=200)
    note = models.TextField()
    key_id = models.CharField(max_length=64)
    signed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"checkpoint {self.batch_id}"


class LogLeaf(models.Model):
    """An entry of the tree: a commitment, or a decoy, which nothing tells apart."""

    index = models.PositiveBigIntegerField(primary_key=True)
    leaf = models.BinaryField(max_length=32, unique=True)

    def __str__(self) -> str:
        return str(self.index)


class LogTile(models.Model):
    """A full tile: 256 hashes of eight levels of the tree, and their root."""

    level = models.PositiveSmallIntegerField()
    index = models.PositiveBigIntegerField()
    hashes = models.BinaryField(max_length=8192)
    root = models.BinaryField(max_length=32)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["level", "index"], name="one_log_tile")
        ]

    def __str__(self) -> str:
        return f"tile {self.level}/{self.index}"


class LogRefusal(models.Model):
    """A leaf that may not enter the log; only its digest is kept, in case it says something."""

    digest = models.BinaryField(max_length=32)
    code = models.CharField(max_length=32)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.code
