"""A keeper of the log's head in memory, with the real ones' rule."""

from core.ports import LogHead
from vault.errors import CustodianUnavailable


class FakeHeadKeeper:
    """`is_down` refuses; `loses_answers` does what it is told and says that it does not know."""

    def __init__(self) -> None:
        self.head: LogHead | None = None
        self.is_down = self.loses_answers = False

    def read_head(self) -> LogHead | None:
        if self.is_down:
            raise CustodianUnavailable
        return self.head

    def replace_head(self, head: LogHead, *, known: LogHead | None) -> bool:
        if self.is_down:
            raise CustodianUnavailable
        if self.head != known:
            return False
        self.head = head
        if self.loses_answers:
            raise CustodianUnavailable
        return True
