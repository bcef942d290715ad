"""What the keyring must do beyond the conformance suite: several processes, crashes, refusal."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.custodian.conftest import CONTROLLER
from vault.adapters.keyring import Keyring
from vault.errors import CustodianUnavailable
from vault.ports import FreshShare, ShareRef, ShareState


def _ring(folder: Path) -> Keyring:
    return Keyring(folder, development=True, pool=3)


def _create(folder: Path, refs: list[ShareRef]) -> tuple[list[bool], list[str]]:
    """In another process: which shares were made here, and the pool that was found."""
    ring = _ring(folder)
    made = [isinstance(item, FreshShare) for item in ring.create_shares(refs)]
    return made, sorted(ring.available())


class TestKeyring:
    def test_refuses_to_run_outside_development(self, tmp_path: Path) -> None:
        with pytest.raises(ImproperlyConfigured, match="LETHE_DEVELOPMENT"):
            Keyring(tmp_path / "ring", development=False)

        assert not (tmp_path / "ring").exists()

    def test_warns_when_it_is_made(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        _ring(tmp_path)

        assert "keyring.made_for_development_only" in caplog.text

    def test_is_found_again(self, tmp_path: Path) -> None:
        first = _ring(tmp_path)
        tags = first.tags(key="lookup", values=[b"x"])

        again = _ring(tmp_path)

        assert again.tags(key="lookup", values=[b"x"]) == tags
        assert again.verifying_keys() == first.verifying_keys()
        assert sorted(again.available()) == sorted(first.available())

    def test_is_private(self, tmp_path: Path) -> None:
        ring = _ring(tmp_path / "ring")
        ring.create_shares([ShareRef(os.urandom(16), CONTROLLER)])

        for path in (tmp_path / "ring").rglob("*"):
            if path.name != "lock":
                assert path.stat().st_mode & 0o077 == 0, path

    def test_makes_each_share_once_among_processes(self, tmp_path: Path) -> None:
        refs = [ShareRef(os.urandom(16), CONTROLLER) for _ in range(200)]

        with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
            answers = list(pool.map(_create, [tmp_path] * 4, [refs] * 4))

        made = [sum(makers) for makers in zip(*(made for made, _ in answers), strict=True)]
        assert made == [1] * len(refs)
        assert {tuple(names) for _, names in answers} == {tuple(answers[0][1])}

    def test_leaves_no_secret_in_the_files_of_a_destroyed_share(self, tmp_path: Path) -> None:
        ring = _ring(tmp_path)
        (share,) = ring.create_shares([ShareRef(os.urandom(16), CONTROLLER)])
        assert isinstance(share, FreshShare)

        ring.destroy_shares([share.ref])

        contents = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        assert not any(share.secret in content for content in contents)
        (reading,) = ring.read_destruction([share.ref])
        assert reading.destroyed_at is not None

    def test_takes_a_share_blanked_by_a_crash_for_destroyed(self, tmp_path: Path) -> None:
        ring = _ring(tmp_path)
        ref = ShareRef(os.urandom(16), CONTROLLER)
        ring.create_shares([ref])
        (path,) = (path for path in tmp_path.rglob(ref.kid.hex()))
        path.write_bytes(bytes(32))

        assert ring.create_shares([ref]) == [ShareState.DESTROYED]
        (reading,) = ring.read_destruction([ref])
        assert (reading.state, reading.destroyed_at) == (ShareState.DESTROYED, None)

    def test_is_unavailable_where_it_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(CustodianUnavailable):
            _ring(tmp_path / "file" / "ring")
