"""Who may call. `HasCaller` is the least; a ServiceView names more for each of its methods."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core.api.caller import Caller


class HasCaller(BasePermission):
    """Somebody identified; anonymous requests are refused."""

    def has_permission(self, request: Request, view: Any) -> bool:  # noqa: ARG002 - DRF's form
        caller: Any = request.user
        return isinstance(caller, Caller) and self.accepts(caller)

    def accepts(self, caller: Caller) -> bool:  # noqa: ARG002 - for subclasses to narrow
        """Whether this caller may go on."""
        return True


class Nobody(HasCaller):
    """Stands for every method that a view gives no rule for."""

    def accepts(self, caller: Caller) -> bool:  # noqa: ARG002 - nobody at all
        return False


def scopes(*needed: str) -> type[BasePermission]:
    """A permission for callers whose token carries every one of `needed`."""

    class HasScopes(HasCaller):
        required_scopes = frozenset(needed)

        def accepts(self, caller: Caller) -> bool:
            return self.required_scopes <= caller.scopes

    return HasScopes


def person_with(*roles: str) -> type[BasePermission]:
    """A permission for people who hold one of `roles` (any person when none is named).

    Client credentials are refused whatever their scopes.
    """

    class IsPerson(HasCaller):
        accepted_roles = frozenset(roles)

        def accepts(self, caller: Caller) -> bool:
            if not caller.is_person:
                return False
            return not self.accepted_roles or bool(self.accepted_roles & caller.roles)

    return IsPerson
