from django.db import models


class SigningKey(models.Model):
    """A public signing key, archived when first seen so that old signatures stay checkable."""

    key_id = models.CharField(primary_key=True, max_length=64)
    holder = models.CharField(max_length=32)
    public = models.BinaryField(max_length=32)
    first_seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key_id
