"""Data keys wrapped by transit under derived keys, in batches that one bad item cannot fail."""

from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from vault.adapters.hashicorp.client import FORBIDDEN, NOT_FOUND, Client
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.transport import Answer, read, write
from vault.errors import CustodianRefused, CustodianUnavailable
from vault.ports import MOST_VERSIONS, GrantFailure

#: Vault and OpenBao refuse bodies of more than 1,000 JSON strings; an item has four.
BATCH: Final = 249
_VERSION_BYTES: Final = 4
_DATA_KEY_BYTES: Final = 32
_BAD_ITEM: Final = ("invalid ciphertext", "authentication failed")
_NO_VERSION: Final = ("too old", "too new")


@dataclass(frozen=True, slots=True)
class Item:
    """One data key to wrap, or wrapped one to open (`value`), for the share `secret` of `kid`."""

    wrapping_key: str
    kid: bytes
    secret: bytes = field(repr=False)
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Call:
    """Items of one wrapping key that go in one request, and where their answers belong."""

    wrapping_key: str
    path: str
    places: list[int]
    batch: list[dict[str, str]] = field(repr=False)


class Wrapping:
    """Wraps and opens; every call of every key goes out at once."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client, self._layout = client, layout

    def encrypt(self, items: Sequence[Item]) -> list[bytes | GrantFailure]:
        """Wrap each `value`. Never creates a key: no credential of ours may."""
        return self._run("encrypt", items)

    def decrypt(self, items: Sequence[Item]) -> list[bytes | GrantFailure]:
        """Open each `value`."""
        return self._run("decrypt", items)

    def rewrap(self, items: Sequence[Item]) -> list[bytes | GrantFailure]:
        """Bring each wrapped `value` to the latest version of its key."""
        return self._run("rewrap", items)

    def _run(self, act: str, items: Sequence[Item]) -> list[bytes | GrantFailure]:
        results: list[bytes | GrantFailure] = [GrantFailure.NOT_AUTHENTIC] * len(items)
        calls: list[_Call] = []
        for key, places in _by_key(items).items():
            path = self._layout.transit(act, key)
            if path is None:
                for place in places:
                    results[place] = GrantFailure.KEY_ABSENT
            else:
                calls += _cut(act, items, key, path, places)
        answers = self._client.send(
            [
                write(
                    call.path,
                    {"batch_input": call.batch, "partial_failure_response_code": 200},
                    repeatable=True,
                )
                for call in calls
            ]
        )
        for call, answer in zip(calls, answers, strict=True):
            for place, result in zip(call.places, self._results(act, call, answer), strict=True):
                results[place] = result
        return results

    def _results(self, act: str, call: _Call, answer: Answer) -> list[bytes | GrantFailure]:
        found = answer.data().get("batch_results")  # there also when every item failed (400)
        if isinstance(found, list) and len(found) == len(call.places):
            return [
                _result(act, item, asked, answer)
                for item, asked in zip(found, call.batch, strict=True)
            ]
        if answer.status == FORBIDDEN:
            return [self._refusal(call.wrapping_key)] * len(call.places)
        if answer.says("encryption key not found"):
            return [GrantFailure.KEY_ABSENT] * len(call.places)
        raise CustodianRefused

    def _refusal(self, wrapping_key: str) -> GrantFailure:
        """Why a key may not be used.

        Wrapping under a key that is not there would create it, so the store forbids that too.
        """
        path = self._layout.transit("keys", wrapping_key)
        if path is not None and self._client.send([read(path)])[0].status == NOT_FOUND:
            return GrantFailure.KEY_ABSENT
        return GrantFailure.NOT_PERMITTED


def pack(ciphertext: str) -> bytes:
    """`vault:v<N>:<base64>` as 4 bytes of key version, big-endian, and the raw ciphertext."""
    _, version, body = ciphertext.split(":", 2)
    return int(version.removeprefix("v")).to_bytes(_VERSION_BYTES) + b64decode(body)


def unpack(wrapped: bytes) -> str:
    """The inverse of `pack`; of bytes that are none, a ciphertext that cannot open."""
    version = int.from_bytes(wrapped[:_VERSION_BYTES])
    return f"vault:v{version}:{b64encode(wrapped[_VERSION_BYTES:]).decode()}"


def _by_key(items: Sequence[Item]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        places[item.wrapping_key].append(place)
    return places


def _cut(
    act: str, items: Sequence[Item], key: str, path: str, places: list[int]
) -> Iterator[_Call]:
    for start in range(0, len(places), BATCH):
        part = places[start : start + BATCH]
        yield _Call(key, path, part, [_input(act, items[place]) for place in part])


def _input(act: str, item: Item) -> dict[str, str]:
    # The share enters the key derivation, so nothing derives the key once it is destroyed; the
    # hash of kid binds the wrapped key to the share's name.
    context = b64encode(item.secret + sha256(item.kid).digest()).decode()
    if act == "encrypt":
        return {"plaintext": b64encode(item.value).decode(), "context": context}
    return {"ciphertext": unpack(item.value), "context": context}


def _result(
    act: str, item: dict[str, Any], asked: Mapping[str, str], answer: Answer
) -> bytes | GrantFailure:
    error = item.get("error")
    if error:
        return _failure(act, str(error), asked, answer)
    if act != "decrypt":
        return pack(str(item["ciphertext"]))
    data_key = b64decode(str(item["plaintext"]))
    return data_key if len(data_key) == _DATA_KEY_BYTES else GrantFailure.NOT_AUTHENTIC


def _failure(act: str, error: str, asked: Mapping[str, str], answer: Answer) -> GrantFailure:
    if act != "encrypt":
        version = int(asked["ciphertext"].split(":", 2)[1].removeprefix("v"))
        if any(text in error for text in _NO_VERSION) and 0 < version <= MOST_VERSIONS:
            return GrantFailure.VERSION_ABSENT
        if any(text in error for text in (*_NO_VERSION, *_BAD_ITEM)):
            return GrantFailure.NOT_AUTHENTIC
    raise CustodianUnavailable("The key store failed inside a batch.", status=answer.status)
