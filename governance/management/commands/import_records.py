"""`manage.py import_records`: any CSV, described by a mapping, into a vault over its REST API."""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from governance.management.importing import mapping, progress, rest
from governance.management.importing.loading import Loader, Report
from governance.management.importing.mapping import BadRow, CsvMapping

_STATUS_BAD_ROWS = 3


class Command(BaseCommand):
    """Needs no database of its own: it is a client like any other."""

    help = (
        "Load a CSV through the REST API. Ends with 0 when every row is stored, 3 when rows were "
        "left out (each is reported with its line and reason), 1 when it had to stop. "
        "Run again it goes on where it stopped."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--csv", required=True, type=Path)
        parser.add_argument("--mapping", required=True, type=Path, help="JSON; see docs/import.md")
        parser.add_argument("--url", required=True, help="as https://lethe.example.org")
        parser.add_argument("--client-id", required=True)
        parser.add_argument(
            "--client-secret-env",
            required=True,
            metavar="NAME",
            help="name of the environment variable that holds the client's secret",
        )
        parser.add_argument("--state", type=Path, help="default: the CSV's name + .state.json")
        parser.add_argument("--chunk", type=int, default=1000, help="rows per request")
        parser.add_argument(
            "--patience", type=float, default=600, help="seconds to wait out an outage"
        )

    def handle(self, **options: Any) -> None:
        """Load the file."""
        source, rules = options["csv"], _mapping(options["mapping"])
        if not source.is_file():
            raise CommandError(f"{source} is not a file.")
        if not 1 <= options["chunk"] <= 5000:  # noqa: PLR2004  half of what the API takes
            raise CommandError("--chunk is a number from 1 to 5000.")
        state = progress.StateFile(
            options["state"] or source.with_name(source.name + ".state.json"),
            csv=source,
            mapping=options["mapping"],
            url=options["url"],
        )
        try:
            report = state.load()
        except progress.ForeignState as error:
            raise CommandError(str(error)) from error
        console = Console(file=cast("TextIO", self.stdout), soft_wrap=True)
        title = f"{source.name} as {rules.category}"
        with progress.Display(console, title=title, total=progress.count_rows(source)) as display:
            if report.rows:
                display.say(f"Going on after line {report.line}.")
            self._load(options, rules, state, report, display)
        state.remove()
        self._summarise(report)

    def _load(
        self,
        options: dict[str, Any],
        rules: CsvMapping,
        state: progress.StateFile,
        report: Report,
        display: progress.Display,
    ) -> None:
        def settled(report: Report) -> None:
            state.save(report)
            display.show(report)

        def bad(row: BadRow) -> None:
            display.say(f"line {row.line}: {row.reason}")

        try:
            loader = Loader(
                _client(options, display),
                category=rules.category,
                chunk=options["chunk"],
                on_bad=bad,
                on_chunk=settled,
            )
            loader.load(mapping.rows(options["csv"], rules), report)
        except mapping.MappingError as error:
            raise CommandError(str(error)) from error
        except rest.RestError as error:
            raise CommandError(
                f"{error}\nStopped after line {report.line}; run again to go on."
            ) from error

    def _summarise(self, report: Report) -> None:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(report.counts.items()))
        self.stdout.write(f"{report.rows} rows: {counts or 'none'}")
        if report.counts["bad"]:
            raise CommandError(
                f"{report.counts['bad']} rows were left out.", returncode=_STATUS_BAD_ROWS
            )


def _mapping(path: Path) -> CsvMapping:
    try:
        return mapping.load(path)
    except mapping.MappingError as error:
        raise CommandError(str(error)) from error


def _client(options: dict[str, Any], display: progress.Display) -> rest.Client:
    secret = os.environ.get(options["client_secret_env"])
    if not secret:
        raise CommandError(f"The variable {options['client_secret_env']} is not set.")
    pacing = rest.Pacing(
        patience=options["patience"],
        on_wait=lambda seconds, reason: display.say(f"Waiting {seconds:.0f} s: {reason}"),
    )
    connection = rest.Connection(options["url"], pacing=pacing)
    return rest.Client(connection, client_id=options["client_id"], client_secret=secret)
