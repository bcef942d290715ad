"""A running stream beside writers: what commits first is what the next page obeys."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from governance.models import Disclosure
from tests.functional.api.cast import Study
from tests.functional.api.cast import cast as make_cast
from tests.functional.api.cast import study as make_study


@pytest.fixture
def study(transactional_db: None, settings: Any, tmp_path: Path) -> Iterator[Study]:
    settings.STATIC_ROOT = str(tmp_path)
    with make_cast(tmp_path) as made:
        yield make_study(made)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("governance.services.lease_pages.PAGE_ROWS", 2)


def opened(study: Study, lease: Any) -> Iterator[list[Any]]:
    """The pages of one stream as they arrive."""
    response = study.pipeline.get(f"/leases/{lease['id']}/records")
    for chunk in response.streaming_content:
        yield [json.loads(line) for line in chunk.splitlines()]


@pytest.mark.usefixtures("small_pages")
class TestRunningStream:
    def test_loses_who_withdraws_between_two_pages(self, study: Study) -> None:
        patients = [study.patient(f"person-{n}") for n in range(5)]
        pages = opened(study, study.lease())
        first = next(pages)

        for patient in patients:
            study.consent(patient, "withdrawn")
        rest = [line for page in pages for line in page]

        assert len([line for line in first if "alias" in line]) == 2
        assert rest == [{"end": True, "complete": True, "records": 2}]

    def test_gains_who_consents_between_two_pages(self, study: Study) -> None:
        for n in range(12):
            study.patient(f"person-{n}")
        pages = opened(study, study.lease())
        next(pages)

        # Aliases are random: that all twelve sort before the second of the first twelve has a
        # chance of five in a million.
        for n in range(12):
            study.patient(f"late-{n}")
        rest = [line for page in pages for line in page if "alias" in line]

        assert len(rest) > 10

    def test_is_cut_when_the_lease_is_closed_meanwhile(self, study: Study) -> None:
        for n in range(5):
            study.patient(f"person-{n}")
        lease = study.lease()
        pages = opened(study, lease)
        next(pages)

        study.pipeline.post(f"/leases/{lease['id']}/close")

        with pytest.raises(Exception, match="lease-closed"):
            next(pages)

    def test_discloses_a_page_and_no_more(self, study: Study) -> None:
        for n in range(5):
            study.patient(f"person-{n}")
        pages = opened(study, study.lease())

        counts = [Disclosure.objects.count() for _ in pages]

        assert counts == [2, 4, 5]

    def test_repeats_disclosures_when_resumed(self, study: Study) -> None:
        study.patient("ada")
        lease = study.lease()

        study.read(lease)
        study.read(lease)

        rows = Disclosure.objects.values_list("lease_id", "trail_id")
        assert len(rows) == 2
        assert len(set(rows)) == 1
