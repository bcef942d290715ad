"""Lookup tags under HMAC keys that never leave the key store, and names of the key pool."""

from base64 import b64decode, b64encode
from collections.abc import Sequence

from vault.adapters.hashicorp.client import NOT_FOUND, Client
from vault.adapters.hashicorp.layout import HASHING_KEYS, Layout, is_purpose_key
from vault.adapters.hashicorp.transport import Request, write
from vault.adapters.hashicorp.wrapping import BATCH
from vault.errors import CustodianRefused


class HashicorpHasher:
    """Implements LookupHasher."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client, self._layout = client, layout

    def tags(self, *, key: str, values: Sequence[bytes]) -> list[bytes]:
        """See `LookupHasher`; raises CustodianRefused too, ValueError for an unknown key."""
        if key not in HASHING_KEYS:
            raise ValueError("no such hashing key")
        parts = [values[start : start + BATCH] for start in range(0, len(values), BATCH)]
        path = f"{self._layout.lookup}/hmac/{key}"
        answers = self._client.send([_request(path, part) for part in parts])
        tags: list[bytes] = []
        for part, answer in zip(parts, answers, strict=True):
            results = answer.data().get("batch_results")
            if not isinstance(results, list) or len(results) != len(part):
                raise CustodianRefused
            tags += [_tag(result) for result in results]
        return tags


class HashicorpWrappingKeys:
    """Implements WrappingKeys; needs the right to list them."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client, self._layout = client, layout

    def available(self) -> Sequence[str]:
        """See `WrappingKeys`. Raises CustodianUnavailable, CustodianRefused."""
        answer = self._client.send([Request("LIST", f"{self._layout.wrap}/keys", repeatable=True)])
        if answer[0].status == NOT_FOUND:  # a list of nothing
            return []
        names = answer[0].data().get("keys")
        if not isinstance(names, list):
            raise CustodianRefused
        return [name for name in names if is_purpose_key(name)]


def _request(path: str, values: Sequence[bytes]) -> Request:
    # Version 1 for ever: tags of another version of the key would find nobody.
    batch = [{"input": b64encode(value).decode()} for value in values]
    return write(path, {"batch_input": batch, "key_version": 1}, repeatable=True)


def _tag(result: object) -> bytes:
    tag = result.get("hmac") if isinstance(result, dict) else None
    if not isinstance(tag, str):
        raise CustodianRefused
    return b64decode(tag.rsplit(":", 1)[1])
