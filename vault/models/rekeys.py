from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from core.ids import new_random
from vault.domain.states import RekeyState
from vault.models.subjects import KeyShare, Subject


class Rekey(models.Model):
    """One key group of a subject on its way to another key share; `state` is the machine.

    A request that comes before anything was sealed anew joins the one that is on its way, so
    `reasons` and `requesters` may be several. `records` and `versions` count what was removed.
    `erasure_id` is that of the old share's destruction. The row goes with its subject.
    """

    class Reason(models.TextChoices):
        RECTIFICATION = "rectification"
        ERASURE = "erasure"
        LEAK = "leak"

    id = models.UUIDField(primary_key=True, default=new_random, editable=False)
    controller_id = models.UUIDField()
    subject = models.ForeignKey(Subject, on_delete=models.PROTECT)
    group = models.CharField(max_length=40)
    old_share = models.ForeignKey(KeyShare, on_delete=models.PROTECT, related_name="rekeys")
    new_share = models.ForeignKey(KeyShare, on_delete=models.PROTECT, related_name="+")
    reasons = ArrayField(models.CharField(max_length=13))
    requesters = ArrayField(models.CharField(max_length=60))
    records = models.PositiveIntegerField(default=0)
    versions = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=[(s, s) for s in RekeyState])
    erasure_id = models.UUIDField(default=new_random, unique=True)
    requested_at = models.DateTimeField()
    created_at = models.DateTimeField(null=True)
    swapped_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["old_share"],
                condition=~Q(state=RekeyState.DONE),
                name="one_rekey_per_share",
            )
        ]
        indexes = [models.Index(fields=["subject"], name="rekey_by_subject")]
