"""The backup and restore scripts of `deploy/`, run as an operator's job runs them."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.own_postgres import programs

ROOT = Path(__file__).resolve().parents[2]
_SCRIPTS = ROOT / "deploy" / "backup"


class Jobs:
    """Folders of backups, and the scripts with their settings; the journal is elsewhere."""

    def __init__(self, folder: Path, journal: Path) -> None:
        self.backups, self.snapshots = folder / "backups", folder / "snapshots"
        #: Where the server's own account can run them from.
        self.scripts = folder / "scripts"
        for path in (self.backups / "base", self.backups / "wal", self.snapshots):
            path.mkdir(parents=True)
        shutil.copytree(_SCRIPTS, self.scripts)
        self.settings = {
            "PATH": f"{programs()}:/usr/bin:/bin",
            "LETHE_BACKUP_DIR": str(self.backups),
            "LETHE_SNAPSHOT_DIR": str(self.snapshots),
            "LETHE_JOURNAL_DIR": str(journal),
        }

    def run(self, script: str, *arguments: str, **settings: str) -> str:
        """What it prints last. Fails with what it says when it does."""
        done = self.attempt(script, *arguments, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""

    def attempt(
        self, script: str, *arguments: str, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """The script's end, whatever it is."""
        environment: Mapping[str, str] = {**self.settings, **settings}
        return subprocess.run(
            [str(self.scripts / script), *arguments],
            env=environment,
            cwd=self.backups.parent,
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def age(self, path: Path, *, name: str) -> Path:
        """The copy under the name of an earlier start."""
        return path.rename(path.with_name(name))
