"""Two purposes' consumers lay their lists of removals side by side: nothing joins a person."""

import base64
import json
import re
from typing import Any
from uuid import UUID

from tests.functional.api.cast import Cast, Company, Study
from tests.functional.api.cast import study as make_study
from tests.functional.api.test_requests import DRAFT, act, asked
from vault.models import Alias, Removal

NAMES = ("ada", "bea", "cle", "dan", "eva", "fay")
DAY = re.compile(r"\d{4}-\d\d-\d\d")


def erase(cast: Cast, subject: str) -> None:
    """Erase one person in an instant of their own."""
    request = asked(cast.clinic.source(), subject).json()
    act(cast.clinic.person("analyst"), request, "decisions", DRAFT)
    act(cast.clinic.person("compliance-officer"), request, "approvals")
    assert act(cast.clinic.person("key-custodian"), request, "releases").status_code == 201
    cast.run()


def listed(study: Study, *, limit: int = 2) -> tuple[list[dict[str, Any]], list[list[Any]]]:
    """All removals that the purpose's consumer sees, and what its cursors hold."""
    path, after = f"/purposes/{study.purpose}/removals?limit={limit}", ""
    items: list[dict[str, Any]] = []
    positions: list[list[Any]] = []
    while True:
        page = study.pipeline.get(path + after).json()
        items += page["items"]
        if page["next"] is None:
            return items, positions
        payload = page["next"].split(":")[0]
        positions.append(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
        after = f"&after={page['next']}"


def two_lists(cast: Cast) -> tuple[Study, Study]:
    """People who consented to both purposes and were erased one after the other in a day."""
    one = make_study(cast)
    other = make_study(cast, code="marketing")
    subjects = [one.patient(name) for name in NAMES]
    for subject in subjects:
        other.consent(subject)
    for subject in subjects:
        erase(cast, subject)
    assert not Alias.objects.exists()
    return one, other


class TestRemovalsOfTwoPurposes:
    def test_share_nothing_but_the_day_and_the_reason(self, cast: Cast) -> None:
        one, other = two_lists(cast)

        (items, cursors), (others, other_cursors) = listed(one), listed(other)

        assert len(items) == len(others) == len(NAMES)
        assert len(cursors) >= 2
        for item in items + others:
            assert item.keys() == {"id", "alias", "reason", "on"}
            assert DAY.fullmatch(item["on"])
            assert UUID(item["id"]).version == 4
        seen, joined = (
            {value for item in some for name, value in item.items() if name in ("id", "alias")}
            | {str(value) for position in positions for value in position}
            for some, positions in ((items, cursors), (others, other_cursors))
        )
        assert not seen & joined
        assert all(UUID(value).version == 4 for position in cursors for value in position)

    def test_are_not_in_the_order_of_the_erasures(self, cast: Cast) -> None:
        for study in two_lists(cast):
            aliases = [item["alias"] for item in listed(study)[0]]
            assert aliases == sorted(aliases)

    def test_are_stored_without_an_instant(self, cast: Cast) -> None:
        two_lists(cast)

        kinds = {type(value) for row in Removal.objects.values() for value in row.values()}
        assert {kind.__name__ for kind in kinds} <= {"UUID", "str", "date", "NoneType"}
        assert {row.id.version for row in Removal.objects.all()} == {4}

    def test_are_not_ordered_by_another_purposes_acknowledgement(
        self, cast: Cast, clinic: Company
    ) -> None:
        one, other = two_lists(cast)
        (item, *_), _ = listed(one)

        path = f"/purposes/{other.purpose}/removals/acknowledgements"
        answer = other.pipeline.post(path, {"up_to": item["id"]})

        assert (answer.status_code, answer.json()["code"]) == (404, "removal-not-found")
