from typing import ClassVar

from django.db import models


class ClockOffset(models.Model):
    """At most one row: how far the product's clock is ahead. Honoured in development only."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    ahead = models.DurationField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="core_clockoffset_one_row"),
        ]

    def __str__(self) -> str:
        return f"ahead {self.ahead}"
