"""The verifier in JavaScript on zips that are not of the one form that a bundle has."""

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.vectors import make_js_bundles as made
from tests.vectors.js_verifier import NEEDS_NODE, levels, told

pytestmark = NEEDS_NODE


def one_of(content: bytes, folder: Path) -> dict[str, Any]:
    (found,) = told([content], folder)
    return found


def patched(at: int, form: str, value: int) -> bytes:
    """A good zip with one number in it changed; from the end where `at` is negative."""
    content = bytearray(made.bundle(made.files()))
    struct.pack_into(form, content, at if at >= 0 else len(content) + at, value)
    return bytes(content)


def directory() -> int:
    """Where the central directory of that zip begins."""
    start: int = struct.unpack_from("<I", made.bundle(made.files())[-22:], 16)[0]
    return start


class TestDamagedZips:
    @pytest.mark.parametrize(
        ("at", "form", "value"),
        [
            (6, "<H", 1),  # local flags: encrypted
            (6, "<H", 8),  # sizes behind the content
            (8, "<H", 8),  # deflated
            (14, "<I", 0),  # CRC-32
            (22, "<I", 1),  # size
            (28, "<H", 1),  # extra field
            (30, "<B", ord("c")),  # name
            (45, "<B", 0),  # content
            (-22, "<I", 0),  # end record
            (-18, "<H", 1),  # disk
            (-14, "<H", 1),  # entries on this disk
            (-12, "<H", 7),  # entries
            (-10, "<I", 0),  # size of the directory
            (-6, "<I", 0),  # its place
            (-2, "<H", 1),  # comment
        ],
    )
    def test_are_unreadable(self, at: int, form: str, value: int, tmp_path: Path) -> None:
        found = one_of(patched(at, form, value), tmp_path)

        assert (found["verdict"], levels(found), found["documents"]) == ("unreadable", "fnnn", [])

    @pytest.mark.parametrize(
        ("at", "form", "value"),
        [(8, "<H", 1), (10, "<H", 8), (30, "<H", 1), (32, "<H", 1), (34, "<H", 1), (42, "<I", 1)],
    )
    def test_are_unreadable_by_their_directory(
        self, at: int, form: str, value: int, tmp_path: Path
    ) -> None:
        assert one_of(patched(directory() + at, form, value), tmp_path)["verdict"] == "unreadable"

    def test_are_unreadable_with_anything_between_before_or_behind(self, tmp_path: Path) -> None:
        good = made.bundle(made.files())
        moved = bytearray(good[: directory()] + b"x" + good[directory() :])
        struct.pack_into("<I", moved, len(moved) - 6, directory() + 1)
        files = [bytes(moved), b"PK" + good, good + b"\n", good[:-1], good[22:], b"PK", good[:40]]

        assert {found["verdict"] for found in told(files, tmp_path)} == {"unreadable"}

    def test_are_unreadable_with_other_names_or_too_many(self, tmp_path: Path) -> None:
        bad = ["A.json", ".json", "a/b", "a" * 65, "..", ""]
        files = [made.bundle({**made.files(), name: b""}) for name in bad]
        files.append(made.bundle({**made.files(), **{f"{n}.txt": b"" for n in range(59)}}))
        twice = made.bundle({**made.files(), "readme.tx2": b""})
        files.append(twice.replace(b"readme.tx2", b"readme.txt"))

        assert {found["verdict"] for found in told(files, tmp_path)} == {"unreadable"}

    def test_are_unreadable_as_other_programs_pack_them(self, tmp_path: Path) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
            for name, part in made.files().items():
                target.writestr(name, part)

        assert one_of(packed.getvalue(), tmp_path)["verdict"] == "unreadable"

    def test_are_unreadable_when_too_large(self, tmp_path: Path) -> None:
        large = made.bundle({**made.files(), "readme.txt": bytes(16 << 20)})

        assert one_of(large, tmp_path)["reason"] == "the file is larger than 16 MiB"

    def test_are_no_bundles_without_a_manifest_that_can_be_read(self, tmp_path: Path) -> None:
        content = made.files()
        files = [
            made.zipped(content),
            made.zipped({}),
            *(made.zipped({**content, "bundle.json": text}) for text in (b"", b"[]", b"{}")),
        ]

        assert {found["verdict"] for found in told(files, tmp_path)} == {"unreadable"}
