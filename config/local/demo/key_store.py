"""Which key store the demo runs on: a given Vault, one on the PATH, the tests' one, or the keyring.

A Vault that is given keeps what the demo made, under a prefix of its own; all others are thrown
away with the demo.
"""

import hashlib
import os
import secrets
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from config.local import vaultd
from config.local.addresses import Addresses, NotPossible, free_port
from config.local.supervisor import bare_environment

_PATIENCE: Final = 20.0
_POLL: Final = 0.1


@dataclass(frozen=True, slots=True)
class KeyStore:
    """Where it is, what it is called, and the administrator's token that sets it up."""

    kind: str
    described: str
    environment: dict[str, str]
    token: str = field(default="", repr=False)

    @property
    def is_real(self) -> bool:
        """Whether it is a Vault; the keyring is a stand-in."""
        return self.kind == "hashicorp"


@contextmanager
def chosen(addresses: Addresses) -> Iterator[KeyStore]:
    """The first that is there, running until the end of the context. Raises NotPossible."""
    with ExitStack() as running:
        for choice in (_given, _on_path, _built):
            store = choice(addresses, running)
            if store is not None:
                yield store
                return
        yield KeyStore(
            "keyring", "the keyring: a file on this disk", {"LETHE_KEY_STORE": "keyring"}
        )


def _given(_addresses: Addresses, _running: ExitStack) -> KeyStore | None:
    address = os.environ.get("LETHE_VAULT_ADDR", "")
    if not address:
        return None
    token = os.environ.get("VAULT_TOKEN", "")
    if not token:
        raise NotPossible("LETHE_VAULT_ADDR is set; also set VAULT_TOKEN to an administrator's.")
    if _status(address) == 0:
        raise NotPossible(f"No Vault answers at {address} (LETHE_VAULT_ADDR).")
    prefix = f"lethe-demo-{secrets.token_hex(4)}-"
    return _vault(f"the Vault at {address}, under {prefix}*", address, token, prefix=prefix)


def _on_path(_addresses: Addresses, running: ExitStack) -> KeyStore | None:
    program = shutil.which("vault") or shutil.which("bao")
    if program is None:
        return None
    token, port = secrets.token_hex(16), free_port()
    address = f"http://127.0.0.1:{port}"
    child = subprocess.Popen(
        [program, "server", "-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}"],
        env={
            **bare_environment(),
            "VAULT_DEV_ROOT_TOKEN_ID": token,
            "BAO_DEV_ROOT_TOKEN_ID": token,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    running.callback(_end, child)
    ends_at = time.monotonic() + _PATIENCE
    while _status(address) != 200:  # noqa: PLR2004
        if child.poll() is not None or time.monotonic() > ends_at:
            raise NotPossible(f"{program} does not start in development mode.")
        time.sleep(_POLL)
    return _vault(f"{program} in development mode", address, token)


def _built(addresses: Addresses, running: ExitStack) -> KeyStore | None:
    program = _cached_server(addresses.project)
    if program is None:
        return None
    server = running.enter_context(vaultd.Vaultd(program, data=addresses.folder / "vault"))
    keys = server.initialise()
    server.unseal(keys)
    return _vault("HashiCorp Vault, the server of the tests", server.address, keys.root)


def _cached_server(project: Path) -> Path | None:
    """The server that `make vaultd` built for these sources; never built here: that takes long."""
    folder = project / "deploy" / "testing" / "vaultd"
    sources = [folder / name for name in ("main.go", "go.mod", "go.sum")]
    if not all(source.is_file() for source in sources):
        return None
    version = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]
    cache = Path(os.environ.get("LETHE_CACHE", Path.home() / ".cache" / "lethe"))
    program = cache / f"vaultd-{version}"
    return program if os.access(program, os.X_OK) else None


def _vault(described: str, address: str, token: str, *, prefix: str = "lethe-") -> KeyStore:
    environment = {
        "LETHE_KEY_STORE": "hashicorp",
        "LETHE_VAULT_ADDR": address,
        "LETHE_VAULT_PREFIX": prefix,
    }
    if certificate := os.environ.get("LETHE_VAULT_CACERT"):
        environment["LETHE_VAULT_CACERT"] = certificate
    return KeyStore("hashicorp", described, environment, token)


def _status(address: str) -> int:
    """Status of sys/health, 0 when nobody answers."""
    try:
        with urllib.request.urlopen(f"{address}/v1/sys/health", timeout=5) as answer:  # noqa: S310  operator's address
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError):
        return 0


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
