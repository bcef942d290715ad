"""Proofs over the log's Merkle tree (RFC 9162, section 2.1): what a verifier computes.

The tree is SHA-256 over entries of 32 bytes each. Nothing here trusts its input: a proof of the
wrong length, or for another place, gives None or False, never an error.
"""

from __future__ import annotations

import hashlib
from typing import List, Optional

_LENGTH = 32


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry, as it stands in the tree."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees, side by side."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_from_inclusion(
    leaf: bytes, *, index: int, size: int, path: List[bytes]
) -> Optional[bytes]:
    """The root that `path` leads to from leaf hash `leaf`; None for an impossible proof.

    Section 2.1.3.2. Compare the root with a signed one of the same size.
    """
    if not 0 <= index < size or not _are_hashes([leaf, *path]):
        return None
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if place % 2 == 1 or place == last:
            found = node_hash(sibling, found)
            while place % 2 == 0 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def is_consistent(
    old_root: bytes, new_root: bytes, *, old_size: int, new_size: int, path: List[bytes]
) -> bool:
    """Whether the tree of `new_size` has the one of `old_size` as its beginning.

    Section 2.1.4.2. A tree is consistent with itself by an empty proof; one of no entries with any.
    """
    if not _are_hashes([old_root, new_root, *path]) or not 0 <= old_size <= new_size:
        return False
    if old_size == new_size:
        return not path and old_root == new_root
    if old_size == 0:
        return not path and old_root == hashlib.sha256().digest()
    hashes = list(path)
    if old_size & (old_size - 1) == 0:
        hashes.insert(0, old_root)
    if not hashes:
        return False
    return _walk(hashes, old_size - 1, new_size - 1) == (old_root, new_root)


def _walk(hashes: List[bytes], place: int, last: int) -> object:
    """Both roots that the proof leads to, or None."""
    while place % 2 == 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return None
        if place % 2 == 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while place % 2 == 0 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return (old, new) if last == 0 else None


def _are_hashes(hashes: List[bytes]) -> bool:
    return all(len(one) == _LENGTH for one in hashes)
