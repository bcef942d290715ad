"""Public keys of processes, archived for ever, so that what they signed stays checkable."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from core import dsse
from core.errors import IntegrityViolation
from core.models import SigningKey
from core.ports import VerifyingKey
from core.unit_of_work import requires_unit_of_work


class SigningKeyChanged(IntegrityViolation):
    """A key id that is archived came back with another key."""

    code = "signing-key-changed"
    text = "A signing key differs from the one published under its name."


@requires_unit_of_work
def archive(keys: Sequence[VerifyingKey], *, now: datetime) -> None:
    """Keep `keys`. Raises SigningKeyChanged."""
    SigningKey.objects.bulk_create(
        (
            SigningKey(key_id=key.key_id, holder=key.holder, public=key.public, first_seen_at=now)
            for key in keys
        ),
        ignore_conflicts=True,
    )
    archived = SigningKey.objects.in_bulk([key.key_id for key in keys])
    if any(bytes(archived[key.key_id].public) != key.public for key in keys):
        raise SigningKeyChanged


def of(holder: str) -> list[VerifyingKey]:
    """Every key that this process ever signed with, oldest first."""
    rows = SigningKey.objects.filter(holder=holder)
    return [_key(row) for row in rows.order_by("first_seen_at", "key_id")]


def published() -> dict[str, Any]:
    """The document at /.well-known/lethe-keys: every key that ever signed, oldest first."""
    rows = SigningKey.objects.order_by("first_seen_at", "key_id")
    return dsse.keys_document([(_key(row), row.first_seen_at, None) for row in rows])


def _key(row: SigningKey) -> VerifyingKey:
    return VerifyingKey(row.key_id, row.holder, bytes(row.public))
