"""Hugging Face's Daily Papers: which day is read, by what rank, and what each answer means."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.result import Source, SourceOutcome
from bot.digests.source import open_source
from bot.errors import SettingsError, Unreachable
from tests.helpers.http_server import HttpServer, Reply, Request
from tests.helpers.paths import SHARED, corpus_only

JSON = {"Content-Type": "application/json; charset=utf-8"}
THURSDAY = date(2026, 8, 6)
NOON = datetime(2026, 8, 7, 12, tzinfo=UTC)
"""The Friday after it."""


def entry(number: int, upvotes: object = 5, comments: object = 1, **paper: object) -> object:
    """An entry of the list, in the documented form."""
    return {
        "paper": {
            "id": f"2608.{number:05}",
            "title": f"On  Clouds,\nPart {number}",
            "summary": "We weigh\nclouds. They are light.",
            "authors": [{"name": "Ada Sample"}, {"name": "Zoë Beispiel", "hidden": True}],
            "upvotes": upvotes,
            "ai_summary": "Not ours to use.",
        }
        | paper,
        "numComments": comments,
        "title": f"On Clouds, Part {number}",
    }


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


Lists = Mapping[date, Sequence[object]]


def serve(server: HttpServer, lists: Lists) -> None:
    def reply(request: Request) -> Reply:
        day = re.search(r"\?date=([0-9-]+)&limit=100$", request.path)
        assert day
        found = lists.get(date.fromisoformat(day[1]), [])
        return Reply(json.dumps(found).encode(), headers=JSON)

    server.route("/api/daily_papers", reply)


def source(server: HttpServer, now: datetime | Callable[[], datetime] = NOON) -> Source:
    clock = now if callable(now) else lambda: now
    return open_source("huggingface", huggingface_url=server.url, now=clock)


def days_asked(server: HttpServer) -> list[str]:
    return [request.path.partition("date=")[2][:10] for request in server.requests]


def test_a_day_is_ranked_by_upvotes_then_comments_then_id(server: HttpServer) -> None:
    entries = [entry(1, 5, 1), entry(2, 9), entry(3, 5, 2), entry(4, 5, 1), entry(5, 0)]
    serve(server, {THURSDAY: entries, THURSDAY - timedelta(days=1): [entry(4)]})
    reading = source(server).latest()
    digest = reading.digest
    assert (reading.outcome, reading.warnings) == (SourceOutcome.FOUND, ())
    assert digest
    ranked = [(p.rank, p.arxiv_id, p.metrics.number("upvotes")) for p in digest.papers]
    assert ranked == [(1, "2608.00002", 9), (2, "2608.00003", 5), (3, "2608.00001", 5)]
    assert (digest.slug, digest.title) == ("daily-papers-2026-08-06", "Daily Papers 2026-08-06")
    assert digest.published == datetime(2026, 8, 7, tzinfo=UTC)
    assert digest.ranked_by == "upvotes on Hugging Face"
    assert digest.url == "https://huggingface.co/papers/date/2026-08-06"
    first = digest.papers[0]
    assert (first.title, first.authors) == ("On Clouds, Part 2", ("Ada Sample",))
    assert first.abstract == "We weigh clouds. They are light."
    assert first.metrics.counts == (("upvotes", 9), ("comments", 1))
    assert first.link == "https://arxiv.org/abs/2608.00002"


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        ("2026-08-07T05:59", "2026-08-05"),  # Friday, before the margin has passed
        ("2026-08-07T06:00", "2026-08-06"),
        ("2026-08-08T06:00", "2026-08-07"),  # Saturday
        ("2026-08-09T23:00", "2026-08-07"),  # Sunday
        ("2026-08-10T23:59", "2026-08-07"),  # Monday
        ("2026-08-11T05:59", "2026-08-07"),
        ("2026-08-11T06:00", "2026-08-10"),  # Tuesday
    ],
)
def test_the_newest_weekday_that_is_over_is_read(server: HttpServer, now: str, newest: str) -> None:
    serve(server, {date.fromisoformat(newest): [entry(1)]})
    reading = source(server, datetime.fromisoformat(f"{now}+00:00")).latest()
    assert reading.digest
    assert reading.digest.day.isoformat() == newest
    assert days_asked(server)[0] == newest


def test_a_day_that_was_read_is_not_asked_for_again(server: HttpServer) -> None:
    serve(server, {THURSDAY: [entry(1)], THURSDAY + timedelta(days=1): [entry(2)]})
    now = NOON
    opened = source(server, lambda: now)
    memory = opened.latest().memory
    assert opened.latest(memory).outcome is SourceOutcome.UNCHANGED
    assert days_asked(server) == ["2026-08-06", "2026-08-05"]
    now += timedelta(days=1)
    found = opened.latest(memory).digest
    assert found
    assert found.slug == "daily-papers-2026-08-07"


def test_a_weekday_without_papers_gives_way_and_is_said_and_asked_for_again(
    server: HttpServer,
) -> None:
    lists = {date(2026, 8, 4): [entry(1)], date(2026, 8, 5): [entry(1)]}
    serve(server, lists)
    opened = source(server)
    reading = opened.latest()
    assert reading.digest
    assert reading.digest.day == date(2026, 8, 4), "the 5th has the papers of the 4th"
    assert reading.warnings == (
        "huggingface: there are no new papers of 2026-08-06",
        "huggingface: there are no new papers of 2026-08-05",
    )
    lists[THURSDAY] = [entry(2)]
    again = opened.latest(reading.memory).digest
    assert again
    assert again.day == THURSDAY


def test_a_week_without_papers_is_no_digest(server: HttpServer) -> None:
    serve(server, {})
    reading = source(server).latest()
    assert (reading.outcome, str(reading.problem)) == (
        SourceOutcome.NONE,
        "huggingface: there are no papers of the 7 days up to 2026-08-06",
    )


def test_monday_leaves_out_the_papers_of_friday(server: HttpServer) -> None:
    serve(server, {date(2026, 8, 7): [entry(1)], date(2026, 8, 10): [entry(1), entry(2)]})
    digest = source(server, datetime(2026, 8, 11, 7, tzinfo=UTC)).latest().digest
    assert digest
    assert [paper.arxiv_id for paper in digest.papers] == ["2608.00002"]


@pytest.mark.parametrize(
    ("reply", "outcome", "message"),
    [
        (Reply(status=429, headers={"RateLimit": '"api";r=0;t=240'}), "unreachable", "240 seconds"),
        (Reply(status=429, headers={"Retry-After": "60"}), "unreachable", "wait 60 seconds"),
        (Reply(b'{"error":"bad date"}', 400, JSON), "unreachable", "the server answers 400"),
        (Reply(b"<html>", 403, {"Content-Type": "text/html"}), "unreachable", "answers 403"),
        (Reply(status=503), "unreachable", "the server answers 503"),
        (Reply(b"[{", headers={**JSON, "Content-Length": "900"}), "unreachable", "broke off"),
        (Reply(b"[{}", headers=JSON), "malformed", "expected JSON"),
        (Reply(b"<html>Log in", headers={"Content-Type": "text/html"}), "malformed", "text/html"),
        (Reply(b'{"papers": []}', headers=JSON), "malformed", "expected a JSON array"),
        (Reply(b"[[]]", headers=JSON), "malformed", "no paper can be read here"),
        (Reply(b"[" * 500_000, headers=JSON), "malformed", "expected at most 150,000 values"),
    ],
)
def test_each_failure_has_its_words(
    server: HttpServer, reply: Reply, outcome: str, message: str
) -> None:
    server.route("/api/daily_papers", reply)
    reading = source(server).latest()
    assert reading.outcome == outcome
    assert message in str(reading.problem)
    if "240" in message:
        assert isinstance(reading.problem, Unreachable)
        assert reading.problem.wait == 240


@pytest.mark.parametrize("upvotes", [0, None, "12", -3, True])
def test_a_day_without_upvotes_is_a_changed_form(server: HttpServer, upvotes: object) -> None:
    serve(server, {THURSDAY: [entry(1, upvotes), entry(2, upvotes)]})
    reading = source(server).latest()
    assert reading.outcome is SourceOutcome.MALFORMED
    assert (
        "expected upvotes in `paper.upvotes`, found none, but paper, numComments, title, "
        in str(reading.problem)
    )


def test_what_is_no_paper_is_left_out_with_a_warning(server: HttpServer) -> None:
    odd = [None, {"paper": []}, entry(1, id=7), entry(2, id="acl-12"), entry(3, title=" \n")]
    serve(server, {THURSDAY: [*odd, entry(4, authors=None, summary=3), entry(5, comments=None)]})
    reading = source(server).latest()
    assert reading.digest
    assert [paper.arxiv_id for paper in reading.digest.papers] == ["2608.00004", "2608.00005"]
    assert reading.digest.papers[1].metrics.counts == (("upvotes", 5),)
    assert [warning.partition("): ")[2] for warning in reading.warnings] == [
        "an entry without `paper` is left out",
        "an entry without `paper` is left out",
        "'7' is no arXiv id, and is left out",
        "'acl-12' is no arXiv id, and is left out",
        "2608.00003 has no title, and is left out",
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
keys = st.sampled_from(["id", "title", "summary", "authors", "upvotes", "extra"])


@given(st.lists(st.one_of(values, st.dictionaries(keys, values).map(lambda p: {"paper": p}))))
def test_no_answer_raises(entries: list[object]) -> None:
    with HttpServer() as server:
        serve(server, {THURSDAY: [*entries, entry(1)]})
        reading = source(server).latest()
    assert reading.outcome is SourceOutcome.FOUND


def test_a_day_is_found_by_its_date_and_by_its_slug(server: HttpServer) -> None:
    serve(server, {THURSDAY: [entry(1)]})
    opened = source(server)
    for wanted in (THURSDAY, "daily-papers-2026-08-06"):
        found = opened.find(wanted).digest
        assert found
        assert found.day == THURSDAY
    asked = len(server.requests)
    refused: Mapping[date | str, str] = {
        date(2026, 8, 1): "2026-08-01 is a Saturday, and weekends have no digest",
        date(2026, 8, 7): "the list of 2026-08-07 is complete on 2026-08-08 06:00 UTC",
        "hot-papers-2026-08-06": "no digest has the slug hot-papers-2026-08-06",
        "papers": "no digest has the slug papers",
    }
    for other, message in refused.items():
        reading = opened.find(other)
        assert (reading.outcome, message in str(reading.problem)) == (SourceOutcome.NONE, True)
    assert len(server.requests) == asked


def test_the_days_since_one_are_read_oldest_first(server: HttpServer) -> None:
    lists: dict[date, Sequence[object]] = {
        date(2026, 7, 30): [entry(1)],
        date(2026, 7, 31): [entry(2)],
        date(2026, 8, 3): [entry(3, None)],
        THURSDAY: [entry(4)],
    }
    serve(server, lists)
    readings = source(server).since(date(2026, 7, 30), 10)
    found = [(each.outcome.value, each.digest and each.digest.day.day) for each in readings]
    assert found == [("found", 31), ("malformed", None), ("found", 6)]
    assert len(source(server).since(date(2026, 7, 30), 1)) == 1


def test_an_address_that_must_not_be_asked_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"BOT_HUGGINGFACE_URL is 'http://example\.org'"):
        open_source("huggingface", huggingface_url="http://example.org")


@corpus_only
def test_the_real_days_come_once_each_over_two_weeks(server: HttpServer) -> None:
    files = (SHARED / "corpus" / "huggingface").glob("*.json")
    lists = {date.fromisoformat(path.stem): json.loads(path.read_bytes()) for path in files}
    serve(server, lists)
    now = datetime(2026, 7, 29, tzinfo=UTC)
    opened = source(server, lambda: now)
    memory, digests = opened.latest().memory, []
    while now < datetime(2026, 8, 8, 12, tzinfo=UTC):
        reading = opened.latest(memory)
        memory = reading.memory
        if reading.outcome is SourceOutcome.FOUND and reading.digest:
            digests.append(reading.digest)
        now += timedelta(hours=1)
    assert [digest.day.day for digest in digests if digest.day != THURSDAY] == [
        *(28, 29, 30, 31),
        *(3, 4, 5, 7),
    ]
    papers = [paper.key for digest in digests for paper in digest.papers]
    assert len(papers) == len(set(papers))
    assert all(digest.papers[0].metrics.number("upvotes") >= 20 for digest in digests)
