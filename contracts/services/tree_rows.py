"""The tree as it lies in the database: its edge, its tiles, and complete subtrees."""

from collections.abc import Sequence

from contracts.domain.tree import HEIGHT, WIDTH, Edge, Tile, hashes_of, root_of, split
from contracts.errors import LogBroken
from contracts.models import LogBatch, LogLeaf, LogTile
from core.copying import copy_in
from core.unit_of_work import requires_unit_of_work


def size() -> int:
    """How many leaves are sealed, published or not."""
    return LogBatch.objects.order_by("-sequence").values_list("size", flat=True).first() or 0


def edge() -> Edge:
    """What the tree has beyond its full tiles. Raises LogBroken when rows are missing."""
    leaves = size()
    hashes, level = [], 0
    while leaves >> (HEIGHT * level):
        hashes.append(_open(level, leaves))
        level += 1
    return Edge(leaves, hashes)


def _open(level: int, leaves: int) -> list[bytes]:
    """The hashes of the level's last tile, which is not full."""
    count = leaves >> (HEIGHT * level)
    return hashes_in(level, count // WIDTH, count % WIDTH)


def hashes_in(level: int, index: int, width: int) -> list[bytes]:
    """The first `width` hashes of a tile, of one that is not full, too. Raises LogBroken."""
    first = index * WIDTH
    if width == WIDTH:
        tiles = LogTile.objects.filter(level=level, index=index)
        found = split(bytes(tiles.values_list("hashes", flat=True).first() or b""))
    elif level == 0:
        rows = LogLeaf.objects.filter(index__gte=first, index__lt=first + width).order_by("index")
        found = hashes_of([bytes(leaf) for leaf in rows.values_list("leaf", flat=True)])
    else:
        below = LogTile.objects.filter(level=level - 1, index__gte=first, index__lt=first + width)
        found = [bytes(root) for root in below.order_by("index").values_list("root", flat=True)]
    if len(found) != width:
        raise LogBroken
    return found


class StoredNodes:
    """Complete subtrees of a tree of `leaves`, each read from one tile; implements Nodes."""

    def __init__(self, leaves: int) -> None:
        self._leaves = leaves
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    def node(self, level: int, index: int) -> bytes:
        """See `Nodes`. Raises LogBroken."""
        tile_level, inner = divmod(level, HEIGHT)
        tile, place = divmod(index << inner, WIDTH)
        hashes = self._hashes(tile_level, tile)[place : place + (1 << inner)]
        if len(hashes) != 1 << inner:
            raise LogBroken
        return root_of(hashes)

    def _hashes(self, level: int, index: int) -> list[bytes]:
        if (level, index) not in self._tiles:
            width = min(WIDTH, (self._leaves >> (HEIGHT * level)) - index * WIDTH)
            self._tiles[level, index] = hashes_in(level, index, width)
        return self._tiles[level, index]


@requires_unit_of_work
def add(first: int, leaves: Sequence[bytes], tiles: Sequence[Tile]) -> None:
    """Write leaves from index `first` on, and the tiles that they filled."""
    copy_in(
        table="contracts_logleaf",
        columns={"index": "int8", "leaf": "bytea"},
        rows=enumerate(leaves, start=first),
    )
    copy_in(
        table="contracts_logtile",
        columns={"level": "int2", "index": "int8", "hashes": "bytea", "root": "bytea"},
        rows=((one.level, one.index, b"".join(one.hashes), one.root) for one in tiles),
    )
