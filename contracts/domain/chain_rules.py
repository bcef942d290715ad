"""A chain's configuration block: which nodes are asked, what is final, and what may be paid."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from contracts.domain.fees import FeePolicy
from contracts.domain.finality import Finality, Rule

_GWEI: Final = 10**9
_KEYS: Final = frozenset(
    {
        "rpc", "chain-id", "finality", "depth", "every", "poll", "patience", "gas-limit",
        "max-fee-gwei", "max-tip-gwei", "min-tip-gwei", "budget-gwei", "keystore",
        "password-file", "agree", "heads-of", "heads-every", "timeout",
    }
)  # fmt: skip


class WrongRules(ValueError):
    """The configuration of a chain cannot be used; the text names the entry and the remedy."""


@dataclass(frozen=True, slots=True)
class ChainRules:
    """How one chain is anchored to. Times are between two acts, each jittered by half.

    `rpc`: the nodes; the first that answers is used, and `agree` of them must show the same block
    before an anchor counts as final. `patience`: blocks until a higher price is offered.
    `heads_of`: chains whose final heads are anchored here, too.
    """

    name: str
    rpc: tuple[str, ...]
    chain_id: int
    finality: Finality
    fees: FeePolicy
    gas_limit: int = 120_000
    every: timedelta = timedelta(hours=1)
    poll: timedelta = timedelta(seconds=15)
    patience: int = 6
    timeout: float = 10.0
    agree: int = 1
    heads_of: tuple[str, ...] = ()
    heads_every: timedelta = timedelta(hours=1)
    keystore: str = field(default="", repr=False)
    password_file: str = field(default="", repr=False)


def read_rules(document: Mapping[str, Any]) -> dict[str, ChainRules]:
    """The blocks `[chain.NAME]` of a TOML document. Raises WrongRules."""
    blocks = document.get("chain", {})
    if not isinstance(blocks, Mapping) or set(document) - {"chain"}:
        raise WrongRules("The file of chains has tables [chain.NAME] and nothing else.")
    found = {name: _rules(name, block) for name, block in blocks.items()}
    for rules in found.values():
        for other in rules.heads_of:
            if other not in found or other == rules.name:
                raise WrongRules(f"chain.{rules.name}: heads-of names another chain of this file.")
    return found


def _rules(name: str, block: Any) -> ChainRules:
    if not isinstance(block, Mapping):
        raise WrongRules(f"chain.{name} is a table.")
    unknown = sorted(set(block) - _KEYS)
    if unknown:
        raise WrongRules(f"chain.{name}: unknown entries {', '.join(unknown)}.")
    reader = _Reader(name, block)
    rpc = reader.words("rpc")
    if not rpc:
        raise WrongRules(f"chain.{name}: rpc lists the nodes' addresses.")
    if not 1 <= reader.whole("agree", 1) <= len(rpc):
        raise WrongRules(f"chain.{name}: agree is between 1 and the number of nodes in rpc.")
    return ChainRules(
        name=name,
        rpc=rpc,
        chain_id=reader.whole("chain-id"),
        finality=reader.finality(),
        fees=reader.fees(),
        gas_limit=reader.whole("gas-limit", 120_000),
        every=timedelta(seconds=reader.number("every", 3600)),
        poll=timedelta(seconds=reader.number("poll", 15)),
        patience=reader.whole("patience", 6),
        timeout=reader.number("timeout", 10),
        agree=reader.whole("agree", 1),
        heads_of=reader.words("heads-of"),
        heads_every=timedelta(seconds=reader.number("heads-every", 3600)),
        keystore=reader.text("keystore"),
        password_file=reader.text("password-file"),
    )


class _Reader:
    """Entries of one block, each checked for its kind."""

    def __init__(self, name: str, block: Mapping[str, Any]) -> None:
        self._name, self._block = name, block

    def whole(self, key: str, default: int | None = None) -> int:
        value: object = self._block.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise WrongRules(f"chain.{self._name}: {key} is a whole number, not below zero.")
        return value

    def number(self, key: str, default: float) -> float:
        value = self._block.get(key, default)
        if type(value) not in {int, float} or not 0 < value < 10**9:
            raise WrongRules(f"chain.{self._name}: {key} is a number of seconds above zero.")
        return float(value)

    def text(self, key: str) -> str:
        value = self._block.get(key, "")
        if not isinstance(value, str):
            raise WrongRules(f"chain.{self._name}: {key} is a text.")
        return value

    def words(self, key: str) -> tuple[str, ...]:
        value = self._block.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise WrongRules(f"chain.{self._name}: {key} is a list of texts.")
        return tuple(value)

    def wei(self, key: str, default: float) -> int:
        value: object = self._block.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 10**12:
            raise WrongRules(f"chain.{self._name}: {key} is an amount of gwei, not below zero.")
        return round(value * _GWEI)

    def finality(self) -> Finality:
        try:
            return Finality(Rule(self.text("finality")), self.whole("depth", 0))
        except ValueError:
            message = f"chain.{self._name}: finality is tag, instant, or depth with depth = blocks."
            raise WrongRules(message) from None

    def fees(self) -> FeePolicy:
        budget = self.wei("budget-gwei", 0) if "budget-gwei" in self._block else None
        try:
            return FeePolicy(
                max_fee_cap=self.wei("max-fee-gwei", 100),
                tip_cap=self.wei("max-tip-gwei", 3),
                tip_floor=self.wei("min-tip-gwei", 0),
                budget=budget,
            )
        except ValueError:
            message = f"chain.{self._name}: min-tip-gwei <= max-tip-gwei <= max-fee-gwei."
            raise WrongRules(message) from None
