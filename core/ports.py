"""Protocols that upper rooms and adapters implement, bound by dotted path in settings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Signature:
    """An ed25519 signature and the key that made it.

    `key_id` is `<holder>:<version>`, e.g. `attester:1`; `holder` names the process that signs.
    """

    key_id: str
    holder: str
    value: bytes


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public ed25519 key, 32 raw bytes, as published at /.well-known/lethe-keys."""

    key_id: str
    holder: str
    public: bytes


class Signer(Protocol):
    """Signs with the key of this process; a process holds no other."""

    def sign(self, message: bytes) -> Signature:
        """Sign `message` (ed25519, pure). Raises Unavailable."""
        ...

    def verifying_keys(self) -> Sequence[VerifyingKey]:
        """All versions of this process's key, oldest first. Raises Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class LogHead:
    """The tree of `size` entries that a log was about to publish, and in which generation of it."""

    generation: int
    size: int
    root: bytes


class HeadKeeper(Protocol):
    """Keeps the log's last head outside the database, so that a restored one is found out."""

    def read_head(self) -> LogHead | None:
        """The head, or None where there is none. Raises Unavailable."""
        ...

    def replace_head(self, head: LogHead, *, known: LogHead | None) -> bool:
        """Put `head` in the place of `known`; False, and nothing done, when another is there.

        Durable when it returns. Raises Unavailable; then it may have been done.
        """
        ...


class OpeningSealer(Protocol):
    """Seals the opening of a subject event's commitment to the subject's evidence key."""

    def seal_openings(self, *, openings: Sequence[tuple[UUID, UUID, bytes]]) -> None:
        """Store (trail id, event id, opening) sealed; inside the caller's unit of work.

        Never calls the key store. Raises Erased or NotFound when the trail maps to no live
        subject.
        """
        ...
