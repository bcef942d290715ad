import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.domain import status_list
from contracts.domain.status_list import EMPTY, ENTRIES
from tests.vectors import bitstring


class TestBits:
    @given(st.sets(st.integers(0, ENTRIES - 1), max_size=50))
    def test_are_set_where_they_were_and_nowhere_else(self, places: set[int]) -> None:
        bits = status_list.with_set(EMPTY, places)

        assert all(bitstring.is_set(bits, place) for place in places)
        assert sum(byte.bit_count() for byte in bits) == len(places)

    def test_begin_at_the_left_of_the_first_byte(self) -> None:
        assert status_list.with_set(EMPTY, [0])[0] == 0b1000_0000
        assert status_list.with_set(EMPTY, [7])[0] == 0b0000_0001
        assert status_list.with_set(EMPTY, [8])[1] == 0b1000_0000

    def test_end_where_the_list_ends(self) -> None:
        with pytest.raises(IndexError):
            status_list.with_set(EMPTY, [ENTRIES])


class TestEncoded:
    def test_is_at_least_as_long_as_the_recommendation_asks(self) -> None:
        assert ENTRIES >= 131_072

    @given(st.sets(st.integers(0, ENTRIES - 1), max_size=20))
    def test_is_gzip_in_base64url_and_read_again(self, places: set[int]) -> None:
        bits = status_list.with_set(EMPTY, places)

        text = status_list.encoded(bits)

        assert text[0] == "u"
        assert "=" not in text
        assert bitstring.decoded(text) == bits

    def test_reads_the_recommendations_own_example(self) -> None:
        """Bitstring Status List v1.0, example 3: 131,072 bits, none of them set."""
        text = "uH4sIAAAAAAAAA-3BMQEAAADCoPVPbQwfoAAAAAAAAAAAAAAAAAAAAIC3AYbSVKsAQAAA"

        assert bitstring.decoded(text) == bytes(131_072 // 8)


class TestFlips:
    @pytest.mark.parametrize(
        ("revoked", "flips"), [(0, 8), (1, 8), (8, 8), (9, 16), (16, 16), (17, 32), (1000, 1024)]
    )
    def test_are_a_power_of_two_with_room_for_all(self, revoked: int, flips: int) -> None:
        assert status_list.flips(revoked) == flips
