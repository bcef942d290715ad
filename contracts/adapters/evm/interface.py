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


ABI: Final = artifact("AnchorLog")["abi"]


def address_of(text: str) -> Any:
    """With the checksum that web3 insists on."""
    return Web3.to_checksum_address(text)


def arguments(anchored: Anchored) -> tuple[bytes, int, int, bytes, bytes]:
    """Of `AnchorLog.anchor`."""
    return anchored.stream, anchored.sequence, anchored.size, anchored.root, anchored.digest
