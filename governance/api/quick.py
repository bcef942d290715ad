"""Lines of the usual form, read without a serializer.

A reader here answers what the line's serializer would answer, or None; it never refuses. So the
serializers alone say what is wrong, and bulk bodies of good lines do not pay for them.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from core import ids
from core.ids import MalformedIdentifier, PublicId
from governance.api.fields import CODE_PATTERN
from governance.api.serializers.consents import (
    CHANNELS,
    DECISIONS,
    DIGEST_PATTERN,
    LANGUAGE_PATTERN,
    MAX_LANGUAGE,
)
from governance.api.serializers.records import MAX_REFERENCE
from vault.domain.lookup import MAX_VALUE, Reference

_CODE: Final = re.compile(CODE_PATTERN)
_RECORD_FIELDS: Final = frozenset({"subject", "category", "reference", "document"})
_CONSENT_FIELDS: Final = frozenset({"subject", "purpose_id", "decision", "channel"})
_DECISIONS: Final = frozenset(DECISIONS)
_CHANNELS: Final = frozenset(CHANNELS)
_LANGUAGE: Final = re.compile(LANGUAGE_PATTERN)
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)


def record(value: Any) -> dict[str, Any] | None:
    """As `RecordLineSerializer`."""
    if type(value) is not dict:
        return None
    item = _with_subject(value)
    if item is None or item.keys() != _RECORD_FIELDS:
        return None
    if not (_is_code(item["category"]) and _is_text(item["reference"], MAX_REFERENCE)):
        return None
    return item if type(item["document"]) is dict else None


def subject(value: Any) -> dict[str, Any] | None:
    """As `SubjectCreateSerializer`, for one reference."""
    if type(value) is not dict or value.keys() != {"references"}:
        return None
    references = value["references"]
    if type(references) is not list or len(references) != 1:
        return None
    reference = _reference(references[0])
    return None if reference is None else {"references": [reference]}


def consent(value: Any) -> dict[str, Any] | None:
    """As `ConsentCreateSerializer`."""
    if type(value) is not dict:
        return None
    item = _with_subject(value)
    if item is None or not item.keys() >= _CONSENT_FIELDS:
        return None
    item.setdefault("is_explicit", False)
    item["purpose_id"] = _id(PublicId.PURPOSE, item["purpose_id"])
    if "decided_at" in item:
        item["decided_at"] = _instant(item["decided_at"])
    is_usual = all(name in _USUAL and _USUAL[name](part) for name, part in item.items())
    return item if is_usual else None


def _with_subject(value: dict[str, Any]) -> dict[str, Any] | None:
    """The line with `subject` as an id or a Reference, and without `subject_id`."""
    item = dict(value)
    if "subject_id" in item:
        owner: UUID | Reference | None = _id(PublicId.SUBJECT, item.pop("subject_id"))
        if "subject" in item:
            return None
    else:
        owner = _reference(item.get("subject"))
    if owner is None:
        return None
    item["subject"] = owner
    return item


def _reference(value: Any) -> Reference | None:
    if type(value) is not dict or value.keys() != {"kind", "value"}:
        return None
    kind, text = value["kind"], value["value"]
    return Reference(kind, text) if _is_code(kind) and _is_text(text, MAX_VALUE) else None


def _id(kind: PublicId, text: Any) -> UUID | None:
    try:
        return ids.parse(kind, text) if type(text) is str else None
    except MalformedIdentifier:
        return None


def _instant(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if _matches(_INSTANT, text) else None
    except ValueError:
        return None


def _matches(pattern: re.Pattern[str], text: Any) -> bool:
    return type(text) is str and pattern.fullmatch(text) is not None


def _is_code(text: Any) -> bool:
    return _matches(_CODE, text)


def _one_of(text: Any, words: frozenset[str]) -> bool:
    return type(text) is str and text in words


def _is_text(text: Any, longest: int) -> bool:
    """Text that a serializer takes as it is; the parser has refused NUL and surrogates."""
    return type(text) is str and 0 < len(text) <= longest and text == text.strip()


#: What each field of a consent line has to be like.
_USUAL: Final[Mapping[str, Callable[[Any], bool]]] = {
    "subject": bool,
    "purpose_id": bool,
    "decided_at": bool,
    "decision": partial(_one_of, words=_DECISIONS),
    "channel": partial(_one_of, words=_CHANNELS),
    "text_digest": partial(_matches, re.compile(DIGEST_PATTERN)),
    "language": lambda text: _matches(_LANGUAGE, text) and len(text) <= MAX_LANGUAGE,
    "is_explicit": lambda flag: type(flag) is bool,
}
