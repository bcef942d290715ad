"""A chain that hangs delays evidence and nothing else."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.adapters.anchor_threads import AnchorThread
from contracts.models import ChainAnchor
from core import runtime
from tests.chain.bed import Bed, Flaky, rules
from tests.fakes.site import Site
from tests.fakes.world import world

pytestmark = [pytest.mark.chain, pytest.mark.long]


@pytest.fixture
def hanging(bed: Bed) -> Iterator[threading.Event]:
    """The chain's node takes connections and never answers; set once it was asked."""
    asked, server = threading.Event(), socket.create_server(("127.0.0.1", 0))

    def take() -> None:
        held = []
        while True:
            try:
                held.append(server.accept()[0])
            except OSError:
                return
            asked.set()

    threading.Thread(target=take, daemon=True).start()
    url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with runtime.override(
        chains={"c1": Flaky(rules(url, timeout=60, poll=0.05, every=0.1))},
        senders={"c1": bed.sender},
    ):
        yield asked
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_erasures_consent_and_the_log_go_on_while_a_chain_hangs(
    bed: Bed, hanging: threading.Event, tmp_path: Path
) -> None:
    stopped = threading.Event()
    thread = AnchorThread(runtime.port("chains")["c1"].rules, stopped)
    thread.start()
    assert hanging.wait(20), "the node was never asked"

    with world(tmp_path / "journal-folder") as made:
        site = Site(made, tmp_path)
        ada, bob = site.person("ada"), site.person("bob")
        before = bed.batch()
        site.withdraw(bob)
        site.erase(ada)
        readable = site.readable()
    after = bed.batch()

    assert thread.is_alive()
    assert readable == set()
    assert after.size > before.size
    assert not ChainAnchor.objects.exists()
    stopped.set()
