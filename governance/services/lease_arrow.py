"""A lease's pages as an Arrow IPC stream: `docs/formats/arrow-stream.md`."""

import io
from array import array
from binascii import hexlify
from collections.abc import Sequence
from itertools import accumulate
from typing import Any
from uuid import UUID

from core import ids
from core.ids import PublicId
from governance.services.lease_pages import Ending, Reading, projected
from vault.services.page_opening import PageGroup


class Batches:
    """Implements `lease_pages.Encoder`: one record batch per page, without rows as objects."""

    def __init__(self, wanted: Reading) -> None:
        import pyarrow as pa  # 100 MB that only a process with such a stream needs

        self._pa = pa
        self._codes = {id_.bytes: code.encode() for id_, code in wanted.codes.items()}
        self._fields = {id_.bytes: names for id_, names in wanted.fields.items()}
        texts = ("alias", "category", "reference")
        self._schema = pa.schema(
            [pa.field(name, pa.utf8(), nullable=False) for name in texts]
            + [
                pa.field("version", pa.int32(), nullable=False),
                pa.field("data", pa.utf8(), nullable=False),
            ]
        )
        self._sink = io.BytesIO()
        self._writer = pa.ipc.new_stream(self._sink, self._schema)

    def page(self, groups: Sequence[PageGroup], ending: Ending) -> bytes:
        """The batch of a page with its cursor as metadata; the first follows the schema."""
        pa = self._pa
        aliases: list[bytes] = []
        categories: list[bytes] = []
        references: list[bytes] = []
        versions: list[int] = []
        documents: list[bytes] = []
        for group in groups:
            count, allowed = len(group.documents), self._fields[group.category]
            aliases += [_name(group.alias)] * count
            categories += [self._codes[group.category]] * count
            references += map(hexlify, group.references)
            versions += group.versions
            documents += (
                group.documents
                if allowed is None
                else [projected(one, allowed) for one in group.documents]
            )
        columns = [
            self._texts(aliases),
            self._texts(categories),
            self._texts(references),
            pa.array(versions, pa.int32()),
            self._texts(documents),
        ]
        batch = pa.record_batch(columns, schema=self._schema)
        self._writer.write_batch(batch, custom_metadata=_metadata(ending))
        if ending.is_last:
            self._writer.close()
        written = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return written

    def _texts(self, values: Sequence[bytes]) -> Any:
        """A column of UTF-8 from bytes that are such already."""
        pa = self._pa
        offsets = pa.py_buffer(array("i", accumulate(map(len, values), initial=0)))
        held = [None, offsets, pa.py_buffer(b"".join(values))]
        return pa.Array.from_buffers(pa.utf8(), len(values), held)


def _name(alias: bytes) -> bytes:
    return ids.format(PublicId.ALIAS, UUID(bytes=alias)).encode()


def _metadata(ending: Ending) -> dict[str, str]:
    metadata = {"lethe.records": str(ending.sent)}
    if ending.cursor is not None:
        metadata["lethe.cursor"] = ending.cursor
    if ending.is_last:
        metadata["lethe.end"] = "true"
        metadata["lethe.complete"] = "true" if ending.cursor is None else "false"
    return metadata
