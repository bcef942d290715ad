from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.verifier import ed25519

Verify = Callable[[bytes, bytes, bytes], bool]

#: RFC 8032 section 7.1, tests 1 to 3: public key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493

both = pytest.mark.parametrize(
    "verify",
    [
        pytest.param(ed25519.verify, id="installed"),
        pytest.param(ed25519.verify_plain, id="plain"),
    ],
)


@both
class TestVerify:
    @pytest.mark.parametrize("vector", RFC_8032, ids=["empty", "one-byte", "two-bytes"])
    def test_accepts_the_vectors_of_rfc_8032(self, verify: Verify, vector: tuple[str, ...]) -> None:
        public, message, signature = (bytes.fromhex(part) for part in vector)

        assert verify(public, message, signature)
        assert not verify(public, message + b"\x00", signature)

    @settings(max_examples=25, deadline=None)
    @given(
        seed=st.binary(min_size=32, max_size=32),
        message=st.binary(max_size=100),
        bit=st.integers(0, 511),
    )
    def test_refuses_any_flipped_bit(
        self, verify: Verify, seed: bytes, message: bytes, bit: int
    ) -> None:
        key = Ed25519PrivateKey.from_private_bytes(seed)
        signature = key.sign(message)
        changed = bytearray(signature)
        changed[bit // 8] ^= 1 << bit % 8

        assert verify(key.public_key().public_bytes_raw(), message, signature)
        assert not verify(key.public_key().public_bytes_raw(), message, bytes(changed))

    def test_refuses_a_second_spelling_of_the_same_signature(self, verify: Verify) -> None:
        public, message, signature = (bytes.fromhex(part) for part in RFC_8032[1])
        scalar = int.from_bytes(signature[32:], "little") + GROUP_ORDER

        assert not verify(public, message, signature[:32] + scalar.to_bytes(32, "little"))

    @pytest.mark.parametrize(
        ("public", "signature"),
        [
            pytest.param(b"", bytes(64), id="no-key"),
            pytest.param(bytes(32), b"", id="no-signature"),
            pytest.param(b"\xff" * 32, bytes(64), id="key-off-the-field"),
            pytest.param(b"\x02" + bytes(31), bytes(64), id="key-off-the-curve"),
        ],
    )
    def test_refuses_malformed_input(self, verify: Verify, public: bytes, signature: bytes) -> None:
        assert not verify(public, b"", signature)
