"""How the suite is shared out; and a real browser for the tests in browser/.

That is Debian's chromium (or any of its names), driven by Playwright. Where either is missing these
tests are skipped. `.ci/run` installs what they need and lets none be
skipped; it gives the path of axe-core's axe.min.js in BOT_TEST_AXE.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")


def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: one more than there are processors, since some tests wait for processes."""
    return (os.cpu_count() or 1) + 1


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed, so no browser can be driven"
    )
    if "BOT_TEST_AXE" not in os.environ:
        pytest.skip("a browser is driven where BOT_TEST_AXE names axe-core, as in .ci/run")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"there is no browser here: none of {', '.join(NAMES)}")
    with playwright.sync_playwright() as play:
        # as root, which a container may be, chromium has no sandbox of its own
        made: Browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture(scope="session")
def axe() -> str:
    path = os.environ.get("BOT_TEST_AXE")
    if not path:
        pytest.skip("BOT_TEST_AXE does not name axe-core's axe.min.js")
    return Path(path).read_text(encoding="utf-8")


@dataclass
class Tab:
    """A page in the browser, and whatever it complained of or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _dialog(self, dialog: Dialog) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    def text(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def faults(self, axe: str) -> list[str]:
        """What axe-core finds that is serious or worse."""
        self.page.evaluate(axe)
        found = self.page.evaluate("axe.run().then(result => result.violations)")
        return [
            f"{each['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
            for each in found
            if each["impact"] in ("serious", "critical")
            for node in each["nodes"]
        ]


@contextmanager
def tab(  # noqa: PLR0913 - what a test may choose
    browser: Browser,
    width: int = 1280,
    scheme: str = "light",
    *,
    height: int = 900,
    script: bool = True,
    timezone: str = "UTC",
) -> Iterator[Tab]:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        java_script_enabled=script,
        timezone_id=timezone,
    )
    yield Tab(context.new_page())
    context.close()
