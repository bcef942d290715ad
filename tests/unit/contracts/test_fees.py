"""Offers of anchor transactions: enough to be taken, never more than allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.domain.fees import FeePolicy, Offer, first_offer, raised_offer

GWEI = 10**9
POLICY = FeePolicy(max_fee_cap=100 * GWEI, tip_cap=3 * GWEI, tip_floor=GWEI)
GAS = 60_000


class TestFeePolicy:
    @pytest.mark.parametrize(("floor", "tip", "fee"), [(2, 1, 3), (1, 4, 3), (-1, 1, 1)])
    def test_refuses_bounds_that_contradict_each_other(
        self, floor: int, tip: int, fee: int
    ) -> None:
        with pytest.raises(ValueError, match="order"):
            FeePolicy(max_fee_cap=fee, tip_cap=tip, tip_floor=floor)


class TestFirstOffer:
    def test_covers_a_base_fee_that_doubles_and_the_usual_tip(self) -> None:
        found = first_offer(POLICY, gas_limit=GAS, base_fee=20 * GWEI, tips=[GWEI, 2 * GWEI, GWEI])

        assert found == Offer(max_fee=41 * GWEI, tip=GWEI)

    def test_keeps_the_tip_between_its_bounds(self) -> None:
        low = first_offer(POLICY, gas_limit=GAS, base_fee=GWEI, tips=[0])
        high = first_offer(POLICY, gas_limit=GAS, base_fee=GWEI, tips=[50 * GWEI])

        assert low is not None
        assert high is not None
        assert (low.tip, high.tip) == (GWEI, 3 * GWEI)

    def test_leaves_headroom_out_at_the_cap_but_not_the_fee_of_today(self) -> None:
        near = first_offer(POLICY, gas_limit=GAS, base_fee=98 * GWEI, tips=[])
        over = first_offer(POLICY, gas_limit=GAS, base_fee=100 * GWEI, tips=[])

        assert (near, over) == (Offer(100 * GWEI, GWEI), None)

    def test_is_one_price_where_blocks_have_no_base_fee(self) -> None:
        free = FeePolicy(max_fee_cap=0, tip_cap=0)

        assert first_offer(free, gas_limit=GAS, base_fee=None, tips=[]) == Offer(0, 0, True)

    def test_keeps_the_budget_of_the_whole_transaction(self) -> None:
        policy = FeePolicy(100 * GWEI, 3 * GWEI, budget=30 * GWEI * GAS)

        assert first_offer(policy, gas_limit=GAS, base_fee=20 * GWEI, tips=[]) == Offer(
            30 * GWEI, 0
        )
        assert first_offer(policy, gas_limit=2 * GAS, base_fee=20 * GWEI, tips=[]) is None


class TestRaisedOffer:
    def test_takes_the_fresh_offer_when_that_is_higher(self) -> None:
        found = raised_offer(
            POLICY, Offer(10 * GWEI, GWEI), gas_limit=GAS, fresh=Offer(50 * GWEI, 2 * GWEI)
        )

        assert found == Offer(50 * GWEI, 2 * GWEI)

    def test_rises_from_nothing(self) -> None:
        policy = FeePolicy(max_fee_cap=5, tip_cap=5)

        assert raised_offer(policy, Offer(0, 0), gas_limit=GAS, fresh=None) == Offer(1, 1)

    @given(
        amounts=st.tuples(*[st.integers(0, 200 * GWEI)] * 4),
        is_legacy=st.booleans(),
        budget=st.none() | st.integers(1, 10**16),
    )
    def test_raises_both_fields_by_an_eighth_or_is_not_made(
        self, *, amounts: tuple[int, int, int, int], is_legacy: bool, budget: int | None
    ) -> None:
        fee, tip, new_fee, new_tip = amounts
        policy = FeePolicy(100 * GWEI, 3 * GWEI, budget=budget)
        last = Offer(max(fee, tip), tip, is_legacy)
        fresh = Offer(max(new_fee, new_tip), new_tip, is_legacy)

        found = raised_offer(policy, last, gas_limit=GAS, fresh=fresh)

        if found is None:
            return
        assert found.max_fee * 8 >= last.max_fee * 9
        assert found.tip * 8 >= last.tip * 9
        assert (found.max_fee, found.tip) > (last.max_fee, last.tip)
        assert found.tip <= found.max_fee <= policy.max_fee_cap
        assert found.tip <= policy.tip_cap
        assert budget is None or found.max_fee * GAS <= budget
        assert not is_legacy or found.max_fee == found.tip

    def test_ends_at_the_cap(self) -> None:
        offer: Offer | None = Offer(GWEI, GWEI)
        offers = []
        while offer is not None:
            offers.append(offer)
            offer = raised_offer(POLICY, offer, gas_limit=GAS, fresh=None)

        assert len(offers) == 10  # an eighth each time, up to a tip of 3 gwei
        assert offers[-1].tip * 9 > POLICY.tip_cap * 8
