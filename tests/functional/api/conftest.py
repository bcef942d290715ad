from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.functional.api.cast import Cast, Company, Study
from tests.functional.api.cast import cast as make_cast
from tests.functional.api.cast import study as make_study


@pytest.fixture
def cast(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[Cast]:
    settings.STATIC_ROOT = str(tmp_path)  # whitenoise wants the folder to exist
    with make_cast(tmp_path) as made:
        yield made


@pytest.fixture
def clinic(cast: Cast) -> Company:
    return cast.clinic


@pytest.fixture
def insurer(cast: Cast) -> Company:
    return cast.insurer


@pytest.fixture
def study(cast: Cast) -> Study:
    return make_study(cast)
