"""AppRole login of one process: one token, renewed in time, exchanged under a lock."""

import os
import threading
import time
import weakref
from dataclasses import dataclass, field
from typing import Final

from vault.adapters.hashicorp.transport import Answer, Request, Transport, read, write
from vault.errors import CustodianRefused, CustodianUnavailable

#: A token is renewed when this part of its life is over.
_RENEW_AT: Final = 2 / 3
#: A renewal that gives less than this part of the first life has met the token's last hour.
_WORTH_KEEPING: Final = 1 / 2


@dataclass(frozen=True, slots=True)
class Token:
    """An immutable snapshot; threads that hold an older one go on until it is refused."""

    value: str = field(repr=False)
    first_life: float
    renew_at: float
    ends_at: float


class Login:
    """Logs in with a role id and a secret id, and keeps the token alive. Safe in threads."""

    def __init__(self, transport: Transport, *, role_id: str, secret_id: str) -> None:
        self._transport = transport
        self._role_id, self._secret_id = role_id, secret_id
        self._token: Token | None = None
        self._lock = threading.Lock()
        known = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _free_lock(known()))

    def token(self) -> Token:
        """A token to send now. Raises CustodianRefused, CustodianUnavailable."""
        token, now = self._token, time.monotonic()
        if token is not None and now < token.renew_at:
            return token
        # While one thread renews, the others go on with the token until it ends.
        if self._lock.acquire(blocking=token is None or now >= token.ends_at):
            try:
                return self._refresh()
            finally:
                self._lock.release()
        assert token is not None  # noqa: S101 - for the type checker: we wait without a token
        return token

    def is_worth_replaying(self, refused: Token) -> bool:
        """After a 403: whether `refused` was dead and a new token is there instead."""
        with self._lock:
            if self._token is not None and self._token.value != refused.value:
                return True
            looked = self._send(read("auth/token/lookup-self"), refused)
            if looked.is_ok:
                return False
            if looked.status != _FORBIDDEN:
                raise CustodianUnavailable
            self._token = self._log_in()
            return True

    def _refresh(self) -> Token:
        """Renew or log in, unless another thread just did."""
        token, now = self._token, time.monotonic()
        if token is not None and now < token.renew_at:
            return token
        renewed = self._renew(token) if token is not None and now < token.ends_at else None
        self._token = renewed or self._log_in()
        return self._token

    def _renew(self, token: Token) -> Token | None:
        answer = self._send(write("auth/token/renew-self", {}, repeatable=True), token)
        life = _life(answer)
        if life is None or life < token.first_life * _WORTH_KEEPING:
            return None
        return _token(token.value, life=life, first_life=token.first_life)

    def _log_in(self) -> Token:
        body = {"role_id": self._role_id, "secret_id": self._secret_id}
        answer = self._send(write("auth/approle/login", body, repeatable=True), None)
        life = _life(answer)
        if life is not None:
            value = str(answer.json()["auth"]["client_token"])
            return _token(value, life=life, first_life=life)
        if answer.status in {400, _FORBIDDEN}:
            raise CustodianRefused("The key store refuses this process's role and secret id.")
        raise CustodianUnavailable

    def _send(self, request: Request, token: Token | None) -> Answer:
        return self._transport.send([request], token=token.value if token else None)[0]

    def free_lock(self) -> None:
        """After a fork: a lock that another thread of the parent held would never be freed."""
        self._lock = threading.Lock()


_FORBIDDEN: Final = 403


def _free_lock(login: Login | None) -> None:
    if login is not None:
        login.free_lock()


def _life(answer: Answer) -> float | None:
    """Seconds that the token of a login or renewal lives; None when there is no token."""
    auth = answer.json().get("auth") if answer.is_ok else None
    if not isinstance(auth, dict) or not auth.get("client_token"):
        return None
    return float(auth.get("lease_duration") or 0) or float("inf")


def _token(value: str, *, life: float, first_life: float) -> Token:
    now = time.monotonic()
    return Token(value, first_life, now + life * _RENEW_AT, now + life)
