"""What an operator does when the kept head and the database differ: go on, or found a new log."""

from datetime import datetime

from contracts.domain.history import MENDABLE, WORDS, History
from contracts.errors import HistoryBroken, NothingToFound
from contracts.models import LogFounding
from contracts.services import generations, keeping
from core import audit, failpoints, runtime
from core.actors import Actor
from core.ports import HeadKeeper, LogHead
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work


@no_open_transaction
def go_on(*, operator: Actor, now: datetime) -> LogHead:
    """Keep the database's newest head where only the key store was put back; as the log's process.

    `operator` answers for the database not having been put back. Raises NothingToFound where it
    must have been, or where they agree; Unavailable.
    """
    history, kept = keeping.look()
    if history not in MENDABLE:
        raise NothingToFound(WORDS[history], reason=history.value)
    with unit_of_work():
        _record("continued", history, operator, now=now)
    keeping.keep(known=kept)
    return keeping.newest()


@no_open_transaction
def found(*, operator: Actor, now: datetime) -> LogFounding:
    """Found the next generation with the entries that the database has; as the log's process.

    Heads of the generation before stay valid and are followed by none. Raises NothingToFound,
    HistoryBroken (another process was faster), Unavailable (repeat: the founding stands).
    """
    history, kept = keeping.look()
    if history is History.IN_STEP:
        raise NothingToFound(WORDS[history], reason=history.value)
    last = generations.current().number
    number = 1 + max(last, 0 if kept is None else kept.generation)
    with unit_of_work():
        row = LogFounding.objects.create(
            number=number,
            origin=generations.origin_of(number),
            size=keeping.newest().size,
            follows=keeping.as_json(kept),
            founded_by=operator.id,
            founded_at=now,
        )
        _record("founded", history, operator, now=now)
    failpoints.reach("contracts.log.founded")
    keeper: HeadKeeper = runtime.port("head_keeper")
    if not keeper.replace_head(keeping.newest(), known=kept):
        raise HistoryBroken("Another process has kept a head of this log.", reason="raced")
    return row


@requires_unit_of_work
def _record(step: str, history: History, operator: Actor, *, now: datetime) -> None:
    audit.record(
        action=f"contracts.log.{step}",
        actor=operator,
        controller_id=None,
        now=now,
        details={"reason": history.value},
    )
