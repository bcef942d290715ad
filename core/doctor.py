"""Checks of an installation, for `manage.py doctor` and /readyz. Each finding names its remedy."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils.module_loading import import_string

from core import clock, partitions
from core import rights as declared_rights


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is right, and what to do when it is not."""

    name: str
    is_right: bool
    remedy: str = ""


Check = Callable[[], Sequence[Finding]]

#: Tables of core that no role but the owner may change.
_HISTORY = ("core_auditevent", partitions.DEFAULT, "core_signingkey")
_MONTHS_AHEAD = 1
#: Seconds by which two clocks that are kept may differ.
_APART = 5


def findings() -> Iterator[Finding]:
    """Every check of core, then those that LETHE_DOCTOR_CHECKS names by dotted path."""
    upper: list[Check] = [import_string(path) for path in _paths("LETHE_DOCTOR_CHECKS")]
    for check in (databases, clocks, migrations, rights, audit_partitions, folders, *upper):
        yield from _run(check)


def readiness() -> Iterator[Finding]:
    """What must be right to take requests: database, migrations, LETHE_READY_CHECKS."""
    upper: list[Check] = [import_string(path) for path in _paths("LETHE_READY_CHECKS")]
    for check in (default_database, migrations, *upper):
        yield from _run(check)


def details() -> dict[str, Mapping[str, object]]:
    """What LETHE_READY_DETAILS adds to /readyz, by name; without a database, nothing."""
    paths: Mapping[str, str] = getattr(settings, "LETHE_READY_DETAILS", {})
    try:
        return {name: import_string(path)() for name, path in paths.items()}
    except DatabaseError:
        return {}


def default_database() -> list[Finding]:
    """The database answers to this process's role."""
    return [_reachable("default")]


def databases() -> list[Finding]:
    """The database answers to every role whose URL is set."""
    return [_reachable(alias) for alias in connections]


def clocks() -> list[Finding]:
    """The clock of our machine goes with the database: processes outwait what others began."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (theirs,) = cursor.fetchone()
    seconds = abs((clock.wall() - theirs).total_seconds())
    remedy = (
        f"They are {seconds:.0f} seconds apart. Run a time service on every machine: what is "
        "outwaited before a key is destroyed is measured in time of day."
    )
    return [Finding("clock goes with the database's", seconds <= _APART, remedy)]


def migrations() -> list[Finding]:
    """Every migration is applied."""
    executor = MigrationExecutor(connections["default"])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    remedy = "Run `manage.py migrate --database=owner` with DATABASE_OWNER_URL set."
    return [Finding("migrations applied", not plan, remedy)]


def rights() -> list[Finding]:
    """The role of this process cannot change history and is no superuser."""
    found: list[Finding] = []
    with connections["default"].cursor() as cursor:
        for table in _HISTORY:
            cursor.execute(
                "SELECT has_table_privilege(%s, 'UPDATE') OR has_table_privilege(%s, 'DELETE')",
                [table, table],
            )
            row = cursor.fetchone()
            remedy = (
                f"REVOKE UPDATE, DELETE ON {table} from this role, as the owner; let DATABASE_URL"
                " name the app role, not the owner."
            )
            found.append(Finding(f"{table} is insert-only", row == (False,), remedy))
        wide = declared_rights.too_wide()
        remedy = (
            f"A restored dump has widened rights ({', '.join(wide)}): run `manage.py migrate "
            "--database=owner`, which sets them again."
        )
        found.append(Finding("rights are as the migrations set them", not wide, remedy))
        cursor.execute("SELECT current_setting('is_superuser')")
        remedy = (
            "Let DATABASE_URL name a role without SUPERUSER: triggers and rights bind no other."
        )
        found.append(Finding("role is no superuser", cursor.fetchone() == ("off",), remedy))
    return found


def audit_partitions() -> list[Finding]:
    """Audit partitions exist for this month and the next."""
    ahead = partitions.months_ahead(now=clock.now())
    remedy = "Run `manage.py partitions` as the owner, monthly (DATABASE_OWNER_URL set)."
    return [Finding("audit partitions ahead", ahead >= _MONTHS_AHEAD, remedy)]


def folders() -> list[Finding]:
    """The folders this process writes to exist, are writable, and the broker's is private."""
    found = [_writable("state folder", settings.LETHE_STATE_DIR)]
    if settings.LETHE_PROCESS in {"eraser", "command"}:
        found += [
            _writable("journal folder", path)
            for path in (settings.LETHE_JOURNAL_DIR, *settings.LETHE_JOURNAL_MIRRORS)
        ]
    if settings.LETHE_BROKER_URL.startswith("filesystem:"):
        broker = _writable("broker folder", settings.LETHE_BROKER_DIR)
        found.append(broker)
        if broker.is_right:
            private = settings.LETHE_BROKER_DIR.stat().st_mode & 0o077 == 0
            remedy = f"chmod 700 {settings.LETHE_BROKER_DIR}"
            found.append(Finding("broker folder is private", private, remedy))
    return found


def _run(check: Check) -> Sequence[Finding]:
    try:
        return check()
    except DatabaseError:
        # The findings above say why; the driver's text may hold addresses and is left out.
        name = getattr(check, "__name__", "check").replace("_", " ")
        return [
            Finding(
                name,
                is_right=False,
                remedy="Mend database and migrations first, then run this again.",
            )
        ]


def _reachable(alias: str) -> Finding:
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        is_right = False
    else:
        is_right = True
    variable = {"owner": "DATABASE_OWNER_URL"}.get(alias, "DATABASE_URL")
    return Finding(
        f"database answers ({alias})",
        is_right,
        f"Start PostgreSQL, and check {variable}: host, database, role and password.",
    )


def _writable(name: str, path: Path) -> Finding:
    probe = path / ".doctor"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError:
        return Finding(name, is_right=False, remedy=f"Make {path} a folder that we can write to.")
    return Finding(name, is_right=True)


def _paths(setting: str) -> Sequence[str]:
    paths: Sequence[str] = getattr(settings, setting, ())
    return paths
