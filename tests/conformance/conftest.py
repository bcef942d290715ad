"""Both key stores, as the processes see them."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from core.ports import HeadKeeper, Signer
from tests.servers.vaultd import STREAM, VaultServer
from vault.adapters.hashicorp.head_keeper import HashicorpHeadKeeper
from vault.adapters.hashicorp.inventory import HashicorpInventory
from vault.adapters.hashicorp.marker import HashicorpMarker
from vault.adapters.hashicorp.rotation import HashicorpRotation
from vault.adapters.keyring import Keyring
from vault.ports import (
    DestructionMarker,
    KeyCustodian,
    KeyInventory,
    KeyRotation,
    LookupHasher,
    ShareRef,
    WrappingKeys,
)

CONTROLLER = UUID("0191e7a0-0000-7000-8000-000000000001")


@dataclass(frozen=True)
class Store:
    """`web` creates and wraps, `stream` opens for two purposes, `eraser` destroys."""

    web: KeyCustodian
    stream: KeyCustodian
    eraser: KeyCustodian
    attester: KeyCustodian
    hasher: LookupHasher
    wrapping_keys: WrappingKeys
    inventory: KeyInventory
    marker: DestructionMarker
    head_keeper: HeadKeeper
    rotation: KeyRotation
    eraser_rotation: KeyRotation
    signer: Signer
    purpose: str
    other_purpose: str


def _keyring(folder: Path) -> Store:
    ring = Keyring(folder / "keyring", development=True, pool=2, holder="attester")
    purpose, other = sorted(ring.available())
    return Store(
        ring, ring, ring, ring, ring, ring, ring, ring, ring, ring, ring, ring, purpose, other
    )


def _hashicorp(server: VaultServer) -> Store:
    return Store(
        web=server.custodian("web"),
        stream=server.custodian(STREAM),
        eraser=server.custodian("eraser"),
        attester=server.custodian("attester"),
        hasher=server.hasher(),
        wrapping_keys=server.wrapping_keys(),
        inventory=HashicorpInventory(server.client("eraser"), server.layout),
        marker=HashicorpMarker(server.client("eraser"), server.layout),
        head_keeper=HashicorpHeadKeeper(server.client("loggerd"), server.layout),
        rotation=HashicorpRotation(server.client("beat"), server.layout),
        eraser_rotation=HashicorpRotation(server.client("eraser"), server.layout),
        signer=server.signer("attester"),
        purpose=server.pool[0],
        other_purpose=server.pool[1],
    )


@pytest.fixture(
    scope="module", params=["keyring", pytest.param("hashicorp", marks=pytest.mark.vault)]
)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    if request.param == "keyring":
        return _keyring(tmp_path_factory.mktemp("keyring"))
    return _hashicorp(request.getfixturevalue("vault_server"))


@pytest.fixture
def new_refs() -> Callable[[int], list[ShareRef]]:
    """Names of shares that nobody used before."""
    return lambda count: [ShareRef(os.urandom(16), CONTROLLER) for _ in range(count)]
