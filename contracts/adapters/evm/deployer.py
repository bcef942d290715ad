"""Deploying a contract with the cold key, once: it is made, the sender gets its one role."""

from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from eth_account import Account
from web3 import Web3
from web3.exceptions import TimeExhausted
from web3.types import TxReceipt

from contracts.adapters.evm.chain import guarded, node_at
from contracts.adapters.evm.interface import address_of, artifact
from contracts.domain.chain_rules import ChainRules
from contracts.errors import ChainUnavailable
from contracts.ports import Deployment

_PATIENCE: Final = 600
_ADMIN: Final = bytes(32)
_ROLES: Final = {"AnchorLog": "ANCHORER", "RevocationBook": "PUBLISHER"}


class Deployer:
    """A cold key in memory for as long as the command runs."""

    def __init__(self, rules: ChainRules, keystore: Path, password: str) -> None:
        """Raises ValueError for a wrong password or a file that is no keystore, OSError."""
        self._rules = rules
        self._node = node_at(rules.rpc[0], rules.timeout)
        self._account = Account.from_key(Account.decrypt(keystore.read_text(), password))
        self.address = str(self._account.address)

    def deploy(self, name: str, *, holder: str, admin: str | None = None) -> Deployment:
        """Deploy, give `holder` the contract's role, and hand its admin role to `admin`.

        Without `admin` the cold key stays it. Raises ChainUnavailable, ChainContradicts. What broke
        off is a contract that nobody uses: deploy again.
        """
        return guarded(lambda: self._deploy(name, holder, admin or self.address))

    def _deploy(self, name: str, holder: str, admin: str) -> Deployment:
        made, eth = artifact(name), self._node.eth
        if eth.chain_id != self._rules.chain_id:
            message = f"The node is on chain {eth.chain_id}, not on {self._rules.chain_id}."
            raise ChainUnavailable(message)
        factory = eth.contract(abi=made["abi"], bytecode=made["bytecode"])
        receipt = self._mined(factory.constructor(self._account.address))
        address = receipt["contractAddress"]
        if address is None:
            raise ChainUnavailable("The chain refused the contract.")
        contract = eth.contract(address=address, abi=made["abi"]).functions
        self._mined(contract.grantRole(Web3.keccak(text=_ROLES[name]), address_of(holder)))
        if address_of(admin) != self._account.address:
            self._mined(contract.grantRole(_ADMIN, address_of(admin)))
            self._mined(contract.renounceRole(_ADMIN, self._account.address))
        return Deployment(
            name,
            int(eth.chain_id),
            bytes(eth.get_block(0)["hash"]),
            str(address),
            int(receipt["blockNumber"]),
            bytes(receipt["blockHash"]),
            str(made["source"][f"{name}.sol"]),
            sha256(bytes(eth.get_code(address))).digest(),
        )

    def _mined(self, call: Any) -> TxReceipt:
        """Sent at the chain's price, and waited for."""
        eth = self._node.eth
        transaction = call.build_transaction(
            {
                "from": self._account.address,
                "nonce": eth.get_transaction_count(self._account.address),
                "chainId": self._rules.chain_id,
                **self._price(),
            }
        )
        signed = self._account.sign_transaction(transaction)
        try:
            sent = eth.send_raw_transaction(signed.raw_transaction)
            receipt = eth.wait_for_transaction_receipt(sent, timeout=_PATIENCE)
        except TimeExhausted:
            raise ChainUnavailable("The transaction was not mined in ten minutes.") from None
        if receipt["status"] != 1:
            raise ChainUnavailable("The chain refused a transaction of the deployment.")
        return receipt

    def _price(self) -> dict[str, int]:
        eth, fees = self._node.eth, self._rules.fees
        base = eth.get_block("latest").get("baseFeePerGas")
        if base is None:
            return {"gasPrice": min(int(eth.gas_price), fees.max_fee_cap)}
        tip = min(max(int(eth.max_priority_fee), fees.tip_floor), fees.tip_cap)
        return {
            "maxFeePerGas": min(2 * int(base) + tip, fees.max_fee_cap),
            "maxPriorityFeePerGas": tip,
        }
