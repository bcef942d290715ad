"""Names of the shares that the key store holds; needs the right to list their metadata."""

from collections.abc import Sequence
from uuid import UUID

from vault.adapters.hashicorp.client import NOT_FOUND, Client
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.transport import Answer, Request
from vault.errors import CustodianRefused
from vault.ports import FOLDERS


class HashicorpInventory:
    """Implements KeyInventory for HashiCorp Vault and OpenBao."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client, self._layout = client, layout

    def controllers(self) -> Sequence[UUID]:
        """See `KeyInventory`; raises CustodianRefused without the right to list."""
        (answer,) = self._client.send([_listing(f"{self._layout.shares}/metadata/")])
        return [UUID(name.removesuffix("/")) for name in _names(answer)]

    def kids(self, *, controller_id: UUID, folders: range = FOLDERS) -> Sequence[bytes]:
        """See `KeyInventory`; raises CustodianRefused without the right to list."""
        root = f"{self._layout.shares}/metadata/{controller_id}/"
        names = [f"{folder:02x}/" for folder in folders]
        if folders == FOLDERS:
            (answer,) = self._client.send([_listing(root)])
            names = [name for name in _names(answer) if name.endswith("/")]
        answers = self._client.send([_listing(f"{root}{name}") for name in names])
        return [bytes.fromhex(name) for answer in answers for name in _names(answer)]


def _listing(path: str) -> Request:
    return Request("LIST", path, repeatable=True)


def _names(answer: Answer) -> list[str]:
    if answer.status == NOT_FOUND:
        return []
    names = answer.data().get("keys")
    if not answer.is_ok or not isinstance(names, list):
        raise CustodianRefused
    return names
