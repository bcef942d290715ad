"""Repeats of a request under one Idempotency-Key act once and answer alike for 24 hours.

Kept are a status and the id of what came of it, under keyed digests: neither key nor body.
"""

import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db.models import Q, QuerySet

from core.errors import Conflict, InvalidInput
from core.models import IdempotencyRecord

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


class MalformedKey(InvalidInput):
    """Not 1 to 255 printable ASCII characters."""

    code = "malformed-idempotency-key"
    text = "Idempotency-Key takes 1 to 255 printable ASCII characters."


@dataclass(frozen=True, slots=True)
class Replay:
    """What the first request with this key came to."""

    status: int
    resource_id: str


def body_mac(body: bytes, *, route: str = "") -> bytes:
    """Keyed digest of a request's body and route; tells nothing to who lacks SECRET_KEY."""
    return _mac(b"body", route.encode(), body)


def begin(*, caller_id: str, key: str, body_mac: bytes, now: datetime) -> Replay | None:
    """Reserve `key` for this request, or tell what it came to before.

    None means: act, then call `finish` in the transaction of the act, or `abandon`. Raises
    IdempotencyKeyReused, StillRunning, MalformedKey.
    """
    if not (0 < len(key) <= _LONGEST_KEY and key.isascii() and key.isprintable()):
        raise MalformedKey(field="Idempotency-Key")
    key_mac = _mac(b"key", caller_id.encode(), key.encode())
    row, created = IdempotencyRecord.objects.get_or_create(
        caller_id=caller_id,
        key_mac=key_mac,
        defaults={
            "body_mac": body_mac,
            "created_at": now,
            "locked_until": now + _STALE,
            "expires_at": now + KEPT,
        },
    )
    return None if created else _known(row, body_mac, now)


def finish(*, caller_id: str, key: str, status: int, resource_id: str) -> None:
    """Keep what the request came to; belongs into the transaction of the act."""
    _of(caller_id, key).update(status=status, resource_id=resource_id)


def abandon(*, caller_id: str, key: str, now: datetime) -> None:
    """The act was not done: the same key may be tried again at once."""
    _of(caller_id, key).filter(status__isnull=True).update(locked_until=now)


@contextmanager
def guard(*, caller_id: str, key: str, body_mac: bytes, now: datetime) -> Iterator[Replay | None]:
    """`begin`, and `abandon` when the block raises; the block calls `finish`."""
    replay = begin(caller_id=caller_id, key=key, body_mac=body_mac, now=now)
    try:
        yield replay
    except BaseException:
        if replay is None:
            abandon(caller_id=caller_id, key=key, now=now)
        raise


def purge(*, now: datetime) -> int:
    """Delete what has expired; how many."""
    return IdempotencyRecord.objects.filter(expires_at__lte=now).delete()[0]


def _known(row: IdempotencyRecord, body_mac: bytes, now: datetime) -> Replay | None:
    same = hmac.compare_digest(bytes(row.body_mac), body_mac)
    if row.expires_at > now:
        if not same:
            raise IdempotencyKeyReused
        if row.status is not None:
            return Replay(status=row.status, resource_id=row.resource_id)
    # Expired, or begun and never finished: one of those who see that takes it over.
    free = Q(expires_at__lte=now) | Q(status__isnull=True, locked_until__lte=now)
    taken = IdempotencyRecord.objects.filter(free, id=row.id).update(
        body_mac=body_mac,
        status=None,
        resource_id="",
        created_at=now,
        locked_until=now + _STALE,
        expires_at=now + KEPT,
    )
    if not taken:
        raise StillRunning
    return None


def _of(caller_id: str, key: str) -> QuerySet[IdempotencyRecord]:
    key_mac = _mac(b"key", caller_id.encode(), key.encode())
    return IdempotencyRecord.objects.filter(caller_id=caller_id, key_mac=key_mac)


def _mac(*parts: bytes) -> bytes:
    mac = hmac.new(_secret(settings.SECRET_KEY), digestmod=sha256)
    for part in parts:
        mac.update(len(part).to_bytes(8, "big") + part)
    return mac.digest()


@cache
def _secret(secret_key: str) -> bytes:
    derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"idempotency")
    return derive.derive(secret_key.encode())
