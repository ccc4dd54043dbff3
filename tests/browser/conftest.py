"""A real browser for these tests: Debian's chromium (or any of its names), driven by Playwright.

Where either is missing these tests are skipped. `.ci/run` installs what they need and lets none be
skipped; it gives the path of axe-core's axe.min.js in BOT_TEST_AXE.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


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
