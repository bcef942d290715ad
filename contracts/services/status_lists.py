"""Places in status lists: given out at random, revoked, shown by the next version."""

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from secrets import SystemRandom
from typing import Final

from django.db import connection

from contracts.domain.status_list import EMPTY, ENTRIES
from contracts.errors import StatusListFull, StatusListUnknown
from contracts.models import StatusEntry, StatusList, StatusVersion
from core.unit_of_work import requires_unit_of_work

_RANDOM: Final = SystemRandom()
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('lethe:status-list:open', 11))"
_TAKE: Final = """
INSERT INTO contracts_statusentry (status_list_id, index, is_due, is_set)
SELECT %s, wanted, %s, false FROM unnest(%s::int[]) AS wanted
ON CONFLICT DO NOTHING RETURNING index"""
#: How often free places are drawn for; half of a list is free, and one draw in two finds one.
_DRAWS: Final = 64


@dataclass(frozen=True, slots=True)
class Pointer:
    """A place in a list: 32 bytes that name the list, and a number from 0."""

    list_id: bytes
    index: int


@requires_unit_of_work
def allocate(*, count: int, now: datetime) -> list[Pointer]:
    """Places that nobody has, drawn by the system's generator; they say nothing of each other.

    Raises StatusListFull, when no version was published for long: each looks whether it is time
    for another list.
    """
    row = _open_list(now)
    held = [Pointer(bytes(row.list_id), index) for index in take(row, count)]
    if len(held) < count:
        raise StatusListFull
    return held


@requires_unit_of_work
def revoke(*, pointers: Collection[Pointer]) -> None:
    """Have the next version show these as revoked; again changes nothing."""
    for list_id in {pointer.list_id for pointer in pointers}:
        places = [pointer.index for pointer in pointers if pointer.list_id == list_id]
        rows = StatusEntry.objects.filter(status_list__list_id=list_id, index__in=places)
        rows.filter(is_set=False).update(is_due=True)


def newest(list_id: bytes) -> StatusVersion:
    """The newest published version. Raises StatusListUnknown, also before the first."""
    rows = StatusVersion.objects.filter(status_list__list_id=list_id).order_by("-number")
    found = rows.first()
    if found is None:
        raise StatusListUnknown
    return found


def version(list_id: bytes, number: int) -> StatusVersion:
    """One version, as long as its document is kept. Raises StatusListUnknown."""
    rows = StatusVersion.objects.filter(status_list__list_id=list_id, number=number)
    found = rows.exclude(document="").first()
    if found is None:
        raise StatusListUnknown
    return found


@requires_unit_of_work
def take(row: StatusList, count: int, *, is_due: bool = False) -> Sequence[int]:
    """Free places of the list, taken; fewer than `count` only of a list that is full."""
    held: list[int] = []
    for _ in range(_DRAWS):
        wanted = sorted({_RANDOM.randrange(ENTRIES) for _ in range(count - len(held))})
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [row.pk, is_due, wanted])
            held += [int(index) for (index,) in cursor.fetchall()]
        if len(held) == count:
            break
    _RANDOM.shuffle(held)
    return held


@requires_unit_of_work
def _open_list(now: datetime) -> StatusList:
    """The list that gives out places; a new one where all are closed."""
    found = StatusList.objects.filter(is_closed=False).defer("bits").order_by("pk").first()
    if found is not None:
        return found
    with connection.cursor() as cursor:
        cursor.execute(_LOCK)
    found = StatusList.objects.filter(is_closed=False).defer("bits").order_by("pk").first()
    if found is not None:
        return found
    return StatusList.objects.create(list_id=os.urandom(32), bits=EMPTY, created_at=now)
