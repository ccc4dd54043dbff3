"""`bot preview` in a real browser: readable everywhere, quiet, and deaf to hostile text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.cli import ProcessContext, run
from tests.helpers.browser_tab import SCHEMES, WIDTHS, browser_tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EVIL = (
    "</style></title><script>window.evil=1</script><img src=x onerror=window.evil=1>"
    "<svg/onload=window.evil=1>\"' onmouseover=window.evil=1 }*{display:none} "
    'javascript:window.evil=1 https://a.example/"onclick=window.evil=1 &lt;b&gt;'
)
BIDI = "\u202eedoc desrever\u2066 \u05d0\u05d1\u05d2 \u200f"
DIGEST = f"""---
title: "Hot {EVIL} {BIDI}"
date: 2021-06-23T10:32:04.Z
draft: false
slug: "hot-papers-2021-06-22"
---

# 1. {EVIL}

{BIDI}, Grace Hopper

- retweets: 1317, favorites: 401 (06/23/2021 10:32:04)

- links: [abs](https://arxiv.org/abs/2106.10934) | [pdf](https://arxiv.org/pdf/2106.10934)
- [cs.LG](https://arxiv.org/list/cs.LG/recent)

{EVIL} {BIDI} An end.
"""


def preview(folder: Path, *arguments: str) -> str:
    status = run(["preview", *arguments, "--output", "page.html"], ProcessContext({}, folder))
    assert status == 0
    return (folder / "page.html").as_uri()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_it_is_whole_quiet_and_accessible(
    browser: Browser, axe: str, tmp_path: Path, width: int, scheme: str
) -> None:
    address = preview(tmp_path)
    with browser_tab(browser, width, scheme) as at:
        at.page.goto(address)
        assert at.count(".post") == 33
        assert at.overflow() == 0
        assert at.asked == [address]
        assert at.faults(axe) == []
        assert at.complaints == []
        ground = at.page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, ground.removeprefix("rgb(").removesuffix(")").split(", "))) > 380
        assert light is (scheme == "light")


def test_it_needs_no_script(browser: Browser, tmp_path: Path) -> None:
    with browser_tab(browser, script=False) as at:
        at.page.goto(preview(tmp_path))
        assert at.count(".post") == 33


def test_the_keyboard_comes_everywhere_and_is_seen(browser: Browser, tmp_path: Path) -> None:
    with browser_tab(browser) as at:
        at.page.goto(preview(tmp_path, "--top", "2"))
        at.page.keyboard.press("Tab")
        focused = at.page.locator(":focus")
        assert focused.inner_text() == "To the threads"
        outline = focused.evaluate("element => getComputedStyle(element).outlineWidth")
        assert outline == "3px"
        at.page.keyboard.press("Enter")
        at.page.keyboard.press("Tab")
        assert at.page.evaluate("document.activeElement.closest('main') !== null")


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_text_stays_text(browser: Browser, tmp_path: Path, width: int) -> None:
    (tmp_path / "evil.md").write_text(DIGEST, "utf-8")
    with browser_tab(browser, width) as at:
        at.page.goto(preview(tmp_path, "./evil.md"))
        assert at.page.evaluate("typeof window.evil") == "undefined"
        assert at.count("script, img, iframe, [onclick], [onload], [onerror]") == 0
        assert at.count(".post") >= 6
        assert "window.evil=1" in " ".join(at.text(".text"))
        assert at.overflow() == 0
        assert at.complaints == []
        hrefs = at.page.evaluate("[...document.links].map(link => link.protocol)")
        assert set(hrefs) <= {"https:", "file:"}


def test_reversed_text_does_not_reorder_the_page(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "evil.md").write_text(DIGEST, "utf-8")
    with browser_tab(browser) as at:
        at.page.goto(preview(tmp_path, "./evil.md"))
        # the counts below a hostile post begin where those of the closing post begin
        lefts = at.page.evaluate(
            "[...document.querySelectorAll('.twitter .size')].map(e => e.getBoundingClientRect().x)"
        )
        assert len(lefts) >= 2
        assert len(set(lefts)) == 1
        for shown in (at.page.title(), at.page.inner_text("h1")):
            assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown)
