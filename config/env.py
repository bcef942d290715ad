"""Typed readers of environment variables. A value that cannot be read is an error, never a default.

`NAME_FILE` names a file that holds the value (as Docker and systemd hand secrets over); a file
that cannot be read fails loudly.
"""

import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

#: libpq's: a database that does not answer is an outage after seconds, not after minutes. A dead
#: peer is noticed within half a minute. The URL's own query parameters go before these.
_NETWORK = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_TRUE, _FALSE = {"1", "true", "yes"}, {"0", "false", "no", ""}


def text(name: str, default: str | None = None) -> str:
    """The variable's value, or that of the file in `NAME_FILE`.

    Raises ImproperlyConfigured when it is missing and there is no default.
    """
    path = os.environ.get(f"{name}_FILE")
    if path:
        return Path(path).read_text(encoding="utf-8").strip()
    value = os.environ.get(name)
    if value is not None:
        return value
    if default is None:
        message = f"Set {name} (or {name}_FILE); see .env.example."
        raise ImproperlyConfigured(message)
    return default


def flag(name: str, *, default: bool = False) -> bool:
    """A boolean: 1/true/yes or 0/false/no/empty; anything else is an error."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    message = f"{name} must be 1 or 0."
    raise ImproperlyConfigured(message)


def number(name: str, default: float) -> float:
    """A decimal number."""
    value = os.environ.get(name)
    try:
        return default if value is None else float(value)
    except ValueError as error:
        message = f"{name} must be a number."
        raise ImproperlyConfigured(message) from error


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list; blanks are dropped."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def database(name: str, default: str | None = None) -> dict[str, object]:
    """Django's database settings from `postgresql://user:password@host:port/name?host=/socket`."""
    url = urlsplit(text(name, default))
    if url.scheme not in {"postgresql", "postgres"}:
        message = f"{name} must start with postgresql://; PostgreSQL is the one database."
        raise ImproperlyConfigured(message)
    query = dict(parse_qsl(url.query))
    host = query.pop("host", None) or unquote(url.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path.lstrip("/")),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": host,
        "PORT": str(url.port or ""),
        "OPTIONS": {**_NETWORK, **query},
        "CONN_MAX_AGE": None,
        "TEST": {},
    }
