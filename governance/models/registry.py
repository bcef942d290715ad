from django.contrib.postgres.fields import ArrayField
from django.db import models

from core.ids import new_time_ordered
from governance.domain.law import LawfulBasis, SpecialCondition


class Category(models.Model):
    """A kind of personal data: its JSON Schema and the key group its data lives and dies with."""

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    controller_id = models.UUIDField()
    code = models.CharField(max_length=60)
    name = models.CharField(max_length=200)
    schema = models.JSONField()
    is_special = models.BooleanField(default=False)
    key_group = models.CharField(max_length=40, default="main")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["controller_id", "code"], name="one_category_per_code")
        ]


class Purpose(models.Model):
    """A declared reason for processing (Article 5(1)(b)); what it may read stands in versions."""

    class State(models.TextChoices):
        DRAFT = "draft"
        ACTIVE = "active"
        RETIRED = "retired"

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    controller_id = models.UUIDField()
    code = models.CharField(max_length=60)
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=State.choices, default=State.DRAFT)
    current = models.ForeignKey(
        "PurposeVersion", on_delete=models.PROTECT, null=True, related_name="current_of"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["controller_id", "code"], name="one_purpose_per_code")
        ]


class PurposeVersion(models.Model):
    """One version of a purpose: one lawful basis, and the categories and fields it reads.

    `categories` maps category id (text) to a list of top-level fields, or `["*"]` for all.
    A version is never changed after its activation, and inherits no consent from an earlier one.
    """

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    purpose = models.ForeignKey(Purpose, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    lawful_basis = models.CharField(max_length=30, choices=[(b, b) for b in LawfulBasis])
    special_condition = models.CharField(
        max_length=10, choices=[(c, c) for c in SpecialCondition], blank=True
    )
    categories = models.JSONField()
    retention_days = models.PositiveIntegerField()
    dpv_iri = models.CharField(max_length=200, blank=True)
    recipients = ArrayField(models.CharField(max_length=200), default=list)
    drafted_by = models.CharField(max_length=60)
    drafted_by_person = models.UUIDField(null=True)
    activated_by = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["purpose", "number"], name="one_version_per_number")
        ]
