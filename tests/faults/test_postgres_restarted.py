"""A real PostgreSQL that crashes or fails over, under the product's own running processes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from pytest_django import Settings

from core import ids
from core.models import Effect
from tests.faults.conftest import real_cast
from tests.faults.house import Answer, Crowd, House, running
from tests.faults.processes import Processes
from tests.faults.waiting import until
from tests.functional.api.cast import consent_body
from tests.functional.api.cast import study as make_study
from tests.functional.api.test_requests import released
from tests.servers import own_postgres, restores
from tests.servers.own_postgres import OwnPostgres
from tests.servers.proxy import Proxy
from tests.servers.vaultd import VaultServer
from vault.models import KeyGrant, PendingEntry, SealedRecord, Shredding
from vault.services import releasing

pytestmark = [pytest.mark.vault, pytest.mark.fault, pytest.mark.long]

GONE, CLOSED = "503 database-unavailable", "503 restore-replay-required"


@pytest.fixture
def house(
    own_database: None, settings: Settings, tmp_path: Path, vault_server: VaultServer
) -> Iterator[House]:
    settings.STATIC_ROOT = str(tmp_path)
    with ExitStack() as stack:
        cast = stack.enter_context(real_cast(tmp_path, vault_server))
        cast.world.journal.close()  # its writer is the eraser's process
        study = make_study(cast)
        yield stack.enter_context(running(study, Processes(vault_server, tmp_path)))


@pytest.fixture
def standby(primary: OwnPostgres) -> Iterator[OwnPostgres]:
    """Streams from the primary."""
    with own_postgres.folder() as place:
        made = OwnPostgres(place)
        made.follow(primary)
        yield made
        made.end()


def record(number: int) -> dict[str, object]:
    return {"category": "health", "reference": f"w{number}", "document": {"age": number}}


def is_created(send: Callable[[], Answer]) -> bool:
    return send().status == 201


def subject_id(public: str) -> UUID:
    return ids.parse(ids.PublicId.SUBJECT, public)


class TestRestart:
    def test_is_told_as_an_outage_and_over_without_hands(
        self, house: House, primary: OwnPostgres
    ) -> None:
        ada, bea, cle = (house.study.patient(name) for name in ("ada", "bea", "cle"))
        released(house.study.cast, cle)
        records = f"/subjects/{bea}/records"
        crowd = Crowd()
        crowd.add("reader", lambda _: house.get(f"/subjects/{ada}/records"))
        crowd.add("writer", lambda n: house.post(records, record(n), key=f"k{n}"))
        crowd.wait_for_more()
        primary.restart()
        crowd.wait_for_more()
        crowd.end()

        assert set(crowd.outcomes()) <= {"200", "201", GONE, CLOSED}
        assert crowd.outcomes()[GONE] > 0
        house.wait_until_open()
        restores.disconnect()
        house.study.cast.world.later(minutes=2)  # a key whose request died is free after 90 s
        for number, _ in crowd.answers["writer"]:
            send = partial(house.post, records, record(number), key=f"k{number}")
            until(partial(is_created, send), "the repeat")
        written = SealedRecord.objects.filter(subject=subject_id(bea)).count()
        assert written == len(crowd.answers["writer"]) + 1
        assert not Shredding.objects.exclude(held_at=None).exists()
        house.study.cast.world.later(minutes=5)
        until(lambda: Shredding.objects.get().state == "verified", "the erasure")
        house.assert_all_run()


class TestFailover:
    def test_to_a_complete_standby_opens_without_hands_and_holds_what_was_to_be_destroyed(
        self, house: House, primary: OwnPostgres, standby: OwnPostgres, address: Proxy
    ) -> None:
        ada, bea = house.study.patient("ada"), house.study.patient("bea")
        released(house.study.cast, ada)
        wait_for_replay(primary, standby)
        primary.stop()
        address.target = f"127.0.0.1:{standby.port}"
        withdrawal = consent_body(house.study.purpose, subject_id=bea, decision="withdrawn")

        def read() -> str:
            return house.get(f"/subjects/{bea}/records").outcome

        until(lambda: read() == CLOSED, "the standby to answer")
        assert house.post("/consents", withdrawal).outcome == GONE
        assert house.reason() == "server-changed"
        standby.promote()
        house.wait_until_open()

        until(lambda: read() == "200", "the promoted server to serve")
        restores.disconnect()
        world = house.study.cast.world
        world.later(minutes=5)
        until(lambda: Effect.objects.get(kind="vault.shred").last_error == "held-after-restore")
        (held,) = releasing.held()
        assert held.state == "fenced"
        releasing.release(erasure_ids=[held.erasure_id], officer=world.actor, now=world.now)
        world.later(minutes=5)
        until(lambda: Shredding.objects.get().state == "verified", "the erasure")
        assert house.get(f"/subjects/{ada}/records").status == 410
        house.assert_all_run()

    def test_to_a_standby_that_lacks_the_last_commits_stays_closed_until_replayed(
        self, house: House, primary: OwnPostgres, standby: OwnPostgres, address: Proxy
    ) -> None:
        ada, bea, cle = (house.study.patient(name) for name in ("ada", "bea", "cle"))
        wait_for_replay(primary, standby)
        standby.sql("ALTER SYSTEM SET primary_conninfo = ''")
        standby.sql("SELECT pg_reload_conf()")
        until(lambda: not primary.sql("SELECT 1 FROM pg_stat_replication"), "the stream to end")
        released(house.study.cast, ada)
        house.study.cast.world.later(minutes=5)
        until(lambda: Shredding.objects.get().state == "verified", "the erasure")
        withdrawal = consent_body(house.study.purpose, subject_id=bea, decision="withdrawn")
        assert house.post("/consents", withdrawal).status == 201
        until(lambda: not PendingEntry.objects.exists(), "the withdrawal to be in the journal")

        primary.stop()
        standby.promote()
        address.target = f"127.0.0.1:{standby.port}"
        restores.disconnect()
        until(lambda: house.reason() == "database-behind", "the gatekeeper to see")
        for subject in (ada, bea, cle):
            assert house.get(f"/subjects/{subject}/records").outcome == CLOSED
        withdrawal = consent_body(house.study.purpose, subject_id=cle, decision="withdrawn")
        assert house.post("/consents", withdrawal).status == 201
        house.processes.run("eraser", "manage.py", "replay_journal")
        house.processes.run("attester", "manage.py", "replay_journal")
        house.wait_until_open()

        assert house.get(f"/subjects/{ada}/records").status == 410
        assert house.get(f"/subjects/{bea}/records").status == 200
        assert not KeyGrant.objects.filter(subject__in=map(subject_id, (bea, cle))).exists()
        house.assert_all_run()


def wait_for_replay(primary: OwnPostgres, standby: OwnPostgres) -> None:
    """Until the standby knows everything that is committed now."""
    ((position,),) = primary.sql("SELECT pg_current_wal_lsn()::text")
    reached = f"SELECT pg_last_wal_replay_lsn() >= '{position}'"
    until(lambda: standby.sql(reached) == [(True,)], "the standby to catch up")
