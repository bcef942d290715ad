"""How anchoring stands, from the rows alone: what is behind, stuck, halted."""

from dataclasses import dataclass
from datetime import datetime

from contracts.domain.anchors import State, log_stream
from contracts.errors import NotLogged
from contracts.models import ChainAnchor, ChainHalt, LogCheckpoint
from contracts.services import publishing


@dataclass(frozen=True, slots=True)
class ChainState:
    """Of one chain; `unanchored_seconds` since the oldest published head that no final block has.

    `final_size` is how many entries of this log a final block proves; `waiting` what is on its way.
    """

    chain: str
    final_size: int
    published_size: int
    unanchored_seconds: float
    waiting: dict[str, int]
    stuck_for: str | None
    halted: str | None


def state_of(chain: str, *, now: datetime) -> ChainState:
    """Without asking any node."""
    size, since, published = _unanchored(chain, now=now)
    rows = ChainAnchor.objects.filter(chain=chain).exclude(state__in=(State.FINAL, State.FAILED))
    waiting: dict[str, int] = {}
    for state in rows.values_list("state", flat=True):
        waiting[state] = waiting.get(state, 0) + 1
    stuck = rows.filter(state=State.STUCK).order_by("pk").first()
    halt = ChainHalt.objects.filter(chain=chain, ended_at=None).first()
    return ChainState(
        chain,
        size,
        published,
        since,
        waiting,
        None if stuck is None else stuck.reason,
        None if halt is None else halt.reason,
    )


def final_anchor(chain: str, stream: bytes) -> ChainAnchor | None:
    """The newest of a stream that is final."""
    rows = ChainAnchor.objects.filter(chain=chain, stream=stream, state=State.FINAL)
    return rows.order_by("-size").first()


def _unanchored(chain: str, *, now: datetime) -> tuple[int, float, int]:
    try:
        newest = publishing.latest()
    except NotLogged:
        return 0, 0.0, 0
    anchor = final_anchor(chain, log_stream(newest.origin))
    size = 0 if anchor is None else anchor.size
    behind = LogCheckpoint.objects.filter(batch__size__gt=size).order_by("batch_id").first()
    since = 0.0 if behind is None else max(0.0, (now - behind.signed_at).total_seconds())
    return size, since, newest.batch.size
