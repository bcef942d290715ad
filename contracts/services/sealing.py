"""Sealing: leaves leave the inbox, are shuffled among decoys, and become part of the tree.

One at a time, by a lock that lasts for the transaction. A leaf is taken by deleting its row, so one
that is committed late is found by the next batch. The tree is fixed first and signed then: what
breaks off in between is signed by the next run, to the same letter.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from secrets import SystemRandom
from typing import Final

from django.db import connection

from contracts.domain import leaves, tree
from contracts.models import LogBatch, LogLeaf
from contracts.services import tree_rows
from core import failpoints
from core.copying import copy_in
from core.logging import get_logger
from core.unit_of_work import no_open_transaction, requires_unit_of_work, unit_of_work

logger = get_logger(__name__)
#: Leaves that one batch takes at the most; more wait for the next.
MOST: Final = 1 << 16
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('lethe:log', 11))"
_TAKE: Final = """
DELETE FROM core_leafinbox WHERE id IN (SELECT id FROM core_leafinbox ORDER BY id LIMIT %s)
RETURNING leaf"""
_SHUFFLE: Final = SystemRandom()


@no_open_transaction
def seal(*, now: datetime, least: int = leaves.LEAST, most: int = MOST) -> LogBatch:
    """Seal one batch of what the inbox holds, of decoys alone where it is empty.

    `least` is how many leaves it has at least, a power of two from 64 on (ValueError). Raises
    LogBroken when rows of the tree are missing; then nothing is taken.
    """
    leaves.padded(0, least=least)
    with unit_of_work():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK)
        edge = tree_rows.edge()
        fresh = _taken(most, now=now)
        fresh += _decoys(leaves.padded(len(fresh), least=least) - len(fresh))
        _SHUFFLE.shuffle(fresh)
        leaves.check_batch(fresh)
        grown, tiles = edge.grown(tree.hashes_of(fresh))
        tree_rows.add(edge.size, fresh, tiles)
        batch = _batch(edge, grown, now=now)
        failpoints.reach("contracts.log.sealing")
    failpoints.reach("contracts.log.sealed")
    return batch


@requires_unit_of_work
def _batch(edge: tree.Edge, grown: tree.Edge, *, now: datetime) -> LogBatch:
    nodes = tree_rows.StoredNodes(grown.size)
    path = tree.consistency(nodes, old=edge.size, new=grown.size)
    last = LogBatch.objects.order_by("-sequence").values_list("sequence", flat=True).first()
    return LogBatch.objects.create(
        sequence=0 if last is None else last + 1,
        first=edge.size,
        size=grown.size,
        root=grown.root(),
        path=b"".join(path),
        sealed_at=now,
    )


@requires_unit_of_work
def _taken(most: int, *, now: datetime) -> list[bytes]:
    """What may enter of what waits; the rest is refused, for good, and said."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [most])
        waiting = [bytes(leaf) for (leaf,) in cursor.fetchall()]
    known = set(map(bytes, LogLeaf.objects.filter(leaf__in=waiting).values_list("leaf", flat=True)))
    taken: list[bytes] = []
    refused: list[tuple[bytes, leaves.Refused]] = []
    for leaf in waiting:
        reason = leaves.refusal(leaf)
        if reason is None and leaf in known:
            reason = leaves.Refused.REPEATED
        if reason is None:
            known.add(leaf)
            taken.append(leaf)
        else:
            refused.append((leaf, reason))
    _refuse(refused, now=now)
    return taken


@requires_unit_of_work
def _refuse(refused: Sequence[tuple[bytes, leaves.Refused]], *, now: datetime) -> None:
    copy_in(
        table="contracts_logrefusal",
        columns={"digest": "bytea", "code": "text", "at": "timestamptz"},
        rows=((sha256(leaf).digest(), reason.value, now) for leaf, reason in refused),
    )
    for reason in sorted({reason for _, reason in refused}):
        count = sum(found is reason for _, found in refused)
        logger.critical("log.leaf_refused", code=reason.value, count=count)


def _decoys(count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        decoy = os.urandom(32)
        if leaves.refusal(decoy) is None:
            found.append(decoy)
    return found
