from django.db import models


class RemovalAcknowledgement(models.Model):
    """A consumer of a purpose says it has dropped every alias up to a removal; rows are added.

    `up_to` is the number of that removal.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    purpose_id = models.UUIDField()
    client_id = models.UUIDField()
    up_to = models.PositiveBigIntegerField()
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["purpose_id", "client_id"], name="removals_acknowledged")]
