from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.ids import new_time_ordered


class Lease(models.Model):
    """One consumer's permission to read one purpose for some hours.

    `fields` maps category id (text) to the fields that may be read; `counts` says how many
    subjects are in and why others are not; `cursor` is where a failed stream stood. `events` are
    the ids of the audit events of its opening and closing.
    """

    class State(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"
        FAILED = "failed"
        EXPIRED = "expired"
        REVOKED = "revoked"

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    controller_id = models.UUIDField()
    purpose_id = models.UUIDField()
    purpose_version_id = models.UUIDField()
    client_id = models.UUIDField()
    categories = ArrayField(models.UUIDField())
    fields = models.JSONField()
    run_reference = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    counts = models.JSONField(default=dict)
    records_sent = models.PositiveBigIntegerField(default=0)
    bytes_sent = models.PositiveBigIntegerField(default=0)
    subjects_erased = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=60, blank=True)
    cursor = models.TextField(blank=True)
    events = ArrayField(models.UUIDField(), default=list)

    class Meta:
        indexes = [models.Index(fields=["purpose_id", "state"], name="lease_by_purpose")]


class Disclosure(models.Model):
    """That a lease read a person's data; written by COPY before the page is sent.

    No unique key: a resumed cursor repeats rows.
    """

    lease_id = models.UUIDField()
    trail_id = models.UUIDField()
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["trail_id"], name="disclosure_by_trail")]
