"""Programs that call the API: sources, pipelines, and the public client through which staff act."""

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from oauth2_provider.models import AbstractApplication

from accounts.models.controller import Controller
from core import ids
from core.ids import PublicId


class ClientKind(models.TextChoices):
    SOURCE = "source"
    PIPELINE = "pipeline"
    CONSOLE = "console"


#: The one scope of people's tokens: what they may do follows from their roles alone.
PERSON_SCOPE = "staff:act"
_CONFIDENTIAL = Q(
    client_type=AbstractApplication.CLIENT_CONFIDENTIAL,
    authorization_grant_type=AbstractApplication.GRANT_CLIENT_CREDENTIALS,
    hash_client_secret=True,
    controller__isnull=False,
)
_PUBLIC = Q(
    client_type=AbstractApplication.CLIENT_PUBLIC,
    authorization_grant_type=AbstractApplication.GRANT_AUTHORIZATION_CODE,
)


def public_client_id(client_uuid: UUID) -> str:
    """Return the one public name of a client: OAuth client_id and actor id alike."""
    return ids.format(PublicId.CLIENT, client_uuid)


class ClientManager(models.Manager["APIClient"]):
    """Finds a client by its public name, as the toolkit asks."""

    def get_by_natural_key(self, client_id: str) -> "APIClient":
        return self.get(client_id=client_id)


class APIClient(AbstractApplication):  # type: ignore[misc]  # the toolkit carries no types
    """An OAuth application of exactly one controller; a console client may serve all of them.

    A check constraint leaves only two flows: client credentials for programs, authorization
    code for people. What a token may carry never exceeds `allowed_scopes`.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_random, editable=False)
    controller = models.ForeignKey(
        Controller, on_delete=models.PROTECT, related_name="clients", null=True, blank=True
    )
    kind = models.CharField(max_length=16, choices=ClientKind.choices)
    allowed_scopes = ArrayField(models.CharField(max_length=100), default=list, blank=True)
    is_active = models.BooleanField(default=True)

    objects: ClassVar[ClientManager] = ClientManager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="accounts_client_flow_fits_kind",
                condition=(
                    (Q(kind__in=[ClientKind.SOURCE, ClientKind.PIPELINE]) & _CONFIDENTIAL)
                    | (Q(kind=ClientKind.CONSOLE) & _PUBLIC)
                ),
            ),
        ]

    def __str__(self) -> str:
        return str(self.client_id)

    def natural_key(self) -> tuple[str]:
        return (self.client_id,)

    def is_usable(self, request: object) -> bool:
        """Tell the toolkit whether this client may get or use tokens now."""
        del request
        return self.is_active and (self.controller is None or self.controller.is_active)
