"""The inventory as its rows tell it, and whether a row was taken out of it.

A statement adds the copies that are new or have changed; what it leaves out stands as it was. The
chain of digests shows a row that is missing or was altered, and the audit log names its end. Who
may rewrite both owns the tables, against whom nothing here protects.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from core import canonical
from core.canonical import instant
from core.models import AuditEvent
from core.unit_of_work import requires_unit_of_work
from vault.domain.backups import Copy, Kind, Place, Slot, Source
from vault.models import BackupAttestation, BackupInventory

#: The audit event that names the newest statement.
STATED = "vault.backup.stated"


def slots(**where: str) -> list[Slot]:
    """Every place ever stated, with the last word on each copy in it; `where` filters places."""
    of_place = ("kind", "cluster", "place")
    newest = _current().filter(**where).order_by(*of_place, "-number").distinct(*of_place)
    copies: dict[Place, list[Copy]] = defaultdict(list)
    of_copy = [f"inventory__{name}" for name in of_place] + ["label"]
    words = BackupAttestation.objects.select_related("inventory").filter(
        inventory__in=_current().filter(**where)
    )
    for word in words.order_by(*of_copy, "-inventory_id").distinct(*of_copy):
        copies[_place(word.inventory)].append(copy_of(word))
    return [
        Slot(place, row.at, Source(row.source), row.digest, copies[place])
        for row in newest
        for place in [_place(row)]
    ]


def slot(place: Place) -> Slot | None:
    """The one place, or None when it was never stated."""
    found = slots(kind=place.kind, cluster=place.cluster, place=place.name)
    return found[0] if found else None


def copy_of(row: BackupAttestation) -> Copy:
    """The copy that a row is about."""
    return Copy(
        label=row.label,
        began_at=row.began_at,
        ended_at=row.ended_at,
        expires_at=row.expires_at,
        gone_at=row.gone_at,
        gone_by=Source(row.gone_by) if row.gone_by else None,
        evidence=row.evidence,
    )


def _place(row: BackupInventory) -> Place:
    return Place(Kind(row.kind), row.cluster, row.place)


def _current() -> QuerySet[BackupInventory]:
    """The statements since the inventory was last begun."""
    first = BackupInventory.objects.filter(previous="").order_by("-number").first()
    rows = BackupInventory.objects.all()
    return rows if first is None else rows.filter(number__gte=first.number)


@requires_unit_of_work
def serialize() -> None:
    """One statement after another: each names the one before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('backup-inventory', 12))")


def head() -> BackupInventory | None:
    """The newest statement."""
    return BackupInventory.objects.order_by("-number").first()


def noted() -> int:
    """The number of the newest statement that the audit log tells of; 0 when it tells of none."""
    event = _newest_event()
    return 0 if event is None else int(event.details["number"])


def is_whole(*, deep: bool = True) -> bool:
    """Whether no row of the inventory was taken out or altered, its end included.

    Not `deep`: only whether a statement is missing, for answers on which nothing is built.
    """
    last, event = head(), _newest_event()
    if last is None or event is None:
        return last is None and event is None
    if (event.details["number"], event.details["digest"]) != (last.number, last.digest):
        return False
    first = _current().order_by("number").first()
    if first is None or first.previous or _current().count() != last.number - first.number + 1:
        return False
    return not deep or _is_chained()


def _is_chained() -> bool:
    copies: dict[int, list[Copy]] = defaultdict(list)
    for one in BackupAttestation.objects.filter(inventory__in=_current()).order_by("label"):
        copies[one.inventory_id].append(copy_of(one))
    previous = ""
    for row in _current().order_by("number"):
        in_order = sorted(copies[row.number], key=lambda copy: copy.label)
        if row.previous != previous or digest(row, in_order) != row.digest:
            return False
        previous = row.digest
    return True


def digest(row: BackupInventory, copies: Sequence[Copy]) -> str:
    """SHA-256 of the statement in canonical form, in hex; `copies` in the order of their labels."""
    content = {
        "previous": row.previous,
        "number": row.number,
        "kind": str(row.kind),
        "cluster": row.cluster,
        "place": row.place,
        "source": str(row.source),
        "declared_by": row.declared_by,
        "at": instant(row.at),
        "copies": [_content(copy) for copy in copies],
    }
    return hashlib.sha256(canonical.encode(content)).hexdigest()


def _content(copy: Copy) -> dict[str, Any]:
    return {
        "label": copy.label,
        "began_at": instant(copy.began_at),
        "ended_at": _instant(copy.ended_at),
        "expires_at": _instant(copy.expires_at),
        "gone_at": _instant(copy.gone_at),
        "gone_by": None if copy.gone_by is None else copy.gone_by.value,
        "evidence": copy.evidence,
    }


def _instant(value: datetime | None) -> str | None:
    return None if value is None else instant(value)


def _newest_event() -> AuditEvent | None:
    events = AuditEvent.objects.filter(controller_id=None, action=STATED)
    return events.order_by("-id").first()
