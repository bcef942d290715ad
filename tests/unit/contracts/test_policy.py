"""Witness policies as C2SP spells them."""

import base64
import os
from contextlib import suppress
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.domain import policy

LOG_KEY = b"\x01"


def vkey(name: str, *, kind: bytes = b"\x04", public: bytes | None = None) -> str:
    material = kind + (os.urandom(32) if public is None else public)
    key_id = sha256(name.encode() + b"\n" + material).digest()[:4].hex()
    return f"{name}+{key_id}+{base64.b64encode(material).decode()}"


def witness(label: str) -> str:
    return f"witness {label} {vkey('w.example/' + label)} https://w.example/{label}/"


class TestParse:
    def test_reads_the_example_of_the_specification(self) -> None:
        lines = [
            f"log {vkey('log.example', kind=LOG_KEY)}",
            "",
            "# two organisations",
            *(witness(f"X{number}") for number in (1, 2, 3)),
            "group X-witnesses 2 X1 X2 X3",
            *(f"\t{witness(f'Y{number}')}  " for number in (1, 2, 3)),
            "group Y-witnesses any Y1 Y2 Y3",
            "group X-and-Y all X-witnesses Y-witnesses",
            "quorum X-and-Y",
        ]

        found = policy.parse("\n".join(lines) + "\n")

        assert [one.label for one in found.witnesses] == ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
        assert found.witnesses[0].url == "https://w.example/X1"
        assert found.is_met({"X1", "X3", "Y2"})
        assert not found.is_met({"X1", "Y1", "Y2", "Y3"})
        assert not found.is_met({"X1", "X2", "X3"})
        assert not found.is_met(set())

    def test_takes_one_witness_or_none_as_the_quorum(self) -> None:
        one = policy.parse(f"{witness('A')}\n{witness('B')}\nquorum A")

        assert one.is_met({"A"})
        assert not one.is_met({"B"})
        assert policy.parse("quorum none").is_met(set())

    @pytest.mark.parametrize(
        ("lines", "said"),
        [
            ([], "no line `quorum`"),
            (["quorum A"], "nothing above"),
            (["quorum none", "quorum none"], "one quorum"),
            (["quorum none x"], "one quorum"),
            (["witnes A"], "begins with none"),
            (["witness A x"], "a name, a key and a URL"),
            (["witness A no-key https://w.example"], "no Ed25519 key"),
            ([f"witness A {vkey('a', kind=LOG_KEY)} https://w.example"], "no Ed25519 key"),
            ([f"witness A {vkey('a', public=bytes(1312))} https://w.example"], "no Ed25519 key"),
            ([f"witness A {'b' + vkey('a')} https://w.example"], "another id"),
            ([f"witness A {vkey('a')} file:///x"], "http"),
            ([f"witness A {vkey('a')} https://\u00e9.example"], "http"),
            ([f"witness none {vkey('a')} https://w.example"], "taken"),
            ([witness("A"), witness("A")], "taken"),
            ([witness("A"), "group A 1 A"], "taken"),
            ([witness(str(number)) for number in range(16)], "more than 15"),
            (["group G 1 A"], "nothing above"),
            (["group G 1"], "a name, a number and members"),
            ([witness("A"), "group G 1 none"], "nothing above"),
            ([witness("A"), "group G 1 A A"], "twice"),
            ([witness("A"), "group G 1 A", "group H 1 A"], "twice"),
            ([witness("A"), "group G 2 A"], "1 up to"),
            ([witness("A"), "group G 0 A"], "1 up to"),
            ([witness("A"), "group G \u0661 A"], "1 up to"),
        ],
    )
    def test_refuses_what_it_does_not_say(self, lines: list[str], said: str) -> None:
        with pytest.raises(ValueError, match=said):
            policy.parse("\n".join(lines))

    def test_refuses_a_key_that_counts_twice(self) -> None:
        public = os.urandom(32)
        lines = [
            f"witness {name} {vkey(name, public=public)} https://w.example" for name in ("a", "b")
        ]

        with pytest.raises(ValueError, match=r"line 2 .* has this key"):
            policy.parse("\n".join(lines))

    @given(st.text(alphabet="witnessgroupqu \t\nlaA1#+=/", max_size=80) | st.text(max_size=80))
    def test_raises_nothing_else(self, text: str) -> None:
        with suppress(ValueError):
            policy.parse(text)
