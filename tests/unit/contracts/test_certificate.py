import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.verifier import documents, limits, words
from contracts.verifier.report import Report
from contracts.verifier.schema import EFFECT_TEXTS, PART_EFFECT_TEXTS, SCHEMA, SHARE_STATES, faults
from core import canonical
from tests.vectors import cosigned
from tests.vectors import make_certificate as maker
from tests.vectors.make_certificate import TestKeySigner

ROOT = Path(__file__).parents[3]
GOLDEN = (ROOT / "tests" / "vectors" / "certificate-v1.json").read_bytes()
FILE = json.loads(GOLDEN)
KEYS = json.dumps(FILE["keys"]).encode()
STATEMENT = maker.statement(maker.predicate())
STATEMENT_SCHEMA = {**SCHEMA["$defs"]["statement"], "$schema": SCHEMA["$schema"]}


def _verdict(content: dict[str, Any], signer: TestKeySigner | None = None) -> str:
    made = json.dumps(maker.certificate(content, signer)).encode()
    return documents.examine(made).verdict


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(item, (*path, key))
    if path:
        yield path


def _changed(path: tuple[Any, ...], act: str) -> dict[str, Any]:
    changed = copy.deepcopy(STATEMENT)
    parent: Any = changed
    for key in path[:-1]:
        parent = parent[key]
    if act == "drop":
        del parent[path[-1]]
    else:
        parent[path[-1]] = {"null": None, "text": "Ada", "number": -1, "list": [[]]}[act]
    return changed


class TestGoldenCertificate:
    def test_is_valid_with_its_own_keys(self) -> None:
        report = documents.examine(GOLDEN)

        assert report.verdict == "valid"
        assert limits.UNPUBLISHED in words.not_proven(report)

    def test_is_valid_with_the_published_keys(self) -> None:
        report = documents.examine(GOLDEN, KEYS)

        assert report.verdict == "valid"
        assert limits.UNPUBLISHED not in words.not_proven(report)

    def test_is_what_the_maker_writes(self) -> None:
        assert maker.certificate(maker.predicate()) == FILE

    def test_fits_the_published_schema_by_an_independent_checker(self) -> None:
        schema = json.loads((ROOT / "docs/formats/certificate.schema.json").read_text())

        assert schema == SCHEMA
        assert jsonschema_rs.is_valid(schema, FILE)
        assert jsonschema_rs.is_valid(STATEMENT_SCHEMA, STATEMENT)


class TestPart:
    """Certificates of less than a whole person: each in words of its own."""

    @pytest.mark.parametrize("kind", list(PART_EFFECT_TEXTS))
    def test_of_each_kind_has_a_vector_that_is_valid(self, kind: str) -> None:
        content = (ROOT / "tests" / "vectors" / f"certificate-v1-{kind}.json").read_bytes()

        assert documents.examine(content, KEYS).verdict == "valid"
        assert maker.certificate(maker.part(kind)) == json.loads(content)
        assert jsonschema_rs.is_valid(STATEMENT_SCHEMA, maker.statement(maker.part(kind)))

    def test_says_what_was_removed_and_what_it_is_not_about(self) -> None:
        content = json.dumps(maker.certificate(maker.part())).encode()

        said = words.as_text(documents.examine(content))

        assert "removed: 1 records in 3 versions" in said
        assert limits.KEPT_DATA in said
        assert limits.THREE_PERSONS not in said
        assert "anonym" not in said.lower()

    @pytest.mark.parametrize("kind", list(PART_EFFECT_TEXTS))
    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"effect": EFFECT_TEXTS["destroyed"]}, id="effect-of-the-whole"),
            pytest.param({"roles": maker.predicate()["roles"]}, id="roles-of-the-whole"),
            pytest.param({"scope": {"kind": "subject"}}, id="scope-of-the-whole"),
            pytest.param({"scope": {"kind": "items", "group": "main"}}, id="nothing-counted"),
        ],
    )
    def test_is_refused_in_words_of_another(self, kind: str, change: dict[str, Any]) -> None:
        assert _verdict({**maker.part(kind), **change}) == "invalid"

    @pytest.mark.parametrize(("kind", "other"), [("items", "rekey"), ("groups", "items")])
    def test_is_refused_with_the_effect_of_another_part(self, kind: str, other: str) -> None:
        effect = PART_EFFECT_TEXTS[other]["destroyed"]

        assert _verdict({**maker.part(kind), "effect": effect}) == "invalid"

    def test_of_an_absent_share_has_its_own_words(self) -> None:
        content = {**maker.part(), "shares": [maker.share(1, "absent")]}

        assert _verdict(content) == "invalid"
        absent = {"effect": PART_EFFECT_TEXTS["items"]["absent"]}
        assert _verdict({**content, **absent}) == "valid"

    @pytest.mark.parametrize("kind", PART_EFFECT_TEXTS)
    def test_has_words_for_every_state_of_a_share(self, kind: str) -> None:
        assert set(PART_EFFECT_TEXTS[kind]) == set(SHARE_STATES)

    def test_is_refused_when_who_asked_also_erased(self) -> None:
        roles = {**maker.part()["roles"], "requesters": ["process:eraser"]}

        assert _verdict({**maker.part(), "roles": roles}) == "invalid"


class TestExamine:
    @pytest.mark.parametrize(
        "path", list(_places(STATEMENT)), ids=lambda path: ".".join(map(str, path))
    )
    @pytest.mark.parametrize("act", ["drop", "null", "text", "number", "list"])
    def test_refuses_any_changed_member_of_a_signed_statement(
        self, path: tuple[Any, ...], act: str
    ) -> None:
        changed = _changed(path, act)
        if changed == STATEMENT:
            return
        file = copy.deepcopy(FILE)
        payload = canonical.encode(changed)
        file["envelope"]["payload"] = base64.b64encode(payload).decode()

        assert documents.examine(json.dumps(file).encode()).verdict == "invalid"

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
    def test_never_fails_on_any_bytes(self, content: bytes) -> None:
        assert documents.examine(content).verdict == "unreadable"

    @settings(max_examples=300, deadline=None)
    @given(st.integers(0, len(GOLDEN) - 1), st.integers(0, 255))
    def test_never_fails_on_a_damaged_file(self, at: int, byte: int) -> None:
        damaged = GOLDEN[:at] + bytes([byte]) + GOLDEN[at + 1 :]

        report = documents.examine(damaged, KEYS)
        words.as_text(report)

        if report.verdict == "valid":
            # Only white space and the copy of the keys, which was not used, may differ.
            assert json.loads(damaged)["envelope"] == FILE["envelope"]

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from(list(_places(FILE))),
        st.none() | st.integers() | st.text() | st.lists(st.none()) | st.just({}),
    )
    def test_never_fails_on_a_member_of_another_type(
        self, path: tuple[Any, ...], value: object
    ) -> None:
        file = copy.deepcopy(FILE)
        parent: Any = file
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = value

        report = documents.examine(json.dumps(file).encode())

        assert json.dumps(words.as_object(report))
        assert words.as_text(report).isascii()

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            pytest.param(b"[" * 100_000, "deeply", id="deep"),
            pytest.param(b"9" * 10_000, "range", id="huge-number"),
            pytest.param(b'{"a":1,"a":2}', "twice", id="repeated-member"),
            pytest.param(b'{"a":NaN}', "whole", id="nan"),
            pytest.param(b'{"a":1e400}', "whole", id="overflow"),
            pytest.param(b'"\\ud800"', "UTF-8", id="lone-surrogate"),
            pytest.param(b"null", "no certificate and no receipt", id="null"),
            pytest.param(b'{"format":[]}', "no certificate and no receipt", id="other-format"),
            pytest.param(b"", "not JSON", id="empty"),
        ],
    )
    def test_says_why_a_file_is_unreadable(self, content: bytes, reason: str) -> None:
        report = documents.examine(content)

        assert report.verdict == "unreadable"
        assert reason in words.as_text(report)


class TestKeys:
    def test_must_come_from_somewhere(self) -> None:
        file = {name: part for name, part in FILE.items() if name != "keys"}

        assert documents.examine(json.dumps(file).encode()).verdict == "invalid"
        assert documents.examine(json.dumps(file).encode(), KEYS).verdict == "valid"

    def test_given_ones_replace_those_in_the_file(self) -> None:
        mallory = TestKeySigner(seed=bytes([2]) * 32)
        forged = json.dumps(maker.certificate(maker.predicate(), mallory)).encode()

        assert documents.examine(forged).verdict == "valid"
        assert documents.examine(forged, KEYS).verdict == "invalid"

    def test_revoked_ones_verify_nothing(self) -> None:
        keys = copy.deepcopy(FILE["keys"])
        keys["keys"][0]["revoked_at"] = "2027-01-01T00:00:00.000000Z"

        assert documents.examine(GOLDEN, json.dumps(keys).encode()).verdict == "invalid"

    def test_of_another_process_do_not_sign_certificates(self) -> None:
        signer = TestKeySigner(key_id="eraser:1")

        assert _verdict(maker.predicate(), signer) == "invalid"

    def test_that_cannot_be_read_make_it_unreadable(self) -> None:
        assert documents.examine(GOLDEN, b"{").verdict == "unreadable"


class TestConsistency:
    def test_accepts_a_final_certificate(self) -> None:
        content = (ROOT / "tests" / "vectors" / "certificate-v1-final.json").read_bytes()
        report = documents.examine(content, KEYS)

        assert (report.verdict, maker.certificate(maker.final())) == ("valid", json.loads(content))
        assert jsonschema_rs.is_valid(STATEMENT_SCHEMA, maker.statement(maker.final()))
        said = words.as_text(report)
        assert "database-backup gone at 2026-04-13" in said
        assert limits.BY_WORD in said
        assert limits.PENDING not in said

    def test_accepts_an_absent_share_in_its_own_words(self) -> None:
        content = {**maker.predicate(), "shares": [maker.share(1), maker.share(2, "absent")]}

        assert _verdict(content) == "invalid"
        assert _verdict({**content, "effect": EFFECT_TEXTS["absent"]}) == "valid"

    def test_accepts_a_lost_share_in_its_own_words(self) -> None:
        shares = [maker.share(1), maker.share(2, "absent"), maker.share(3, "lost")]
        content = {**maker.predicate(), "shares": shares}

        assert _verdict({**content, "effect": EFFECT_TEXTS["absent"]}) == "invalid"
        assert _verdict({**content, "effect": EFFECT_TEXTS["lost"]}) == "valid"

    def test_refuses_a_lost_share_that_was_read_as_destroyed(self) -> None:
        share = {**maker.share(1, "lost"), "versions": 1}
        content = {**maker.predicate(), "shares": [share], "effect": EFFECT_TEXTS["lost"]}

        assert _verdict(content) == "invalid"

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"destroyed_at": "2026-03-09T09:59:59.000000Z"}, id="before-the-fence"),
            pytest.param({"fenced_at": "2026-02-30T10:00:00.000000Z"}, id="no-such-day"),
            pytest.param({"effect": EFFECT_TEXTS["absent"]}, id="effect-of-another-state"),
            pytest.param({"effect": "The data was anonymised."}, id="words-of-its-own"),
            pytest.param({"shares": [maker.share(1), maker.share(1)]}, id="share-twice"),
            pytest.param({"shares": []}, id="no-share"),
            pytest.param({"shares": [{**maker.share(1), "state": "live"}]}, id="live-share"),
            pytest.param({"shares": [{**maker.share(1), "versions": 0}]}, id="no-version"),
            pytest.param({"nodes": [{"node": "a", "state": "unreachable"}]}, id="nothing-read"),
            pytest.param({"kind": "final"}, id="final-while-pending"),
            pytest.param(
                {"irrecoverable_from": maker.final()["irrecoverable_from"]}, id="interim-ended"
            ),
            pytest.param({"interim": maker.final()["interim"]}, id="interim-of-an-interim"),
            pytest.param({"signed_by": "eraser"}, id="other-signer"),
            pytest.param({"comment": "Ada Lovelace"}, id="free-text"),
            pytest.param(
                {"roles": {**maker.predicate()["roles"], "drafter": "psn_0" + "e" * 25}},
                id="drafter-approved",
            ),
        ],
    )
    def test_refuses_a_signed_statement_at_odds_with_itself(self, change: dict[str, Any]) -> None:
        assert _verdict({**maker.predicate(), **change}) == "invalid"

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"issued_at": "2026-04-12T00:00:00.000000Z"}, id="too-early"),
            pytest.param({"destroyed_at": "2026-04-13T02:11:01.000000Z"}, id="not-the-latest"),
        ],
    )
    def test_refuses_a_final_certificate_before_its_time(self, change: dict[str, Any]) -> None:
        times = dict.fromkeys(("swept_at", "verified_at"), "2026-04-13T02:11:02.000000Z")
        content = {**maker.final(), **(times if "destroyed_at" in change else {}), **change}

        assert _verdict(content) == "invalid"


class TestFaults:
    @settings(max_examples=400, deadline=None)
    @given(
        st.sampled_from(list(_places(STATEMENT))),
        st.sampled_from(["drop", "null", "text", "number", "list"]),
    )
    def test_agree_with_an_independent_checker(self, path: tuple[Any, ...], act: str) -> None:
        changed = _changed(path, act)

        expected = jsonschema_rs.is_valid(STATEMENT_SCHEMA, changed)

        assert (not faults(changed, SCHEMA["$defs"]["statement"])) == expected

    def test_never_repeat_contents(self) -> None:
        changed = {**STATEMENT, "predicate": {**STATEMENT["predicate"], "Ada": "Lovelace"}}

        found = " ".join(faults(changed, SCHEMA["$defs"]["statement"]))

        assert found
        assert "Ada" not in found


LOGGED_CONTENT = (ROOT / "tests" / "vectors" / "certificate-v1-logged.json").read_bytes()
LOGGED = json.loads(LOGGED_CONTENT)


def _logged(**changes: Any) -> Report:
    """The golden one with members of its log part changed."""
    file = {**LOGGED, "log": {**LOGGED["log"], **changes}}
    return documents.examine(json.dumps(file).encode())


def _proof(old: str, new: str) -> Report:
    assert old in LOGGED["log"]["proof"]
    return _logged(proof=LOGGED["log"]["proof"].replace(old, new, 1))


class TestLog:
    def test_is_what_the_maker_writes_and_reaches_level_1(self) -> None:
        report = documents.examine(LOGGED_CONTENT)

        assert maker.logged(maker.certificate(maker.predicate())) == LOGGED
        assert (report.verdict, report.level) == ("valid", 1)
        assert documents.examine(GOLDEN).level == 0
        assert limits.LOGGED in words.as_text(report)
        assert limits.UNLOGGED not in words.not_proven(report)
        assert limits.UNANCHORED in words.not_proven(report)
        said = words.as_object(report)["log"][0]
        assert (said["origin"], said["index"], said["size"]) == ("log.example/synthetic", 33, 67)

    @pytest.mark.parametrize("path", list(_places(LOGGED["log"])), ids=str)
    @pytest.mark.parametrize("act", ["drop", "null", "text", "number", "list"])
    def test_with_any_changed_member_is_refused(self, path: tuple[Any, ...], act: str) -> None:
        changed = copy.deepcopy(LOGGED)
        parent: Any = changed["log"]
        for key in path[:-1]:
            parent = parent[key]
        if act == "drop":
            del parent[path[-1]]
        else:
            parent[path[-1]] = {"null": None, "text": "Ada", "number": -1, "list": [[]]}[act]
        if changed == LOGGED:
            return

        assert documents.examine(json.dumps(changed).encode()).verdict == "invalid"

    @pytest.mark.parametrize("line", range(len(LOGGED["log"]["proof"].splitlines())))
    def test_with_any_changed_line_of_the_proof_is_refused(self, line: int) -> None:
        lines = LOGGED["log"]["proof"].splitlines(keepends=True)
        for changed in ([*lines[:line], *lines[line + 1 :]], [*lines[:line], "x" + lines[line]]):
            proof = "".join([*changed, *([] if len(changed) < len(lines) else lines[line + 1 :])])

            assert _logged(proof=proof).verdict == "invalid"

    def test_is_refused_for_another_place_or_size(self) -> None:
        assert _proof("index 33", "index 34").verdict == "invalid"
        assert _proof("\n67\n", "\n68\n").verdict == "invalid"

    def test_of_another_certificate_is_refused(self) -> None:
        other = maker.event(maker.certificate(maker.final()))
        made = maker.logged(maker.certificate(maker.predicate()), of=other)

        report = documents.examine(json.dumps(made).encode())

        assert report.verdict == "invalid"
        assert ("log: event", False, "the event is about another certificate", 1) in report.checks

    def test_signed_by_a_key_of_another_holder_is_refused(self) -> None:
        file = copy.deepcopy(LOGGED)
        key = next(key for key in file["keys"]["keys"] if key["holder"] == "loggerd")
        key.update(holder="attester", key_id="attester:2")

        assert documents.examine(json.dumps(file).encode()).verdict == "invalid"

    def test_signed_by_a_revoked_key_is_refused(self) -> None:
        file = copy.deepcopy(LOGGED)
        key = next(key for key in file["keys"]["keys"] if key["holder"] == "loggerd")
        key["revoked_at"] = "2026-03-10T00:00:00.000000Z"

        assert documents.examine(json.dumps(file).encode()).verdict == "invalid"

    @pytest.mark.parametrize("proof", cosigned.good(), ids=str)
    def test_with_signatures_of_unknown_keys_is_valid(self, proof: cosigned.Proof) -> None:
        """C2SP signed-note: they are ignored, even with the log's name, or with its key's id."""
        assert _logged(proof=proof.text).level == 1

    @pytest.mark.parametrize("proof", cosigned.bad(), ids=str)
    def test_with_such_signatures_alone_is_refused(self, proof: cosigned.Proof) -> None:
        assert _logged(proof=proof.text).verdict == "invalid"

    @settings(max_examples=300, deadline=None)
    @given(st.text(max_size=400))
    def test_never_fails_on_any_proof(self, proof: str) -> None:
        assert _logged(proof=proof).verdict == "invalid"
