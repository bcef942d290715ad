"""The verifier in JavaScript on what the log and chains have of receipts; and how it ends."""

from pathlib import Path

import pytest

from tests.vectors import make_certificate as maker
from tests.vectors import make_js_receipts as made
from tests.vectors.js_verifier import (
    NEEDS_NODE,
    Change,
    drop,
    evaluate,
    failed,
    levels,
    put,
    run,
    told,
)

pytestmark = NEEDS_NODE
MASS_ACT = made.public("mas", "a")


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
        (found,) = told([made.relogged(kind, at, change)], tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "hfnn")
        assert failed(found) == ["log: event"]

    def test_fails_for_another_mass_act_or_none(self, tmp_path: Path) -> None:
        other = put("details", "mass_act", made.public("mas", "b"))
        facts = made.decision(MASS_ACT)
        events = made.events_of("decision", facts)
        facts["mass_act"] = None
        none = made.logged(made.receipt(made.statement("decision", facts)), events)
        files = [made.relogged("decision", 0, other, mass_act=MASS_ACT), made.as_bytes(none)]

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
        (found,) = told([made.altered(made.whole("lease"), change)], tmp_path)

        assert (levels(found), failed(found)) == ("hfnn", ["log: event"])

    def test_fails_for_what_the_log_has_not(self, tmp_path: Path) -> None:
        file = made.whole("decision")
        proof = file["log"]["entries"][2]["proof"]
        changes = [
            put("log", "entries", 2, "r", "00" * 32),
            put("log", "entries", 1, "event", "id", made.uuid_of(made.REQUEST)),
            put("log", "entries", 2, "proof", proof.replace("index 2\n", "index 3\n")),
        ]

        found = told([made.altered(file, change) for change in changes], tmp_path)

        assert {levels(one) for one in found} == {"hfnn"}
        assert [failed(one) for one in found] == [["log: inclusion"]] * 3

    def test_fails_for_a_head_that_the_log_did_not_sign(self, tmp_path: Path) -> None:
        changes = [
            put("keys", "keys", 1, "public", maker.TestKeySigner(bytes([3]) * 32).public.hex()),
            put("keys", "keys", 1, "revoked_at", made.at(0)),
        ]

        found = told([made.altered(made.whole("lease"), change) for change in changes], tmp_path)

        assert [(levels(one), failed(one)) for one in found] == [("hfnn", ["log: head"])] * 2


class TestLevel2:
    def test_fails_for_an_anchored_head_that_does_not_hold(self, tmp_path: Path) -> None:
        file = made.anchored(made.whole("lease"))
        other = file["log"]["entries"][0]["anchors"][0]["proof"]
        change = put("log", "entries", 1, "anchors", 0, "proof", other)

        (found,) = told([made.altered(file, change)], tmp_path)

        assert (found["verdict"], levels(found)) == ("invalid", "hhfn")
        assert failed(found) == ["log: anchored heads"]

    def test_holds_by_a_known_block_whose_proof_held(self) -> None:
        found = evaluate("""
            import { isConfirmed } from "FOLDER/anchors.mjs";
            const head = (...parts) => new Map([["block_hash", "aa"], ...parts]);
            const proven = head(["receipt", {}]);
            console.log(JSON.stringify([
              isConfirmed([head(), proven], new Set(["aa"])),
              isConfirmed([proven], new Set(["bb"])),
              isConfirmed([head()], new Set(["aa"])),
              isConfirmed([], new Set(["aa"])),
            ]));
        """)

        assert found == [True, False, False, False]

    def test_that_holds_rests_on_who_named_the_block(self) -> None:
        found = evaluate("""
            import { notProven } from "FOLDER/limits.mjs";
            const predicate = new Map([["facts", new Map([["closing", 1]])]]);
            const levels = { 2: "holds" };
            const report = { kind: "lease", keysFrom: "given", levels, entries: [], predicate };
            console.log(JSON.stringify(notProven({ ...report, isAnchored: true })));
        """)

        assert found[-1] == (
            "That the chain keeps the block whose hash was given: you, or the source that you "
            "have it from, said so."
        )


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
        file.write_bytes(made.altered(made.anchored(made.whole("consent")), change))

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
