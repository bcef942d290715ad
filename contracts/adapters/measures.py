"""What `/metrics` measures of the log in the database at each scrape."""

from contracts.adapters import chains
from contracts.models import LogCheckpoint
from contracts.services import chain_states
from core import clock, metrics
from core.models import LeafInbox


def measure_log() -> None:
    """How much waits for a batch, and how old the last head is: no leaf waits longer than that.

    Leaves have no time of their own, so that nothing tells when an act was.
    """
    head = LogCheckpoint.objects.select_related("batch").order_by("-batch_id").first()
    seconds = 0.0 if head is None else max(0.0, (clock.now() - head.signed_at).total_seconds())
    size = 0 if head is None else head.batch.size
    metrics.log_measured(unsealed=LeafInbox.objects.count(), seconds=seconds, size=size)


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
