from hashlib import sha256
from itertools import product

from contracts.domain.anchors import (
    BROKEN,
    UNMINED,
    UNSETTLED,
    State,
    block_digest,
    chain_stream,
    log_stream,
    may_follow,
)


class TestMayFollow:
    def test_lets_what_is_final_go_nowhere_but_into_quarantine(self) -> None:
        assert [one for one in State if may_follow(State.FINAL, one)] == [State.QUARANTINED]

    def test_lets_nothing_be_final_that_is_in_no_block(self) -> None:
        before = {one for one in State if may_follow(one, State.FINAL)}

        assert before == UNSETTLED

    def test_lets_nothing_leave_a_failure(self) -> None:
        assert not any(may_follow(State.FAILED, one) for one in State)

    def test_leads_from_everywhere_else_to_a_final_block(self) -> None:
        reached = {State.FINAL}
        for _ in State:
            reached |= {
                one for one, two in product(State, State) if may_follow(one, two) and two in reached
            }

        assert reached == set(State) - {State.FAILED}

    def test_sorts_every_state_but_final_into_one_kind(self) -> None:
        assert {*UNMINED, *UNSETTLED, *BROKEN, State.FINAL} == set(State)
        assert not UNMINED & UNSETTLED


class TestStreams:
    """What docs/anchoring.md says, computed by hand."""

    def test_are_digests_of_what_they_are_about(self) -> None:
        assert log_stream("a.example/log") == (
            sha256(b"lethe:anchor:log:v1\na.example/log").digest()
        )
        genesis = b"\x07" * 32
        assert chain_stream(5, genesis) == (
            sha256(b"lethe:anchor:chain:v1\n5\n" + genesis).digest()
        )
        assert block_digest(5, 9, genesis) == (
            sha256(b"lethe:anchor:chain:v1\n5\n9\n" + genesis).digest()
        )
