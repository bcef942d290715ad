"""What `/metrics` measures of the vault in the database at each scrape."""

from datetime import datetime

from django.db.models import Count, Min

from core import clock, metrics
from vault.domain.gate import Reason
from vault.domain.states import ShareState, ShreddingState
from vault.models import KeyShare, PendingEntry, Shredding
from vault.services import gate, shredding


def measure_gate() -> None:
    """Bring the gate into the figures of this process."""
    state = gate.state()
    metrics.gate_measured(
        is_open=state.is_open,
        reason=state.reason.value,
        reasons=[reason.value for reason in Reason],
    )


def measure_journal() -> None:
    """What is announced to the journal and not in it, and for how long the oldest has waited."""
    found = PendingEntry.objects.aggregate(count=Count("pk"), oldest=Min("created_at"))
    metrics.acts_unjournaled(count=found["count"], seconds=_since(found["oldest"]))


def measure_erasures() -> None:
    """How long ago the oldest erasure that is not verified was fenced, and what is LOST.

    What a restore holds, or a released list calls off, waits for people and does not count.
    """
    waiting = Shredding.objects.filter(
        shredding.RUNNABLE, state__in=[*shredding.UNFINISHED, ShreddingState.SWEPT]
    )
    oldest = waiting.aggregate(oldest=Min("fenced_at"))["oldest"]
    metrics.erasures_measured(unverified=waiting.count(), seconds=_since(oldest))
    metrics.keys_lost(KeyShare.objects.filter(state=ShareState.LOST).count())


def _since(moment: datetime | None) -> float:
    return 0.0 if moment is None else max(0.0, (clock.now() - moment).total_seconds())
