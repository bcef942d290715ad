from governance.domain.requests import CLOSED, REQUEST_MOVES, RequestState
from governance.models import SubjectRequest


class TestRequestMoves:
    def test_cover_exactly_the_states_of_the_model(self) -> None:
        assert {state.value for state in REQUEST_MOVES} == set(SubjectRequest.State.values)

    def test_end_in_the_closed_states(self) -> None:
        assert {state for state, moves in REQUEST_MOVES.items() if not moves} == CLOSED
        assert {state.value for state in SubjectRequest.CLOSED} == {s.value for s in CLOSED}

    def test_never_reach_a_refusal_while_no_letter_can_be_sent(self) -> None:
        assert not any(RequestState.REFUSED in moves for moves in REQUEST_MOVES.values())

    def test_give_no_way_back_once_the_keys_are_gone(self) -> None:
        assert REQUEST_MOVES[RequestState.DESTROYED_LIVE] == {RequestState.CERTIFIED}
