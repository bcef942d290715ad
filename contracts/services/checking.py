"""The whole log, computed again from its leaves: what differs, and where it begins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.domain import checkpoint, leaves
from contracts.domain.tree import EMPTY_ROOT, HEIGHT, WIDTH, Edge, Tile, hashes_of, split
from contracts.models import LogBatch, LogCheckpoint, LogLeaf, LogTile
from contracts.services import publishing
from contracts.verifier.merkle import is_consistent
from core import signing_keys


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was published; `index` is the first leaf that it concerns."""

    index: int
    what: str


def faults() -> Iterator[Fault]:
    """Everything that differs, batch by batch; nothing for a log that is whole.

    Reads every row, and holds one batch in memory. Run it beside the log's process if you like: a
    batch that is sealed meanwhile is not looked at.
    """
    edge, upto = Edge(), LogBatch.objects.count()
    keys = {key.key_id: key.public for key in signing_keys.of("loggerd")}
    before: LogBatch | None = None
    for batch in LogBatch.objects.order_by("sequence")[:upto].iterator():
        fresh = _leaves(batch)
        wrong = list(_shape(batch, before, fresh))
        yield from wrong
        if wrong:
            return  # nothing after it can be computed
        edge, tiles = edge.grown(hashes_of(fresh))
        wrong = list(_tiles(tiles))
        yield from wrong
        yield from _tree(batch, edge, since=min((one.index for one in wrong), default=0))
        yield from _proof(batch, before)
        yield from _signature(batch, keys)
        before = batch
    size = 0 if before is None else before.size
    yield from _beyond(size, edge)


def _leaves(batch: LogBatch) -> list[bytes]:
    rows = LogLeaf.objects.filter(index__gte=batch.first, index__lt=batch.size).order_by("index")
    return [bytes(leaf) for leaf in rows.values_list("leaf", flat=True)]


def _shape(batch: LogBatch, before: LogBatch | None, fresh: Sequence[bytes]) -> Iterator[Fault]:
    first, sequence = (0, 0) if before is None else (before.size, before.sequence + 1)
    if (batch.first, batch.sequence) != (first, sequence):
        yield Fault(min(batch.first, first), f"batch {sequence} is missing")
    if len(fresh) != batch.size - batch.first:
        rows = LogLeaf.objects.filter(index__gte=batch.first, index__lt=batch.size)
        there = set(rows.values_list("index", flat=True))
        missing = next(index for index in range(batch.first, batch.size) if index not in there)
        yield Fault(missing, "the leaf is missing")
        return
    try:
        leaves.check_batch(fresh)
    except ValueError as error:
        yield Fault(batch.first, str(error))


def _tree(batch: LogBatch, edge: Edge, *, since: int) -> Iterator[Fault]:
    if edge.root() != bytes(batch.root):
        what = f"the leaves do not make the root of batch {batch.sequence}"
        yield Fault(max(batch.first, since), what)


def _proof(batch: LogBatch, before: LogBatch | None) -> Iterator[Fault]:
    old_root = EMPTY_ROOT if before is None else bytes(before.root)
    path = split(bytes(batch.path))
    if not is_consistent(
        old_root, bytes(batch.root), old_size=batch.first, new_size=batch.size, path=path
    ):
        yield Fault(batch.first, f"the proof of batch {batch.sequence} does not lead to its root")


def _tiles(tiles: Sequence[Tile]) -> Iterator[Fault]:
    for tile in tiles:
        row = LogTile.objects.filter(level=tile.level, index=tile.index).first()
        kept = [] if row is None else split(bytes(row.hashes))
        if row is None or (kept, bytes(row.root)) != ([*tile.hashes], tile.root):
            wrong = (n for n, one in enumerate(tile.hashes) if kept[n : n + 1] != [one])
            place = tile.index * WIDTH + next(wrong, 0)
            what = f"tile {tile.level}/{tile.index} is missing or differs"
            yield Fault(place << (HEIGHT * tile.level), what)


def _signature(batch: LogBatch, keys: Mapping[str, bytes]) -> Iterator[Fault]:
    """A batch without one is not published yet."""
    row = LogCheckpoint.objects.filter(batch=batch).first()
    if row is None:
        return
    text = publishing.head_of(batch, origin=row.origin).text()
    public = keys.get(row.key_id)
    if public is None or not _is_signed(row, text, public):
        yield Fault(batch.first, f"the checkpoint of batch {batch.sequence} does not verify")


def _is_signed(row: LogCheckpoint, text: str, public: bytes) -> bool:
    signature = checkpoint.signature_in(row.note, text=text, name=row.origin, public=public)
    if signature is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text.encode())
    except InvalidSignature:
        return False
    return True


def _beyond(size: int, edge: Edge) -> Iterator[Fault]:
    """Rows past the last batch that belong to none."""
    if LogBatch.objects.filter(size__gt=size).exists():
        return  # sealed meanwhile
    extra = LogLeaf.objects.filter(index__gte=size).order_by("index").first()
    if extra is not None:
        yield Fault(extra.index, "the leaf is in no batch")
    for level in range(len(edge.hashes) + 1):
        full = size >> (HEIGHT * (level + 1))
        if LogTile.objects.filter(level=level, index__gte=full).exists():
            yield Fault(size, f"level {level} has tiles beyond the tree")
