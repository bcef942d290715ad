"""What a ready-made alternative costs, measured beside ours: the Ethereum Attestation Service.

Its contracts as they are published, version 1.9.0, with the compiler's output that the package has.
"""

import json
import os
from typing import Any

import pytest
from web3 import Web3
from web3.contract import Contract

from tests.chain.test_gas import ROW, TOLERANCE
from tests.servers.anvil import ROOT, toolchain

pytestmark = pytest.mark.chain
NOBODY, NOTHING = "0x" + "00" * 20, bytes(32)


def deployed(chain: Web3, name: str, *arguments: object) -> Contract:
    path = toolchain() / "eas" / "artifacts" / "contracts" / f"{name}.sol" / f"{name}.json"
    made: dict[str, Any] = json.loads(path.read_text())
    factory = chain.eth.contract(abi=made["abi"], bytecode=made["bytecode"])
    sent = factory.constructor(*arguments).transact({"from": chain.eth.accounts[0]})
    address = chain.eth.wait_for_transaction_receipt(sent)["contractAddress"]
    assert address is not None
    return chain.eth.contract(address=address, abi=made["abi"])


def cost(chain: Web3, call: Any) -> int:
    receipt = chain.eth.wait_for_transaction_receipt(call.transact({"from": chain.eth.accounts[0]}))
    assert receipt["status"] == 1
    return int(receipt["gasUsed"])


def measured(chain: Web3) -> dict[str, int]:
    registry = deployed(chain, "SchemaRegistry")
    eas = deployed(chain, "EAS", registry.address)
    cost(chain, registry.functions.register("bytes32 root, bytes32 digest", NOBODY, False))
    schema = Web3.solidity_keccak(
        ["string", "address", "bool"], ["bytes32 root, bytes32 digest", NOBODY, False]
    )

    def data() -> tuple[object, ...]:
        return NOBODY, 0, False, NOTHING, os.urandom(64), 0

    cost(chain, eas.functions.attest((schema, data())))
    ten = [data() for _ in range(10)]
    stamps = [os.urandom(32) for _ in range(10)]
    return {
        "EAS `attest`, root and digest": cost(chain, eas.functions.attest((schema, data()))),
        "EAS `multiAttest`, ten, each": cost(chain, eas.functions.multiAttest([(schema, ten)]))
        // 10,
        "EAS `timestamp`": cost(chain, eas.functions.timestamp(os.urandom(32))),
        "EAS `multiTimestamp`, ten, each": cost(chain, eas.functions.multiTimestamp(stamps)) // 10,
    }


def test_the_table_says_what_it_costs(chain: Web3) -> None:
    table = dict(ROW.findall((ROOT / "docs" / "gas.md").read_text()))

    found = measured(chain)

    for act, gas in found.items():
        said = int(table[act].replace(",", ""))
        assert abs(said - gas) <= TOLERANCE * gas, f"{act}: {gas:,}"
