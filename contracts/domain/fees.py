"""What an anchor transaction offers to pay, and how the offer is raised. All amounts are in wei.

A transaction that is not mined is offered again under its own nonce, at a higher price. Nodes
refuse a replacement that does not raise both fields (geth and evmd by 10 %, some by 12.5 %), so
each offer is at least an eighth above the last. EIP-1559; chains without a base fee take the one
price of old.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

#: Least raise of both fields of a replacement, as a fraction: one eighth, 12.5 %.
_RAISE = (9, 8)
#: The offer covers a base fee that doubles, which takes six full blocks at the least.
_HEADROOM = 2


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """The most that one gas may cost, the most and least tip in it, and the most a transaction may.

    `budget` bounds gas limit times `max_fee`; None for a chain whose coin has no value.
    """

    max_fee_cap: int
    tip_cap: int
    tip_floor: int = 0
    budget: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.tip_floor <= self.tip_cap <= self.max_fee_cap:
            raise ValueError("tip floor, tip cap and fee cap must not fall in that order")

    def cap(self, gas_limit: int) -> int:
        """The most that one gas of a transaction with this limit may cost."""
        if self.budget is None:
            return self.max_fee_cap
        return min(self.max_fee_cap, self.budget // gas_limit)


@dataclass(frozen=True, slots=True)
class Offer:
    """What one attempt pays: per gas at most `max_fee`, of which `tip` at most to the proposer.

    `is_legacy` for a chain without a base fee: then both are its one gas price.
    """

    max_fee: int
    tip: int
    is_legacy: bool = False


def first_offer(
    policy: FeePolicy, *, gas_limit: int, base_fee: int | None, tips: Sequence[int]
) -> Offer | None:
    """What to offer now; None when the chain asks for more than the policy allows.

    `base_fee` is the newest block's, None where blocks have none; `tips` are the median tips of
    the last blocks, of which the median is taken.
    """
    cap = policy.cap(gas_limit)
    tip = min(max(median_low(tips) if tips else 0, policy.tip_floor), policy.tip_cap)
    if base_fee is None:
        return Offer(tip, tip, is_legacy=True) if tip <= cap else None
    if base_fee + tip > cap:
        return None
    return Offer(min(_HEADROOM * base_fee + tip, cap), tip)


def raised_offer(
    policy: FeePolicy, last: Offer, *, gas_limit: int, fresh: Offer | None
) -> Offer | None:
    """What replaces `last`; None when that would cost more than allowed: wait, and say so.

    `fresh` is what would be offered for a new transaction now.
    """
    least_fee, least_tip = _raise(last.max_fee), _raise(last.tip)
    now = fresh if fresh is not None and fresh.is_legacy == last.is_legacy else last
    max_fee = min(max(least_fee, now.max_fee), policy.cap(gas_limit))
    tip = min(max(least_tip, now.tip), policy.tip_cap)
    if last.is_legacy:
        max_fee = tip = min(max_fee, tip)
    if max_fee < least_fee or not least_tip <= tip <= max_fee:
        return None
    return Offer(max_fee, tip, last.is_legacy)


def _raise(amount: int) -> int:
    above, below = _RAISE
    return max(-(-amount * above // below), amount + 1)
