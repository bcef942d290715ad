"""Checkpoints and tiles as C2SP spells them."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from contracts.domain import checkpoint
from contracts.domain.checkpoint import Head
from contracts.domain.tiles import TileName

#: The Go checksum database's own key and a head it signed long ago, from its documentation.
_NAME, _KEY_ID = "sum.golang.org", "033de0ae"
_PUBLIC = "Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


class TestKeyId:
    def test_is_the_one_that_another_log_is_known_by(self) -> None:
        kind, public = base64.b64decode(_PUBLIC)[:1], base64.b64decode(_PUBLIC)[1:]

        assert kind == b"\x01"
        assert checkpoint.key_id(_NAME, public).hex() == _KEY_ID
        Ed25519PublicKey.from_public_bytes(public)


class TestNote:
    def test_has_the_text_an_empty_line_and_the_signatures(self) -> None:
        head = Head("acme.example/log", 64, bytes(range(32)))
        line = checkpoint.signature_line(head.origin, bytes(32), bytes(64))

        assert checkpoint.note(head.text(), [line]) == (
            "acme.example/log\n64\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n" + line
        )
        assert line.startswith("— acme.example/log ")
        assert len(base64.b64decode(line.split(" ")[2])) == 4 + 64

    @pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x07"])
    def test_refuses_an_origin_that_no_key_may_have(self, origin: str) -> None:
        with pytest.raises(ValueError, match="origin"):
            checkpoint.check_origin(origin)

    def test_takes_an_origin_like_a_url(self) -> None:
        checkpoint.check_origin("log.acme.example/2027")


class TestProofText:
    def test_is_the_proof_and_then_the_checkpoint_itself(self) -> None:
        note = checkpoint.note(Head("o", 2, bytes(32)).text(), ["— o AAAA\n"])

        found = checkpoint.proof_text(index=1, path=[bytes(32)], checkpoint=note)

        assert found == f"c2sp.org/tlog-proof@v1\nindex 1\n{'A' * 43}=\n\n{note}"


class TestTileName:
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("0/000", TileName(0, 0)),
            ("0/x001/x234/067", TileName(0, 1234067)),
            ("1/273.p/17", TileName(1, 273, 17)),
        ],
    )
    def test_is_read_and_written(self, path: str, name: TileName) -> None:
        assert TileName.parse(path) == name
        assert name.path() == path

    @pytest.mark.parametrize(
        "path",
        ["", "0", "00/000", "0/00", "0/x000/001", "0/1000", "0/001.p/0", "0/001.p/256",
         "0/001.p/01", "64/000", "0/x1/000", "-1/000", "0/000/", "entries/000",
         "0/\u0660\u0660\u0660"],
    )  # fmt: skip
    def test_has_one_spelling(self, path: str) -> None:
        assert TileName.parse(path) is None

    @given(st.integers(0, 63), st.integers(0, 10**12), st.integers(1, 256))
    def test_comes_back(self, level: int, index: int, width: int) -> None:
        name = TileName(level, index, width)

        assert TileName.parse(name.path()) == name

    def test_is_in_a_tree_that_has_all_of_it(self) -> None:
        """The example of the specification: a tree of 70,000 entries."""
        inside = [(0, 272, 256), (0, 273, 112), (1, 0, 256), (1, 1, 17), (2, 0, 1)]
        outside = [(0, 273, 113), (1, 1, 18), (2, 0, 2), (0, 274, 1), (3, 0, 1)]

        assert all(TileName(*name).is_in(70_000) for name in inside)
        assert not any(TileName(*name).is_in(70_000) for name in outside)
