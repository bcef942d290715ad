"""What `/metrics` measures of the log in the database at each scrape."""

from datetime import UTC, datetime
from typing import Final

from django.db.models import Max

from contracts.adapters import chains
from contracts.models import LogCheckpoint, LogTimestamp, StatusList
from contracts.services import chain_states, timestamps
from core import clock, metrics
from core.models import LeafInbox

#: Never: what was asked for and never came is as old as can be.
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


def measure_log() -> None:
    """How much waits for a batch, and how old the last head is: no leaf waits longer than that.

    Leaves have no time of their own, so that nothing tells when an act was.
    """
    head = LogCheckpoint.objects.select_related("batch").order_by("-batch_id").first()
    seconds = 0.0 if head is None else max(0.0, (clock.now() - head.signed_at).total_seconds())
    size = 0 if head is None else head.batch.size
    metrics.log_measured(unsealed=LeafInbox.objects.count(), seconds=seconds, size=size)


def measure_outside() -> None:
    """How old what others rely on is: the last timestamp, where one is asked for; status lists."""
    now, stamped = clock.now(), None
    if timestamps.is_configured():
        stamped = LogTimestamp.objects.aggregate(at=Max("stamped_at"))["at"] or _FIRST
    newest = StatusList.objects.annotate(newest=Max("statusversion__published_at"))
    times = newest.values_list("newest", "created_at")
    oldest = min((at or created_at for at, created_at in times), default=None)
    metrics.outside_measured(stamped=_age(stamped, now), status=_age(oldest, now))


def _age(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else max(0.0, (now - at).total_seconds())


def measure_chains() -> None:
    """How far behind each configured chain is, and what waits for a person."""
    for name in chains.rules():
        state = chain_states.state_of(name, now=clock.now())
        metrics.chain_measured(
            name,
            unanchored=state.unanchored_seconds,
            is_stuck=state.stuck_for is not None,
            is_halted=state.halted is not None,
        )
