import uuid

from django.db import models
from django.db.models import Q

from vault.models import triggers
from vault.models.grants import DataKey
from vault.models.subjects import Subject


class SealedRecord(models.Model):
    """One version of one record, sealed under its category's data key.

    `reference_tag` is a MAC of the source's own reference under the data key, `content_mac` one
    of the content: both are noise once the key is gone. `sealed_reference` is that reference,
    sealed, so that a re-key can make the tag anew. While a re-key seals a version anew it has a
    second row, which takes over the first one's `id` and place at the swap: `id` names the version
    for ever, and the journal names by it what was removed.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    record_id = models.UUIDField()
    version = models.PositiveIntegerField()
    is_current = models.BooleanField()
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    category_id = models.UUIDField()
    data_key = models.ForeignKey(DataKey, on_delete=models.PROTECT)
    source_id = models.UUIDField()
    reference_tag = models.BinaryField()
    sealed_reference = models.BinaryField(null=True)
    content_mac = models.BinaryField()
    ciphertext = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["record_id", "version", "data_key"], name="one_row_per_version_and_key"
            ),
            models.UniqueConstraint(
                fields=["data_key", "reference_tag"],
                condition=Q(is_current=True),
                name="one_current_record_per_reference",
            ),
        ]
        indexes = [
            models.Index(
                fields=["data_key", "record_id"],
                condition=Q(is_current=True),
                name="current_record_in_page_order",
            ),
            models.Index(fields=["subject"], name="record_by_subject"),
        ]
        triggers = [triggers.data_key_live()]


class LookupTag(models.Model):
    """A keyed tag by which a person is found; the value itself is stored nowhere.

    `suppression` is the tag of the same value under another key; erasure moves it to
    SuppressionTag and deletes this row.
    """

    controller_id = models.UUIDField()
    kind = models.CharField(max_length=40)
    tag = models.BinaryField()
    suppression = models.BinaryField()
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    source_id = models.UUIDField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["controller_id", "kind", "tag"], name="one_subject_per_reference"
            )
        ]
        triggers = [triggers.subject_live()]


class SuppressionTag(models.Model):
    """Keeps an erased person's reference from being taken in again until its source knows."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    controller_id = models.UUIDField()
    kind = models.CharField(max_length=40)
    tag = models.BinaryField()
    source_id = models.UUIDField()
    erasure_id = models.UUIDField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["controller_id", "kind", "tag"], name="suppression_by_tag"),
            models.Index(fields=["expires_at"], name="suppression_by_expiry"),
            models.Index(fields=["erasure_id"], name="suppression_by_erasure"),
        ]


class SealedOpening(models.Model):
    """The opening of a subject event's commitment, sealed to the subject's evidence key."""

    event_id = models.UUIDField(primary_key=True)
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    sealed = models.BinaryField()

    class Meta:
        triggers = [triggers.subject_live()]
