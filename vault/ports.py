"""What vault needs from the outside: a key custodian, a lookup hasher, a journal, participants.

Shares never leave an adapter except inside `FreshShare`, which prints redacted and lives for
one call. All batches may be of any size; adapters cut them to what their store takes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol
from uuid import UUID

from vault.domain.gate import Marker
from vault.domain.journal import Entry


@dataclass(frozen=True, slots=True)
class ShareRef:
    """Where a key share lies: 16 random bytes `kid`, the controller, the key-store cluster."""

    kid: bytes
    controller_id: UUID
    cluster: str = "default"


@dataclass(frozen=True, slots=True)
class FreshShare:
    """A share just created, handed back so that its first grants need no read."""

    ref: ShareRef
    secret: bytes = field(repr=False)


class ShareState(StrEnum):
    """What the key store says of a share."""

    LIVE = "live"
    DESTROYED = "destroyed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class GrantToOpen:
    """A wrapped data key and what is needed to unwrap it.

    `wrapped` begins with the version of the wrapping key, 4 bytes, big-endian.
    """

    share: ShareRef
    wrapping_key: str
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class GrantToMake:
    """A data key (32 bytes) to wrap under a wrapping key for a share."""

    share: ShareRef | FreshShare
    wrapping_key: str
    data_key: bytes = field(repr=False)


class GrantFailure(StrEnum):
    """Why one item of a batch could not be opened or made; the rest of the batch goes on."""

    SHARE_DESTROYED = "share-destroyed"
    SHARE_ABSENT = "share-absent"
    NOT_AUTHENTIC = "not-authentic"
    NOT_PERMITTED = "not-permitted"
    KEY_ABSENT = "key-absent"
    VERSION_ABSENT = "version-absent"


@dataclass(frozen=True, slots=True)
class DestructionReading:
    """What one node of the key store says of a share after destruction.

    `destroyed_at` is None where the store keeps no time of destruction.
    """

    ref: ShareRef
    state: ShareState
    node: str
    versions: int
    destroyed_at: datetime | None


class KeyCustodian(Protocol):
    """Holds shares and wrapping keys. Raises CustodianUnavailable when it does not answer."""

    def create_shares(self, refs: Sequence[ShareRef]) -> list[FreshShare | ShareState]:
        """Write a fresh 256-bit share at each ref, once.

        A ref that is already there is never overwritten and answers its state instead
        (LIVE when an earlier call's answer was lost, DESTROYED when it can never be used again).
        """
        ...

    def open_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        """Unwrap each data key; answers in order."""
        ...

    def make_grants(self, grants: Sequence[GrantToMake]) -> list[bytes | GrantFailure]:
        """Wrap each data key; answers in order. Never creates a wrapping key."""
        ...

    def destroy_shares(self, refs: Sequence[ShareRef]) -> None:
        """Destroy every version of each share.

        A return proves nothing: the caller reads the destruction back. Destroying what is
        destroyed or absent is no error.
        """
        ...

    def read_destruction(self, refs: Sequence[ShareRef]) -> list[DestructionReading]:
        """Read each share's state from metadata on every node, without reading the share.

        One reading per (ref, node), refs in order.
        """
        ...


#: Every folder of shares: they lie in 256, by the first byte of the kid.
FOLDERS: Final = range(256)


class KeyInventory(Protocol):
    """Names of the shares that a key store holds, without reading them."""

    def controllers(self) -> Sequence[UUID]:
        """Every controller that ever had a share, in any order. Raises CustodianUnavailable."""
        ...

    def kids(self, *, controller_id: UUID, folders: range = FOLDERS) -> Sequence[bytes]:
        """Every kid of the controller's shares, destroyed ones included, in any order.

        Of these `folders` only, when they are named.

        Raises CustodianUnavailable.
        """
        ...


class LookupHasher(Protocol):
    """Keyed tags under keys that never leave the key store."""

    def tags(self, *, key: str, values: Sequence[bytes]) -> list[bytes]:
        """HMAC-SHA-256 (32 bytes) of each value under the named key (`lookup`, `suppression`).

        Raises CustodianUnavailable.
        """
        ...


#: More versions of a key do not fit into one entry of Vault's: a higher number is a forgery.
MOST_VERSIONS: Final = 10_000


@dataclass(frozen=True, slots=True)
class KeyVersions:
    """Versions of one wrapping key: those from `minimum` to `latest` open what they wrapped.

    `marks` tells a version from another one of the same number, which a key store that was put
    back and rotated anew has.
    """

    minimum: int
    latest: int
    marks: Mapping[int, str]


class KeyRotation(Protocol):
    """New versions of wrapping keys, and grants brought to them. No data key is seen in clear.

    All raise CustodianUnavailable.
    """

    def key_versions(self, wrapping_key: str) -> KeyVersions | None:
        """The key's versions; None for a key that is not there."""
        ...

    def rotate(self, wrapping_key: str) -> None:
        """Add a version; what is wrapped from now on is wrapped under it.

        Not repeatable: after an error the caller reads the versions.
        """
        ...

    def rewrap_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        """The same data keys under the latest versions; answers in order."""
        ...

    def raise_minimum(self, wrapping_key: str, *, version: int) -> None:
        """Refuse from now on to open what older versions than `version` wrapped. Repeatable."""
        ...


class WrappingKeys(Protocol):
    """Names of wrapping keys in the key store; used by set-up and doctor only."""

    def available(self) -> Sequence[str]:
        """Names of the purpose keys that exist in the key store, in any order."""
        ...


@dataclass(frozen=True, slots=True)
class JournalReceipt:
    """Proof that an entry is durable: its place, the hash of the chain at it.

    `ordinal` counts the destruction entries up to and with it.
    """

    journal_id: UUID
    sequence: int
    hash: bytes
    ordinal: int


@dataclass(frozen=True, slots=True)
class JournalDraft:
    """An entry to append: its kind and a body without identity (`docs/formats/journal.md`)."""

    kind: str
    body: Mapping[str, object]


class JournalReader(Protocol):
    """Reads the journal, beside its writer or in its stead."""

    def head(self) -> JournalReceipt:
        """The last durable entry, as the volumes have it now. Raises JournalUnavailable."""
        ...

    def entries(self, *, after: int = -1) -> Iterator[Entry]:
        """Durable entries with a sequence above `after`.

        Raises JournalUnavailable, also when some of them are only there as a summary.
        """
        ...

    def hash_at(self, *, sequence: int) -> bytes | None:
        """The chain's hash at an entry; None for one that is not there yet.

        Raises JournalUnavailable, also for an entry older than the newest that was summarised.
        """
        ...

    def destructions(self, *, after_ordinal: int) -> Iterator[Entry]:
        """Destruction entries with an ordinal above `after_ordinal`.

        Raises JournalUnavailable, also when some of them are only there as a summary.
        """
        ...


class Journal(JournalReader, Protocol):
    """Append-only, hash-chained, durable record of acts that a restore must not undo."""

    def append_many(self, drafts: Sequence[JournalDraft], *, now: datetime) -> list[JournalReceipt]:
        """Append the entries and return once all are on stable storage of every volume.

        Raises JournalUnavailable; then none of the acts they announce must be done. Raises
        ValueError for a body that its kind does not have.
        """
        ...


class DestructionMarker(Protocol):
    """What the key store itself remembers of destructions, so that a restored one is found out."""

    def read_marker(self) -> Marker | None:
        """The marker, or None where there is none. Raises CustodianUnavailable."""
        ...

    def write_marker(self, marker: Marker) -> None:
        """Store the marker; returns once it is durable. Raises CustodianUnavailable.

        The caller is the only writer (it holds the journal's lock).
        """
        ...


@dataclass(frozen=True, slots=True)
class Swept:
    """A person whose data is being swept: this is the last time the three ids stand together.

    `trail_id` is None for what a creation that broke off left.
    """

    erasure_id: UUID
    subject_id: UUID
    trail_id: UUID | None


@dataclass(frozen=True, slots=True)
class Revoked:
    """A withdrawal that the journal knew and a restored database did not."""

    controller_id: UUID
    trail_id: UUID
    purpose_id: UUID
    decided_at: datetime


class SubjectParticipant(Protocol):
    """An upper room that takes part when subjects are erased or a journal is replayed."""

    def swept(self, *, erasures: Sequence[Swept]) -> None:
        """Delete or anonymise everything of these subjects; runs inside vault's transaction.

        Must be idempotent.
        """
        ...

    def attested(self, *, erasure_ids: Sequence[UUID]) -> None:
        """Destruction was verified and attested; runs inside vault's transaction."""
        ...

    def replayed(self, *, revocations: Sequence[Revoked], now: datetime) -> None:
        """Write down withdrawals that were replayed; runs inside vault's transaction.

        Must be idempotent.
        """
        ...
