"""Compares key share rows with the key store and reports; it never changes either.

A share without a row may belong to rows that a restored database has lost, so nothing is
destroyed here. Settled rows are looked at too: a write to the key store that took longer than a
drain, or a key store that was put back, leaves a live share where an erasure saw none.
"""

from dataclasses import dataclass, field
from uuid import UUID

from core import metrics
from core.logging import get_logger
from core.unit_of_work import no_open_transaction
from vault import runtime
from vault.domain.states import ShareState
from vault.models import KeyShare
from vault.ports import ShareState as StoreState
from vault.services import keys

_BATCH = 500
logger = get_logger(__name__)


@dataclass(slots=True)
class Report:
    """Kids (hex) by what is wrong with them; `checked` counts the rows looked at.

    `lost` are known as LOST and still missing: said, and no news.
    """

    checked: int = 0
    without_row: list[str] = field(default_factory=list)
    live_but_absent: list[str] = field(default_factory=list)
    destroyed_but_live: list[str] = field(default_factory=list)
    absent_but_live: list[str] = field(default_factory=list)
    live_but_destroyed: list[str] = field(default_factory=list)
    never_used: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    lost_but_live: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Nothing that loses data or keeps what was erased; unused shares are harmless."""
        return not (
            self.without_row
            or self.live_but_absent
            or self.destroyed_but_live
            or self.absent_but_live
            or self.live_but_destroyed
            or self.lost_but_live
        )


@no_open_transaction
def compare(*, controller_id: UUID) -> Report:
    """Compare every key share of a controller. Raises CustodianUnavailable.

    Needs the rights to list and read metadata; shares themselves are not read. A share that is
    live though it was settled as destroyed or absent is logged as critical and counted as an
    integrity violation; `deploy/README.md` says what to do.
    """
    report = Report()
    held = {UUID(bytes=kid) for kid in runtime.inventory().kids(controller_id=controller_id)}
    rows = list(KeyShare.objects.filter(controller_id=controller_id).order_by("kid"))
    report.without_row = sorted(kid.hex for kid in held - {row.kid for row in rows})
    for start in range(0, len(rows), _BATCH):
        _compare_batch(report, rows[start : start + _BATCH])
    _warn(controller_id, "destroyed-but-live", report.destroyed_but_live)
    _warn(controller_id, "absent-but-live", report.absent_but_live)
    return report


def _warn(controller_id: UUID, code: str, kids: list[str]) -> None:
    if kids:
        metrics.integrity_violated(code=code)
        logger.critical("key_share.alive", code=code, controller_id=controller_id, count=len(kids))


def _compare_batch(report: Report, rows: list[KeyShare]) -> None:
    readings = runtime.custodian().read_destruction([keys.share_ref(row) for row in rows])
    states: dict[UUID, set[StoreState]] = {}
    for reading in readings:
        states.setdefault(UUID(bytes=reading.ref.kid), set()).add(reading.state)
    for row in rows:
        report.checked += 1
        found = _wrong(report, row.state, states[row.kid])
        if found is not None:
            found.append(row.kid.hex)


def _wrong(report: Report, state: str, store: set[StoreState]) -> list[str] | None:
    settled = {
        ShareState.DESTROYED.value: report.destroyed_but_live,
        ShareState.ABSENT.value: report.absent_but_live,
    }
    if state in settled:
        return settled[state] if StoreState.LIVE in store else None
    if state == ShareState.LIVE:
        if StoreState.DESTROYED in store:
            return report.live_but_destroyed
        return report.live_but_absent if StoreState.ABSENT in store else None
    if state == ShareState.LOST:
        return report.lost_but_live if StoreState.LIVE in store else report.lost
    if state == ShareState.PLANNED and StoreState.LIVE in store:
        return report.never_used
    return None
