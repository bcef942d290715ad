from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import canonical
from core.api import json_input
from core.api.json_input import MalformedBody
from core.errors import InvalidInput

#: JSON texts with odd spellings: names twice, blanks, digits beyond 53 and 64 bits, escapes.
TEXT = st.recursive(
    st.sampled_from(
        ["null", "true", "-0", "1.0", "1e5", "1e999", "9007199254740991", "9007199254740992",
         "-18446744073709551616", "1e16",
         '"\\u0000"', '"\\\\u0000"', '"a\\": "', '":"', '"\\ud800"']
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]")
    | st.lists(
        st.tuples(
            st.sampled_from(['"a"', '"b\\""', '":"']), st.sampled_from([":", " \t:\n"]), inner
        ),
        max_size=3,
    ).map(lambda members: "{" + ",".join(map("".join, members)) + "}"),
    max_leaves=8,
)  # fmt: skip


def said(load: Callable[[bytes], object], body: str) -> str:
    """What a reader answers, or that it refuses; as text, which tells 1 from 1.0."""
    try:
        return repr(load(body.encode()))
    except MalformedBody as error:
        return str(error)


class TestLoad:
    def test_reads_what_rfc_8259_allows(self) -> None:
        body = '{"a": [1, 2.5, null, true, "é\\ud83d\\ude00"], "b": {}}'.encode()

        assert json_input.load(body) == {"a": [1, 2.5, None, True, "é😀"], "b": {}}

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"{", id="cut short"),
            pytest.param(b'{"a":1,"a":2}', id="name twice"),
            pytest.param(b'{"x":{"a":1,"a":1}}', id="name twice inside"),
            pytest.param(b"[NaN]", id="not a number"),
            pytest.param(b"[-Infinity]", id="infinity"),
            pytest.param(b"[1e999]", id="float that overflows"),
            pytest.param(b"9007199254740992", id="integer beyond 53 bits"),
            pytest.param(b"9" * 10_000, id="integer of ten thousand digits"),
            pytest.param(b'"\\u0000"', id="escaped NUL"),
            pytest.param(b'{"a\\u0000":1}', id="NUL in a name"),
            pytest.param(b'"\x00"', id="raw NUL"),
            pytest.param(b'"\\ud800"', id="lone surrogate"),
            pytest.param(b'"\xff"', id="not UTF-8"),
            pytest.param(b"\xef\xbb\xbf{}", id="byte order mark"),
            pytest.param(b"[" * 33 + b"]" * 33, id="33 levels"),
            pytest.param(b"[" * 100_000, id="a hundred thousand levels"),
        ],
    )
    def test_refuses(self, body: bytes) -> None:
        with pytest.raises(MalformedBody):
            json_input.load(body)

    def test_accepts_the_deepest_nesting_allowed(self) -> None:
        assert json_input.load(b"[" * 32 + b"]" * 32)

    def test_never_repeats_input_in_its_error(self) -> None:
        with pytest.raises(MalformedBody) as caught:
            json_input.load(b'{"ada.lovelace@example.org": ada.lovelace')

        assert "ada" not in str(caught.value) + str(caught.value.context)

    @given(TEXT)
    def test_reads_as_the_careful_reader_does(self, body: str) -> None:
        assert said(json_input.load, body) == said(json_input._load_carefully, body)

    @given(st.binary(max_size=60))
    def test_either_answers_or_refuses_any_bytes(self, body: bytes) -> None:
        try:
            value = json_input.load(body)
        except InvalidInput:
            return
        assert canonical.encode(value)  # whatever is let in has a canonical form
