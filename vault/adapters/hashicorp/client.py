"""Authenticated calls to the key store. What it cannot answer is raised here, once for all."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from vault.adapters.hashicorp.login import Login
from vault.adapters.hashicorp.transport import Answer, Request, Transport
from vault.errors import CustodianRefused, CustodianUnavailable

FORBIDDEN: Final = 403
NOT_FOUND: Final = 404
BAD_REQUEST: Final = 400
#: Statuses that say something about the request; every other one says something of the store.
_ANSWERS: Final = frozenset({200, 204, BAD_REQUEST, FORBIDDEN, NOT_FOUND})


class Client:
    """One process's access to one key store. Safe in threads and after fork."""

    def __init__(
        self,
        *,
        address: str,
        role_id: str,
        secret_id: str,
        nodes: Sequence[str] = (),
        timeout: float = 5.0,
        cacert: str = "",
    ) -> None:
        """`nodes` are the addresses of every node, for reading a destruction on each."""
        self._transport = Transport(address, timeout=timeout, cacert=cacert)
        self._login = Login(self._transport, role_id=role_id, secret_id=secret_id)
        self.nodes = tuple(node.rstrip("/") for node in nodes) or (self._transport.address,)

    def __repr__(self) -> str:
        return f"Client({host(self._transport.address)})"

    def send(self, requests: Sequence[Request]) -> list[Answer]:
        """Send all; answers in order, each 200, 204, 400, 403 or 404.

        A 403 is final: the token was looked at, renewed if dead, and the call sent again.
        Raises CustodianUnavailable (with the node), CustodianRefused.
        """
        if not requests:
            return []
        token = self._login.token()
        answers = self._transport.send(requests, token=token.value)
        refused = [i for i, answer in enumerate(answers) if answer.status == FORBIDDEN]
        if refused and self._login.is_worth_replaying(token):
            again = [requests[i] for i in refused]
            replayed = self._transport.send(again, token=self._login.token().value)
            for i, answer in zip(refused, replayed, strict=True):
                answers[i] = answer
        for request, answer in zip(requests, answers, strict=True):
            self._require_answer(request, answer)
        return answers

    def _require_answer(self, request: Request, answer: Answer) -> None:
        if answer.status not in _ANSWERS:
            raise CustodianUnavailable(node=host(request.node or self._transport.address))
        if answer.status == NOT_FOUND and answer.says("no handler for route"):
            raise CustodianRefused("The key store lacks a mount; run `manage.py custodian_setup`.")


def host(address: str) -> str:
    """The part of an address that may be shown: host and port."""
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
