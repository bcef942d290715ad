"""Repeats of a request under one Idempotency-Key act once and answer alike for 24 hours.

Kept are a status and the id of what came of it, under keyed digests: neither key nor body. The
service that acts keeps them, by `settle`, in the commit that makes the act true: whoever dies
after it leaves an answer, whoever dies before it leaves nothing.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import Q, QuerySet

from core.errors import Conflict, InvalidInput
from core.ids import new_random
from core.models import IdempotencyRecord
from core.unit_of_work import forget_broken_connection, requires_unit_of_work

KEPT = timedelta(hours=24)
#: After this a request that never finished may be tried again: its process is gone.
_STALE = timedelta(seconds=90)
_LONGEST_KEY = 255


class IdempotencyKeyReused(Conflict):
    """The key was used before with another body or on another route."""

    code = "idempotency-key-reused"
    text = "This Idempotency-Key was used with another request; take a new one."


class StillRunning(Conflict):
    """The first request with this key has not finished yet."""

    code = "idempotency-in-progress"
    text = "The first request with this Idempotency-Key is still running; try again."
    retryable = True
    retry_after = 2


class TakenOver(Conflict):
    """The request took so long that a repeat was let act; what this one did is undone."""

    code = "idempotency-taken-over"
    text = "A repeat with this Idempotency-Key has taken over; try again."
    retryable = True
    retry_after = 2


class MalformedKey(InvalidInput):
    """Not 1 to 255 printable ASCII characters."""

    code = "malformed-idempotency-key"
    text = "Idempotency-Key takes 1 to 255 printable ASCII characters."


@dataclass(frozen=True, slots=True)
class Replay:
    """What the first request with this key came to."""

    status: int
    resource_id: str


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to act under a key, until another request takes over; `owner` tells them apart.

    `status` is what an act that succeeds is answered with, unless the act says another.
    """

    record_id: int
    owner: UUID
    status: int = 201


_turn: ContextVar[Turn | None] = ContextVar("idempotency_turn", default=None)


def body_mac(body: bytes, *, route: str = "") -> bytes:
    """Keyed digest of a request's body and route; tells nothing to who lacks SECRET_KEY."""
    return _mac(b"body", route.encode(), body)


def begin(
    *, caller_id: str, key: str, body_mac: bytes, now: datetime, status: int = 201
) -> Replay | Turn:
    """Reserve `key` for this request, or tell what it came to before.

    With a Turn: act, then `finish` or `abandon` it. Raises IdempotencyKeyReused, StillRunning,
    MalformedKey.
    """
    if not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        raise MalformedKey(field="Idempotency-Key")
    fresh: dict[str, Any] = {
        "owner": new_random(),
        "body_mac": body_mac,
        "status": None,
        "resource_id": "",
        "created_at": now,
        "locked_until": now + _STALE,
        "expires_at": now + KEPT,
    }
    row, created = IdempotencyRecord.objects.get_or_create(
        caller_id=caller_id,
        key_mac=_mac(b"key", caller_id.encode(), key.encode()),
        defaults=fresh,
    )
    if not created:
        replay = _known(row, body_mac, now) or _take_over(row, fresh, now)
        if replay is not None:
            return replay
    return Turn(row.id, fresh["owner"], status)


@requires_unit_of_work
def settle(*, resource_id: str, status: int | None = None) -> None:
    """Keep what the request in progress came to, with the commit of the caller's unit of work.

    Called by the service in the unit of work after which a repeat would act twice. Nothing
    happens outside a request that has a key. Raises TakenOver: the whole unit of work must fail.
    """
    turn = _turn.get()
    if turn is not None and not _keep(turn, status or turn.status, resource_id):
        raise TakenOver


def finish(turn: Turn, *, status: int, resource_id: str) -> None:
    """Keep what the request came to where its act settled nothing, or less than is known now."""
    _keep(turn, status, resource_id)


def abandon(turn: Turn, *, now: datetime) -> None:
    """The act was not done: the same key may be tried again at once."""
    forget_broken_connection()
    _held(turn).filter(status__isnull=True).update(locked_until=now)


@contextmanager
def guard(
    *, caller_id: str, key: str, body_mac: bytes, now: datetime, status: int = 201
) -> Iterator[Replay | Turn]:
    """`begin`, and `abandon` when the block raises; services in the block may `settle`."""
    begun = begin(caller_id=caller_id, key=key, body_mac=body_mac, now=now, status=status)
    if isinstance(begun, Replay):
        yield begun
        return
    before = _turn.set(begun)
    try:
        yield begun
    except BaseException:
        abandon(begun, now=now)
        raise
    finally:
        _turn.reset(before)


def purge(*, now: datetime) -> int:
    """Delete what has expired; how many."""
    return IdempotencyRecord.objects.filter(expires_at__lte=now).delete()[0]


def _known(row: IdempotencyRecord, body_mac: bytes, now: datetime) -> Replay | None:
    if row.expires_at <= now:
        return None
    if not hmac.compare_digest(bytes(row.body_mac), body_mac):
        raise IdempotencyKeyReused
    if row.status is None:
        return None
    return Replay(status=row.status, resource_id=row.resource_id)


def _take_over(row: IdempotencyRecord, fresh: dict[str, Any], now: datetime) -> Replay | None:
    """Expired, or begun and never finished: one of those who see that takes it over.

    Waits for a commit that settles it; then there is a replay instead.
    """
    free = Q(expires_at__lte=now) | Q(status__isnull=True, locked_until__lte=now)
    if IdempotencyRecord.objects.filter(free, id=row.id).update(**fresh):
        return None
    row.refresh_from_db()
    replay = _known(row, fresh["body_mac"], now)
    if replay is None:
        raise StillRunning
    return replay


def _held(turn: Turn) -> QuerySet[IdempotencyRecord]:
    return IdempotencyRecord.objects.filter(id=turn.record_id, owner=turn.owner)


def _keep(turn: Turn, status: int, resource_id: str) -> bool:
    """Whether the record was still this turn's; from then on its row is locked until commit."""
    return _held(turn).update(status=status, resource_id=resource_id) == 1


def _mac(*parts: bytes) -> bytes:
    mac = hmac.new(_secret(settings.SECRET_KEY), digestmod=sha256)
    for part in parts:
        mac.update(len(part).to_bytes(8, "big") + part)
    return mac.digest()


@cache
def _secret(secret_key: str) -> bytes:
    derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"idempotency")
    return derive.derive(secret_key.encode())
