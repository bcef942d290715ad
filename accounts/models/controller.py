"""The organisation that decides on purposes (GDPR Article 4(7)); every row of data has one."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from core import ids
from core.clock import now


class Controller(models.Model):  # type: ignore[django-manager-missing]  # toolkit is untyped
    id = models.UUIDField(primary_key=True, default=ids.new_time_ordered, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    #: ISO 3166-1 alpha-2; picks the holiday calendar of deadlines.
    country = models.CharField(max_length=2, validators=[RegexValidator(r"^[A-Z]{2}\Z")])
    #: IANA name; a day of a deadline ends in this zone.
    timezone = models.CharField(max_length=64, default="UTC")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="accounts_controller_slug_form",
                condition=Q(slug__regex=r"^[a-z0-9][a-z0-9-]*$"),
            ),
            models.CheckConstraint(
                name="accounts_controller_country_form", condition=Q(country__regex=r"^[A-Z]{2}$")
            ),
        ]

    def __str__(self) -> str:
        return self.slug
