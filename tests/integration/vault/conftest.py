from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.site import Site
from tests.fakes.world import World
from tests.fakes.world import world as make_world


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def site(world: World, tmp_path: Path) -> Site:
    """The world after the eraser's first round."""
    made = Site(world, tmp_path)
    made.tend()
    return made
