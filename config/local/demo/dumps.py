"""Database dumps by PostgreSQL's own tools: taken, searched, put into a copy or put back."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from config.local import postgres
from config.local.demo.processes import DATABASE, Installation
from config.local.demo.scene import StoryFailed

RESTORED: Final = "lethe_restored"
_BLOCK: Final = 1 << 20


def take(installation: Installation, target: Path, *, style: str = "plain") -> Path:
    """A dump of the whole database, as its owner; backup jobs use the style `custom`."""
    url = installation.postgres.url(postgres.OWNER, DATABASE)
    _tool(installation, "pg_dump", f"--dbname={url}", f"--format={style}", f"--file={target}")
    return target


def put_back(installation: Installation, dump: Path) -> None:
    """Restore a custom dump over the living database; nobody may be connected.

    pg_restore cannot drop an index that a partition has inherited: it says so, goes on and ends
    with status 1. Raises StoryFailed for any other error.
    """
    url = installation.postgres.url(postgres.OWNER, DATABASE)
    program = installation.postgres.bin_dir / "pg_restore"
    command = [str(program), "--clean", "--if-exists", f"--dbname={url}", str(dump)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    errors = [line for line in done.stderr.splitlines() if " error: " in line]
    wrong = [line for line in errors if "cannot drop inherited" not in line]
    if wrong or (done.returncode != 0 and not errors):
        raise StoryFailed(f"pg_restore failed: {(wrong or [done.stderr])[0][-300:]}")


def contains(dump: Path, *texts: str) -> list[str]:
    """Which of the texts stand in the dump, in clear or as the hexadecimal of a bytes column."""
    needles = {text: (text.encode(), text.encode().hex().encode()) for text in texts}
    longest = max(len(needle) for pair in needles.values() for needle in pair)
    found: set[str] = set()
    tail = b""
    with dump.open("rb") as file:
        while block := file.read(_BLOCK):
            window = tail + block
            found |= {text for text, pair in needles.items() if any(one in window for one in pair)}
            tail = window[-longest:]
    return sorted(found)


def restore(installation: Installation, dump: Path) -> None:
    """Play the dump into a second database of the same server."""
    postgres.create_database(installation.postgres, RESTORED)
    url = installation.postgres.url(postgres.OWNER, RESTORED)
    _tool(
        installation, "psql", f"--dbname={url}", "--quiet", "--set=ON_ERROR_STOP=0",
        f"--file={dump}", "--output=/dev/null",
    )  # fmt: skip


def opened(
    installation: Installation, *, controller_id: str, subjects: Sequence[str]
) -> Mapping[str, Any]:
    """What the product, with the web process's rights, opens of subjects in the restored copy.

    `refused` is what it answers first; `subjects` is what the keys alone yield.
    """
    done = subprocess.run(
        [sys.executable, "-m", "config.local.demo.probe", controller_id, *subjects],
        cwd=installation.addresses.project,
        env=installation.environment("web", database=RESTORED),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StoryFailed(f"The restored copy could not be read: {done.stderr.strip()[-300:]}")
    found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _tool(installation: Installation, name: str, *arguments: str) -> None:
    program = installation.postgres.bin_dir / name
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StoryFailed(f"{name} failed: {done.stderr.strip()[-300:]}")
