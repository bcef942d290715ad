"""What `/metrics` measures in the database at each scrape, so that any process tells it for all."""

from django.db.models import Count

from core import metrics
from core.models import Effect, EffectState


def measure_effects() -> None:
    """How many effects wait for an operator, by kind; kinds that no longer wait are said as 0."""
    waiting = Effect.objects.filter(state=EffectState.NEEDS_OPERATOR).values_list("kind")
    metrics.effects_waiting(dict(waiting.annotate(Count("pk")).order_by()))
