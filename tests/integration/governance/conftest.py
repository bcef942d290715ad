from collections.abc import Iterator
from pathlib import Path

import pytest

from core import runtime
from governance.adapters.participant import participant
from tests.fakes.world import World
from tests.fakes.world import world as make_world
from tests.integration.governance.office import Office


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made, runtime.override(participants=[participant()]):
        yield made


@pytest.fixture
def office(world: World) -> Office:
    return Office(world)
