"""Opened data keys of this process: bounded, at most a minute old, in memory only.

Keyed by the hash of the wrapped grant, so a grant that is gone or forged finds nothing; the
fence is in the SELECT that finds the grant. Shares are never kept.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256

from django.conf import settings

from vault import runtime
from vault.ports import GrantFailure, GrantToOpen


class KeyCache:
    """Map of grant hash to (expiry on the monotonic clock, key)."""

    def __init__(self, *, seconds: float, size: int) -> None:
        self._seconds, self._size = seconds, size
        self._lock = threading.Lock()
        self._keys: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()

    def get_many(self, names: Sequence[bytes]) -> list[bytes | None]:
        """The keys that are here and not too old, in order."""
        oldest = time.monotonic()
        with self._lock:
            self._drop_expired(oldest)
            found = [self._keys.get(name) for name in names]
        return [entry[1] if entry else None for entry in found]

    def put_many(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep keys; the oldest make room."""
        expiry = time.monotonic() + self._seconds
        with self._lock:
            self._drop_expired(time.monotonic())
            for name, key in entries:
                self._keys[name] = (expiry, key)
                self._keys.move_to_end(name)
            while len(self._keys) > self._size:
                self._keys.popitem(last=False)

    def _drop_expired(self, now: float) -> None:
        """Keys are kept in the order in which they expire, so the first live one ends it."""
        while self._keys:
            name, (expiry, _) = next(iter(self._keys.items()))
            if expiry > now:
                return
            del self._keys[name]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._keys.clear()


_cache: KeyCache | None = None


def cache() -> KeyCache:
    """The cache of this process."""
    global _cache  # noqa: PLW0603 - one per process by design
    if _cache is None:
        _cache = KeyCache(
            seconds=settings.LETHE_DEK_CACHE.total_seconds(), size=settings.LETHE_DEK_CACHE_SIZE
        )
    return _cache


def grant_name(grant: GrantToOpen) -> bytes:
    """What the cache knows a grant by: wrapping key, share and wrapped bytes together."""
    return sha256(grant.wrapping_key.encode() + b"\x00" + grant.share.kid + grant.wrapped).digest()


def open_grants(grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
    """As KeyCustodian.open_grants, asking the key store only for what is not cached."""
    names = [grant_name(grant) for grant in grants]
    answers: list[bytes | GrantFailure | None] = [*cache().get_many(names)]
    cold = [index for index, answer in enumerate(answers) if answer is None]
    if cold:
        opened = runtime.custodian().open_grants([grants[index] for index in cold])
        for index, answer in zip(cold, opened, strict=True):
            answers[index] = answer
        cache().put_many(
            [
                (names[index], answer)
                for index, answer in zip(cold, opened, strict=True)
                if isinstance(answer, bytes)
            ]
        )
    return [answer for answer in answers if answer is not None]


def keep(made: Sequence[tuple[GrantToOpen, bytes]]) -> None:
    """Keep keys that this process has just made; their grants must be committed."""
    cache().put_many([(grant_name(grant), key) for grant, key in made])
