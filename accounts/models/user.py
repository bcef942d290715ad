"""A member of staff who signs in by e-mail. Data subjects have no account."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from accounts.models.controller import Controller
from accounts.models.person import Person
from core import ids
from core.clock import now


class UserManager(BaseUserManager["User"]):
    """Looks users up by e-mail in lower case, as it is stored."""

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        return (email or "").strip().lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=self.normalize_email(username))

    def create_user(self, *, email: str, password: str | None, **fields: Any) -> "User":
        """Make a user and, unless `person` or `person_id` is given, a person of their own."""
        if fields.get("person") is None and fields.get("person_id") is None:
            fields["person_id"] = Person.objects.create().pk
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]  # untyped
    """`controller` is empty only for staff who run the installation for all controllers."""

    id = models.UUIDField(primary_key=True, default=ids.new_random, editable=False)
    email = models.EmailField(unique=True)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="users")
    controller = models.ForeignKey(
        Controller, on_delete=models.PROTECT, related_name="users", null=True, blank=True
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="accounts_user_email_lower_case", condition=Q(email=Lower("email"))
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def clean(self) -> None:
        self.email = UserManager.normalize_email(self.email)

    def roles(self) -> frozenset[str]:
        """Return the names of the roles the user holds now."""
        return frozenset(self.role_assignments.values_list("role", flat=True))
