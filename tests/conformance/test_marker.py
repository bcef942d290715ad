"""The marker of destructions, on both key stores."""

from uuid import uuid4

from tests.conformance.conftest import Store
from vault.domain.gate import Marker


class TestMarker:
    def test_is_read_as_it_was_last_written(self, store: Store) -> None:
        journal = uuid4()
        for ordinal, beat in ((0, 0), (7, 0), (7, 1), (8, 60)):
            store.marker.write_marker(Marker(journal, ordinal, beat))

            assert store.marker.read_marker() == Marker(journal, ordinal, beat)
