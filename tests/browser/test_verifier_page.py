"""The verifier's page in Chromium, opened from the disk as somebody would who was sent it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "contracts" / "verifier_js" / "page.html"
VECTORS = ROOT / "tests" / "vectors"

pytestmark = pytest.mark.browser


def verdict(page: Page, certificate: Path, keys: Path | None = None) -> str:
    if keys is not None:
        page.set_input_files("#keys", keys)
    page.set_input_files("#certificate", certificate)
    page.wait_for_selector("#verdict[data-verdict]")
    return page.inner_text("#verdict")


class TestPage:
    def test_says_what_is_proven_of_a_logged_certificate(self, page: Page) -> None:
        said = verdict(page, VECTORS / "certificate-v1-logged.json")

        assert said == "Valid, and in the log."
        assert "ok: log: inclusion" in page.inner_text("#checks")
        assert "entry 33 of 67" in page.inner_text("#statement")
        assert "taken from the file itself" in page.inner_text("#limits")

    def test_takes_the_published_keys(self, page: Page, tmp_path: Path) -> None:
        keys = tmp_path / "keys.json"
        golden = json.loads((VECTORS / "certificate-v1.json").read_text())
        keys.write_text(json.dumps(golden["keys"]))

        said = verdict(page, VECTORS / "certificate-v1.json", keys)

        assert said == "Valid: the certificate is signed as it states."
        assert "taken from the file itself" not in page.inner_text("#limits")

    def test_refuses_a_changed_one_and_shows_nothing_of_it(
        self, page: Page, tmp_path: Path
    ) -> None:
        changed = json.loads((VECTORS / "certificate-v1-logged.json").read_text())
        changed["log"]["r"] = "00" * 32
        target = tmp_path / "changed.json"
        target.write_text(json.dumps(changed))

        assert verdict(page, target) == "Invalid. Do not rely on this file."
        assert "FAIL: log: inclusion" in page.inner_text("#checks")
        assert page.is_hidden("#statement")

    def test_can_be_used_by_keyboard_and_screen_reader(self, page: Page) -> None:
        page.keyboard.press("Tab")

        assert page.evaluate("document.activeElement.id") == "certificate"
        assert page.get_by_label("Certificate file").count() == 1
        assert page.get_by_role("status").count() == 1

    def test_is_what_the_modules_make(self) -> None:
        node = shutil.which("node")
        assert node is not None
        build = PAGE.with_name("build.mjs")
        made = subprocess.run([node, str(build)], capture_output=True, check=True, timeout=60)

        assert made.stdout == PAGE.read_bytes()
