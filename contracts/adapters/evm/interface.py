"""The contracts' interfaces, from the committed artifacts, and how their arguments are written."""

import json
from pathlib import Path
from typing import Any, Final

from web3 import Web3

from contracts.domain.anchors import Anchored

_ARTIFACTS: Final = Path(__file__).resolve().parents[2] / "artifacts"


def artifact(name: str) -> dict[str, Any]:
    """What the sources of a contract compile to: `abi`, `bytecode`, `sources` and settings."""
    found: dict[str, Any] = json.loads((_ARTIFACTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


#: Of both contracts; no name of a function, event or error of their own is in both.
ABI: Final = [
    *artifact("AnchorLog")["abi"],
    *(one for one in artifact("RevocationBook")["abi"] if one not in artifact("AnchorLog")["abi"]),
]


def address_of(text: str) -> Any:
    """With the checksum that web3 insists on."""
    return Web3.to_checksum_address(text)


def call_of(anchored: Anchored) -> tuple[str, list[bytes | int]]:
    """The function that says this, and its arguments."""
    stream, sequence, digest = anchored.stream, anchored.sequence, anchored.digest
    if anchored.is_list:
        return "publishList", [stream, sequence, digest]
    return "anchor", [stream, sequence, anchored.size, anchored.root, digest]
