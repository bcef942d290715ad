"""Whether the log in a database is the one whose last head was kept."""

import pytest

from contracts.domain.history import WORDS, History, Known, Stand, judge
from contracts.domain.tree import EMPTY_ROOT

A, B, C = (bytes([byte]) * 32 for byte in b"ABC")
ROOTS = {0: EMPTY_ROOT, 64: A, 128: B}


class TestJudge:
    @pytest.mark.parametrize(
        ("kept", "known", "history"),
        [
            (None, Known(0, 0, {0: EMPTY_ROOT}), History.IN_STEP),
            (None, Known(0, 64, ROOTS), History.HEAD_ABSENT),
            (Stand(0, 128, B), Known(0, 128, ROOTS), History.IN_STEP),
            (Stand(0, 128, B), Known(0, 64, ROOTS), History.IN_STEP),
            (Stand(0, 64, A), Known(0, 64, ROOTS), History.IN_STEP),
            (Stand(0, 64, A), Known(0, 128, ROOTS), History.HEAD_BEHIND),
            (Stand(0, 128, C), Known(0, 128, ROOTS), History.FORKED),
            (Stand(0, 96, C), Known(0, 64, ROOTS), History.FORKED),
            (Stand(0, 192, C), Known(0, 128, ROOTS), History.DATABASE_BEHIND),
            (Stand(1, 128, B), Known(0, 128, ROOTS), History.DATABASE_BEHIND),
        ],
    )
    def test_tells_which_of_the_two_was_put_back(
        self, kept: Stand | None, known: Known, history: History
    ) -> None:
        assert judge(kept, known) is history

    def test_lets_a_founding_that_broke_off_go_on(self) -> None:
        lost = Stand(0, 192, C)
        known = Known(1, 128, ROOTS, follows=lost, founded_at=128)

        assert judge(lost, known) is History.IN_STEP
        assert judge(Stand(0, 256, C), known) is History.DATABASE_BEHIND

    def test_does_not_go_back_to_what_a_generation_follows_once_it_is_published(self) -> None:
        lost = Stand(0, 64, A)
        known = Known(1, 128, ROOTS, follows=lost, founded_at=64)

        assert judge(lost, known) is History.HEAD_BEHIND

    def test_knows_words_for_each(self) -> None:
        assert set(WORDS) == set(History)
