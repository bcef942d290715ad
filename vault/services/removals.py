"""Tells the consumers of a purpose which aliases are gone; the one writer of `Removal`.

Two purposes must not join their aliases by comparing what they were told about one person. So a
row keeps the day only, its id is random, and its place in the list is given when the list is
read, in the order of the random aliases: neither the instant nor the order of the removals shows.
What is left is the day, and the moment at which a consumer asks.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.db import connection
from django.db.models import Max

from core.copying import copy_in
from core.ids import new_random
from core.unit_of_work import requires_unit_of_work, unit_of_work
from vault.models import Removal

_COLUMNS: Final = {
    "id": "uuid",
    "purpose_id": "uuid",
    "alias": "uuid",
    "reason": "text",
    "on": "date",
}
_NUMBER: Final = """
    UPDATE vault_removal SET number = %(last)s + waiting.place
    FROM (SELECT id, row_number() OVER (ORDER BY alias) AS place
          FROM vault_removal WHERE purpose_id = %(purpose)s AND number IS NULL) AS waiting
    WHERE vault_removal.id = waiting.id
"""


@requires_unit_of_work
def keep(aliases: Sequence[tuple[UUID, UUID]], *, reason: Removal.Reason, now: datetime) -> None:
    """Announce each (purpose id, alias) as gone; names no subject. Takes no lock."""
    on = now.astimezone(UTC).date()
    copy_in(
        table="vault_removal",
        columns=_COLUMNS,
        rows=[
            (new_random(), purpose_id, alias, reason.value, on)
            for purpose_id, alias in sorted(aliases)
        ],
    )


def number(*, purpose_id: UUID) -> None:
    """Give the purpose's removals that are committed and have no number the next ones.

    A row that commits later is numbered later, so that no cursor passes over it.
    """
    rows = Removal.objects.filter(purpose_id=purpose_id)
    if not rows.filter(number=None).exists():
        return
    with unit_of_work(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 11))", [f"removals:{purpose_id}"]
        )
        last = rows.aggregate(last=Max("number"))["last"] or 0
        cursor.execute(_NUMBER, {"last": last, "purpose": purpose_id})
