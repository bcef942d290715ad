"""A lease's pages as NDJSON: documents pass through as the bytes they were sealed as."""

from binascii import hexlify
from collections.abc import Sequence
from uuid import UUID

import orjson

from core import ids
from core.ids import PublicId
from governance.services.lease_pages import Ending, Reading, projected
from vault.services.reading import PageRow


class Lines:
    """Implements `lease_pages.Encoder`."""

    def __init__(self, wanted: Reading) -> None:
        self._codes = {id_.bytes: code.encode() for id_, code in wanted.codes.items()}
        self._fields = {id_.bytes: names for id_, names in wanted.fields.items()}

    def page(self, rows: Sequence[PageRow], ending: Ending) -> bytes:
        """One line per record, then the trailer; pieces that rows share are made once."""
        begun: dict[tuple[bytes, bytes], bytes] = {}
        parts: list[bytes] = []
        for alias, reference, category, version, document, _ in rows:
            begins = begun.get((alias, category))
            if begins is None:
                name = ids.format(PublicId.ALIAS, UUID(bytes=alias)).encode()
                code = self._codes[category]
                begins = b'{"alias":"%b","category":"%b","reference":"' % (name, code)
                begun[alias, category] = begins
            allowed = self._fields[category]
            data = document if allowed is None else projected(document, allowed)
            parts += (begins, hexlify(reference), b'","version":%d,"data":' % version, data, b"}\n")
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
