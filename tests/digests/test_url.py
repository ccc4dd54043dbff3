from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import date

import pytest

from bot.digests.result import Memory, SourceOutcome, SourceResult
from bot.digests.url import UrlSource
from bot.errors import Malformed, NoDigest, Unreachable
from bot.http.fetch import Web
from bot.http.page import CacheValidators
from tests.helpers.http_server import HttpServer, Reply
from tests.helpers.sample_digests import PAPER, digest, markdown
from tests.helpers.sample_pages import FEED, HTML, PLAIN, TEXT, item, rss


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def page(url: str) -> UrlSource:
    return UrlSource(url, Web(timeout=30))


def slug(reading: SourceResult) -> str:
    assert reading.outcome is SourceOutcome.FOUND
    assert reading.digest is not None
    return reading.digest.slug


# Markdown


@pytest.mark.parametrize(
    "type_",
    ["text/markdown; charset=utf-8", "text/x-markdown", "text/plain", "application/octet-stream"],
)
def test_markdown_is_read(server: HttpServer, type_: str) -> None:
    url = server.route("/2021-06-22.md", Reply(TEXT, headers={"Content-Type": type_}))
    reading = page(f"{url}?key=secret").latest()
    assert reading == SourceResult(
        SourceOutcome.FOUND, url, digest("2021-06-22"), memory={url: CacheValidators("", "")}
    )


def test_markdown_of_no_said_type_is_read(server: HttpServer) -> None:
    assert slug(page(server.route("/x", Reply(TEXT))).latest()) == "hot-papers-2021-06-22"


def test_the_day_of_the_url_counts_where_the_text_has_none(server: HttpServer) -> None:
    text = TEXT.replace(b"hot-papers-2021-06-22", b"hot").replace(b"Papers 2021-06-22", b"Papers")
    found = page(server.route("/2021-06-22.md", Reply(text))).latest().digest
    assert found is not None
    assert found.day == date(2021, 6, 22)


def test_markdown_is_found_if_it_is_what_is_wanted(server: HttpServer) -> None:
    source = page(server.route("/x.md", Reply(TEXT)))
    assert slug(source.find(date(2021, 6, 22))) == "hot-papers-2021-06-22"
    assert slug(source.find("hot-papers-2021-06-22")) == "hot-papers-2021-06-22"
    with pytest.raises(NoDigest, match=r"x\.md: this is not the digest 2021-06-21"):
        source.find(date(2021, 6, 21))


@pytest.mark.parametrize(
    ("type_", "sent", "found"),
    [
        ("text/html", b"<p>x", "text/html"),
        ("image/png", b"\x89PNG", "image/png"),
        ("application/json", b"{}", "application/json"),
        ("text/plain", b"\xef\xbb\xbf \n<!DOCTYPE html><html>", "an HTML page"),
        ("", b"<HTML><p>x", "an HTML page"),
    ],
)
def test_other_things_are_malformed(
    server: HttpServer, type_: str, sent: bytes, found: str
) -> None:
    headers = {"Content-Type": type_} if type_ else {}
    url = server.route("/x", Reply(sent, headers=headers))
    with pytest.raises(Malformed, match=f"expected Markdown or an RSS or Atom feed, found {found}"):
        page(url).latest()


def test_text_that_is_no_digest_is_malformed(server: HttpServer) -> None:
    with pytest.raises(Malformed, match="/x:1: expected `---`"):
        page(server.route("/x", Reply(b"hello"))).latest()


def test_what_the_server_refuses(server: HttpServer) -> None:
    with pytest.raises(NoDigest):
        page(f"{server.url}/gone").latest()
    with pytest.raises(Unreachable):
        page(server.route("/x", Reply(status=503))).find("x")


# What did not change


@pytest.mark.parametrize("sent", [Reply(TEXT), Reply(rss(item("2021-06-22")), headers=FEED)])
def test_what_did_not_change_is_not_sent_again(server: HttpServer, sent: Reply) -> None:
    tagged = Reply(sent.body, headers={**sent.headers, "ETag": '"1"', "Last-Modified": "then"})
    source = page(server.route("/x", tagged, Reply(status=304), tagged))
    first = source.latest()
    assert slug(first) == "hot-papers-2021-06-22"
    again = source.latest(first.memory)
    assert again == SourceResult(SourceOutcome.UNCHANGED, f"{server.url}/x", memory=first.memory)
    assert slug(source.find(date(2021, 6, 22))) == "hot-papers-2021-06-22"
    sent_tags = [request.headers.get("if-none-match") for request in server.requests]
    assert sent_tags == [None, '"1"', None]


def test_unchanged_without_having_been_asked_is_an_error(server: HttpServer) -> None:
    memory: Memory = {}
    with pytest.raises(Unreachable, match="answers 304"):
        page(server.route("/x", Reply(status=304))).latest(memory)


def test_a_server_that_drops_its_tag_is_read_whole(server: HttpServer) -> None:
    tagged = Reply(TEXT, headers={"ETag": '"1"', "Last-Modified": "then"})
    later = Reply(markdown("2021-06-23"))
    source = page(server.route("/x", tagged, Reply(status=304), later, later, Reply(status=304)))
    memory = source.latest().memory
    assert source.latest(memory).outcome is SourceOutcome.UNCHANGED
    for _ in range(2):
        reading = source.latest(memory)
        assert slug(reading) == "hot-papers-2021-06-23"
        memory = reading.memory
    with pytest.raises(Unreachable, match="answers 304"):
        source.latest(memory)
    asked = [request.headers.get("if-none-match") for request in server.requests]
    assert asked == [None, '"1"', '"1"', None, None]


def test_what_is_remembered_does_not_grow(server: HttpServer) -> None:
    memory: Memory = {}
    for n in range(50):
        url = server.route("/x", Reply(TEXT, headers={"ETag": f'"{n}"'}))
        memory = page(url).latest(memory).memory
        assert memory == {url: CacheValidators(f'"{n}"')}


# Feeds


@pytest.mark.parametrize(
    ("type_", "before"),
    [
        ("application/rss+xml", b""),
        ("Text/XML; charset=utf-8", b""),
        ("application/xml", b"<!-- no declaration -->"),
        ("text/html", b"\xef\xbb\xbf<?xml version='1.0'?>"),
        ("text/plain", b""),
        ("", b"\n"),
    ],
)
def test_xml_is_a_feed(server: HttpServer, type_: str, before: bytes) -> None:
    headers = {"Content-Type": type_} if type_ else {}
    feed = before + rss(item("2021-06-21"), item("2021-06-22", more="<link>/posts/22</link>"))
    reading = page(server.route("/feed", Reply(feed, headers=headers))).latest()
    assert slug(reading) == "hot-papers-2021-06-22"
    assert reading.digest is not None
    assert reading.digest.papers == (PAPER,)
    assert reading.digest.url == f"{server.url}/posts/22"
    assert reading.source == f"{server.url}/feed"


def test_a_feed_is_searched(server: HttpServer) -> None:
    feed = rss(item("2021-06-22"), item("2021-06-21"))
    source = page(server.route("/feed", Reply(feed, headers=FEED)))
    assert slug(source.find(date(2021, 6, 21))) == "hot-papers-2021-06-21"
    assert slug(source.find("hot-papers-2021-06-21")) == "hot-papers-2021-06-21"
    with pytest.raises(NoDigest, match="/feed: no digest 2021-06-20 in this feed"):
        source.find(date(2021, 6, 20))


def test_a_feed_without_a_digest(server: HttpServer) -> None:
    with pytest.raises(NoDigest, match="/feed: no digest in this feed"):
        page(server.route("/feed", Reply(rss(), headers=FEED))).latest()


def test_a_malformed_item_is_told_by_its_name(server: HttpServer) -> None:
    url = server.route("/feed", Reply(rss(item("2021-06-22", "<p>hello")), headers=FEED))
    with pytest.raises(Malformed, match=r"/feed \(hot-papers-2021-06-22\):\d+: expected `# 1"):
        page(url).latest()


def test_a_page_of_xhtml_is_no_feed(server: HttpServer) -> None:
    url = server.route("/x", Reply(b"<html/>", headers={"Content-Type": "application/xhtml+xml"}))
    with pytest.raises(Malformed, match="expected an RSS or Atom feed: found <html>"):
        page(url).latest()


def test_links_are_relative_to_where_the_feed_is_in_the_end(server: HttpServer) -> None:
    feed = rss(item("2021-06-22", more="<link>22</link>"))
    server.route("/site/feed", Reply(feed, headers=FEED))
    url = server.route("/feed", Reply(status=301, headers={"Location": "/site/feed"}))
    found = page(url).latest().digest
    assert found is not None
    assert found.url == f"{server.url}/site/22"


def test_half_a_feed_is_unreachable(server: HttpServer) -> None:
    feed = rss(item("2021-06-22"))
    headers = {**FEED, "Content-Length": str(len(feed) + 1)}
    with pytest.raises(Unreachable, match="broke off"):
        page(server.route("/feed", Reply(feed, headers=headers))).latest()


@pytest.mark.slow
def test_a_large_feed_is_read_in_little_memory(server: HttpServer) -> None:
    filler = "x" * 30_000

    def pieces(_: threading.Event) -> Iterable[bytes]:
        yield b"<rss><channel>"
        for n in range(500):
            yield f"<item>{item(f'{2000 + n % 20}-06-22', HTML + filler)}</item>".encode()
        yield b"</channel></rss>"

    url = server.route("/feed", Reply(pieces, headers=FEED))
    page(url).latest()  # loads what loads at first use
    tracemalloc.start()
    reading = page(url).latest()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert slug(reading) == "hot-papers-2019-06-22"
    assert peak < 3_000_000


def test_an_endless_feed_ends_at_the_cap(server: HttpServer) -> None:
    def pieces(closing: threading.Event) -> Iterable[bytes]:
        yield b"<rss><channel>"
        while not closing.is_set():
            yield b"<item><title>x</title></item>" * 1000

    source = UrlSource(server.route("/feed", Reply(pieces, headers=FEED)), Web(5, cap=200_000))
    with pytest.raises(Malformed, match=r"at most 0\.2 MB"):
        source.latest()


# Markdown beside a feed


def linked(url: str, body: str = HTML) -> Reply:
    enclosure = f'<enclosure url="{url}" type="text/markdown"/><link>/posts/22</link>'
    return Reply(rss(item("2021-06-22", body, enclosure)), headers=FEED)


def test_markdown_is_preferred(server: HttpServer) -> None:
    server.route("/22.md", Reply(TEXT.replace(b"Clouds", b"Rain"), headers=PLAIN))
    found = page(server.route("/feed", linked("/22.md"))).latest().digest
    assert found is not None
    assert "Rain" in found.papers[0].title
    assert found.url == f"{server.url}/posts/22"


def test_markdown_without_front_matter_is_given_the_items(server: HttpServer) -> None:
    server.route("/22.md", Reply(TEXT.rpartition(b"---\n")[2], headers=PLAIN))
    reading = page(server.route("/feed", linked("/22.md", ""))).latest()
    assert slug(reading) == "hot-papers-2021-06-22"
    assert reading.digest is not None
    assert reading.digest.papers == (PAPER,)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(status=404), "there is nothing (404)"),
        (Reply(b"<p>", headers={"Content-Type": "text/html"}), "found text/html"),
        (Reply(b"\xff"), "expected UTF-8, found something else"),
        (Reply(b"---\nno front matter"), "expected `---`"),
    ],
)
def test_html_is_read_where_there_is_no_markdown_after_all(
    server: HttpServer, reply: Reply, said: str
) -> None:
    server.route("/22.md", reply)
    reading = page(server.route("/feed", linked("/22.md"))).latest()
    assert slug(reading) == "hot-papers-2021-06-22"
    (warning,) = reading.warnings
    assert said in warning
    assert warning.endswith("; its HTML is read, which has lost some characters")


def test_markdown_that_must_not_be_fetched_is_not(server: HttpServer) -> None:
    reading = page(server.route("/feed", linked("http://digests.example/22.md"))).latest()
    assert "http://digests.example/22.md: this is not fetched: only https" in reading.warnings[0]


def test_markdown_that_is_there_but_not_now_is_waited_for(server: HttpServer) -> None:
    server.route("/22.md", Reply(status=503))
    with pytest.raises(Unreachable, match=r"/22\.md: the server answers 503"):
        page(server.route("/feed", linked("/22.md"))).latest()


def test_no_markdown_and_no_html(server: HttpServer) -> None:
    with pytest.raises(NoDigest, match=r"/22\.md: there is nothing"):
        page(server.route("/feed", linked("/22.md", ""))).latest()
