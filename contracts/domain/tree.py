"""The log's Merkle tree (RFC 9162, section 2.1): growing it by many leaves, and proofs from it.

The tree is kept as tiles of 256 hashes, eight levels each (C2SP tlog-tiles): level 0 has leaf
hashes, level 1 the roots of full tiles of level 0, and so on. Only full tiles are kept; what is not
full yet is the tree's edge, at most 255 hashes of each level.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Protocol

from contracts.verifier.merkle import node_hash

WIDTH: Final = 256
#: Levels of the tree in one tile.
HEIGHT: Final = 8
EMPTY_ROOT: Final = sha256().digest()


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile: the `index`-th of its level, its 256 hashes, and their root."""

    level: int
    index: int
    hashes: Sequence[bytes]
    root: bytes


@dataclass(frozen=True, slots=True)
class Edge:
    """What a tree of `size` has beyond its full tiles; `hashes[level]` are fewer than 256 each."""

    size: int = 0
    hashes: list[list[bytes]] = field(default_factory=list)

    def root(self) -> bytes:
        """The root of the tree."""
        found: bytes | None = None
        for hashes in self.hashes:
            parts = list(hashes) if found is None else [*hashes, found]
            if parts:
                found = root_of(parts)
        return EMPTY_ROOT if found is None else found

    def grown(self, leaves: Sequence[bytes]) -> "tuple[Edge, list[Tile]]":
        """The edge after `leaves`, which are leaf hashes, and the tiles that they filled."""
        tiles: list[Tile] = []
        levels = [list(hashes) for hashes in self.hashes]
        new, level, first = list(leaves), 0, self.size
        while new:
            if level == len(levels):
                levels.append([])
            open_hashes = [*levels[level], *new]
            index = (first - len(levels[level])) // WIDTH
            full, levels[level] = _split(open_hashes)
            filled = [
                Tile(level, index + number, hashes, root_of(hashes))
                for number, hashes in enumerate(full)
            ]
            tiles += filled
            new, level, first = [tile.root for tile in filled], level + 1, first // WIDTH
        return Edge(self.size + len(leaves), levels), tiles


def _split(hashes: Sequence[bytes]) -> tuple[list[tuple[bytes, ...]], list[bytes]]:
    full = len(hashes) // WIDTH * WIDTH
    parts = [tuple(hashes[first : first + WIDTH]) for first in range(0, full, WIDTH)]
    return parts, list(hashes[full:])


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over `hashes`, of which the last may stand for a smaller subtree than the others."""
    level = list(hashes)
    while len(level) > 1:
        lefts, rights = level[::2], level[1::2]
        joined = [
            sha256(b"\x01" + left + right).digest()
            for left, right in zip(lefts, rights, strict=False)
        ]
        level = [*joined, level[-1]] if len(level) % 2 else joined
    return level[0]


class Nodes(Protocol):
    """Where the hashes of complete subtrees come from."""

    def node(self, level: int, index: int) -> bytes:
        """The root of leaves `index * 2**level` up to `(index + 1) * 2**level`."""
        ...


def inclusion(nodes: Nodes, *, index: int, size: int) -> list[bytes]:
    """The proof that the leaf at `index` is in the tree of `size` (section 2.1.3.1).

    Raises ValueError for a place that the tree does not have.
    """
    if not 0 <= index < size:
        raise ValueError("the tree has no such leaf")
    path: list[bytes] = []
    first, last = 0, size
    while last - first > 1:
        middle = first + _left(last - first)
        if index < middle:
            path.append(subtree(nodes, middle, last))
            last = middle
        else:
            path.append(subtree(nodes, first, middle))
            first = middle
    return path[::-1]


def consistency(nodes: Nodes, *, old: int, new: int) -> list[bytes]:
    """The proof that the tree of size `new` begins with the one of size `old` (section 2.1.4.1).

    Empty where `old` is 0 or `new`. Raises ValueError when it is larger.
    """
    if not 0 <= old <= new:
        raise ValueError("the older tree is not larger")
    if old in (0, new):
        return []
    path: list[bytes] = []
    first, last, is_known = 0, new, True
    while last != old:
        middle = first + _left(last - first)
        if old <= middle:
            path.append(subtree(nodes, middle, last))
            last = middle
        else:
            path.append(subtree(nodes, first, middle))
            first, is_known = middle, False
    if not is_known:
        path.append(subtree(nodes, first, last))
    return path[::-1]


def subtree(nodes: Nodes, first: int, last: int) -> bytes:
    """The root of leaves `first` up to `last`, which is a subtree of the whole."""
    roots = [nodes.node(level, index) for level, index in _complete(first, last)]
    found = roots[-1]
    for root in roots[-2::-1]:
        found = node_hash(root, found)
    return found


def _complete(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The complete subtrees, largest first, that make up a range which begins on their border."""
    while first < last:
        level = (last - first).bit_length() - 1
        yield level, first >> level
        first += 1 << level


def _left(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def hashes_of(entries: Sequence[bytes]) -> list[bytes]:
    """Leaf hashes of many entries."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def split(joined: bytes) -> list[bytes]:
    """The hashes that were joined, 32 bytes each."""
    return [joined[place : place + 32] for place in range(0, len(joined), 32)]
