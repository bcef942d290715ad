from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.domain.journal import (
    NO_HASH,
    Entry,
    EntryKind,
    InvalidEntryError,
    chained,
    check_body,
    check_follows,
    genesis,
    parse,
)

AT = datetime(2026, 3, 9, 10, tzinfo=UTC)
JOURNAL = UUID(int=1)
ID = "00000000-0000-4000-8000-000000000001"
PAIR: dict[str, object] = {
    "controller_id": ID,
    "subject_id": ID,
    "decided_at": "2026-03-09T10:00:00.000000Z",
}
ITEM: dict[str, object] = {
    "erasure_id": ID,
    "scope": "subject",
    "kids": ["ab" * 16],
    "tags": [{"kind": "email", "tag": "cd" * 32, "source_id": ID}],
}
BODIES: Mapping[EntryKind, dict[str, object]] = {
    EntryKind.GENESIS: {},
    EntryKind.DESTRUCTION: {"controller_id": ID, "cluster": "default", "items": [ITEM]},
    EntryKind.REVOCATION: PAIR,
    EntryKind.RESTRICTION: PAIR,
    EntryKind.RESTRICTION_LIFTED: PAIR,
    EntryKind.LOCK: {
        "controller_id": ID,
        "lock_id": ID,
        "scope": "subject",
        "scope_id": ID,
        "ground": "litigation",
        "placed_by": "psn_1",
        "placed_at": "2026-03-09T10:00:00.000000Z",
    },
    EntryKind.LOCK_LIFTED: {
        "controller_id": ID,
        "lock_id": ID,
        "lifted_by": "process:eraser",
        "lifted_at": "2026-03-09T10:00:00.000000Z",
    },
    EntryKind.REKEY: {
        "controller_id": ID,
        "subject_id": ID,
        "group": "main",
        "cluster": "default",
        "old_kid": "ab" * 16,
        "new_kid": "cd" * 16,
        "rows": [ID],
        "reason": "rectification",
    },
    EntryKind.RELEASED: {"officer": "psn_1", "erasures": [ID]},
}
REFOUNDED: dict[str, object] = {
    "previous": {"journal_id": ID, "sequence": 41, "hash": "ab" * 32},
    "operators": ["psn_1", "psn_2"],
    "barred_before": "2026-03-09T10:00:00.000000Z",
}
GENESIS = genesis(JOURNAL, now=AT, body={})
(SECOND,) = chained(
    [(EntryKind.LOCK_LIFTED, BODIES[EntryKind.LOCK_LIFTED])], after=GENESIS.head(), now=AT
)
DESTRUCTION = chained(
    [(EntryKind.DESTRUCTION, BODIES[EntryKind.DESTRUCTION])], after=GENESIS.head(), now=AT
)[0]


class TestEntry:
    def test_has_the_frozen_hash(self) -> None:
        assert (
            GENESIS.hash().hex()
            == "2f5fe940c2384ae6f3b6e2485441a0e1aa4b648a9185b2e5075470c63eddf9ab"
        )

    def test_of_a_destruction_has_the_frozen_line(self) -> None:
        assert (
            sha256(DESTRUCTION.line()).hexdigest()
            == "0bf86fdd38e324a4edade34d6220775b0ad0145cc42942c7ae108cc16479fee5"
        )

    def test_is_one_line(self) -> None:
        assert SECOND.line().count(b"\n") == 1
        assert SECOND.line().endswith(b"}\n")


class TestGenesis:
    def test_goes_on_from_the_ordinal_of_the_journal_before(self) -> None:
        entry = genesis(JOURNAL, now=AT, ordinal=7, body=REFOUNDED)

        check_follows(entry, None)
        assert parse(entry.line()) == entry
        assert chained([(EntryKind.DESTRUCTION, {})], after=entry.head(), now=AT)[0].ordinal == 8

    @pytest.mark.parametrize(
        ("ordinal", "body"),
        [
            pytest.param(1, {}, id="ordinal-from-nowhere"),
            pytest.param(-1, REFOUNDED, id="negative-ordinal"),
            pytest.param(1, {**REFOUNDED, "operators": ["psn_1"] * 2}, id="one-person-twice"),
            pytest.param(1, {**REFOUNDED, "operators": ["psn_1", "process:x"]}, id="no-person"),
            pytest.param(1, {"previous": REFOUNDED["previous"]}, id="by-nobody"),
            pytest.param(1, {**REFOUNDED, "why": "Ada asked"}, id="free-text"),
        ],
    )
    def test_is_refused_otherwise(self, ordinal: int, body: dict[str, object]) -> None:
        with pytest.raises(ValueError, match=r"genesis|refounded"):
            genesis(JOURNAL, now=AT, ordinal=ordinal, body=body)


class TestChained:
    def test_counts_destructions_and_names_the_end_of_the_batch(self) -> None:
        kinds = [EntryKind.DESTRUCTION, EntryKind.LOCK_LIFTED, EntryKind.DESTRUCTION]

        entries = chained([(kind, BODIES[kind]) for kind in kinds], after=GENESIS.head(), now=AT)

        assert [entry.ordinal for entry in entries] == [1, 1, 2]
        assert [entry.batch_end for entry in entries] == [3, 3, 3]
        for before, entry in pairwise([GENESIS, *entries]):
            check_follows(entry, before.head())


class TestParse:
    @pytest.mark.parametrize("kind", list(EntryKind))
    def test_reads_what_was_written(self, kind: EntryKind) -> None:
        entry = Entry(JOURNAL, 7, 9, bytes(range(32)), 3, kind, AT, BODIES[kind])

        assert parse(entry.line()) == entry

    @given(st.integers(0, len(SECOND.line()) * 8 - 1))
    def test_refuses_any_flipped_bit(self, bit: int) -> None:
        line = bytearray(SECOND.line())
        line[bit // 8] ^= 1 << bit % 8

        with pytest.raises(InvalidEntryError):
            parse(bytes(line))

    @given(st.binary(max_size=200))
    def test_refuses_any_other_bytes(self, line: bytes) -> None:
        with pytest.raises(InvalidEntryError):
            parse(line)

    @pytest.mark.parametrize("member", ["sequence", "ordinal", "batch_end"])
    @pytest.mark.parametrize("value", [-1, True, "1", None])
    def test_refuses_what_is_no_count(self, member: str, value: object) -> None:
        change: dict[str, Any] = {member: value}
        entry = replace(SECOND, **change)

        with pytest.raises(InvalidEntryError):
            parse(entry.line())


class TestCheckFollows:
    def test_accepts_the_next_entry(self) -> None:
        check_follows(GENESIS, None)
        check_follows(SECOND, GENESIS.head())

    @pytest.mark.parametrize(
        ("entry", "before"),
        [
            pytest.param(SECOND, None, id="no-genesis"),
            pytest.param(GENESIS, GENESIS, id="second-genesis"),
            pytest.param(replace(GENESIS, ordinal=1), None, id="genesis-that-counts"),
            pytest.param(SECOND, SECOND, id="repeated"),
            pytest.param(replace(SECOND, sequence=2, batch_end=2), GENESIS, id="gap"),
            pytest.param(replace(SECOND, batch_end=0), GENESIS, id="after-its-batch"),
            pytest.param(replace(SECOND, ordinal=1), GENESIS, id="counts-what-is-none"),
            pytest.param(replace(DESTRUCTION, ordinal=0), GENESIS, id="not-counted"),
            pytest.param(replace(DESTRUCTION, ordinal=2), GENESIS, id="counted-twice"),
            pytest.param(replace(SECOND, previous=NO_HASH), GENESIS, id="other-past"),
            pytest.param(replace(SECOND, journal_id=UUID(int=2)), GENESIS, id="other-journal"),
        ],
    )
    def test_refuses_every_other_entry(self, entry: Entry, before: Entry | None) -> None:
        with pytest.raises(InvalidEntryError):
            check_follows(entry, None if before is None else before.head())


class TestCheckBody:
    @pytest.mark.parametrize("kind", list(EntryKind))
    def test_accepts_the_body_of_its_kind(self, kind: EntryKind) -> None:
        check_body(kind, BODIES[kind])

    @pytest.mark.parametrize("kind", [kind for kind in EntryKind if BODIES[kind]])
    def test_refuses_a_body_that_lacks_a_member(self, kind: EntryKind) -> None:
        for name in BODIES[kind]:
            body = {key: value for key, value in BODIES[kind].items() if key != name}
            with pytest.raises(ValueError, match=name):
                check_body(kind, body)

    @pytest.mark.parametrize("kind", list(EntryKind))
    def test_refuses_a_member_of_its_own(self, kind: EntryKind) -> None:
        with pytest.raises(ValueError, match="may not have"):
            check_body(kind, {**BODIES[kind], "email": "ada@example.test"})

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"items": []}, id="no-item"),
            pytest.param({"items": [{**ITEM, "kids": ["ab" * 16] * 1001}]}, id="too-many-kids"),
            pytest.param({"items": [{**ITEM, "kids": ["ab" * 16] * 501}] * 2}, id="kids-in-all"),
            pytest.param({"items": [{**ITEM, "kids": ["Ada Lovelace"]}]}, id="name-as-kid"),
            pytest.param({"items": [{**ITEM, "kids": "ab" * 16}]}, id="kid-outside-a-list"),
            pytest.param({"items": [{**ITEM, "tags": ["ada@example.test"]}]}, id="address-as-tag"),
            pytest.param({"items": [{**ITEM, "name": "Ada Lovelace"}]}, id="name-in-an-item"),
            pytest.param({"items": [{**ITEM, "scope": "Ada"}]}, id="name-as-scope"),
            pytest.param({"items": [{**ITEM, "scope": "group"}]}, id="group-without-its-code"),
            pytest.param({"items": [{**ITEM, "group": "main"}]}, id="subject-with-a-group"),
            pytest.param({"items": [ITEM] * 1001}, id="too-many-erasures"),
            pytest.param({"controller_id": "Acme"}, id="name-as-id"),
            pytest.param({"cluster": "Ada Lovelace"}, id="name-as-cluster"),
        ],
    )
    def test_refuses_what_could_identify_and_never_repeats_it(
        self, change: dict[str, object]
    ) -> None:
        with pytest.raises(ValueError, match=next(iter(change))) as caught:
            check_body(EntryKind.DESTRUCTION, {**BODIES[EntryKind.DESTRUCTION], **change})

        assert "Ada" not in str(caught.value)
