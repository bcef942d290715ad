"""How anchoring stands on each chain: heads, lag, balance, what is stuck or halted."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from contracts.adapters import chains
from contracts.domain.chain_rules import ChainRules
from contracts.errors import NotDeployed
from contracts.ports import AnchorChain
from contracts.services import anchoring, chain_states, choosing
from contracts.services.chain_states import ChainState
from core import clock, runtime
from core.errors import ServiceError


class Command(BaseCommand):
    help = "Show how anchoring stands. Exit status 1 when something is halted or stuck."

    def handle(self, **_: Any) -> None:
        """Asks the nodes; what does not answer is said so."""
        try:
            rules = chains.rules()
            found: dict[str, AnchorChain] = runtime.port("chains")
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        if not rules:
            self.stdout.write("No chains: LETHE_CHAINS is not set.")
        bad = [self._show(one, found[name]) for name, one in rules.items()]
        if any(bad):
            raise CommandError("Something waits for an operator; see above.")

    def _show(self, rules: ChainRules, chain: AnchorChain) -> bool:
        state = chain_states.state_of(rules.name, now=clock.now())
        self.stdout.write(f"{rules.name} (chain {rules.chain_id})")
        try:
            self._ask(rules, chain)
        except ServiceError as error:
            self.stdout.write(f"  nodes      {error.detail} ({error.code})")
        self._tell(state)
        return state.halted is not None or state.stuck_for is not None

    def _ask(self, rules: ChainRules, chain: AnchorChain) -> None:
        tip = chain.tip()
        final = choosing.final_number(chain, tip)
        self.stdout.write(f"  nodes      head {tip.head}, final {final}")
        holder = chains.holder(rules)
        self.stdout.write(f"  sender     {holder}, {chain.balance(holder) / 10**18:.6f} coins")
        try:
            contract = anchoring.contract_of(rules.name)
        except NotDeployed:
            self.stdout.write("  contract   none: run chain_deploy")
            return
        anchoring.require_same_chain(chain, contract)
        self.stdout.write(f"  contract   {contract.address}")
        book = anchoring.book_of(rules.name)
        if book is not None:
            self.stdout.write(f"  book       {book.address}")

    def _tell(self, state: ChainState) -> None:
        behind = f"{state.unanchored_seconds:.0f} s" if state.unanchored_seconds else "nothing"
        self.stdout.write(
            f"  log        {state.final_size} of {state.published_size} entries final;"
            f" oldest head that waits: {behind}"
        )
        waiting = ", ".join(f"{count} {name}" for name, count in sorted(state.waiting.items()))
        self.stdout.write(f"  anchors    {waiting or 'none under way'}")
        if state.stuck_for is not None:
            self.stdout.write(f"  STUCK      {state.stuck_for}: docs/runbooks/chain-stuck.md")
        if state.halted is not None:
            self.stdout.write(f"  HALTED     {state.halted}: docs/runbooks/chain-halted.md")
