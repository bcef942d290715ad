"""Sealing, checked against an independent reading of RFC 9180."""

import hmac
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from core import hpke
from core.hpke import NotAuthentic

PRIVATE = bytes(range(32))
SEALED = bytes.fromhex(
    "01dc53dd2637cd8a2a37707048306ec41e3c416e1163230c5013eed46ee0250a"
    "4ddb127c579085b318aabd9035261a92d5dc999f6c56a15e7942acf21587e0ce"
    "9ba0c5"
)


def _extract(suite: bytes, salt: bytes, label: bytes, key: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + key, sha256)


def _expand(suite: bytes, key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    content = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(key, content + b"\x01", sha256)[:size]


def _open_by_the_book(private: bytes, sealed: bytes, info: bytes) -> bytes:
    enc, ciphertext = sealed[1:33], sealed[33:]
    key = X25519PrivateKey.from_private_bytes(private)
    shared = key.exchange(X25519PublicKey.from_public_bytes(enc))
    kem = b"KEM" + (0x0020).to_bytes(2, "big")
    prk = _extract(kem, b"", b"eae_prk", shared)
    context = enc + key.public_key().public_bytes_raw()
    secret = _expand(kem, prk, b"shared_secret", context, 32)
    suite = b"HPKE" + b"".join(number.to_bytes(2, "big") for number in (0x0020, 0x0001, 0x0002))
    schedule = (
        b"\x00"
        + _extract(suite, b"", b"psk_id_hash", b"")
        + _extract(suite, b"", b"info_hash", info)
    )
    prk = _extract(suite, secret, b"secret", b"")
    aead = AESGCM(_expand(suite, prk, b"key", schedule, 32))
    return aead.decrypt(_expand(suite, prk, b"base_nonce", schedule, 12), ciphertext, b"")


class TestSeal:
    @given(st.binary(max_size=200), st.binary(min_size=1, max_size=40))
    def test_is_opened_by_the_private_key(self, plaintext: bytes, info: bytes) -> None:
        pair = hpke.generate_key_pair()

        sealed = hpke.seal(pair.public, plaintext, info=info)

        assert len(sealed) == len(plaintext) + hpke.OVERHEAD
        assert hpke.open(pair.private, sealed, info=info) == plaintext

    def test_is_what_rfc_9180_describes(self) -> None:
        pair = hpke.generate_key_pair()

        sealed = hpke.seal(pair.public, b"opening", info=b"place")

        assert _open_by_the_book(pair.private, sealed, b"place") == b"opening"

    def test_never_repeats_itself(self) -> None:
        pair = hpke.generate_key_pair()

        assert len({hpke.seal(pair.public, b"", info=b"place") for _ in range(20)}) == 20

    def test_refuses_an_empty_binding(self) -> None:
        with pytest.raises(ValueError, match="info"):
            hpke.seal(hpke.generate_key_pair().public, b"", info=b"")


class TestOpen:
    def test_opens_the_frozen_vector(self) -> None:
        assert hpke.open(PRIVATE, SEALED, info=b"lethe/test") == b"an opening, frozen"

    def test_refuses_another_key(self) -> None:
        with pytest.raises(NotAuthentic):
            hpke.open(hpke.generate_key_pair().private, SEALED, info=b"lethe/test")

    def test_refuses_another_place(self) -> None:
        with pytest.raises(NotAuthentic):
            hpke.open(PRIVATE, SEALED, info=b"lethe/other")

    @given(st.integers(0, len(SEALED) * 8 - 1))
    def test_refuses_any_flipped_bit(self, bit: int) -> None:
        changed = bytearray(SEALED)
        changed[bit // 8] ^= 1 << bit % 8

        with pytest.raises(NotAuthentic):
            hpke.open(PRIVATE, bytes(changed), info=b"lethe/test")

    @given(st.binary(max_size=120))
    def test_refuses_any_other_bytes(self, sealed: bytes) -> None:
        with pytest.raises(NotAuthentic):
            hpke.open(PRIVATE, sealed, info=b"lethe/test")


class TestKeyPair:
    def test_prints_without_its_private_half(self) -> None:
        pair = hpke.generate_key_pair()

        assert repr(pair.private) not in repr(pair)
