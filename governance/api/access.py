"""Who may call which method: tokens by scope, people by role, each refusal with its own code."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from core.api.caller import Caller
from core.errors import NotPermitted
from governance.errors import PersonNeeded, RoleMissing

ANALYST, OFFICER, DPO = "analyst", "compliance-officer", "dpo"
AUDITOR, CUSTODIAN, SOURCE_ADMIN = "auditor", "key-custodian", "source-admin"
#: Staff who see the registry, requests and evidence of their controller, never data.
READERS = (ANALYST, OFFICER, DPO, AUDITOR)
#: Staff who may open records, bound to a case.
CASE_WORKERS = (ANALYST, OFFICER, DPO)


class ScopeMissing(NotPermitted):
    """The token lacks every scope that would do."""

    code = "scope-missing"
    text = "The token does not carry a scope that permits this."


class Access(BasePermission):
    """Lets tokens of programs in by scope and people by role; `people_only` refuses programs."""

    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    is_open = False

    def has_permission(self, request: Request, view: APIView) -> bool:
        del view
        caller: object = request.user
        if not isinstance(caller, Caller):
            return False
        check(caller, scopes=self.scopes, roles=self.roles, is_open=self.is_open)
        return True


def check(
    caller: Caller, *, scopes: tuple[str, ...], roles: tuple[str, ...], is_open: bool = False
) -> None:
    """Raise PersonNeeded, ScopeMissing or RoleMissing unless one scope or one role fits."""
    if is_open or caller.scopes & set(scopes):
        return
    if caller.is_person:
        if not caller.roles & set(roles):
            raise RoleMissing(accepted=", ".join(roles))
        return
    if not scopes:
        raise PersonNeeded
    raise ScopeMissing(accepted=", ".join(scopes))


def allow(*scopes: str, roles: tuple[str, ...] = ()) -> list[type[Access]]:
    """Callers with one of `scopes`, or people with one of `roles`; without scopes people only."""
    given_roles = roles
    return [type("ScopesOrRoles", (Access,), {"scopes": scopes, "roles": given_roles})]


def everyone() -> list[type[Access]]:
    """Any caller of the controller."""
    return [type("Everyone", (Access,), {"is_open": True})]


def describe(view: Any) -> str:
    """The access rule of the view's method, as a sentence for the OpenAPI document."""
    rules = [rule for rule in view.get_permissions() if isinstance(rule, Access)]
    if not rules:
        return ""
    rule = rules[0]
    if rule.is_open:
        return "Access: any caller of the controller."
    parts = []
    if rule.scopes:
        parts.append("a token with " + " or ".join(f"`{scope}`" for scope in rule.scopes))
    if rule.roles:
        parts.append("a person with the role " + ", ".join(f"`{role}`" for role in rule.roles))
    return f"Access: {'; or '.join(parts)}."
