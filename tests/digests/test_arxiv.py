"""arXiv's mailing: new papers alone, the day that is expected, three seconds between requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from bot.digests.arxiv import RequestPace
from bot.digests.result import Source, SourceOutcome
from bot.digests.source import judge, open_source
from bot.errors import SettingsError
from tests.helpers.http_server import HttpServer, Reply
from tests.helpers.paths import SHARED, corpus_only

RSS = {"Content-Type": "application/rss+xml; charset=utf-8"}
FEED = """<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"
 version="2.0"><channel>
<title>cs.CL+cs.LG updates on arXiv.org</title>
<lastBuildDate>Fri, 07 Aug 2026 04:00:05 +0000</lastBuildDate>
<pubDate>{published}</pubDate>
<skipDays><day>Saturday</day><day>Sunday</day></skipDays>
{items}</channel></rss>"""
ITEM = """<item><title>{title}</title>
<link>https://arxiv.org/abs/{id}</link>
<description>arXiv:{id}v1 Announce Type: {kind}
Abstract: We weigh clouds,
for $5 &lt; 6$.</description>
<guid isPermaLink="false">oai:arXiv.org:{id}v1</guid>
<category>cs.CL</category><category>stat.ML</category>
<pubDate>Fri, 07 Aug 2026 00:00:00 -0400</pubDate>
<arxiv:announce_type>{kind}</arxiv:announce_type>
<dc:creator>Ada Sample, Zoë Beispiel</dc:creator></item>
"""
FRIDAY = "Fri, 07 Aug 2026 00:00:00 -0400"
NOON = datetime(2026, 8, 7, 12, tzinfo=UTC)


def item(number: int, kind: str = "new", title: str = "On  Clouds", month: str = "2608") -> str:
    return ITEM.format(id=f"{month}.{number:05}", kind=kind, title=title)


def feed(*items: str, published: str = FRIDAY) -> Reply:
    text = FEED.format(published=published, items="".join(items))
    return Reply(text.encode(), headers={**RSS, "ETag": '"1"'})


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def source(server: HttpServer, now: datetime = NOON, spec: str = "arxiv:cs.LG+cs.CL") -> Source:
    pace = RequestPace(lambda: 0.0, lambda _: None)
    return open_source(spec, arxiv_rss_url=server.url, now=lambda: now, pace=pace)


PATH = "/rss/cs.LG+cs.CL"


def test_the_new_papers_are_a_digest_in_the_mailings_order(server: HttpServer) -> None:
    kinds = ("new", "cross", "replace", "replace-cross", "new")
    server.route(PATH, feed(*(item(9 - n, kind) for n, kind in enumerate(kinds)), item(9)))
    reading = source(server).latest()
    digest = reading.digest
    assert (reading.outcome, reading.warnings) == (SourceOutcome.FOUND, ())
    assert digest
    assert [(p.rank, p.arxiv_id) for p in digest.papers] == [(1, "2608.00009"), (2, "2608.00005")]
    assert (digest.slug, digest.day) == ("arxiv-cs.CL-cs.LG-2026-08-07", date(2026, 8, 7))
    assert digest.published == datetime(2026, 8, 7, 4, tzinfo=UTC)
    assert digest.ranked_by == ""
    paper = digest.papers[0]
    assert (paper.title, paper.authors) == ("On Clouds", ("Ada Sample", "Zoë Beispiel"))
    assert paper.abstract == "We weigh clouds, for $5 < 6$."
    assert paper.categories == ("cs.CL", "stat.ML")
    assert paper.metrics.counts == ()
    request = server.requests[0]
    assert "application/rss+xml" in request.headers["accept"]
    assert request.headers["user-agent"].startswith("bot/")


def test_what_is_unchanged_is_not_read_again(server: HttpServer) -> None:
    server.route(PATH, feed(item(1)), Reply(status=304))
    opened = source(server)
    memory = opened.latest().memory
    assert opened.latest(memory).outcome is SourceOutcome.UNCHANGED
    assert server.requests[1].headers["if-none-match"] == '"1"'


def test_a_feed_that_stays_unchanged_over_the_next_mailing_is_stale(server: HttpServer) -> None:
    server.route(PATH, feed(item(1)), Reply(status=304))
    memory = source(server).latest().memory
    for now, outcome in (("2026-08-09T23", "unchanged"), ("2026-08-10T07", "unreachable")):
        later = source(server, datetime.fromisoformat(f"{now}:00+00:00")).latest(memory)
        assert (later.outcome, later.memory) == (outcome, memory)
    assert "it is still that of 2026-08-07, and 2026-08-10 is expected" in str(later.problem)


@pytest.mark.parametrize("now", ["2026-08-07T12", "2026-08-08T12", "2026-08-09T23"])
def test_a_mailing_without_papers_is_empty_and_no_failure(server: HttpServer, now: str) -> None:
    server.route(PATH, feed())
    time = datetime.fromisoformat(f"{now}:00+00:00")
    reading = source(server, time).latest()
    assert judge(reading, time, None).outcome is SourceOutcome.EMPTY


@pytest.mark.parametrize(
    ("now", "published", "is_stale"),
    [
        ("2026-08-07T05", "Thu, 06 Aug 2026 00:00:00 -0400", False),  # one in the morning there
        ("2026-08-07T07", "Thu, 06 Aug 2026 00:00:00 -0400", True),
        ("2026-08-08T12", "Fri, 07 Aug 2026 00:00:00 -0400", False),  # Saturday
        ("2026-08-10T05", "Fri, 07 Aug 2026 00:00:00 -0400", False),  # Monday, before it is built
        ("2026-08-10T07", "Fri, 07 Aug 2026 00:00:00 -0400", True),
        ("2026-08-10T07", "Mon, 10 Aug 2026 00:00:00 -0400", False),
    ],
)
def test_a_batch_of_an_earlier_day_is_stale(
    server: HttpServer,
    now: str,
    published: str,
    is_stale: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    server.route(PATH, feed(item(1), published=published))
    reading = source(server, datetime.fromisoformat(f"{now}:00+00:00")).latest()
    assert (reading.outcome is SourceOutcome.UNREACHABLE) == is_stale
    assert ("the feed is stale" in str(reading.problem)) == is_stale


def test_a_batch_of_old_papers_is_stale(server: HttpServer) -> None:
    server.route(PATH, feed(item(1, month="2605")))
    reading = source(server).latest()
    assert "its newest paper is of 05/2026" in str(reading.problem)


@pytest.mark.parametrize(
    ("reply", "outcome", "message"),
    [
        (Reply(status=429), "unreachable", "answers 429"),
        (Reply(status=406), "unreachable", "answers 406"),
        (Reply(b"<html>Log in</html>", headers={"Content-Type": "text/html"}), "malformed", "html"),
        (Reply(b"<rss><channel></channel></rss>", headers=RSS), "malformed", "pubDate"),
        (Reply(b"<rss><channel><item>", headers=RSS), "malformed", "expected an RSS or Atom feed"),
        (Reply(b"<rss", headers={**RSS, "Content-Length": "90"}), "unreachable", "broke off"),
    ],
)
def test_each_failure_has_its_words(
    server: HttpServer, reply: Reply, outcome: str, message: str
) -> None:
    server.route(PATH, reply)
    reading = source(server).latest()
    assert (reading.outcome, message in str(reading.problem)) == (outcome, True)


def test_the_feed_gives_one_day_alone(server: HttpServer) -> None:
    server.route(PATH, feed(item(1)))
    opened = source(server)
    assert opened.find(date(2026, 8, 7)).digest
    assert opened.find("arxiv-cs.CL-cs.LG-2026-08-07").digest
    assert opened.find(date(2026, 8, 6)).outcome is SourceOutcome.NONE
    assert len(opened.since(date(2026, 8, 6), 5)) == 1
    assert opened.since(date(2026, 8, 7), 5) == ()


@pytest.mark.parametrize("spec", ["arxiv:", "arxiv:cs.CL+", "arxiv:cs/CL", "arxiv:cs.CL cs.LG"])
def test_what_are_no_categories_is_refused(spec: str) -> None:
    with pytest.raises(SettingsError, match=r"it is not of the form arxiv:cs\.CL\+cs\.LG"):
        open_source(spec)


def test_requests_leave_three_seconds_apart() -> None:
    now, slept = 100.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    pace = RequestPace(lambda: now, sleep)
    for _ in range(3):
        pace.wait()
        now += 1
    assert slept == [2.0, 2.0]
    now += 60
    pace.wait()
    assert len(slept) == 2


@corpus_only
def test_the_documented_and_the_recorded_feed_are_read(server: HttpServer) -> None:
    files = SHARED / "api" / "arxiv"
    server.route("/rss/cs.AI", Reply((files / "rss-shape.xml").read_bytes(), headers=RSS))
    digest = source(server, spec="arxiv:cs.AI").latest().digest
    assert digest
    assert [paper.arxiv_id for paper in digest.papers] == ["2607.28609"]
    assert len(digest.papers[0].authors) == 23
    empty = Reply((files / "physics-2025-12-31-empty.xml").read_bytes(), headers=RSS)
    server.route("/rss/physics", empty)
    holiday = datetime(2025, 12, 31, 12, tzinfo=UTC)
    found = source(server, holiday, "arxiv:physics").latest().digest
    assert found
    assert (found.day, found.papers) == (date(2025, 12, 31), ())
