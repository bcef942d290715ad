"""Administration of the key store: mounts, keys, policies, logins. The one file that uses hvac.

Needs an administrator's token and may be run again: what is there is left as it is.
"""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import hvac
import requests
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, Unauthorized, VaultError

from vault.adapters.hashicorp.layout import (
    CUSTODY,
    HASHING_KEYS,
    SIGNING_KEYS,
    Layout,
    is_name,
    is_purpose_key,
)
from vault.errors import CustodianRefused, CustodianUnavailable

#: Process -> policy file; a stream has `stream` and one policy per purpose.
ROLES: Final = {
    "web": "web",
    "worker": "web",
    "eraser": "eraser",
    "attester": "attester",
    "loggerd": "loggerd",
    "beat": "rotator",
}
POLICIES: Final = Path(__file__).resolve().parents[3] / "deploy" / "custodian"
_WRAPPING: Final = {"type": "aes256-gcm96", "derived": True, "exportable": False}
_PATIENCE: Final = 30.0
#: A token is renewed for an hour, then the process logs in anew and takes on changed policies.
_TOKEN: Final = {
    "token_ttl": "15m",
    "token_max_ttl": "1h",
    "token_no_default_policy": True,
    "secret_id_num_uses": 0,
    "secret_id_ttl": "0",
    "bind_secret_id": True,
}


@dataclass(frozen=True, slots=True)
class Credential:
    """What one process logs in with; the secret id is shown once and kept nowhere."""

    role: str
    role_id: str
    secret_id: str = field(repr=False)

    def environment(self) -> dict[str, str]:
        """The variables that `config.settings` reads."""
        return {
            "LETHE_VAULT_ROLE_ID": self.role_id,
            "LETHE_VAULT_SECRET_ID": self.secret_id,
        }


class Administration:
    """Administrative acts on one key store. Raises CustodianUnavailable, CustodianRefused."""

    def __init__(
        self,
        *,
        address: str,
        token: str,
        layout: Layout,
        cacert: str = "",
        policies: Path = POLICIES,
    ) -> None:
        self._layout, self._policies = layout, policies
        self._client: Any = hvac.Client(
            url=address,
            token=token,
            verify=cacert or True,
            allow_redirects=False,  # hvac would send the token to whatever host it is sent to
            timeout=30,
        )

    def install(self, *, pool: int) -> None:
        """Make mounts, keys, `pool` purpose keys in all, policies and one AppRole per process."""
        with _translated():
            self._mounts()
            self._keys(pool)
            for name in sorted(set(ROLES.values()) | {"stream"}):
                self._policy(name, self._policy_text(f"{name}.hcl"))
            for role, policy in ROLES.items():
                self._approle(role, [policy])

    def attach(self, *, stream: str, purposes: Sequence[str]) -> None:
        """Let the stream open exactly the purposes behind these wrapping keys.

        Makes the stream's AppRole when it is new. Takes effect at the stream's next login,
        within the hour. Raises CustodianRefused for a key that is not there.
        """
        if not is_name(stream):
            raise CustodianRefused("A stream's name is lower case letters, digits and hyphens.")
        with _translated():
            missing = set(purposes) - set(self._pool())
            if missing:
                raise CustodianRefused("The key store has no such purpose key.")
            self._approle(f"stream-{stream}", ["stream", *(f"open-{key}" for key in purposes)])

    def issue(self, role: str) -> Credential:
        """A new secret id for the role; those issued before go on."""
        with _translated():
            name = self._name(role)
            approle = self._client.auth.approle
            return Credential(
                role,
                approle.read_role_id(name)["data"]["role_id"],
                approle.generate_secret_id(name)["data"]["secret_id"],
            )

    def has_credential(self, role: str) -> bool:
        """Whether a secret id was issued for the role."""
        with _translated():
            try:
                listed = self._client.auth.approle.list_secret_id_accessors(self._name(role))
            except InvalidPath:
                return False
            return bool(listed["data"]["keys"])

    def withdraw(self, role: str) -> None:
        """Make every secret id of the role void. Tokens live on for their 15 minutes."""
        with _translated():
            approle = self._client.auth.approle
            name = self._name(role)
            try:
                listed = approle.list_secret_id_accessors(name)
            except InvalidPath:
                return
            for accessor in listed["data"]["keys"]:
                approle.destroy_secret_id_accessor(name, accessor)

    def _name(self, name: str) -> str:
        return f"{self._layout.prefix}{name}"

    def _mounts(self) -> None:
        system, layout = self._client.sys, self._layout
        there = system.list_mounted_secrets_engines()["data"]
        for mount in (layout.wrap, layout.custody, layout.lookup, layout.sign):
            if f"{mount}/" not in there:
                system.enable_secrets_engine("transit", path=mount)
        for mount in (layout.shares, layout.marker):
            if f"{mount}/" not in there:
                system.enable_secrets_engine("kv", path=mount, options={"version": "2"})
        for mount in (layout.shares, layout.marker):
            self._configure_kv(mount)
        if "approle/" not in system.list_auth_methods()["data"]:
            system.enable_auth_method("approle")

    def _configure_kv(self, mount: str) -> None:
        ends_at = time.monotonic() + _PATIENCE
        body = {"max_versions": 1, "cas_required": mount == self._layout.shares}
        while True:
            try:
                self._client.write_data(f"{mount}/config", data=body)
            except InvalidRequest:  # a new mount is "upgrading" for a moment
                if time.monotonic() > ends_at:
                    raise
                time.sleep(0.05)
            else:
                return

    def _keys(self, pool: int) -> None:
        layout = self._layout
        for mount in (layout.wrap, layout.custody, layout.lookup, layout.sign):
            # Then "encrypt" makes no key, whoever asks.
            self._client.write_data(f"{mount}/config/keys", data={"disable_upsert": True})
        self._key(layout.custody, CUSTODY, _WRAPPING)
        for name in HASHING_KEYS:
            self._key(layout.lookup, name, {"type": "hmac", "key_size": 32})
        for name in SIGNING_KEYS:
            self._key(layout.sign, name, {"type": "ed25519"})
        there = self._pool()
        for name in there + [f"p-{secrets.token_hex(8)}" for _ in range(pool - len(there))]:
            # The policy comes first, so that no key in the pool is without one.
            text = self._policy_text("purpose-key.hcl").replace("KEY", name)
            self._policy(f"open-{name}", text)
            self._key(layout.wrap, name, _WRAPPING)

    def _key(self, mount: str, name: str, body: Mapping[str, Any]) -> None:
        """Make a key; one that is there is left alone by the store."""
        self._client.write_data(f"{mount}/keys/{name}", data=dict(body))

    def _pool(self) -> list[str]:
        try:
            listed = self._client.list(f"{self._layout.wrap}/keys")
        except InvalidPath:
            return []
        if listed is None:
            return []
        return [name for name in listed["data"]["keys"] if is_purpose_key(name)]

    def _policy_text(self, file: str) -> str:
        text = (self._policies / file).read_text(encoding="utf-8")
        return text.replace('path "lethe-', f'path "{self._layout.prefix}')

    def _policy(self, name: str, text: str) -> None:
        self._client.sys.create_or_update_policy(self._name(name), text)

    def _approle(self, role: str, policies: Sequence[str]) -> None:
        self._client.auth.approle.create_or_update_approle(
            self._name(role), token_policies=[self._name(name) for name in policies], **_TOKEN
        )


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of hvac in our words; their texts may repeat what was sent and are left out."""
    try:
        yield
    except (Forbidden, Unauthorized):
        raise CustodianRefused("The key store refuses this administrator's token.") from None
    except InvalidRequest:
        raise CustodianRefused("The key store refuses an administrative request.") from None
    except (VaultError, requests.RequestException):
        raise CustodianUnavailable from None
