"""What takes several processes and backups, step by step to its end."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from bench.faults import points
from tests.machine import acts
from tests.machine.town import Town
from vault.services import orphans as services

_PARTS = (
    "attest", "destroy", "keys", "losing", "orphans", "regrant", "rekey", "replay", "rotation",
    "shred",
)  # fmt: skip
#: Named points that these steps reach.
POINTS = {
    name
    for name in points()
    if name.startswith(tuple(f"vault.{part}." for part in (*_PARTS, "sweep", "journal")))
}

Steps = list[Callable[[], object]]


def erasures(town: Town) -> Steps:
    """Rounds of the eraser and the attester, until what was fenced is verified."""
    return [partial(town.run, queue) for queue in ("shred", "shred", "attest", "shred", "attest")]


def rekey(town: Town, subject_id: UUID) -> Steps:
    """A person's new key, the backups it waits for, and the old one's destruction."""
    work = partial(town.run, "default")
    return [
        partial(acts.leak, town, subject_id),
        work,
        town.back_up_keys,
        work,
        town.back_up_database,
        work,
        *erasures(town),
        work,
    ]


def rotation(town: Town, *, is_custody: bool) -> Steps:
    """A new version of a wrapping key, until the old one opens nothing any more."""
    go_on = partial(acts.rotate, town, is_custody=is_custody)
    return [go_on, town.back_up_keys, go_on, town.end_old_backups, go_on]


def orphans(town: Town) -> Steps:
    """Keys that a restore left without an owner, to their destruction."""
    return [
        partial(town.run, "shred"),
        town.end_old_backups,
        lambda: services.end_cleared(now=town.now),
        *erasures(town),
    ]


def loss(town: Town) -> Steps:
    """A snapshot from before a rotation is put back; once that is mended, the right one is."""
    held: list[Any] = []

    def put_back(which: int) -> None:
        town.put_back_keys(held[which])
        town.recover(does_release=True)

    def keep() -> None:
        town.back_up_keys()
        held.append(town.snapshots[-1])

    return [
        keep,
        *rotation(town, is_custody=False),
        keep,
        partial(put_back, 0),
        partial(town.run, "default"),
        partial(put_back, -1),
    ]
