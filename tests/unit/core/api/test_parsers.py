from io import BytesIO

import pytest
from pytest_django import Settings

from core.api.parsers import BodyTooLarge, JSONParser, Line, UnreadableBody, lines


@pytest.fixture(autouse=True)
def limits(settings: Settings) -> None:
    settings.LETHE_MAX_BODY = 100
    settings.LETHE_MAX_LINE = 20
    settings.LETHE_MAX_BULK_LINES = 4


def codes(body: bytes) -> list[tuple[int, str]]:
    return [
        (line.number, line.problem.code if line.problem else "ok") for line in lines(BytesIO(body))
    ]


class TestJSONParser:
    def test_reads_a_body_of_the_largest_size(self) -> None:
        body = b'"' + b"a" * 98 + b'"'

        assert JSONParser().parse(BytesIO(body)) == "a" * 98

    def test_refuses_one_byte_more(self) -> None:
        with pytest.raises(BodyTooLarge):
            JSONParser().parse(BytesIO(b'"' + b"a" * 99 + b'"'))

    def test_tells_a_broken_connection_from_bad_json(self) -> None:
        class Broken(BytesIO):
            def read(self, _size: int | None = -1, /) -> bytes:
                raise OSError

        with pytest.raises(UnreadableBody):
            JSONParser().parse(Broken())


class TestLines:
    def test_reads_each_line_with_its_number(self) -> None:
        assert list(lines(BytesIO(b'{"a":1}\r\n\n[2]'))) == [
            Line(1, value={"a": 1}),
            Line(3, value=[2]),
        ]

    def test_reports_a_bad_line_and_goes_on(self) -> None:
        assert codes(b"1\n{oops\n\xff\n4") == [
            (1, "ok"),
            (2, "malformed-json"),
            (3, "malformed-json"),
            (4, "ok"),
        ]

    @pytest.mark.parametrize("length", [21, 22, 23, 41, 500])
    def test_skips_a_line_that_is_too_long_and_no_more(self, length: int) -> None:
        assert codes(b"1" * length + b"\n2\n") == [(1, "line-too-large"), (2, "ok")]

    def test_reads_a_line_of_the_largest_size(self) -> None:
        assert codes(b'"' + b"a" * 18 + b'"\r\n') == [(1, "ok")]

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 21, 22, 23])
    def test_reads_the_same_however_the_body_arrives(self, size: int) -> None:
        class Slow(BytesIO):
            def read(self, _size: int | None = -1, /) -> bytes:
                return super().read(size)

        body = b"1\r\n" + b'"' + b"1" * 18 + b'"' + b"\r\n" + b"1" * 60 + b"\r\n" + b"[2]"

        values = [(line.number, line.value) for line in lines(Slow(body))]
        assert values == [(1, 1), (2, "1" * 18), (3, None), (4, [2])]

    def test_stops_at_the_most_lines_allowed_and_says_where(self) -> None:
        assert codes(b"1\n2\n3\n4\n5\n6\n")[3:] == [(4, "ok"), (5, "too-many-lines")]

    def test_stops_at_the_largest_bulk_body(self, settings: Settings) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 3

        assert codes(b"1\n2\n3\n4\n") == [(1, "ok"), (2, "ok"), (3, "ok"), (4, "too-many-lines")]
