"""Restored stores on a real PostgreSQL: closed until the journal was replayed and read back."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from core import failpoints, rights
from core.unit_of_work import unit_of_work
from tests.fakes.points import Killed
from tests.fakes.site import Site, killer
from tests.servers import restores
from vault.domain.gate import Reason
from vault.errors import RestoreReplayRequired, SubjectErased
from vault.models import (
    Alias,
    GateLease,
    JournalHead,
    KeyShare,
    PendingEntry,
    Removal,
    Replay,
    SealedRecord,
    Shredding,
    ShredLock,
    Subject,
    SuppressionTag,
)
from vault.services import (
    gate,
    grants,
    locks,
    reading,
    releasing,
    replaying,
    restrictions,
)

pytestmark = pytest.mark.long


def assert_closed(site: Site) -> None:
    with pytest.raises(RestoreReplayRequired):
        site.world.page()
    with pytest.raises(RestoreReplayRequired):
        site.world.subject("somebody new")


class TestRestoredDatabase:
    def test_keeps_the_erased_erased(self, site: Site) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        backup = site.dump()
        erasure_id = site.erase(ada)

        restores.put_back(backup)
        assert SealedRecord.objects.filter(subject_id=ada).exists()
        assert gate.state().reason is Reason.SERVER_CHANGED
        assert_closed(site)
        assert site.tend() is Reason.DATABASE_BEHIND
        assert_closed(site)
        site.replay()
        site.run()

        assert Subject.objects.get(id=ada).state == "erased"
        assert not SealedRecord.objects.filter(subject_id=ada).exists()
        assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"
        assert SuppressionTag.objects.filter(erasure_id=erasure_id).count() == 1
        assert site.readable() == {b'{"name":"bo"}'}
        with pytest.raises(SubjectErased):
            reading.custody_read(controller_id=site.world.controller_id, subject_id=ada)
        assert len(reading.custody_read(
            controller_id=site.world.controller_id, subject_id=bo)) == 1  # fmt: skip

    def test_destroys_the_keys_of_one_who_came_after_the_backup(self, site: Site) -> None:
        site.person("ada")
        backup = site.dump()
        site.erase(site.person("bo"))

        restores.put_back(backup)
        site.tend()
        site.replay()

        assert SuppressionTag.objects.count() == 1
        assert site.readable() == {b'{"name":"ada"}'}

    def test_keeps_the_withdrawn_withdrawn(self, site: Site) -> None:
        ada = site.person("ada")
        backup = site.dump()
        site.withdraw(ada)
        site.tend()

        restores.put_back(backup)
        site.tend()
        site.replay()

        assert site.readable() == set()
        assert Alias.objects.get().ground is None
        assert Removal.objects.count() == 1

    def test_bars_a_consent_that_was_renewed_and_withdrawn_since(self, site: Site) -> None:
        """Consent given, backup, renewed, withdrawn, restored; then the source sends again."""
        ada = site.person("ada")
        backup = site.dump()
        site.world.later(hours=1)
        renewed_at = site.world.now
        site.world.consent(ada)
        site.world.later(hours=1)
        site.withdraw(ada)
        site.tend()

        restores.put_back(backup)
        site.tend()
        site.replay()
        with unit_of_work():
            again = grants.open_ground(
                subject_id=ada, purpose_id=site.world.purpose_id, ground=uuid4(),
                decided_at=renewed_at, now=site.world.now,
            )  # fmt: skip

        assert again is None
        assert site.readable() == set()

    def test_keeps_a_consent_that_was_renewed_after_a_withdrawal(self, site: Site) -> None:
        ada = site.person("ada")
        site.withdraw(ada)
        backup_without_renewal = site.dump("older")
        site.tend()
        site.world.later(hours=1)
        site.world.consent(ada)
        backup = site.dump("newer")
        site.world.later(hours=1)
        site.lock(ada)
        site.tend()
        assert backup_without_renewal.exists()

        restores.put_back(backup)
        site.tend()
        site.replay()

        assert site.readable() == {b'{"name":"ada"}'}

    def test_keeps_the_restricted_restricted_until_it_is_lifted(self, site: Site) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        backup = site.dump()
        for subject in (ada, bo):
            with unit_of_work():
                restrictions.restrict(
                    subject_id=subject, purpose_id=None, decided_at=site.world.now,
                    reason="art18-1-a", actor=site.world.actor, now=site.world.now,
                )  # fmt: skip
        site.world.later(hours=1)
        with unit_of_work():
            restrictions.lift(
                subject_id=bo, purpose_id=None, decided_at=site.world.now,
                reason="art18-3", actor=site.world.actor, now=site.world.now,
            )  # fmt: skip
        site.tend()
        assert site.readable() == {b'{"name":"bo"}'}

        restores.put_back(backup)
        site.tend()
        site.replay()

        assert site.readable() == {b'{"name":"bo"}'}

    def test_keeps_locks_and_liftings(self, site: Site) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        lifted = site.lock(bo)
        site.tend()
        backup = site.dump()
        kept = site.lock(ada)
        with unit_of_work():
            locks.lift(controller_id=site.world.controller_id, lock_id=lifted.id,
                       actor=site.world.actor, now=site.world.now)  # fmt: skip
        site.tend()

        restores.put_back(backup)
        site.tend()
        site.replay()

        assert set(ShredLock.objects.filter(lifted_at=None).values_list("id", flat=True)) == {
            kept.id
        }

    def test_holds_a_destruction_that_was_called_off_since(self, site: Site) -> None:
        ada = site.person("ada")
        erasure_id = site.fence(ada)
        backup = site.dump()
        site.lock(ada)
        site.tend()

        restores.put_back(backup)
        site.tend()
        site.replay()
        site.run()

        assert Shredding.objects.get(erasure_id=erasure_id).state == "fenced"
        assert [row.erasure_id for row in releasing.held()] == [erasure_id]
        shares = KeyShare.objects.filter(subject=ada)
        assert all(site.world.custodian.shares[share.kid.bytes] for share in shares)

    def test_goes_on_with_a_held_destruction_once_it_is_released(self, site: Site) -> None:
        ada = site.person("ada")
        erasure_id = site.fence(ada)
        backup = site.dump()
        restores.put_back(backup)
        assert site.tend() is Reason.IN_STEP
        site.run()
        assert Shredding.objects.get(erasure_id=erasure_id).state == "fenced"

        releasing.release(erasure_ids=[erasure_id], officer=site.world.actor, now=site.world.now)
        site.run()

        assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"

    def test_gives_a_called_off_subject_back(self, site: Site) -> None:
        ada = site.person("ada")
        erasure_id = site.fence(ada)
        restores.put_back(site.dump())
        site.tend()

        releasing.call_off(erasure_ids=[erasure_id], officer=site.world.actor, now=site.world.now)

        assert site.readable() == {b'{"name":"ada"}'}

    def test_takes_what_takes_away_while_closed_and_appends_it_after_the_replay(
        self, site: Site
    ) -> None:
        """Append before replay: an entry written now would hide what is missing."""
        ada, bo = site.person("ada"), site.person("bo")
        backup = site.dump()
        site.erase(ada)
        entries = list(site.world.journal.entries())

        restores.put_back(backup)
        site.tend()
        site.withdraw(bo)
        site.tend()
        assert list(site.world.journal.entries()) == entries
        site.replay()

        assert site.readable() == set()
        assert [str(entry.kind) for entry in site.world.journal.entries()][-1] == "revocation"
        assert not PendingEntry.objects.exists()

    def test_may_be_an_older_backup_than_intended_and_then_the_right_one(self, site: Site) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        older = site.dump("older")
        site.erase(ada)
        newer = site.dump("newer")
        site.erase(bo)

        for backup in (older, newer):
            restores.put_back(backup)
            assert site.tend() is Reason.DATABASE_BEHIND
            site.replay()
            assert site.readable() == set()
            assert set(Subject.objects.values_list("state", flat=True)) == {"erased"}

    @pytest.mark.parametrize(
        "point",
        [
            "vault.replay.entry-applied", "vault.replay.entries-applied",
            "vault.replay.keys-destroyed", "vault.destroy.destroyed", "vault.destroy.marked",
            "vault.sweep.before-commit", "vault.replay.marked",
        ],
    )  # fmt: skip
    def test_is_replayed_once_more_after_a_crash(self, site: Site, point: str) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        backup, keys = site.dump(), site.snapshot()
        site.erase(ada)
        site.withdraw(bo)
        site.tend()
        restores.put_back(backup)
        site.put_back_keys(keys)
        site.tend()
        hits: list[str] = []

        with failpoints.installed(killer(point, hits)), pytest.raises(Killed):
            replaying.apply(now=site.world.now)
        assert site.tend() is not Reason.IN_STEP
        site.replay()

        assert hits
        assert Subject.objects.get(id=ada).state == "erased"
        assert site.readable() == set()
        assert Replay.objects.count() == 1


class TestNewDatabase:
    def test_starts_closed_and_is_replayed(self, site: Site) -> None:
        ada = site.person("ada")
        site.person("bo")
        backup = site.dump()
        site.erase(ada)

        with restores.in_a_new_database(backup):
            assert SealedRecord.objects.filter(subject_id=ada).exists()
            assert gate.state().reason is Reason.SERVER_CHANGED
            assert_closed(site)
            assert site.tend() is Reason.DATABASE_BEHIND
            site.replay()

            assert Subject.objects.get(id=ada).state == "erased"
            assert site.readable() == {b'{"name":"bo"}'}


class TestRestoredKeyStore:
    def test_destroys_again_what_it_has_forgotten(self, site: Site) -> None:
        ada = site.person("ada")
        keys = site.snapshot()
        kid = KeyShare.objects.get(subject=ada).kid.bytes
        site.erase(ada)
        site.put_back_keys(keys)
        assert site.world.custodian.shares[kid] is not None

        assert site.tend() is Reason.KEY_STORE_BEHIND
        assert_closed(site)
        site.replay()

        assert site.world.custodian.shares[kid] is None

    def test_is_found_out_when_it_is_new(self, site: Site) -> None:
        site.erase(site.person("ada"))
        site.world.custodian.marker = None

        assert site.tend() is Reason.MARKER_ABSENT
        assert_closed(site)

    def test_with_a_restored_database_forgets_nobody(self, site: Site) -> None:
        ada, bo = site.person("ada"), site.person("bo")
        backup, keys = site.dump(), site.snapshot()
        site.erase(ada)
        restores.put_back(backup)
        site.put_back_keys(keys)

        assert site.tend() is Reason.DATABASE_BEHIND
        replay = site.replay()

        assert replay.counts["keys"] == 1
        assert site.readable() == {b'{"name":"bo"}'}
        assert Subject.objects.get(id=bo).state == "live"

    def test_does_not_close_what_cannot_be_asked(self, site: Site) -> None:
        site.world.custodian.is_down = True

        assert site.tend() is None
        assert gate.state().is_open
        assert gate.state().trouble == "key-store-unavailable"


class TestJournal:
    def test_that_is_gone_closes_the_gate(self, site: Site) -> None:
        site.person("ada")
        site.world.journal.close()

        assert site.tend() is Reason.JOURNAL_UNAVAILABLE
        assert_closed(site)

    def test_of_another_installation_is_no_replay(self, site: Site) -> None:
        JournalHead.objects.create(
            journal_id=uuid4(), sequence=3, hash=b"x" * 32, ordinal=1, at=site.world.now
        )

        assert site.tend() is Reason.JOURNAL_REPLACED
        with pytest.raises(replaying.ReplayImpossible):
            replaying.apply(now=site.world.now)

    @pytest.mark.parametrize(
        ("ahead", "reason"), [(1, Reason.JOURNAL_BEHIND), (0, Reason.JOURNAL_FORKED)]
    )
    def test_that_lacks_what_the_database_saw_is_no_replay(
        self, site: Site, ahead: int, reason: Reason
    ) -> None:
        head = site.world.journal.head()
        with unit_of_work():
            JournalHead.objects.create(
                journal_id=head.journal_id,
                sequence=head.sequence + 1 + ahead,
                hash=b"x" * 32,
                at=site.world.now,
            )
        if not ahead:
            site.world.journal.append(
                kind="released", body={"officer": "psn_1", "erasures": []}, now=site.world.now
            )

        assert site.tend() is reason
        with pytest.raises(replaying.ReplayImpossible):
            replaying.apply(now=site.world.now)


class TestRestartedServer:
    def test_is_closed_until_the_next_round_and_holds_nothing(self, site: Site) -> None:
        erasure_id = site.fence(site.person("ada"))
        started = GateLease.objects.get().postmaster_started
        GateLease.objects.update(postmaster_started=started - timedelta(hours=1))
        assert gate.state().reason is Reason.SERVER_CHANGED

        assert site.tend() is Reason.IN_STEP
        site.run()

        assert Shredding.objects.get(erasure_id=erasure_id).state == "verified"

    def test_has_nothing_to_replay(self, site: Site) -> None:
        with pytest.raises(replaying.NothingToReplay):
            replaying.apply(now=site.world.now)


class TestCommand:
    def test_refuses_while_the_dump_has_widened_the_app_role_s_rights(
        self, site: Site, settings: Settings
    ) -> None:
        """`pg_restore --clean` makes tables under the default privileges, and adds to them."""
        settings.LETHE_PROCESS = "eraser"
        site.person("ada")
        backup = site.dump()
        restores.put_back_only(backup)
        assert "governance_consentrecord" in rights.too_wide()

        with pytest.raises(CommandError, match="migrate --database=owner"):
            call_command("replay_journal")
        call_command("migrate", database="owner", verbosity=0)

        assert rights.too_wide() == []
        call_command("replay_journal")
