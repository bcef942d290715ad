import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture import tree

ROOMS = {"config", "governance", "vault", "contracts", "accounts", "core"}


class TestImportRules:
    def test_are_kept(self) -> None:
        linter = Path(sys.executable).with_name("lint-imports")
        run = subprocess.run(
            [linter, "--no-cache"], cwd=tree.ROOT, capture_output=True, text=True, check=False
        )

        assert run.returncode == 0, run.stdout + run.stderr

    def test_speak_of_every_room(self) -> None:
        project = tomllib.loads((tree.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        apps = {path.parent.name for path in tree.ROOT.glob("*/apps.py")} | {"config", "contracts"}

        assert apps == ROOMS
        assert set(project["tool"]["importlinter"]["root_packages"]) == ROOMS
