import string
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import ids
from core.errors import InvalidInput
from core.ids import MalformedIdentifier, PublicId

KINDS = st.sampled_from(PublicId)


class TestFormat:
    @pytest.mark.parametrize(
        ("number", "body"),
        [
            pytest.param(0, "0" * 26, id="least"),
            pytest.param(1, "0" * 25 + "1", id="one"),
            pytest.param(2**128 - 1, "7" + "z" * 25, id="greatest"),
            pytest.param(
                0x019C0000_0000_7000_8000_000000000000, "01kg000000e008000000000000", id="uuid7"
            ),
        ],
    )
    def test_writes_the_frozen_text(self, number: int, body: str) -> None:
        assert ids.format(PublicId.SUBJECT, UUID(int=number)) == f"sub_{body}"

    @given(*[st.uuids()] * 2)
    def test_sorts_as_the_uuids_do(self, one: UUID, two: UUID) -> None:
        texts = [ids.format(PublicId.RECORD, value) for value in (one, two)]

        assert (texts[0] < texts[1]) == (one.int < two.int)


class TestParse:
    @given(KINDS, st.uuids())
    def test_reads_what_was_written(self, kind: PublicId, value: UUID) -> None:
        assert ids.parse(kind, ids.format(kind, value)) == value

    @given(
        st.text()
        | st.text(string.ascii_lowercase + string.digits, min_size=26).map("sub_{}".format)
    )
    def test_accepts_only_the_canonical_text(self, text: str) -> None:
        try:
            value = ids.parse(PublicId.SUBJECT, text)
        except MalformedIdentifier:
            return
        assert ids.format(PublicId.SUBJECT, value) == text

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("", id="empty"),
            pytest.param("rec_" + "0" * 26, id="other-kind"),
            pytest.param("sub" + "0" * 26, id="no-separator"),
            pytest.param("sub_" + "0" * 25, id="short"),
            pytest.param("sub_" + "0" * 27, id="long"),
            pytest.param("sub_8" + "0" * 25, id="overflow"),
            pytest.param("sub_" + "0" * 25 + "A", id="upper-case"),
            pytest.param("SUB_" + "0" * 26, id="upper-case-prefix"),
            pytest.param("sub_" + "0" * 25 + "l", id="look-alike"),
            pytest.param("sub_" + "0" * 26 + "\n", id="line-feed"),
            pytest.param("sub_" + "0" * 25 + "\u0661", id="other-digit"),
        ],
    )
    def test_names_the_field_and_never_the_value(self, text: str) -> None:
        with pytest.raises(MalformedIdentifier) as caught:
            ids.parse(PublicId.SUBJECT, text, field="subject_id")

        assert isinstance(caught.value, InvalidInput)
        assert caught.value.code == "malformed-identifier"
        assert caught.value.context == {"field": "subject_id", "expected": "sub"}


class TestNewIds:
    def test_orders_by_time_where_asked(self) -> None:
        values = [ids.new_time_ordered() for _ in range(100)]

        assert values == sorted(values)
        assert {type(value) for value in values} == {UUID}
        assert {value.version for value in values} == {7}

    def test_shows_no_time_where_random(self) -> None:
        assert {ids.new_random().version for _ in range(20)} == {4}


class TestPublicId:
    def test_has_one_prefix_of_three_letters_per_kind(self) -> None:
        prefixes = [kind.value for kind in PublicId]

        assert len(set(prefixes)) == len(prefixes)
        assert all(len(prefix) == 3 and prefix.isalpha() for prefix in prefixes)
