"""The cache of opened keys forgets in time, and not only when asked."""

import pytest

from vault.services.key_cache import KeyCache


class TestKeyCache:
    def test_drops_a_key_that_is_past_its_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = [100.0]
        monkeypatch.setattr("vault.services.key_cache.time.monotonic", lambda: now[0])
        cache = KeyCache(seconds=60, size=10)
        cache.put_many([(b"a", b"key of a")])
        now[0] += 61

        cache.get_many([b"something else"])

        assert not cache._keys

    def test_makes_room_by_dropping_the_oldest(self) -> None:
        cache = KeyCache(seconds=60, size=2)

        cache.put_many([(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])

        assert cache.get_many([b"a", b"b", b"c"]) == [None, b"2", b"3"]
