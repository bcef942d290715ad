"""The verifier in JavaScript on evidence bundles: good ones, and each with one thing wrong."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.vectors import make_certificate as maker
from tests.vectors import make_js_bundles as made
from tests.vectors import make_js_receipts as receipts
from tests.vectors.js_verifier import NEEDS_NODE, Change, failed, levels, run, told

pytestmark = NEEDS_NODE
MASS_ACT = receipts.public("mas", "a")


def one(content: bytes, folder: Path, *arguments: str | Path) -> dict[str, Any]:
    (found,) = told([content], folder, *arguments)
    return found


def with_file(name: str, content: bytes) -> bytes:
    return made.bundle({**made.files(made.story()), name: content})


def restoried(change: Change, mass_act: str | None = None) -> bytes:
    """A bundle whose events were others when the log committed to them."""
    events = copy.deepcopy(made.story(mass_act))
    change(events)
    return made.bundle(made.files(events))


def relisted(change: Change) -> bytes:
    listed = made.manifest(made.files())
    change(listed)
    return made.bundle(made.files(), listed)


def altered(name: str, change: Change) -> bytes:
    content = json.loads(made.files(made.story())[name])
    change(content)
    return with_file(name, made.as_json(content))


class TestGoodBundles:
    @pytest.mark.parametrize(
        ("story", "said"),
        [(None, "hhnn"), (made.story(), "hhnh"), (made.story(MASS_ACT), "hhnh")],
    )
    def test_hold_as_far_as_they_show(
        self, story: list[dict[str, Any]] | None, said: str, tmp_path: Path
    ) -> None:
        found = one(made.bundle(made.files(story)), tmp_path)

        assert (found["verdict"], found["kind"], found["level"]) == ("valid", "bundle", 1)
        assert levels(found) == said
        assert [part["name"] for part in found["documents"]] == [
            "certificate-1.json",
            "receipt-1.json",
        ]
        assert [part["report"]["kind"] for part in found["documents"]] == [
            "certificate",
            "decision",
        ]

    def test_say_once_what_is_not_proven_of_any_document(self, tmp_path: Path) -> None:
        found = one(made.bundle(made.files()), tmp_path)

        parts = [part["report"]["not_proven"] for part in found["documents"]]
        assert found["not_proven"] == list(dict.fromkeys([*parts[0], *parts[1]]))
        assert found["not_proven"][0].startswith("That the signing key is the controller's")

    def test_reach_what_the_least_of_their_documents_reaches(self, tmp_path: Path) -> None:
        bare = made.without_keys(maker.certificate(maker.predicate()))

        found = one(with_file("certificate-1.json", bare), tmp_path)

        assert (found["verdict"], found["level"], levels(found)) == ("valid", 0, "hnnh")

    def test_are_checked_by_published_keys(self, tmp_path: Path) -> None:
        keys = tmp_path / "keys.json"
        keys.write_bytes(made.as_json(made.KEYS))
        other = maker.keys_document(maker.TestKeySigner(bytes([9]) * 32), maker.LOGGERD)
        content = with_file("keys.json", made.as_json(other))

        found = one(content, tmp_path, "--keys", keys)

        assert (found["verdict"], one(content, tmp_path)["verdict"]) == ("valid", "invalid")
        assert not found["not_proven"][0].startswith("That the signing key")

    def test_may_have_their_manifest_last(self, tmp_path: Path) -> None:
        content = made.files()
        listed = made.as_json(made.manifest(content))

        assert one(made.zipped({**content, "bundle.json": listed}), tmp_path)["level"] == 1


class TestLevel0:
    @pytest.mark.parametrize(
        "change",
        [
            lambda listed: listed.update(more=1),
            lambda listed: listed["files"][0].update(role="text"),
            lambda listed: listed["files"][1].update(role="text"),
            lambda listed: listed["files"][3].update(role="document"),
            lambda listed: listed["files"][4].update(role="other"),
            lambda listed: listed["files"][4].update(role="events"),
            lambda listed: listed["files"][4].update(sha256="00"),
            lambda listed: listed["files"][4].pop("sha256"),
            lambda listed: listed.update(files=[]),
        ],
    )
    def test_fails_for_a_manifest_of_another_shape(self, change: Change, tmp_path: Path) -> None:
        found = one(relisted(change), tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "fnnn")
        assert failed(found) == ["shape of the manifest"]

    @pytest.mark.parametrize(
        "change",
        [
            lambda listed: listed["files"].pop(),
            lambda listed: listed["files"].reverse(),
            lambda listed: listed["files"].append(listed["files"][4]),
            lambda listed: listed["files"][4].update(sha256="00" * 32),
            lambda listed: listed["files"][4].update(name="readme.md"),
        ],
    )
    def test_fails_for_files_that_are_not_those_listed(
        self, change: Change, tmp_path: Path
    ) -> None:
        found = one(relisted(change), tmp_path)

        assert (found["verdict"], levels(found), failed(found)) == ("invalid", "fnnn", ["files"])

    @pytest.mark.parametrize("name", ["keys.json", "certificate-1.json"])
    def test_fails_without_what_every_bundle_has(self, name: str, tmp_path: Path) -> None:
        content = made.files()
        del content[name]
        content.pop("receipt-1.json")

        assert levels(one(made.bundle(content), tmp_path)) == "fnnn"

    def test_fails_for_keys_that_are_none(self, tmp_path: Path) -> None:
        good = tmp_path / "good.json"
        good.write_bytes(made.as_json(made.KEYS))
        content = with_file("keys.json", b"{}")

        assert failed(one(content, tmp_path)) == ["keys.json"]
        assert failed(one(content, tmp_path, "--keys", good)) == ["keys.json"]

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("receipt-1.json", b"not JSON"),
            ("receipt-1.json", made.as_json(receipts.whole("decision"))),  # with keys
            ("receipt-2.json", made.as_json({"format": "other"})),
            ("certificate-2.json", made.as_json(made.KEYS)),
        ],
    )
    def test_fails_for_a_document_that_fails(
        self, name: str, content: bytes, tmp_path: Path
    ) -> None:
        found = one(with_file(name, content), tmp_path)

        assert (found["verdict"], levels(found), failed(found)) == ("invalid", "fnnn", [name])

    @pytest.mark.parametrize(
        "change",
        [
            lambda events: events.update(format="urn:lethe:events:v2"),
            lambda events: events.update(entries=[]),
            lambda events: events["entries"][0].update(anchors=[]),
            lambda events: events["entries"][0]["event"].update(trail=events["entries"][0]["r"]),
            lambda events: events["entries"][0]["event"].update(trail=receipts.uuid_of(MASS_ACT)),
        ],
    )
    def test_fails_for_events_of_another_shape(self, change: Change, tmp_path: Path) -> None:
        found = one(altered("events.json", change), tmp_path)

        assert (levels(found), failed(found)) == ("fnnn", ["events.json"])


class TestLevels1And2:
    def test_fail_when_they_fail_for_one_document(self, tmp_path: Path) -> None:
        anchored = receipts.anchored(receipts.whole("lease"))
        anchored["log"]["entries"][0]["anchors"][0]["proof"] = "none"
        files = [
            altered("receipt-1.json", lambda one: one["log"]["entries"][0].update(r="00" * 32)),
            altered("certificate-1.json", lambda one: one["log"].update(proof="none")),
            with_file("receipt-2.json", made.without_keys(anchored)),
        ]

        found = told(files, tmp_path)

        assert [(one["verdict"], levels(one)) for one in found] == [
            ("invalid", "hfnh"),
            ("invalid", "hfnh"),
            ("invalid", "hhfh"),
        ]
        assert [failed(one) for one in found] == [
            ["receipt-1.json"],
            ["certificate-1.json"],
            ["receipt-2.json"],
        ]


class TestLevel3:
    @pytest.mark.parametrize(
        "change",
        [
            *(lambda events, at=at: events.pop(at) for at in range(9)),
            *(lambda events, at=at: events[at].update(actor="process:web") for at in range(9)),
            *(lambda events, at=at: events[at].update(controller=None) for at in range(9)),
            *(lambda events, at=at: events[at].update(at=receipts.at(0)) for at in range(3, 9)),
            *(lambda events, at=at: events.append(events[at]) for at in range(2, 9)),
            *(lambda events, at=at: events[at].update(erasure=None) for at in range(2, 9)),
            lambda events: events[1].update(at=receipts.at(1)),
            lambda events: events[0].update(at=receipts.at(1)),
            lambda events: events[2].update(at=receipts.at(0, day=5)),
            lambda events: events[2].update(at=receipts.at(0, day=20)),
            lambda events: events[2]["details"].clear(),
            lambda events: events[2]["details"].update(mass_act=MASS_ACT),
            lambda events: events[2]["details"].update(request=receipts.public("req", "s")),
            lambda events: events.append({**events[1], "at": receipts.at(5)}),
            lambda events: events.append({**events[1], "actor": events[0]["actor"]}),
            lambda events: events.append(
                {**events[0], "at": events[1]["at"], "actor": events[1]["actor"]}
            ),
        ],
    )
    def test_fails_for_another_story(self, change: Change, tmp_path: Path) -> None:
        found = one(restoried(change), tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "hhnf")
        assert failed(found) == ["events: certificate-1.json"]

    def test_holds_with_events_that_are_about_something_else(self, tmp_path: Path) -> None:
        def more(events: Any) -> None:
            events.insert(0, {**events[0], "at": receipts.at(0, day=4), "actor": "process:web"})
            events.append({**events[0], "at": receipts.at(30)})  # drafted again, later
            events.append({**events[1], "details": {"request": receipts.public("req", "s")}})
            events.append({**events[3], "erasure": receipts.uuid_of(receipts.REQUEST)})

        assert levels(one(restoried(more), tmp_path)) == "hhnh"

    def test_looks_for_the_mass_act_where_there_is_one(self, tmp_path: Path) -> None:
        other = receipts.public("mas", "b")
        files = [
            restoried(lambda events: events[0]["details"].update(mass_act=other), MASS_ACT),
            restoried(lambda events: events[2]["details"].update(mass_act=other), MASS_ACT),
            restoried(lambda events: events[2]["details"].pop("mass_act"), MASS_ACT),
        ]

        # Drafts and approvals share their details here: the first change is of both.
        assert [levels(one) for one in told(files, tmp_path)] == ["hhnf"] * 3

    def test_fails_for_events_that_the_log_has_not(self, tmp_path: Path) -> None:
        files = [
            altered("events.json", lambda one: one["entries"][4].update(r="00" * 32)),
            altered("events.json", lambda one: one["entries"][4].update(proof="none")),
        ]

        found = told(files, tmp_path)

        assert [levels(one) for one in found] == ["hhnf", "hhnf"]
        assert [failed(one) for one in found] == [["events: inclusion"], ["events: proofs"]]

    def test_fails_without_a_certificate_of_a_persons_erasure(self, tmp_path: Path) -> None:
        part = made.certificate(maker.part())

        found = one(with_file("certificate-1.json", part), tmp_path)

        assert (levels(found), failed(found)) == ("hhnf", ["events: certificates"])

    def test_asks_it_of_every_certificate(self, tmp_path: Path) -> None:
        later = {**maker.predicate(), "erasure_id": receipts.public("ers", "x")}
        files = [
            with_file("certificate-2.json", made.certificate(maker.final(), size=68)),
            with_file("certificate-2.json", made.certificate(later, size=68)),
        ]

        found = told(files, tmp_path)

        assert [levels(one) for one in found] == ["hhnh", "hhnf"]


class TestCommand:
    @pytest.mark.parametrize(
        ("content", "arguments", "status"),
        [
            (made.bundle(made.files()), (), 0),
            (made.bundle(made.files()), ("--level", "3"), 13),
            (made.bundle(made.files(made.story())), ("--level", "3"), 0),
            (made.bundle(made.files(made.story())), ("--level", "2"), 12),
            (restoried(lambda events: events.pop()), ("--level", "1"), 13),
            (restoried(lambda events: events.pop()), ("--level", "2"), 12),
            (with_file("receipt-1.json", b""), (), 1),
            (b"PK", (), 2),
        ],
    )
    def test_ends_with_the_status_of_the_lowest_level_that_is_short(
        self, content: bytes, arguments: tuple[str, ...], status: int, tmp_path: Path
    ) -> None:
        file = tmp_path / "bundle.zip"
        file.write_bytes(content)

        assert run(*arguments, file).returncode == status
