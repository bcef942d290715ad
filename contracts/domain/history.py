"""Whether the log in the database is the one whose last head was kept outside of it.

A log that signs two heads of one size is worth nothing. A database that was put back to a backup
would do just that. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class History(StrEnum):
    """How the database's log stands to the head that was kept."""

    IN_STEP = "in-step"
    HEAD_ABSENT = "head-absent"
    HEAD_BEHIND = "head-behind"
    DATABASE_BEHIND = "database-behind"
    FORKED = "forked"


#: Where nothing but the key store can have been put back: then an operator may go on.
MENDABLE: Final = frozenset({History.HEAD_ABSENT, History.HEAD_BEHIND})
WORDS: Final[Mapping[History, str]] = MappingProxyType(
    {
        History.IN_STEP: "The database and the head that was kept agree.",
        History.HEAD_ABSENT: "The log has published heads, and the key store knows of none.",
        History.HEAD_BEHIND: "The key store knows an older head than the last one published.",
        History.DATABASE_BEHIND: "The database lacks entries that the log may have published.",
        History.FORKED: "The database has other entries than those that the log was publishing.",
    }
)


@dataclass(frozen=True, slots=True)
class Stand:
    """A generation of the log and the size of a tree of it, with its root."""

    generation: int
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What the database has: its generation, its published size, and roots of its heads by size.

    `follows` is the head that the generation was founded after, by a tree of `founded_at` entries.
    """

    generation: int
    published: int
    roots: Mapping[int, bytes]
    follows: Stand | None = None
    founded_at: int = 0


def judge(kept: Stand | None, known: Known) -> History:
    """How they stand. A founding that broke off before its head was kept is in step."""
    is_new = known.generation > 0 and known.published <= known.founded_at
    if is_new and kept == known.follows:
        return History.IN_STEP
    if kept is None:
        return History.HEAD_ABSENT if known.published else History.IN_STEP
    largest = max(known.roots, default=0)
    if kept.generation > known.generation or kept.size > largest:
        return History.DATABASE_BEHIND
    if known.roots.get(kept.size) != kept.root:
        return History.FORKED
    is_older = kept.generation < known.generation or kept.size < known.published
    return History.HEAD_BEHIND if is_older else History.IN_STEP
