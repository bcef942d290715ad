"""Writing statements of the inventory down: what exists in one place, and what no longer does.

A place is stated whole: a copy that a statement no longer has is gone when its time was up, and
missing when it was not.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from core import audit
from core.actors import Actor
from core.errors import Conflict, IntegrityViolation, InvalidInput
from core.logging import get_logger
from core.unit_of_work import requires_unit_of_work, unit_of_work
from vault.domain.backups import MARGIN, Copy, Place, Slot, Source
from vault.models import BackupAttestation, BackupClearance, BackupInventory
from vault.services import backup_rows

logger = get_logger(__name__)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,119}")


class BackupMalformed(InvalidInput):
    """A name that could hold more than a name, or times in the wrong order."""

    code = "backup-malformed"
    text = "Names are short, of letters, digits and . _ : / + -, each once; times go forward."


class BackupInTheFuture(InvalidInput):
    """A copy that is said to have begun, ended or gone later than now."""

    code = "backup-in-the-future"
    text = "A backup cannot have begun, ended or gone in the future."


class BackupExpiryPassed(InvalidInput):
    """Declared with an end that has passed."""

    code = "backup-expiry-passed"
    text = "The end of this backup has passed: declare it gone, or name when it will be."


class BackupMissing(Conflict):
    """A copy whose time is not up is not where it was: another folder, or deleted by hand."""

    code = "backup-missing"
    text = (
        "A backup that should still exist is not listed. Is this the right place, and is it"
        " mounted? If it was deleted, a named operator says so (--gone)."
    )


class BackupMoved(Conflict):
    """Said to have begun later than it was said before: it would no longer hold what it held."""

    code = "backup-moved"
    text = "A backup cannot have begun later than was stated before; give another its own name."


class BackupStillThere(Conflict):
    """Declared gone, and listed."""

    code = "backup-still-there"
    text = "A backup that is declared gone is there, or was never known here."


class OperatorNeeded(InvalidInput):
    """Only a person answers for what cannot be read."""

    code = "backup-operator-needed"
    text = "A named operator must declare this."


class InventoryBroken(IntegrityViolation):
    """A statement was taken out or altered; nothing is built on what is left."""

    code = "backup-inventory-broken"
    text = (
        "The inventory of backups lacks a row or has an altered one; see docs/runbooks/backup.md."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Every copy of one kind in one place. `gone`: labels that were deleted before their time."""

    place: Place
    source: Source
    copies: Sequence[Copy]
    gone: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Stated:
    """What a statement came to.

    `ended`: copies that are gone since the last one; `overdue`: labels that are there after their
    end; `contradicted`: how many erasures were already called irrecoverable and are not.
    """

    number: int
    digest: str
    ended: int
    overdue: tuple[str, ...]
    contradicted: int


def attest(*, statement: Statement, actor: Actor, now: datetime, anew: bool = False) -> Stated:
    """Write down what exists in a place; its own unit of work, audited.

    With `anew` a named operator begins the inventory again after it was found broken: all that was
    stated before no longer counts, so every place must be stated again. Raises BackupMalformed,
    BackupInTheFuture, BackupExpiryPassed, BackupMissing, BackupMoved, BackupStillThere,
    OperatorNeeded, InventoryBroken.
    """
    by_word = statement.source is Source.DECLARATION or bool(statement.gone) or anew
    if by_word and actor.person_id is None:
        raise OperatorNeeded
    for copy in statement.copies:
        _check(copy, statement.source, now)
    if len({copy.label for copy in statement.copies}) < len(statement.copies):
        raise BackupMalformed(field="label")
    with unit_of_work():
        backup_rows.serialize()
        if not anew and not backup_rows.is_whole():
            raise InventoryBroken
        known = None if anew else backup_rows.slot(statement.place)
        ended = _ended(statement, known, now)
        changed = _changed(_dated(statement.copies, known), known) + ended
        row = _store(statement, changed, actor, now=now, anew=anew)
        contradicted = _contradicted(changed, row, actor, now=now)
    overdue = [c.label for c in statement.copies if c.expires_at and c.expires_at <= now]
    return Stated(row.number, row.digest, len(ended), tuple(overdue), contradicted)


def _check(copy: Copy, source: Source, now: datetime) -> None:
    if not _NAME.fullmatch(copy.label):
        raise BackupMalformed(field="label")
    if copy.ended_at is not None and copy.ended_at < copy.began_at:
        raise BackupMalformed(field="ended_at", backup=copy.label)
    if max(copy.began_at, copy.ended_at or copy.began_at, copy.gone_at or copy.began_at) > now:
        raise BackupInTheFuture(backup=copy.label)
    if copy.gone_at is not None:
        if source is Source.LISTING or copy.gone_at < copy.began_at:
            raise BackupMalformed(field="gone_at", backup=copy.label)
    elif copy.expires_at is not None and copy.expires_at <= now and source is Source.DECLARATION:
        raise BackupExpiryPassed(backup=copy.label)


def _ended(statement: Statement, known: Slot | None, now: datetime) -> list[Copy]:
    """Copies known before that are not there any more, as gone."""
    listed = {copy.label for copy in statement.copies}
    before = {} if known is None else {copy.label: copy for copy in known.copies}
    for label in statement.gone:
        if label in listed or label not in before or before[label].gone_at is not None:
            raise BackupStillThere(backup=label)
    ended = []
    for copy in before.values():
        if copy.label in listed or copy.gone_at is not None:
            continue
        is_due = copy.expires_at is not None and copy.expires_at <= now
        if not is_due and copy.label not in statement.gone:
            raise BackupMissing(backup=copy.label)
        by = statement.source if is_due else Source.DECLARATION
        ended.append(replace(copy, gone_at=now, gone_by=by))
    return ended


def _dated(copies: Sequence[Copy], known: Slot | None) -> list[Copy]:
    """The copies, each as old as the oldest that has the same contents under whatever name."""
    before = [] if known is None else known.copies
    living = {copy.label: copy for copy in before if copy.gone_at is None}
    oldest: dict[str, datetime] = {}
    for copy in [*before, *copies]:
        if copy.evidence:
            oldest[copy.evidence] = min(copy.began_at, oldest.get(copy.evidence, copy.began_at))
    dated = [
        replace(copy, began_at=oldest[copy.evidence]) if copy.evidence else copy for copy in copies
    ]
    for copy in dated:
        if copy.label in living and copy.began_at > living[copy.label].began_at:
            raise BackupMoved(backup=copy.label)
    return dated


def _changed(copies: Sequence[Copy], known: Slot | None) -> list[Copy]:
    before = {} if known is None else {copy.label: copy for copy in known.copies}
    as_stated = [
        copy if copy.gone_at is None else replace(copy, gone_by=Source.DECLARATION)
        for copy in copies
    ]
    return [copy for copy in as_stated if before.get(copy.label) != copy]


@requires_unit_of_work
def _store(
    statement: Statement, copies: Sequence[Copy], actor: Actor, *, now: datetime, anew: bool
) -> BackupInventory:
    last = backup_rows.head()
    row = BackupInventory(
        number=1 + max(backup_rows.noted(), 0 if last is None else last.number),
        store=statement.place.kind.store,
        kind=statement.place.kind,
        cluster=statement.place.cluster,
        place=statement.place.name,
        source=statement.source,
        declared_by=actor.id,
        at=now,
        previous="" if last is None or anew else last.digest,
    )
    in_order = sorted(copies, key=lambda copy: copy.label)
    row.digest = backup_rows.digest(row, in_order)
    row.save(force_insert=True)
    BackupAttestation.objects.bulk_create(
        BackupAttestation(
            inventory=row,
            label=copy.label,
            began_at=copy.began_at,
            ended_at=copy.ended_at,
            expires_at=copy.expires_at,
            gone_at=copy.gone_at,
            gone_by=copy.gone_by or "",
            evidence=copy.evidence,
        )
        for copy in in_order
    )
    audit.record(
        action=backup_rows.STATED,
        actor=actor,
        controller_id=None,
        now=now,
        details={
            "number": row.number,
            "digest": row.digest,
            "kind": statement.place.kind.value,
            "source": statement.source.value,
            "copies": len(statement.copies),
            "anew": anew,
        },
    )
    return row


@requires_unit_of_work
def _contradicted(
    copies: Sequence[Copy], row: BackupInventory, actor: Actor, *, now: datetime
) -> int:
    """How many erasures were called irrecoverable although one of these copies may hold them."""
    living = [copy.began_at for copy in copies if copy.gone_at is None]
    if not living:
        return 0
    cleared = BackupClearance.objects.filter(destroyed_at__gte=min(living) - MARGIN)
    count = cleared.count()
    if count:
        logger.critical("backup.contradicted", count=count)
        audit.record(
            action="vault.backup.contradicted",
            actor=actor,
            controller_id=None,
            now=now,
            details={"number": row.number, "erasures": count},
        )
    return count
