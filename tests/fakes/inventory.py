"""The real inventory of backups in short verbs, for tests that need one."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from core.actors import Actor
from tests.fakes.world import World
from vault.domain.backups import Copy, Kind, Source
from vault.services import backups
from vault.services.backups import Stated, Statement

OPERATOR = Actor("psn_operator", "operator", None, person_id=UUID(int=7))
SCRIPT = Actor("process:command", "process", None)
DAYS = timedelta(days=1)


@dataclass
class Shelves:
    """What lies in each place, and the statements that are made of it."""

    world: World
    lying: dict[tuple[Kind, str], list[Copy]] = field(default_factory=dict)

    def make(self, kind: Kind, label: str, *, keep: float | None = 30, name: str = "main") -> Copy:
        """A copy made just now, kept for so many days."""
        now = self.world.now
        expires = None if keep is None else now + keep * DAYS
        copy = Copy(label=label, began_at=now, ended_at=now, expires_at=expires)
        self.lying.setdefault((kind, name), []).append(copy)
        return copy

    def purge(self) -> None:
        """What the retention job does: copies past their end are deleted."""
        now = self.world.now
        for key, copies in self.lying.items():
            self.lying[key] = [c for c in copies if c.expires_at is None or c.expires_at > now]

    def state(self, kind: Kind, *, name: str = "main", **more: Any) -> Stated:
        """One place as it is now."""
        return state(kind, *self.lying.get((kind, name), []), name=name, now=self.world.now, **more)

    def state_all(self) -> None:
        """Every place that a final certificate needs, and every other with something in it."""
        for kind, name in sorted({*self.lying, *((kind, "main") for kind in Kind)}):
            self.state(kind, name=name)


def state(
    kind: Kind,
    *copies: Copy,
    now: datetime,
    name: str = "main",
    cluster: str | None = None,
    source: Source = Source.LISTING,
    gone: tuple[str, ...] = (),
    actor: Actor = OPERATOR,
    anew: bool = False,
) -> Stated:
    """One statement, by the operator unless another is named."""
    statement = Statement(
        place=backups.place(kind, name=name, cluster=cluster),
        source=source,
        copies=copies,
        gone=gone,
    )
    return backups.attest(statement=statement, actor=actor, now=now, anew=anew)
