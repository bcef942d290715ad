from itertools import product

import pytest

from governance.domain.mass import CLOSED, MASS_MOVES, MassState, may_move

LEGAL = {
    ("drafted", "approved"),
    ("drafted", "withdrawn"),
    ("approved", "running"),
    ("approved", "withdrawn"),
    ("running", "done"),
}


class TestMayMove:
    @pytest.mark.parametrize(("old", "new"), list(product(MassState, MassState)))
    def test_allows_these_moves_and_no_others(self, old: MassState, new: MassState) -> None:
        assert may_move(old, new) == ((old.value, new.value) in LEGAL)

    def test_ends_in_closed_states(self) -> None:
        assert {state for state, onward in MASS_MOVES.items() if not onward} == CLOSED
