"""The page that is served, in a real browser: it follows what arrives, and minds who reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from bot.demo.board import Board
from bot.demo.serve import listen, served
from bot.demo.standins import stand_ins
from bot.model import Network
from bot.output.page.views import Tone
from bot.sandbox.listener import HOST
from bot.sandbox.server import Sandbox
from bot.sandbox.service import Stored
from tests.helpers.browser_tab import WIDTHS, BrowserTab, browser_tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LAST_IS_SEEN = """name => {
    const box = element => element.getBoundingClientRect();
    const feed = document.querySelector(`.${name} .feed`);
    const last = box([...feed.querySelectorAll(".post")].at(-1));
    return last.bottom > box(feed).top && last.bottom <= box(feed).bottom + 1
        && box(feed).height < innerHeight;
}"""


@dataclass
class LivePage:
    """The page, and the stand-ins behind it, to which the test itself posts."""

    board: Board
    port: int
    posts: dict[Network, list[Stored]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/"

    def post(self, text: str, *networks: Network) -> None:
        """Publish another post of the thread, on all networks or on these."""
        with self.board.sandbox.lock:
            for each in self.board.stand_ins:
                if each.network in (networks or Network):
                    thread = self.posts.setdefault(each.network, [])
                    parent = thread[-1].id if thread else None
                    thread.append(each.rules.write(text, reply_to=parent))


@contextmanager
def opened(port: int = 0) -> Iterator[LivePage]:
    made = stand_ins(lambda _: lambda: NOON)
    with Sandbox({each.network: each.rules for each in made}) as sandbox, listen(port) as door:
        board = Board(sandbox, made, "Sandbox", "Title", "Lead.")
        with served(board, door):
            yield LivePage(board, door.getsockname()[1])


@pytest.fixture
def at() -> Iterator[LivePage]:
    with opened() as made:
        yield made


def until_shown(page: BrowserTab, text: str, network: Network = Network.TWITTER) -> None:
    page.page.wait_for_selector(f".{network} .text >> text={text}")


def top(page: BrowserTab) -> int:
    return int(page.page.evaluate("document.querySelector('.twitter .feed').scrollTop |= 0"))


# -- Following what arrives ------------------------------------------------------------------------


@pytest.mark.parametrize("height", [900, 600])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_that_is_opened_late_follows_the_thread(
    browser: Browser, at: LivePage, width: int, height: int
) -> None:
    for number in range(6):
        at.post(f"Post {number}.\n\nAnd more of it.")
    with browser_tab(browser, width, height=height) as page:
        page.page.goto(at.url)
        for network in Network:
            assert page.page.evaluate(LAST_IS_SEEN, network)
        for number in (7, 8):
            at.post(f"Post {number}.\n\nAnd more of it.")
            for network in Network:
                until_shown(page, f"Post {number}.", network)
                assert page.page.evaluate(LAST_IS_SEEN, network)


def test_who_reads_elsewhere_stays_there_and_is_taken_along_again_from_the_end(
    browser: Browser, at: LivePage
) -> None:
    for number in range(6):
        at.post(f"Post {number}.\n\nAnd more of it.")
    with browser_tab(browser) as page:
        page.page.goto(at.url)
        page.page.hover(".twitter .feed")
        before = top(page) - 400
        page.page.mouse.wheel(0, -400)
        page.page.wait_for_function(
            "top => document.querySelector('.twitter .feed').scrollTop === top", arg=before
        )
        at.post("Post 7.\n\nAnd more of it.")
        until_shown(page, "Post 7.")
        assert top(page) == before
        assert page.page.evaluate(LAST_IS_SEEN, Network.BLUESKY)  # each feed is its own
        page.page.mouse.wheel(0, 9_000)
        page.page.wait_for_function(LAST_IS_SEEN, arg=Network.TWITTER)
        at.post("Post 8.\n\nAnd more of it.")
        until_shown(page, "Post 8.")
        assert page.page.evaluate(LAST_IS_SEEN, Network.TWITTER)


# -- Leaving alone what is there -------------------------------------------------------------------


def test_a_post_stays_the_same_element_whatever_its_words(browser: Browser, at: LivePage) -> None:
    with browser_tab(browser) as page:
        page.page.goto(at.url)
        at.post('A fresh look at doors that are open="" to all.')
        until_shown(page, "A fresh look")
        at.post("More.")
        until_shown(page, "More.")
        page.page.evaluate("document.querySelector('.twitter .post').mine = true")
        at.post("And more.")
        until_shown(page, "And more.")
        assert page.page.evaluate("document.querySelector('.twitter .post').mine")


def test_the_keyboard_goes_on_at_the_threads_where_its_button_is_gone(
    browser: Browser, at: LivePage
) -> None:
    offered = ["Another"]
    at.board.button = lambda: "".join(offered)
    at.board.press = offered.clear
    with browser_tab(browser) as page:
        page.page.goto(at.url)
        page.page.focus("#next")
        page.page.keyboard.press("Enter")
        page.page.wait_for_selector("#next", state="detached")
        assert page.page.evaluate("document.activeElement.id") == "threads"


def test_what_is_stacked_on_a_letter_stays_in_its_post(browser: Browser, at: LivePage) -> None:
    at.post("One.")
    at.post("a" + "\u0301" * 200)
    with browser_tab(browser) as page:
        page.page.goto(at.url)
        before = page.page.locator(".twitter .post").first.screenshot()
        page.page.evaluate("[...document.querySelectorAll('.text')].at(1).textContent = 'a'")
        assert page.page.locator(".twitter .post").first.screenshot() == before


# -- What it says ----------------------------------------------------------------------------------


def test_its_end_is_said_once(browser: Browser) -> None:
    with browser_tab(browser) as page:
        with opened() as at:
            with page.page.expect_response("**/events"):
                page.page.goto(at.url)
            page.page.evaluate(
                """() => {
                    window.said = 0;
                    const gone = document.getElementById("gone");
                    new MutationObserver(() => window.said++).observe(gone, {childList: true});
                }"""
            )
        page.page.wait_for_selector("#gone >> text=The program has ended")
        for _ in range(3):
            page.page.wait_for_event("requestfailed")
        assert page.page.evaluate("window.said") == 1


def test_a_refusal_is_said_and_goes_away_again(browser: Browser, at: LivePage) -> None:
    press = """token => {
        const outage = document.getElementById("mastodon-outage");
        outage.form.token.value = token;
        outage.click();
    }"""
    with browser_tab(browser) as page:
        with page.page.expect_response("**/events"):
            page.page.goto(at.url)
        page.page.evaluate(press, "another")
        page.page.wait_for_selector("#gone >> text=Reload the page")
        page.page.evaluate(press, at.board.token)
        page.page.wait_for_selector("#mastodon-outage[aria-pressed=true]")
        page.page.wait_for_function("() => document.getElementById('gone').textContent === ''")


def test_a_page_of_another_run_is_loaded_again(browser: Browser) -> None:
    with browser_tab(browser) as page:
        with opened() as at, page.page.expect_response("**/events"):
            page.page.goto(at.url)
        page.page.wait_for_selector("#gone >> text=The program has ended")
        with opened(at.port) as other:
            other.board.title = "Another title"
            page.page.wait_for_selector("h1 >> text=Another title")
            page.page.click("#mastodon-outage")
            page.page.wait_for_selector("#mastodon-outage[aria-pressed=true]")


def test_times_are_the_viewers_own(browser: Browser, at: LivePage) -> None:
    at.post("One.")
    with browser_tab(browser, timezone="Asia/Tokyo") as page:
        page.page.clock.set_fixed_time(NOON)
        page.page.goto(at.url)
        assert page.text("time") == ["21:00:00"] * 3
        page.page.clock.set_fixed_time(NOON + timedelta(hours=4))  # tomorrow, in Tokyo
        at.post("Two.")
        until_shown(page, "Two.")
        assert page.text("time") == ["Mar 01, 21:00:00"] * 6


def test_the_switches_stay_where_they_are_whatever_the_bot_says_and_offers(
    browser: Browser, at: LivePage
) -> None:
    said, offered = ["Sent."], [""]
    at.board.saying = lambda _: (said[-1], Tone.GOOD)
    at.board.button = lambda: offered[-1]
    with browser_tab(browser) as page:
        page.page.goto(at.url)
        before = page.page.locator("#twitter-outage").bounding_box()
        said.append("Waiting. " * 30)
        offered.append("Another")
        at.post("One.")
        page.page.wait_for_selector(".twitter .saying >> text=Waiting.")
        page.page.wait_for_selector("#next")
        assert page.page.locator("#twitter-outage").bounding_box() == before


@pytest.mark.parametrize("width", WIDTHS)
def test_a_switch_has_room_for_its_words(browser: Browser, at: LivePage, width: int) -> None:
    room = """() => [...document.querySelectorAll(".switch")].map(each =>
        each.getBoundingClientRect().right - each.lastElementChild.getBoundingClientRect().right)"""
    with browser_tab(browser, width) as page:
        page.page.goto(at.url)
        page.page.click("#twitter-credits")
        page.page.wait_for_selector("#twitter-credits[aria-pressed=true]")
        assert min(page.page.evaluate(room)) >= 10


def test_the_columns_stand_in_line(browser: Browser, at: LivePage) -> None:
    heights = "name => [...document.querySelectorAll(name)].map(e => e.offsetHeight)"
    at.post("One.")
    with browser_tab(browser) as page:
        page.page.goto(at.url)
        assert len({*page.page.evaluate(heights, ".profile")}) == 1
        assert max(page.page.evaluate(heights, ".by .whose")) <= 24  # one line


# -- Other tabs ------------------------------------------------------------------------------------


def look(page: Page, *, away: bool) -> None:
    """Go to another tab, or come back: a browser without a window shows all of them at once."""
    page.evaluate(
        """away => {
            Object.defineProperty(document, "hidden", {value: away, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        away,
    )


def test_any_number_of_tabs_may_be_open(browser: Browser, at: LivePage) -> None:
    context = browser.new_context()
    pages = [context.new_page() for _ in range(8)]
    for page in pages:
        page.goto(at.url)
        look(page, away=True)
    at.post("Meanwhile.")
    look(pages[0], away=False)
    pages[0].wait_for_selector(".twitter .text >> text=Meanwhile.")
    at.post("Later.")
    pages[0].wait_for_selector(".twitter .text >> text=Later.")
    assert pages[1].locator(".post").count() == 0
    context.close()
