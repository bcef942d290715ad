"""How a reference value is written before it is tagged, so that one person has one tag."""

import unicodedata
from dataclasses import dataclass
from uuid import UUID

MAX_VALUE = 320
_CASELESS = frozenset({"email"})


@dataclass(frozen=True, slots=True)
class Reference:
    """A source's or person's reference: `kind` such as `email` or `customer-number`."""

    kind: str
    value: str


def tag_input(*, controller_id: UUID, reference: Reference) -> bytes:
    """The bytes that are tagged: controller, kind, value in NFKC without outer blanks.

    E-mail addresses are compared without case: two mailboxes that differ only in case are not
    seen in practice (RFC 5321 §2.4 advises against them), two spellings of one are.
    """
    value = unicodedata.normalize("NFKC", reference.value).strip()
    if reference.kind in _CASELESS:
        value = value.casefold()
    return controller_id.bytes + reference.kind.encode() + b"\x00" + value.encode()
