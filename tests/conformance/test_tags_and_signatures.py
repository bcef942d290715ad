import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.conformance.conftest import Store


class TestTags:
    def test_are_32_bytes_and_the_same_each_time(self, store: Store) -> None:
        first, second = store.hasher.tags(key="lookup", values=[b"ada@one.example"] * 2)

        assert first == second
        assert len(first) == 32
        assert store.hasher.tags(key="lookup", values=[b"ada@one.example"]) == [first]

    def test_differ_by_key(self, store: Store) -> None:
        values = [b"ada@one.example"]

        lookup = store.hasher.tags(key="lookup", values=values)

        assert store.hasher.tags(key="suppression", values=values) != lookup

    def test_keep_order_over_batches(self, store: Store) -> None:
        values = [str(number).encode() for number in range(1000)]

        tags = store.hasher.tags(key="lookup", values=values)

        assert len(set(tags)) == 1000
        assert store.hasher.tags(key="lookup", values=values[::-1]) == tags[::-1]

    def test_are_made_of_nothing_too(self, store: Store) -> None:
        assert len(store.hasher.tags(key="lookup", values=[b""])[0]) == 32
        assert store.hasher.tags(key="lookup", values=[]) == []

    def test_need_a_key_that_hashes(self, store: Store) -> None:
        with pytest.raises(ValueError, match="no such hashing key"):
            store.hasher.tags(key="../sign/web", values=[b"x"])


class TestAvailable:
    def test_names_the_pool_and_nothing_else(self, store: Store) -> None:
        names = store.wrapping_keys.available()

        assert {store.purpose, store.other_purpose} <= set(names)
        assert all(name.startswith("p-") for name in names)


class TestSign:
    @pytest.mark.parametrize("message", [b"", b"a certificate", bytes(100_000)])
    def test_verifies_under_the_published_key(self, store: Store, message: bytes) -> None:
        signature = store.signer.sign(message)

        published = {key.key_id: key for key in store.signer.verifying_keys()}
        key = published[signature.key_id]
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature.value, message)
        assert (signature.key_id, signature.holder, key.holder) == (
            "attester:1",
            "attester",
            "attester",
        )
