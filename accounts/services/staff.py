"""Members of staff and their roles. Data subjects never appear here."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError

from accounts.errors import EmailTaken, StaffNotFound, UnknownRole, WeakPassword
from accounts.models import Person, Role, RoleAssignment, User
from accounts.models.user import UserManager
from core import audit
from core.actors import Actor
from core.errors import InvalidInput
from core.unit_of_work import requires_unit_of_work, unit_of_work


def create(
    *,
    email: str,
    password: str | None,
    roles: Collection[str],
    controller_id: UUID | None,
    actor: Actor,
    now: datetime,
    person_id: UUID | None = None,
) -> User:
    """Make an account that signs in by e-mail.

    With `password` None nobody can sign in until the person sets one through the reset page.
    `person_id` names the human when they already have an account: duties are separated by
    person, so a second account of the same human must name them; without it a new person is made.
    Raises InvalidInput, UnknownRole, WeakPassword, StaffNotFound (no such person), EmailTaken.
    """
    address = _checked_email(email)
    wanted = _checked_roles(roles)
    _check_password(password, address)
    if person_id is not None and not Person.objects.filter(pk=person_id).exists():
        raise StaffNotFound("There is no person with this id.", field="person_id")
    try:
        with unit_of_work():
            user = User.objects.create_user(
                email=address,
                password=password,
                controller_id=controller_id,
                person_id=person_id,
                created_at=now,
            )
            _record("accounts.staff.created", user=user, actor=actor, now=now)
            _set_roles(user=user, roles=wanted, actor=actor, now=now)
    except IntegrityError as error:
        if User.objects.filter(email=address).exists():
            raise EmailTaken(field="email") from error
        raise
    return user


def assign_roles(*, user_id: UUID, roles: Collection[str], actor: Actor, now: datetime) -> User:
    """Make `roles` the roles of the user, all of them; takes effect with their next request.

    Who may do so is the caller's to check. Raises UnknownRole, StaffNotFound.
    """
    wanted = _checked_roles(roles)
    with unit_of_work():
        user = _locked(user_id)
        _set_roles(user=user, roles=wanted, actor=actor, now=now)
    return user


def deactivate(*, user_id: UUID, actor: Actor, now: datetime) -> User:
    """Refuse sign-in, sessions and tokens of this account from now on. Raises StaffNotFound."""
    with unit_of_work():
        user = _locked(user_id)
        user.is_active = False
        user.save(update_fields=["is_active"])
        _record("accounts.staff.deactivated", user=user, actor=actor, now=now)
    return user


def _locked(user_id: UUID) -> User:
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise StaffNotFound
    return user


@requires_unit_of_work
def _set_roles(*, user: User, roles: frozenset[str], actor: Actor, now: datetime) -> None:
    held = user.roles()
    if roles == held:
        return
    user.role_assignments.exclude(role__in=roles).delete()
    RoleAssignment.objects.bulk_create(
        RoleAssignment(user=user, role=role, assigned_at=now) for role in sorted(roles - held)
    )
    _record("accounts.staff.roles_assigned", user=user, actor=actor, now=now, roles=sorted(roles))


def _record(
    action: str, *, user: User, actor: Actor, now: datetime, roles: list[str] | None = None
) -> None:
    details: dict[str, str | int | bool | list[str]] = {
        "user_id": str(user.pk),
        "person_id": str(user.person_id),
    }
    if roles is not None:
        details["roles"] = roles
    audit.record(
        action=action, actor=actor, controller_id=user.controller_id, now=now, details=details
    )


def _checked_email(email: str) -> str:
    address = UserManager.normalize_email(email)
    try:
        validate_email(address)
    except ValidationError as error:
        raise InvalidInput("This is not an e-mail address.", field="email") from error
    return address


def _checked_roles(roles: Collection[str]) -> frozenset[str]:
    unknown = set(roles) - set(Role.values)
    if unknown:
        raise UnknownRole(f"Choose from: {', '.join(Role.values)}.", field="roles")
    return frozenset(roles)


def _check_password(password: str | None, address: str) -> None:
    if password is None:
        return
    try:
        validate_password(password, User(email=address))
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), field="password") from error
