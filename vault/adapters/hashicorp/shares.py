"""Key shares in KV v2: one entry each, written once, destroyed for good."""

import os
from base64 import b64decode, b64encode
from collections.abc import Sequence
from datetime import datetime
from itertools import product
from typing import Any, Final

from vault.adapters.hashicorp.client import BAD_REQUEST, FORBIDDEN, NOT_FOUND, Client, host
from vault.adapters.hashicorp.layout import Layout
from vault.adapters.hashicorp.transport import Answer, Request, read, write
from vault.errors import CustodianRefused, CustodianUnavailable
from vault.ports import DestructionReading, FreshShare, GrantFailure, ShareRef, ShareState

SHARE_BYTES: Final = 32
_FIELD: Final = "s"


class Shares:
    """Creates, reads and destroys shares with many calls at once."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client, self._layout = client, layout

    def create(self, refs: Sequence[ShareRef]) -> list[FreshShare | ShareState]:
        """See `KeyCustodian.create_shares`."""
        secrets = [os.urandom(SHARE_BYTES) for _ in refs]
        answers = self._client.send(
            [self._put(ref, secret) for ref, secret in zip(refs, secrets, strict=True)]
        )
        made: list[FreshShare | ShareState] = [
            FreshShare(ref, secret) for ref, secret in zip(refs, secrets, strict=True)
        ]
        # A path that is there is refused by cas=0, or by a policy that may create and not update.
        there = [i for i, answer in enumerate(answers) if not answer.is_ok]
        held = self.read([refs[i] for i in there])
        for i, value in zip(there, held, strict=True):
            if value != secrets[i]:  # else ours: curl sent it twice on a connection that died
                made[i] = _state(value, answers[i])
        return made

    def read(self, refs: Sequence[ShareRef]) -> list[bytes | GrantFailure]:
        """The secret of each share; each distinct share is read once."""
        distinct = list(dict.fromkeys(refs))
        answers = self._client.send([read(self._layout.share("data", ref)) for ref in distinct])
        held = dict(zip(distinct, map(_secret, answers), strict=True))
        return [held[ref] for ref in refs]

    def destroy(self, refs: Sequence[ShareRef]) -> None:
        """See `KeyCustodian.destroy_shares`.

        A version that already reads as destroyed is destroyed again: the store marks a version
        before it deletes its data, so a crash between the two leaves the mark alone.
        """
        distinct = list(dict.fromkeys(refs))
        found = self._client.send([read(self._layout.share("metadata", ref)) for ref in distinct])
        orders = [
            write(
                self._layout.share("destroy", ref),
                {"versions": sorted(map(int, versions))},
                repeatable=True,
            )
            for ref, answer in zip(distinct, found, strict=True)
            if (versions := _versions(answer))
        ]
        for answer in self._client.send(orders):
            if not answer.is_ok:
                raise CustodianRefused

    def read_destruction(self, refs: Sequence[ShareRef]) -> list[DestructionReading]:
        """See `KeyCustodian.read_destruction`."""
        wanted = list(product(refs, self._client.nodes))
        answers = self._client.send(
            [read(self._layout.share("metadata", ref), node=node) for ref, node in wanted]
        )
        return [
            _reading(ref, node, answer) for (ref, node), answer in zip(wanted, answers, strict=True)
        ]

    def _put(self, ref: ShareRef, secret: bytes) -> Request:
        body = {"options": {"cas": 0}, "data": {_FIELD: b64encode(secret).decode()}}
        return write(self._layout.share("data", ref), body)


def _state(value: bytes | GrantFailure, refusal: Answer) -> ShareState:
    """What a share that could not be created is, from reading it."""
    if isinstance(value, bytes):
        return ShareState.LIVE
    if value is GrantFailure.SHARE_DESTROYED:
        return ShareState.DESTROYED
    if refusal.status == BAD_REQUEST:
        raise CustodianUnavailable("The key store did not write a share and does not say why.")
    raise CustodianRefused


def _secret(answer: Answer) -> bytes | GrantFailure:
    if answer.status == FORBIDDEN:
        raise CustodianRefused
    data = answer.data()
    if answer.status == NOT_FOUND:
        gone = (data.get("metadata") or {}).get("destroyed") is True
        return GrantFailure.SHARE_DESTROYED if gone else GrantFailure.SHARE_ABSENT
    try:
        secret = b64decode(data["data"][_FIELD], validate=True)
    except (KeyError, TypeError, ValueError):
        return GrantFailure.NOT_AUTHENTIC
    return secret if len(secret) == SHARE_BYTES else GrantFailure.NOT_AUTHENTIC


def _versions(answer: Answer) -> dict[str, dict[str, Any]]:
    """The versions that metadata lists; none when there is no such share."""
    if answer.status == NOT_FOUND:
        return {}
    versions = answer.data().get("versions")
    if not answer.is_ok or not isinstance(versions, dict):
        raise CustodianRefused
    return versions


def _reading(ref: ShareRef, node: str, answer: Answer) -> DestructionReading:
    versions = _versions(answer)
    if not versions:
        state = ShareState.ABSENT
    elif all(version.get("destroyed") is True for version in versions.values()):
        state = ShareState.DESTROYED
    else:
        state = ShareState.LIVE
    # KV v2 keeps no time of destruction: neither updated_time nor deletion_time changes with it.
    destroyed_at: datetime | None = None
    return DestructionReading(ref, state, host(node), len(versions), destroyed_at)
