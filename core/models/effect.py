from typing import ClassVar

from django.db import models

from core.ids import new_time_ordered


class EffectState(models.TextChoices):
    """Where an effect stands; DONE is final, NEEDS_OPERATOR waits for a named person."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DONE = "done"
    NEEDS_OPERATOR = "needs-operator"


class Effect(models.Model):
    """An act on the outside that was decided and is not yet settled.

    `attempts` counts claims and drives the backoff; `failures` counts only what more waiting
    does not mend, and sends the effect to an operator when it reaches the limit.
    """

    id = models.UUIDField(primary_key=True, default=new_time_ordered, editable=False)
    kind = models.CharField(max_length=64)
    key = models.CharField(max_length=128)
    queue = models.CharField(max_length=32)
    payload = models.JSONField(default=dict)
    state = models.CharField(
        max_length=16, choices=EffectState.choices, default=EffectState.PENDING
    )
    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_token = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=64, blank=True)
    outcome = models.JSONField(null=True)
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "key"], name="core_effect_one_per_key"),
            models.CheckConstraint(
                condition=models.Q(
                    state=EffectState.CLAIMED,
                    lease_token__isnull=False,
                    lease_until__isnull=False,
                )
                | (
                    ~models.Q(state=EffectState.CLAIMED)
                    & models.Q(lease_token__isnull=True, lease_until__isnull=True)
                ),
                name="core_effect_lease_iff_claimed",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["queue", "due_at"],
                name="core_effect_due",
                condition=models.Q(state__in=[EffectState.PENDING, EffectState.CLAIMED]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
