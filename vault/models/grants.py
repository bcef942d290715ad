import uuid

from django.db import models

from vault.models import triggers
from vault.models.subjects import KeyShare, Subject


class PurposeKey(models.Model):
    """A wrapping key of the key store's pool; taken once, by one purpose."""

    name = models.CharField(primary_key=True, max_length=64)
    controller_id = models.UUIDField(null=True)
    purpose_id = models.UUIDField(null=True, unique=True)
    assigned_at = models.DateTimeField(null=True)


class DataKey(models.Model):
    """Names a data key of one subject and category; the key itself is in no row in clear."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    category_id = models.UUIDField()
    share = models.ForeignKey(KeyShare, on_delete=models.PROTECT)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["share", "category_id"], name="one_data_key_per_share_and_category"
            )
        ]
        triggers = [
            triggers.share_live(),
            triggers.fixed("subject_id", "category_id", "share_id"),
        ]


class CustodyGrant(models.Model):
    """The data key wrapped for custody: to make further grants and serve the person's rights."""

    data_key = models.OneToOneField(DataKey, on_delete=models.CASCADE, primary_key=True)
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    wrapped = models.BinaryField()

    class Meta:
        triggers = [triggers.data_key_live(), triggers.fixed("data_key_id", "subject_id")]


class Alias(models.Model):
    """A subject's name in one purpose; the ground on which the purpose may read, or none.

    `counter` rises with every withdrawal, so a grant of an earlier ground never matches again.
    `ground_at` is when the ground was decided; one decided before `revoked_at` never comes into
    force, so that a restored queue cannot renew what was withdrawn later. While `restricted_at`
    is set no page has the subject.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    purpose_id = models.UUIDField()
    ground = models.UUIDField(null=True)
    ground_at = models.DateTimeField(null=True)
    counter = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    restricted_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "purpose_id"], name="one_alias_per_subject_and_purpose"
            )
        ]
        indexes = [models.Index(fields=["purpose_id", "id"], name="alias_by_purpose")]
        triggers = [
            triggers.subject_live(),
            triggers.fixed("subject_id", "purpose_id"),
            triggers.counter_rises(),
        ]


class KeyGrant(models.Model):
    """The data key wrapped for a purpose. The row is the permission; withdrawal deletes it."""

    data_key = models.ForeignKey(DataKey, on_delete=models.CASCADE)
    purpose_id = models.UUIDField()
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    category_id = models.UUIDField()
    alias = models.ForeignKey(Alias, on_delete=models.CASCADE)
    share = models.ForeignKey(KeyShare, on_delete=models.PROTECT)
    ground = models.UUIDField()
    counter = models.PositiveIntegerField()
    wrapped = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["data_key", "purpose_id"], name="one_grant_per_data_key_and_purpose"
            )
        ]
        indexes = [
            models.Index(fields=["purpose_id", "alias", "category_id"], name="grant_in_page_order")
        ]
        triggers = [
            triggers.ground_current(),
            triggers.fixed(
                "data_key_id", "purpose_id", "subject_id", "category_id", "alias_id", "share_id",
                "ground", "counter",
            ),
        ]  # fmt: skip


class LostVersion(models.Model):
    """A version of a wrapping key that grants are wrapped under and the key store does not have.

    What it wrapped answers `key-lost` until the right snapshot is put back; the row goes then.
    """

    wrapping_key = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    grants = models.PositiveIntegerField()
    found_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["wrapping_key", "version"], name="one_lost_version")
        ]
