"""The chains and senders of the configuration, made on first use.

web3 is imported here, late, and carefully: a library of its (py_ecc) raises Python's recursion
limit a hundredfold at import, and JSON that a node nests deeply would then end the process.
"""

import importlib
import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from contracts.domain.chain_rules import ChainRules, WrongRules, read_rules
from contracts.ports import AnchorChain, Sender
from core import runtime

if TYPE_CHECKING:
    from contracts.adapters.evm.deployer import Deployer


def rules() -> dict[str, ChainRules]:
    """What LETHE_CHAINS says of each chain; nothing without it. Raises ImproperlyConfigured."""
    if not settings.LETHE_CHAINS:
        return {}
    try:
        return read_rules(tomllib.loads(Path(settings.LETHE_CHAINS).read_text(encoding="utf-8")))
    except (WrongRules, tomllib.TOMLDecodeError) as error:
        message = f"LETHE_CHAINS: {error}"
        raise ImproperlyConfigured(message) from None
    except OSError as error:
        message = f"LETHE_CHAINS names a file that cannot be read: {error.strerror}."
        raise ImproperlyConfigured(message) from None


def chains() -> dict[str, AnchorChain]:
    """Every configured chain by its name."""
    configured = rules()
    if not configured:
        return {}
    _load_web3()
    from contracts.adapters.evm.chain import EvmChain

    return {name: EvmChain(one) for name, one in configured.items()}


def require_usable() -> None:
    """Open every keystore now, so that a wrong password ends the start. ImproperlyConfigured."""
    runtime.port("chains")
    runtime.port("senders")


def holder(one: ChainRules) -> str:
    """The address that a chain's keystore is of; it stands there unencrypted.

    Raises ImproperlyConfigured.
    """
    try:
        return "0x" + str(json.loads(Path(one.keystore).read_text())["address"]).removeprefix("0x")
    except (OSError, ValueError, KeyError, TypeError):
        message = f"chain.{one.name}: keystore names no keystore file that can be read."
        raise ImproperlyConfigured(message) from None


def senders() -> dict[str, Sender]:
    """The sender of each chain; only the log's process may open keystores.

    Raises ImproperlyConfigured in any other process, for a chain without a keystore, a wrong
    password, a file that others may read.
    """
    if settings.LETHE_PROCESS != "loggerd":
        raise ImproperlyConfigured("Only the log's process (LETHE_PROCESS=loggerd) has senders.")
    _load_web3()
    return {name: _sender(one) for name, one in rules().items()}


def deployer(one: ChainRules, keystore: Path, password_file: Path) -> "Deployer":
    """The cold key, opened. Raises ImproperlyConfigured."""
    _load_web3()
    from contracts.adapters.evm.deployer import Deployer

    try:
        password = password_file.read_text(encoding="utf-8").strip()
        return Deployer(one, keystore, password)
    except (OSError, ValueError) as error:
        message = f"The keystore cannot be opened ({type(error).__name__})."
        raise ImproperlyConfigured(message) from None


def make_keystore(file: Path, password_file: Path) -> str:
    """A new key in a file that its owner alone reads; its address.

    Raises FileExistsError, OSError, ImproperlyConfigured for an empty password.
    """
    _load_web3()
    from contracts.adapters.evm.sender import new_keystore

    password = password_file.read_text(encoding="utf-8").strip()
    if not password:
        raise ImproperlyConfigured("The password file is empty.")
    address, content = new_keystore(password)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(content)
    return address


def _load_web3() -> None:
    importlib.import_module("contracts.adapters.evm.chain")


def _sender(one: ChainRules) -> Sender:
    from contracts.adapters.evm.sender import KeystoreSender

    if not one.keystore or not one.password_file:
        message = f"chain.{one.name}: set keystore and password-file."
        raise ImproperlyConfigured(message)
    path, password = Path(one.keystore), Path(one.password_file)
    try:
        for file in (path, password):
            if file.stat().st_mode & 0o077:
                message = f"chain.{one.name}: {file.name} may be read by others; chmod 600."
                raise ImproperlyConfigured(message)
        return KeystoreSender(path, password.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:
        message = f"chain.{one.name}: the keystore cannot be opened ({type(error).__name__})."
        raise ImproperlyConfigured(message) from None
