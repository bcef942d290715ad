from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from tests.conformance.conftest import Store
from vault.ports import FreshShare, GrantFailure, GrantToMake, GrantToOpen, ShareRef, ShareState

Refs = Callable[[int], list[ShareRef]]
DATA_KEY = bytes(range(32))


def _fresh(store: Store, refs: list[ShareRef]) -> list[FreshShare]:
    made = store.web.create_shares(refs)
    shares = [share for share in made if isinstance(share, FreshShare)]
    assert len(shares) == len(refs)
    return shares


def _states(store: Store, refs: list[ShareRef]) -> list[ShareState]:
    return [reading.state for reading in store.attester.read_destruction(refs)]


class TestCreateShares:
    def test_hands_back_256_bits_for_each_ref_in_order(self, store: Store, new_refs: Refs) -> None:
        refs = new_refs(1000)

        shares = _fresh(store, refs)

        assert [share.ref for share in shares] == refs
        assert {len(share.secret) for share in shares} == {32}
        assert len({share.secret for share in shares}) == len(refs)

    def test_takes_no_refs(self, store: Store) -> None:
        assert store.web.create_shares([]) == []

    def test_shows_no_secret(self, store: Store, new_refs: Refs) -> None:
        (share,) = _fresh(store, new_refs(1))

        assert repr(share.secret) not in repr(share)

    def test_adopts_what_a_call_with_a_lost_answer_made(self, store: Store, new_refs: Refs) -> None:
        lost, new = new_refs(2)
        _fresh(store, [lost])

        answers = store.web.create_shares([lost, new])

        assert answers[0] is ShareState.LIVE
        assert isinstance(answers[1], FreshShare)
        (wrapped,) = store.web.make_grants([GrantToMake(lost, store.purpose, DATA_KEY)])
        assert isinstance(wrapped, bytes)
        opened = store.stream.open_grants([GrantToOpen(lost, store.purpose, wrapped)])
        assert opened == [DATA_KEY]

    def test_never_overwrites(self, store: Store, new_refs: Refs) -> None:
        (ref,) = new_refs(1)
        (share,) = _fresh(store, [ref])
        (wrapped,) = store.web.make_grants([GrantToMake(share, store.purpose, DATA_KEY)])
        assert isinstance(wrapped, bytes)

        store.web.create_shares([ref])

        opened = store.stream.open_grants([GrantToOpen(ref, store.purpose, wrapped)])
        assert opened == [DATA_KEY]

    def test_never_brings_back_what_was_destroyed(self, store: Store, new_refs: Refs) -> None:
        refs = new_refs(3)
        _fresh(store, refs)
        store.eraser.destroy_shares(refs[1:2])

        answers = store.web.create_shares(refs)

        assert answers == [ShareState.LIVE, ShareState.DESTROYED, ShareState.LIVE]
        assert _states(store, refs)[1] is ShareState.DESTROYED

    def test_keeps_controllers_apart(self, store: Store, new_refs: Refs) -> None:
        (ref,) = new_refs(1)
        _fresh(store, [ref])

        stranger = replace(ref, controller_id=UUID(int=2))

        assert _states(store, [ref, stranger]) == [ShareState.LIVE, ShareState.ABSENT]


class TestDestroyShares:
    def test_leaves_no_way_to_open_or_wrap(self, store: Store, new_refs: Refs) -> None:
        (ref,) = new_refs(1)
        (share,) = _fresh(store, [ref])
        (wrapped,) = store.web.make_grants([GrantToMake(share, store.purpose, DATA_KEY)])
        assert isinstance(wrapped, bytes)

        store.eraser.destroy_shares([ref])

        opened = store.stream.open_grants([GrantToOpen(ref, store.purpose, wrapped)])
        assert opened == [GrantFailure.SHARE_DESTROYED]
        made = store.web.make_grants([GrantToMake(ref, store.purpose, DATA_KEY)])
        assert made == [GrantFailure.SHARE_DESTROYED]

    def test_leaves_every_other_share(self, store: Store, new_refs: Refs) -> None:
        refs = new_refs(1000)
        _fresh(store, refs)

        store.eraser.destroy_shares(refs[::2])

        expected = [ShareState.DESTROYED, ShareState.LIVE] * 500
        assert _states(store, refs) == expected

    def test_may_be_repeated(self, store: Store, new_refs: Refs) -> None:
        refs = new_refs(2)
        _fresh(store, refs)
        store.eraser.destroy_shares(refs)

        store.eraser.destroy_shares([*refs, *refs])

        assert _states(store, refs) == [ShareState.DESTROYED] * 2

    def test_takes_what_was_never_there(self, store: Store, new_refs: Refs) -> None:
        refs = new_refs(1)

        store.eraser.destroy_shares(refs)

        assert _states(store, refs) == [ShareState.ABSENT]


class TestReadDestruction:
    def test_tells_each_state_in_order(self, store: Store, new_refs: Refs) -> None:
        live, destroyed, absent = new_refs(3)
        _fresh(store, [live, destroyed])
        store.eraser.destroy_shares([destroyed])

        readings = store.attester.read_destruction([live, destroyed, absent])

        assert [reading.ref for reading in readings] == [live, destroyed, absent]
        assert [reading.state for reading in readings] == [
            ShareState.LIVE,
            ShareState.DESTROYED,
            ShareState.ABSENT,
        ]
        assert [reading.versions for reading in readings] == [1, 1, 0]
        assert all(reading.node for reading in readings)
