"""The verifier's page, opened from the disk as somebody would who was sent it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

PAGE = Path(__file__).parents[2] / "contracts" / "verifier_js" / "page.html"
CHROMIUM = shutil.which("chromium")


@pytest.fixture
def page() -> Iterator[Page]:
    """Without a network; whatever it asks for or says besides fails the test."""
    if CHROMIUM is None and os.environ.get("LETHE_TEST_REQUIRE") != "1":
        pytest.skip("needs Chromium")
    asked: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(offline=True)
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("pageerror", lambda error: asked.append(str(error)))
        opened.on("console", lambda message: asked.append(message.text))
        opened.goto(PAGE.as_uri())
        yield opened
        browser.close()
    assert asked == [PAGE.as_uri()]
