"""The human behind accounts: separation of duties counts persons, never accounts."""

from django.db import models

from core import ids
from core.clock import now


class Person(models.Model):
    """Nothing but an id: two accounts of one human point to the same row."""

    id = models.UUIDField(primary_key=True, default=ids.new_random, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return str(self.id)
