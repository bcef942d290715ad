"""Opening a page: data keys by the purpose's grants, then its records group by group."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from vault.domain import binding
from vault.domain.envelope import NotAuthentic, open_packed
from vault.errors import CiphertextTampered
from vault.ports import GrantFailure, GrantToOpen, ShareRef
from vault.services import key_cache, keys
from vault.services.page_rows import HEAD, Group


class PageRow(NamedTuple):
    """One record as a purpose sees it; ids are their 16 bytes.

    `trail` is for the disclosure row only.
    """

    alias: bytes
    reference: bytes
    category: bytes
    version: int
    document: bytes
    trail: bytes


class PageGroup(NamedTuple):
    """The records of one alias and category; the three lists are of the same length."""

    alias: bytes
    category: bytes
    trail: bytes
    references: list[bytes]
    versions: list[int]
    documents: list[bytes]

    def rows(self) -> list[PageRow]:
        """The records, each by itself."""
        of_each = zip(self.references, self.versions, self.documents, strict=True)
        return [
            PageRow(self.alias, reference, self.category, version, document, self.trail)
            for reference, version, document in of_each
        ]


def opened(groups: Sequence[Group], wrapping_key: str) -> list[PageGroup]:
    """Open every record. Groups whose share was destroyed since are left out.

    Raises CustodianUnavailable, KeyLost, CiphertextTampered, CustodianRefused.
    """
    grants = [
        GrantToOpen(
            ShareRef(group.kid, UUID(bytes=group.controller), group.cluster),
            wrapping_key,
            group.wrapped,
        )
        for group in groups
    ]
    opened_groups = []
    try:
        for group, key in zip(groups, key_cache.open_grants(grants), strict=True):
            if isinstance(key, bytes):
                opened_groups.append(_open_group(group, key))
            elif key is not GrantFailure.SHARE_DESTROYED:
                raise refusal(key)
    except NotAuthentic as error:
        raise CiphertextTampered from error
    return opened_groups


def _open_group(group: Group, key: bytes) -> PageGroup:
    """The records of one data key: their bindings differ in record and version alone."""
    begins = binding.data_key_binding(
        group.controller, group.subject, group.category, group.data_key
    )
    refer, pack = binding.stream_references(group.alias), binding.VERSION.pack
    references: list[bytes] = []
    versions: list[int] = []
    parts: list[tuple[int, bytes]] = []
    for record, version, length in HEAD.iter_unpack(group.heads):
        references.append(refer(record))
        versions.append(version)
        parts.append((length, begins + record + pack(version)))
    documents = open_packed(key=key, sealed=group.bodies, parts=parts)
    return PageGroup(group.alias, group.category, group.trail, references, versions, documents)


def refusal(reason: GrantFailure) -> Exception:
    """A grant row that does not unwrap was forged or moved: an integrity violation."""
    return CiphertextTampered() if reason is GrantFailure.NOT_AUTHENTIC else keys.failure(reason)
