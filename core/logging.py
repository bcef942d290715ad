"""Logs as JSON lines with an allow-list of keys; what is not on it never leaves the process.

Texts of exceptions and values in frames are never written, since they may repeat input: an
error shows as its class, its code and the lines it passed. Records of other libraries show
their template, not its arguments.
"""

import logging
import logging.config
import os
import re
import socket
import sys
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any
from uuid import UUID

import structlog

#: The only keys that are written.
ALLOWED = frozenset(
    {
        "event", "level", "timestamp", "logger", "request_id", "actor_id", "controller_id",
        "effect_id", "kind", "code", "status", "method", "route", "duration_ms", "count", "queue",
        "attempt", "erasure_id", "lease_id", "node", "process", "error_class", "frames", "reason",
        "chain",
    }
)  # fmt: skip
WITHHELD = "(withheld)"
_OUR_EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_-]+)+")
_VALUE = re.compile(r"[\w.:/<>{}()?^$\\\[\]*+|-]{0,160}", re.ASCII)
_FRAMES = 12
_Exception = tuple[type[BaseException], BaseException, TracebackType | None]
Event = MutableMapping[str, Any]


def get_logger(name: str) -> Any:
    """A logger whose events are dotted names (`effect.settled`) with keys of the allow-list."""
    return structlog.stdlib.get_logger(name)


def configure(config: Mapping[str, str]) -> None:
    """Send every logger of the process through the allow-list; Django's LOGGING_CONFIG.

    `config` has `level` and `format` (`json`, or `console` for people).
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
    ]
    shared += [structlog.stdlib.add_log_level, _timestamp]
    last = structlog.dev.ConsoleRenderer() if config["format"] == "console" else _json()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_template_only, *shared],
            processors=[allow, last],
            use_get_message=False,
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(config["level"])
    for name in ("django", "django.server", "gunicorn.error", "gunicorn.access", "celery"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # Access lines carry raw paths; the request middleware writes its own.
    logging.getLogger("gunicorn.access").disabled = True
    logging.getLogger("django.server").disabled = True


def allow(_logger: Any, _method: str, event: Event) -> Event:
    """The last processor before rendering: keep what is listed and looks like what it should."""
    error = _exception_of(event.get("exc_info"))
    kept: Event = {key: _safe(value) for key, value in event.items() if key in ALLOWED}
    if event.get("_from_structlog", True):
        text = str(event.get("event", ""))
        kept["event"] = text if _OUR_EVENT.fullmatch(text) else WITHHELD
    else:
        kept["event"] = event["event"]  # a template, see _template_only
    kept["process"] = _PROCESS
    if error is not None:
        kept["error_class"] = error[0].__name__
        code = getattr(error[0], "code", None)
        if isinstance(code, str):
            kept["code"] = _safe(code)
        kept["frames"] = frames(error[2])
    return kept


def frames(trace: TracebackType | None) -> list[str]:
    """`file:line` of the innermost frames of `trace`, without code or values."""
    places = [
        f"{os.path.relpath(frame.f_code.co_filename)}:{line}"
        for frame, line in traceback.walk_tb(trace)
    ]
    return places[-_FRAMES:]


def _template_only(_logger: Any, _method: str, event: Event) -> Event:
    """Replace a foreign record's text by its template; a text that is ready made is withheld."""
    record: logging.LogRecord = event["_record"]
    is_template = bool(event.pop("positional_args", None)) and isinstance(record.msg, str)
    event["event"] = record.msg if is_template else f"{WITHHELD} {_place(record)}"
    return event


def _place(record: logging.LogRecord) -> str:
    return f"{record.module}:{record.lineno}"


def _exception_of(given: Any) -> _Exception | None:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    if given is True:
        given = sys.exc_info()
    if isinstance(given, tuple) and given[0] is not None and given[1] is not None:
        return given[0], given[1], given[2]
    return None


def _safe(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value) if isinstance(value, str | UUID) else WITHHELD
    return text if _VALUE.fullmatch(text) else WITHHELD


def _timestamp(logger: Any, method: str, event: Event) -> Event:
    stamped: Event = structlog.processors.TimeStamper(fmt="iso", utc=True)(logger, method, event)
    return stamped


def _json() -> Callable[[Any, str, Event], str | bytes]:
    return structlog.processors.JSONRenderer(sort_keys=True)


_PROCESS = f"{os.environ.get('LETHE_PROCESS', 'command')}@{socket.gethostname()}:{os.getpid()}"
