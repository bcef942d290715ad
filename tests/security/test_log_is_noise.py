"""The attack: somebody has everything but destroyed keys, and wants to know of whom the log speaks.

They hold the database of now, a dump from before the erasure, the whole tree (of which chains hold
only roots), every credential of the key store, and the exact text of the events that they suspect.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.models import LogLeaf
from contracts.services import sealing
from core import audit, commitment, hpke
from core.models import AuditEvent
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from tests.security import dumps
from tests.security.test_stolen_dump import Thief, erase, person
from tests.servers.roles import EveryProcess
from tests.servers.vaultd import VaultServer
from vault.models import Subject
from vault.services import openings

pytestmark = pytest.mark.vault


@pytest.fixture
def world(transactional_db: None, tmp_path: Path, vault_server: VaultServer) -> Iterator[World]:
    with make_world(tmp_path, EveryProcess(vault_server)) as made:
        yield made


@pytest.fixture
def thief(vault_server: VaultServer) -> Thief:
    """With the credential of the web processes, which open custody."""
    return Thief(vault_server.custodian("web"), [*vault_server.pool, "custody"])


def payloads(subject: Subject) -> list[dict[str, Any]]:
    """What was recorded of a person, to the letter; the attacker knows it from elsewhere."""
    return [audit.payload(row) for row in AuditEvent.objects.filter(trail_id=subject.trail_id)]


def opened(thief: Thief, dump: Path) -> set[bytes]:
    """The `r` of every opening in the dump that any key opens which any wrap in it leads to."""
    keys = {key for wrapped in thief._wrapped(dump) for key in thief._opened(dump, wrapped)}
    found = set()
    for row in dumps.rows(dump, "vault_sealedopening"):
        for key in keys:
            try:
                packed = hpke.open(key, dumps.binary(row["sealed"]), info=openings.INFO)
            except (hpke.NotAuthentic, ValueError):
                continue
            found.add(commitment.Commitment.unpack(packed).r)
    return found


def confirmed(events: list[dict[str, Any]], candidates: set[bytes]) -> int:
    """How many of the events are shown to be in the tree under any of the candidates."""
    leaves = set(map(bytes, LogLeaf.objects.values_list("leaf", flat=True)))
    return sum(
        any(
            commitment.leaf_of(event, tag=commitment.AUDIT_EVENT, r=r) in leaves for r in candidates
        )
        for event in events
    )


def every_value(dump: Path) -> set[bytes]:
    """Each 32 bytes that stand together in any binary value of a dump."""
    text = dump.read_text(encoding="utf-8")
    found = set()
    for word in text.replace("\t", "\n").split("\n"):
        if word.startswith("\\\\x") and len(word) >= 67:
            value = dumps.binary(word)
            found |= {value[at : at + 32] for at in range(len(value) - 31)}
    return found


class TestAfterTheErasure:
    def test_nothing_confirms_or_links_an_event_of_the_erased(
        self, world: World, thief: Thief, tmp_path: Path
    ) -> None:
        goes, stays = person(world, "goes"), person(world, "stays")
        for subject in (goes, stays):
            world.consent(subject)
        events = {one: payloads(Subject.objects.get(id=one)) for one in (goes, stays)}
        sealing.seal(now=world.now)
        old = dumps.take(tmp_path / "old.sql")
        before = opened(thief, old)
        assert confirmed(events[goes], before) == len(events[goes]) > 0
        assert confirmed(events[stays], before) == len(events[stays]) > 0

        erase(world, goes)

        now = dumps.take(tmp_path / "now.sql")
        after = opened(thief, old) | opened(thief, now)
        assert confirmed(events[stays], after) == len(events[stays])
        assert confirmed(events[goes], after) == 0
        assert confirmed(events[goes], every_value(old) | every_value(now)) == 0

    def test_no_row_names_both_an_event_of_a_person_and_its_entry(
        self, world: World, tmp_path: Path
    ) -> None:
        subject = Subject.objects.get(id=person(world, "goes"))
        sealing.seal(now=world.now)

        rows = AuditEvent.objects.filter(trail_id=subject.trail_id)

        assert rows.exists()
        assert not rows.exclude(r=None).exists()
        assert not rows.exclude(leaf=None).exists()
