"""The key store's ports, made from settings once per process."""

import os
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final, cast
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from core.ports import HeadKeeper, Signer
from vault.adapters.hashicorp.client import Client
from vault.adapters.hashicorp.custodian import HashicorpCustodian
from vault.adapters.hashicorp.hasher import HashicorpHasher, HashicorpWrappingKeys
from vault.adapters.hashicorp.head_keeper import HashicorpHeadKeeper
from vault.adapters.hashicorp.inventory import HashicorpInventory
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.marker import HashicorpMarker
from vault.adapters.hashicorp.rotation import HashicorpRotation
from vault.adapters.hashicorp.signer import HashicorpSigner
from vault.adapters.keyring import Keyring
from vault.ports import (
    DestructionMarker,
    KeyCustodian,
    KeyInventory,
    KeyRotation,
    LookupHasher,
    WrappingKeys,
)

#: Whose key a process signs with; a worker does the web's work, a command what its login may.
_HOLDERS: Final = {
    "web": "web",
    "worker": "web",
    "command": "web",
    "attester": "attester",
    "loggerd": "loggerd",
    "eraser": "eraser",
}
_made: dict[tuple[str, int], Any] = {}


def custodian() -> KeyCustodian:
    """The key custodian of LETHE_KEY_STORE. Raises ImproperlyConfigured."""
    if _is_keyring():
        return _keyring()
    return HashicorpCustodian(_client(), _layout())


def hasher() -> LookupHasher:
    """The hasher of lookup and suppression tags. Raises ImproperlyConfigured."""
    if _is_keyring():
        return _keyring()
    return HashicorpHasher(_client(), _layout())


def wrapping_keys() -> WrappingKeys:
    """The pool of wrapping keys; only `beat` and commands may list it.

    Raises ImproperlyConfigured.
    """
    if _is_keyring():
        return _keyring()
    return HashicorpWrappingKeys(_client(), _layout())


def inventory() -> KeyInventory:
    """The names of the shares; only the eraser may list them. Raises ImproperlyConfigured."""
    if _is_keyring():
        return _keyring()
    return HashicorpInventory(_client(), _layout())


def rotation() -> KeyRotation:
    """Versions of wrapping keys; only `beat` and commands may change them.

    Raises ImproperlyConfigured.
    """
    if _is_keyring():
        return _keyring()
    return HashicorpRotation(_client(), _layout())


def marker() -> DestructionMarker:
    """The marker of destructions; the eraser writes it, the attester may read it.

    Raises ImproperlyConfigured.
    """
    if _is_keyring():
        return _keyring()
    return HashicorpMarker(_client(), _layout())


def head_keeper() -> HeadKeeper:
    """Where the log's process keeps its last head. Raises ImproperlyConfigured."""
    if _is_keyring():
        return _keyring()
    return HashicorpHeadKeeper(_client(), _layout())


def signer() -> Signer:
    """The signer of this process. Raises ImproperlyConfigured where a process holds no key."""
    holder = _HOLDERS.get(settings.LETHE_PROCESS)
    if holder is None:
        raise ImproperlyConfigured(f"The process {settings.LETHE_PROCESS} holds no signing key.")
    if _is_keyring():
        return _keyring()
    return HashicorpSigner(_client(), _layout(), holder=holder)


def _is_keyring() -> bool:
    if settings.LETHE_KEY_STORE not in {"hashicorp", "keyring"}:
        raise ImproperlyConfigured("LETHE_KEY_STORE is hashicorp or keyring.")
    return bool(settings.LETHE_KEY_STORE == "keyring")


def _keyring() -> Keyring:
    return cast(
        "Keyring",
        _once(
            "keyring",
            lambda: Keyring(
                settings.LETHE_KEYRING_DIR,
                development=settings.LETHE_DEVELOPMENT,
                holder=_HOLDERS.get(settings.LETHE_PROCESS, "web"),
            ),
        ),
    )


def _layout() -> Layout:
    return Layout(settings.LETHE_VAULT_PREFIX)


def _client() -> Client:
    return cast("Client", _once("client", _new_client))


def _new_client() -> Client:
    for name in ("LETHE_VAULT_ADDR", "LETHE_VAULT_ROLE_ID", "LETHE_VAULT_SECRET_ID"):
        if not getattr(settings, name):
            raise ImproperlyConfigured(f"Set {name}; `manage.py custodian_setup` prints it.")
    for address in (settings.LETHE_VAULT_ADDR, *settings.LETHE_VAULT_NODES):
        _require_private(address)
    return Client(
        address=settings.LETHE_VAULT_ADDR,
        role_id=settings.LETHE_VAULT_ROLE_ID,
        secret_id=settings.LETHE_VAULT_SECRET_ID,
        nodes=settings.LETHE_VAULT_NODES,
        timeout=settings.LETHE_VAULT_TIMEOUT,
        cacert=settings.LETHE_VAULT_CACERT,
    )


def _require_private(address: str) -> None:
    """Shares and tokens travel encrypted, or do not leave this machine."""
    parts = urlsplit(address)
    if parts.scheme == "https":
        return
    try:
        is_local = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        is_local = parts.hostname == "localhost"
    if parts.scheme != "http" or not is_local:
        raise ImproperlyConfigured("A Vault that is not on this machine needs an https address.")


def _once(name: str, make: Callable[[], Any]) -> Any:
    """Made once per process: a child after fork makes its own."""
    key = name, os.getpid()
    if key not in _made:
        _made[key] = make()
    return _made[key]
