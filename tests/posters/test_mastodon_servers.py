"""The poster on servers that are not Mastodon: through mastodon.py, to each of them on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from bot.model import Account, Network, Visibility
from bot.posters.mastodon import poster as mastodon
from bot.posters.mastodon.answers import software
from bot.posters.poster import CannotRead, OutcomeKind, Poster, PostRequest, Refusal, Upload
from bot.sandbox import faults
from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    GOTOSOCIAL_500,
    HOLLO,
    HOLLO_0_6,
    MASTODON,
    SERVERS,
    SNAC2,
    TAKAHE,
    MastodonBehaviour,
)
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.rewrites import Stamps
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Response
from tests.helpers.http_server import HttpServer, Reply
from tests.helpers.poster_replies import (
    CONTENT,
    NOW,
    UNKNOWN,
    Expected,
    json_reply,
    raw_reply,
    sort_and_refusal,
)
from tests.helpers.sample_png import PNG

ROOT = PostRequest("Hot papers", "key")
SINCE = NOW - timedelta(days=1)
OLD = NOW - timedelta(days=9)
STATUSES = "/api/v1/statuses"
LIST = "/api/v1/accounts/42/statuses"
HOME = "/api/v1/timelines/home"
WHO = "/api/v1/accounts/verify_credentials"
PRIVATES = (Visibility.PRIVATE, Visibility.DIRECT)


@dataclass
class Live:
    """A server, a poster of an account on it, and a clock that moves on with each post."""

    rules: MastodonRules
    sandbox: Sandbox
    poster: Poster
    now: list[datetime]

    def post(self, text: str, parent: str = "", visibility: str = "public") -> str:
        self.now[0] += timedelta(seconds=2)
        outcome = self.poster.publish(PostRequest(text, text, parent, visibility=visibility))
        assert (outcome.sort, outcome.flaw, outcome.bare) == (OutcomeKind.SENT, "", ""), outcome
        return outcome.id

    def found(self, after: str = "") -> list[str]:
        look = self.poster.look(SINCE, after)
        assert look.complete
        return [post.id for post in look.posts]

    def paths(self) -> list[str]:
        return [record.path for record in self.sandbox.requests]


Start = Callable[..., Live]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:

        def begin(behaviour: MastodonBehaviour, visibility: Visibility = Visibility.PUBLIC) -> Live:
            now = [NOW]
            rules = MastodonRules(lambda: now[0], behaviour)
            sandbox = stack.enter_context(Sandbox({"mastodon": rules}))
            account = Account("papers", Network.MASTODON, visibility=visibility)
            url = sandbox.url("mastodon")
            poster = mastodon.open_poster(account, url, rules.token, 10.0, lambda: now[0])
            stack.callback(poster.close)
            return Live(rules, sandbox, poster, now)

        yield begin


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def poster_of(server: HttpServer, visibility: Visibility = Visibility.PUBLIC) -> Poster:
    account = Account("papers", Network.MASTODON, visibility=visibility)
    return mastodon.open_poster(account, server.url, "token", 10.0, lambda: NOW, "42")


def named(behaviour: MastodonBehaviour) -> str:
    return f"{behaviour.software} {behaviour.version} {behaviour.max_characters}"


every_server = pytest.mark.parametrize("behaviour", SERVERS, ids=named)


# -- a thread --------------------------------------------------------------------------------------


@pytest.mark.slow
@every_server
@pytest.mark.parametrize("known", [True, False])
def test_a_thread_with_a_picture_is_published_whole(
    start: Start,
    behaviour: MastodonBehaviour,
    known: bool,  # noqa: FBT001 - pytest calls it
) -> None:
    it = start(behaviour)
    if known:
        assert it.poster.profile().server == behaviour.software
    picture = it.poster.upload(Upload(PNG, "image/png", "A picture"))
    root = it.poster.publish(PostRequest("Hot papers", "k", media=(picture.id,)))
    assert (root.sort, root.flaw, root.bare) == (OutcomeKind.SENT, "", "")
    ids = [root.id]
    for number in range(5):
        ids.append(it.post(f"{number} · a paper", ids[-1], "unlisted"))
    assert it.found() == ids[::-1]
    live = it.rules.live()
    assert [post.text for post in live] == ["Hot papers", *(f"{n} · a paper" for n in range(5))]
    assert [post.reply_to for post in live] == [None, *ids[:-1]]
    assert it.found(after=ids[2]) == ids[:2:-1]
    assert it.poster.delete(ids[-1]).sort is OutcomeKind.SENT
    assert len([path for path in it.paths() if path == STATUSES]) == 6, "no post is sent twice"


@pytest.mark.parametrize("behaviour", [HOLLO, HOLLO_0_6])
def test_hollo_keeps_keys(start: Start, behaviour: MastodonBehaviour) -> None:
    it = start(behaviour)
    assert it.poster.publish(ROOT).id == it.poster.publish(ROOT).id
    assert len(it.rules.live()) == 1


@pytest.mark.parametrize("content", ["", None])
def test_a_post_without_its_text_is_a_flaw(server: HttpServer, content: str | None) -> None:
    answer = {"id": "1", "content": content, "in_reply_to_id": None, "created_at": "x"}
    server.route(STATUSES, json_reply(answer))
    poster = poster_of(server)
    outcome = poster.publish(ROOT)
    assert (outcome.sort, outcome.id) == (OutcomeKind.SENT, "1")
    assert outcome.flaw == "the server published it without its text"
    poster.close()


@pytest.mark.parametrize(
    ("version", "source", "expected"),
    [
        ("4.7.0", "", "mastodon"),
        ("4.7.0-alpha.2+glitch", "https://github.com/glitch-soc/mastodon", "mastodon"),
        ("0.20.0+git-e4c2b1d", "", "gotosocial"),
        ("0.17.3 cb85f65", "", "gotosocial"),
        ("0.19.1", "https://codeberg.org/superseriousbusiness/gotosocial", "gotosocial"),
        ("4.0.0 (not true; really snac/2.94)", "", "snac"),
        ("takahe/0.11.0", "", "takahe"),
        ("0.7.18", "https://github.com/fedify-dev/hollo", "hollo"),
        ("2.7.2 (compatible; Pleroma 2.6.0)", "", "pleroma"),
        ("4.2.1 (compatible; Something 1.0)", "", ""),
        ("0.7.18", "", ""),
        ("", "", ""),
    ],
)
def test_a_server_is_known_by_what_it_says(version: str, source: str, expected: str) -> None:
    assert software({"version": version, "source_url": source}) == expected


# -- private posts ---------------------------------------------------------------------------------


@every_server
@pytest.mark.parametrize("visibility", PRIVATES)
def test_private_posts_are_read_wherever_the_server_shows_them(
    start: Start, behaviour: MastodonBehaviour, visibility: Visibility
) -> None:
    it = start(behaviour, visibility)
    it.poster.profile()
    root = it.post("Hot papers", visibility=visibility)
    reply = it.post("1 · a paper", root, visibility)
    if behaviour is TAKAHE:
        with pytest.raises(CannotRead) as caught:
            it.found()
        assert (caught.value.blind, caught.value.final) == (True, True)
        assert "takahe does not show" in caught.value.message
        assert "MASTODON_VISIBILITY" in caught.value.fix
        return
    assert it.found() == [reply, root]
    assert it.found(after=root) == [reply]
    assert (HOME in it.paths()) is (behaviour is SNAC2)


@pytest.mark.parametrize("behaviour", [SNAC2, TAKAHE])
def test_a_public_account_is_not_read_at_home(start: Start, behaviour: MastodonBehaviour) -> None:
    it = start(behaviour)
    root = it.post("Hot papers")
    assert it.found() == [root]
    assert HOME not in it.paths()


def test_a_server_that_is_not_known_is_trusted_once_it_shows_a_private_post(start: Start) -> None:
    unknown = replace(MASTODON, version="1.0.0 (of our own)")
    it = start(unknown, Visibility.PRIVATE)
    assert it.poster.profile().server == ""
    with pytest.raises(CannotRead) as caught:
        it.found()
    assert caught.value.blind
    root = it.post("Hot papers", visibility="private")
    assert it.found() == [root]
    at_home = start(replace(unknown, private_listed=False), Visibility.PRIVATE)
    root = at_home.post("Hot papers", visibility="private")
    assert at_home.found() == [root]


def test_at_home_only_what_is_ours_is_taken(server: HttpServer) -> None:
    ours, other = {"id": "42"}, {"id": "7"}
    home = [
        status("c", visibility="private", account=ours),
        status("b", account=other),
        status("a", account=ours),
    ]
    server.route(LIST, json_reply([]))
    server.route(HOME, json_reply(home), json_reply([]))
    poster = poster_of(server, Visibility.PRIVATE)
    assert [post.id for post in poster.look(SINCE).posts] == ["c", "a"]
    server.route(HOME, json_reply({"error": "no such thing"}, 404))
    with pytest.raises(CannotRead) as caught:
        poster.look(SINCE)
    assert caught.value.blind
    poster.close()


# -- whether a reading is complete -----------------------------------------------------------------


def status(status_id: str, when: datetime | str | None = NOW, **more: object) -> dict[str, object]:
    created = when.isoformat() if isinstance(when, datetime) else when
    found: dict[str, object] = {"id": status_id, "created_at": created, "content": status_id}
    return {**found, "in_reply_to_id": None, "reblog": None, "media_attachments": [], **more}


ODD = [None, "", "soon", 5, "1970-01-01T00:00:00Z", "2005-12-31T23:59:59Z", "9999-12-31T00:00:00Z"]
SPACED = NOW.isoformat().replace("T", " ")


def pages(server: HttpServer, *each: object) -> None:
    server.route(LIST, *map(json_reply, each))


def looked(server: HttpServer, after: str = "") -> tuple[list[str], bool]:
    poster = poster_of(server)
    look = poster.look(SINCE, after)
    poster.close()
    return [post.id for post in look.posts], look.complete


@pytest.mark.parametrize("odd", [*ODD, SPACED])
def test_a_time_that_cannot_be_right_drops_no_post_and_ends_nothing(
    server: HttpServer, odd: str | None
) -> None:
    recent = NOW - timedelta(hours=1)
    pages(
        server,
        [status("d", recent), status("c", odd)],
        [status("b", recent), status("a", OLD)],
        [status("0", OLD)],
    )
    assert looked(server) == (["d", "c", "b"], True)


@pytest.mark.parametrize("odd", ODD)
def test_such_a_post_has_the_time_of_the_one_above_it(server: HttpServer, odd: str | None) -> None:
    recent = NOW - timedelta(hours=1)
    pages(server, [status("c", odd), status("b", recent), status("a", odd)], [])
    poster = poster_of(server)
    created = {post.id: post.created for post in poster.look(SINCE).posts}
    assert created["b"] == created["a"] == recent
    assert abs(created["c"] - NOW) < timedelta(days=400), "that of the network, or ours"
    server.route(f"{STATUSES}/a", json_reply(status("a", odd)))
    read = poster.read("a")
    assert read is not None
    assert read.id == "a"
    poster.close()


@pytest.mark.slow
@pytest.mark.parametrize("stamps", Stamps)
@every_server
def test_times_of_any_kind_leave_a_reading_complete(
    start: Start, behaviour: MastodonBehaviour, stamps: Stamps
) -> None:
    it = start(replace(behaviour, stamps=stamps))
    ids = [it.post("0")]
    for number in range(1, 50):
        ids.append(it.post(f"{number}", ids[-1], "unlisted"))
    assert it.found() == ids[::-1]
    assert it.found(after=ids[-1]) == []
    assert it.found(after=ids[-2]) == [ids[-1]]
    assert it.found(after=ids[3]) == ids[:3:-1]


def test_one_old_post_in_the_middle_is_no_end(server: HttpServer) -> None:
    boost = status("x", OLD, reblog=status("y"))
    pages(server, [status("c"), status("old", OLD), boost], [status("b"), status("a")], [])
    assert looked(server) == (["c", "old", "b", "a"], True)
    pages(server, [status("c"), status("old", OLD)], [status("b")], [status("a", OLD)])
    assert looked(server) == (["c", "old", "b"], True)


def test_what_is_above_a_known_post_is_never_left_out_for_its_time(server: HttpServer) -> None:
    pages(server, [status("c"), status("b", OLD), status("mark", NOW), status("a", OLD)])
    assert looked(server, after="mark") == (["c", "b"], True)
    # a server that leaves out the known post and all below it, and whose clock is wrong
    pages(server, [status("b", OLD)], [])
    assert looked(server, after="mark") == (["b"], True)
    # one that is gone, on a server that lists all the same
    old = [status(f"{number}", OLD) for number in range(40)]
    pages(server, [status("b"), *old[:20]], old[20:], [status("far")])
    found, complete = looked(server, after="mark")
    assert (found[0], "far" in found, complete) == ("b", False, True)
    pages(server, [status("c"), status("mark", None), status("a", OLD)])
    assert looked(server, after="mark") == (["c"], True)


@pytest.mark.parametrize("second", [json_reply({"error": "x"}, 500), raw_reply(200, b"<html>")])
def test_an_error_on_a_later_page_is_one_of_the_whole_reading(
    server: HttpServer, second: Reply
) -> None:
    server.route(LIST, json_reply([status("a")]), second)
    with pytest.raises(CannotRead) as caught:
        looked(server)
    assert not caught.value.final


def test_an_empty_page_that_leads_on_is_no_end(server: HttpServer) -> None:
    more = {"Link": f'<{server.url}{LIST}?limit=40&max_id=77>; rel="next"'}
    server.route(LIST, json_reply([], 200, more), json_reply([status("a")]), json_reply([]))
    assert looked(server) == (["a"], True)
    assert "max_id=77" in server.requests[1].path
    # one that leads nowhere proves nothing
    server.route(LIST, json_reply([], 200, {"Link": f'<{server.url}{LIST}?page=2>; rel="next"'}))
    assert looked(server) == ([], False)
    server.route(LIST, json_reply([], 200, more))
    assert looked(server) == ([], False)


def test_a_short_page_with_a_next_one_is_no_end_and_doubles_are_one(server: HttpServer) -> None:
    more = {"Link": f'<{server.url}{LIST}?max_id=b>; rel="next"'}
    first = json_reply([status("c"), status("c"), status("b")], 200, more)
    last = {"Link": f'<{server.url}{LIST}?min_id=a>; rel="prev"'}
    server.route(LIST, first, json_reply([status("b"), status("a")], 200, last))
    assert looked(server) == (["c", "b", "a"], True)


def test_a_page_that_calls_itself_partial_proves_nothing(server: HttpServer) -> None:
    server.route(LIST, json_reply([status("a")], 206), json_reply([]))
    assert looked(server) == (["a"], False)


def test_the_clock_of_the_network_is_told(server: HttpServer) -> None:
    there = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    headers = {"date": format_datetime(there, usegmt=True), "Link": f'<{LIST}>; rel="prev"'}
    server.route(LIST, json_reply([status("a", None)], 200, headers))
    poster = poster_of(server)
    look = poster.look(SINCE)
    assert (look.clock, look.posts[0].created) == (there, there)
    poster.close()


# -- refusals --------------------------------------------------------------------------------------


@every_server
def test_a_revoked_token_is_a_matter_of_credentials_everywhere(
    start: Start, behaviour: MastodonBehaviour
) -> None:
    it = start(behaviour)
    root = it.post("Hot papers")
    it.rules.token = "another"
    refused = [
        it.poster.publish(ROOT),
        it.poster.delete(root),
        it.poster.upload(Upload(PNG, "image/png", "A picture")),
    ]
    for outcome in refused:
        assert (outcome.sort, outcome.refusal) == (OutcomeKind.REFUSED, Refusal.CREDENTIALS), (
            outcome
        )
        assert "does not accept the account's tokens" in outcome.reason
    for read in (it.poster.profile, it.found, lambda: it.poster.read(root)):
        with pytest.raises(CannotRead) as caught:
            read()
        assert (caught.value.final, caught.value.stops) == (True, True)
        assert "bot login" in caught.value.fix
    assert len(it.rules.live()) == 1


@pytest.mark.parametrize(
    ("code", "expected"),
    [(400, CONTENT), (422, CONTENT), (401, UNKNOWN), (403, UNKNOWN), (404, UNKNOWN)],
)
def test_a_refusal_without_a_word_is_the_posts_where_the_token_works(
    start: Start, code: int, expected: Expected
) -> None:
    it = start(MASTODON)
    bare = faults.refusal("bare", Response(code))
    it.sandbox.script(bare, when=lambda request: request.method == "POST")
    assert sort_and_refusal(it.poster.publish(ROOT)) == expected
    it.sandbox.script(bare, when=lambda request: request.method == "POST")
    it.sandbox.script(faults.server_error(503), when=lambda request: request.path == WHO)
    assert sort_and_refusal(it.poster.publish(ROOT)) == UNKNOWN, "nobody knows which it is"
    assert it.paths() == [STATUSES, WHO] * 2
    assert it.rules.live() == ()


@pytest.mark.parametrize("behaviour", [MASTODON, GOTOSOCIAL, GOTOSOCIAL_500, TAKAHE], ids=named)
def test_a_refusal_for_length_names_what_to_set(start: Start, behaviour: MastodonBehaviour) -> None:
    it = start(behaviour)
    text = "x" * (behaviour.max_characters + 1)
    outcome = it.poster.publish(replace(ROOT, text=text))
    assert (outcome.sort, outcome.refusal) == (OutcomeKind.REFUSED, Refusal.CONTENT)
    assert f"set MASTODON_MAX_CHARACTERS={behaviour.max_characters}" in outcome.reason
    assert it.post("x" * behaviour.max_characters)


def test_without_a_word_on_the_limit_a_lower_one_is_advised(server: HttpServer) -> None:
    server.route(STATUSES, json_reply({"error": "Status is too long"}, 400))
    poster = poster_of(server)
    reason = poster.publish(ROOT).reason
    assert reason.endswith("set MASTODON_MAX_CHARACTERS to less than 10")
    body = json.loads(server.requests[0].body)
    assert body["status"] == ROOT.text
    poster.close()


def test_a_server_whose_kept_connections_break_is_read_and_written_all_the_same(
    start: Start,
) -> None:
    it = start(SNAC2)
    assert it.poster.profile().server == "snac"
    ids = [it.post("0")]
    for number in range(1, 9):
        ids.append(it.post(f"{number}", ids[-1]))
        assert it.found()[0] == ids[-1]
    assert len(it.rules.live()) == 9
