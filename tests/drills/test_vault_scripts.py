"""Raft snapshots of a real three-node Vault, taken and put back by the scripts of `deploy/`."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.drills.conftest import RealSite
from tests.servers.backup_jobs import Jobs
from vault.domain.gate import Reason
from vault.models import KeyShare
from vault.ports import ShareState
from vault.services import backups, keys

pytestmark = [pytest.mark.vault, pytest.mark.fault, pytest.mark.long]


@pytest.fixture
def jobs(site: RealSite, tmp_path: Path) -> Jobs:
    made = Jobs(tmp_path, tmp_path / "journal")
    assert site.cluster.keys is not None
    made.settings["VAULT_TOKEN"] = site.cluster.keys.root
    made.settings["VAULT_ADDR"] = site.cluster.leader().address
    return made


class TestSnapshot:
    def test_put_back_makes_no_key_live(self, site: RealSite, jobs: Jobs) -> None:
        before = site.world.now
        ada = site.person("ada")
        share = keys.share_ref(KeyShare.objects.get(subject=ada))
        snapshot = jobs.run("vault-snapshot.sh")
        site.erase(ada)

        jobs.run("vault-restore.sh", snapshot, "--force")
        site.settle()
        assert site.states(share) == {ShareState.LIVE}
        assert site.tend() is Reason.KEY_STORE_BEHIND
        site.replay()

        assert site.states(share) == {ShareState.DESTROYED}
        call_command("attest_backup", "--snapshots", str(jobs.snapshots), "--keep-days=7")
        assert backups.attested(store="key-store", after=before - timedelta(seconds=1))
        assert not backups.attested(store="key-store", after=site.world.now)

    def test_that_was_damaged_is_neither_put_back_nor_attested(
        self, site: RealSite, jobs: Jobs
    ) -> None:
        snapshot = Path(jobs.run("vault-snapshot.sh"))
        content = bytearray(snapshot.read_bytes())
        content[len(content) // 2] ^= 1
        snapshot.write_bytes(content)

        done = jobs.attempt("vault-restore.sh", str(snapshot))

        assert "(backup-sums-mismatch)" in done.stderr
        with pytest.raises(CommandError, match=r"backup-(sums-mismatch|unreadable)"):
            call_command("attest_backup", "--snapshots", str(jobs.snapshots), "--keep-days=7")

    def test_is_not_taken_by_who_may_not(self, site: RealSite, jobs: Jobs) -> None:
        done = jobs.attempt("vault-snapshot.sh", VAULT_TOKEN="nobody")

        assert "(key-store-unavailable)" in done.stderr
        assert list(jobs.snapshots.iterdir()) == []
