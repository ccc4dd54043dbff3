"""The real SDK, atproto, talking to the stand-in over HTTP; and what it makes of every fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from bot.model import Network
from bot.sandbox import faults
from bot.sandbox.bluesky import answers
from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, DEV_ENV, BlueskyBehaviour
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.rules import ACCOUNT, APP_PASSWORD, HANDLE
from bot.sandbox.faults import Commit, Fault
from bot.sandbox.script import Stage
from tests.helpers.sandbox_clients import BlueskyClient, bluesky_client

atproto = pytest.importorskip("atproto", reason="the SDK atproto is not installed")
client_of = pytest.importorskip("atproto_client.request")
errors = pytest.importorskip("atproto_client.exceptions")

PUT = "com.atproto.repo.putRecord"
KEY = "3jui7kd54zh2y"
SHORT = 0.2
"""Seconds a client waits for an answer that does not come; nothing checked depends on it."""


class Sdk:
    """A client of the SDK, and what a test does with it."""

    def __init__(self, it: BlueskyClient, timeout: float = 30.0) -> None:
        self.it = it
        # The SDK looks at this machine's clock to see whether a token is old.
        it.clock.now = datetime.now(UTC)
        request = client_of.Request(timeout=timeout)
        self.client = atproto.Client(f"{it.sandbox.url('bluesky')}/xrpc", request=request)

    def login(self, **more: object) -> object:
        return self.client.login(HANDLE, APP_PASSWORD, **more)

    def put(self, text: str, rkey: str = KEY) -> object:
        """Put a post that is never overwritten: the SDK itself leaves a null out."""
        record = {"$type": POST, "text": text, "createdAt": "2026-03-01T12:00:00.000Z"}
        body = {"repo": ACCOUNT, "collection": POST, "rkey": rkey, "record": record}
        data = json.dumps({**body, "swapRecord": None}).encode()
        invoke = self.client.invoke_procedure
        return invoke(PUT, data=None, content=data, input_encoding="application/json").content


def opened(behaviour: BlueskyBehaviour = BSKY_SOCIAL, timeout: float = 30.0) -> Iterator[Sdk]:
    with bluesky_client(behaviour) as it:
        yield Sdk(it, timeout)


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    for each in opened():
        each.login()
        yield each
        each.client.request.close()


def test_it_logs_in_and_sees_the_profile(sdk: Sdk) -> None:
    assert (sdk.client.me.did, sdk.client.me.handle) == (ACCOUNT, HANDLE)
    assert sdk.client.com.atproto.server.get_session().active
    assert sdk.client.resolve_handle(HANDLE).did == ACCOUNT


def test_it_logs_in_where_there_is_no_appview() -> None:
    for alone in opened(DEV_ENV):
        with pytest.raises(errors.NetworkError) as caught:
            alone.login()
        assert caught.value.response.status_code == 502
        assert alone.login(fetch_bsky_profile=False) is None
        alone.client.request.close()


def test_it_puts_lists_reads_and_deletes(sdk: Sdk) -> None:
    first = sdk.put("hello")
    assert sdk.put("hello")["cid"] == first["cid"]  # type: ignore[index]
    with pytest.raises(errors.BadRequestError) as caught:
        sdk.put("other")
    assert caught.value.response.content.error == "InvalidSwap"
    post = sdk.client.app.bsky.feed.post
    listed = post.list(ACCOUNT, limit=100)
    assert [each.text for each in listed.records.values()] == ["hello"]
    got = post.get(ACCOUNT, KEY)
    assert (got.value.text, got.cid) == ("hello", first["cid"])  # type: ignore[index]
    assert post.delete(ACCOUNT, KEY)
    with pytest.raises(errors.BadRequestError) as caught:
        post.get(ACCOUNT, KEY)
    assert caught.value.response.content.error == "RecordNotFound"
    assert sdk.it.texts() == []


# httpx would have the SDK call a parameter by its newer name.
@pytest.mark.filterwarnings("ignore:Use 'content:DeprecationWarning")
def test_it_posts_a_picture_with_a_card_beside_it(sdk: Sdk) -> None:
    png = b"\x89PNG\r\n\x1a\n0123456789"
    sent = sdk.client.send_image("look", png, "a picture", langs=["en"])
    record = sdk.it.rules.record(sent.uri)
    assert record is not None
    assert str(record.cid) == sent.cid
    assert sdk.it.rules.live()[0].media == (str(sdk.it.rules.pds.blobs.every()[0].cid),)
    blob = sdk.client.com.atproto.sync.get_blob(
        {"did": ACCOUNT, "cid": sdk.it.rules.live()[0].media[0]}
    )
    assert blob == png
    thumb = sdk.client.upload_blob(png).blob
    card = atproto.models.AppBskyEmbedExternal.External(
        uri="https://example.org/", title="t", description="d", thumb=thumb
    )
    words = atproto.client_utils.TextBuilder().text("see ").link("it", "https://example.org/")
    ref = atproto.models.create_strong_ref(sent)
    reply = atproto.models.AppBskyFeedPost.ReplyRef(parent=ref, root=ref)
    embed = atproto.models.AppBskyEmbedExternal.Main(external=card)
    sdk.client.send_post(words, reply_to=reply, embed=embed)
    assert sdk.it.rules.live()[1].reply_to == sent.uri


def test_it_makes_a_thread_in_one_commit(sdk: Sdk) -> None:
    writes = atproto.models.ComAtprotoRepoApplyWrites
    made = [
        writes.Create(
            collection=POST,
            rkey=key,
            value={"$type": POST, "text": key, "createdAt": "2026-03-01T12:00:00.000Z"},
        )
        for key in (KEY, "3jui7kd54zh2z")
    ]
    data = writes.Data(repo=ACCOUNT, writes=made)
    answer = sdk.client.com.atproto.repo.apply_writes(data)
    assert len(answer.results) == 2
    assert sdk.it.texts() == [KEY, "3jui7kd54zh2z"]


def test_it_refreshes_what_is_old_and_goes_on_with_what_was_saved(sdk: Sdk) -> None:
    saved = sdk.client.export_session_string()
    seen: list[object] = []
    sdk.client.on_session_change(lambda event, _: seen.append(event))
    tokens = sdk.client._refresh_and_set_session()
    assert tokens.refresh_jwt not in saved
    assert seen == [atproto.SessionEvent.REFRESH]
    other = Sdk(sdk.it)
    other.client.login(session_string=saved)
    assert other.client._refresh_and_set_session().refresh_jwt == tokens.refresh_jwt
    sdk.it.rules.revoke()
    with pytest.raises(errors.BadRequestError) as caught:
        other.client._refresh_and_set_session()
    assert caught.value.response.content.message == "Token has been revoked"
    other.client.request.close()


# -- faults ----------------------------------------------------------------------------------------

NOW = Commit.NOW
SEES: list[tuple[Fault, str, bool]] = [
    (faults.CLOSED_BEFORE, "RemoteProtocolError", False),
    (faults.CLOSED_AFTER, "RemoteProtocolError", True),
    (faults.RESET_BEFORE, "NetworkError", False),
    (faults.RESET_AFTER, "NetworkError", True),
    (faults.cut_head(9), "RemoteProtocolError", True),
    (faults.cut_body(7), "RemoteProtocolError", True),
    (faults.NOT_JSON, "ValueError", True),
    (faults.EMPTY, "ValueError", True),
    (faults.redirect(), "BadRequestError", False),  # a put that is followed becomes a get
    (faults.server_error(500, NOW), "RequestException", True),
    (faults.server_error(502, NOW), "NetworkError", True),
    (faults.server_error(503), "RequestException", False),
    (faults.server_error(504, NOW), "RequestException", True),
    (faults.own_error("500", answers.BROKEN, NOW), "RequestException", True),
    (faults.own_error("502", answers.NO_UPSTREAM), "NetworkError", False),
    (faults.too_many(Network.BLUESKY, None), "RateLimitExceededError", False),
    (faults.refusal("400", answers.REFUSALS["400 expired"]), "BadRequestError", False),
    (faults.refusal("401", answers.REFUSALS["401 takedown"]), "UnauthorizedError", False),
    (faults.refusal("403", answers.REFUSALS["403 account"]), "UnauthorizedError", False),
    (faults.refusal("413", answers.REFUSALS["413"]), "NetworkError", False),
]


@pytest.mark.parametrize(("fault", "error", "done"), SEES, ids=lambda each: str(each)[:40])
def test_it_meets_each_fault(sdk: Sdk, fault: Fault, error: str, *, done: bool) -> None:
    sdk.it.sandbox.script(fault)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the kinds are named, not imported
        sdk.put("a")
    kinds = [kind.__name__ for kind in type(caught.value).__mro__]
    assert error in kinds
    assert sdk.it.texts() == (["a"] if done else [])
    put = next(each for each in sdk.it.sandbox.requests if each.path.endswith("putRecord"))
    assert (put.fault, put.committed, put.stage) == (fault.name, done, Stage.DONE)
    sdk.put("a")
    assert sdk.it.texts() == ["a"]


def test_it_learns_when_a_429_ends(sdk: Sdk) -> None:
    sdk.it.sandbox.script(faults.too_many(Network.BLUESKY, timedelta(seconds=90.5)))
    with pytest.raises(errors.RateLimitExceededError) as caught:
        sdk.put("a")
    headers = caught.value.response.headers
    assert headers["retry-after"] == "91"
    ends = sdk.it.clock.now + timedelta(seconds=90.5)
    assert int(headers["ratelimit-reset"]) == int(ends.timestamp())


def test_a_put_hangs_until_the_client_has_had_enough() -> None:
    for each in opened(timeout=SHORT):
        each.login()
        for fault, texts in ((faults.HUNG_BEFORE, []), (faults.HUNG_AFTER, ["a"])):
            each.it.sandbox.script(fault)
            with pytest.raises(errors.InvokeTimeoutError):
                each.put("a")
            held = len(each.it.sandbox.requests) - 1
            assert each.it.sandbox.wait(lambda log, at=held: log[at].stage is Stage.DONE)  # type: ignore[misc]
            assert each.it.texts() == texts
        each.client.request.close()


def test_a_put_may_be_carried_out_after_its_failure(sdk: Sdk) -> None:
    sdk.it.sandbox.script(faults.server_error(504, Commit.LATER, 60))
    with pytest.raises(errors.RequestException):
        sdk.put("a")
    assert sdk.it.texts() == []
    sdk.put("a")
    sdk.it.clock.advance(seconds=60)
    assert sdk.it.texts() == ["a"]
