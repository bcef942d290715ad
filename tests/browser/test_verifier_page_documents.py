"""The verifier's page in Chromium on receipts and bundles, opened from the disk."""

import copy
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.vectors import make_js_bundles as bundles
from tests.vectors import make_js_receipts as receipts

pytestmark = pytest.mark.browser


def verdict(page: Page, name: str, content: bytes, folder: Path) -> str:
    target = folder / name
    target.write_bytes(content)
    page.set_input_files("#certificate", target)
    page.wait_for_selector("#verdict[data-verdict]")
    return page.inner_text("#verdict")


class TestReceipts:
    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            ("consent", ["consent given, explicitly", "de-AT", "2026-03-06 09:00:01 UTC"]),
            ("decision", ["Mass act approved", f"{receipts.APPROVER} as officer+deputy"]),
            ("lease", ["12 records, 4096 bytes", "Straße", "all"]),
        ],
    )
    def test_are_told_in_plain_words(
        self, kind: str, words: list[str], page: Page, tmp_path: Path
    ) -> None:
        options = {"mass_act": receipts.public("mas", "a")} if kind == "decision" else {}
        content = receipts.as_bytes(receipts.whole(kind, **options))

        assert verdict(page, "receipt.json", content, tmp_path) == "Valid, and in the log."
        for word in words:
            assert word in page.inner_text("#statement")
        assert "not shown" in page.inner_text("#levels li:nth-child(3)")
        assert page.locator("#levels li").count() == 3
        assert "That the statement is true" in page.inner_text("#limits")

    def test_that_are_not_logged_say_less(self, page: Page, tmp_path: Path) -> None:
        bare = receipts.receipt(receipts.statement("lease", receipts.lease(is_closed=False)))

        said = verdict(page, "receipt.json", receipts.as_bytes(bare), tmp_path)

        assert said == "Valid: the receipt is signed as it states."
        assert "not when this was signed" in page.inner_text("#statement")


class TestBundles:
    def test_are_told_document_by_document(self, page: Page, tmp_path: Path) -> None:
        content = bundles.bundle(bundles.files(bundles.story()))

        said = verdict(page, "bundle.zip", content, tmp_path)

        assert said == "Valid, and the log has every document."
        titles = page.locator("#statement h3").all_inner_texts()
        assert [title.partition(":")[0] for title in titles] == [
            "certificate-1.json",
            "receipt-1.json",
        ]
        assert page.locator("#levels [data-state=holds]").count() == 3

    def test_that_fail_show_nothing_but_why(self, page: Page, tmp_path: Path) -> None:
        story = copy.deepcopy(bundles.story())
        story.pop()

        said = verdict(page, "bundle.zip", bundles.bundle(bundles.files(story)), tmp_path)

        assert said == "Invalid. Do not rely on this file."
        assert "FAIL: events: certificate-1.json" in page.inner_text("#checks")
        assert "fails" in page.inner_text("#levels li:nth-child(4)")
        assert page.is_hidden("#statement")

    def test_that_are_damaged_say_so(self, page: Page, tmp_path: Path) -> None:
        content = bundles.bundle(bundles.files())[:-1]

        assert verdict(page, "bundle.zip", content, tmp_path).startswith("Unreadable")
        assert page.is_hidden("#levels")


class TestBlocks:
    def test_that_are_none_are_said_to_be_none(self, page: Page) -> None:
        page.fill("#blocks", "9c9c")
        page.keyboard.press("Tab")

        assert page.is_visible("#blocks-wrong")

    def test_confirm_nothing_without_a_proof(self, page: Page, tmp_path: Path) -> None:
        page.fill("#blocks", "0x" + "9C" * 32)
        content = receipts.as_bytes(receipts.anchored(receipts.whole("consent")))

        assert verdict(page, "receipt.json", content, tmp_path) == "Valid, and in the log."
        assert page.is_hidden("#blocks-wrong")
        assert "chain 1, block 1234" in page.inner_text("#statement")
