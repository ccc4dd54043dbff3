"""The sandbox's page over HTTP: what arrived, faults to switch on, and nobody else's business."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
import requests
from starlette.types import Message

from bot.demo import app as web
from bot.demo import switches
from bot.demo.board import Board
from bot.demo.records import details_of
from bot.demo.serve import check_libraries, listen, served
from bot.demo.standins import StandIn, stand_ins
from bot.errors import SettingsError
from bot.model import Network
from bot.output.page.views import Tone
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.records import Blob
from bot.sandbox.bluesky.rules import BlueskyRules
from bot.sandbox.listener import HOST
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.server import Sandbox
from bot.sandbox.uploads import Medium
from bot.sandbox.wire import Json
from tests.helpers.html_page import HtmlPage, check_harmless

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TIMEOUT = 60.0


@dataclass
class SandboxPage:
    """The page, and the stand-ins behind it."""

    board: Board
    url: str
    session: requests.Session

    def rules(self, network: Network) -> StandIn:
        return next(each for each in self.board.stand_ins if each.network is network)

    @property
    def mastodon(self) -> MastodonRules:
        rules = self.rules(Network.MASTODON).rules
        assert isinstance(rules, MastodonRules)
        return rules

    @property
    def bluesky(self) -> BlueskyRules:
        rules = self.rules(Network.BLUESKY).rules
        assert isinstance(rules, BlueskyRules)
        return rules

    def skeet(self, text: str, **more: Json) -> None:
        """Put a record as another client of the account may."""
        rules = self.bluesky
        rkey = f"3k{len(rules.every()):011}".replace("0", "2").replace("1", "3")
        value = {"$type": POST, "text": text, "createdAt": "2026-03-01T12:00:00.000Z"}
        rules.place(POST, rkey, {**value, **more})

    def blob(self) -> Blob:
        return self.bluesky.blobs.upload(PNG, "image/png", NOON)

    def get(self, path: str = "/", **headers: str) -> requests.Response:
        return self.session.get(self.url + path, headers=headers, timeout=TIMEOUT)

    def read(self) -> HtmlPage:
        page = HtmlPage(self.get().text)
        check_harmless(page)
        return page

    def send(self, path: str, headers: dict[str, str] | None = None, **form: str) -> int:
        answer = self.session.post(
            self.url + path, data=form, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
        return answer.status_code

    def flip(self, network: str, fault: str, on: str = "yes", token: str | None = None) -> int:
        given = self.board.token if token is None else token
        return self.send("/fault", network=network, fault=fault, on=on, token=given)

    def toot(self, text: str, **form: str) -> requests.Response:
        """Ask the stand-in for Mastodon to publish something."""
        return self.session.post(
            self.board.sandbox.url("mastodon") + "/api/v1/statuses",
            data={"status": text, **form},
            headers={"Authorization": f"Bearer {self.mastodon.token}"},
            timeout=TIMEOUT,
        )

    def tweet(self, text: str) -> requests.Response:
        """Ask the stand-in for X, with no signature: what answers is the fault, or a 401."""
        url = self.board.sandbox.url("twitter") + "/2/tweets"
        return self.session.post(url, json={"text": text}, timeout=TIMEOUT)


@contextmanager
def opened() -> Iterator[SandboxPage]:
    made = stand_ins(lambda _: lambda: NOON)
    with Sandbox({each.network: each.rules for each in made}) as sandbox, listen(0) as door:
        board = Board(sandbox, made, "Sandbox", "Title", "Lead.", shows_variables=True)
        with served(board, door), requests.Session() as session:
            session.trust_env = False
            yield SandboxPage(board, f"http://{HOST}:{door.getsockname()[1]}", session)


@pytest.fixture
def at() -> Iterator[SandboxPage]:
    with opened() as made:
        yield made


# -- What it shows ---------------------------------------------------------------------------------


def test_before_anything_arrives_it_says_so(at: SandboxPage) -> None:
    page = at.read()
    assert page.texts("empty") == ["No posts yet."] * 3
    assert page.texts("saying") == ["Waiting for a bot to post here."] * 3
    assert page.texts("sums") == ["No requests yet."] * 3
    assert page.texts("handle") == [
        "@sandbox",
        "@sandbox@sandbox Automated",
        "@sandbox.example.org",
    ]


def test_posts_are_shown_as_readers_see_them(at: SandboxPage) -> None:
    link = "https://arxiv.org/abs/2106.10934"
    first = at.toot(f"One <b> {link} #arXiv", visibility="public", language="en").json()["id"]
    at.toot("Two", visibility="unlisted", in_reply_to_id=first)
    page = at.read()
    assert page.posts == ["One <b> arxiv.org/abs/2106.10934 #arXiv", "Two"]
    assert page.texts("where") == ["visibility: public12:00:00", "visibility: unlisted12:00:00"]
    assert page.texts("reply") == ["In reply to post 1"]
    assert page.texts("size") == ["length 47/ of 500", "length 3/ of 500"]
    assert link in [a.attributes.get("href") for a in page.named("a")]
    assert page.texts("stats")[1] == "2 posts"
    assert page.texts("asked")[0].startswith("200 ← POST /api/v1/statuses")


def test_threads_stand_one_after_the_other(at: SandboxPage) -> None:
    rules = at.rules(Network.TWITTER).rules
    one, other = rules.write("one"), rules.write("other")
    rules.write("other, 2", reply_to=other.id)
    rules.write("one, 2", reply_to=one.id)
    rules.write("a stranger's", author="stranger", reply_to=one.id)
    page = at.read()
    assert page.posts == ["one", "one, 2", "other", "other, 2"]
    assert len(page.of_class("last")) == 2
    assert page.texts("stats")[0] == "4 posts 2 threads"


def test_what_is_deleted_is_gone_and_counted(at: SandboxPage) -> None:
    rules = at.rules(Network.TWITTER).rules
    first = rules.write("first")
    rules.write("second", reply_to=first.id)
    rules.remove(first.id)
    page = at.read()
    assert page.posts == ["second"]
    assert page.texts("note") == ["It replies to a post that is deleted."]
    assert page.texts("stats")[0] == "1 post 1 deleted"


def test_a_content_warning_is_said_and_a_full_post_is_none(at: SandboxPage) -> None:
    at.toot("x" * 480, spoiler_text="Long")
    assert at.read().texts("note") == ["Content warning: Long"]


def test_a_picture_is_shown_with_its_words(at: SandboxPage) -> None:
    for number, kind in enumerate(("image/png", "image/svg+xml"), 1):
        name = str(number)
        at.mastodon.uploads[name] = Medium(name, PNG, kind, NOON, "A chart.")
        at.mastodon.media.add(name)
    at.mastodon.media.add("3")
    at.toot("With pictures", **{"media_ids[]": "1"})
    at.toot("And one whose file never came", **{"media_ids[]": "3"})
    page = at.read()
    (image,) = page.named("img")
    assert image.attributes == {"src": "/media/mastodon/1", "alt": "A chart."}
    assert page.texts("frame") == ["The file of this picture was never uploaded."]
    answer = at.get("/media/mastodon/1")
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
    # what is no picture for a page could be a page itself
    for missing in ("/media/mastodon/2", "/media/mastodon/9", "/media/nowhere/1"):
        assert at.get(missing).status_code == 404


def test_a_record_of_bluesky_brings_its_links_and_its_card(at: SandboxPage) -> None:
    card: Json = {"uri": "https://arxiv.org/abs/1", "title": "A <title>", "description": "More."}
    at.skeet(
        "\N{SNOWMAN} abs #arXiv http://plain.example",
        facets=[facet(4, 7, "link", uri="https://arxiv.org/abs/1"), facet(8, 14, "tag", tag="a")],
        embed={"$type": "app.bsky.embed.external", "external": card},
        langs=["en"],
    )
    page = at.read()
    assert page.posts == ["\N{SNOWMAN} abs #arXiv http://plain.example"]
    assert page.texts("link") == ["abs"]
    assert page.texts("tag") == ["#arXiv"]
    assert page.texts("card") == ["arxiv.org A <title> More."]
    assert page.texts("size") == ["length 33/ of 300"]
    assert at.get().text.count('href="https://arxiv.org/abs/1"') == 2


def test_a_picture_of_bluesky_has_the_words_of_its_record(at: SandboxPage) -> None:
    blob = at.blob()
    image: Json = {"alt": "A chart.", "image": blob.reference()}
    at.skeet("Look", embed={"$type": "app.bsky.embed.images", "images": [image]})
    (shown,) = at.read().named("img")
    assert shown.attributes == {"src": f"/media/bluesky/{blob.cid}", "alt": "A chart."}
    answer = at.get(f"/media/bluesky/{blob.cid}")
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
    for missing in ("x", str(blob.cid)[:-1] + "b"):
        assert at.get(f"/media/bluesky/{missing}").status_code == 404


def test_a_post_of_bluesky_that_was_taken_down_is_shown_bare(at: SandboxPage) -> None:
    stand_in = at.rules(Network.BLUESKY)
    post = at.bluesky.write("Hello")
    assert at.read().posts == ["Hello"]
    at.bluesky.remove(post.id)
    assert stand_in.details(post).stretches == ()


def facet(start: Json, end: Json, kind: str = "link", **value: Json) -> Json:
    feature: Json = {"$type": f"app.bsky.richtext.facet#{kind}", **value}
    return {"index": {"byteStart": start, "byteEnd": end}, "features": [feature]}


@pytest.mark.parametrize(
    "facets",
    [
        *([facet(0, 99)], [facet(3, 3)], [facet(1, 4)]),
        *([facet(0, 2)], [facet(0, 3, "mention", did="did:plc:x")]),
    ],
)
def test_a_facet_that_makes_no_sense_is_left_out(facets: Json) -> None:
    assert details_of({"text": "\N{SNOWMAN} and so on", "facets": facets}).stretches == ()


def test_facets_that_cross_are_told_apart() -> None:
    facets: Json = [facet(2, 5, uri="https://b.example"), facet(0, 3, uri="https://a.example")]
    found = details_of({"text": "abcdef", "facets": facets}).stretches
    assert found == ((0, 3, "https://a.example"),)


def test_a_card_leads_nowhere_strange() -> None:
    card: Json = {"uri": "javascript:alert(1)", "title": "Click", "description": ""}
    embed: Json = {"$type": "app.bsky.embed.external", "external": card}
    shown = details_of({"text": "", "embed": embed}).card
    assert shown is not None
    assert (shown.title, shown.href, shown.host) == ("Click", "", "")


def test_what_is_not_there_is_no_refusal(at: SandboxPage) -> None:
    url = at.board.sandbox.url("bluesky") + "/xrpc/com.atproto.repo.getRecord"
    where = {"repo": at.bluesky.handle, "collection": POST, "rkey": "3k"}
    assert at.session.get(url, params=where, timeout=TIMEOUT).status_code == 400
    assert at.read().texts("sums")[2] == "1 request · nothing went wrong"


@pytest.mark.parametrize(("fault", "status"), [("limit", 429), ("outage", 503)])
def test_bluesky_can_go_wrong(at: SandboxPage, fault: str, status: int) -> None:
    assert at.flip("bluesky", fault) == 303
    url = at.board.sandbox.url("bluesky") + "/xrpc/com.atproto.server.describeServer"
    assert at.session.get(url, timeout=TIMEOUT).status_code == status
    assert at.flip("bluesky", "credits") == 404


def test_hostile_text_stays_text(at: SandboxPage) -> None:
    text = "</style><script>alert(1)</script><img src=x onerror=alert(1)> javascript:alert(1)"
    at.toot(text, spoiler_text=text)
    page = at.read()
    assert page.posts == [text]
    assert [script.attributes for script in page.named("script")] == [
        {"src": "/live.js", "defer": ""}
    ]


def test_the_page_names_what_leads_a_bot_here(at: SandboxPage) -> None:
    (lines,) = at.read().named("pre")
    given = dict(line.split("=", 1) for line in lines.text.split("\n"))
    assert given["TWITTER_API_URL"] == at.board.sandbox.url("twitter")
    assert given["BLUESKY_HANDLE"] == at.bluesky.handle
    assert given["MASTODON_ACCESS_TOKEN"] == at.mastodon.token


def test_what_the_bot_says_and_offers_is_shown(at: SandboxPage) -> None:
    pressed: list[int] = []
    at.board.saying = lambda network: (f"Sent to {network}.", Tone.GOOD)
    at.board.button = lambda: "Another"
    at.board.press = lambda: pressed.append(1)
    page = at.read()
    assert page.texts("saying") == [f"Sent to {network}." for network in Network]
    assert page.texts("go") == ["Another"]
    assert at.send("/next", token=at.board.token) == 303
    assert at.send("/next", token="wrong") == 403
    assert pressed == [1]


# -- Faults ----------------------------------------------------------------------------------------


def test_a_fault_is_switched_on_and_off(at: SandboxPage) -> None:
    assert at.flip("mastodon", "outage") == 303
    assert at.toot("One").status_code == 503
    pressed = [e for e in at.read().of_class("switch") if e.attributes["aria-pressed"] == "true"]
    assert [" ".join(each.text.split()) for each in pressed] == ["503 outage on"]
    assert at.flip("mastodon", "outage", on="no") == 303
    assert at.toot("One").status_code == 200
    page = at.read()
    assert page.posts == ["One"]
    assert "2 requests · 1 failed · 1 tried again" in page.texts("sums")
    assert "503 on purpose ← POST /api/v1/statuses" in page.texts("asked")[0]


def test_a_rate_limit_says_when_it_ends(at: SandboxPage) -> None:
    at.flip("mastodon", "limit")
    answer = at.toot("One")
    assert answer.status_code == 429
    assert answer.headers["x-ratelimit-reset"].startswith("2026-03-01T12:00:03")
    assert "1 refused" in at.read().texts("sums")[1]


def test_a_dropped_answer_is_to_a_post_that_is_there(at: SandboxPage) -> None:
    at.flip("mastodon", "dropped")
    with pytest.raises(requests.ConnectionError):
        at.toot("One")
    page = at.read()
    assert page.posts == ["One"]
    assert "1 unanswered" in page.texts("sums")[1]
    assert page.texts("asked") == ["no answer on purpose ← POST /api/v1/statuses"]
    at.session.get(at.board.sandbox.url("mastodon") + "/api/v2/instance", timeout=TIMEOUT)


def test_a_duplicate_is_refused_once(at: SandboxPage) -> None:
    at.flip("twitter", "duplicate")
    assert [at.tweet("One").status_code, at.tweet("Two").status_code] == [403, 403]
    assert at.tweet("One").status_code == 401  # the network's own word: it was not signed


def test_credits_run_out(at: SandboxPage) -> None:
    at.flip("twitter", "credits")
    assert at.tweet("One").status_code == 402


@pytest.mark.parametrize(
    ("network", "fault"),
    [("mastodon", "credits"), ("mastodon", "nothing"), ("nowhere", "outage"), ("", "")],
)
def test_a_fault_that_is_none_is_refused(at: SandboxPage, network: str, fault: str) -> None:
    assert at.flip(network, fault) == 404


def test_a_network_without_a_stand_in_has_no_faults() -> None:
    with pytest.raises(KeyError):
        switches.Switches({}).flip(Network.BLUESKY, "outage", on=True)


# -- Live ------------------------------------------------------------------------------------------


def test_an_event_tells_of_every_change(at: SandboxPage) -> None:
    with at.session.get(at.url + "/events", stream=True, timeout=TIMEOUT) as stream:
        lines = stream.iter_lines(decode_unicode=True)
        assert next(lines) == "retry: 1000"
        at.toot("One")
        assert "event: change" in (next(lines) for _ in range(10))
        at.flip("mastodon", "outage")
        assert "event: change" in (next(lines) for _ in range(10))


def test_what_changes_after_the_first_line_is_news(at: SandboxPage) -> None:
    """A browser asks for the page at the first line, and must be told of what comes after it."""

    async def told() -> list[str]:
        lines = web.Pages(at.board, lambda: False).changes()
        first = await anext(lines)
        at.toot("One")
        return [first, await anext(lines)]

    assert asyncio.run(asyncio.wait_for(told(), TIMEOUT)) == [
        "retry: 1000\n\n",
        "event: change\ndata: \n\n",
    ]


def test_a_quiet_line_is_held(at: SandboxPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_LOOK", 0.01)
    monkeypatch.setattr(web, "_HEARTBEAT", 0.015)
    with at.session.get(at.url + "/events", stream=True, timeout=TIMEOUT) as stream:
        lines = stream.iter_lines(decode_unicode=True)
        assert ": still here" in (next(lines) for _ in range(10))


def test_the_events_end_with_the_page() -> None:
    with opened() as at:
        stream = at.session.get(at.url + "/events", stream=True, timeout=TIMEOUT)
        lines = stream.iter_lines()
        next(lines)
    assert list(lines) in ([], [b""])
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((HOST, int(at.url.rpartition(":")[2])), TIMEOUT)


def test_script_and_icon_are_our_own(at: SandboxPage) -> None:
    script = at.get("/live.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert "http" not in re.sub(r"//.*", "", script.text)
    assert at.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


# -- Whose it is -----------------------------------------------------------------------------------


def test_every_answer_is_dressed(at: SandboxPage) -> None:
    for path in ("/", "/live.js", "/nothing"):
        headers = at.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "[::1]", ""]
)
def test_another_name_for_this_machine_is_not_answered(at: SandboxPage, host: str) -> None:
    assert at.get(Host=host).status_code in (400, 421)
    answer = at.session.post(
        at.url + "/fault",
        data={"token": at.board.token, "network": "mastodon", "fault": "outage", "on": "yes"},
        headers={"Host": host},
        timeout=TIMEOUT,
    )
    assert answer.status_code in (400, 421)
    assert not at.board.switches.is_on(Network.MASTODON, "outage")


def test_a_browser_may_say_that_a_form_comes_from_here(at: SandboxPage) -> None:
    # with no-referrer it would say "null", and be refused
    assert at.get().headers["referrer-policy"] == "same-origin"
    metas = [e.attributes for e in at.read().named("meta")]
    assert {"name": "referrer", "content": "same-origin"} in metas


def test_localhost_is_this_machine(at: SandboxPage) -> None:
    assert at.get(Host=f"LocalHost:{at.url.rpartition(':')[2]}").status_code == 200


@pytest.mark.parametrize("token", ["", "x", "é"])
def test_a_form_without_the_token_changes_nothing(at: SandboxPage, token: str) -> None:
    assert at.flip("mastodon", "outage", token=token) == 403
    assert not at.board.switches.is_on(Network.MASTODON, "outage")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_from_elsewhere_changes_nothing(at: SandboxPage, headers: dict[str, str]) -> None:
    form = {"token": at.board.token, "network": "mastodon", "fault": "outage", "on": "yes"}
    assert at.send("/fault", headers, **form) == 403
    assert at.send("/fault", {"Origin": at.url}, **form) == 303


def test_at_port_80_browsers_leave_the_port_out(at: SandboxPage) -> None:
    # without a server: only root may open that port
    app = web.application(at.board, lambda: True)
    body = urlencode(
        {"token": at.board.token, "network": "mastodon", "fault": "outage", "on": "yes"}
    )
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    scope = {"type": "http", "method": "POST", "path": "/fault", "headers": headers}
    answers: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body.encode()}

    async def send(message: Message) -> None:
        answers.append(message)

    async def ask() -> None:
        await app({**scope, "query_string": b""}, receive, send)

    asyncio.run(ask())
    assert answers[0]["status"] == 303
    assert at.board.switches.is_on(Network.MASTODON, "outage")


def test_a_form_that_is_too_long_is_not_read(at: SandboxPage) -> None:
    assert at.send("/fault", token=at.board.token, more="x" * 20_000) == 413


def test_a_fault_cannot_be_had_by_a_link(at: SandboxPage) -> None:
    assert at.get(f"/fault?token={at.board.token}").status_code == 405


def test_two_pages_have_two_tokens(at: SandboxPage) -> None:
    with opened() as other:
        assert other.board.token != at.board.token


# -- Starting --------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_said() -> None:
    with listen(0) as door:
        port = door.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} .* cannot be used"):
            listen(port)
        assert door.getsockname()[0] == HOST


@pytest.mark.parametrize("port", [22, 995, 2049, 5060, 6000, 6665, 6669, 10080])
def test_a_port_that_browsers_refuse_is_refused(port: int) -> None:
    with pytest.raises(SettingsError, match=f"port {port} .* browsers open no page there"):
        listen(port)


def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    check_libraries()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match="starlette and uvicorn") as caught:
        check_libraries()
    assert "[sandbox]" in caught.value.fix
