"""What somebody who watches nodes and chain learns of erasures: that time passed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hexbytes import HexBytes

from contracts.models import LogBatch
from core import runtime
from core.models import LeafInbox
from tests.chain.bed import Bed, Flaky, rules
from tests.chain.test_lying_node import honest
from tests.fakes.site import Site
from tests.fakes.world import world
from tests.servers import lying_node
from tests.servers.lying_node import Liar
from vault.models import Shredding

pytestmark = [pytest.mark.chain, pytest.mark.long]
#: `anchor(stream, seq, treeSize, root, metaDigest)`: a selector and five words.
CALL = 4 + 5 * 32


@pytest.fixture
def watched(bed: Bed) -> Iterator[Liar]:
    """An honest node that writes down what it is asked."""
    with lying_node.before(honest(bed)) as made:
        bed.chain = Flaky(rules(made.url))
        with runtime.override(chains={"c1": bed.chain}, senders={"c1": bed.sender}):
            yield made


def window(bed: Bed, watched: Liar, site: Site, people: int) -> tuple[list[str], list[int]]:
    """What a window with so many erasures makes the node see, and the measures of its call."""
    persons = [site.person(f"{people}-{number}") for number in range(people)]
    bed.batch()  # what came before the window
    bed.round(with_log=True)
    bed.settle()
    erasures = [site.fence(person) for person in persons]
    site.run()
    assert Shredding.objects.filter(erasure_id__in=erasures, state="verified").count() == people
    assert LeafInbox.objects.count() >= people
    watched.calls.clear()
    bed.batch()
    bed.round(with_log=True)
    bed.settle()
    raw = {tuple(sent) for method, sent in watched.calls if method == "eth_sendRawTransaction"}
    assert len(raw) == 1
    sent = bed.node.eth.get_transaction(HexBytes(bed.newest().tx_hash or b""))
    measures = [len(bytes(sent["input"])), int(sent["value"]), int(sent["gas"])]
    return [method for method, _ in watched.calls], measures


def test_one_erasure_looks_like_fifty(bed: Bed, watched: Liar, tmp_path: Path) -> None:
    with world(tmp_path) as made:
        site = Site(made, tmp_path)
        one, fifty, none = (window(bed, watched, site, people) for people in (1, 50, 0))

    assert one == fifty == none
    assert one[1][0] == CALL
    sizes = [batch.size - batch.first for batch in LogBatch.objects.order_by("sequence")]
    assert all(size >= 64 and size & (size - 1) == 0 for size in sizes)
