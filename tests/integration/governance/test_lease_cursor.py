from uuid import UUID, uuid4

import pytest

from governance.services import lease_cursor
from governance.services.lease_cursor import InvalidCursor
from vault.services.pages import Position

LEASE = uuid4()
HERE = Position(uuid4(), uuid4(), uuid4())


class TestCursor:
    def test_leads_back_to_its_position(self) -> None:
        token = lease_cursor.seal(HERE, lease_id=LEASE, split=(1, 4))

        assert lease_cursor.unseal(token, lease_id=LEASE, split=(1, 4)) == HERE

    def test_shows_nothing_of_the_position(self) -> None:
        one = lease_cursor.seal(HERE, lease_id=LEASE, split=(0, 1))
        other = lease_cursor.seal(HERE, lease_id=LEASE, split=(0, 1))

        assert one[:40] != other[:40]
        assert one[-60:] != other[-60:]

    @pytest.mark.parametrize(
        ("lease", "split"), [(uuid4(), (0, 1)), (LEASE, (1, 2)), (LEASE, (0, 2))]
    )
    def test_is_worth_nothing_elsewhere(self, lease: UUID, split: tuple[int, int]) -> None:
        token = lease_cursor.seal(HERE, lease_id=LEASE, split=(0, 1))

        with pytest.raises(InvalidCursor):
            lease_cursor.unseal(token, lease_id=lease, split=split)

    @pytest.mark.parametrize("position", range(0, 100, 7))
    def test_is_refused_when_a_character_changes(self, position: int) -> None:
        token = lease_cursor.seal(HERE, lease_id=LEASE, split=(0, 1))
        changed = "A" if token[position] != "A" else "B"

        with pytest.raises(InvalidCursor):
            lease_cursor.unseal(
                token[:position] + changed + token[position + 1 :], lease_id=LEASE, split=(0, 1)
            )

    @pytest.mark.parametrize("text", ["", "é", "=", "a b", "x" * 10_000])
    def test_is_refused_when_it_is_none(self, text: str) -> None:
        with pytest.raises(InvalidCursor):
            lease_cursor.unseal(text, lease_id=LEASE, split=(0, 1))
