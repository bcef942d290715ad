from django.db import models
from django.db.models import Q

from core.ids import new_time_ordered
from governance.domain.law import ErasureGround
from governance.domain.mass import CLOSED, MassKind, MassState
from governance.models.requests import Decision


class MassAct(models.Model):
    """An act on everybody of a source or purpose, worked off in batches.

    `scope_id` is the source's client or the purpose. `expected` is what the draft counted;
    `done` and `left` (by reason) are what has come of it. `cursor` and `upto` say how far it is
    and where it ends, and move in the commit of each batch, so nobody is acted on twice.
    `version` is the ETag: it rises with each decision, not with progress.
    """

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    controller_id = models.UUIDField()
    kind = models.CharField(max_length=16, choices=[(k, k) for k in MassKind])
    scope_id = models.UUIDField()
    state = models.CharField(max_length=9, choices=[(s, s) for s in MassState])
    ground = models.CharField(max_length=10, choices=[(g, g) for g in ErasureGround], blank=True)
    expected = models.JSONField(default=dict)
    done = models.PositiveIntegerField(default=0)
    left = models.JSONField(default=dict)
    cursor = models.CharField(max_length=40, blank=True)
    upto = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "scope_id"],
                condition=~Q(state__in=sorted(CLOSED)),
                name="one_open_mass_act_per_scope",
            )
        ]
        indexes = [models.Index(fields=["controller_id", "id"], name="mass_act_by_controller")]


class MassDecision(models.Model):
    """One act of decision on a mass act, by one person; rows are only added."""

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    mass_act = models.ForeignKey(MassAct, on_delete=models.PROTECT, related_name="decisions")
    act = models.CharField(max_length=10, choices=Decision.Act.choices)
    person_id = models.UUIDField()
    actor_id = models.CharField(max_length=60)
    role = models.CharField(max_length=30)
    at = models.DateTimeField()
    event_id = models.UUIDField(null=True)
