"""When an anchor is final, and when something is wrong."""

import pytest

from contracts.domain.finality import Finality, Rule, Tip, Verdict, judge

HERE, OTHER = b"\x01" * 32, b"\x02" * 32
TAG, INSTANT = Finality(Rule.TAG), Finality(Rule.INSTANT)
DEEP = Finality(Rule.DEPTH, depth=6)
TIP = Tip(head=100, safe=90, finalized=80)


class TestFinality:
    @pytest.mark.parametrize(("rule", "depth"), [(Rule.TAG, 3), (Rule.DEPTH, 0), (Rule.DEPTH, -1)])
    def test_refuses_a_depth_that_its_rule_does_not_have(self, rule: Rule, depth: int) -> None:
        with pytest.raises(ValueError, match="depth"):
            Finality(rule, depth)


class TestJudge:
    @pytest.mark.parametrize(
        ("finality", "number", "expected"),
        [
            (TAG, 100, Verdict.MINED),
            (TAG, 91, Verdict.MINED),
            (TAG, 90, Verdict.SAFE),
            (TAG, 81, Verdict.SAFE),
            (TAG, 80, Verdict.FINAL),
            (DEEP, 95, Verdict.MINED),
            (DEEP, 94, Verdict.FINAL),
            (INSTANT, 100, Verdict.FINAL),
            (INSTANT, 101, Verdict.UNSEEN),
        ],
    )
    def test_follows_the_rule_of_the_chain(
        self, finality: Finality, number: int, expected: Verdict
    ) -> None:
        found = judge(
            finality, number=number, mined_in=HERE, now_there=HERE, tip=TIP, was_final=False
        )

        assert found is expected

    @pytest.mark.parametrize("finality", [TAG, DEEP, INSTANT])
    @pytest.mark.parametrize("now_there", [OTHER, None])
    def test_tells_a_block_that_is_gone_from_one_that_never_may_be(
        self, finality: Finality, now_there: bytes | None
    ) -> None:
        found = [
            judge(finality, number=50, mined_in=HERE, now_there=now_there, tip=TIP, was_final=was)
            for was in (False, True)
        ]

        assert found == [Verdict.GONE, Verdict.CHANGED]

    def test_keeps_what_was_final_though_the_tag_falls_back(self) -> None:
        behind = Tip(head=100, safe=10, finalized=10)

        found = judge(TAG, number=50, mined_in=HERE, now_there=HERE, tip=behind, was_final=True)

        assert found is Verdict.FINAL

    @pytest.mark.parametrize("was_final", [False, True])
    def test_does_not_take_a_node_that_lags_for_a_chain_that_changed(
        self, *, was_final: bool
    ) -> None:
        behind = Tip(head=40, safe=30, finalized=20)

        found = judge(
            TAG, number=50, mined_in=HERE, now_there=None, tip=behind, was_final=was_final
        )

        assert found is Verdict.UNSEEN
