from django.db import models

from vault.models.subjects import Subject


class PreparedSubject(models.Model):
    """A subject made ahead that nobody has yet; the row goes when it is taken.

    Like the gate's lease it is bound to the server and the table in which it was written.
    """

    subject = models.OneToOneField(Subject, on_delete=models.PROTECT, primary_key=True)
    controller_id = models.UUIDField()
    evidence_public = models.BinaryField()
    prepared_at = models.DateTimeField()
    system_identifier = models.BigIntegerField()
    postmaster_started = models.DateTimeField()
    table_oid = models.BigIntegerField()

    class Meta:
        indexes = [
            models.Index(fields=["controller_id", "prepared_at"], name="prepared_by_controller")
        ]
