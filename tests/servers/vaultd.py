"""One Vault for a test run, set up under a random prefix with a credential per role."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pytest

from config.local import vaultd
from config.local.addresses import NotPossible
from vault.adapters.hashicorp.client import Client
from vault.adapters.hashicorp.custodian import HashicorpCustodian
from vault.adapters.hashicorp.hasher import HashicorpHasher, HashicorpWrappingKeys
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.setup import Administration
from vault.adapters.hashicorp.signer import HashicorpSigner
from vault.adapters.hashicorp.transport import Answer, Request, Transport

STREAM = "stream-tests"
POOL = 6


@dataclass
class VaultServer:
    """An installed key store. The stream of the tests opens the first two keys of the pool."""

    address: str
    root: str = field(repr=False)
    layout: Layout
    nodes: tuple[str, ...] = ()
    process: vaultd.Vaultd | None = None
    keys: vaultd.Keys | None = None
    timeout: float = 5.0

    @cached_property
    def administration(self) -> Administration:
        return Administration(address=self.address, token=self.root, layout=self.layout)

    def install(self) -> None:
        self.administration.install(pool=POOL)
        self.administration.attach(stream="tests", purposes=self.pool[:2])

    @cached_property
    def pool(self) -> list[str]:
        keys = self.admin("LIST", f"{self.layout.wrap}/keys").data()["keys"]
        return sorted(name for name in keys if name.startswith("p-"))

    def client(self, role: str) -> Client:
        """A new client, logged in with a new secret id of the role."""
        credential = self.administration.issue(role)
        return Client(
            address=self.address,
            role_id=credential.role_id,
            secret_id=credential.secret_id,
            nodes=self.nodes,
            timeout=self.timeout,
        )

    def custodian(self, role: str) -> HashicorpCustodian:
        return HashicorpCustodian(self.client(role), self.layout)

    def hasher(self) -> HashicorpHasher:
        return HashicorpHasher(self.client("web"), self.layout)

    def wrapping_keys(self) -> HashicorpWrappingKeys:
        return HashicorpWrappingKeys(self.client("beat"), self.layout)

    def signer(self, holder: str) -> HashicorpSigner:
        return HashicorpSigner(self.client(holder), self.layout, holder=holder)

    def admin(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """One call with the root token."""
        transport = Transport(self.address, timeout=30)
        return transport.send([Request(method, path, body)], token=self.root)[0]

    def remove(self) -> None:
        """Take everything of ours out of a Vault that goes on living."""
        prefix = self.layout.prefix
        for mount in self.admin("GET", "sys/mounts").data():
            if mount.startswith(prefix):
                self.admin("DELETE", f"sys/mounts/{mount}")
        for folder in ("auth/approle/role", "sys/policies/acl"):
            for name in self.admin("LIST", folder).data()["keys"]:
                if name.startswith(prefix):
                    self.admin("DELETE", f"{folder}/{name}")


def program() -> Path:
    """The built server; skips the test without it, or fails with LETHE_TEST_REQUIRE."""
    try:
        return vaultd.binary()
    except NotPossible as error:
        if os.environ.get("LETHE_TEST_REQUIRE"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@contextmanager
def session_server() -> Iterator[VaultServer]:
    """The Vault of LETHE_TEST_VAULT_ADDR, or a new one in memory."""
    layout = Layout(f"t{secrets.token_hex(4)}-")
    outside = os.environ.get("LETHE_TEST_VAULT_ADDR")
    if outside:
        server = VaultServer(outside, os.environ["LETHE_TEST_VAULT_TOKEN"], layout)
        server.install()
        yield server
        server.remove()
        return
    with vaultd.Vaultd(program()) as process:
        yield started(process, layout)


def started(process: vaultd.Vaultd, layout: Layout | None = None) -> VaultServer:
    """Initialise, unseal and install a server that runs."""
    keys = process.initialise()
    process.unseal(keys)
    server = VaultServer(process.address, keys.root, layout or Layout(), process=process, keys=keys)
    server.install()
    return server
