"""The inventory of backups: what was attested, and from when nothing can be recovered.

The rules are in `vault.domain.backups`; statements are written by `backup_statements`.
"""

import re
from datetime import datetime
from typing import Final

from vault.domain.backups import (
    WHOLE,
    Doubt,
    Horizon,
    Kind,
    Place,
    Store,
    judge,
    survivors,
)
from vault.services import backup_rows, gate
from vault.services.backup_statements import BackupMalformed, Stated, Statement, attest

#: The cluster of every key share, until a controller's shares move to another.
KEY_STORE_CLUSTER: Final = "default"
_PLACE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")


def place(kind: Kind, *, name: str, cluster: str | None = None) -> Place:
    """A place of our own stores; `cluster` names another. Raises BackupMalformed."""
    if not _PLACE.fullmatch(name):
        raise BackupMalformed(field="place")
    return Place(kind, cluster or own_cluster(kind.store), name)


def own_cluster(store: Store) -> str:
    """The system identifier of the database in use, or the name of the key store's cluster."""
    if store is Store.DATABASE:
        return str(gate.identity().system_identifier)
    return KEY_STORE_CLUSTER


def attested(*, store: str, after: datetime) -> bool:
    """Whether a backup from which `store` can be brought back, begun after that time, exists.

    It is of the database in use, or of the key store's own cluster; finished, and neither gone nor
    past its end when it was last stated.
    """
    wanted = Store(store)
    for slot in backup_rows.slots(kind=WHOLE[wanted], cluster=own_cluster(wanted)):
        for copy in slot.copies:
            lasts = copy.expires_at is None or copy.expires_at > slot.stated_at
            if copy.began_at > after and copy.ended_at and copy.gone_at is None and lasts:
                return True
    return False


def needed() -> set[tuple[Kind, str]]:
    """The kinds that must have been stated before anything is called irrecoverable."""
    return {(kind, own_cluster(kind.store)) for kind in Kind}


def horizon(*, destroyed_at: datetime, now: datetime) -> Horizon:
    """From when nothing that was destroyed then can be recovered, or why that is not known."""
    if not backup_rows.is_whole():
        return Horizon(None, Doubt.BROKEN)
    return judge(backup_rows.slots(), needed=needed(), destroyed_at=destroyed_at, now=now)


def cleared(*, store: str, since: datetime, now: datetime) -> bool:
    """Whether no backup of `store` is left that began at or before that time, as far as is known.

    What `LETHE_BACKUPS_CLEARED` names.
    """
    if not backup_rows.is_whole():
        return False
    wanted = Store(store)
    slots = backup_rows.slots(store=wanted)
    kinds = {one for one in needed() if one[0].store is wanted}
    return judge(slots, needed=kinds, destroyed_at=since, now=now).doubt is None


def is_contradicted(*, destroyed_at: datetime) -> bool:
    """Whether a copy is known to exist that may hold what was destroyed then."""
    return bool(survivors(backup_rows.slots(), destroyed_at=destroyed_at))


__all__ = [
    "KEY_STORE_CLUSTER",
    "Stated",
    "Statement",
    "attest",
    "attested",
    "cleared",
    "horizon",
    "is_contradicted",
    "needed",
    "own_cluster",
    "place",
]
