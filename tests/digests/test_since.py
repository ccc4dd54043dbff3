"""What came after a day, of every kind of source: the laws, and what each kind may meet."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.digests.file_store import FileRefused
from bot.digests.result import NOTHING, Source, SourceOutcome, SourceResult
from bot.digests.search import HEAD_SIZE, StoredDigests
from bot.digests.source import open_source
from bot.errors import Malformed, NoDigest, Nowhere, SettingsError, Unreachable
from bot.http.page import SIZE_CAP, CacheValidators
from tests.helpers.digest_writer import write
from tests.helpers.fake_github import FILE, FakeGitHub
from tests.helpers.html_rendering import render
from tests.helpers.http_server import HttpServer, Reply
from tests.helpers.memory_source import MemoryFolder as Files
from tests.helpers.sample_digests import PAPER, digest, markdown
from tests.helpers.sample_pages import FEED, HTML, PLAIN, item, rss

DAY = timedelta(days=1)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
JUNE_21 = date(2021, 6, 21)
GITHUB = "github:ada/digests"

Said = tuple[SourceOutcome, str]
"""Of a reading: what became of it, and which digest it is about."""


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def said(reading: SourceResult) -> Said:
    assert reading.memory == NOTHING
    assert (reading.digest is None) is (reading.problem is not None)
    return reading.outcome, reading.digest.slug if reading.digest else Path(reading.source).name


def slugs(readings: Iterable[SourceResult]) -> list[str]:
    return [said(reading)[1] for reading in readings]


# The kinds that hold many, each opened on the same archive

Archive = Mapping[str, bytes]
Opener = Callable[[Archive, HttpServer, ExitStack], Source]


def in_folder(archive: Archive, server: HttpServer, stack: ExitStack) -> Source:
    del server
    root = Path(stack.enter_context(TemporaryDirectory()))
    for name, content in archive.items():
        (root / name).write_bytes(content)
    return open_source(str(root))


def on_github(archive: Archive, server: HttpServer, stack: ExitStack) -> Source:
    del stack
    hub = FakeGitHub(server)
    hub.tree(*((name, FILE, hub.file(content)) for name, content in archive.items()), ref="HEAD")
    return open_source(GITHUB, github_api_url=f"{server.url}/api/v3")


SHELVES = pytest.mark.parametrize("opener", [in_folder, on_github])


# The laws


@dataclass(frozen=True)
class DrawnDigest:
    """A digest as drawn: `n` tells it from the others of its days."""

    n: int
    first: date
    length: int
    hour: int
    sort: str

    @property
    def last(self) -> date:
        return self.first + self.length * DAY

    @property
    def published(self) -> datetime:
        return datetime.combine(self.last, datetime.min.time(), UTC) + timedelta(hours=self.hour)

    @property
    def slug(self) -> str:
        days = str(self.first) if self.length == 0 else f"{self.first}-to-{self.last}"
        return f"issue-{self.n}-{days}"

    @property
    def text(self) -> bytes:
        made = digest(str(self.first), slug=self.slug, last_day=str(self.last))
        made = replace(made, published=self.published, draft=self.sort == "draft")
        text = write(replace(made, papers=() if self.sort == "empty" else made.papers))
        return {"headless": "broken", "bodiless": f"{write(replace(made, papers=()))}broken"}.get(
            self.sort, text
        ).encode()

    @property
    def name(self) -> str:
        return f"{self.n:02}.md" if self.sort == "undated" else f"{self.slug}.md"

    @property
    def item(self) -> str:
        body = "<p>broken" if self.broken else render(self.text.decode())
        return (
            f"<title>Hot Papers {self.first} {self.last}</title><link>/{self.slug}/</link>"
            f"<pubDate>{format_datetime(self.published)}</pubDate>"
            f"<description>{escape(body)}</description>"
        )

    @property
    def broken(self) -> bool:
        return self.sort in ("headless", "bodiless")

    def age(self) -> tuple[date, datetime, str]:
        return self.last, LONG_AGO if self.sort == "headless" else self.published, self.name

    def said(self, name: str) -> Said:
        return (SourceOutcome.MALFORMED, name) if self.broken else (SourceOutcome.FOUND, self.slug)


SORTS = ("good", "good", "draft", "empty", "headless", "bodiless", "undated")
days = st.dates(date(2020, 2, 26), date(2020, 3, 3))
drawn = st.tuples(days, st.integers(0, 2), st.integers(1, 3), st.sampled_from(SORTS))
archives = st.lists(drawn, max_size=8).map(
    lambda parts: [DrawnDigest(n, *part) for n, part in enumerate(parts)]
)
most = st.integers(1, 9)


def holds(source: Source, expected: Sequence[tuple[date, Said]], day: date, most: int) -> None:
    later = [said for last, said in expected if last > day]
    assert [said(reading) for reading in source.since(day, most)] == later[:most]
    newest = source.latest()
    if expected:
        readings = source.since(expected[-1][0] - DAY, 99)
        told = replace(newest, memory=NOTHING, problem=None)
        assert replace(readings[-1], problem=None) == told
        assert str(readings[-1].problem) == str(newest.problem)
    else:
        assert newest.outcome is SourceOutcome.NONE


@pytest.mark.slow
@SHELVES
@settings(max_examples=30)
@given(archives, days, most)
@example(
    [DrawnDigest(n, JUNE_21, 0, hour, "good") for n, hour in enumerate((3, 1, 2))], date.min, 3
)
@example([DrawnDigest(n, JUNE_21, 0, 1, sort) for n, sort in enumerate(SORTS)], date.min, 9)
def test_a_shelf_gives_all_of_later_days_in_their_order(
    server: HttpServer, opener: Opener, issues: list[DrawnDigest], day: date, most: int
) -> None:
    issues.sort(key=DrawnDigest.age)
    with ExitStack() as stack:
        source = opener({each.name: each.text for each in issues}, server, stack)
        expected = [(each.last, each.said(each.name)) for each in issues]
        holds(source, expected, day, most)


@settings(max_examples=30)
@given(archives, days, most)
def test_a_feed_gives_all_of_later_days_in_their_order(
    server: HttpServer, issues: list[DrawnDigest], day: date, most: int
) -> None:
    url = server.route("/feed", Reply(rss(*(each.item for each in issues)), headers=FEED))
    # of two that are alike, the first of the feed is the newer
    issues.reverse()
    issues.sort(key=lambda each: (each.last, each.published))
    expected = [(each.last, each.said(f"feed ({each.slug})")) for each in issues]
    holds(open_source(url), expected, day, most)


# Any kind


@contextmanager
def every_kind(server: HttpServer, *days: str, broken: str = "") -> Iterator[list[Source]]:
    """A source of each kind that holds many, with digests of these days and a broken one."""
    archive = {f"{day}.md": markdown(day) for day in days}
    items = [item(day) for day in days]
    if broken:
        archive[f"{broken}.md"] = b"broken"
        items.append(item(broken, "<p>broken"))
    feed = server.route("/feed", Reply(rss(*items), headers=FEED))
    with ExitStack() as stack:
        opened = [opener(archive, server, stack) for opener in (in_folder, on_github)]
        yield [*opened, open_source(feed)]


def test_behind_a_broken_newest_the_newest_of_use_is_found(server: HttpServer) -> None:
    with every_kind(server, "2021-06-21", "2021-06-22", broken="2021-06-23") as sources:
        for source in sources:
            assert source.latest().outcome is SourceOutcome.MALFORMED
            usable, last = source.since(JUNE_21, 5)
            assert said(usable) == (SourceOutcome.FOUND, "hot-papers-2021-06-22")
            assert last.outcome is SourceOutcome.MALFORMED
            assert isinstance(last.problem, Malformed)


def test_a_broken_one_counts_and_costs_the_others_nothing(server: HttpServer) -> None:
    with every_kind(server, "2021-06-22", "2021-06-24", "2021-06-25", broken="2021-06-23") as all_:
        for source in all_:
            outcomes = [reading.outcome for reading in source.since(JUNE_21, 3)]
            assert outcomes == [SourceOutcome.FOUND, SourceOutcome.MALFORMED, SourceOutcome.FOUND]


def test_nothing_later_is_no_reading(server: HttpServer) -> None:
    with every_kind(server, "2021-06-22") as sources, every_kind(server) as empty:
        for source in [*sources, *empty]:
            assert source.since(date(2021, 6, 22), 5) == ()
            assert source.since(date.max, 5) == ()


@pytest.mark.parametrize("most", [0, -1])
def test_where_none_may_come_nothing_is_asked(
    tmp_path: Path, server: HttpServer, most: int
) -> None:
    before = len(server.requests)
    with every_kind(server, "2021-06-22") as sources:
        for source in [*sources, open_source(f"{server.url}/gone"), open_source(str(tmp_path))]:
            assert source.since(JUNE_21, most) == ()
    assert len(server.requests) == before


# One digest


def test_a_single_file_is_given_if_it_is_later(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    weekend = digest("2021-06-21", slug="weekend", last_day="2021-06-22")
    path.write_text(write(weekend), encoding="utf-8")
    source = open_source(str(path))
    assert source.since(JUNE_21, 5) == (SourceResult(SourceOutcome.FOUND, str(path), weekend),)
    assert source.since(date(2021, 6, 22), 5) == ()
    path.write_text("broken")
    assert [said(reading) for reading in source.since(JUNE_21, 5)] == [
        (SourceOutcome.MALFORMED, path.name)
    ]
    path.unlink()
    (gone,) = source.since(JUNE_21, 5)
    assert (gone.outcome, gone.source) == (SourceOutcome.NONE, str(path))


def test_a_single_page_is_given_if_it_is_later(server: HttpServer) -> None:
    broken = Reply(b"broken", headers=PLAIN)
    weekend = digest("2021-06-21", slug="weekend", last_day="2021-06-22")
    source = open_source(server.route("/x.md", Reply(write(weekend).encode(), headers=PLAIN)))
    assert slugs(source.since(JUNE_21, 5)) == ["weekend"]
    assert source.since(date(2021, 6, 22), 5) == ()
    server.route("/x.md", broken)
    assert [said(reading) for reading in source.since(JUNE_21, 5)] == [
        (SourceOutcome.MALFORMED, "x.md")
    ]


# A source that cannot be read


def only(source: Source, outcome: SourceOutcome, kind: type[Exception]) -> None:
    (reading,) = source.since(JUNE_21, 5)
    assert (reading.outcome, type(reading.problem)) == (outcome, kind)
    latest = source.latest()
    assert (latest.source, str(latest.problem)) == (reading.source, str(reading.problem))


def test_a_folder_that_is_gone_is_one_reading(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    source = open_source(str(tmp_path / "x"))
    (tmp_path / "x").rmdir()
    only(source, SourceOutcome.UNREACHABLE, Unreachable)


@pytest.mark.parametrize(
    ("status", "outcome", "kind"),
    [
        (404, SourceOutcome.NONE, Nowhere),
        (409, SourceOutcome.NONE, NoDigest),
        (401, SourceOutcome.UNREACHABLE, SettingsError),
        (403, SourceOutcome.UNREACHABLE, Unreachable),
        (503, SourceOutcome.UNREACHABLE, Unreachable),
        (304, SourceOutcome.UNREACHABLE, Unreachable),
    ],
)
def test_a_repository_that_cannot_be_listed_is_one_reading(
    server: HttpServer, status: int, outcome: SourceOutcome, kind: type[Exception]
) -> None:
    server.route(f"{FakeGitHub(server).root}/trees/HEAD", Reply(status=status))
    only(open_source(GITHUB, github_api_url=f"{server.url}/api/v3"), outcome, kind)


@pytest.mark.parametrize(
    ("reply", "outcome", "kind"),
    [
        (Reply(status=404), SourceOutcome.NONE, Nowhere),
        (Reply(status=503), SourceOutcome.UNREACHABLE, Unreachable),
        (Reply(status=304), SourceOutcome.UNREACHABLE, Unreachable),
        (Reply(b"<p>", headers={"Content-Type": "text/html"}), SourceOutcome.MALFORMED, Malformed),
        (Reply(rss(item("2021-06-22"))[:-9], headers=FEED), SourceOutcome.MALFORMED, Malformed),
    ],
)
def test_a_page_that_cannot_be_read_is_one_reading(
    server: HttpServer, reply: Reply, outcome: SourceOutcome, kind: type[Exception]
) -> None:
    only(open_source(server.route("/x", reply)), outcome, kind)


# Shelves


def since(files: Files, most: int = 9) -> tuple[SourceResult, ...]:
    return StoredDigests(files).since(JUNE_21, most)


def test_of_ten_thousand_files_only_the_later_are_opened() -> None:
    days = [JUNE_21 + (n - 9_997) * DAY for n in range(10_000)]
    files = Files({f"{day}.md": markdown(str(day)) for day in days})
    assert slugs(since(files)) == ["hot-papers-2021-06-22", "hot-papers-2021-06-23"]
    assert files.read_names == [(f"2021-06-{n}.md", SIZE_CAP + 1) for n in (22, 23)]


def test_no_more_are_opened_than_are_given() -> None:
    files = Files({f"2021-06-{n}.md": markdown(f"2021-06-{n}") for n in (24, 22, 23, 20)})
    assert slugs(since(files, 2)) == ["hot-papers-2021-06-22", "hot-papers-2021-06-23"]
    assert [name for name, _ in files.read_names] == ["2021-06-22.md", "2021-06-23.md"]


def test_no_more_are_opened_than_there_is_room_for() -> None:
    large = replace(PAPER, abstract="\n".join(["x" * 9_000] * 100))
    days = [f"2021-06-{day}" for day in range(22, 29)]
    files = Files({f"{day}.md": markdown(day, papers=(large,)) for day in days})
    readings = since(files)
    assert slugs(readings) == [f"hot-papers-{day}" for day in days[:4]]
    assert (
        "digests after this one are not read at this look: it is large" in readings[-1].warnings[0]
    )
    assert [reading.warnings for reading in readings[:-1]] == [()] * 3
    assert len(files.read_names) == 4


def test_of_a_repository_only_the_files_needed_are_fetched(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    hub.tree(*hub.digests("2021-06-20", "2021-06-22", "2021-06-23", "2021-06-24"), ref="HEAD")
    before = len(server.requests)
    source = open_source(GITHUB, github_api_url=f"{server.url}/api/v3")
    assert slugs(source.since(JUNE_21, 2)) == ["hot-papers-2021-06-22", "hot-papers-2021-06-23"]
    assert len(server.requests) == before + 3


def test_two_of_one_day_come_in_the_order_of_their_publication() -> None:
    issue = digest("2021-06-22")
    texts = {
        f"2021-06-22-{name}.md": write(
            replace(issue, slug=name, published=issue.published + timedelta(hours=hours))
        ).encode()
        for name, hours in (("a", 2), ("b", 1))
    }
    files = Files(texts)
    assert slugs(since(files)) == ["b", "a"]
    assert slugs(since(files, 1)) == ["b"]
    assert {*files.read_names[:2]} == {
        ("2021-06-22-a.md", HEAD_SIZE),
        ("2021-06-22-b.md", HEAD_SIZE),
    }


def test_the_day_of_the_name_counts_before_that_of_the_text() -> None:
    other = Files(
        {"2021-06-22.md": markdown("2021-06-20"), "2021-06-20.md": markdown("2021-06-25")}
    )
    (reading,) = since(other)
    assert said(reading) == (SourceOutcome.FOUND, "hot-papers-2021-06-20")
    assert reading.warnings == ("2021-06-22.md: its name says 2021-06-22, its text 2021-06-20",)


def test_files_without_a_day_in_their_name_say_it_inside() -> None:
    files = Files(
        {
            "a.md": markdown("2021-06-23"),
            "b.md": markdown("2021-06-21"),
            "2021-06-22.md": markdown("2021-06-22"),
            "notes.md": b"no digest",
            "README.md": markdown("2021-06-24"),
            "2022-02-30.md": markdown("2021-06-24"),
        }
    )
    assert slugs(since(files)) == ["hot-papers-2021-06-22", "hot-papers-2021-06-23"]


def test_no_more_such_files_are_opened_than_there_is_patience() -> None:
    files = {f"{n}.md": markdown(f"2021-06-2{n}") for n in (2, 3, 4)}
    first, second = since(Files(files, patience=2))
    assert slugs([first, second]) == ["hot-papers-2021-06-22", "hot-papers-2021-06-23"]
    assert first.warnings == ()
    assert "memory: 1 files were not looked into" in second.warnings[0]


def test_what_must_not_be_read_is_passed_over_and_does_not_count() -> None:
    files = Files(
        {
            "2021-06-22.md": FileRefused("a link"),
            "2021-06-23.md": markdown("2021-06-23"),
            "2021-06-24.md": FileRefused("a pipe"),
        }
    )
    (one,) = since(files, 1)
    assert (slugs([one]), one.warnings) == (["hot-papers-2021-06-23"], ("a link",))
    (one,) = since(files, 2)
    assert one.warnings == ("a link", "a pipe")
    assert since(Files({"2021-06-22.md": FileRefused("a link")})) == ()


def test_what_cannot_be_reached_is_told_once_and_costs_the_others_nothing() -> None:
    files = Files(
        {
            "2021-06-22.md": Unreachable("gone"),
            "2021-06-23-a.md": markdown("2021-06-23"),
            "2021-06-23-b.md": Unreachable("gone too"),
        }
    )
    readings = since(files)
    assert [said(reading) for reading in readings] == [
        (SourceOutcome.UNREACHABLE, "2021-06-22.md"),
        (SourceOutcome.UNREACHABLE, "2021-06-23-b.md"),
        (SourceOutcome.FOUND, "hot-papers-2021-06-23"),
    ]
    assert [reading.warnings for reading in readings] == [()] * 3


def test_of_one_day_what_can_be_opened_counts_as_the_newer() -> None:
    files = Files({"2021-06-22-a.md": b"broken", "2021-06-22-b.md": Unreachable("gone")})
    assert [said(reading) for reading in since(files)] == [
        (SourceOutcome.UNREACHABLE, "2021-06-22-b.md"),
        (SourceOutcome.MALFORMED, "2021-06-22-a.md"),
    ]
    with pytest.raises(Malformed):
        StoredDigests(files).latest()


def test_what_cannot_be_opened_may_be_later() -> None:
    files: dict[str, bytes | Exception]
    files = {"a.md": Unreachable("gone"), "2021-06-21.md": markdown("2021-06-21")}
    with pytest.raises(Unreachable, match="gone"):
        since(Files(files))
    (reading,) = since(Files({**files, "2021-06-22.md": markdown("2021-06-22")}))
    assert (slugs([reading]), reading.warnings) == (["hot-papers-2021-06-22"], ("gone",))


def test_a_file_that_github_lists_and_has_not_costs_the_others_nothing(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    missing = [(f"2021-06-2{n}.md", FILE, str(n) * 40) for n in (3, 4, 5)]
    server.route(f"{hub.root}/blobs/{'4' * 40}", Reply(status=503))
    server.route(f"{hub.root}/blobs/{'5' * 40}", Reply(status=401))
    hub.tree(*hub.digests("2021-06-22"), *missing, ref="HEAD")
    source = open_source(GITHUB, github_api_url=f"{server.url}/api/v3")
    found, *others = source.since(JUNE_21, 9)
    assert said(found) == (SourceOutcome.FOUND, "hot-papers-2021-06-22")
    assert [said(other) for other in others] == [
        (SourceOutcome.UNREACHABLE, name) for name, _, _ in missing
    ]
    told = ["GitHub lists this file and has it not (404)", "answers 503", "GITHUB_TOKEN"]
    assert all(text in str(other.problem) for text, other in zip(told, others, strict=True))
    assert others[0].source == f"{GITHUB}/2021-06-23.md"


# Feeds


def test_markdown_is_preferred_for_each_item(server: HttpServer) -> None:
    enclosure = '<enclosure url="/{}.md" type="text/markdown"/>'
    for n in (22, 23):
        text = markdown(f"2021-06-{n}").replace(b"Clouds", b"Rain")
        server.route(f"/{n}.md", Reply(text, headers=PLAIN))
    feed = rss(*(item(f"2021-06-{n}", HTML, enclosure.format(n)) for n in (23, 22)))
    readings = open_source(server.route("/feed", Reply(feed, headers=FEED))).since(JUNE_21, 9)
    assert slugs(readings) == ["hot-papers-2021-06-22", "hot-papers-2021-06-23"]
    assert all(each.digest and "Rain" in each.digest.papers[0].title for each in readings)


def test_markdown_that_is_not_there_costs_the_other_items_nothing(server: HttpServer) -> None:
    enclosure = '<enclosure url="{}" type="text/markdown"/>'
    gone, down = server.route("/gone.md", Reply(status=404)), server.route("/d", Reply(status=503))
    feed = rss(
        item("2021-06-25"),
        item("2021-06-24", HTML, enclosure.format(gone)),
        item("2021-06-23", "", enclosure.format(gone)),
        item("2021-06-22", HTML, enclosure.format(down)),
    )
    url = server.route("/feed", Reply(feed, headers=FEED))
    readings = open_source(url).since(JUNE_21, 9)
    assert [said(reading) for reading in readings] == [
        (SourceOutcome.UNREACHABLE, "feed (hot-papers-2021-06-22)"),
        (SourceOutcome.NONE, "feed (hot-papers-2021-06-23)"),
        (SourceOutcome.FOUND, "hot-papers-2021-06-24"),
        (SourceOutcome.FOUND, "hot-papers-2021-06-25"),
    ]
    assert "its HTML is read" in readings[2].warnings[0]


def test_only_the_markdown_of_the_items_given_is_fetched(server: HttpServer) -> None:
    feed = rss(
        *(
            item(f"2021-06-{n}", "", f'<enclosure url="/{n}.md" type="text/markdown"/>')
            for n in (20, 22, 23)
        )
    )
    server.route("/22.md", Reply(markdown("2021-06-22"), headers=PLAIN))
    source = open_source(server.route("/feed", Reply(feed, headers=FEED)))
    before = len(server.requests)
    assert slugs(source.since(JUNE_21, 1)) == ["hot-papers-2021-06-22"]
    assert [request.path for request in server.requests[before:]] == ["/feed", "/22.md"]


def test_a_slug_that_would_command_a_terminal_is_not_named_as_it_is(server: HttpServer) -> None:
    text = write(digest("2021-06-22", slug="x\x1b[2Jy")).replace("- links", "- lost")
    url = server.route("/feed", Reply(rss(item("2021-06-22", text)), headers=FEED))
    (reading,) = open_source(url).since(JUNE_21, 9)
    assert (reading.outcome, reading.source) == (SourceOutcome.MALFORMED, f"{url} (x-2Jy)")
    assert "\x1b" not in str(reading.problem)


@pytest.mark.slow
def test_a_large_feed_is_read_in_little_memory(server: HttpServer) -> None:
    filler = "x" * 30_000

    def pieces(_: threading.Event) -> Iterable[bytes]:
        yield b"<rss><channel>"
        for n in range(500):
            yield f"<item>{item(f'{2500 - n}-06-22', HTML + filler)}</item>".encode()
        yield b"</channel></rss>"

    source = open_source(server.route("/feed", Reply(pieces, headers=FEED)))
    source.since(JUNE_21, 3)  # loads what loads at first use
    tracemalloc.start()
    readings = source.since(JUNE_21, 3)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert slugs(readings) == [f"hot-papers-{year}-06-22" for year in (2021, 2022, 2023)]
    assert peak < 3_000_000


# What is remembered is no matter


def test_since_neither_reads_nor_changes_what_is_remembered(server: HttpServer) -> None:
    feed = rss(item("2021-06-22"))
    tagged = Reply(feed, headers={**FEED, "ETag": '"1"'})
    source = open_source(server.route("/feed", tagged))
    memory = source.latest().memory
    before = len(server.requests)
    assert slugs(source.since(JUNE_21, 9)) == ["hot-papers-2021-06-22"]
    assert "if-none-match" not in server.requests[before].headers
    assert memory == {f"{server.url}/feed": CacheValidators('"1"')}
