"""Signatures with the process's own ed25519 key, which never leaves the key store."""

from base64 import b64decode, b64encode
from collections.abc import Sequence

from core.ports import Signature, VerifyingKey
from vault.adapters.hashicorp.client import Client
from vault.adapters.hashicorp.layout import SIGNING_KEYS, Layout
from vault.adapters.hashicorp.transport import read, write
from vault.errors import CustodianRefused


class HashicorpSigner:
    """Implements Signer for one holder."""

    def __init__(self, client: Client, layout: Layout, *, holder: str) -> None:
        if holder not in SIGNING_KEYS:
            raise ValueError("this process holds no signing key")
        self._client, self._layout, self._holder = client, layout, holder

    def sign(self, message: bytes) -> Signature:
        """See `Signer`. Raises CustodianUnavailable, CustodianRefused."""
        path = f"{self._layout.sign}/sign/{self._holder}"
        body = {"input": b64encode(message).decode()}
        (answer,) = self._client.send([write(path, body, repeatable=True)])
        signature = answer.data().get("signature")
        if not isinstance(signature, str):
            raise CustodianRefused
        _, version, value = signature.split(":", 2)
        key_id = f"{self._holder}:{version.removeprefix('v')}"
        return Signature(key_id, self._holder, b64decode(value))

    def verifying_keys(self) -> Sequence[VerifyingKey]:
        """See `Signer`. Raises CustodianUnavailable, CustodianRefused."""
        (answer,) = self._client.send([read(f"{self._layout.sign}/keys/{self._holder}")])
        versions = answer.data().get("keys")
        if not isinstance(versions, dict):
            raise CustodianRefused
        return [
            VerifyingKey(
                f"{self._holder}:{version}",
                self._holder,
                b64decode(versions[version]["public_key"]),
            )
            for version in sorted(versions, key=int)
        ]
