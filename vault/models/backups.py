from django.db import models

from vault.domain.backups import Kind, Source, Store


class BackupInventory(models.Model):
    """A statement of every copy of one kind in one place; rows are only added.

    Each names the digest of the one before it, and the audit log names the newest: one that was
    taken out or changed is missed.
    """

    number = models.PositiveBigIntegerField(primary_key=True)
    store = models.CharField(max_length=9, choices=[(s, s) for s in Store])
    kind = models.CharField(max_length=18, choices=[(k, k) for k in Kind])
    cluster = models.CharField(max_length=40)
    place = models.CharField(max_length=60)
    source = models.CharField(max_length=11, choices=[(s, s) for s in Source])
    declared_by = models.CharField(max_length=64)
    at = models.DateTimeField()
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)

    class Meta:
        indexes = [
            models.Index(fields=["kind", "cluster", "place", "-number"], name="inventory_by_place")
        ]


class BackupAttestation(models.Model):
    """One copy as a statement says it is; `expires_at` is empty when nobody knows its end."""

    inventory = models.ForeignKey(
        BackupInventory, on_delete=models.PROTECT, related_name="attestations"
    )
    label = models.CharField(max_length=120)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    gone_by = models.CharField(max_length=11, blank=True)
    evidence = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["inventory", "label"], name="copy_once_per_inventory")
        ]


class BackupClearance(models.Model):
    """From when nothing of a destruction can be recovered, and by which statements; only added.

    `destroyed_at` is the last time that its keys were destroyed: a key store that was put back
    made them live once more.
    """

    erasure_id = models.UUIDField(primary_key=True)
    controller_id = models.UUIDField()
    destroyed_at = models.DateTimeField()
    irrecoverable_from = models.DateTimeField()
    inventory = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["destroyed_at"], name="clearance_by_destruction")]
