from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.domain.journal import (
    NO_HASH,
    Entry,
    EntryKind,
    InvalidEntryError,
    check_body,
    check_follows,
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
GENESIS = Entry(JOURNAL, 0, NO_HASH, EntryKind.GENESIS, AT, {})
SECOND = Entry(JOURNAL, 1, GENESIS.hash(), EntryKind.LOCK_LIFTED, AT, BODIES[EntryKind.LOCK_LIFTED])


class TestEntry:
    def test_has_the_frozen_hash(self) -> None:
        assert (
            GENESIS.hash().hex()
            == "363cc17e6097d8a6a0da641d64467d3e57571927bfcb5868628918c0ce56f86b"
        )

    def test_is_one_line(self) -> None:
        assert SECOND.line().count(b"\n") == 1
        assert SECOND.line().endswith(b"}\n")


class TestParse:
    @pytest.mark.parametrize("kind", list(EntryKind))
    def test_reads_what_was_written(self, kind: EntryKind) -> None:
        entry = Entry(JOURNAL, 7, bytes(range(32)), kind, AT, BODIES[kind])

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


class TestCheckFollows:
    def test_accepts_the_next_entry(self) -> None:
        check_follows(GENESIS, None)
        check_follows(SECOND, GENESIS)

    @pytest.mark.parametrize(
        ("entry", "before"),
        [
            pytest.param(SECOND, None, id="no-genesis"),
            pytest.param(GENESIS, GENESIS, id="second-genesis"),
            pytest.param(SECOND, SECOND, id="repeated"),
            pytest.param(
                Entry(JOURNAL, 2, GENESIS.hash(), SECOND.kind, AT, SECOND.body), GENESIS, id="gap"
            ),
            pytest.param(
                Entry(JOURNAL, 1, GENESIS.hash(), SECOND.kind, AT, SECOND.body, 1),
                GENESIS,
                id="counts-what-is-no-destruction",
            ),
            pytest.param(
                Entry(
                    JOURNAL,
                    1,
                    GENESIS.hash(),
                    EntryKind.DESTRUCTION,
                    AT,
                    BODIES[EntryKind.DESTRUCTION],
                ),
                GENESIS,
                id="destruction-not-counted",
            ),
            pytest.param(
                Entry(JOURNAL, 1, NO_HASH, SECOND.kind, AT, SECOND.body), GENESIS, id="other-past"
            ),
            pytest.param(
                Entry(UUID(int=2), 1, GENESIS.hash(), SECOND.kind, AT, SECOND.body),
                GENESIS,
                id="other-journal",
            ),
        ],
    )
    def test_refuses_every_other_entry(self, entry: Entry, before: Entry | None) -> None:
        with pytest.raises(InvalidEntryError):
            check_follows(entry, before)


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
