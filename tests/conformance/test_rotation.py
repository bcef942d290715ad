"""Versions of wrapping keys: added, used, and refused below the least one."""

import os
from collections.abc import Callable

import pytest

from tests.conformance.conftest import Store
from vault.ports import FreshShare, GrantFailure, GrantToMake, GrantToOpen, KeyVersions, ShareRef

Refs = Callable[[int], list[ShareRef]]


def versions(store: Store, name: str) -> KeyVersions:
    found = store.rotation.key_versions(name)
    assert found is not None
    return found


def latest(store: Store, name: str) -> int:
    return versions(store, name).latest


def make(
    store: Store, new_refs: Refs, name: str, count: int = 1
) -> list[tuple[bytes, GrantToOpen]]:
    """Data keys of new shares, wrapped under the latest version."""
    shares = [s for s in store.web.create_shares(new_refs(count)) if isinstance(s, FreshShare)]
    data_keys = [os.urandom(32) for _ in shares]
    wrapped = store.web.make_grants(
        [GrantToMake(share, name, key) for share, key in zip(shares, data_keys, strict=True)]
    )
    return [
        (key, GrantToOpen(share.ref, name, item))
        for key, share, item in zip(data_keys, shares, wrapped, strict=True)
        if isinstance(item, bytes)
    ]


def rewrapped(store: Store, grants: list[GrantToOpen]) -> list[GrantToOpen]:
    answers = store.rotation.rewrap_grants(grants)
    return [
        GrantToOpen(grant.share, grant.wrapping_key, answer)
        for grant, answer in zip(grants, answers, strict=True)
        if isinstance(answer, bytes)
    ]


def version(wrapped: bytes) -> int:
    return int.from_bytes(wrapped[:4])


class TestKeyVersions:
    def test_name_each_version_and_tell_it_from_others(self, store: Store) -> None:
        before = versions(store, store.other_purpose)

        store.rotation.rotate(store.other_purpose)

        after = versions(store, store.other_purpose)
        assert (after.latest, after.minimum) == (before.latest + 1, before.minimum)
        assert set(after.marks) == set(range(after.minimum, after.latest + 1))
        assert after.marks.items() >= before.marks.items()

    def test_are_none_for_a_key_that_is_not_there(self, store: Store) -> None:
        assert store.rotation.key_versions(f"p-{os.urandom(8).hex()}") is None

    def test_are_read_by_the_eraser_too(self, store: Store) -> None:
        for name in (store.purpose, "custody"):
            assert store.eraser_rotation.key_versions(name) == versions(store, name)


class TestRotate:
    @pytest.mark.parametrize("which", ["purpose", "custody"])
    def test_wraps_under_the_new_version_and_still_opens_the_old(
        self, store: Store, new_refs: Refs, which: str
    ) -> None:
        name = "custody" if which == "custody" else store.purpose
        opener = store.web if which == "custody" else store.stream
        ((old_key, old),) = make(store, new_refs, name)

        store.rotation.rotate(name)
        ((new_key, new),) = make(store, new_refs, name)

        assert version(new.wrapped) == version(old.wrapped) + 1 == latest(store, name)
        assert opener.open_grants([old, new]) == [old_key, new_key]


class TestRewrapGrants:
    def test_keeps_the_data_keys_over_batches(self, store: Store, new_refs: Refs) -> None:
        made = make(store, new_refs, store.purpose, 300)
        store.rotation.rotate(store.purpose)

        grants = rewrapped(store, [grant for _, grant in made])

        assert {version(grant.wrapped) for grant in grants} == {latest(store, store.purpose)}
        assert store.stream.open_grants(grants) == [key for key, _ in made]

    def test_goes_on_around_items_that_cannot_be(self, store: Store, new_refs: Refs) -> None:
        good, destroyed, moved = (grant for _, grant in make(store, new_refs, store.purpose, 3))
        store.eraser.destroy_shares([destroyed.share])
        (absent,) = new_refs(1)
        grants = [
            destroyed,
            GrantToOpen(good.share, store.purpose, moved.wrapped),
            good,
            GrantToOpen(absent, store.purpose, good.wrapped),
        ]

        answers = store.rotation.rewrap_grants(grants)

        assert answers[0] is GrantFailure.SHARE_DESTROYED
        assert answers[1] is GrantFailure.NOT_AUTHENTIC
        assert isinstance(answers[2], bytes)
        assert answers[3] is GrantFailure.SHARE_ABSENT

    def test_takes_no_grants(self, store: Store) -> None:
        assert store.rotation.rewrap_grants([]) == []


class TestVersionAbsent:
    def test_of_a_version_that_is_not_there_yet(self, store: Store, new_refs: Refs) -> None:
        ((_, grant),) = make(store, new_refs, store.purpose)
        beyond = (latest(store, store.purpose) + 1).to_bytes(4) + grant.wrapped[4:]
        forged = GrantToOpen(grant.share, store.purpose, beyond)

        assert store.stream.open_grants([forged]) == [GrantFailure.VERSION_ABSENT]
        assert store.rotation.rewrap_grants([forged]) == [GrantFailure.VERSION_ABSENT]


class TestRaiseMinimum:
    def test_refuses_what_older_versions_wrapped(self, store: Store, new_refs: Refs) -> None:
        name = store.purpose
        ((_, old),) = make(store, new_refs, name)
        store.rotation.rotate(name)
        ((key, new),) = make(store, new_refs, name)

        for _ in range(2):
            store.rotation.raise_minimum(name, version=latest(store, name))

        assert versions(store, name).minimum == latest(store, name)
        assert store.stream.open_grants([old, new]) == [GrantFailure.VERSION_ABSENT, key]
        assert store.rotation.rewrap_grants([old]) == [GrantFailure.VERSION_ABSENT]
