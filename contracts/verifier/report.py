"""What was found out about one document: checks, level by level, and what it states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from contracts.verifier.anchors import Anchor, confirm
from contracts.verifier.log import Entry
from contracts.verifier.stamps import Stamp

VALID, INVALID, UNREADABLE = "valid", "invalid", "unreadable"
HOLDS, NOT_SHOWN, FAILS = "holds", "not-shown", "fails"
LEVELS = (0, 1, 2, 3)
SIGNED, LOGGED, ANCHORED, TOLD_ALIKE = LEVELS


class Check(NamedTuple):
    """One check: of a level, whether it passed, and what is wrong if not."""

    name: str
    passed: bool
    detail: str
    level: int


class Findings(ABC):
    """Checks in order, and the verdict that follows from the levels that they belong to."""

    def __init__(self) -> None:
        self.checks: List[Check] = []
        self.unreadable: Optional[str] = None

    @property
    @abstractmethod
    def levels(self) -> Dict[int, str]:
        """Of each level whether it holds, fails, or is not shown."""

    @property
    def failed(self) -> Set[int]:
        """The levels of which a check failed."""
        return {check.level for check in self.checks if not check.passed}

    @property
    def verdict(self) -> str:
        """Whether it can be relied on as far as its levels go."""
        if self.unreadable is not None:
            return UNREADABLE
        return INVALID if FAILS in self.levels.values() else VALID

    def check(self, name: str, problems: List[str], level: int = SIGNED) -> bool:
        """Record one check; true when there are no problems."""
        self.checks.append(Check(name, not problems, "; ".join(problems[:5]), level))
        return not problems


class Report(Findings):
    """What was found: checks in order, and the predicate once it is signed as it states."""

    def __init__(self) -> None:
        super().__init__()
        self.kind = "certificate"
        self.keys_from: Optional[str] = None
        self.signed_with: List[Tuple[str, str, str]] = []
        self.predicate: Any = None
        self.statement: Any = None
        self.entries: List[Entry] = []
        #: The anchors of each entry of the log part.
        self.anchors: List[List[Anchor]] = []
        self.confirmed: List[Anchor] = []
        self.stamps: List[Stamp] = []
        self.was_asked = False

    @property
    def levels(self) -> Dict[int, str]:
        """Of each level whether it holds, fails, or is not shown."""
        failed = self.failed
        if self.unreadable is not None or self.predicate is None or SIGNED in failed:
            return {SIGNED: FAILS, LOGGED: NOT_SHOWN, ANCHORED: NOT_SHOWN, TOLD_ALIKE: NOT_SHOWN}
        shown = {SIGNED: True, LOGGED: bool(self.entries), ANCHORED: self._is_confirmed()}
        return {
            level: FAILS if level in failed else HOLDS if shown.get(level) else NOT_SHOWN
            for level in LEVELS
        }

    @property
    def heads(self) -> List[Entry]:
        """Every head of the log that the document was checked against."""
        anchored = [anchor.entry for of_one in self.anchors for anchor in of_one]
        return self.entries + anchored + [stamp.entry for stamp in self.stamps]

    @property
    def level(self) -> Optional[int]:
        """The highest up to which all hold (0 to 2); None unless the document is valid."""
        if self.verdict != VALID:
            return None
        return 2 if self._is_confirmed() else 1 if self.entries else 0

    def ask(self, url: str) -> None:
        """Ask the node at `url` for the anchors; what it contradicts makes the file invalid."""
        named = [anchor for anchors in self.anchors for anchor in anchors]
        if self.level is not None and named:
            found, problems = confirm(named, url)
            self.check("chain", problems, ANCHORED)
            self.confirmed += found
            self.was_asked = True

    def believe(self, blocks: Set[str]) -> None:
        """Take these hashes, in hex, for those of blocks that the chains have.

        They confirm the anchors whose place in such a block the file itself proves.
        """
        self.confirmed += [
            anchor
            for anchors in self.anchors
            for anchor in anchors
            if anchor.in_block and anchor.part["block_hash"] in blocks
        ]

    def _is_confirmed(self) -> bool:
        return bool(self.anchors) and all(
            any(anchor in self.confirmed for anchor in anchors) for anchors in self.anchors
        )
