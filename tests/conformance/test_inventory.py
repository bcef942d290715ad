"""The names of the shares, as the reconciler gets them."""

import os
from uuid import uuid4

from tests.conformance.conftest import Store
from vault.ports import ShareRef


class TestControllers:
    def test_names_each_that_has_shares_once(self, store: Store) -> None:
        first, second = uuid4(), uuid4()
        store.web.create_shares([ShareRef(os.urandom(16), one) for one in (first, first, second)])

        named = store.inventory.controllers()

        assert {first, second} <= set(named)
        assert len(named) == len(set(named))


class TestKids:
    def test_names_living_and_destroyed_shares_of_one_controller(self, store: Store) -> None:
        controller = uuid4()
        refs = [ShareRef(os.urandom(16), controller) for _ in range(5)]
        other = ShareRef(os.urandom(16), uuid4())
        store.web.create_shares([*refs, other])
        store.eraser.destroy_shares(refs[:2])

        kids = store.inventory.kids(controller_id=controller)

        assert sorted(kids) == sorted(ref.kid for ref in refs)

    def test_is_empty_for_a_controller_without_shares(self, store: Store) -> None:
        assert list(store.inventory.kids(controller_id=uuid4())) == []
