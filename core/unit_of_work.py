"""The three transaction markers. Nothing else in the product opens a transaction.

`unit_of_work` is outermost and durable; `requires_unit_of_work` marks what writes inside one;
`no_open_transaction` marks what leaves the process and so must not hold locks meanwhile. The
transaction that a test case wraps around a test counts as none.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, transaction

P = ParamSpec("P")
R = TypeVar("R")


class TransactionMisuse(RuntimeError):
    """A marker was broken: the code is wrong, the input is not."""


@contextmanager
def unit_of_work() -> Iterator[None]:
    """One durable transaction on the default alias.

    Raises TransactionMisuse inside another one, since a commit that an outer transaction can
    undo would not be a commit.
    """
    if is_open():
        message = "A unit of work is outermost; another transaction is open."
        raise TransactionMisuse(message)
    with transaction.atomic(durable=True):
        yield


def requires_unit_of_work(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse calls outside a unit of work."""

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if not is_open():
            message = f"{function.__qualname__} needs a unit of work."
            raise TransactionMisuse(message)
        return function(*args, **kwargs)

    return checked


def no_open_transaction(function: Callable[P, R]) -> Callable[P, R]:
    """Refuse calls while a transaction is open on the default alias."""

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        assert_none_open(function.__qualname__)
        return function(*args, **kwargs)

    return checked


def assert_none_open(what: str) -> None:
    """Raise TransactionMisuse when a transaction is open; `what` names the caller."""
    if is_open():
        message = f"{what} leaves the process and must not hold a transaction open."
        raise TransactionMisuse(message)


@requires_unit_of_work
def lock_timeout(seconds: float) -> None:
    """Wait at most `seconds` for each lock in the rest of this unit of work.

    Afterwards a lock that is not given raises django.db.OperationalError.
    """
    with transaction.get_connection().cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true)", [f"{max(1, round(seconds * 1000))}ms"]
        )


def forget_broken_connection() -> None:
    """Close the connection where an error has shown it to be dead; the next use opens another.

    Django does so between requests. Whoever goes on after an error of the database does it here;
    inside a transaction nothing happens.
    """
    connection = transaction.get_connection(DEFAULT_DB_ALIAS)
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def is_open() -> bool:
    """True when a transaction other than the test case's own is open on the default alias."""
    connection = transaction.get_connection(DEFAULT_DB_ALIAS)
    if not connection.in_atomic_block:
        return not connection.get_autocommit() if connection.connection else False
    # `atomic_blocks` and `_from_testcase` are what Django's own durable check goes by.
    return not all(block._from_testcase for block in connection.atomic_blocks)  # noqa: SLF001
