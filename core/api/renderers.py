from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer

_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class JSONRenderer(BaseRenderer):
    """JSON by orjson: UUIDs and instants as text, UTC as `Z`."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002 - DRF's form
        renderer_context: Mapping[str, Any] | None = None,  # noqa: ARG002 - DRF's form
    ) -> bytes:
        """The body; empty for None."""
        return b"" if data is None else orjson.dumps(data, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, Promise):
        return str(value)
    if isinstance(value, set | frozenset | tuple):
        return sorted(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError
