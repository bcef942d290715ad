"""The log's last head: one entry of the key store, replaced by compare-and-set."""

from typing import Any, Final

from core.ports import LogHead
from vault.adapters.hashicorp.client import NOT_FOUND, Client
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.transport import read, write
from vault.errors import CustodianRefused

_CHANGED: Final = "check-and-set parameter did not match"


class HashicorpHeadKeeper:
    """Implements HeadKeeper for HashiCorp Vault and OpenBao."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client, self._path = client, f"{layout.marker}/data/log"

    def read_head(self) -> LogHead | None:
        """See `HeadKeeper`; raises CustodianRefused too."""
        return self._read()[0]

    def replace_head(self, head: LogHead, *, known: LogHead | None) -> bool:
        """See `HeadKeeper`; raises CustodianRefused too."""
        held, version = self._read()
        if held != known:
            return False
        data = {"generation": head.generation, "size": head.size, "root": head.root.hex()}
        body = {"data": data, "options": {"cas": version}}
        (answer,) = self._client.send([write(self._path, body)])
        if not answer.is_ok and answer.says(_CHANGED):
            return False
        if not answer.is_ok:
            raise CustodianRefused
        return True

    def _read(self) -> tuple[LogHead | None, int]:
        """The head and the entry's version, 0 where there is none."""
        (answer,) = self._client.send([read(self._path)])
        if answer.status == NOT_FOUND:
            return None, 0
        held: dict[str, Any] = answer.data()
        if not answer.is_ok or not isinstance(held.get("data"), dict):
            raise CustodianRefused
        try:
            data, version = held["data"], int(held["metadata"]["version"])
            root = bytes.fromhex(data["root"])
            return LogHead(int(data["generation"]), int(data["size"]), root), version
        except (KeyError, TypeError, ValueError):
            raise CustodianRefused("The key store's head of the log is not one of ours.") from None
