"""Where things lie in the key store: mounts, paths and names, all under one prefix."""

import re
from dataclasses import dataclass
from typing import Final

from vault.ports import ShareRef

#: The one wrapping key that is no purpose; it lies in a mount of its own, so that a purpose can
#: never reach it by being named so.
CUSTODY: Final = "custody"
#: The keys under which lookup and suppression tags are made.
HASHING_KEYS: Final = ("lookup", "suppression")
#: The processes that sign; each holds the key of its own name.
SIGNING_KEYS: Final = ("web", "attester", "loggerd", "eraser")

_PURPOSE_KEY: Final = re.compile(r"p-[0-9a-f]{16,64}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def is_purpose_key(name: str) -> bool:
    """Whether `name` has the form of a key of the pool."""
    return _PURPOSE_KEY.fullmatch(name) is not None


def is_name(name: str) -> bool:
    """Whether `name` may stand as one segment of a path: lower case, digits, hyphens."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Layout:
    """Names in the key store under `prefix`; two installations share a store by two prefixes."""

    prefix: str = "lethe-"

    def __post_init__(self) -> None:
        if not is_name(self.prefix):
            raise ValueError("a prefix is lower case letters, digits and hyphens")

    @property
    def shares(self) -> str:
        return f"{self.prefix}shares"

    @property
    def wrap(self) -> str:
        return f"{self.prefix}wrap"

    @property
    def custody(self) -> str:
        return f"{self.prefix}custody"

    @property
    def lookup(self) -> str:
        return f"{self.prefix}lookup"

    @property
    def sign(self) -> str:
        return f"{self.prefix}sign"

    @property
    def marker(self) -> str:
        return f"{self.prefix}marker"

    def share(self, area: str, ref: ShareRef) -> str:
        """Path of a share in `area`: data, metadata or destroy."""
        kid = ref.kid.hex()
        return f"{self.shares}/{area}/{ref.controller_id}/{kid[:2]}/{kid}"

    def transit(self, act: str, wrapping_key: str) -> str | None:
        """Path of `act` on a wrapping key; None for a name that no wrapping key can have."""
        if wrapping_key == CUSTODY:
            return f"{self.custody}/{act}/{CUSTODY}"
        if is_purpose_key(wrapping_key):
            return f"{self.wrap}/{act}/{wrapping_key}"
        return None
