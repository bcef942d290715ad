"""Witnesses cosign published heads: each has seen that the log only grew (C2SP tlog-witness).

Optional: nobody is asked without LETHE_LOG_WITNESSES. All are asked at once, and one that is down
holds up nobody but itself: what the others answer is kept, and it is asked again in a later round.
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings

from contracts.domain import cosignature
from contracts.domain.policy import Policy, Witness, parse
from contracts.errors import (
    AskingFailed,
    NotLogged,
    WitnessContradicts,
    WitnessRefused,
    WitnessUnavailable,
)
from contracts.models import LogCheckpoint
from contracts.services import asking, cosignatures, proofs, publishing
from core import metrics
from core.errors import ServiceError
from core.logging import get_logger
from core.unit_of_work import no_open_transaction, unit_of_work

logger = get_logger(__name__)
_OK, _CONFLICT, _INCONSISTENT = 200, 409, 422
_REASONS: Final = {403: "key-unknown", 404: "origin-unknown"}
_SIZE: Final = re.compile(rb"(0|[1-9][0-9]{0,17})\n?")
_Given = asking.Answer | asking.NoAnswerError


@dataclass(frozen=True, slots=True)
class Round:
    """Who has cosigned the newest head, by label, and whether that is a quorum."""

    cosigned: frozenset[str]
    is_quorum: bool


def is_configured() -> bool:
    """Whether there are witnesses to ask."""
    return bool(settings.LETHE_LOG_WITNESSES)


def policy() -> Policy:
    """The configured one. Raises WitnessRefused (`policy`) when it cannot be read."""
    try:
        return parse(Path(settings.LETHE_LOG_WITNESSES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise WitnessRefused(reason="policy") from None


@no_open_transaction
def ask(*, now: datetime) -> Round | None:
    """Ask every witness that has not cosigned the newest head; None where there is nothing to ask.

    Says in the log which witness did not cosign, and why. Raises WitnessRefused where the policy
    cannot be read, LogBroken.
    """
    if not is_configured():
        return None
    rule = policy()
    try:
        head = publishing.latest()
    except NotLogged:
        return None
    there = cosignatures.over(head, rule.witnesses)
    missing = {one.label: one for one in rule.witnesses if one.label not in there}
    there |= _Asking(head, missing, now=now).run()
    is_quorum = rule.is_met(there)
    if not is_quorum:
        logger.warning("log.quorum_missed", code="witness-quorum-missed", count=len(there))
    return Round(frozenset(there), is_quorum)


class _Asking:
    """One round about one head: a request to each, and a second one to those that name a size."""

    def __init__(
        self, head: LogCheckpoint, missing: Mapping[str, Witness], *, now: datetime
    ) -> None:
        self._head, self._missing, self._now = head, missing, now
        self._text = publishing.head_of(head.batch, origin=head.origin).text()

    def run(self) -> set[str]:
        """Labels of those that have cosigned it now."""
        olds = {
            label: cosignatures.last_size(one, origin=self._head.origin)
            for label, one in self._missing.items()
        }
        answers = self._send(olds)
        sizes = {label: _size_in(answer) for label, answer in answers.items()}
        again = {
            label: size
            for label, size in sizes.items()
            if size is not None and size <= self._head.batch.size and size != olds[label]
        }
        answers |= self._send(again)
        return {label for label, answer in answers.items() if self._take(label, answer)}

    def _send(self, olds: Mapping[str, int]) -> dict[str, _Given]:
        requests = {
            label: (f"{self._missing[label].url}/add-checkpoint", self._request(old))
            for label, old in olds.items()
        }
        return _post_all(requests)

    def _request(self, old: int) -> bytes:
        path = proofs.consistency(old=old, new=self._head.batch.size)
        return cosignature.request_text(old=old, path=path, note=self._head.note)

    def _take(self, label: str, answer: _Given) -> bool:
        witness = self._missing[label]
        try:
            found = self._verified(witness, answer)
        except AskingFailed as error:
            _tell(error, witness, at=logger.warning)
        except WitnessContradicts as error:
            metrics.integrity_violated(code=error.code)
            _tell(error, witness, at=logger.critical)
        else:
            with unit_of_work():
                cosignatures.keep(self._head, witness, found, now=self._now)
            return True
        return False

    def _verified(self, witness: Witness, answer: _Given) -> cosignature.Cosignature:
        if isinstance(answer, asking.NoAnswerError):
            raise WitnessUnavailable(reason=answer.reason)
        if answer.status != _OK:
            raise self._refusal(answer)
        try:
            return cosignature.verified(
                answer.body, witness, text=self._text, since=self._head.signed_at, now=self._now
            )
        except cosignature.NotCosignedError as error:
            raise WitnessRefused(reason=error.reason) from None

    def _refusal(self, answer: asking.Answer) -> ServiceError:
        if answer.status == _INCONSISTENT:
            return WitnessContradicts(reason="inconsistent")
        if answer.status != _CONFLICT:
            return WitnessUnavailable(reason=_REASONS.get(answer.status, "status"))
        size = _size_in(answer)
        if size is None:
            return WitnessRefused(reason="garbled")
        if size > publishing.latest().batch.size:
            return WitnessContradicts(reason="ahead")
        if size > self._head.batch.size:
            return WitnessUnavailable(reason="raced")
        return WitnessContradicts(reason="conflict")


def _post_all(requests: Mapping[str, tuple[str, bytes]]) -> dict[str, _Given]:
    """An answer, or none, to each address and body; all are asked at the same time."""
    given: dict[str, _Given] = {}
    timeout = settings.LETHE_ASKING_TIMEOUT

    def post(label: str, url: str, body: bytes) -> None:
        try:
            given[label] = asking.post(url, body, content_type="text/plain", timeout=timeout)
        except asking.NoAnswerError as error:
            given[label] = error

    threads = [
        threading.Thread(target=post, args=(label, *request), daemon=True)
        for label, request in requests.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return given


def _size_in(answer: _Given) -> int | None:
    """The size that a witness says it has cosigned last; None where it says none."""
    if isinstance(answer, asking.NoAnswerError) or answer.status != _CONFLICT:
        return None
    found = _SIZE.fullmatch(answer.body)
    return None if found is None else int(found[1])


def _tell(error: ServiceError, witness: Witness, *, at: Callable[..., None]) -> None:
    at("log.asking_failed", code=error.code, reason=error.context["reason"], node=witness.name)
