from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import commitment
from core.commitment import AUDIT_EVENT, SHOWN_TEXT, Commitment

PAYLOADS = st.dictionaries(st.text(), st.text() | st.integers(-100, 100))


class TestLeafOf:
    def test_follows_the_frozen_formula(self) -> None:
        payload = {"b": 1, "a": "x"}

        leaf = commitment.leaf_of(payload, tag=b"audit.v1", r=bytes(range(32)))

        inner = sha256(b'{"a":"x","b":1}').digest()
        assert leaf == sha256(b"\x00audit.v1" + bytes(range(32)) + inner).digest()
        assert leaf.hex() == "7cc8435ebede3f970b8aa1493fbf4a2a8edd438ee2f3c88d856b835c88e00ad4"

    @pytest.mark.parametrize("tag", [b"", b"short", b"too long."])
    def test_refuses_a_tag_of_another_width(self, tag: bytes) -> None:
        with pytest.raises(ValueError, match="8 bytes"):
            commitment.commit({}, tag=tag)

    def test_refuses_less_randomness(self) -> None:
        with pytest.raises(ValueError, match="32"):
            commitment.leaf_of({}, tag=AUDIT_EVENT, r=bytes(31))


class TestCommit:
    @given(PAYLOADS)
    def test_opens_with_its_payload_only(self, payload: dict[str, object]) -> None:
        made = commitment.commit(payload, tag=AUDIT_EVENT)

        assert commitment.opens(made, payload, tag=AUDIT_EVENT)
        assert not commitment.opens(made, {**payload, "more": 1}, tag=AUDIT_EVENT)
        assert not commitment.opens(made, payload, tag=SHOWN_TEXT)
        assert not commitment.opens(replace(made, r=bytes(32)), payload, tag=AUDIT_EVENT)

    def test_hides_equal_payloads_behind_different_leaves(self) -> None:
        leaves = {commitment.commit({"answer": "yes"}, tag=AUDIT_EVENT).leaf for _ in range(50)}

        assert len(leaves) == 50


class TestCommitment:
    def test_is_packed_into_64_bytes_and_back(self) -> None:
        made = commitment.commit({}, tag=AUDIT_EVENT)

        assert len(made.pack()) == 64
        assert Commitment.unpack(made.pack()) == made

    def test_refuses_to_unpack_another_length(self) -> None:
        with pytest.raises(ValueError, match="64"):
            Commitment.unpack(bytes(63))

    def test_prints_without_its_secret(self) -> None:
        made = commitment.commit({}, tag=AUDIT_EVENT)

        assert repr(made.r) not in repr(made)
