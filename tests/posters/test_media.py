"""Uploading a picture: the contract that every poster keeps, and each answer a network may give."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from bot.model import Account, Network
from bot.posters.bluesky import poster as bluesky
from bot.posters.bluesky.tids import tid
from bot.posters.mastodon import poster as mastodon
from bot.posters.poster import Outcome, OutcomeKind, Poster, PostRequest, Refusal, Upload
from bot.posters.twitter import poster as twitter
from bot.sandbox import faults
from bot.sandbox.bluesky import answers as bluesky_answers
from bot.sandbox.bluesky.behaviour import SERVERS as SKY_SERVERS
from bot.sandbox.bluesky.behaviour import BlueskyBehaviour
from bot.sandbox.bluesky.rules import APP_PASSWORD, BlueskyRules
from bot.sandbox.faults import Fault
from bot.sandbox.mastodon.behaviour import MASTODON, SERVERS, MastodonBehaviour
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.multipart import parts
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Request
from bot.sandbox.x.behaviour import XBehaviour
from bot.sandbox.x.rules import XRules
from tests.helpers.fake_poster import (
    BAD_CONTENT,
    LOST,
    NOT_SENT,
    UNAUTHORIZED,
    Commit,
    FakePoster,
    Kind,
    Step,
)
from tests.helpers.fake_poster import limited as limit
from tests.helpers.http_server import HttpServer, Reply
from tests.helpers.open_posters import open_mastodon, open_x
from tests.helpers.poster_contract import TIMEOUT, TickingClock, sandbox_faults
from tests.helpers.poster_replies import (
    ADDRESS,
    CONTENT,
    CREDENTIALS,
    LATER,
    NOW,
    SENT,
    UNKNOWN,
    Expected,
    json_reply,
    raw_reply,
    sort_and_refusal,
)
from tests.helpers.sample_png import ALT, PNG

PICTURE = Upload(PNG, "image/png", ALT)
LATE = timedelta(minutes=5)
WORK = 10.0
Kept = Mapping[str, tuple[bytes, str, str]]


@dataclass
class UploadWorld:
    """A poster, and what its network keeps of uploads: bytes, type and words, by id.

    `fail` lets the next upload go wrong, `away` takes the network off the air. `work` makes it take
    its time with uploads, `lose` publish without them; `tells` says whether its answer shows that.
    `early` is what becomes of a post whose upload is not finished.
    """

    poster: Poster
    clock: TickingClock
    kept: Callable[[], Kept]
    fail: Callable[[str], None]
    away: Callable[[], AbstractContextManager[None]]
    work: Callable[[], None]
    lose: Callable[[], None]
    tells: bool = True
    early: Expected = CONTENT

    def upload(self) -> str:
        outcome = self.poster.upload(PICTURE)
        assert (outcome.sort, outcome.flaw, outcome.ready) == (OutcomeKind.SENT, "", True), outcome
        return outcome.id

    def post(self, *media: str) -> Outcome:
        self.clock.tick()
        key = tid(self.clock.now)
        return self.poster.publish(
            PostRequest("Hot papers", key, media=media, created=self.clock.now)
        )


def fake(stack: ExitStack) -> UploadWorld:
    clock = TickingClock()
    poster = FakePoster(clock)
    stack.callback(poster.close)
    steps = {
        "lost after": Step(LOST),
        "lost before": Step(LOST, Commit.NEVER),
        "401": Step(UNAUTHORIZED, Commit.NEVER),
        "429": Step(limit(clock.now + LATE), Commit.NEVER),
    }

    @contextmanager
    def away() -> Iterator[None]:
        for kind in (Kind.UPLOAD, Kind.READY):
            poster.script(Step(NOT_SENT, Commit.NEVER), kind=kind)
        yield

    return UploadWorld(
        poster,
        clock,
        lambda: {name: (each.data, each.type, each.alt) for name, each in poster.uploads.items()},
        lambda name: poster.script(steps[name], kind=Kind.UPLOAD),
        away,
        lambda: setattr(poster, "processing", 2),
        lambda: setattr(poster, "loses_media", True),
    )


def real(
    poster: Poster,
    clock: TickingClock,
    rules: XRules | MastodonRules,
    sandbox: Sandbox,
    network: Network,
) -> UploadWorld:
    known = sandbox_faults(network)

    def change(**changes: object) -> None:
        rules.behaviour = replace(rules.behaviour, **changes)  # type: ignore[arg-type] # the fields of both

    return UploadWorld(
        poster,
        clock,
        lambda: {each.id: (each.data, each.type, each.alt) for each in rules.uploads.values()},
        lambda name: sandbox.script(known[name], network=network),
        lambda: sandbox.down(network),
        lambda: change(processing=timedelta(seconds=WORK)),
        lambda: change(loses_media=True),
        tells=network is not Network.TWITTER,
        early=LATER if network is Network.MASTODON else CONTENT,
    )


def x(stack: ExitStack) -> UploadWorld:
    clock = TickingClock()
    rules = XRules(clock)
    sandbox = stack.enter_context(Sandbox({"twitter": rules}))
    keys = rules.keys
    tokens = (keys.consumer_key, keys.consumer_secret, keys.access_token, keys.access_token_secret)
    account = Account("papers", Network.TWITTER)
    poster = twitter.open_poster(account, *tokens, sandbox.url("twitter"), TIMEOUT, clock)
    stack.callback(poster.close)
    return real(poster, clock, rules, sandbox, Network.TWITTER)


def mastodon_like(stack: ExitStack, behaviour: MastodonBehaviour) -> UploadWorld:
    clock = TickingClock()
    rules = MastodonRules(clock, behaviour)
    sandbox = stack.enter_context(Sandbox({"mastodon": rules}))
    account = Account("papers", Network.MASTODON)
    url = sandbox.url("mastodon")
    poster = mastodon.open_poster(account, url, rules.token, TIMEOUT, clock)
    stack.callback(poster.close)
    return real(poster, clock, rules, sandbox, Network.MASTODON)


def bluesky_like(stack: ExitStack, behaviour: BlueskyBehaviour) -> UploadWorld:
    clock = TickingClock()
    rules = BlueskyRules(clock, behaviour)
    sandbox = stack.enter_context(Sandbox({"bluesky": rules}))
    poster = bluesky.open_poster(
        Account("papers", Network.BLUESKY),
        handle=rules.handle,
        app_password=APP_PASSWORD,
        base_url=sandbox.url("bluesky"),
        timeout=TIMEOUT,
        clock=clock,
    )
    stack.callback(poster.close)
    known = sandbox_faults(Network.BLUESKY)
    known["401"] = faults.refusal("401", bluesky_answers.DEACTIVATED)

    def fail(name: str) -> None:
        sandbox.script(known[name], when=lambda request: request.path.endswith(".uploadBlob"))

    def never() -> None:
        raise AssertionError("no server of this kind does so")

    return UploadWorld(
        poster,
        clock,
        # the words are in the record alone
        lambda: {str(each.cid): (each.data, each.mime, ALT) for each in rules.blobs.every()},
        fail,
        lambda: sandbox.down(Network.BLUESKY),
        work=never,
        lose=never,
    )


WORLDS: dict[str, Callable[[ExitStack], UploadWorld]] = {
    "fake": fake,
    "x": x,
    **{
        f"mastodon-{behaviour.version.split()[0]}": (
            lambda stack, behaviour=behaviour: mastodon_like(stack, behaviour)  # type: ignore[misc]
        )
        for behaviour in SERVERS
    },
}


SKIES: dict[str, Callable[[ExitStack], UploadWorld]] = {
    f"bluesky-{number}": (lambda stack, behaviour=behaviour: bluesky_like(stack, behaviour))  # type: ignore[misc]
    for number, behaviour in enumerate(SKY_SERVERS)
}
"""Servers that are done with an upload when they answer it, and lose none that a post has."""


@pytest.fixture(params=[*WORLDS, *SKIES])
def any_net(request: pytest.FixtureRequest) -> Iterator[UploadWorld]:
    with ExitStack() as stack:
        yield (WORLDS | SKIES)[str(request.param)](stack)


@pytest.fixture(params=WORLDS)
def net(request: pytest.FixtureRequest) -> Iterator[UploadWorld]:
    with ExitStack() as stack:
        yield WORLDS[str(request.param)](stack)


# -- the contract ----------------------------------------------------------------------------------


def test_a_picture_is_uploaded_with_its_words_and_travels_with_a_post(any_net: UploadWorld) -> None:
    media_id = any_net.upload()
    ((kept_as, kept),) = any_net.kept().items()
    assert media_id.split(".")[0] == kept_as
    assert kept == (PNG, "image/png", ALT)
    outcome = any_net.post(media_id)
    assert (outcome.sort, outcome.flaw, outcome.bare) == (OutcomeKind.SENT, "", "")
    seen = any_net.poster.read(outcome.id)
    assert seen is not None
    assert (seen.text, seen.media) == ("Hot papers", 1)


def test_an_upload_alone_is_nowhere_to_be_seen_and_may_be_done_again(any_net: UploadWorld) -> None:
    first, second = any_net.upload(), any_net.upload()
    assert first != second
    assert any_net.poster.look(NOW).posts == ()
    assert any_net.post(second).sort is OutcomeKind.SENT


@pytest.mark.parametrize("fault", ["lost after", "lost before"])
def test_what_became_of_an_upload_may_be_unknown_and_does_no_harm(
    any_net: UploadWorld, fault: str
) -> None:
    any_net.fail(fault)
    outcome = any_net.poster.upload(PICTURE)
    assert (outcome.sort, outcome.id) == (OutcomeKind.UNKNOWN, "")
    assert outcome.reason
    assert any_net.post(any_net.upload()).sort is OutcomeKind.SENT


def test_refused_tokens_are_said_to_be_so(any_net: UploadWorld) -> None:
    any_net.fail("401")
    assert sort_and_refusal(any_net.poster.upload(PICTURE)) == CREDENTIALS
    any_net.upload()


def test_a_limit_says_when_it_ends(any_net: UploadWorld) -> None:
    ends = any_net.clock.now + LATE
    any_net.fail("429")
    outcome = any_net.poster.upload(PICTURE)
    assert outcome.sort is OutcomeKind.LATER
    assert outcome.until is not None
    assert abs(outcome.until - ends) <= timedelta(seconds=1)


def test_without_a_network_nothing_is_uploaded(net: UploadWorld) -> None:
    with net.away():
        assert net.poster.upload(PICTURE).sort is OutcomeKind.LATER
        assert net.poster.media_ready("1").sort is OutcomeKind.LATER
    assert net.kept() == {}


@pytest.mark.parametrize("sky", SKIES)
def test_without_bluesky_nothing_is_uploaded(sky: str) -> None:
    with ExitStack() as stack:
        world = SKIES[sky](stack)
        with world.away():
            assert world.poster.upload(PICTURE).sort is OutcomeKind.LATER
        assert world.kept() == {}
        assert world.post(world.upload()).sort is OutcomeKind.SENT


def test_a_network_may_take_its_time(net: UploadWorld) -> None:
    net.work()
    outcome = net.poster.upload(PICTURE)
    assert (outcome.sort, outcome.ready) == (OutcomeKind.SENT, False)
    assert sort_and_refusal(net.post(outcome.id)) == net.early
    early = net.poster.media_ready(outcome.id)
    assert (early.sort, early.id, early.ready) == (OutcomeKind.SENT, outcome.id, False)
    net.clock.tick(WORK)
    late = net.poster.media_ready(outcome.id)
    assert (late.sort, late.id, late.ready) == (OutcomeKind.SENT, outcome.id, True)
    assert net.post(outcome.id).sort is OutcomeKind.SENT


@pytest.mark.parametrize("media_id", ["1", "999", "no-such-upload", "../1", "", "1?x=1", "/"])
def test_what_was_not_uploaded_is_not_ready(any_net: UploadWorld, media_id: str) -> None:
    outcome = any_net.poster.media_ready(media_id)
    assert sort_and_refusal(outcome) == CONTENT
    assert outcome.reason


def test_a_picture_that_a_post_has_lost_is_missed(net: UploadWorld) -> None:
    net.lose()
    outcome = net.post(net.upload())
    assert outcome.sort is OutcomeKind.SENT
    assert outcome.bare == ("1 of 1 media are missing" if net.tells else "")
    assert not outcome.flaw, "the thread goes on"
    seen = net.poster.read(outcome.id)
    assert seen is not None
    assert seen.media == 0


def test_only_what_the_network_bills_has_a_price(any_net: UploadWorld) -> None:
    outcome = any_net.poster.upload(PICTURE)
    billed = isinstance(any_net.poster, FakePoster) or any_net.tells
    assert outcome.cost == (Decimal(0) if billed else Decimal("0.005"))


# -- every answer ----------------------------------------------------------------------------------

MEDIA = "/api/v2/media"
MEDIUM = "/api/v1/media/7"
UPLOAD = "/2/media/upload"
METADATA = "/2/media/metadata"
BODILESS = (204, 304)
EVERY: Mapping[int, Expected] = {
    **dict.fromkeys((301, 302, 307, 308), ADDRESS),
    **dict.fromkeys((400, 403, 404, 413, 422), CONTENT),
    401: CREDENTIALS,
    402: LATER,
    429: LATER,
}
ON_MASTODON: Mapping[int, Expected] = {**EVERY, 403: CREDENTIALS}


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture
def on_x(server: HttpServer) -> Iterator[Poster]:
    poster = open_x(server.url)
    yield poster
    poster.close()


@pytest.fixture
def on_mastodon(server: HttpServer) -> Iterator[Poster]:
    poster = open_mastodon(server.url)
    yield poster
    poster.close()


def check_every_status(
    server: HttpServer,
    path: str,
    ask: Callable[[], Outcome],
    expected: Mapping[int, Expected] = EVERY,
) -> None:
    headers = {"Location": "https://moved.example/"}
    for status in range(200, 600):
        body = b"" if status in BODILESS else b'{"error": "Words.", "detail": "Words."}'
        server.route(path, raw_reply(status, body, headers))
        outcome = ask()
        assert sort_and_refusal(outcome) == expected.get(status, UNKNOWN), f"{status}: {outcome}"
        assert str(status) in outcome.reason
        assert (outcome.id, outcome.until, outcome.flaw) == ("", None, "")


@pytest.mark.slow
def test_each_status_of_mastodon_has_its_meaning(server: HttpServer, on_mastodon: Poster) -> None:
    check_every_status(server, MEDIA, lambda: on_mastodon.upload(PICTURE), ON_MASTODON)
    check_every_status(server, MEDIUM, lambda: on_mastodon.media_ready("7"), ON_MASTODON)
    assert len(server.requests) == 800


@pytest.mark.slow
def test_each_status_of_x_has_its_meaning(server: HttpServer, on_x: Poster) -> None:
    check_every_status(server, UPLOAD, lambda: on_x.upload(PICTURE))
    check_every_status(server, UPLOAD, lambda: on_x.media_ready("7"))
    assert len(server.requests) == 800


@pytest.mark.slow
def test_a_picture_without_its_words_is_not_sent_on_x(server: HttpServer, on_x: Poster) -> None:
    server.route(UPLOAD, json_reply({"data": {"id": "7"}}))
    for status in range(300, 600):
        body = b"" if status in BODILESS else b'{"detail": "Words."}'
        server.route(METADATA, raw_reply(status, body, {"Location": "https://moved.example/"}))
        outcome = on_x.upload(PICTURE)
        assert sort_and_refusal(outcome) == EVERY.get(status, UNKNOWN), f"{status}: {outcome}"
        assert outcome.cost == (Decimal("0.005") if outcome.sort is OutcomeKind.UNKNOWN else 0)


UNREADABLE = (
    b"",
    b"{}",
    b"[]",
    b'"7"',
    b"<html>",
    b"null",
    b'{"data": {"id": null}, "id": null}',
    b'{"data": {"id": "../7"}, "id": "../7"}',
    b'{"data": {"id": true}, "id": true}',
    b'{"data": [], "errors": [{"message": "?"}]}',
    b"\xff\xfe",
)


@pytest.mark.parametrize("body", UNREADABLE)
def test_an_answer_without_an_id_is_no_upload(
    server: HttpServer, on_x: Poster, on_mastodon: Poster, body: bytes
) -> None:
    for status in (200, 201, 202, 206):
        for path in (UPLOAD, MEDIA, MEDIUM):
            server.route(path, raw_reply(status, body))
        for outcome in (
            on_x.upload(PICTURE),
            on_x.media_ready("7"),
            on_mastodon.upload(PICTURE),
            on_mastodon.media_ready("7"),
        ):
            assert sort_and_refusal(outcome) == UNKNOWN
            assert f"answers {status}, and not with an upload" in outcome.reason


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"data": {"id": "7", "associated_metadata": {}}}, SENT),
        ({"data": {"id": 7}}, SENT),
        ({}, SENT),
        ({"data": {"id": "8"}}, UNKNOWN),
        ({"data": {"id": []}}, UNKNOWN),
        ({"errors": [{"message": "?"}]}, UNKNOWN),
        ({"data": {"id": "7"}, "errors": [{"message": "?"}]}, UNKNOWN),
    ],
)
def test_the_words_must_have_been_kept_for_this_picture(
    server: HttpServer, on_x: Poster, answer: object, expected: Expected
) -> None:
    server.route(UPLOAD, json_reply({"data": {"id": "7"}}))
    server.route(METADATA, json_reply(answer))
    outcome = on_x.upload(PICTURE)
    assert sort_and_refusal(outcome) == expected
    assert outcome.id == ("7" if expected == SENT else "")
    assert outcome.cost == Decimal("0.005")


@pytest.mark.parametrize(
    ("state", "expected", "ready"),
    [
        (None, SENT, True),
        ("succeeded", SENT, True),
        ("pending", SENT, False),
        ("in_progress", SENT, False),
        ("failed", CONTENT, True),
    ],
)
def test_x_may_say_how_far_it_is(
    server: HttpServer, on_x: Poster, state: str | None, expected: Expected, *, ready: bool
) -> None:
    info = {"processing_info": {"state": state}} if state else {}
    server.route(UPLOAD, json_reply({"data": {"id": "7", **info}}))
    server.route(METADATA, json_reply({}))
    for outcome in (on_x.upload(PICTURE), on_x.media_ready("7")):
        assert (sort_and_refusal(outcome), outcome.ready) == (expected, ready)


@pytest.mark.parametrize("description", [None, "", " ", 7])
def test_words_that_a_server_drops_are_a_flaw(
    server: HttpServer, on_mastodon: Poster, description: object
) -> None:
    server.route(MEDIA, json_reply({"id": "7", "description": description}))
    outcome = on_mastodon.upload(PICTURE)
    assert (outcome.sort, outcome.id) == (OutcomeKind.SENT, "7")
    assert outcome.flaw == "the server keeps no alternative text"


@pytest.mark.parametrize(
    ("status", "ready"), [(200, True), (201, True), (202, False), (206, False)]
)
def test_a_server_says_by_its_status_how_far_it_is(
    server: HttpServer, on_mastodon: Poster, status: int, *, ready: bool
) -> None:
    for path in (MEDIA, MEDIUM):
        server.route(path, json_reply({"id": 7, "description": "A chart"}, status))
    for outcome in (on_mastodon.upload(PICTURE), on_mastodon.media_ready("7")):
        assert (outcome.sort, outcome.id, outcome.ready, outcome.flaw) == (
            OutcomeKind.SENT,
            "7",
            ready,
            "",
        )


@pytest.mark.parametrize(
    ("attachments", "bare"),
    [
        ({}, ""),
        ({"attachments": {"media_keys": ["3_8", "3_9"]}}, ""),
        ({"attachments": {"media_keys": ["3_8"]}}, "1 of 2 media are missing"),
        ({"attachments": {"media_keys": []}}, "2 of 2 media are missing"),
        ({"attachments": {}}, ""),
    ],
)
def test_media_that_x_says_are_missing_are_missed(
    server: HttpServer, on_x: Poster, attachments: Mapping[str, object], bare: str
) -> None:
    server.route("/2/tweets", json_reply({"data": {"id": "5", **attachments}}, 201))
    outcome = on_x.publish(PostRequest("Text", "key", media=("8", "9")))
    assert (outcome.sort, outcome.flaw, outcome.bare) == (OutcomeKind.SENT, "", bare)


# -- what is sent ----------------------------------------------------------------------------------


def test_mastodon_is_asked_once_with_file_words_and_focus(
    server: HttpServer, on_mastodon: Poster
) -> None:
    server.route(MEDIA, json_reply({"id": "7", "description": ALT}))
    for _ in range(2):
        on_mastodon.upload(PICTURE)
    assert [(each.method, each.path) for each in server.requests] == [("POST", MEDIA)] * 2
    for sent in server.requests:
        found = parts(Request("POST", MEDIA, "", sent.headers, sent.body))
        assert (found["file"].data, found["file"].type) == (PNG, "image/png")
        assert (found["description"].text, found["focus"].text) == (ALT, "0.0,1.0")
        assert sent.headers["authorization"] == "Bearer token"


def test_mastodon_is_asked_after_an_upload_once(server: HttpServer, on_mastodon: Poster) -> None:
    server.route(MEDIUM, json_reply({"id": "7", "description": ALT}))
    on_mastodon.media_ready("7")
    assert [(each.method, each.path) for each in server.requests] == [("GET", MEDIUM)]


def test_x_is_sent_the_file_and_then_its_words_signed_both(
    server: HttpServer, on_x: Poster
) -> None:
    server.route(UPLOAD, json_reply({"data": {"id": "7"}}))
    server.route(METADATA, json_reply({"data": {"id": "7"}}))
    on_x.upload(PICTURE)
    file, words = server.requests
    assert [(each.method, each.path) for each in (file, words)] == [
        ("POST", UPLOAD),
        ("POST", METADATA),
    ]
    assert json.loads(file.body) == {
        "media": base64.b64encode(PNG).decode(),
        "media_category": "tweet_image",
        "media_type": "image/png",
    }
    assert json.loads(words.body) == {"id": "7", "metadata": {"alt_text": {"text": ALT}}}
    for each in (file, words):
        assert each.headers["authorization"].startswith("OAuth ")
        assert each.headers["content-type"] == "application/json"


def test_x_is_asked_after_an_upload_once(server: HttpServer, on_x: Poster) -> None:
    server.route(UPLOAD, json_reply({"data": {"id": "7"}}))
    on_x.media_ready("7")
    assert [each.path for each in server.requests] == [f"{UPLOAD}?command=STATUS&media_id=7"]


def test_a_picture_of_a_megabyte_is_sent_whole(server: HttpServer, on_mastodon: Poster) -> None:
    server.route(MEDIA, json_reply({"id": "7", "description": ALT}))
    large = PNG + bytes(range(256)) * 4096
    assert on_mastodon.upload(replace(PICTURE, data=large)).sort is OutcomeKind.SENT
    (sent,) = server.requests
    assert parts(Request("POST", MEDIA, "", sent.headers, sent.body))["file"].data == large


def test_uploading_shows_neither_token_nor_picture(
    server: HttpServer, on_x: Poster, on_mastodon: Poster, caplog: pytest.LogCaptureFixture
) -> None:
    assert "PNG" not in repr(PICTURE)
    for path in (UPLOAD, METADATA, MEDIA):
        server.route(path, json_reply({"detail": "Bearer token"}, 400))
    with caplog.at_level(logging.DEBUG):
        outcomes = [on_x.upload(PICTURE), on_mastodon.upload(PICTURE)]
    assert all(outcome.sort is OutcomeKind.REFUSED for outcome in outcomes)
    assert "oauth_signature" not in caplog.text
    assert base64.b64encode(PNG).decode() not in caplog.text


# -- every fault -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", faults.every(Network.MASTODON), ids=lambda each: each.name)
def test_no_fault_of_a_server_is_more_than_an_outcome(fault: Fault) -> None:
    clock = TickingClock()
    rules = MastodonRules(clock, MASTODON)
    with Sandbox({"mastodon": rules}) as sandbox:
        poster = open_mastodon(sandbox.url("mastodon"), timeout=TIMEOUT)
        rules.token = "token"
        sandbox.script(fault)
        first = poster.upload(PICTURE)
        again = poster.upload(PICTURE)
        poster.close()
    assert (again.sort, again.ready) == (OutcomeKind.SENT, True)
    if first.sort is OutcomeKind.SENT:
        assert first.id in rules.uploads
    if first.sort in (OutcomeKind.LATER, OutcomeKind.REFUSED):
        assert len(rules.uploads) == 1


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("fault", faults.every(Network.TWITTER), ids=lambda each: each.name)
def test_no_fault_of_x_is_more_than_an_outcome(fault: Fault, at: int) -> None:
    clock = TickingClock()
    rules = XRules(clock, XBehaviour())
    with Sandbox({"twitter": rules}) as sandbox:
        keys = rules.keys
        poster = twitter.open_poster(
            Account("papers", Network.TWITTER),
            keys.consumer_key,
            keys.consumer_secret,
            keys.access_token,
            keys.access_token_secret,
            sandbox.url("twitter"),
            TIMEOUT,
            clock,
        )
        sandbox.script(fault, at=at)
        first = poster.upload(PICTURE)
        again = poster.upload(PICTURE)
        poster.close()
    assert (again.sort, again.ready, again.refusal) == (OutcomeKind.SENT, True, None)
    assert rules.uploads[again.id].alt == ALT
    if first.sort is OutcomeKind.SENT:
        assert rules.uploads[first.id].alt == ALT
    elif first.refusal is not Refusal.CREDENTIALS:
        assert first.sort in (OutcomeKind.LATER, OutcomeKind.REFUSED, OutcomeKind.UNKNOWN)


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("fault", faults.every(Network.BLUESKY), ids=lambda each: each.name)
def test_no_fault_of_bluesky_is_more_than_an_outcome(fault: Fault, at: int) -> None:
    """The first request is the login, the second the upload."""
    clock = TickingClock()
    rules = BlueskyRules(clock)
    with Sandbox({"bluesky": rules}) as sandbox:
        poster = bluesky.open_poster(
            Account("papers", Network.BLUESKY),
            handle=rules.handle,
            app_password=APP_PASSWORD,
            base_url=sandbox.url("bluesky"),
            timeout=TIMEOUT,
            clock=clock,
        )
        sandbox.script(fault, at=at)
        first = poster.upload(PICTURE)
        again = poster.upload(PICTURE)
        poster.close()
    assert (again.sort, again.ready, again.refusal) == (OutcomeKind.SENT, True, None)
    assert [each.data for each in rules.blobs.every()] == [PNG]
    if first.sort is not OutcomeKind.SENT:
        assert (first.id, bool(first.reason)) == ("", True)


def test_a_reply_that_is_no_answer_is_unknown(server: HttpServer, on_mastodon: Poster) -> None:
    server.route(MEDIA, Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", raw=True))
    assert sort_and_refusal(on_mastodon.upload(PICTURE)) == UNKNOWN


def test_the_fake_takes_only_what_was_uploaded() -> None:
    poster = FakePoster(TickingClock())
    assert poster.publish(PostRequest("a", "k", media=("media-1",))) == BAD_CONTENT
    assert poster.count(Kind.UPLOAD) == 0
    poster.upload(PICTURE)
    assert poster.calls[-1].media == PICTURE
    assert poster.publish(PostRequest("a", "k", media=("media-1",))).sort is OutcomeKind.SENT
