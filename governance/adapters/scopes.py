"""OAuth scopes: a fixed list for sources, and one per purpose of the registry."""

from typing import Any

from oauth2_provider.scopes import BaseScopes

from accounts.models import PERSON_SCOPE
from core import ids
from core.ids import PublicId
from governance.models import Purpose

FIXED = {
    "records:write": "Create data subjects and put their records in",
    "records:read": "Read the records that this source put in",
    "consent:write": "Pass decisions of consent on",
    "consent:read": "Read decisions of consent",
    "requests:write": "Forward requests of data subjects",
    "registry:write": "Change categories and purposes",
}
#: What a person's token carries; programs cannot ask for it (see accounts.oauth).
PERSONAL = {PERSON_SCOPE: "Act with your roles"}


def purpose_scope(purpose_id: Any) -> str:
    """The scope that reads one purpose: `purpose:<id>:read`."""
    return f"purpose:{ids.format(PublicId.PURPOSE, purpose_id)}:read"


class RegistryScopes(BaseScopes):  # type: ignore[misc]  # the toolkit carries no types
    """What exists, and what one client of it may ask for."""

    def get_all_scopes(self) -> dict[str, str]:
        purposes = Purpose.objects.values_list("id", "code")
        return (
            FIXED
            | PERSONAL
            | {purpose_scope(id_): f"Read for purpose {code}" for id_, code in purposes}
        )

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """The client's own scopes that exist: fixed ones, and purposes of its controller."""
        del request, args, kwargs
        if application is None:
            return list(FIXED)
        own = Purpose.objects.filter(controller_id=application.controller_id)
        existing = set(FIXED) | {purpose_scope(id_) for id_ in own.values_list("id", flat=True)}
        return [scope for scope in application.allowed_scopes if scope in existing]

    def get_default_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        """A client that names no scope gets all of its own."""
        return self.get_available_scopes(application, request, *args, **kwargs)
