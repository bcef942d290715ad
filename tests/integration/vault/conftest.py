from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.world import World
from tests.fakes.world import world as make_world


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made
