from datetime import timedelta
from typing import Any

import pytest

from contracts.domain.chain_rules import WrongRules, read_rules
from contracts.domain.finality import Finality, Rule

BLOCK = {"rpc": ["http://localhost:8545"], "chain-id": 1, "finality": "tag"}


class TestReadRules:
    def test_fills_in_what_is_not_said(self) -> None:
        rules = read_rules({"chain": {"c1": BLOCK}})["c1"]

        assert (rules.name, rules.chain_id, rules.rpc) == ("c1", 1, ("http://localhost:8545",))
        assert rules.finality == Finality(Rule.TAG)
        assert (rules.every, rules.agree, rules.patience) == (timedelta(hours=1), 1, 6)
        assert (rules.fees.max_fee_cap, rules.fees.budget) == (100 * 10**9, None)

    def test_reads_amounts_in_gwei_and_times_in_seconds(self) -> None:
        block = BLOCK | {"max-fee-gwei": 60, "budget-gwei": 0.5, "every": 90, "depth": 64}
        rules = read_rules({"chain": {"c1": block | {"finality": "depth"}}})["c1"]

        assert (rules.fees.max_fee_cap, rules.fees.budget) == (60 * 10**9, 5 * 10**8)
        assert rules.every == timedelta(seconds=90)
        assert rules.finality == Finality(Rule.DEPTH, 64)

    def test_shows_neither_keystore_nor_password(self) -> None:
        block = BLOCK | {"keystore": "/secret/key", "password-file": "/secret/word"}

        assert "secret" not in repr(read_rules({"chain": {"c1": block}}))

    @pytest.mark.parametrize(
        ("changes", "entry"),
        [
            ({"rpc": []}, "rpc"), ({"rpc": "http://x"}, "rpc"), ({"rpc": [5]}, "rpc"),
            ({"chain-id": "1"}, "chain-id"), ({"chain-id": True}, "chain-id"),
            ({"chain-id": -1}, "chain-id"), ({"finality": "soon"}, "finality"),
            ({"finality": "depth"}, "finality"), ({"depth": 5}, "finality"),
            ({"agree": 2}, "agree"), ({"agree": 0}, "agree"), ({"every": 0}, "every"),
            ({"every": float("nan")}, "every"), ({"every": "often"}, "every"),
            ({"max-fee-gwei": -1}, "max-fee-gwei"), ({"max-tip-gwei": 200}, "max-tip-gwei"),
            ({"keystore": 5}, "keystore"), ({"gaslimit": 5}, "gaslimit"),
            ({"heads-of": ["c9"]}, "heads-of"), ({"heads-of": ["c1"]}, "heads-of"),
        ],
    )  # fmt: skip
    def test_names_what_is_wrong(self, changes: dict[str, Any], entry: str) -> None:
        with pytest.raises(WrongRules, match=entry):
            read_rules({"chain": {"c1": BLOCK | changes}})

    @pytest.mark.parametrize("document", [{"chains": {}}, {"chain": []}, {"chain": {"c1": 5}}])
    def test_refuses_another_shape(self, document: dict[str, Any]) -> None:
        with pytest.raises(WrongRules):
            read_rules(document)
