"""A lease's pages as NDJSON: documents pass through as the bytes they were sealed as."""

from binascii import hexlify
from collections.abc import Sequence
from uuid import UUID

import orjson

from core import ids
from core.ids import PublicId
from governance.services.lease_pages import Ending, Reading, projected
from vault.services.page_opening import PageGroup


class Lines:
    """Implements `lease_pages.Encoder`."""

    def __init__(self, wanted: Reading) -> None:
        self._codes = {id_.bytes: code.encode() for id_, code in wanted.codes.items()}
        self._fields = {id_.bytes: names for id_, names in wanted.fields.items()}

    def page(self, groups: Sequence[PageGroup], ending: Ending) -> bytes:
        """One line per record, then the trailer; pieces that rows share are made once."""
        parts: list[bytes] = []
        for alias, category, _, references, versions, documents in groups:
            name = ids.format(PublicId.ALIAS, UUID(bytes=alias)).encode()
            code, allowed = self._codes[category], self._fields[category]
            begins = b'{"alias":"%b","category":"%b","reference":"' % (name, code)
            data = documents if allowed is None else [projected(one, allowed) for one in documents]
            for reference, version, document in zip(references, versions, data, strict=True):
                middle = b'","version":%d,"data":' % version
                parts += (begins, hexlify(reference), middle, document, b"}\n")
        parts.append(_trailer(ending))
        return b"".join(parts)


def _trailer(ending: Ending) -> bytes:
    lines = b""
    if ending.cursor is not None:
        lines = orjson.dumps({"cursor": ending.cursor, "records": ending.sent}) + b"\n"
    if ending.is_last:
        end = {"end": True, "complete": ending.cursor is None, "records": ending.sent}
        lines += orjson.dumps(end) + b"\n"
    return lines
