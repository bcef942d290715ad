"""Controllers, persons, staff, roles, API clients and their tokens."""

from accounts.models.client import PERSON_SCOPE, APIClient, ClientKind, public_client_id
from accounts.models.controller import Controller
from accounts.models.person import Person
from accounts.models.role import Role, RoleAssignment
from accounts.models.token import AccessToken, AuthorizationGrant, IDToken, RefreshToken
from accounts.models.user import User

__all__ = [
    "PERSON_SCOPE",
    "APIClient",
    "AccessToken",
    "AuthorizationGrant",
    "ClientKind",
    "Controller",
    "IDToken",
    "Person",
    "RefreshToken",
    "Role",
    "RoleAssignment",
    "User",
    "public_client_id",
]
