"""The verifier in JavaScript on receipts: good ones, and each with one thing wrong."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.vectors import make_certificate as maker
from tests.vectors import make_js_receipts as made
from tests.vectors.js_verifier import NEEDS_NODE, failed, levels, run, told

pytestmark = NEEDS_NODE
MASS_ACT = made.public("mas", "a")
STATUS = {"list_id": "cd" * 32, "index": 0}
KEYS = (
    "That the signing key is the controller's: it was taken from the file itself. Compare it with "
    "the published one (/.well-known/lethe-keys), or give that with --keys."
)
TRUE = "That the statement is true: the signer says what it recorded."
UNLOGGED = "When it was signed: this file holds no transparency log proof and no chain anchor."
Change = Callable[[Any], object]


def signed(kind: str, change: Change, facts: Any = None) -> bytes:
    """A receipt whose facts were changed before they were signed."""
    content = copy.deepcopy(facts or made.FACTS[kind]())
    change(content)
    return made.as_bytes(made.receipt(made.statement(kind, content)))


def restated(change: Change) -> bytes:
    """A receipt whose statement was changed before it was signed."""
    content = copy.deepcopy(made.statement("consent", made.consent(), STATUS))
    change(content)
    return made.as_bytes(made.receipt(content))


def altered(file: Any, change: Change) -> bytes:
    content = copy.deepcopy(file)
    change(content)
    return made.as_bytes(content)


def relogged(kind: str, at: int, change: Change, **options: Any) -> bytes:
    """A receipt one of whose events was another when the log committed to it."""
    file = made.whole(kind, **options)
    event = copy.deepcopy(file["log"]["entries"][at]["event"])
    change(event)
    file["log"]["entries"][at] = made.entry(event)
    return made.as_bytes(file)


def put(*path: Any) -> Change:
    """Set the last item at the place that the others name."""

    def change(content: Any) -> None:
        for key in path[:-2]:
            content = content[key]
        content[path[-2]] = path[-1]

    return change


def drop(*path: Any) -> Change:
    def change(content: Any) -> None:
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return change


class TestGoodReceipts:
    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("consent", {}),
            ("consent", {"decision": "withdrawn"}),
            ("decision", {}),
            ("decision", {"mass_act": MASS_ACT}),
            ("lease", {}),
            ("lease", {"is_closed": False}),
        ],
    )
    def test_hold_as_far_as_they_show(
        self, kind: str, options: dict[str, Any], tmp_path: Path
    ) -> None:
        whole = made.whole(kind, **options)
        bare = {name: part for name, part in whole.items() if name != "log"}
        files = [made.as_bytes(one) for one in (bare, whole, made.anchored(whole))]

        found = told(files, tmp_path, "--block-hash", "9c" * 32)

        assert [one["verdict"] for one in found] == ["valid"] * 3
        assert {one["kind"] for one in found} == {kind}
        assert [one["level"] for one in found] == [0, 1, 1]
        assert [levels(one) for one in found] == ["hnnn", "hhnn", "hhnn"]

    def test_hold_with_what_is_allowed_and_rare(self, tmp_path: Path) -> None:
        nothing = {"text_digest": None, "language": None, "channel": "replay"}
        files = [
            signed("consent", lambda facts: facts.update(nothing)),
            signed("decision", put("due_on", "2028-02-29")),
            signed("lease", put("opening", "fields", 0, "names", ["\U0001f600" * 200])),
            relogged("consent", 0, put("details", "more", ["~" * 500] * 1000)),
            relogged("consent", 0, put("details", "less", -5)),
            restated(lambda _: None),
        ]

        assert {one["verdict"] for one in told(files, tmp_path)} == {"valid"}

    def test_hold_by_published_keys(self, tmp_path: Path) -> None:
        file = made.whole("lease")
        keys = tmp_path / "keys.json"
        keys.write_text(json.dumps(file.pop("keys")))

        with_keys, without = (
            told([made.as_bytes(file)], tmp_path, *arguments)[0]
            for arguments in (("--keys", keys), ())
        )

        assert (with_keys["verdict"], levels(with_keys)) == ("valid", "hhnn")
        assert KEYS not in with_keys["not_proven"]
        assert (without["verdict"], failed(without)) == ("invalid", ["keys"])


class TestLimits:
    def test_say_what_each_kind_does_not_prove(self, tmp_path: Path) -> None:
        given = "Whether the consent was withdrawn since"
        whose = (
            "Whose decision it was: nothing in it names a person; it belongs to whoever was given "
            "it."
        )
        kept = "That nobody kept or passed on what was read."
        unclosed = "What was read in the end: the lease was not closed when this was signed."
        cases: list[tuple[str, Any, list[str]]] = [
            ("consent", made.consent(), [whose, given + "."]),
            ("consent", made.consent("refused"), [whose]),
            (
                "decision",
                made.decision(),
                ["That the persons named by pseudonym are different human beings."],
            ),
            ("lease", made.lease(), [kept]),
            ("lease", made.lease(is_closed=False), [kept, unclosed]),
        ]
        files = [
            made.as_bytes(made.receipt(made.statement(kind, facts))) for kind, facts, _ in cases
        ]
        files.append(restated(lambda _: None))

        found = [one["not_proven"] for one in told(files, tmp_path)]

        listed = [whose, given + ": look at its place in the status list."]
        assert found == [
            [KEYS, TRUE, *one, UNLOGGED] for one in (*(said for _, _, said in cases), listed)
        ]

    def test_say_how_far_its_time_is_known(self, tmp_path: Path) -> None:
        anchored = made.anchored(made.whole("lease"))
        half = copy.deepcopy(anchored)
        del half["log"]["entries"][1]["anchors"]
        files = [made.as_bytes(one) for one in (made.whole("lease"), half, anchored)]

        ends = [one["not_proven"][-1] for one in told(files, tmp_path)]

        assert [end.startswith("When it entered the log, and") for end in ends] == [1, 1, 0]
        assert ends[2].startswith("When it entered the log: the file says which blocks")


class TestLevel0:
    @pytest.mark.parametrize(
        ("kind", "change"),
        [
            ("consent", put("consent_id", made.public("cns", "u"))),
            ("consent", put("purpose_version", 0)),
            ("consent", put("decision", "asked")),
            ("consent", put("is_explicit", 1)),
            ("consent", put("text_digest", "AB" * 32)),
            ("consent", put("language", "de_AT")),
            ("consent", put("channel", "Web")),
            ("consent", put("decided_at", "2026-03-06T09:00:01Z")),
            ("consent", put("recorded_by", "Ada Lovelace")),
            ("consent", put("name", "Ada Lovelace")),
            ("consent", drop("language")),
            ("decision", put("mass_act", made.REQUEST)),
            ("decision", put("due_on", made.at(0))),
            ("decision", put("acts", [])),
            ("decision", put("acts", 0, "action", "governance.request.denied")),
            ("decision", put("acts", 0, "role", "a" * 201)),
            ("decision", put("erasure_id", None)),
            ("lease", put("opening", "fields", 0, "names", [])),
            ("lease", put("opening", "fields", 0, "names", [""])),
            ("lease", put("opening", "fields", 0, "names", ["x" * 201])),
            ("lease", put("opening", "subjects", -1)),
            ("lease", drop("opening", "exclusions", "key_lost")),
            ("lease", put("closing", "records_sent", "12")),
        ],
    )
    def test_fails_for_facts_of_another_shape(
        self, kind: str, change: Change, tmp_path: Path
    ) -> None:
        (found,) = told([signed(kind, change)], tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "fnnn")
        assert failed(found) == ["payload"]

    @pytest.mark.parametrize(
        ("kind", "change"),
        [
            ("consent", put("decided_at", "2026-02-30T09:00:01.000000Z")),
            ("decision", put("due_on", "2027-02-29")),
            ("decision", put("acts", 2, "at", made.at(0))),
            ("decision", put("acts", 0, "at", "2026-02-30T09:00:01.000000Z")),
            ("lease", lambda facts: facts["opening"]["fields"].reverse()),
            ("lease", put("closing", "lease_id", made.public("lea", "n"))),
        ],
    )
    def test_fails_for_facts_that_contradict_each_other(
        self, kind: str, change: Change, tmp_path: Path
    ) -> None:
        (found,) = told([signed(kind, change)], tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "fnnn")
        assert failed(found) == ["agreement of the statement with itself"]

    @pytest.mark.parametrize(
        ("change", "check"),
        [
            (put("subject", 0, "name", "lease"), "payload"),
            (lambda one: one["subject"].append(one["subject"][0]), "payload"),
            (put("predicateType", made.TYPES["lease"]), "payload"),
            (put("predicateType", "urn:lethe:erasure-certificate:v1"), "payload"),
            (put("predicate", "status", "index", -1), "payload"),
            (put("predicate", "status", "list_id", "cd"), "payload"),
            (put("predicate", "status", None), "payload"),
            (put("predicate", "software", "name", "other"), "payload"),
            (put("predicate", "note", "x"), "payload"),
            (put("subject", 0, "digest", "sha256", "00" * 32), "agreement"),
            (put("predicate", "facts", "purpose_version", 3), "agreement"),
            (put("predicate", "issued_at", "2026-02-30T09:00:01.000000Z"), "agreement"),
            (put("predicate", "signed_by", "web"), "signer"),
        ],
    )
    def test_fails_for_another_statement(self, change: Change, check: str, tmp_path: Path) -> None:
        (found,) = told([restated(change)], tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "fnnn")
        assert [one.split(" ")[0] for one in failed(found)] == [check]

    def test_fails_for_a_status_of_what_was_not_given(self, tmp_path: Path) -> None:
        refused = made.statement("consent", made.consent("refused"), STATUS)
        lease = made.statement("lease", made.lease(), STATUS)
        files = [made.as_bytes(made.receipt(one)) for one in (refused, lease)]

        found = told(files, tmp_path)

        assert [failed(one)[0].split(" ")[0] for one in found] == ["agreement", "payload"]

    @pytest.mark.parametrize(
        ("change", "check"),
        [
            (put("envelope", "signatures", 0, "sig", "AAAA"), "signature"),
            (put("envelope", "signatures", 0, "keyid", "attester:2"), "signature"),
            (put("envelope", "payload", "e30="), "payload"),
            (put("envelope", "payload", "?"), "shape of the file"),
            (put("keys", "keys", 0, "public", "00" * 32), "signature"),
            (put("keys", "keys", 0, "revoked_at", made.at(0)), "signature"),
            (put("keys", "keys", 1, "key_id", "web:1"), "signer"),
            (drop("keys"), "keys"),
            (put("more", 1), "shape of the file"),
            (put("log", None), "shape of the file"),
            (put("log", "entries", []), "shape of the file"),
            (put("log", "entries", 0, "r", "00"), "shape of the file"),
            (put("log", "entries", 0, "anchors", []), "shape of the file"),
            (put("log", "entries", 0, "event", "trail", "x"), "shape of the file"),
            (put("log", "entries", 0, "event", "details", "Name", 1), "shape of the file"),
            (put("log", "entries", 0, "event", "details", "x", None), "shape of the file"),
            (put("log", "entries", 0, "event", "details", "x", "\u00e9"), "shape of the file"),
            (put("log", "entries", 0, "event", "details", "x", "~" * 501), "shape of the file"),
            (put("log", "entries", 0, "event", "details", "x", {}), "shape of the file"),
        ],
    )
    def test_fails_for_another_file(self, change: Change, check: str, tmp_path: Path) -> None:
        (found,) = told([altered(made.whole("consent"), change)], tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "fnnn")
        assert check in failed(found)
        assert found["not_proven"] == []

    def test_is_not_reached_by_what_is_no_receipt(self, tmp_path: Path) -> None:
        other = altered(made.whole("consent"), put("format", "urn:lethe:receipt-file:v2"))

        found = told([b"", b"[]", other, made.as_bytes(made.whole("lease")) + b"x"], tmp_path)

        assert {(one["verdict"], levels(one)) for one in found} == {("unreadable", "fnnn")}


class TestLevel1:
    @pytest.mark.parametrize(
        ("kind", "at", "change"),
        [
            ("consent", 0, put("action", "governance.consent.refused")),
            ("consent", 0, put("actor", "process:web")),
            ("consent", 0, put("at", made.at(3))),
            ("consent", 0, put("controller", made.uuid_of(made.ERASURE))),
            ("consent", 0, put("controller", None)),
            ("consent", 0, put("details", "facts", "00" * 32)),
            ("consent", 0, drop("details", "facts")),
            ("decision", 1, put("action", "governance.request.released")),
            ("decision", 1, put("actor", made.DRAFTER)),
            ("decision", 1, put("role", "clerk")),
            ("decision", 2, put("details", "request", made.public("req", "s"))),
            ("decision", 0, put("controller", made.uuid_of(made.ERASURE))),
            ("lease", 0, put("actor", "process:web")),
            ("lease", 0, put("details", "facts", made.digest(made.lease()["closing"]))),
            ("lease", 1, put("action", "governance.lease.opened")),
            ("lease", 1, put("at", made.at(10))),
        ],
    )
    def test_fails_for_an_event_about_something_else(
        self, kind: str, at: int, change: Change, tmp_path: Path
    ) -> None:
        (found,) = told([relogged(kind, at, change)], tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "hfnn")
        assert failed(found) == ["log: event"]

    def test_fails_for_another_mass_act_or_none(self, tmp_path: Path) -> None:
        other = put("details", "mass_act", made.public("mas", "b"))
        facts = made.decision(MASS_ACT)
        events = made.events_of("decision", facts)
        facts["mass_act"] = None
        none = made.logged(made.receipt(made.statement("decision", facts)), events)
        files = [relogged("decision", 0, other, mass_act=MASS_ACT), made.as_bytes(none)]

        assert [levels(one) for one in told(files, tmp_path)] == ["hfnn", "hfnn"]

    @pytest.mark.parametrize(
        "change",
        [
            lambda file: file["log"]["entries"].reverse(),
            lambda file: file["log"]["entries"].pop(),
            lambda file: file["log"]["entries"].append(file["log"]["entries"][0]),
            put("log", "entries", 0, "proof", "no proof"),
        ],
    )
    def test_fails_for_other_entries_than_are_due(self, change: Change, tmp_path: Path) -> None:
        (found,) = told([altered(made.whole("lease"), change)], tmp_path)

        assert (levels(found), failed(found)) == ("hfnn", ["log: event"])

    def test_fails_for_what_the_log_has_not(self, tmp_path: Path) -> None:
        file = made.whole("decision")
        proof = file["log"]["entries"][2]["proof"]
        changes = [
            put("log", "entries", 2, "r", "00" * 32),
            put("log", "entries", 1, "event", "id", made.uuid_of(made.REQUEST)),
            put("log", "entries", 2, "proof", proof.replace("index 2\n", "index 3\n")),
        ]

        found = told([altered(file, change) for change in changes], tmp_path)

        assert {levels(one) for one in found} == {"hfnn"}
        assert [failed(one) for one in found] == [["log: inclusion"]] * 3

    def test_fails_for_a_head_that_the_log_did_not_sign(self, tmp_path: Path) -> None:
        changes = [
            put("keys", "keys", 1, "public", maker.TestKeySigner(bytes([3]) * 32).public.hex()),
            put("keys", "keys", 1, "revoked_at", made.at(0)),
        ]

        found = told([altered(made.whole("lease"), change) for change in changes], tmp_path)

        assert [(levels(one), failed(one)) for one in found] == [("hfnn", ["log: head"])] * 2


class TestLevel2:
    def test_fails_for_an_anchored_head_that_does_not_hold(self, tmp_path: Path) -> None:
        file = made.anchored(made.whole("lease"))
        other = file["log"]["entries"][0]["anchors"][0]["proof"]
        change = put("log", "entries", 1, "anchors", 0, "proof", other)

        (found,) = told([altered(file, change)], tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "hhfn")
        assert failed(found) == ["log: anchored heads"]


class TestCommand:
    @pytest.mark.parametrize(
        ("change", "arguments", "status"),
        [
            (put("format", made.FORMAT), (), 0),
            (put("format", made.FORMAT), ("--level", "1"), 0),
            (put("format", made.FORMAT), ("--level", "2"), 12),
            (put("format", made.FORMAT), ("--level", "3"), 13),
            (drop("log"), ("--level", "0"), 0),
            (drop("log"), ("--level", "1"), 11),
            (drop("log"), ("--level", "3"), 11),
            (drop("keys"), ("--level", "3"), 1),
            (put("log", "entries", 0, "r", "00" * 32), (), 11),
            (put("log", "entries", 0, "anchors", 0, "proof", "x"), (), 12),
            (put("format", "other"), ("--level", "1"), 2),
        ],
    )
    def test_ends_with_the_status_of_the_lowest_level_that_is_short(
        self, change: Change, arguments: tuple[str, ...], status: int, tmp_path: Path
    ) -> None:
        file = tmp_path / "receipt.json"
        file.write_bytes(altered(made.anchored(made.whole("consent")), change))

        assert run(file, *arguments).returncode == status

    @pytest.mark.parametrize(
        "arguments",
        [
            (),
            ("{}", "{}"),
            ("--level", "4", "{}"),
            ("--block-hash", "9c", "{}"),
            ("--other", "{}"),
            ("--lines", "{}"),
            ("--keys", "none", "{}"),
        ],
    )
    def test_refuses_what_it_does_not_understand(
        self, arguments: tuple[str, ...], tmp_path: Path
    ) -> None:
        file = tmp_path / "receipt.json"
        file.write_bytes(made.as_bytes(made.whole("consent")))

        assert run(*(one.format(file) for one in arguments)).returncode == 2
