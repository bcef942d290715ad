"""The verifier in JavaScript on receipts: good ones, and each with one thing wrong."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from contracts.verifier import limits
from tests.vectors import make_js_receipts as made
from tests.vectors.js_verifier import NEEDS_NODE, Change, drop, failed, levels, put, told

pytestmark = NEEDS_NODE
MASS_ACT = made.public("mas", "a")
STATUS = {"list_id": "cd" * 32, "index": 0}
KEYS = (
    "That the signing key is the controller's: it was taken from the file itself. Compare it with "
    "the published one (/.well-known/lethe-keys), or give that with --keys."
)
TRUE = "That the statement is true: the signer says what it recorded."
UNLOGGED = "When it was signed: this file holds no transparency log proof and no chain anchor."


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
            made.relogged("consent", 0, put("details", "more", ["~" * 500] * 1000)),
            made.relogged("consent", 0, put("details", "less", -5)),
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
                [
                    limits.WHEN_RECEIVED,
                    "That the persons named by pseudonym are different human beings.",
                ],
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
        (found,) = told([made.altered(made.whole("consent"), change)], tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "fnnn")
        assert check in failed(found)
        assert found["not_proven"] == []

    def test_is_not_reached_by_what_is_no_receipt(self, tmp_path: Path) -> None:
        other = made.altered(made.whole("consent"), put("format", "urn:lethe:receipt-file:v2"))

        found = told([b"", b"[]", other, made.as_bytes(made.whole("lease")) + b"x"], tmp_path)

        assert {(one["verdict"], levels(one)) for one in found} == {("unreadable", "fnnn")}
