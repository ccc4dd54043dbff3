from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests import folder
from bot.digests.source import SourceOutcome, SourceResult, judge, open_source, read_file, read_url
from bot.errors import Malformed, NoDigest, SettingsError, Unreachable
from bot.http.page import CacheValidators
from tests.helpers.http_server import HttpServer, Reply, Request, dripping
from tests.helpers.sample_digests import digest, markdown

ISSUE = digest("2021-06-22")
NOON = datetime(2021, 6, 23, 12, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def slug(reading: SourceResult) -> str:
    assert reading.outcome is SourceOutcome.FOUND
    assert reading.digest is not None
    return reading.digest.slug


# What BOT_DIGESTS may be


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "2021-06-22.md").write_bytes(markdown("2021-06-22"))
    assert slug(open_source(str(tmp_path)).latest()) == ISSUE.slug
    assert slug(open_source(f" {tmp_path}/ ").find(date(2021, 6, 22))) == ISSUE.slug


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    path.write_bytes(markdown("2021-06-22"))
    assert slug(open_source(str(path)).latest()) == ISSUE.slug
    assert slug(read_file(path)) == ISSUE.slug


def test_a_path_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "2021-06-22.md").write_bytes(markdown("2021-06-22"))
    monkeypatch.chdir(tmp_path)
    reading = open_source(".").latest()
    assert (slug(reading), reading.source) == (ISSUE.slug, "2021-06-22.md")


def test_a_url(server: HttpServer) -> None:
    url = server.route("/x.md", Reply(markdown("2021-06-22")))
    assert slug(open_source(f"{url}?key=secret").latest()) == ISSUE.slug
    assert slug(read_url(f"{url}?key=secret")) == ISSUE.slug
    assert slug(open_source(url.replace("http:", "HTTP:")).find(ISSUE.slug)) == ISSUE.slug


def test_a_repository_on_github(server: HttpServer) -> None:
    server.route("/repos/ada/digests/git/trees/HEAD", Reply(b'{"tree": []}'))
    source = open_source(
        "github:ada/digests",
        github_token="t0k3n",
        github_api_url=server.url,
    )
    reading = source.latest()
    assert (reading.outcome, reading.source) == (SourceOutcome.NONE, "github:ada/digests")
    assert server.requests[0].headers["authorization"] == "Bearer t0k3n"


def test_nothing_opens_the_samples_where_they_are_wanted() -> None:
    with pytest.raises(SettingsError, match=r"^BOT_DIGESTS is not set\n  It is a folder or a file"):
        open_source("")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("/nowhere/at/all", "BOT_DIGESTS is '/nowhere/at/all': there is no such path\n  It is a"),
        ("/dev/null", "it is neither a file nor a folder"),
        ("x\0", "'x\\\\x00': (there is no such path|it cannot be looked at)"),
        ("x" * 300, "it cannot be looked at"),
        ("file:///etc/passwd", "BOT_DIGESTS is 'file:///etc/passwd': only https is allowed"),
        ("ftp://x.org/", "only https is allowed"),
        ("http://x.org/?key=secret", "BOT_DIGESTS is 'http://x.org/': only https is allowed"),
        ("https://ada:secret@x.org/", "BOT_DIGESTS is 'https://x.org/': it has a user or"),
        ("https://[secret@x.org/", "BOT_DIGESTS is 'https://x.org/': it is not a URL"),
        ("github:ada", "'github:ada': it is not of the shape github:owner/repo/folder@ref"),
        ("GITHUB:ada", "it is not of the shape"),
    ],
)
def test_specs_that_cannot_work(spec: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        open_source(spec)
    assert "secret" not in str(caught.value)
    assert "https://.../digest.md" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://ghe.example/api?x", "BOT_GITHUB_API_URL is 'http://ghe.example/api': only https"),
        ("", "BOT_GITHUB_API_URL is '': only https"),
    ],
)
def test_an_api_that_cannot_work(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        open_source("github:ada/digests", github_api_url=url)


@pytest.mark.parametrize("token", ["t0 k3n", "t0k3n\n", "t0k3n\N{SNOWMAN}"])
def test_a_token_that_cannot_work_is_not_quoted(token: str) -> None:
    with pytest.raises(SettingsError, match="GITHUB_TOKEN holds a space") as caught:
        open_source("github:ada/digests", github_token=token)
    assert "k3n" not in str(caught.value)


def test_a_url_that_must_not_be_fetched() -> None:
    with pytest.raises(SettingsError, match=r"The digest's URL is 'http://x.org/': only https"):
        read_url("http://x.org/?key=secret")


@given(st.text())
def test_any_text_opens_or_is_a_wrong_setting(text: str) -> None:
    try:
        open_source(text)
    except SettingsError as error:
        assert "BOT_DIGESTS" in error.message


# Failures are outcomes


def test_what_is_not_there(tmp_path: Path) -> None:
    reading = open_source(str(tmp_path)).latest()
    assert (reading.outcome, reading.source) == (SourceOutcome.NONE, str(tmp_path))
    assert isinstance(reading.problem, NoDigest)
    assert reading.digest is None
    assert open_source(str(tmp_path)).find("x").outcome is SourceOutcome.NONE
    assert read_file(tmp_path / "x").outcome is SourceOutcome.NONE


def test_what_is_malformed_is_told_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "2021-06-22.md").write_text("x")
    reading = open_source(str(tmp_path)).latest()
    assert reading.outcome is SourceOutcome.MALFORMED
    assert reading.source == str(tmp_path / "2021-06-22.md")
    assert isinstance(reading.problem, Malformed)


def test_what_does_not_answer_keeps_what_was_remembered(server: HttpServer) -> None:
    url = server.route("/x", Reply(dripping(b"x")))
    memory = {url: CacheValidators('"1"')}
    reading = open_source(url, timeout=0.2).latest(memory)
    assert (reading.outcome, reading.source) == (SourceOutcome.UNREACHABLE, url)
    assert isinstance(reading.problem, Unreachable)
    assert reading.memory == memory
    assert read_url(url, timeout=0.2).outcome is SourceOutcome.UNREACHABLE


def test_what_was_remembered_is_passed_on(server: HttpServer) -> None:
    tagged = Reply(markdown("2021-06-22"), headers={"ETag": '"1"'})
    source = open_source(server.route("/x", tagged, Reply(status=304)))
    assert source.latest(source.latest().memory).outcome is SourceOutcome.UNCHANGED


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [(Reply(b"broken"), SourceOutcome.MALFORMED), (Reply(status=404), SourceOutcome.NONE)],
)
def test_what_comes_back_as_it_was_is_not_taken_for_what_was_between(
    server: HttpServer, reply: Reply, outcome: SourceOutcome
) -> None:
    tagged = Reply(markdown("2021-06-22"), headers={"ETag": '"1"'})

    def good(request: Request) -> Reply:
        known = request.headers.get("if-none-match") == '"1"'
        return Reply(status=304) if known else tagged

    source = open_source(server.route("/x", good, reply, good))
    first = source.latest()
    between = source.latest(first.memory)
    assert between.outcome is outcome
    assert slug(source.latest(between.memory)) == ISSUE.slug


def test_what_does_not_answer_for_a_while_is_unchanged_after_it(server: HttpServer) -> None:
    tagged = Reply(markdown("2021-06-22"), headers={"ETag": '"1"'})
    source = open_source(server.route("/x", tagged, Reply(status=503), Reply(status=304)))
    between = source.latest(source.latest().memory)
    assert between.outcome is SourceOutcome.UNREACHABLE
    assert source.latest(between.memory).outcome is SourceOutcome.UNCHANGED


def test_a_broken_one_is_never_unchanged(server: HttpServer) -> None:
    source = open_source(server.route("/x", Reply(b"broken", headers={"ETag": '"1"'})))
    memory = source.latest().memory
    assert source.latest(memory).outcome is SourceOutcome.MALFORMED
    assert "if-none-match" not in server.requests[1].headers


def test_the_clock_is_passed_on(server: HttpServer) -> None:
    ticks = iter([0.0, 1.0, *[99.0] * 99])
    url = server.route("/x", Reply(markdown("2021-06-22")))
    reading = open_source(url, timeout=30, clock=lambda: next(ticks)).latest()
    assert reading.outcome is SourceOutcome.UNREACHABLE


def test_a_setting_that_turns_out_wrong_is_a_problem_of_that_kind(server: HttpServer) -> None:
    server.route("/repos/ada/digests/git/trees/HEAD", Reply(status=401))
    reading = open_source("github:ada/digests", github_api_url=server.url).latest()
    assert reading.outcome is SourceOutcome.UNREACHABLE
    assert isinstance(reading.problem, SettingsError)


# The verdict


def reading(
    published: datetime = NOON, *, draft: bool = False, papers: bool = True
) -> SourceResult:
    issue = replace(ISSUE, published=published, draft=draft, papers=ISSUE.papers if papers else ())
    return SourceResult(
        SourceOutcome.FOUND, "x", issue, ("careful",), memory={"x": CacheValidators("1")}
    )


OLD = NOON - timedelta(days=3, seconds=1)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (reading(), SourceOutcome.FOUND),
        (reading(NOON - timedelta(days=3)), SourceOutcome.FOUND),
        (reading(NOON + timedelta(days=9)), SourceOutcome.FOUND),
        (reading(OLD), SourceOutcome.STALE),
        (reading(papers=False), SourceOutcome.EMPTY),
        (reading(OLD, papers=False), SourceOutcome.EMPTY),
        (reading(draft=True), SourceOutcome.DRAFT),
        (reading(OLD, draft=True, papers=False), SourceOutcome.DRAFT),
    ],
)
def test_what_a_digest_is_good_for(found: SourceResult, verdict: SourceOutcome) -> None:
    assert judge(found, NOON, timedelta(days=3)) == replace(found, outcome=verdict)


def test_any_age_passes_where_none_is_set() -> None:
    assert judge(reading(OLD), NOON, None).outcome is SourceOutcome.FOUND


@pytest.mark.parametrize(
    "outcome", [kind for kind in SourceOutcome if kind is not SourceOutcome.FOUND]
)
def test_a_verdict_stands(outcome: SourceOutcome) -> None:
    other = replace(reading(OLD, draft=True), outcome=outcome)
    assert judge(other, NOON, timedelta(days=3)) == other


def test_what_is_wrong_does_not_hold_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "2021-06-22.md"
    path.write_bytes(b"\xff" * 1000)
    problem = read_file(path).problem
    assert isinstance(problem, Malformed)
    assert (problem.__traceback__, problem.__cause__, problem.__context__) == (None, None, None)


def test_a_folder_of_more_files_than_anybody_has_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MOST_FILES", 3)
    for name in ("1.md", "2.md", "3.md", "a.png", "b.png"):
        (tmp_path / name).write_bytes(markdown("2021-06-22"))
    assert open_source(str(tmp_path)).latest().outcome is SourceOutcome.FOUND
    (tmp_path / "4.md").touch()
    reading = open_source(str(tmp_path)).latest()
    assert reading.outcome is SourceOutcome.UNREACHABLE
    assert "holds more than 3 Markdown files, and is not read" in str(reading.problem)
