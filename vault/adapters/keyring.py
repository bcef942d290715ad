"""A key store in a directory, for trying the product on one machine.

Everything that Vault would keep apart lies side by side here, readable to whoever can read the
files, and deleted blocks may survive on the disk: it proves nothing about erasure, and refuses to
run outside development. Rules and failures are those of the real store.
"""

import hmac
import os
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.core.exceptions import ImproperlyConfigured

from core.logging import get_logger
from core.ports import LogHead, Signature, VerifyingKey
from vault.adapters import keyring_files as files
from vault.adapters.hashicorp.layout import (
    CUSTODY,
    HASHING_KEYS,
    SIGNING_KEYS,
    is_purpose_key,
)
from vault.domain.gate import Marker
from vault.errors import CustodianRefused, CustodianUnavailable
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

logger = get_logger(__name__)
_VERSION_BYTES: Final = 4
_NONCE_BYTES: Final = 12


class Keyring:
    """Implements KeyCustodian, KeyRotation, LookupHasher, WrappingKeys, Signer on one directory.

    Safe in threads and between processes: every secret is a file of its own, written once. The
    first version of a wrapping key lies in the file of its name, the second in `name.2`.
    """

    node: Final = "keyring"

    def __init__(
        self, directory: Path, *, development: bool, holder: str = "web", pool: int = 32
    ) -> None:
        """Open the keyring, and make it with `pool` purpose keys when it is new.

        Raises ImproperlyConfigured outside development, ValueError for an unknown holder.
        """
        if not development:
            raise ImproperlyConfigured(
                "The keyring is for trying the product: set LETHE_DEVELOPMENT=1, or use a Vault "
                "(LETHE_KEY_STORE=hashicorp)."
            )
        if holder not in SIGNING_KEYS:
            raise ValueError("this process holds no signing key")
        self._directory, self._holder = directory, holder
        self._wrapping: dict[tuple[str, int], bytes] = {}
        try:
            self._set_up(pool)
        except OSError:
            raise CustodianUnavailable("The keyring's directory cannot be written.") from None

    def create_shares(self, refs: Sequence[ShareRef]) -> list[FreshShare | ShareState]:
        """See `KeyCustodian`."""
        return [self._create(ref) for ref in refs]

    def open_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        """See `KeyCustodian`."""
        return [self._open(grant) for grant in grants]

    def make_grants(self, grants: Sequence[GrantToMake]) -> list[bytes | GrantFailure]:
        """See `KeyCustodian`."""
        return [self._make(grant) for grant in grants]

    def key_versions(self, wrapping_key: str) -> KeyVersions | None:
        """See `KeyRotation`."""
        keys: dict[int, str] = {}
        while (key := self._wrapping_key(wrapping_key, len(keys) + 1)) is not None:
            keys[len(keys) + 1] = sha256(b"mark" + key).hexdigest()[:16]
        least = files.get(self._directory / "wrapping" / f"{wrapping_key}.minimum") if keys else b""
        return KeyVersions(int(least or 1), len(keys), keys) if keys else None

    def rotate(self, wrapping_key: str) -> None:
        """See `KeyRotation`."""
        known = self.key_versions(wrapping_key)
        if known is None:
            raise CustodianRefused("No wrapping key has such a name.")
        path = self._directory / "wrapping" / f"{wrapping_key}.{known.latest + 1}"
        try:
            files.put_once(path, _random())
        except OSError:
            raise CustodianUnavailable from None

    def rewrap_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        """See `KeyRotation`."""
        return [
            self._make(GrantToMake(grant.share, grant.wrapping_key, opened))
            if isinstance(opened := self._open(grant), bytes)
            else opened
            for grant in grants
        ]

    def raise_minimum(self, wrapping_key: str, *, version: int) -> None:
        """See `KeyRotation`."""
        path = self._directory / "wrapping" / f"{wrapping_key}.minimum"
        try:
            files.replace(path, str(version).encode())
        except OSError:
            raise CustodianUnavailable from None

    def destroy_shares(self, refs: Sequence[ShareRef]) -> None:
        """See `KeyCustodian`."""
        at = datetime.fromtimestamp(time.time(), UTC).isoformat().encode()
        try:
            for ref in refs:
                files.destroy(self._share(ref), b"destroyed " + at)
        except OSError:
            raise CustodianUnavailable from None

    def read_destruction(self, refs: Sequence[ShareRef]) -> list[DestructionReading]:
        """See `KeyCustodian`."""
        return [self._reading(ref) for ref in refs]

    def controllers(self) -> Sequence[UUID]:
        """See `KeyInventory`."""
        return [UUID(path.name) for path in (self._directory / "shares").glob("[!.]*")]

    def kids(self, *, controller_id: UUID, folders: range = FOLDERS) -> Sequence[bytes]:
        """See `KeyInventory`."""
        root = self._directory / "shares" / str(controller_id)
        return [
            bytes.fromhex(path.name)
            for folder in folders
            for path in (root / f"{folder:02x}").glob("[!.]*")
        ]

    def tags(self, *, key: str, values: Sequence[bytes]) -> list[bytes]:
        """See `LookupHasher`; raises ValueError for an unknown key."""
        if key not in HASHING_KEYS:
            raise ValueError("no such hashing key")
        secret = self._secret(self._directory / "hashing" / key)
        return [hmac.digest(secret, value, sha256) for value in values]

    def available(self) -> Sequence[str]:
        """See `WrappingKeys`."""
        names = (path.name for path in (self._directory / "wrapping").iterdir())
        return [name for name in names if is_purpose_key(name)]

    def read_marker(self) -> Marker | None:
        """See `DestructionMarker`."""
        content = files.get(self._directory / "marker")
        if content is None:
            return None
        journal_id, ordinal, *beat = content.decode().split(" ")
        return Marker(UUID(journal_id), int(ordinal), *map(int, beat))

    def write_marker(self, marker: Marker) -> None:
        """See `DestructionMarker`."""
        content = f"{marker.journal_id} {marker.ordinal} {marker.beat}".encode()
        try:
            files.replace(self._directory / "marker", content)
        except OSError:
            raise CustodianUnavailable from None

    def read_head(self) -> LogHead | None:
        """See `HeadKeeper`."""
        content = files.get(self._directory / "log-head")
        if content is None:
            return None
        generation, size, root = content.decode().split(" ")
        return LogHead(int(generation), int(size), bytes.fromhex(root))

    def replace_head(self, head: LogHead, *, known: LogHead | None) -> bool:
        """See `HeadKeeper`."""
        with files.locked(self._directory):
            if self.read_head() != known:
                return False
            content = f"{head.generation} {head.size} {head.root.hex()}".encode()
            files.replace(self._directory / "log-head", content)
        return True

    def sign(self, message: bytes) -> Signature:
        """See `Signer`."""
        return Signature(f"{self._holder}:1", self._holder, self._signing_key().sign(message))

    def verifying_keys(self) -> Sequence[VerifyingKey]:
        """See `Signer`."""
        public = self._signing_key().public_key().public_bytes_raw()
        return [VerifyingKey(f"{self._holder}:1", self._holder, public)]

    def _set_up(self, pool: int) -> None:
        with files.locked(self._directory):
            is_new = files.put_once(self._directory / "wrapping" / CUSTODY, _random())
            for name in HASHING_KEYS:
                files.put_once(self._directory / "hashing" / name, _random())
            for name in SIGNING_KEYS:
                files.put_once(self._directory / "signing" / name, _random())
            for _ in range(pool - len(self.available())):
                name = f"p-{secrets.token_hex(8)}"
                files.put_once(self._directory / "wrapping" / name, _random())
        if is_new:
            logger.warning("keyring.made_for_development_only")

    def _share(self, ref: ShareRef) -> Path:
        kid = ref.kid.hex()
        return self._directory / "shares" / str(ref.controller_id) / kid[:2] / kid

    def _create(self, ref: ShareRef) -> FreshShare | ShareState:
        secret = _random()
        try:
            if files.put_once(self._share(ref), secret):
                return FreshShare(ref, secret)
            is_live = files.is_secret(files.get(self._share(ref)))
        except OSError:
            raise CustodianUnavailable from None
        return ShareState.LIVE if is_live else ShareState.DESTROYED

    def _read(self, share: ShareRef | FreshShare) -> bytes | GrantFailure:
        if isinstance(share, FreshShare):
            return share.secret
        try:
            content = files.get(self._share(share))
        except OSError:
            raise CustodianUnavailable from None
        if content is None:
            return GrantFailure.SHARE_ABSENT
        return content if files.is_secret(content) else GrantFailure.SHARE_DESTROYED

    def _cipher(
        self, share: ShareRef | FreshShare, wrapping_key: str, version: int | None
    ) -> tuple[int, AESGCM] | GrantFailure:
        """The cipher of a version, or of the latest one, and which it is."""
        secret = self._read(share)
        if isinstance(secret, GrantFailure):
            return secret
        known = self.key_versions(wrapping_key)
        if known is None:
            return GrantFailure.KEY_ABSENT
        version = known.latest if version is None else version
        key = self._wrapping_key(wrapping_key, version)
        if key is None or version < known.minimum:
            is_likely = 0 < version <= MOST_VERSIONS
            return GrantFailure.VERSION_ABSENT if is_likely else GrantFailure.NOT_AUTHENTIC
        kid = share.ref.kid if isinstance(share, FreshShare) else share.kid
        info = secret + sha256(kid).digest()  # as transit derives: nothing without the share
        derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info)
        return version, AESGCM(derive.derive(key))

    def _make(self, grant: GrantToMake) -> bytes | GrantFailure:
        found = self._cipher(grant.share, grant.wrapping_key, None)
        if isinstance(found, GrantFailure):
            return found
        version, cipher = found
        nonce = os.urandom(_NONCE_BYTES)
        sealed = cipher.encrypt(nonce, grant.data_key, None)
        return version.to_bytes(_VERSION_BYTES) + nonce + sealed

    def _open(self, grant: GrantToOpen) -> bytes | GrantFailure:
        version, body = grant.wrapped[:_VERSION_BYTES], grant.wrapped[_VERSION_BYTES:]
        found = self._cipher(grant.share, grant.wrapping_key, int.from_bytes(version))
        if isinstance(found, GrantFailure):
            return found
        try:
            return found[1].decrypt(body[:_NONCE_BYTES], body[_NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            return GrantFailure.NOT_AUTHENTIC

    def _reading(self, ref: ShareRef) -> DestructionReading:
        try:
            content = files.get(self._share(ref))
        except OSError:
            raise CustodianUnavailable(node=self.node) from None
        if content is None:
            return DestructionReading(ref, ShareState.ABSENT, self.node, 0, None)
        if files.is_secret(content):
            return DestructionReading(ref, ShareState.LIVE, self.node, 1, None)
        word, _, at = content.partition(b" ")
        when = datetime.fromisoformat(at.decode()) if word == b"destroyed" else None
        return DestructionReading(ref, ShareState.DESTROYED, self.node, 1, when)

    def _wrapping_key(self, name: str, version: int) -> bytes | None:
        if name != CUSTODY and not is_purpose_key(name):
            return None
        if (name, version) not in self._wrapping:
            file = name if version == 1 else f"{name}.{version}"
            key = files.get(self._directory / "wrapping" / file)
            if key is None:
                return None
            self._wrapping[name, version] = key
        return self._wrapping[name, version]

    def _signing_key(self) -> Ed25519PrivateKey:
        path = self._directory / "signing" / self._holder
        return Ed25519PrivateKey.from_private_bytes(self._secret(path))

    def _secret(self, path: Path) -> bytes:
        content = files.get(path)
        if content is None:
            raise CustodianUnavailable("The keyring lacks a key.")
        return content


def _random() -> bytes:
    return os.urandom(files.SECRET_BYTES)
