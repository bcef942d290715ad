"""The last head, kept outside the database before it is signed: no second history is published."""

from typing import Any

from contracts.domain.history import WORDS, History, Known, Stand, judge
from contracts.domain.tree import EMPTY_ROOT
from contracts.errors import HistoryBroken
from contracts.models import LogBatch, LogCheckpoint
from contracts.services import generations
from core import failpoints, runtime
from core.ports import HeadKeeper, LogHead
from core.unit_of_work import no_open_transaction


@no_open_transaction
def look() -> tuple[History, LogHead | None]:
    """How the database stands to the head that was kept, and that head. Raises Unavailable."""
    kept = _keeper().read_head()
    return judge(_stand(kept), _known(kept)), kept


@no_open_transaction
def require_own() -> LogHead | None:
    """The kept head of this database's log. Raises HistoryBroken, Unavailable."""
    history, kept = look()
    if history is not History.IN_STEP:
        raise HistoryBroken(WORDS[history], reason=history.value)
    return kept


@no_open_transaction
def keep(*, known: LogHead | None) -> None:
    """Keep the newest sealed head in the place of `known`.

    Raises HistoryBroken when another process has kept one meanwhile, Unavailable (repeat).
    """
    head = newest()
    if head == known:
        return
    failpoints.reach("contracts.log.keeping")
    if not _keeper().replace_head(head, known=known):
        raise HistoryBroken("Another process has kept a head of this log.", reason="raced")
    failpoints.reach("contracts.log.kept")


def newest() -> LogHead:
    """The head of everything sealed, published or not."""
    batch = LogBatch.objects.order_by("-sequence").first()
    generation = generations.current().number
    if batch is None:
        return LogHead(generation, 0, EMPTY_ROOT)
    return LogHead(generation, batch.size, bytes(batch.root))


def as_json(head: LogHead | None) -> dict[str, Any] | None:
    """For the row of a founding."""
    if head is None:
        return None
    return {"generation": head.generation, "size": head.size, "root": head.root.hex()}


def _known(kept: LogHead | None) -> Known:
    generation = generations.current()
    published = LogCheckpoint.objects.order_by("-batch_id").select_related("batch").first()
    sizes = {newest().size, *([] if kept is None else [kept.size])}
    batches = LogBatch.objects.filter(size__in=sizes).values_list("size", "root")
    roots = {0: EMPTY_ROOT} | {size: bytes(root) for size, root in batches}
    size = 0 if published is None else published.batch.size
    if generation.founding is None:
        return Known(0, size, roots)
    row = generation.founding
    return Known(row.number, size, roots, _from_json(row.follows), row.size)


def _stand(head: LogHead | None) -> Stand | None:
    return None if head is None else Stand(head.generation, head.size, head.root)


def _from_json(held: dict[str, Any] | None) -> Stand | None:
    if held is None:
        return None
    return Stand(held["generation"], held["size"], bytes.fromhex(held["root"]))


def _keeper() -> HeadKeeper:
    keeper: HeadKeeper = runtime.port("head_keeper")
    return keeper
