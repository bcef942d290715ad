"""What the contracts cost, measured, and held against the table in docs/gas.md."""

import os
import re

import pytest
from web3 import Web3

from tests.chain.contracts import deploy
from tests.servers.anvil import ROOT

pytestmark = pytest.mark.chain
#: Roots are random: a zero byte costs less than another. Compilers and libraries cost more.
TOLERANCE = 0.01
ROW = re.compile(r"^\| ([^|]+) \| ([0-9,]+) \|", re.MULTILINE)


def measured(chain: Web3) -> dict[str, int]:
    log = deploy(chain, "AnchorLog", "ANCHORER")
    book = deploy(chain, "RevocationBook", "PUBLISHER")
    stream, other, listed = (bytes([number]) * 32 for number in (1, 2, 3))

    def anchor(seq: int, size: int) -> tuple[bytes, int, int, bytes, bytes]:
        return stream, seq, size, os.urandom(32), os.urandom(32)

    first = log.send("anchor", *anchor(1, 64))
    later = log.send("anchor", *anchor(2, 128))
    heads = [(other, seq, 64 * seq, os.urandom(32), os.urandom(32)) for seq in range(1, 11)]
    log.send("anchor", *heads[0])
    ten = log.send("anchorMany", [(other, seq + 1, *rest) for _, seq, *rest in heads])
    lists = [book.send("publishList", listed, version, os.urandom(32)) for version in (1, 2)]
    return {
        "`anchor`, first of a stream": first["gasUsed"],
        "`anchor`, each later one": later["gasUsed"],
        "`anchorMany`, ten heads, each": ten["gasUsed"] // 10,
        "`publishList`, first of a list": lists[0]["gasUsed"],
        "`publishList`, each later one": lists[1]["gasUsed"],
        "`anchor`, per leaf of a batch of 64": later["gasUsed"] // 64,
        "`anchor`, per leaf of a batch of 4,096": later["gasUsed"] // 4096,
    }


def test_the_table_is_what_it_costs(chain: Web3) -> None:
    text = (ROOT / "docs" / "gas.md").read_text()
    table = {name: int(gas.replace(",", "")) for name, gas in ROW.findall(text)}

    found = measured(chain)

    assert {name for name in found if name not in table} == set()
    off = {
        name: (gas, table[name])
        for name, gas in found.items()
        if abs(gas - table[name]) > max(1, TOLERANCE * table[name])
    }
    assert off == {}
    assert found["`anchor`, per leaf of a batch of 4,096"] <= 10
