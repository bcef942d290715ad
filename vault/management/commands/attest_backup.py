"""Write down which backups exist, as their folders list them or as a named operator declares."""

from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from accounts.management import officers
from core import clock
from core.actors import Actor, process_actor
from core.errors import ServiceError
from vault.adapters import postgres_backups, raft_snapshots
from vault.adapters.backup_files import Reading
from vault.domain.backups import Copy, Kind, Place, Slot, Source
from vault.services import backup_rows, backups
from vault.services.backups import Stated, Statement

Reader = Callable[[Path, Reading], list[Copy]]
_READERS: Final[dict[str, tuple[Kind, Reader]]] = {
    "base": (Kind.DATABASE_BACKUP, postgres_backups.base_backups),
    "wal": (Kind.WAL_ARCHIVE, postgres_backups.wal_archive),
    "snapshots": (Kind.KEY_STORE_SNAPSHOT, raft_snapshots.snapshots),
}


class Command(BaseCommand):
    help = (
        "Attest backups: --base, --wal or --snapshots reads a folder; --declare takes the word of a"
        " named operator for what cannot be read. Without any of them the inventory is shown."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--base", metavar="FOLDER", help="base backups of PostgreSQL")
        what.add_argument("--wal", metavar="FOLDER", help="archived WAL of PostgreSQL")
        what.add_argument("--snapshots", metavar="FOLDER", help="raft snapshots of the key store")
        what.add_argument("--declare", choices=[kind.value for kind in Kind], metavar="KIND")
        parser.add_argument("--keep-days", type=float, help="when the retention job deletes a copy")
        parser.add_argument("--place", default="main", help="a name for where the copies lie")
        parser.add_argument(
            "--cluster", help="system identifier or cluster; the one in use if left out"
        )
        parser.add_argument("--operator", help="e-mail of who declares; role operator")
        parser.add_argument(
            "--copy",
            action="append",
            default=[],
            metavar="NAME,BEGAN,EXPIRES",
            help="of --declare: a copy that exists; times like 2027-01-31T22:00Z; repeatable",
        )
        parser.add_argument(
            "--gone", action="append", default=[], metavar="NAME",
            help="a copy that was deleted before its time; repeatable",
        )  # fmt: skip
        parser.add_argument(
            "--anew",
            action="store_true",
            help="begin the inventory again, after it was found broken; state every place again",
        )

    def handle(self, *_: object, **options: Any) -> None:
        """Exit status 1 when a copy is there after its end, or contradicts a final certificate."""
        try:
            statement = self._statement(options)
            if statement is None:
                self._show()
                return
            stated = backups.attest(
                statement=statement,
                actor=self._actor(options),
                now=clock.now(),
                anew=options["anew"],
            )
        except ServiceError as error:
            named = f" Backup: {error.context['backup']}." if "backup" in error.context else ""
            message = f"{error.detail}{named} ({error.code})"
            raise CommandError(message) from None
        self._report(statement, stated)

    def _statement(self, options: dict[str, Any]) -> Statement | None:
        for name, (kind, read) in _READERS.items():
            if options[name] is not None:
                return self._listing(options, kind, read, Path(options[name]))
        if options["declare"] is None:
            return None
        return self._declaration(options, Kind(options["declare"]))

    def _listing(
        self, options: dict[str, Any], kind: Kind, read: Reader, folder: Path
    ) -> Statement:
        if options["keep_days"] is None or options["keep_days"] <= 0:
            raise CommandError("Say with --keep-days how long copies are kept.")
        if options["copy"]:
            raise CommandError("--copy is for --declare; a folder lists its own copies.")
        place = self._place(options, kind)
        known = {} if options["anew"] else _known(place)
        reading = Reading(timedelta(days=options["keep_days"]), place.cluster, known)
        copies = read(folder, reading)
        if not copies and not known:
            message = (
                "The folder holds no copy and never held one: no sign that there are none. Is it"
                " the right one? If so, declare it. (backup-folder-empty)"
            )
            raise CommandError(message)
        return Statement(place=place, source=Source.LISTING, copies=copies, gone=options["gone"])

    def _declaration(self, options: dict[str, Any], kind: Kind) -> Statement:
        """The copies named and those known before; of these, the ones past their end are gone."""
        place, now = self._place(options, kind), clock.now()
        named = [_parsed(text) for text in options["copy"]]
        given = {copy.label for copy in named} | set(options["gone"])
        stand = [
            copy
            for copy in ({} if options["anew"] else _known(place)).values()
            if copy.gone_at is None
            and copy.label not in given
            and (copy.expires_at is None or copy.expires_at > now)
        ]
        return Statement(
            place=place,
            source=Source.DECLARATION,
            copies=[*named, *stand],
            gone=options["gone"],
        )

    def _place(self, options: dict[str, Any], kind: Kind) -> Place:
        return backups.place(kind, name=options["place"], cluster=options["cluster"])

    def _actor(self, options: dict[str, Any]) -> Actor:
        if options["operator"] is None:
            return process_actor("command")
        return officers.named(options["operator"], "operator")

    def _report(self, statement: Statement, stated: Stated) -> None:
        place = statement.place
        self.stdout.write(
            f"Statement {stated.number}: {len(statement.copies)} of kind {place.kind.value} in"
            f" {place.name}, {stated.ended} ended since the last ({stated.digest[:16]})."
        )
        if stated.contradicted:
            message = (
                f"{stated.contradicted} erasures were certified as irrecoverable, and one of these"
                " copies may hold them: see docs/runbooks/backup.md. (backup-contradicts)"
            )
            raise CommandError(message)
        if stated.overdue:
            message = (
                f"{len(stated.overdue)} are there after their end, such as {stated.overdue[0]}; no"
                " certificate becomes final until they are deleted. (backup-overdue)"
            )
            raise CommandError(message)

    def _show(self) -> None:
        is_whole = backup_rows.is_whole()
        slots = backup_rows.slots()
        for slot in slots:
            self.stdout.write(_line(slot))
        stated = {(slot.place.kind, slot.place.cluster) for slot in slots}
        for kind, cluster in sorted(backups.needed() - stated):
            self.stdout.write(f"{kind.value:<19}  {cluster}: never stated")
        if not is_whole:
            raise CommandError("The inventory lacks a row. (backup-inventory-broken)")


def _known(place: Place) -> dict[str, Copy]:
    slot = backup_rows.slot(place)
    return {} if slot is None else {copy.label: copy for copy in slot.copies}


def _line(slot: Slot) -> str:
    living = [copy for copy in slot.copies if copy.gone_at is None]
    ends = sorted(copy.expires_at for copy in living if copy.expires_at is not None)
    latest = f"{ends[-1]:%Y-%m-%d %H:%M}Z" if ends else "-"
    if len(ends) < len(living):
        latest = "unknown"
    return (
        f"{slot.place.kind.value:<19}  {slot.place.cluster} {slot.place.name}: {len(living)} exist,"
        f" last end {latest}, {slot.source.value} of {slot.stated_at:%Y-%m-%d %H:%M}Z"
    )


def _parsed(text: str) -> Copy:
    parts: Sequence[str] = text.split(",")
    try:
        label, began, expires = parts
        return Copy(label=label, began_at=_instant(began), expires_at=_instant(expires))
    except ValueError:
        message = f"Not NAME,BEGAN,EXPIRES with times like 2027-01-31T22:00Z: {text[:60]}"
        raise CommandError(message) from None


def _instant(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is None:
        raise ValueError("a time without its zone")
    return value.astimezone(UTC)
