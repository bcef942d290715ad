from django.db import models
from django.db.models import Q

from core.ids import new_random
from vault.domain.states import RotationState


class Rotation(models.Model):
    """One wrapping key on its way to a new version; `state` is the machine.

    `purpose_id` is None for the custody key. `mark` tells the new version from another one of the
    same number. `cursor` is where the next batch begins, `left` how many grants the last pass had
    to leave under older versions, because their shares are lost.
    """

    id = models.UUIDField(primary_key=True, default=new_random, editable=False)
    wrapping_key = models.CharField(max_length=64)
    purpose_id = models.UUIDField(null=True)
    state = models.CharField(max_length=10, choices=[(s, s) for s in RotationState])
    from_version = models.PositiveIntegerField()
    to_version = models.PositiveIntegerField(null=True)
    mark = models.CharField(max_length=64, blank=True)
    cursor = models.CharField(max_length=120, blank=True)
    rewrapped = models.PositiveBigIntegerField(default=0)
    left = models.PositiveBigIntegerField(default=0)
    requested_by = models.CharField(max_length=60)
    planned_at = models.DateTimeField()
    rotated_at = models.DateTimeField(null=True)
    rewrapped_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["wrapping_key"],
                condition=~Q(state=RotationState.DONE),
                name="one_rotation_per_key",
            )
        ]
