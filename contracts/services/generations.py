"""Generations of the log: after a restore that lost entries, a log of another name goes on."""

from dataclasses import dataclass

from django.conf import settings

from contracts.models import LogFounding


@dataclass(frozen=True, slots=True)
class Generation:
    """`origin` names the log; `founding` is None for the first generation, number 0."""

    number: int
    origin: str
    founding: LogFounding | None = None


def first() -> Generation:
    """The one that an installation begins with."""
    return Generation(0, settings.LETHE_LOG_ORIGIN)


def current() -> Generation:
    """The one that is published now."""
    row = LogFounding.objects.order_by("-number").first()
    return first() if row is None else Generation(row.number, row.origin, row)


def find(number: int) -> Generation | None:
    """The generation of this number; None where there is none."""
    if number == 0:
        return first()
    row = LogFounding.objects.filter(number=number).first()
    return None if row is None else Generation(row.number, row.origin, row)


def origin_of(number: int) -> str:
    """The name that a generation is founded under."""
    return f"{settings.LETHE_LOG_ORIGIN}/{number}"
