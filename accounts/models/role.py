"""What a member of staff may do; which acts exclude each other is checked by person."""

from django.db import models
from django.db.models import Q

from accounts.models.user import User
from core.clock import now


class Role(models.TextChoices):
    ANALYST = "analyst"
    COMPLIANCE_OFFICER = "compliance-officer"
    DPO = "dpo"
    AUDITOR = "auditor"
    KEY_CUSTODIAN = "key-custodian"
    OPERATOR = "operator"
    SOURCE_ADMIN = "source-admin"


class RoleAssignment(models.Model):
    """One role of one user; who gave it and when is in the audit trail."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_assignments")
    role = models.CharField(max_length=32, choices=Role.choices)
    assigned_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="accounts_role_once_per_user", fields=["user", "role"]),
            models.CheckConstraint(
                name="accounts_role_known", condition=Q(role__in=list(Role.values))
            ),
        ]

    def __str__(self) -> str:
        return self.role
