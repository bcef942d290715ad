import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from core import logging as ours

CANARIES = ("Ada Lovelace", "ada.lovelace@example.org", "+41 44 555 01 23")


class Output:
    def __init__(self, stream: io.StringIO) -> None:
        self.stream = stream

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def last(self) -> dict[str, Any]:
        line: dict[str, Any] = json.loads(self.text.splitlines()[-1])
        return line


@pytest.fixture
def output() -> Iterator[Output]:
    root = logging.getLogger()
    before, level = root.handlers, root.level
    ours.configure({"level": "DEBUG", "format": "json"})
    stream = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield Output(stream)
    root.handlers = before
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()


def fail(email: str) -> None:
    message = f"no such person: {email}"
    raise ValueError(message)


class TestAllowList:
    def test_writes_listed_keys(self, output: Output) -> None:
        ours.get_logger("core.x").info("effect.settled", kind="vault.shred", attempt=2)

        line = output.last
        assert (line["event"], line["kind"], line["attempt"]) == (
            "effect.settled",
            "vault.shred",
            2,
        )
        assert line["level"] == "info"
        assert set(line) <= ours.ALLOWED

    @pytest.mark.parametrize("canary", CANARIES)
    def test_drops_every_other_key(self, output: Output, canary: str) -> None:
        structlog.contextvars.bind_contextvars(name=canary)
        ours.get_logger("core.x").info("a.b", email=canary, person={"x": canary})

        assert canary not in output.text

    @pytest.mark.parametrize("canary", CANARIES)
    def test_withholds_a_listed_keys_value_that_is_no_code(
        self, output: Output, canary: str
    ) -> None:
        ours.get_logger("core.x").info("a.b", code=canary, kind=[canary], count={"x": canary})

        assert canary not in output.text
        assert output.last["code"] == ours.WITHHELD

    @pytest.mark.parametrize("canary", CANARIES)
    def test_withholds_an_event_that_is_no_name(self, output: Output, canary: str) -> None:
        ours.get_logger("core.x").info(f"created {canary}")

        assert canary not in output.text


class TestErrors:
    @pytest.mark.parametrize("canary", CANARIES)
    def test_show_class_and_lines_without_texts_and_values(
        self, output: Output, canary: str
    ) -> None:
        try:
            fail(canary)
        except ValueError:
            ours.get_logger("core.x").exception("a.failed")

        assert canary not in output.text
        assert output.last["error_class"] == "ValueError"
        assert any("test_logging.py:" in frame for frame in output.last["frames"])

    @pytest.mark.parametrize("canary", CANARIES)
    def test_of_other_libraries_are_treated_alike(self, output: Output, canary: str) -> None:
        try:
            fail(canary)
        except ValueError as error:
            logging.getLogger("django.request").exception("Failed: %s", error)  # noqa: TRY401

        assert canary not in output.text
        assert output.last["event"] == "Failed: %s"
        assert output.last["error_class"] == "ValueError"


class TestOtherLibraries:
    @pytest.mark.parametrize("canary", CANARIES)
    @pytest.mark.parametrize("name", ["django.request", "gunicorn.error", "celery.app.trace", "x"])
    def test_show_their_template_only(self, output: Output, name: str, canary: str) -> None:
        logging.getLogger(name).warning("Not found: %s", canary)

        assert canary not in output.text
        assert output.last["event"] == "Not found: %s"

    @pytest.mark.parametrize("canary", CANARIES)
    def test_have_ready_made_texts_withheld(self, output: Output, canary: str) -> None:
        logging.getLogger("x").warning(f"Not found: {canary}")  # noqa: G004 - what others do

        assert canary not in output.text
        assert output.last["event"].startswith(ours.WITHHELD)

    def test_write_no_access_lines(self, output: Output) -> None:
        logging.getLogger("gunicorn.access").info("GET /subjects/x")

        assert output.text == ""
