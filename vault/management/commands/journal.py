"""Look at the erasure journal, verify it, and summarise what is older than every backup."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.db.models import Q

from core import audit, canonical, clock, dsse, runtime, signing_keys
from core.actors import process_actor
from core.errors import ServiceError
from core.ports import Signer, VerifyingKey
from core.unit_of_work import unit_of_work
from vault.adapters import journal_copy, journal_reader, journal_summary, journal_verifying
from vault.adapters.directory_journal import DirectoryJournal
from vault.adapters.journal import open_journal
from vault.adapters.journal_summary import Summary
from vault.adapters.journal_verifying import CopyReport
from vault.domain.gate import WORDS, Reason
from vault.domain.journal import EntryKind, InvalidEntryError
from vault.models import Destruction
from vault.services import journal


class Command(BaseCommand):
    help = "Verify the erasure journal, show its entries, or summarise old segments."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("verify", help="verify every copy whole; beside the running writer, too")
        show = acts.add_parser("show", help="print entries")
        show.add_argument("--kind", choices=[kind.value for kind in EntryKind])
        show.add_argument("--after", type=int, help="only entries with a greater sequence")
        old = acts.add_parser(
            "summarise",
            help="replace old segments by one signed summary (LETHE_PROCESS=eraser, not running)",
        )
        old.add_argument(
            "--before", required=True, help="a date or instant: you answer that no backup is older"
        )

    def handle(self, *, act: str, **options: Any) -> None:
        """Do one of the three."""
        try:
            if act == "verify":
                self._verify()
            elif act == "show":
                self._show(options["kind"], options["after"])
            else:
                self._summarise(_instant(options["before"]))
        except ServiceError as error:
            message = f"{error.detail} ({error.code})"
            raise CommandError(message) from None

    def _verify(self) -> None:
        directories: list[Path] = [settings.LETHE_JOURNAL_DIR, *settings.LETHE_JOURNAL_MIRRORS]
        reports = journal_verifying.verify(directories)
        keys = self._keys() if any(report.summary for report in reports) else None
        for report in reports:
            if report.summary is not None and keys is not None and not report.wrong:
                report.wrong = _signature_fault(report.summary, keys)
            for line in _lines(report):
                self.stdout.write(line)
        wrong = [report for report in reports if report.wrong]
        if wrong:
            message = f"The journal is wrong: {wrong[0].directory}: {wrong[0].wrong}."
            raise CommandError(message)

    def _keys(self) -> list[VerifyingKey] | None:
        try:
            return signing_keys.of("eraser")
        except DatabaseError:
            self.stdout.write(
                "The database does not answer: the summary's signature was NOT checked."
            )
            return None

    def _show(self, kind: str | None, after: int | None) -> None:
        directory: Path = settings.LETHE_JOURNAL_DIR
        try:
            found = journal_copy.layout(directory)
        except (OSError, InvalidEntryError):
            message = "The journal is absent or cannot be read."
            raise CommandError(message) from None
        if found.summary is not None:
            self.stdout.write(f"0 to {found.summary.head.sequence}: {_told(found.summary)}")
        start = found.kept_from - 1 if after is None else max(after, found.kept_from - 1)
        for entry in journal_reader.read_entries(directory, after=start):
            if kind is None or entry.kind == kind:
                body = canonical.encode(dict(entry.body)).decode()
                at = canonical.instant(entry.at)
                self.stdout.write(f"{entry.sequence} ({entry.ordinal}) {at} {entry.kind} {body}")

    def _summarise(self, before: datetime) -> None:
        now = clock.now()
        if settings.LETHE_PROCESS != "eraser":
            message = "Run this as the eraser (LETHE_PROCESS=eraser), while the eraser is stopped."
            raise CommandError(message)
        if before > now - timedelta(days=settings.LETHE_BACKUP_HORIZON_DAYS):
            message = (
                "Backups may be as old as LETHE_BACKUP_HORIZON_DAYS "
                f"({settings.LETHE_BACKUP_HORIZON_DAYS} days): name an earlier date."
            )
            raise CommandError(message)
        with open_journal() as opened:
            summary = _summarised(opened, before=before, now=now)
        if summary is None:
            self.stdout.write("No whole segment is that old and settled; nothing was changed.")
        else:
            self.stdout.write(f"0 to {summary.head.sequence}: {_told(summary)}")


def _summarised(opened: DirectoryJournal, *, before: datetime, now: datetime) -> Summary | None:
    reason = journal.compare(opened)
    if reason is not Reason.IN_STEP:
        raise CommandError(WORDS[reason])
    signer = cast("Signer", runtime.port("signer"))
    keys = signer.verifying_keys()
    with unit_of_work():
        signing_keys.archive(keys, now=now)
    summary = opened.summarise(
        before=before, settled=_settled(opened, before), signer=signer, now=now
    )
    if summary is not None:
        with unit_of_work():
            audit.record(
                action="vault.journal.summarised",
                actor=process_actor("eraser"),
                controller_id=None,
                now=now,
                details={"sequence": summary.head.sequence, "segments": len(summary.segments)},
            )
    return summary


def _settled(opened: DirectoryJournal, before: datetime) -> int:
    """Up to which ordinal every destruction was settled by then.

    A key store restored to a backup of that time asks for those above its marker again.
    """
    head = opened.head()
    later = Q(settled_at=None) | Q(settled_at__gte=before)
    rows = Destruction.objects.filter(later, journal_id=head.journal_id)
    first = rows.order_by("ordinal").first()
    return head.ordinal if first is None else first.ordinal - 1


def _signature_fault(summary: Summary, keys: Sequence[VerifyingKey]) -> str:
    try:
        journal_summary.verify(summary, keys=keys)
    except dsse.EnvelopeInvalid:
        return "the summary is not signed by a key of the eraser in the archive"
    return ""


def _lines(report: CopyReport) -> Iterator[str]:
    yield f"{report.directory}"
    if report.summary is not None:
        yield f"  summary of 0 to {report.summary.head.sequence}: {_told(report.summary)}"
    if report.last is not None and report.entries:
        yield f"  entries: {report.entries} (sequence {report.first} to {report.last.sequence})"
        yield f"  destructions: {report.last.ordinal}"
        yield f"  last hash: {report.last.hash.hex()}"
    for repair in report.repairs:
        yield f"  to repair at the next start of the eraser: {repair}"
    yield f"  WRONG: {report.wrong}" if report.wrong else "  right"


def _told(summary: Summary) -> str:
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(summary.counts.items()))
    begin, end = canonical.instant(summary.first_at), canonical.instant(summary.last_at)
    return f"{counts}; {begin} to {end}; {len(summary.segments)} segments removed"


def _instant(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        message = "--before takes a date (2026-03-09) or an instant with its offset."
        raise CommandError(message) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)
