from django.db import models

from core.ids import new_time_ordered
from governance.domain.law import Channel, ConsentDecision
from governance.models.registry import PurposeVersion


class Notice(models.Model):
    """A text shown with a purpose, kept so that its commitment can be recomputed (R04).

    A notice is public, so its digest is a plain SHA-256 of its UTF-8 bytes.
    """

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    controller_id = models.UUIDField()
    purpose_version = models.ForeignKey(PurposeVersion, on_delete=models.PROTECT)
    language = models.CharField(max_length=35)
    text = models.TextField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField()


class ConsentRecord(models.Model):
    """Proof of one decision about one purpose version; rows are only added.

    Names the person's trail, never the subject: erasure cuts the mapping and the row is noise.
    """

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    controller_id = models.UUIDField()
    trail_id = models.UUIDField()
    purpose_id = models.UUIDField()
    purpose_version = models.ForeignKey(PurposeVersion, on_delete=models.PROTECT)
    decision = models.CharField(max_length=9, choices=[(d, d) for d in ConsentDecision])
    is_explicit = models.BooleanField(default=False)
    text_digest = models.CharField(max_length=64, blank=True)
    language = models.CharField(max_length=35, blank=True)
    channel = models.CharField(max_length=13, choices=[(c, c) for c in Channel])
    decided_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    recorded_by = models.CharField(max_length=60)

    class Meta:
        indexes = [
            models.Index(
                fields=["trail_id", "purpose_id", "-decided_at", "-id"], name="consent_latest"
            ),
            models.Index(fields=["purpose_id", "decision"], name="consent_by_purpose"),
        ]


class ConsentStatus(models.Model):
    """Where a status list says whether a consent was withdrawn; made with its first receipt.

    Deleted when the person is erased: then nothing here leads from a place to a decision.
    """

    consent = models.OneToOneField(ConsentRecord, primary_key=True, on_delete=models.PROTECT)
    list_id = models.BinaryField(max_length=32)
    index = models.PositiveIntegerField()
