"""The key that pays for anchors."""

import json
from pathlib import Path

from eth_account import Account
from web3 import Web3

from contracts.adapters.evm.interface import ABI, address_of, call_of
from contracts.domain.anchors import Anchored
from contracts.domain.fees import Offer
from contracts.ports import Signed


class KeystoreSender:
    """The port Sender: a key in memory, from an encrypted keystore (Web3 Secret Storage v3)."""

    def __init__(self, keystore: Path, password: str) -> None:
        """Raises ValueError for a wrong password or a file that is none, OSError."""
        self._account = Account.from_key(Account.decrypt(keystore.read_text(), password))
        self.address = str(self._account.address)

    def sign(
        self, anchored: Anchored, *, contract: str, chain_id: int, nonce: int, gas_limit: int,
        offer: Offer,
    ) -> Signed:  # fmt: skip
        """The chain's number is signed, so it is worth nothing on another chain (EIP-155)."""
        function, arguments = call_of(anchored)
        data = Web3().eth.contract(abi=ABI).encode_abi(function, args=arguments)
        price = (
            {"gasPrice": offer.max_fee}
            if offer.is_legacy
            else {"maxFeePerGas": offer.max_fee, "maxPriorityFeePerGas": offer.tip}
        )
        signed = self._account.sign_transaction(
            {
                "to": address_of(contract), "data": data, "value": 0, "nonce": nonce,
                "gas": gas_limit, "chainId": chain_id, **price,
            }
        )  # fmt: skip
        return Signed(bytes(signed.raw_transaction), bytes(signed.hash))


def new_keystore(password: str) -> tuple[str, str]:
    """A new key's address, and its keystore as a file holds it."""
    account = Account.create()
    return str(account.address), json.dumps(Account.encrypt(account.key, password))
