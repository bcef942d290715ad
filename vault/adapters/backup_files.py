"""What the readers of backup folders share: names by time of start, and what they refuse.

Copies are named after the moment their job began, in UTC: `20261123T065000Z`, with a suffix of the
kind; `.partial` while the job runs or after it died. Anything else in a folder could be a copy too,
so it is an error.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from core.errors import Conflict
from vault.domain.backups import Copy

_STAMP: Final = re.compile(r"([0-9]{8}T[0-9]{6}Z)(\.snap)?(\.partial)?")


class NoBackupFolder(Conflict):
    """The folder is not there: not mounted, or misspelt."""

    code = "backup-folder-missing"
    text = "There is no such folder, or it cannot be read. Is the backup volume mounted?"


class BackupUnreadable(Conflict):
    """An entry that is no copy as the scripts make them."""

    code = "backup-unreadable"
    text = "An entry of the folder is not a backup that can be read; move it elsewhere."


class SumsMismatch(Conflict):
    """A copy whose files are not what its own list says."""

    code = "backup-sums-mismatch"
    text = "A backup does not match its own list of files and sums; it cannot be relied on."


class ForeignBackup(Conflict):
    """A copy of another server than the one it would be attested for."""

    code = "backup-foreign"
    text = (
        "A backup is of another PostgreSQL server than the one in use; name that one's system"
        " identifier with --cluster if it was ours."
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """How a folder is to be read: days that copies are kept, the server, and what was read before.

    A copy whose list of sums is the one already attested is not read through again.
    """

    keep: timedelta
    cluster: str = ""
    known: Mapping[str, Copy] = field(default_factory=dict)

    def is_new(self, label: str, evidence: str) -> bool:
        """Whether its contents have yet to be checked."""
        before = self.known.get(label)
        return before is None or before.evidence != evidence or before.ended_at is None


def entries(folder: Path, suffix: str) -> Iterator[tuple[str, datetime, Path, bool]]:
    """Label, start, path, and whether it is finished, of each copy in `folder`, oldest first.

    Raises NoBackupFolder, BackupUnreadable.
    """
    for path in paths(folder):
        match = _STAMP.fullmatch(path.name)
        if match is None or (match[2] or "") != suffix:
            raise BackupUnreadable(backup=path.name[:60])
        yield match[1] + suffix, stamp(match[1]), path, not path.name.endswith(".partial")


def paths(folder: Path) -> list[Path]:
    """The folder's entries by name. Raises NoBackupFolder."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        raise NoBackupFolder from None


def stamp(text: str) -> datetime:
    """The instant that a name says."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise BackupUnreadable(backup=text) from None


def written_at(path: Path) -> datetime:
    """When the file was last written."""
    return datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
