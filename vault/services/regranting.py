"""Grants of a purpose whose key version the key store has lost, wrapped anew through custody.

The grant is still the permission: its ground and counter stay, only its wrap is replaced, and only
where nobody has changed or withdrawn it meanwhile. Run by a worker, which holds custody.
"""

from typing import Any, Final

from core import failpoints, statements
from core.unit_of_work import no_open_transaction, unit_of_work
from vault import runtime
from vault.models import LostVersion
from vault.ports import GrantFailure, GrantToMake, GrantToOpen, ShareRef
from vault.services import gate, key_cache, rewrapping
from vault.services.keys import CUSTODY
from vault.services.rewrapping import BATCH, Fresh

_OF_VERSION: Final = """
FROM vault_keygrant g
JOIN vault_purposekey p ON p.purpose_id = g.purpose_id
JOIN vault_keyshare k ON k.kid = g.share_id
JOIN vault_custodygrant c ON c.data_key_id = g.data_key_id
WHERE p.name = %(key)s AND substring(g.wrapped, 1, 4) = %(version)s"""
_NEXT: Final = """
SELECT g.id, g.wrapped, k.kid, k.controller_id, k.cluster, c.wrapped {of}
AND k.state = 'live' AND g.id > %(after)s ORDER BY g.id LIMIT %(limit)s""".replace(
    "{of}", _OF_VERSION
)
_LEFT: Final = "SELECT count(*) {of}".replace("{of}", _OF_VERSION)


@no_open_transaction
def regrant(*, wrapping_key: str, version: int) -> int:
    """Wrap what that version of a purpose's key wrapped under its latest; how many are left.

    Raises RestoreReplayRequired, CustodianUnavailable; the call may be repeated.
    """
    gate.require_open()
    known = LostVersion.objects.filter(wrapping_key=wrapping_key, version=version)
    if not known.exists():
        return 0  # the right snapshot came first
    named = {"key": wrapping_key, "version": version.to_bytes(4)}
    after = 0
    while rows := statements.fetch(_NEXT, {**named, "after": after, "limit": BATCH}):
        fresh = _wrapped_anew(wrapping_key, rows)
        failpoints.reach("vault.regrant.wrapped")
        with unit_of_work():
            gate.require_open()
            rewrapping.swap(fresh, is_custody=False)
        after = rows[-1][0]
    ((left,),) = statements.fetch(_LEFT, named)
    if not left:
        known.delete()
    count: int = left
    return count


def _wrapped_anew(wrapping_key: str, rows: list[tuple[Any, ...]]) -> list[Fresh]:
    """Those of which custody opens the data key; the others stay lost."""
    held = [
        (id_, bytes(old), ShareRef(kid.bytes, controller, cluster), bytes(wrapped))
        for id_, old, kid, controller, cluster, wrapped in rows
    ]
    opened = key_cache.open_grants([GrantToOpen(ref, CUSTODY, item) for _, _, ref, item in held])
    to_make = [
        (id_, old, GrantToMake(ref, wrapping_key, key))
        for (id_, old, ref, _), key in zip(held, opened, strict=True)
        if not isinstance(key, GrantFailure)
    ]
    made = runtime.custodian().make_grants([grant for _, _, grant in to_make])
    return [
        Fresh(id_, old, new)
        for (id_, old, _), new in zip(to_make, made, strict=True)
        if isinstance(new, bytes)
    ]
