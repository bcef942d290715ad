"""Binds the ports of lower rooms to what upper rooms implement, by dotted path in settings."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

_made: dict[str, Any] = {}
_lock = threading.RLock()


def port(name: str) -> Any:
    """The implementation bound to `name`, made once per process.

    Raises ImproperlyConfigured for a name that LETHE_PORTS does not bind.
    """
    with _lock:
        if name not in _made:
            _made[name] = _make(name)
        return _made[name]


def participants() -> list[Any]:
    """The upper rooms that take part in an erasure, in the order of the settings."""
    return list(port("participants"))


@contextmanager
def override(**ports: Any) -> Iterator[None]:
    """Bind `ports` for the length of the block, in every thread of this process."""
    with _lock:
        before = dict(_made)
        _made.update(ports)
    try:
        yield
    finally:
        with _lock:
            _made.clear()
            _made.update(before)


def _make(name: str) -> Any:
    try:
        bound = settings.LETHE_PORTS[name]
    except KeyError as error:
        message = f"LETHE_PORTS does not bind the port {name}."
        raise ImproperlyConfigured(message) from error
    if isinstance(bound, str):
        return import_string(bound)()
    return [import_string(path)() for path in bound]
