from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.github import Repository, repository
from bot.digests.result import SourceOutcome, SourceResult
from bot.digests.search import StoredDigests
from bot.errors import BotError, Malformed, NoDigest, SettingsError, Unreachable
from bot.http.fetch import Web
from tests.helpers.fake_github import FILE, LINK, TREE, FakeGitHub
from tests.helpers.http_server import HttpServer, Reply
from tests.helpers.sample_digests import digest, markdown

TOKEN = "t0k3n"


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def opened(server: HttpServer, spec: str, token: str = "") -> StoredDigests:
    found = repository(spec, Web(timeout=30), f"{server.url}/api/v3/", token)
    assert found is not None
    return StoredDigests(found)


def slug(reading: SourceResult) -> str:
    assert reading.outcome is SourceOutcome.FOUND
    assert reading.digest is not None
    return reading.digest.slug


def test_the_latest_of_a_nested_folder(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    posts = hub.tree(*hub.digests("2021-06-21", "2021-06-22"), ("pictures", TREE, "x"))
    hub.tree(("content", TREE, hub.tree(("posts", TREE, posts))), ref="HEAD")
    source = opened(server, "github:ada/digests/content/posts", TOKEN)
    reading = source.latest()
    assert reading.digest == digest("2021-06-22")
    assert reading.source == "github:ada/digests/content/posts/2021-06-22---Hot-Papers.md"
    assert source.where == "github:ada/digests/content/posts"
    assert len(server.requests) == 4
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer t0k3n"}
    accepted = [request.headers["accept"] for request in server.requests]
    assert accepted == ["application/vnd.github+json"] * 3 + ["application/vnd.github.raw+json"]


@pytest.mark.parametrize("ref", ["main", "feature/more-digests", "v1.0@beta"])
def test_the_root_at_a_ref(server: HttpServer, ref: str) -> None:
    hub = FakeGitHub(server)
    written = ref.replace("/", "%2F").replace("@", "%40")
    hub.tree(*hub.digests("2021-06-22"), ref=written)
    source = opened(server, f"github:ada/digests@{ref}")
    assert slug(source.latest()) == "hot-papers-2021-06-22"
    assert source.where == f"github:ada/digests@{ref}"
    assert "authorization" not in server.requests[0].headers


def test_a_folder_of_more_than_a_thousand_files(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    days = [str(date.fromordinal(date(2020, 1, 1).toordinal() + n)) for n in range(1500)]
    files = [(f"{day}.md", FILE, "0" * 40) for day in days[:-1]]
    hub.tree(*hub.digests(days[-1]), *files, ref="HEAD")
    assert slug(opened(server, "github:ada/digests").latest()) == f"hot-papers-{days[-1]}"
    assert len(server.requests) == 2


def test_a_digest_is_found(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    hub.tree(*hub.digests("2021-06-21", "2021-06-22"), ref="HEAD")
    source = opened(server, "github:ada/digests")
    assert slug(source.find(date(2021, 6, 21))) == "hot-papers-2021-06-21"
    assert slug(source.find("hot-papers-2021-06-21")) == "hot-papers-2021-06-21"
    with pytest.raises(NoDigest, match="github:ada/digests: no digest of 2021-06-20"):
        source.find(date(2021, 6, 20))


def test_names_without_a_day_are_looked_into_but_not_endlessly(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    files = [(f"{n:02}.md", FILE, hub.file(markdown(f"2021-06-{n:02}"))) for n in range(1, 13)]
    hub.tree(*files, ref="HEAD")
    reading = opened(server, "github:ada/digests").latest()
    assert slug(reading) == "hot-papers-2021-06-10"
    assert "2 files were not looked into" in reading.warnings[0]


@pytest.mark.parametrize("ask", ["latest", "day", "since"])
def test_many_files_of_one_day_are_not_all_asked_for(server: HttpServer, ask: str) -> None:
    github = FakeGitHub(server)
    entries = [
        (f"2021-06-22-{n:03}.md", FILE, github.file(markdown("2021-06-22") + b"%d" % n))
        for n in range(500)
    ]
    github.tree(*entries, ref="HEAD")
    source = opened(server, "github:ada/digests")
    match ask:
        case "latest":
            reading = source.latest()
        case "day":
            reading = source.find(date(2021, 6, 22))
        case _:
            (reading,) = source.since(date(2021, 6, 21), 1)
    assert slug(reading) == "hot-papers-2021-06-22"
    assert "490 files were not looked into; keep one file for each day" in reading.warnings[0]
    assert len(server.requests) <= 12


def test_only_the_head_of_a_large_file_is_taken(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    large = hub.file(markdown("2021-06-21") + b"x" * 19_000_000)
    hub.tree(("a.md", FILE, large), *hub.digests("2021-06-22"), ref="HEAD")
    assert slug(opened(server, "github:ada/digests").latest()) == "hot-papers-2021-06-22"


def test_too_large_a_file_is_malformed(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    hub.tree(("2021-06-22.md", FILE, hub.file(b"x" * 1_000_001)), ref="HEAD")
    with pytest.raises(Malformed, match="expected a digest, found more than 1 MB"):
        opened(server, "github:ada/digests").latest()


# What did not change


def test_a_repository_that_did_not_change(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    hub.tree(*hub.digests("2021-06-22"), ref="HEAD")
    source = opened(server, "github:ada/digests")
    first = source.latest()
    again = source.latest(first.memory)
    assert again == SourceResult(SourceOutcome.UNCHANGED, "github:ada/digests", memory=first.memory)
    assert len(server.requests) == 3


def test_a_folder_that_did_not_change_in_a_repository_that_did(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    posts = ("posts", TREE, hub.tree(*hub.digests("2021-06-22")))
    hub.tree(posts, ref="HEAD")
    source = opened(server, "github:ada/digests/posts")
    first = source.latest()
    hub.tree(posts, ("other", TREE, "0" * 40), ref="HEAD")
    assert source.latest(first.memory).outcome is SourceOutcome.UNCHANGED
    hub.tree(("posts", TREE, hub.tree(*hub.digests("2021-06-22", "2021-06-23"))), ref="HEAD")
    changed = source.latest(first.memory)
    assert slug(changed) == "hot-papers-2021-06-23"
    assert set(changed.memory) != set(first.memory)


def test_unchanged_at_the_top_of_the_way(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    hub.tree(("posts", TREE, hub.tree(*hub.digests("2021-06-22"))), ref="HEAD")
    source = opened(server, "github:ada/digests/posts")
    assert source.latest(source.latest().memory).outcome is SourceOutcome.UNCHANGED
    assert len(server.requests) == 4


def test_a_file_that_could_not_be_opened_is_looked_at_again(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    hidden = hub.file(markdown("2021-06-23"))
    hub.tree(("newest.md", FILE, hidden), *hub.digests("2021-06-22"), ref="HEAD")
    server.route(f"{hub.root}/blobs/{hidden}", Reply(status=503))
    source = opened(server, "github:ada/digests")
    first = source.latest()
    assert slug(first) == "hot-papers-2021-06-22"
    assert "answers 503" in first.warnings[0]
    hub.file(markdown("2021-06-23"))
    assert slug(source.latest(first.memory)) == "hot-papers-2021-06-23"


def test_a_file_that_is_listed_and_not_there_is_no_missing_repository(server: HttpServer) -> None:
    FakeGitHub(server).tree(("2021-06-22.md", FILE, "0" * 40), ref="HEAD")
    with pytest.raises(Unreachable, match=r"digests/2021-06-22\.md: GitHub lists this file"):
        opened(server, "github:ada/digests").latest()


@pytest.mark.parametrize("tag", ["", '"2"'])
def test_what_is_remembered_does_not_grow(server: HttpServer, tag: str) -> None:
    hub = FakeGitHub(server)
    source = opened(server, "github:ada/digests/posts")
    reading = SourceResult(SourceOutcome.NONE, "")
    for n in range(1, 29):
        day = f"2021-06-{n:02}"
        hub.tree(("posts", TREE, hub.tree(*hub.digests(day))), ref="HEAD")
        reading = source.latest(reading.memory)
        assert slug(reading) == f"hot-papers-{day}"
        assert len(reading.memory) == 2
        assert source.latest(reading.memory).memory == reading.memory
    untagged = Reply(b'{"tree": []}', headers={"ETag": tag} if tag else {})
    server.route(f"{hub.root}/trees/HEAD", untagged)
    with pytest.raises(NoDigest):
        source.latest(reading.memory)


def test_a_server_that_drops_its_tags_is_read_whole(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    hub.tree(*hub.digests("2021-06-22"), ref="HEAD")
    source = opened(server, "github:ada/digests")
    memory = source.latest().memory
    lines = [{"path": "2021-06-23.md", "mode": FILE, "type": "blob", "sha": "0" * 40}]
    hub.server.route(f"{hub.root}/blobs/{'0' * 40}", Reply(markdown("2021-06-23")))
    untagged = Reply(json.dumps({"tree": lines}).encode())
    server.route(f"{hub.root}/trees/HEAD", untagged, untagged, Reply(status=304))
    for _ in range(2):
        reading = source.latest(memory)
        assert slug(reading) == "hot-papers-2021-06-23"
        memory = reading.memory
    assert [r.headers.get("if-none-match") for r in server.requests[-2:]] == [None, None]
    with pytest.raises(Unreachable, match="answers 304"):
        source.latest(memory)


# What must not be read


def test_links_and_names_that_lead_elsewhere_are_refused_and_named(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    hash_ = "0" * 40
    hub.tree(
        *hub.digests("2021-06-22"),
        ("2021-06-23.md", LINK, hash_),
        ("../2021-06-24.md", FILE, hash_),
        ("a/2021-06-25.md", FILE, hash_),
        ("..\\2021-06-26.md", FILE, hash_),
        ("2021-06-27.md", FILE, "../../contents/secret"),
        ("2021-06-28.md", TREE, hash_),
        ("2021-06-29.md", "160000", hash_),
        ("picture.png", LINK, hash_),
        ref="HEAD",
    )
    reading = opened(server, "github:ada/digests").latest()
    assert slug(reading) == "hot-papers-2021-06-22"
    assert reading.warnings == (
        "github:ada/digests: '2021-06-23.md' is not read: it is a symbolic link",
        "github:ada/digests: '../2021-06-24.md' is not read: its name leads somewhere else",
        "github:ada/digests: 'a/2021-06-25.md' is not read: its name leads somewhere else",
        "github:ada/digests: '..\\\\2021-06-26.md' is not read: its name leads somewhere else",
        "github:ada/digests: '2021-06-27.md' is not read: GitHub gives no hash of it",
    )


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (("posts", LINK, "0" * 40), "that is no folder: 'posts'"),
        (("posts", FILE, "0" * 40), "that is no folder: 'posts'"),
        (("posts", TREE, "../x"), "that is no folder: 'posts'"),
        (("other", TREE, "0" * 40), "there is no such folder: 'posts'"),
    ],
)
def test_folders_that_are_none(server: HttpServer, entry: tuple[str, str, str], said: str) -> None:
    FakeGitHub(server).tree(entry, ref="HEAD")
    with pytest.raises(NoDigest, match=said):
        opened(server, "github:ada/digests/posts").latest()


def test_a_list_that_was_cut_short_is_told(server: HttpServer) -> None:
    hub = FakeGitHub(server)
    hub.tree(*hub.digests("2021-06-22"), ref="HEAD", cut=True)
    (warning,) = opened(server, "github:ada/digests").latest().warnings
    assert warning == "github:ada/digests: GitHub has cut the list of this folder short"
    with pytest.raises(NoDigest, match=r"'posts' \(GitHub has cut its list short\)"):
        opened(server, "github:ada/digests/posts").latest()


# What GitHub refuses


@pytest.mark.parametrize(
    ("status", "headers", "kind", "said"),
    [
        (
            403,
            {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1624444324"},
            Unreachable,
            "rate limit is used up, until 2021-06-23 10:32:04 UTC\n  With GITHUB_TOKEN",
        ),
        (
            429,
            {"X-RateLimit-Remaining": "0", "Retry-After": "60"},
            Unreachable,
            "rate limit is used up, and asks to wait 60 seconds",
        ),
        (403, {"X-RateLimit-Remaining": "0"}, Unreachable, "rate limit is used up\n"),
        (403, {"Retry-After": "60"}, Unreachable, "refuses it .403., and asks to wait 60 seconds"),
        (403, {}, Unreachable, "refuses it .403.\n  GITHUB_TOKEN must be allowed"),
        (429, {"Retry-After": "60"}, Unreachable, "answers 429, and asks to wait 60 seconds"),
        (401, {}, SettingsError, "GITHUB_TOKEN: GitHub does not accept it for github:ada/digests"),
        (404, {}, NoDigest, "no repository ada/digests, or no HEAD in it\n  .*set GITHUB_TOKEN"),
        (422, {}, NoDigest, "no repository ada/digests, or no HEAD in it"),
        (409, {}, NoDigest, "the repository is empty"),
        (502, {}, Unreachable, "answers 502"),
        (304, {}, Unreachable, "answers 304"),
    ],
)
def test_refusals(
    server: HttpServer, status: int, headers: Mapping[str, str], kind: type[BotError], said: str
) -> None:
    server.route(f"{FakeGitHub(server).root}/trees/HEAD", Reply(status=status, headers=headers))
    with pytest.raises(kind, match=said):
        opened(server, "github:ada/digests").latest()


@pytest.mark.parametrize(
    ("message", "headers", "kind", "said"),
    [
        ("Resource not accessible by personal access token", {}, SettingsError, "by personal"),
        ("Repository access blocked", {}, SettingsError, r"\(403\): Repository access blocked"),
        ("You have exceeded a secondary rate limit.", {}, Unreachable, "limit is used up"),
        ("Slow down", {"Retry-After": "60"}, Unreachable, "Slow down, and asks to wait 60"),
        ("x" * 999 + "\n\x1b[31m", {}, SettingsError, r": x{200}$"),
    ],
)
def test_a_403_is_quoted_and_only_a_limit_may_pass(
    server: HttpServer, message: str, headers: Mapping[str, str], kind: type[BotError], said: str
) -> None:
    body = json.dumps({"message": message}).encode()
    route = f"{FakeGitHub(server).root}/trees/HEAD"
    server.route(route, Reply(body, status=403, headers=headers))
    with pytest.raises(kind) as caught:
        opened(server, "github:ada/digests").latest()
    assert re.search(said, caught.value.message)


def test_refusals_of_a_token_do_not_quote_it(server: HttpServer) -> None:
    route = f"{FakeGitHub(server).root}/trees/HEAD"
    server.route(route, Reply(status=404), Reply(status=401), Reply(status=403))
    for said in ("it is private, GITHUB_TOKEN must be allowed", "not accept it", "refuses it"):
        with pytest.raises(BotError, match=said) as caught:
            opened(server, "github:ada/digests", TOKEN).latest()
        assert TOKEN not in str(caught.value)
    limited = {"X-RateLimit-Remaining": "0"}
    server.route(route, Reply(status=403, headers=limited))
    with pytest.raises(Unreachable, match=r"rate limit is used up$"):
        opened(server, "github:ada/digests", TOKEN).latest()
    assert TOKEN not in repr(opened(server, "github:ada/digests", TOKEN))


def test_a_token_does_not_follow_a_redirect_to_another_host(server: HttpServer) -> None:
    with HttpServer() as other:
        other.route("/there", Reply(b'{"tree": []}'))
        moved = Reply(status=301, headers={"Location": f"{other.url}/there"})
        server.route(f"{FakeGitHub(server).root}/trees/HEAD", moved)
        with pytest.raises(NoDigest):
            opened(server, "github:ada/digests", TOKEN).latest()
        assert "authorization" not in other.requests[0].headers


@pytest.mark.parametrize("sent", [b"<html>", b"[]", b"[" * 100_000, b"\xff", b""])
def test_answers_that_are_no_trees(server: HttpServer, sent: bytes) -> None:
    server.route(f"{FakeGitHub(server).root}/trees/HEAD", Reply(sent))
    with pytest.raises(
        Unreachable,
        match=r"GitHub answers something that is no Git tree|cannot be read: expected JSON",
    ):
        opened(server, "github:ada/digests").latest()


@pytest.mark.parametrize("sent", [b"{}", b'{"tree": 1}', b'{"tree": [1, {}, {"path": null}]}'])
def test_trees_that_list_nothing(server: HttpServer, sent: bytes) -> None:
    server.route(f"{FakeGitHub(server).root}/trees/HEAD", Reply(sent))
    with pytest.raises(NoDigest):
        opened(server, "github:ada/digests").latest()


# The shape of BOT_DIGESTS


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("github:ada/digests", ("ada", "digests", "", "")),
        ("github:ada/digests/", ("ada", "digests", "", "")),
        ("github:a-d_a/dig.ests/a/b c/", ("a-d_a", "dig.ests", "a/b c", "")),
        ("github:ada/digests@a/b", ("ada", "digests", "", "a/b")),
        ("github:ada/digests/a@b@c", ("ada", "digests", "a", "b@c")),
    ],
)
def test_specs(spec: str, parts: tuple[str, ...]) -> None:
    found = repository(spec, Web(), "https://api.github.com", "")
    assert isinstance(found, Repository)
    assert (found.owner, found.repo, found.folder, found.ref) == parts


@pytest.mark.parametrize(
    "spec",
    [
        "github:ada",
        "github:/digests",
        "github:ada/..",
        "github:ada/digests/../x",
        "github:ada/digests/./x",
        "github:ada/digests//x",
        "github:ada/digests/a\\b",
        "github:ada/digests@",
        "github:ada/digests@/x",
        "github:ada/digests@x/",
        "github:ada/digests@a..b",
        "github:ada/digests@a b",
        "github:ada/digests@./b",
        "github:ada/digests?x",
        "github:ada/digests#x",
        "github:ada\n/digests",
    ],
)
def test_no_specs(spec: str) -> None:
    assert repository(spec, Web(), "https://api.github.com", "") is None


@given(st.from_regex(r"github:[a/.@ ]{0,9}", fullmatch=True) | st.text())
def test_any_text_is_a_spec_or_none(text: str) -> None:
    found = repository(text, Web(), "https://api.github.com", "")
    if found:
        assert ".." not in found.folder.split("/")
        assert ".." not in found.ref
