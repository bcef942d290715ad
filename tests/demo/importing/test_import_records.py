import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from governance.management.importing import rest
from governance.management.importing.loading import Loader, Report
from governance.management.importing.mapping import BadRow, Row
from governance.management.importing.rest import Client, Connection, Pacing, RestError
from tests.demo.importing.api import Script, serving

RULES: dict[str, Any] = {
    "subject": {"references": [{"kind": "customer", "column": "customer"}]},
    "record": {
        "category": "visits",
        "reference": "{customer}-{line}",
        "fields": {"visits": {"type": "integer"}},
    },
}


class Clock:
    """Time that passes only by waiting."""

    def __init__(self) -> None:
        self.at = 0.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(script: Script) -> Iterator[str]:
    with serving(script) as address:
        yield address


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(url: str, clock: Clock) -> Client:
    pacing = Pacing(patience=60, sleep=clock.sleep, clock=clock)
    return Client(Connection(url, pacing=pacing), client_id="c", client_secret="s")


def _rows(count: int) -> list[Row | BadRow]:
    return [
        Row(line, (("customer", f"c{line // 2}"),), f"r{line}", {"visits": line})
        for line in range(2, count + 2)
    ]


def _load(client: Client, rows: list[Row | BadRow], report: Report) -> list[BadRow]:
    bad: list[BadRow] = []
    loader = Loader(
        client, category="visits", chunk=4, on_bad=bad.append, on_chunk=lambda _report: None
    )
    loader.load(rows, report)
    return bad


class TestLoader:
    def test_stores_every_row_and_makes_each_subject_once(
        self, client: Client, script: Script
    ) -> None:
        report = Report()
        assert _load(client, _rows(10), report) == []

        assert len(script.records) == 10
        assert report.counts == {"created": 10, "subjects created": 5}
        assert report.line == 11

    def test_goes_on_after_the_settled_line(self, client: Client, script: Script) -> None:
        _load(client, _rows(10), Report(line=7))

        assert sorted(reference for _, reference in script.records) == ["r10", "r11", "r8", "r9"]

    def test_waits_out_an_outage_as_long_as_it_asks(
        self, client: Client, script: Script, clock: Clock
    ) -> None:
        script.outages = [503, 503, 429]
        report = Report()
        _load(client, _rows(4), report)

        assert clock.waits == [7, 7, 7]
        assert report.counts["created"] == 4

    def test_sends_again_what_an_outage_in_the_middle_left_over(
        self, client: Client, script: Script, clock: Clock
    ) -> None:
        _load(client, [row for row in _rows(4) if row.line < 4], Report())
        script.stop_after = 1
        report = Report(line=3)
        bad = _load(client, _rows(7), report)

        assert bad == []
        assert clock.waits == [3]
        assert len(script.records) == 7

    def test_gives_up_when_patience_ends(self, client: Client, script: Script) -> None:
        script.outages = [503] * 20

        with pytest.raises(RestError, match="key-store-unavailable"):
            _load(client, _rows(4), Report())

    def test_reports_refused_rows_and_stores_the_others(
        self, client: Client, script: Script
    ) -> None:
        script.refused_subjects = {"c2"}
        rows = _rows(4)
        rows[0] = Row(2, (("customer", "c1"),), "r2", {"visits": -1})
        bad = _load(client, rows, Report())

        assert bad == [
            BadRow(2, "invalid-input document.visits: Too small."),
            BadRow(4, "subject: erased"),
            BadRow(5, "subject: erased"),
        ]
        assert len(script.records) == 1


class TestClient:
    def test_renews_its_token_before_it_ends(
        self, client: Client, script: Script, clock: Clock
    ) -> None:
        client.bulk("/api/v1/subjects:bulk", [])
        clock.at += 539
        client.bulk("/api/v1/subjects:bulk", [])
        assert script.tokens == 1
        clock.at += 2
        client.bulk("/api/v1/subjects:bulk", [])
        assert script.tokens == 2

    def test_asks_for_another_token_when_one_is_refused(
        self, client: Client, script: Script
    ) -> None:
        script.revoked = {"token-1"}
        client.bulk("/api/v1/subjects:bulk", [])

        assert script.tokens == 2

    def test_waits_for_a_server_that_is_not_there_yet(self, clock: Clock) -> None:
        pacing = Pacing(patience=10, sleep=clock.sleep, clock=clock)
        connection = Connection("http://127.0.0.1:9", pacing=pacing)

        with pytest.raises(RestError, match="ConnectionRefusedError"):
            connection.send("GET", "/healthz", headers={})
        assert clock.waits == [2, 4]

    def test_refuses_an_address_that_is_no_web_address(self) -> None:
        with pytest.raises(RestError, match="not an http"):
            rest.Connection("ftp://example.org")


class TestCommand:
    @pytest.fixture
    def arguments(self, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        (tmp_path / "data.csv").write_text("customer,visits\nanna,1\nben,many\ncleo,3\n")
        (tmp_path / "mapping.json").write_text(json.dumps(RULES))
        monkeypatch.setenv("SECRET_OF_TEST", "s")
        return [
            f"--csv={tmp_path / 'data.csv'}",
            f"--mapping={tmp_path / 'mapping.json'}",
            f"--url={url}",
            "--client-id=c",
            "--client-secret-env=SECRET_OF_TEST",
        ]

    def test_says_which_row_is_bad_and_ends_with_its_own_status(
        self, arguments: list[str], script: Script
    ) -> None:
        said = io.StringIO()
        with pytest.raises(CommandError, match="1 rows were left out") as refusal:
            call_command("import_records", *arguments, stdout=said)

        assert refusal.value.returncode == 3
        assert "line 3: visits is not of type integer" in said.getvalue()
        assert "many" not in said.getvalue()
        assert [name for name, _ in script.records] == ["anna", "cleo"]

    def test_restarts_where_it_stopped(
        self, arguments: list[str], script: Script, tmp_path: Path
    ) -> None:
        script.outages = [None, None, 400]  # line 2 is stored, line 4 is not
        with pytest.raises(CommandError, match="Stopped after line 3") as stop:
            call_command("import_records", *arguments, "--chunk=1", stdout=io.StringIO())
        assert stop.value.returncode == 1

        script.records.clear()
        said = io.StringIO()
        with pytest.raises(CommandError, match="left out"):
            call_command("import_records", *arguments, "--chunk=1", stdout=said)
        assert "Going on after line 3" in said.getvalue()
        assert [name for name, _ in script.records] == ["cleo"]
        assert not (tmp_path / "data.csv.state.json").exists()

    def test_refuses_the_state_of_another_file(self, arguments: list[str], tmp_path: Path) -> None:
        (tmp_path / "data.csv.state.json").write_text(json.dumps({"of": {}, "line": 5}))

        with pytest.raises(CommandError, match="another file, mapping or address"):
            call_command("import_records", *arguments, stdout=io.StringIO())
