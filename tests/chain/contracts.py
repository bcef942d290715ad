"""Deploying the committed artifacts and sending to them, in short verbs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_typing import ChecksumAddress
from web3 import Web3
from web3.contract import Contract
from web3.exceptions import ContractCustomError
from web3.types import TxReceipt

from tests.servers.anvil import ROOT


@cache
def artifact(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (ROOT / "contracts" / "artifacts" / f"{name}.json").read_text()
    )
    return found


@dataclass(frozen=True)
class Deployed:
    """A contract, its admin, and somebody who holds its one role."""

    chain: Web3
    contract: Contract
    admin: ChecksumAddress
    holder: ChecksumAddress
    stranger: ChecksumAddress

    def send(
        self, function: str, *arguments: object, by: ChecksumAddress | None = None
    ) -> TxReceipt:
        """Mined. Raises ContractCustomError."""
        call = getattr(self.contract.functions, function)(*arguments)
        sent = call.transact({"from": by or self.holder})
        return self.chain.eth.wait_for_transaction_receipt(sent)

    def refusal(self, function: str, *arguments: object, by: ChecksumAddress | None = None) -> str:
        """The custom error's name and arguments as the contract encodes them."""
        try:
            self.send(function, *arguments, by=by)
        except ContractCustomError as error:
            return self.decoded(str(error.data))
        raise AssertionError(f"{function} was accepted")

    def decoded(self, data: str) -> str:
        for entry in self.contract.abi:
            if entry["type"] == "error":
                kinds = [item["type"] for item in entry.get("inputs", [])]
                selector = Web3.keccak(text=f"{entry['name']}({','.join(kinds)})")[:4].hex()
                if data.removeprefix("0x").startswith(selector):
                    values = self.chain.codec.decode(kinds, bytes.fromhex(data[10:]))
                    return f"{entry['name']}({', '.join(map(_shown, values))})"
        raise AssertionError(f"an error that the ABI does not have: {data}")

    def events(self, name: str, receipt: TxReceipt) -> Sequence[dict[str, Any]]:
        found = getattr(self.contract.events, name)().process_receipt(receipt)
        return [dict(event["args"]) for event in found]


def deploy(chain: Web3, name: str, role: str) -> Deployed:
    """By the admin, who gives the role to somebody else."""
    made = artifact(name)
    admin, holder, stranger = (chain.eth.accounts[number] for number in range(3))
    factory = chain.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    receipt = chain.eth.wait_for_transaction_receipt(
        factory.constructor(admin).transact({"from": admin})
    )
    address = receipt["contractAddress"]
    assert address is not None
    contract = chain.eth.contract(address=address, abi=made["abi"])
    deployed = Deployed(chain, contract, admin, holder, stranger)
    deployed.send("grantRole", Web3.keccak(text=role), holder, by=admin)
    return deployed


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
