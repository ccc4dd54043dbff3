"""`bot demo` in a real browser: the thread arrives, and a fault is survived before one's eyes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bot.demo import demo
from tests.helpers.browser_tab import SCHEMES, WIDTHS, BrowserTab, browser_tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TIMEOUT = 60_000.0
POSTS = 11
EVERY = 3 * POSTS


@contextmanager
def playing() -> Iterator[str]:
    """The demo in this process, in threads of its own, until the test is through."""
    said: queue.Queue[str] = queue.Queue()
    over = threading.Event()

    def wait() -> None:
        over.wait()

    thread = threading.Thread(target=demo.demo, args=(0, wait, said.put))
    thread.start()
    try:
        yield said.get(timeout=10)
    finally:
        over.set()
        thread.join()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(demo._SHORT_TIMES, "BOT_PAUSE", "0")


@pytest.fixture
def slower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(demo._SHORT_TIMES, "BOT_PAUSE", "1s")


def until_done(at: BrowserTab) -> None:
    at.page.wait_for_function(
        "posts => document.querySelectorAll('.post').length === posts"
        " && [...document.querySelectorAll('.saying')].every(e => e.innerText.startsWith('Done'))",
        arg=EVERY,
        timeout=TIMEOUT,
    )


@pytest.mark.usefixtures("slower")
def test_the_whole_thread_arrives_without_a_reload(browser: Browser) -> None:
    with playing() as address, browser_tab(browser) as at:
        at.page.goto(address)
        begun = at.count(".post")
        at.page.evaluate("window.same = true")
        until_done(at)
        assert begun < EVERY
        assert at.page.evaluate("window.same")
        assert at.text(".stats li:first-child") == ["11 posts"] * 3
        texts = at.text(".text")
        for begin in range(0, EVERY, POSTS):
            assert len({*texts[begin : begin + POSTS]}) == POSTS
        assert at.complaints == []
        assert all(url.startswith(address) for url in at.asked)


@pytest.mark.usefixtures("slower")
def test_an_outage_is_survived_before_the_viewers_eyes(browser: Browser) -> None:
    with playing() as address, browser_tab(browser) as at:
        at.page.goto(address)
        at.page.wait_for_selector(".twitter .post", timeout=TIMEOUT)
        switch = at.page.locator("#twitter-outage")
        switch.focus()
        at.page.keyboard.press("Enter")
        at.page.wait_for_selector("#twitter-outage[aria-pressed=true]", timeout=TIMEOUT)
        at.page.wait_for_selector(".twitter .asked >> text=503 on purpose", timeout=TIMEOUT)
        assert at.page.evaluate("document.activeElement.id") == "twitter-outage"
        before = at.count(".twitter .post")
        at.page.keyboard.press("Enter")
        at.page.wait_for_selector("#twitter-outage[aria-pressed=false]", timeout=TIMEOUT)
        until_done(at)
        assert before < POSTS
        texts = at.text(".twitter .text")
        assert len(texts) == len({*texts}) == POSTS
        assert "Done: 11 of 11" in at.text(".twitter .saying")[0]
        assert at.complaints == []


@pytest.mark.usefixtures("hurried")
def test_it_is_accessible_at_every_width_and_in_both_schemes(browser: Browser, axe: str) -> None:
    with playing() as address:
        for width in WIDTHS:
            for scheme in SCHEMES:
                with browser_tab(browser, width, scheme) as at:
                    at.page.goto(address)
                    until_done(at)
                    at.page.click("#mastodon-outage")
                    at.page.wait_for_selector("#mastodon-outage[aria-pressed=true]")
                    at.page.mouse.move(0, 0)
                    assert at.overflow() == 0
                    assert at.faults(axe) == []
                    assert at.complaints == []
                    at.page.click("#mastodon-outage")


@pytest.mark.usefixtures("hurried")
def test_without_script_it_works_by_reload(browser: Browser) -> None:
    with playing() as address, browser_tab(browser, script=False) as at:
        at.page.goto(address)
        at.page.click("#mastodon-outage")
        assert at.page.locator("#mastodon-outage").get_attribute("aria-pressed") == "true"
        assert at.page.url == address
        at.page.click("#mastodon-outage")
        for _ in range(200):
            if at.count(".post") == EVERY:
                break
            at.page.reload()
        assert at.count(".post") == EVERY


@pytest.mark.usefixtures("hurried")
def test_the_page_says_when_it_has_ended(browser: Browser) -> None:
    with browser_tab(browser) as at:
        with playing() as address:
            at.page.goto(address)
            until_done(at)
        at.page.wait_for_selector("#gone >> text=The program has ended", timeout=TIMEOUT)
