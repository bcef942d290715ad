"""Opaque signed cursors: a page's position that a caller can hand back and not forge."""

from collections.abc import Sequence

from django.core import signing

from core.errors import InvalidInput

_LONGEST = 512


class InvalidCursor(InvalidInput):
    """Not a cursor that this list gave out."""

    code = "invalid-cursor"
    text = "This is not a cursor of this list; start again without one."


def encode(position: Sequence[str | int], *, binding: str) -> str:
    """A cursor for `position`, valid only for the list that `binding` names.

    `binding` names route and controller (and purpose where it matters), so that a cursor of one
    list says nothing in another. Positions hold no personal data: they are signed, not sealed.
    """
    return signing.dumps(list(position), salt=_salt(binding), compress=False)


def decode(text: str, *, binding: str, field: str = "after") -> list[str | int]:
    """The position in a cursor. Raises InvalidCursor."""
    if len(text) > _LONGEST:
        raise InvalidCursor(field=field)
    try:
        position: list[str | int] = signing.loads(text, salt=_salt(binding))
    except (signing.BadSignature, ValueError) as error:
        raise InvalidCursor(field=field) from error
    return position


def _salt(binding: str) -> str:
    return f"lethe.cursor:{binding}"
