import json
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from core import canonical

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


class TestEncode:
    def test_writes_the_example_of_rfc_8785(self) -> None:
        value = {
            "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 1e-27],
            "string": '\u20ac$\u000f\u000aA\'B"\\\\"/',
            "literals": [None, True, False],
        }

        assert (
            canonical.encode(value)
            == (
                '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
                '"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
            ).encode()
        )

    def test_sorts_members_by_utf_16_units(self) -> None:
        value = {"\ufb33": 1, "\U0001f600": 2, "\r": 3, "1": 4}

        members = list(json.loads(canonical.encode(value)))

        assert members == ["\r", "1", "\U0001f600", "\ufb33"]

    @given(JSON)
    def test_is_read_back_as_the_same_value(self, value: object) -> None:
        # ECMAScript writes large floats as whole numbers; JSON readers take them back as floats.
        assert json.loads(canonical.encode(value), parse_int=float) == value

    @given(JSON)
    def test_writes_plain_values_as_the_careful_encoder_does(self, value: object) -> None:
        assert canonical.encode(value) == rfc8785.dumps(value)  # type: ignore[arg-type]

    @given(st.dictionaries(st.text(), st.integers(0, 9)))
    def test_does_not_depend_on_the_order_of_members(self, value: dict[str, int]) -> None:
        turned = dict(reversed(value.items()))

        assert canonical.encode(turned) == canonical.encode(value)

    @pytest.mark.parametrize(
        "value",
        [
            pytest.param(float("nan"), id="nan"),
            pytest.param(float("inf"), id="infinity"),
            pytest.param(2**53, id="integer-too-large"),
            pytest.param({1: "a"}, id="number-as-key"),
            pytest.param({b"a": "a"}, id="bytes-as-key"),
            pytest.param(b"a", id="bytes"),
            pytest.param(uuid4(), id="uuid"),
            pytest.param(datetime(2026, 1, 1, tzinfo=UTC), id="instant"),
            pytest.param({"a", "b"}, id="set"),
            pytest.param("\ud800", id="lone-surrogate"),
            pytest.param({"\ud800": 1}, id="lone-surrogate-as-key"),
        ],
    )
    def test_refuses_what_has_no_canonical_form(self, value: object) -> None:
        with pytest.raises(ValueError, match=r"canonical|2\*\*53|Unicode"):
            canonical.encode(value)

    def test_never_repeats_the_value_in_its_error(self) -> None:
        with pytest.raises(ValueError, match="Unicode") as caught:
            canonical.encode({"name": "ada\ud800"})

        assert "ada" not in str(caught.value)
        assert caught.value.__suppress_context__

    def test_refuses_what_is_nested_too_deeply(self) -> None:
        value: list[object] = []
        for _ in range(100_000):
            value = [value]

        with pytest.raises(ValueError, match="deeply"):
            canonical.encode(value)


class TestInstant:
    def test_writes_utc_with_six_decimals(self) -> None:
        berlin = timezone(timedelta(hours=1))

        text = canonical.instant(datetime(2026, 3, 5, 10, 0, tzinfo=berlin))

        assert text == "2026-03-05T09:00:00.000000Z"

    def test_refuses_a_naive_time(self) -> None:
        with pytest.raises(ValueError, match="time zone"):
            canonical.instant(datetime(2026, 3, 5))  # noqa: DTZ001  the subject of the test

    @given(*[st.datetimes(timezones=st.just(UTC))] * 2)
    def test_sorts_as_times_do(self, one: datetime, two: datetime) -> None:
        assert (canonical.instant(one) < canonical.instant(two)) == (one < two)


class TestParseInstant:
    @given(st.datetimes(timezones=st.just(UTC)))
    def test_reads_what_was_written(self, value: datetime) -> None:
        assert canonical.parse_instant(canonical.instant(value)) == value

    @pytest.mark.parametrize(
        "text",
        ["2026-03-05T09:00:00Z", "2026-03-05T09:00:00.000000+00:00", "2026-03-05", "soon", ""],
    )
    def test_refuses_every_other_spelling(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            canonical.parse_instant(text)
