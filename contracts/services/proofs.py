"""Proofs from the published tree: that an entry is in it, and that it only grew."""

from dataclasses import dataclass

from contracts.domain import tree
from contracts.domain.checkpoint import proof_text
from contracts.errors import NotLogged
from contracts.models import LogCheckpoint, LogLeaf
from contracts.services import cosignatures, publishing, tree_rows


@dataclass(frozen=True, slots=True)
class Inclusion:
    """An entry's place in the tree of a checkpoint, and the path from it to the root."""

    leaf: bytes
    index: int
    path: list[bytes]
    checkpoint: LogCheckpoint

    def text(self) -> str:
        """As `c2sp.org/tlog-proof@v1`, with the checkpoint in it, and who has cosigned that."""
        note = cosignatures.note_of(self.checkpoint)
        return proof_text(index=self.index, path=self.path, checkpoint=note)


def inclusion(*, leaf: bytes) -> Inclusion:
    """The proof for this entry in the newest published tree.

    Raises NotLogged, also while its batch is not published, and LogBroken.
    """
    row = LogLeaf.objects.filter(leaf=leaf).first()
    checkpoint = publishing.latest()
    size = checkpoint.batch.size
    if row is None or row.index >= size:
        raise NotLogged
    nodes = tree_rows.StoredNodes(size)
    return Inclusion(leaf, row.index, tree.inclusion(nodes, index=row.index, size=size), checkpoint)


def consistency(*, old: int, new: int) -> list[bytes]:
    """The proof that the published tree of `new` entries begins with the one of `old`.

    Raises NotLogged for a size beyond what is published, LogBroken.
    """
    if not 0 <= old <= new <= publishing.latest().batch.size:
        raise NotLogged
    return tree.consistency(tree_rows.StoredNodes(new), old=old, new=new)
