"""Names of tiles over HTTP (C2SP tlog-tiles): `tile/<level>/<index>[.p/<width>]`."""

import re
from dataclasses import dataclass
from typing import Final, Self

from contracts.domain.tree import HEIGHT, WIDTH

_MOST_LEVELS: Final = 63
_PATH: Final = re.compile(
    r"(?P<level>0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


@dataclass(frozen=True, slots=True)
class TileName:
    """Which tile, and how many of its hashes: 256, or fewer for one at the edge of some tree."""

    level: int
    index: int
    width: int = WIDTH

    @classmethod
    def parse(cls, path: str) -> Self | None:
        """What a path names after `tile/`; None for anything but the one spelling of a name."""
        found = _PATH.fullmatch(path)
        if found is None:
            return None
        index = int(found["index"].replace("x", "").replace("/", ""))
        name = cls(int(found["level"]), index, int(found["width"] or WIDTH))
        is_named = name.level <= _MOST_LEVELS and (found["width"] is None or name.width < WIDTH)
        return name if is_named and name.path() == path else None

    def path(self) -> str:
        """The spelling, after `tile/`."""
        digits = str(self.index).zfill(-(-len(str(self.index)) // 3) * 3)
        parts = [digits[first : first + 3] for first in range(0, len(digits), 3)]
        index = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"{self.level}/{index}{partial}"

    def is_in(self, size: int) -> bool:
        """Whether a tree of that size has all hashes of the tile."""
        return self.index * WIDTH + self.width <= size >> (HEIGHT * self.level)
