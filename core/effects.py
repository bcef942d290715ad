"""Acts on the outside: decided in one transaction, done with none open, settled in another.

Delivery is at least once: handlers are idempotent by key, and a crash between any two phases
leads to another run. Only the worker that still holds the lease settles.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from secrets import SystemRandom
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils.module_loading import import_string

from core import audit, kicks, metrics
from core.actors import Actor
from core.errors import Conflict, IntegrityViolation, NotFound, ServiceError
from core.ids import new_random
from core.logging import get_logger
from core.models import Effect, EffectState
from core.outages import is_outage
from core.unit_of_work import (
    forget_broken_connection,
    no_open_transaction,
    requires_unit_of_work,
    unit_of_work,
)

logger = get_logger(__name__)

_LONGEST_BACKOFF = timedelta(minutes=10)
#: A lease that ends later than this after it could have been given is one of a clock that has
#: stepped back since; clocks of two machines never differ as much.
_STEPPED_BACK = timedelta(minutes=10)
_random = SystemRandom()


class EffectNotFound(NotFound):
    """No effect has this id."""

    code = "effect-not-found"
    text = "No effect has this id."


class EffectNotStuck(Conflict):
    """Only an effect that needs an operator can be resumed."""

    code = "effect-not-stuck"
    text = "This effect does not wait for an operator."


@dataclass(frozen=True, slots=True)
class Claim:
    """What a handler gets. `attempt` counts from 1; `now` is the time of the claim."""

    effect_id: UUID
    kind: str
    key: str
    payload: Mapping[str, str | int]
    attempt: int
    now: datetime


@dataclass(frozen=True, slots=True)
class Done:
    """The act is done and was read back; `settle` runs inside the settle transaction.

    `settle` runs only if the lease is still ours, and so at most once with effect.
    """

    outcome: Mapping[str, Any] | None = None
    settle: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Not yet: run again at `not_before`. No failure; the attempt is not counted."""

    not_before: datetime
    reason: str


Handler = Callable[[Claim], Done | Again]


@dataclass(frozen=True, slots=True)
class _Held:
    """A claim, the token that proves it, and the time as it goes on from an injected start."""

    claim: Claim
    token: UUID
    failures: int
    started: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        return self.claim.now + timedelta(seconds=time.monotonic() - self.started)


@requires_unit_of_work
def enqueue(
    *,
    kind: str,
    key: str,
    payload: Mapping[str, str | int],
    now: datetime,
    not_before: datetime | None = None,
) -> Effect:
    """Commit to doing `kind` once for `key`; a second call returns the row of the first.

    `payload` carries opaque ids and counts, nothing personal. After the commit Celery is told,
    which only saves waiting for the next sweep. Raises KeyError for a kind without a handler.
    """
    _path, queue = settings.LETHE_EFFECTS[kind]
    effect, _created = Effect.objects.get_or_create(
        kind=kind,
        key=key,
        defaults={
            "queue": queue,
            "payload": dict(payload),
            "due_at": not_before or now,
            "created_at": now,
        },
    )
    if effect.state == EffectState.PENDING and effect.due_at <= now:
        effect_id = effect.id
        transaction.on_commit(lambda: kicks.kick(effect_id=effect_id, queue=queue))
    return effect


@no_open_transaction
def run(*, effect_id: UUID, now: datetime) -> EffectState:
    """Run one effect if it is due and free, and return the state it is left in.

    Raises EffectNotFound.
    """
    held = _claim(Q(id=effect_id), now)
    if held is not None:
        _act(held)
    state = Effect.objects.filter(id=effect_id).values_list("state", flat=True).first()
    if state is None:
        raise EffectNotFound(effect=str(effect_id))
    return EffectState(state)


@no_open_transaction
def sweep(*, queue: str, now: datetime, limit: int = 50) -> int:
    """Run every due effect of `queue`, at most `limit`; how many were run."""
    started = time.monotonic()
    for count in range(limit):
        held = _claim(Q(queue=queue), now + timedelta(seconds=time.monotonic() - started))
        if held is None:
            return count
        _act(held)
    return limit


def resume(*, effect_id: UUID, actor: Actor, now: datetime) -> None:
    """An operator puts a stuck effect back; its counts start anew. Its own unit of work.

    Audit: `core.effect.resumed`. Raises EffectNotFound, EffectNotStuck.
    """
    with unit_of_work():
        effect = Effect.objects.select_for_update().filter(id=effect_id).first()
        if effect is None:
            raise EffectNotFound(effect=str(effect_id))
        if effect.state != EffectState.NEEDS_OPERATOR:
            raise EffectNotStuck(effect=str(effect_id), state=effect.state)
        effect.state, effect.due_at = EffectState.PENDING, now
        effect.attempts = effect.failures = 0
        effect.save(update_fields=["state", "due_at", "attempts", "failures"])
        audit.record(
            action="core.effect.resumed",
            actor=actor,
            controller_id=actor.controller_id,
            now=now,
            details={"effect": str(effect.id), "kind": effect.kind, "code": effect.last_error},
        )


def _claim(which: Q, now: datetime) -> _Held | None:
    """Take the oldest due effect under a fresh lease; None when there is none."""
    due = Q(state=EffectState.PENDING, due_at__lte=now)
    never_given = now + settings.LETHE_EFFECT_LEASE + _STEPPED_BACK
    is_over = Q(lease_until__lte=now) | Q(lease_until__gt=never_given)
    abandoned = Q(is_over, state=EffectState.CLAIMED)
    with unit_of_work():
        effect = (
            Effect.objects.select_for_update(skip_locked=True)
            .filter(which, due | abandoned)
            .order_by("due_at", "id")
            .first()
        )
        if effect is None:
            return None
        if effect.state == EffectState.CLAIMED:
            # Whoever held it died or hung. An act that kills its worker each time must reach an
            # operator too, so this counts as a failure.
            effect.failures, effect.last_error = effect.failures + 1, "lease-expired"
        effect.attempts += 1
        effect.state = EffectState.CLAIMED
        effect.lease_token, effect.lease_until = new_random(), now + settings.LETHE_EFFECT_LEASE
        if effect.failures >= settings.LETHE_EFFECT_ATTEMPTS:
            effect.state = EffectState.NEEDS_OPERATOR
            effect.lease_token = effect.lease_until = None
        effect.save()
    if effect.state == EffectState.CLAIMED:
        return _held(effect, now)
    logger.critical("effect.needs_operator", effect_id=effect.id, kind=effect.kind)
    metrics.effect_stuck(kind=effect.kind)
    return _claim(which, now)


def _held(effect: Effect, now: datetime) -> _Held:
    claim = Claim(effect.id, effect.kind, effect.key, effect.payload, effect.attempts, now)
    assert effect.lease_token is not None  # noqa: S101 - set by the claim
    return _Held(claim=claim, token=effect.lease_token, failures=effect.failures)


@no_open_transaction
def _act(held: _Held) -> None:
    """Run the handler and settle what it answers."""
    try:
        _settle(held, _handler(held.claim.kind)(held.claim))
    except Exception as error:  # noqa: BLE001 - whatever happened, the effect must not be lost
        _failed(held, error)
    metrics.effect_finished(kind=held.claim.kind, seconds=time.monotonic() - held.started)


def _settle(held: _Held, answer: Done | Again) -> None:
    if isinstance(answer, Again):
        _release(
            held,
            state=EffectState.PENDING,
            due_at=answer.not_before,
            attempts=F("attempts") - 1,
            failures=0,
            last_error=answer.reason[:64],
        )
        return
    _release(
        held,
        settle=answer.settle,
        state=EffectState.DONE,
        settled_at=held.now(),
        outcome=None if answer.outcome is None else dict(answer.outcome),
        last_error="",
    )


def _failed(held: _Held, error: Exception) -> None:
    """Give the effect back for another try, or to an operator; nothing is ever made up for it."""
    code, is_retryable = _nature(error)
    forget_broken_connection()
    failures = held.failures + (0 if is_retryable else 1)
    log = logger.bind(effect_id=held.claim.effect_id, kind=held.claim.kind, code=code)
    if isinstance(error, IntegrityViolation) or failures >= settings.LETHE_EFFECT_ATTEMPTS:
        log.critical("effect.needs_operator", attempt=held.claim.attempt, exc_info=error)
        _release(held, state=EffectState.NEEDS_OPERATOR, failures=failures, last_error=code)
        metrics.effect_stuck(kind=held.claim.kind)
        return
    log.warning("effect.failed", attempt=held.claim.attempt, exc_info=error)
    _release(
        held,
        state=EffectState.PENDING,
        due_at=held.now() + _backoff(held.claim.attempt),
        failures=failures,
        last_error=code,
    )


def _nature(error: Exception) -> tuple[str, bool]:
    """The failure's code, and whether waiting alone may mend it."""
    if isinstance(error, ServiceError):
        return error.code[:64], error.retryable
    if is_outage(error):
        return "database-unavailable", True
    return "internal-error", False


def _release(held: _Held, *, settle: Callable[[], None] | None = None, **changes: Any) -> bool:
    """Give the lease back with `changes`; False, and nothing changed, if it is no longer ours."""
    with unit_of_work():
        ours = Effect.objects.filter(
            id=held.claim.effect_id, state=EffectState.CLAIMED, lease_token=held.token
        ).update(lease_token=None, lease_until=None, **changes)
        if ours and settle is not None:
            settle()
    metrics.effect_settled(
        kind=held.claim.kind, state=str(changes["state"]) if ours else "lease-lost"
    )
    return bool(ours)


def _backoff(attempt: int) -> timedelta:
    """Doubling from LETHE_EFFECT_BACKOFF to ten minutes, halved at random so crowds part."""
    longest: timedelta = min(
        settings.LETHE_EFFECT_BACKOFF * 2 ** min(attempt - 1, 16), _LONGEST_BACKOFF
    )
    return longest * _random.uniform(0.5, 1.0)


def _handler(kind: str) -> Handler:
    path, _queue = settings.LETHE_EFFECTS[kind]
    handler: Handler = import_string(path)
    return handler
