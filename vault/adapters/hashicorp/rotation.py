"""Rotation of wrapping keys: new versions, grants rewrapped by transit, the least version."""

from collections.abc import Sequence

from vault.adapters.hashicorp.client import NOT_FOUND, Client
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.shares import Shares
from vault.adapters.hashicorp.transport import read, write
from vault.adapters.hashicorp.wrapping import Item, Wrapping
from vault.errors import CustodianRefused
from vault.ports import GrantFailure, GrantToOpen, KeyVersions


class HashicorpRotation:
    """Implements KeyRotation for HashiCorp Vault and OpenBao."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client, self._layout = client, layout
        self._shares = Shares(client, layout)
        self._wrapping = Wrapping(client, layout)

    def key_versions(self, wrapping_key: str) -> KeyVersions | None:
        """See `KeyRotation`; raises CustodianRefused too. A mark is the second of creation."""
        (answer,) = self._client.send([read(self._path(wrapping_key))])
        if answer.status == NOT_FOUND:
            return None
        data = answer.data()
        try:
            return KeyVersions(
                minimum=int(data["min_decryption_version"]),
                latest=int(data["latest_version"]),
                marks={int(version): str(made) for version, made in data["keys"].items()},
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            raise CustodianRefused from None

    def rotate(self, wrapping_key: str) -> None:
        """See `KeyRotation`; raises CustodianRefused too."""
        self._act(f"{self._path(wrapping_key)}/rotate", {}, repeatable=False)

    def rewrap_grants(self, grants: Sequence[GrantToOpen]) -> list[bytes | GrantFailure]:
        """See `KeyRotation`; the derivation needs each share, so this process must read them."""
        secrets = self._shares.read([grant.share for grant in grants])
        items = [
            Item(grant.wrapping_key, grant.share.kid, secret, grant.wrapped)
            for grant, secret in zip(grants, secrets, strict=True)
            if isinstance(secret, bytes)
        ]
        rewrapped = iter(self._wrapping.rewrap(items))
        return [next(rewrapped) if isinstance(secret, bytes) else secret for secret in secrets]

    def raise_minimum(self, wrapping_key: str, *, version: int) -> None:
        """See `KeyRotation`; raises CustodianRefused too."""
        body = {"min_decryption_version": version}
        self._act(f"{self._path(wrapping_key)}/config", body, repeatable=True)

    def _act(self, path: str, body: object, *, repeatable: bool) -> None:
        (answer,) = self._client.send([write(path, body, repeatable=repeatable)])
        if not answer.is_ok:
            raise CustodianRefused

    def _path(self, wrapping_key: str) -> str:
        path = self._layout.transit("keys", wrapping_key)
        if path is None:
            raise CustodianRefused("No wrapping key has such a name.")
        return path
