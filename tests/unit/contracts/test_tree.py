"""The log's tree against RFC 9162's own definition, written out beside it."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.domain import tree
from contracts.domain.tree import EMPTY_ROOT, Edge, Tile
from contracts.verifier.merkle import is_consistent, leaf_hash, root_from_inclusion

#: Entries and roots of the Certificate Transparency project's own tests (RFC 6962).
_ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(entries: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, word for word."""
    if not entries:
        return sha256().digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path_of(m: int, entries: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m < k:
        return [*path_of(m, entries[:k]), mth(entries[k:])]
    return [*path_of(m - k, entries[k:]), mth(entries[:k])]


def proof_of(m: int, entries: list[bytes], *, known: bool = True) -> list[bytes]:
    """SUBPROOF of section 2.1.4.1."""
    if m == len(entries):
        return [] if known else [mth(entries)]
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m <= k:
        return [*proof_of(m, entries[:k], known=known), mth(entries[k:])]
    return [*proof_of(m - k, entries[k:], known=False), mth(entries[:k])]


class Complete:
    """Complete subtrees straight from the entries."""

    def __init__(self, entries: list[bytes]) -> None:
        self.entries = entries

    def node(self, level: int, index: int) -> bytes:
        held = self.entries[index << level : (index + 1) << level]
        assert len(held) == 1 << level, "not a complete subtree"
        return mth(held)


def numbered(count: int) -> list[bytes]:
    return [sha256(b"%d" % number).digest() for number in range(count)]


sizes = st.integers(1, 600)


class TestEdge:
    @pytest.mark.parametrize("size", range(9))
    def test_has_the_published_roots(self, size: int) -> None:
        edge, _ = Edge().grown(tree.hashes_of(_ENTRIES[:size]))

        assert edge.root().hex() == _ROOTS[size]

    @given(st.lists(st.integers(0, 700), max_size=4))
    def test_is_the_same_however_it_grew(self, batches: list[int]) -> None:
        entries = numbered(sum(batches))
        edge, tiles, done = Edge(), list[Tile](), 0
        for count in batches:
            edge, filled = edge.grown(tree.hashes_of(entries[done : done + count]))
            tiles, done = tiles + filled, done + count

        at_once, all_tiles = Edge().grown(tree.hashes_of(entries))
        assert edge.root() == at_once.root() == mth(entries)
        assert sorted(tiles, key=lambda one: (one.level, one.index)) == all_tiles
        assert edge.size == len(entries)

    def test_fills_tiles_of_tiles(self) -> None:
        hashes = tree.hashes_of(numbered(256 * 256 + 3))

        edge, tiles = Edge().grown(hashes)

        assert [len(level) for level in edge.hashes] == [3, 0, 1]
        assert [(one.level, one.index) for one in tiles if one.level] == [(1, 0)]
        assert edge.hashes[2] == [tiles[-1].root] == [tree.root_of(hashes[: 256 * 256])]

    def test_of_nothing_has_the_root_of_nothing(self) -> None:
        assert Edge().root() == EMPTY_ROOT == mth([])


class TestInclusion:
    @given(sizes, st.data())
    def test_is_the_rfc_s_and_leads_to_the_root(self, size: int, data: st.DataObject) -> None:
        entries = numbered(size)
        index = data.draw(st.integers(0, size - 1))

        path = tree.inclusion(Complete(entries), index=index, size=size)

        assert path == path_of(index, entries)
        leaf = leaf_hash(entries[index])
        assert root_from_inclusion(leaf, index=index, size=size, path=path) == mth(entries)

    @given(st.integers(2, 200), st.data())
    def test_of_another_place_or_leaf_leads_elsewhere(self, size: int, data: st.DataObject) -> None:
        entries = numbered(size)
        index = data.draw(st.integers(0, size - 1))
        other = data.draw(st.integers(0, size - 1).filter(lambda one: one != index))
        path, root = tree.inclusion(Complete(entries), index=index, size=size), mth(entries)
        leaf = leaf_hash(entries[index])

        assert root_from_inclusion(leaf, index=other, size=size, path=path) != root
        assert (
            root_from_inclusion(leaf_hash(entries[other]), index=index, size=size, path=path)
            != root
        )
        assert root_from_inclusion(leaf, index=index, size=size, path=path[:-1]) != root
        assert root_from_inclusion(leaf, index=index, size=size, path=[*path, leaf]) != root

    @pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
    def test_refuses_a_place_that_is_not_there(self, index: int, size: int) -> None:
        with pytest.raises(ValueError, match="no such leaf"):
            tree.inclusion(Complete(numbered(3)), index=index, size=size)
        assert root_from_inclusion(bytes(32), index=index, size=size, path=[]) is None


class TestConsistency:
    @given(sizes, st.data())
    def test_is_the_rfc_s_and_is_believed(self, new: int, data: st.DataObject) -> None:
        entries = numbered(new)
        old = data.draw(st.integers(1, new))

        path = tree.consistency(Complete(entries), old=old, new=new)

        assert path == proof_of(old, entries)
        roots = mth(entries[:old]), mth(entries)
        assert is_consistent(*roots, old_size=old, new_size=new, path=path)

    @given(st.integers(2, 200), st.data())
    def test_of_a_changed_past_is_not_believed(self, new: int, data: st.DataObject) -> None:
        entries = numbered(new)
        old = data.draw(st.integers(1, new - 1))
        path = tree.consistency(Complete(entries), old=old, new=new)
        changed = data.draw(st.integers(0, old - 1))
        past = mth([*entries[:changed], b"changed", *entries[changed + 1 : old]])

        assert not is_consistent(past, mth(entries), old_size=old, new_size=new, path=path)
        for wrong in (path[:-1], [*path, bytes(32)], path[1:]):
            assert not is_consistent(
                mth(entries[:old]), mth(entries), old_size=old, new_size=new, path=wrong
            )

    def test_with_nothing_or_itself_is_empty(self) -> None:
        nodes, root = Complete(numbered(5)), mth(numbered(5))

        assert tree.consistency(nodes, old=0, new=5) == tree.consistency(nodes, old=5, new=5) == []
        assert is_consistent(EMPTY_ROOT, root, old_size=0, new_size=5, path=[])
        assert is_consistent(root, root, old_size=5, new_size=5, path=[])
        assert not is_consistent(root, EMPTY_ROOT, old_size=5, new_size=0, path=[])
        assert not is_consistent(root, EMPTY_ROOT, old_size=5, new_size=5, path=[])
        with pytest.raises(ValueError, match="larger"):
            tree.consistency(nodes, old=6, new=5)
