"""The real key store behind the ports, each call with the credential of the process that makes it.

In the product each process holds one credential; a test is one process and plays them all, so
the right one is chosen by the act. Vault's policies still decide whether it may.
"""

from collections.abc import Sequence
from uuid import UUID

from tests.servers.vaultd import STREAM, VaultServer
from vault.adapters.hashicorp.inventory import HashicorpInventory
from vault.adapters.hashicorp.marker import HashicorpMarker
from vault.adapters.hashicorp.rotation import HashicorpRotation
from vault.domain.gate import Marker
from vault.ports import (
    FOLDERS,
    DestructionReading,
    FreshShare,
    GrantFailure,
    GrantToMake,
    GrantToOpen,
    KeyVersions,
    ShareRef,
    ShareState,
)


class EveryProcess:
    """Implements the ports of the key store on a real Vault."""

    def __init__(self, server: VaultServer) -> None:
        self._web = server.custodian("web")
        self._stream = server.custodian(STREAM)
        self._eraser = server.custodian("eraser")
        self._attester = server.custodian("attester")
        self._hasher = server.hasher()
        self._inventory = HashicorpInventory(server.client("eraser"), server.layout)
        self._marker = HashicorpMarker(server.client("eraser"), server.layout)
        self._rotation = HashicorpRotation(server.client("beat"), server.layout)
        self._eraser_rotation = HashicorpRotation(server.client("eraser"), server.layout)
        # The stream of the tests may open the first two keys of the pool, and no other.
        self._pool = server.pool[:2]
        self._server = server

    def forget_marker(self) -> None:
        """Each test has a journal of its own, and the store outlives them all."""
        self._server.admin("DELETE", f"{self._server.layout.marker}/metadata/journal")

    def available(self) -> Sequence[str]:
        return self._pool

    def create_shares(self, refs: Sequence[ShareRef]) -> list[FreshShare | ShareState]:
        return self._web.create_shares(refs)

    def make_grants(self, grants: Sequence[GrantToMake]) -> list[bytes | GrantFailure]:
        return self._web.make_grants(grants)

    def open_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        is_custody = any(grant.wrapping_key == "custody" for grant in grants)
        return (self._web if is_custody else self._stream).open_grants(grants)

    def destroy_shares(self, refs: Sequence[ShareRef]) -> None:
        self._eraser.destroy_shares(refs)

    def read_destruction(self, refs: Sequence[ShareRef]) -> list[DestructionReading]:
        return self._attester.read_destruction(refs)

    def tags(self, *, key: str, values: Sequence[bytes]) -> list[bytes]:
        return self._hasher.tags(key=key, values=values)

    def controllers(self) -> Sequence[UUID]:
        return self._inventory.controllers()

    def kids(self, *, controller_id: UUID, folders: range = FOLDERS) -> Sequence[bytes]:
        return self._inventory.kids(controller_id=controller_id, folders=folders)

    def key_versions(self, wrapping_key: str) -> KeyVersions | None:
        return self._eraser_rotation.key_versions(wrapping_key)

    def rotate(self, wrapping_key: str) -> None:
        self._rotation.rotate(wrapping_key)

    def rewrap_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        return self._rotation.rewrap_grants(grants)

    def raise_minimum(self, wrapping_key: str, *, version: int) -> None:
        self._rotation.raise_minimum(wrapping_key, version=version)

    def read_marker(self) -> Marker | None:
        return self._marker.read_marker()

    def write_marker(self, marker: Marker) -> None:
        self._marker.write_marker(marker)
