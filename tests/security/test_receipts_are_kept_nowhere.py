"""The attack: somebody with dumps looks for what a receipt holds, to link a person with the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from contracts.verifier import log
from tests.functional.api.cast import Study
from tests.functional.api.cast import cast as make_cast
from tests.functional.api.cast import study as make_study
from tests.functional.api.test_receipts import checked, publish
from tests.functional.api.test_requests import released
from tests.security import dumps


@pytest.fixture
def study(transactional_db: None, settings: Settings, tmp_path: Path) -> Iterator[Study]:
    settings.STATIC_ROOT = str(tmp_path)
    with make_cast(tmp_path) as cast:
        yield make_study(cast)


def tables_with(dump: Path, value: str) -> set[str]:
    """The tables in whose rows the value stands."""
    found, table = set(), ""
    for line in dump.read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY public."):
            table = line.split(" ")[1].removeprefix("public.")
        elif value in line:
            found.add(table)
    return found


class TestReceiptGivenOut:
    def test_leaves_its_opening_in_no_table(self, study: Study, tmp_path: Path) -> None:
        subject = study.cast.subject("ada")
        made = study.consent(subject).json()
        publish()
        path = f"/consents/{made['id']}/receipt"
        receipt = study.cast.clinic.source().get(path).json()
        (entry,) = receipt["log"]["entries"]
        leaf = log.commitment(entry["event"], bytes.fromhex(entry["r"])).hex()

        before = dumps.take(tmp_path / "before.sql")
        released(study.cast, subject)
        study.cast.run()
        after = dumps.take(tmp_path / "after.sql")

        for dump in (before, after):
            assert tables_with(dump, entry["r"]) == set()
            assert tables_with(dump, leaf) == {"contracts_logleaf"}
            assert "core_auditevent" in "".join(tables_with(dump, entry["event"]["id"]))
        assert checked(receipt).level == 1
