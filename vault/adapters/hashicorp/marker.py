"""The marker of destructions: one entry of the key store, which a restored snapshot takes back."""

from uuid import UUID

from vault.adapters.hashicorp.client import NOT_FOUND, Client
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.transport import read, write
from vault.domain.gate import Marker
from vault.errors import CustodianRefused


class HashicorpMarker:
    """Implements DestructionMarker for HashiCorp Vault and OpenBao."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client, self._path = client, f"{layout.marker}/data/journal"

    def read_marker(self) -> Marker | None:
        """See `DestructionMarker`; raises CustodianRefused too."""
        (answer,) = self._client.send([read(self._path)])
        if answer.status == NOT_FOUND:
            return None
        data = answer.data().get("data")
        if not answer.is_ok or not isinstance(data, dict):
            raise CustodianRefused
        try:
            return Marker(UUID(data["journal_id"]), int(data["ordinal"]), int(data.get("beat", 0)))
        except (KeyError, TypeError, ValueError):
            raise CustodianRefused("The key store's marker is not one of ours.") from None

    def write_marker(self, marker: Marker) -> None:
        """See `DestructionMarker`; raises CustodianRefused too."""
        data = {
            "journal_id": str(marker.journal_id),
            "ordinal": marker.ordinal,
            "beat": marker.beat,
        }
        (answer,) = self._client.send([write(self._path, {"data": data}, repeatable=True)])
        if not answer.is_ok:
            raise CustodianRefused
