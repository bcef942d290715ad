"""The eraser counts in the key store: a store that counts less was put back to an earlier time."""

from uuid import UUID, uuid4

import pytest

from tests.fakes.site import Site
from tests.servers import restores
from vault.domain.gate import Head, Marker, Reason, judge_key_store
from vault.errors import KeyLost, RestoreReplayRequired
from vault.models import GateLease
from vault.services import gate, reading

pytestmark = pytest.mark.long


def beats(site: Site) -> tuple[int, int]:
    """In the key store and in the database."""
    marker = site.world.custodian.read_marker()
    assert marker is not None
    return marker.beat, gate.beat()


def own(site: Site, subject: UUID) -> list[bytes]:
    rows = reading.custody_read(controller_id=site.world.controller_id, subject_id=subject)
    return [row.document for row in rows]


class TestBeat:
    def test_is_counted_once_a_minute(self, site: Site) -> None:
        assert beats(site) == (1, 1)
        site.tend()
        assert beats(site) == (1, 1)

        site.world.later(seconds=61)
        site.tend()

        assert beats(site) == (2, 2)

    def test_goes_on_where_the_clock_was_put_back(self, site: Site) -> None:
        site.world.later(hours=-2)
        site.tend()

        assert beats(site) == (2, 2)

    def test_that_the_database_did_not_hear_of_closes_nothing(self, site: Site) -> None:
        GateLease.objects.update(beat=0, beaten_at=None)

        assert site.tend() is Reason.IN_STEP
        assert beats(site) == (2, 2)

    def test_survives_an_erasure(self, site: Site) -> None:
        site.erase(site.person("ada"))

        assert beats(site)[0] >= beats(site)[1] > 1
        assert site.tend() is Reason.IN_STEP

    def test_that_cannot_be_told_closes_nothing(self, site: Site) -> None:
        site.world.later(seconds=61)
        site.world.custodian.is_down = True
        site.tend()
        assert (gate.state().is_open, gate.beat()) == (True, 1)

        site.world.custodian.is_down = False
        site.tend()

        assert beats(site) == (2, 2)


class TestKeyStorePutBack:
    def test_to_before_somebody_came_is_found_out_though_nothing_was_destroyed(
        self, site: Site
    ) -> None:
        bo = site.person("bo")
        older = site.snapshot()
        site.world.later(minutes=2)
        ada = site.person("ada")
        site.tend()

        site.put_back_keys(older)
        assert site.tend() is Reason.KEY_STORE_BEHIND
        with pytest.raises(RestoreReplayRequired):
            site.world.page()
        site.replay()

        assert site.readable() == {b'{"name":"bo"}'}
        assert own(site, bo) == [b'{"name":"bo"}']
        with pytest.raises(KeyLost):
            own(site, ada)

    def test_is_well_again_with_the_right_snapshot_and_no_replay(self, site: Site) -> None:
        older = site.snapshot()
        site.world.later(minutes=2)
        ada = site.person("ada")
        site.tend()
        newer = site.snapshot()
        site.put_back_keys(older)
        assert site.tend() is Reason.KEY_STORE_BEHIND

        site.put_back_keys(newer)

        assert site.tend() is Reason.IN_STEP
        assert own(site, ada) == [b'{"name":"ada"}']

    def test_between_the_look_and_the_beat_is_not_covered_up(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        older = site.snapshot()
        site.world.later(minutes=2)
        site.tend()
        site.world.later(minutes=2)
        real, looks = site.world.custodian.read_marker, iter([False, True])

        def read() -> Marker | None:
            if next(looks):
                site.put_back_keys(older)
            return real()

        with monkeypatch.context() as patched:
            patched.setattr(site.world.custodian, "read_marker", read)
            site.tend()

        assert site.tend() is Reason.KEY_STORE_BEHIND


class TestDatabasePutBack:
    def test_is_not_behind_for_its_beat(self, site: Site) -> None:
        site.person("ada")
        backup = site.dump()
        site.world.later(minutes=2)
        site.tend()

        restores.put_back(backup)

        assert site.tend() is Reason.IN_STEP
        assert beats(site)[0] >= beats(site)[1]


class TestJudgeKeyStore:
    @pytest.mark.parametrize(
        ("ordinal", "beat", "reason"),
        [
            (3, 7, Reason.IN_STEP),
            (4, 9, Reason.IN_STEP),
            (2, 7, Reason.KEY_STORE_BEHIND),
            (3, 6, Reason.KEY_STORE_BEHIND),
        ],
    )
    def test_takes_less_of_either_for_behind(self, ordinal: int, beat: int, reason: Reason) -> None:
        head = Head(uuid4(), 9, b"", 4)
        marker = Marker(head.journal_id, ordinal, beat)

        assert judge_key_store(journal=head, marker=marker, settled=3, beat=7) == reason
