"""A working in-memory key store with scripted failures, for tests of what happens around it.

It obeys the rules of the real one that the conformance suite checks: shares are written once, a
return of destroy proves nothing, nobody mints a wrapping key.
"""

import hmac
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.ports import Signature, VerifyingKey
from vault.domain.gate import Marker
from vault.errors import CustodianUnavailable
from vault.ports import (
    FOLDERS,
    MOST_VERSIONS,
    DestructionReading,
    FreshShare,
    GrantFailure,
    GrantToMake,
    GrantToOpen,
    KeyVersions,
    ShareRef,
    ShareState,
)


class FakeCustodian:
    """Implements every port of the key store but the signer."""

    def __init__(self, pool: int = 8) -> None:
        self.shares: dict[bytes, bytes | None] = {}
        self.owners: dict[bytes, UUID] = {}
        names = ["custody", *(f"p-{index:016x}" for index in range(pool))]
        #: Wrapping keys by name and version.
        self.wrapping = {name: {1: os.urandom(32)} for name in names}
        self.minimum: dict[str, int] = {}
        self.hashing = {"lookup": os.urandom(32), "suppression": os.urandom(32)}
        self.marker: Marker | None = None
        self.is_down = False
        self.calls: list[str] = []
        #: Names of calls whose work is done but whose answer is lost, once each.
        self.lost_answers: set[str] = set()

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if self.is_down:
            raise CustodianUnavailable

    def _answer(self, name: str) -> None:
        if name in self.lost_answers:
            self.lost_answers.remove(name)
            raise CustodianUnavailable

    def available(self) -> Sequence[str]:
        return [name for name in self.wrapping if name != "custody"]

    def controllers(self) -> Sequence[UUID]:
        self._call("controllers")
        return sorted({self.owners[kid] for kid in self.shares})

    def kids(self, *, controller_id: UUID, folders: range = FOLDERS) -> Sequence[bytes]:
        self._call("kids")
        mine = [kid for kid in self.shares if self.owners[kid] == controller_id]
        return [kid for kid in mine if kid[0] in folders]

    def create_shares(self, refs: Sequence[ShareRef]) -> list[FreshShare | ShareState]:
        self._call("create_shares")
        answers: list[FreshShare | ShareState] = []
        for ref in refs:
            if ref.kid in self.shares:
                held = self.shares[ref.kid]
                answers.append(ShareState.DESTROYED if held is None else ShareState.LIVE)
            else:
                self.shares[ref.kid] = secret = os.urandom(32)
                self.owners[ref.kid] = ref.controller_id
                answers.append(FreshShare(ref, secret))
        self._answer("create_shares")
        return answers

    def _wrapper(
        self, share: ShareRef | FreshShare, key: str, version: int | None = None
    ) -> tuple[AESGCM | None, GrantFailure]:
        ref = share.ref if isinstance(share, FreshShare) else share
        if ref.kid not in self.shares:
            return None, GrantFailure.SHARE_ABSENT
        secret = self.shares[ref.kid]
        if secret is None:
            return None, GrantFailure.SHARE_DESTROYED
        if key not in self.wrapping:
            return None, GrantFailure.KEY_ABSENT
        version = version or max(self.wrapping[key])
        if version not in self.wrapping[key] or version < self.minimum.get(key, 1):
            return None, GrantFailure.VERSION_ABSENT
        derived = hmac.digest(
            self.wrapping[key][version], secret + sha256(ref.kid).digest(), sha256
        )
        return AESGCM(derived), GrantFailure.NOT_AUTHENTIC

    def make_grants(self, grants: Sequence[GrantToMake]) -> list[bytes | GrantFailure]:
        self._call("make_grants")
        answers: list[bytes | GrantFailure] = []
        for grant in grants:
            wrapper, failure = self._wrapper(grant.share, grant.wrapping_key)
            answers.append(self._seal(wrapper, grant) if wrapper else failure)
        self._answer("make_grants")
        return answers

    def _seal(self, wrapper: AESGCM, grant: GrantToMake) -> bytes:
        version = max(self.wrapping[grant.wrapping_key]).to_bytes(4)
        nonce = os.urandom(12)
        return version + nonce + wrapper.encrypt(nonce, grant.data_key, None)

    def key_versions(self, wrapping_key: str) -> KeyVersions | None:
        self._call("key_versions")
        held = self.wrapping.get(wrapping_key)
        if held is None:
            return None
        marks = {version: sha256(key).hexdigest() for version, key in held.items()}
        return KeyVersions(self.minimum.get(wrapping_key, 1), max(held), marks)

    def rotate(self, wrapping_key: str) -> None:
        self._call("rotate")
        held = self.wrapping[wrapping_key]
        held[max(held) + 1] = os.urandom(32)
        self._answer("rotate")

    def rewrap_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        self._call("rewrap_grants")
        opened = [self._open(grant) for grant in grants]
        answers: list[bytes | GrantFailure] = []
        for grant, key in zip(grants, opened, strict=True):
            if isinstance(key, GrantFailure):
                answers.append(key)
                continue
            to_make = GrantToMake(grant.share, grant.wrapping_key, key)
            wrapper, failure = self._wrapper(grant.share, grant.wrapping_key)
            answers.append(self._seal(wrapper, to_make) if wrapper else failure)
        self._answer("rewrap_grants")
        return answers

    def raise_minimum(self, wrapping_key: str, *, version: int) -> None:
        self._call("raise_minimum")
        self.minimum[wrapping_key] = version
        self._answer("raise_minimum")

    def open_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        self._call("open_grants")
        return [self._open(grant) for grant in grants]

    def _open(self, grant: GrantToOpen) -> bytes | GrantFailure:
        version, sealed = int.from_bytes(grant.wrapped[:4]), grant.wrapped[4:]
        if version > MOST_VERSIONS:
            return GrantFailure.NOT_AUTHENTIC
        wrapper, failure = self._wrapper(grant.share, grant.wrapping_key, version)
        if wrapper is None:
            return failure
        try:
            return wrapper.decrypt(sealed[:12], sealed[12:], None)
        except (InvalidTag, ValueError):
            return failure

    def destroy_shares(self, refs: Sequence[ShareRef]) -> None:
        self._call("destroy_shares")
        for ref in refs:
            if ref.kid in self.shares:
                self.shares[ref.kid] = None
        self._answer("destroy_shares")

    def read_destruction(self, refs: Sequence[ShareRef]) -> list[DestructionReading]:
        self._call("read_destruction")
        at = datetime.now(UTC)  # noqa: TID251 - the store's own clock
        readings = []
        for ref in refs:
            if ref.kid not in self.shares:
                state = ShareState.ABSENT
            else:
                live = self.shares[ref.kid] is not None
                state = ShareState.LIVE if live else ShareState.DESTROYED
            when = at if state is ShareState.DESTROYED else None
            readings.append(DestructionReading(ref, state, "memory", 1, when))
        return readings

    def read_marker(self) -> Marker | None:
        self._call("read_marker")
        return self.marker

    def write_marker(self, marker: Marker) -> None:
        self._call("write_marker")
        self.marker = marker

    def tags(self, *, key: str, values: Sequence[bytes]) -> list[bytes]:
        self._call("tags")
        return [hmac.digest(self.hashing[key], value, sha256) for value in values]


class FakeSigner:
    """An ed25519 signer with a key of its own."""

    def __init__(self, holder: str = "attester") -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.holder, self._key = holder, Ed25519PrivateKey.generate()

    def sign(self, message: bytes) -> Signature:
        return Signature(f"{self.holder}:1", self.holder, self._key.sign(message))

    def verifying_keys(self) -> Sequence[VerifyingKey]:
        public = self._key.public_key().public_bytes_raw()
        return [VerifyingKey(f"{self.holder}:1", self.holder, public)]
