"""Wrapping keys of purposes, taken from a pool that set-up made in the key store.

No running process may create keys or policies, so a purpose takes a key that exists already.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from core.errors import Conflict, IntegrityViolation
from core.unit_of_work import requires_unit_of_work
from vault.models import PurposeKey


class PoolExhausted(Conflict):
    """The pool of wrapping keys is empty."""

    code = "purpose-key-pool-exhausted"
    text = (
        "No free purpose key is left; run `manage.py custodian_setup --pool N` "
        "and `manage.py register_purpose_keys`."
    )


class WrappingKeyMissing(IntegrityViolation):
    """An active purpose has no wrapping key."""

    code = "purpose-key-missing"
    text = "The purpose has no wrapping key."


def register(names: Sequence[str]) -> int:
    """Add keys of the key store to the pool; known ones are left. Returns how many were new."""
    before = PurposeKey.objects.count()
    PurposeKey.objects.bulk_create((PurposeKey(name=name) for name in names), ignore_conflicts=True)
    return PurposeKey.objects.count() - before


@requires_unit_of_work
def assign(*, controller_id: UUID, purpose_id: UUID, now: datetime) -> str:
    """The purpose's wrapping key; takes a free one of the pool the first time.

    Raises PoolExhausted.
    """
    own = PurposeKey.objects.filter(purpose_id=purpose_id).first()
    if own is not None:
        return own.name
    free = PurposeKey.objects.select_for_update(skip_locked=True).filter(purpose_id=None).first()
    if free is None:
        raise PoolExhausted
    free.controller_id, free.purpose_id, free.assigned_at = controller_id, purpose_id, now
    free.save(update_fields=["controller_id", "purpose_id", "assigned_at"])
    return free.name


def wrapping_key(purpose_id: UUID) -> str:
    """The purpose's wrapping key. Raises WrappingKeyMissing."""
    name = PurposeKey.objects.filter(purpose_id=purpose_id).values_list("name", flat=True).first()
    if name is None:
        raise WrappingKeyMissing
    return name
