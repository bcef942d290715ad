"""The thread of a chain: it goes on after whatever happens, and anchors by its timer alone."""

import threading
from datetime import timedelta

import pytest

from contracts.adapters.anchor_threads import AnchorThread
from contracts.errors import ChainUnavailable
from contracts.ports import Identity
from core import runtime
from tests.chain.bed import Bed

pytestmark = [pytest.mark.chain, pytest.mark.long]


def thread(bed: Bed) -> AnchorThread:
    return AnchorThread(bed.chain.rules, threading.Event())


class TestRound:
    def test_anchors_once_its_time_has_come_and_not_before(self, bed: Bed) -> None:
        bed.batch()
        made = thread(bed)

        made.round(now=bed.now)
        made.round(now=bed.now + timedelta(minutes=29))
        assert bed.states() == []
        made.round(now=bed.now + timedelta(minutes=91))

        assert bed.states() == ["sent"]

    def test_makes_up_at_once_for_a_time_when_the_chain_was_down(self, bed: Bed) -> None:
        bed.batch()
        made = thread(bed)
        made.round(now=bed.now)
        down = Down()
        with runtime.override(chains={"c1": down}, senders={"c1": bed.sender}):
            made.round(now=bed.now + timedelta(minutes=91))
        assert down.asked
        assert bed.states() == []

        made.round(now=bed.now + timedelta(minutes=92))

        assert bed.states() == ["sent"]

    def test_outlives_what_nobody_thought_of(self, bed: Bed) -> None:
        made = thread(bed)
        with runtime.override(chains={}, senders={"c1": bed.sender}):
            made.round(now=bed.now)

        bed.batch()
        made.round(now=bed.now)
        made.round(now=bed.now + timedelta(minutes=91))

        assert bed.states() == ["sent"]


class Down:
    """A chain none of whose nodes answers."""

    asked = False

    def identity(self) -> Identity:
        self.asked = True
        raise ChainUnavailable

    def __getattr__(self, name: str) -> object:
        self.asked = True
        raise ChainUnavailable
