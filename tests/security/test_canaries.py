"""The search itself: a search that cannot find anything proves nothing."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.security import canaries

HIDDEN: dict[str, Callable[[str], bytes]] = {
    "plain": lambda value: f"x{value}y".encode(),
    "JSON": lambda value: json.dumps({"a": [value]}).encode(),
    "UTF-16": lambda value: f"x{value}".encode("utf-16"),
    "a bytea column": lambda value: b"\\\\x00" + value.encode().hex().encode() + b"00",
    "base64 of more": lambda value: base64.b64encode(f"name={value};".encode()),
    "URL-safe base64": lambda value: base64.urlsafe_b64encode(f"?{value}??".encode()),
    "SHA-256": lambda value: hashlib.sha256(value.encode()).hexdigest().encode(),
    "raw SHA-1": lambda value: b"\0" + hashlib.sha1(value.encode()).digest(),  # noqa: S324
    "MD5 of lower case": lambda value: hashlib.md5(value.lower().encode()).hexdigest().encode(),  # noqa: S324
    "base64 of SHA-256": lambda value: base64.b64encode(hashlib.sha256(value.encode()).digest()),
}


class TestSearch:
    @pytest.mark.parametrize("value", canaries.ALL)
    @pytest.mark.parametrize("way", HIDDEN)
    def test_finds_each_value_in_each_form(self, value: str, way: str) -> None:
        content = b"\x00" * 50 + HIDDEN[way](value) + b"\xff" * 50

        assert canaries.found_in(content)

    def test_finds_nothing_where_nothing_is(self) -> None:
        assert canaries.found_in(b"\x00" * 5000 + b"Quux" + bytes(range(256)) * 40) == []

    def test_looks_into_every_file_of_a_folder_and_at_its_name(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "b").mkdir(parents=True)
        (tmp_path / "a" / "b" / "c").write_text(canaries.EMAIL)
        (tmp_path / canaries.NUMBER).write_text("nothing")

        found = canaries.found_under(tmp_path)

        assert any(canaries.EMAIL in what for what in found)
        assert any(canaries.NUMBER in what for what in found)

    def test_fails_on_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            canaries.found_under(tmp_path / "nowhere")
