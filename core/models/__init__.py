"""Rows that every app shares: pending effects, audit, leaf inbox, idempotency, clock, keys."""

from core.models.audit import AuditEvent, LeafInbox
from core.models.clock import ClockOffset
from core.models.effect import Effect, EffectState
from core.models.idempotency import IdempotencyRecord
from core.models.keys import SigningKey

__all__ = [
    "AuditEvent",
    "ClockOffset",
    "Effect",
    "EffectState",
    "IdempotencyRecord",
    "LeafInbox",
    "SigningKey",
]
