"""What `/metrics` measures of the log in the database at each scrape."""

from contracts.models import LogCheckpoint
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
