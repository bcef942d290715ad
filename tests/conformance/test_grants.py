import os
from collections.abc import Callable

import pytest

from tests.conformance.conftest import Store
from vault.ports import FreshShare, GrantFailure, GrantToMake, GrantToOpen, ShareRef

Refs = Callable[[int], list[ShareRef]]
Made = tuple[ShareRef, bytes, bytes]

FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "version-only": lambda wrapped: wrapped[:4],
    "shortened": lambda wrapped: wrapped[:-1],
    "lengthened": lambda wrapped: wrapped + b"\0",
    "first-bit-of-nonce": lambda wrapped: wrapped[:4] + bytes([wrapped[4] ^ 1]) + wrapped[5:],
    "last-bit-of-tag": lambda wrapped: wrapped[:-1] + bytes([wrapped[-1] ^ 1]),
    "version-that-is-not-there": lambda wrapped: b"\xff\xff\xff\xff" + wrapped[4:],
    "random": lambda wrapped: os.urandom(len(wrapped)),
}


def _make(store: Store, new_refs: Refs, *, key: str, count: int = 1) -> list[Made]:
    """Shares with one data key each, wrapped under `key`."""
    shares = [
        share for share in store.web.create_shares(new_refs(count)) if isinstance(share, FreshShare)
    ]
    data_keys = [os.urandom(32) for _ in shares]
    wrapped = store.web.make_grants(
        [GrantToMake(share, key, dek) for share, dek in zip(shares, data_keys, strict=True)]
    )
    return [
        (share.ref, dek, item)
        for share, dek, item in zip(shares, data_keys, wrapped, strict=True)
        if isinstance(item, bytes)
    ]


class TestMakeGrants:
    def test_wraps_for_fresh_and_stored_shares_alike(self, store: Store, new_refs: Refs) -> None:
        ((ref, data_key, from_fresh),) = _make(store, new_refs, key=store.purpose)

        (from_stored,) = store.web.make_grants([GrantToMake(ref, store.purpose, data_key)])

        assert isinstance(from_stored, bytes)
        assert from_stored != from_fresh
        grants = [GrantToOpen(ref, store.purpose, item) for item in (from_fresh, from_stored)]
        assert store.stream.open_grants(grants) == [data_key, data_key]

    def test_keeps_order_over_keys_shares_and_batches(self, store: Store, new_refs: Refs) -> None:
        keys = [(store.purpose, store.other_purpose)[i % 3 % 2] for i in range(1000)]
        shares = store.web.create_shares(new_refs(1000))
        data_keys = [os.urandom(32) for _ in keys]
        grants = [
            GrantToMake(share, key, data_key)
            for share, key, data_key in zip(shares, keys, data_keys, strict=True)
            if isinstance(share, FreshShare)
        ]

        wrapped = store.web.make_grants(grants)

        to_open = [
            GrantToOpen(share.ref, key, item)
            for share, key, item in zip(shares, keys, wrapped, strict=True)
            if isinstance(share, FreshShare) and isinstance(item, bytes)
        ]
        assert store.stream.open_grants(to_open) == data_keys

    def test_goes_on_around_items_that_cannot_be_made(self, store: Store, new_refs: Refs) -> None:
        good, destroyed, absent = new_refs(3)
        store.web.create_shares([good, destroyed])
        store.eraser.destroy_shares([destroyed])
        missing_key = "p-00000000000000000000"

        made = store.web.make_grants(
            [
                GrantToMake(destroyed, store.purpose, bytes(32)),
                GrantToMake(good, missing_key, bytes(32)),
                GrantToMake(good, store.purpose, bytes(32)),
                GrantToMake(absent, store.purpose, bytes(32)),
            ]
        )

        assert made[0] is GrantFailure.SHARE_DESTROYED
        assert made[1] is GrantFailure.KEY_ABSENT
        assert isinstance(made[2], bytes)
        assert made[3] is GrantFailure.SHARE_ABSENT

    def test_makes_no_key(self, store: Store, new_refs: Refs) -> None:
        refs = new_refs(1)
        store.web.create_shares(refs)
        before = sorted(store.wrapping_keys.available())

        store.web.make_grants([GrantToMake(refs[0], f"p-{os.urandom(8).hex()}", bytes(32))])

        assert sorted(store.wrapping_keys.available()) == before

    @pytest.mark.parametrize(
        "name", ["", "web", "p-", "../custody", "p-0/../custody", "P-" + "0" * 16]
    )
    def test_takes_only_names_that_a_purpose_can_have(
        self, store: Store, new_refs: Refs, name: str
    ) -> None:
        refs = new_refs(1)
        store.web.create_shares(refs)

        made = store.web.make_grants([GrantToMake(refs[0], name, bytes(32))])

        assert made == [GrantFailure.KEY_ABSENT]


class TestOpenGrants:
    def test_opens_custody_for_the_web(self, store: Store, new_refs: Refs) -> None:
        ((ref, data_key, wrapped),) = _make(store, new_refs, key="custody")

        assert store.web.open_grants([GrantToOpen(ref, "custody", wrapped)]) == [data_key]

    def test_refuses_another_share(self, store: Store, new_refs: Refs) -> None:
        ada, bo = _make(store, new_refs, key=store.purpose, count=2)

        opened = store.stream.open_grants([GrantToOpen(bo[0], store.purpose, ada[2])])

        assert opened == [GrantFailure.NOT_AUTHENTIC]

    def test_refuses_another_purpose(self, store: Store, new_refs: Refs) -> None:
        ((ref, _, wrapped),) = _make(store, new_refs, key=store.purpose)

        (opened,) = store.stream.open_grants([GrantToOpen(ref, store.other_purpose, wrapped)])

        # By now the other key may have been rotated less often, or refuse this version.
        assert opened in {GrantFailure.NOT_AUTHENTIC, GrantFailure.VERSION_ABSENT}

    @pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
    def test_refuses_forged_bytes_and_goes_on(
        self, store: Store, new_refs: Refs, forgery: Callable[[bytes], bytes]
    ) -> None:
        ((ref, data_key, wrapped),) = _make(store, new_refs, key=store.purpose)

        opened = store.stream.open_grants(
            [
                GrantToOpen(ref, store.purpose, forgery(wrapped)),
                GrantToOpen(ref, store.purpose, wrapped),
            ]
        )

        assert opened == [GrantFailure.NOT_AUTHENTIC, data_key]

    def test_answers_each_item_when_all_are_forged(self, store: Store, new_refs: Refs) -> None:
        ((ref, _, wrapped),) = _make(store, new_refs, key=store.purpose)
        forged = wrapped[:-1] + bytes([wrapped[-1] ^ 1])

        opened = store.stream.open_grants([GrantToOpen(ref, store.purpose, forged)] * 300)

        assert opened == [GrantFailure.NOT_AUTHENTIC] * 300

    def test_tells_why_in_one_batch(self, store: Store, new_refs: Refs) -> None:
        made = _make(store, new_refs, key=store.purpose, count=3)
        (absent,) = new_refs(1)
        store.eraser.destroy_shares([made[1][0]])

        opened = store.stream.open_grants(
            [
                GrantToOpen(made[0][0], store.purpose, made[0][2]),
                GrantToOpen(made[1][0], store.purpose, made[1][2]),
                GrantToOpen(absent, store.purpose, made[2][2]),
                GrantToOpen(made[2][0], store.purpose, made[2][2]),
            ]
        )

        assert opened == [
            made[0][1],
            GrantFailure.SHARE_DESTROYED,
            GrantFailure.SHARE_ABSENT,
            made[2][1],
        ]

    def test_takes_no_grants(self, store: Store) -> None:
        assert store.stream.open_grants([]) == []
