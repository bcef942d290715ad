"""Halts: what a chain showed must not be, so nothing more is anchored until a person has looked."""

from datetime import datetime

from contracts.errors import ChainHalted
from contracts.models import ChainHalt
from core import metrics
from core.logging import get_logger
from core.unit_of_work import no_open_transaction, unit_of_work

logger = get_logger(__name__)

#: Somebody else anchored in our stream, or this database has lost what it anchored.
STREAM_AHEAD = "stream-ahead"
#: The sender's key was used elsewhere, or this database has lost what it signed.
SENDER_AHEAD = "sender-ahead"
#: A nonce of an anchor was used by something else.
NONCE_TAKEN = "nonce-taken"
#: The contract refused an anchor, for good.
REFUSED = "anchor-refused"
#: What was final is not there any more.
CHANGED = "final-changed"


def current(chain: str) -> ChainHalt | None:
    """The halt of a chain that nobody has ended."""
    return ChainHalt.objects.filter(chain=chain, ended_at=None).first()


def require_none(chain: str) -> None:
    """Raise ChainHalted."""
    halt = current(chain)
    if halt is not None:
        raise ChainHalted(chain=chain, reason=halt.reason)


@no_open_transaction
def halt(chain: str, reason: str, *, now: datetime, stream: bytes | None = None) -> ChainHalted:
    """Halt a chain, page somebody, and return what the caller raises."""
    with unit_of_work():
        ChainHalt.objects.get_or_create(
            chain=chain,
            ended_at=None,
            defaults={"reason": reason, "halted_at": now, "stream": stream},
        )
    metrics.integrity_violated(code="chain-halted")
    logger.critical("chain.halted", chain=chain, reason=reason)
    return ChainHalted(chain=chain, reason=reason)


def accepted(chain: str, stream: bytes) -> int:
    """Up to where the contract's own sequence of a stream was accepted by somebody."""
    rows = ChainHalt.objects.filter(chain=chain, stream=stream).order_by("-accepted")
    found = rows.first()
    return 0 if found is None else found.accepted
