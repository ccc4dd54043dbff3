"""The servers with Mastodon's API that were tried, each where it is not as Mastodon is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
import requests

from bot.posters.plain_text import html_text
from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    GOTOSOCIAL_500,
    GOTOSOCIAL_MARKDOWN,
    HOLLO,
    HOLLO_0_6,
    MASTODON,
    SERVERS,
    SNAC2,
    TAKAHE,
    MastodonBehaviour,
    MastodonLimits,
)
from bot.sandbox.rewrites import Rewrites, Stamps
from bot.sandbox.x.behaviour import Paging, XBehaviour
from tests.helpers.sandbox_clients import MastodonClient, mastodon_client, x_client

Start = Callable[[MastodonBehaviour], MastodonClient]
STATUSES = "/api/v1/statuses"
HOME = "/api/v1/timelines/home"
HOLLOS = (HOLLO, HOLLO_0_6)


def named(behaviour: MastodonBehaviour) -> str:
    return f"{behaviour.software} {behaviour.version}"


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda behaviour: stack.enter_context(mastodon_client(behaviour))


def content(it: MastodonClient, text: str, **more: object) -> str:
    answer = it.call("POST", STATUSES, json={"status": text, **more})
    assert answer.status_code == 200
    return str(answer.json()["content"])


# -- what is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", HOLLOS, ids=named)
def test_hollo_takes_json_alone(start: Start, behaviour: MastodonBehaviour) -> None:
    it = start(behaviour)
    it.rules.media.add("7")
    assert it.call("POST", STATUSES, data={"status": "a", "sensitive": "0"}).status_code == 422
    sent = it.call("POST", STATUSES, json={"status": "a", "media_ids": ["7"]}).json()
    assert (sent["content"], len(sent["media_attachments"])) == ("<p>a</p>", 1)


@pytest.mark.parametrize("behaviour", SERVERS, ids=named)
def test_keys_are_worth_something_on_some_servers(
    start: Start, behaviour: MastodonBehaviour
) -> None:
    it = start(behaviour)
    ids = [
        it.call("POST", STATUSES, json={"status": "a"}, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    ignored = behaviour.software not in ("mastodon", "hollo")
    assert len(it.texts()) == 1 + ignored
    assert ids[0].ok


@pytest.mark.parametrize(
    ("behaviour", "text", "html"),
    [
        (HOLLO, "2. Title\n\nauthors", "<ol><li>Title</li></ol><p>authors</p>"),
        (HOLLO, "one\ntwo", "<p>one two</p>"),
        (HOLLO, "*x* `y` _z_ <b>w</b>", "<p>x y z w</p>"),
        (GOTOSOCIAL_MARKDOWN, "2. Title", "<ol><li>Title</li></ol>"),
        (GOTOSOCIAL, "2. Title *x*\ntwo", "<p>2. Title *x*<br>two</p>"),
        (SNAC2, "2. *x* `y` __z__\ntwo", "<p>2. x y z<br>two</p>"),
        (SNAC2, "p < 0.05 holds\ntwo <Why> three", "<p>p two  three</p>"),
        (TAKAHE, "2. *x* < y", "<p>2. *x* &lt; y</p>"),
    ],
)
def test_words_are_read_as_the_server_reads_them(
    start: Start, behaviour: MastodonBehaviour, text: str, html: str
) -> None:
    assert content(start(behaviour), text) == html


def test_gotosocial_heeds_that_a_text_is_plain(start: Start) -> None:
    it = start(GOTOSOCIAL_MARKDOWN)
    assert content(it, "2. Title", content_type="text/plain") == "<p>2. Title</p>"
    assert content(start(HOLLO), "2. Title", content_type="text/plain").startswith("<ol>")
    source = it.client.account_verify_credentials()["source"]
    assert source["status_content_type"] == "text/markdown"


@pytest.mark.parametrize(
    ("behaviour", "most", "status", "words"),
    [
        (MASTODON, 500, 422, "Validation failed: Text character limit of 500 exceeded"),
        (GOTOSOCIAL, 5000, 400, "Bad Request: text with spoiler exceed max chars"),
        (GOTOSOCIAL_500, 500, 400, "Bad Request: text with spoiler exceed max chars"),
        (TAKAHE, 500, 400, "Status is too long"),
    ],
)
def test_an_over_long_text_is_refused_in_the_servers_words(
    start: Start, behaviour: MastodonBehaviour, most: int, status: int, words: str
) -> None:
    it = start(behaviour)
    assert content(it, "x" * most)
    answer = it.call("POST", STATUSES, json={"status": "x" * (most + 1)})
    assert (answer.status_code, answer.json()) == (status, {"error": words})
    link = f"https://a.org/{'x' * (most - 20)}"
    whole = it.call("POST", STATUSES, json={"status": f"{link} and more"})
    assert whole.status_code == (200 if behaviour is MASTODON else status)


@pytest.mark.parametrize("behaviour", SERVERS, ids=named)
def test_a_reply_to_what_is_gone(start: Start, behaviour: MastodonBehaviour) -> None:
    it = start(behaviour)
    gone = it.rules.write("gone").id
    it.rules.remove(gone)
    answer = it.call("POST", STATUSES, json={"status": "a", "in_reply_to_id": gone})
    parent = answer.json()["in_reply_to_id"] if answer.ok else answer.status_code
    expected = {"snac": None, "takahe": gone, "hollo": 500}
    assert parent == expected.get(behaviour.software, 404)


# -- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", SERVERS, ids=named)
def test_private_posts_are_listed_by_some_at_home_by_some_and_by_some_nowhere(
    start: Start, behaviour: MastodonBehaviour
) -> None:
    it = start(behaviour)
    for visibility in ("private", "direct", "unlisted"):
        assert content(it, visibility, visibility=visibility)
    own = it.call("GET", f"/api/v1/accounts/{it.rules.account}/statuses").json()
    home = it.call("GET", HOME).json()
    shown = [[each["visibility"] for each in page] for page in (own, home)]
    whole = ["unlisted", "direct", "private"]
    expected = {"snac": [["unlisted"], whole], "takahe": [["unlisted"], ["unlisted"]]}
    assert [sorted(page) for page in shown] == [
        sorted(page) for page in expected.get(behaviour.software, [whole, whole])
    ]


def test_snac2_names_no_application(start: Start) -> None:
    assert start(SNAC2).call("POST", STATUSES, json={"status": "a"}).json()["application"] is None
    named_one = start(TAKAHE).call("POST", STATUSES, json={"status": "a"}).json()
    assert named_one["application"]["name"] == "bot"


def test_takahe_knows_its_addresses_without_the_slash_alone(start: Start) -> None:
    it = start(TAKAHE)
    assert it.call("GET", "/api/v1/instance").json()["version"] == "takahe/0.11.0"
    assert it.call("GET", "/api/v2/instance").status_code == 500, "an error of its own"
    for path in ("/api/v1/instance/", "/api/v2/instance/"):
        assert it.call("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("behaviour", "status", "body"),
    [(SNAC2, 422, b""), (TAKAHE, 400, b"Invalid Bearer token"), (HOLLO, 401, b"{")],
)
def test_a_revoked_token_is_refused_in_the_servers_way(
    start: Start, behaviour: MastodonBehaviour, status: int, body: bytes
) -> None:
    bad = {"Authorization": "Bearer x"}
    answer = start(behaviour).call("GET", "/api/v1/accounts/verify_credentials", headers=bad)
    assert answer.status_code == status
    assert answer.content.startswith(body)


def test_gotosocial_refuses_still_at_the_second_it_named(start: Start) -> None:
    it = start(replace(GOTOSOCIAL, limits=MastodonLimits(requests=1, shared=True)))
    assert it.call("GET", STATUSES).ok
    refused = it.call("GET", STATUSES)
    assert refused.status_code == 429
    named_time = int(refused.headers["X-RateLimit-Reset"])
    it.clock.advance(seconds=named_time - it.clock.now.timestamp())
    assert it.call("GET", STATUSES).status_code == 429
    it.clock.advance(seconds=1)
    assert it.call("GET", STATUSES).ok


def test_snac2_closes_without_a_word_what_it_kept() -> None:
    with mastodon_client(SNAC2) as it:
        it.session.headers["Connection"] = "keep-alive"
        answer = it.call("POST", STATUSES, json={"status": "a"})
        assert "close" not in answer.headers.get("connection", "")
        with pytest.raises(requests.ConnectionError):
            it.call("POST", STATUSES, json={"status": "b"})
        assert it.texts() == ["a"]
        assert it.call("POST", STATUSES, json={"status": "c"}).ok


# -- what any server may do ------------------------------------------------------------------------

TEXT = "1. A title & more\n\nhttps://arxiv.org/abs/2106.1"


@pytest.mark.parametrize(
    ("how", "read"),
    [
        (Rewrites.CUT, "1. A title & more\n\nhttps://arxi…"),
        (Rewrites.SHORTENED, "1. A titl…\nhttps://arxiv.org/abs/2106.1"),
        (Rewrites.TRACKED, f"{TEXT}?utm_source=share"),
        (Rewrites.JOINED, "1. A title & morehttps://arxiv.org/abs/2106.1"),
        (Rewrites.ESCAPED, TEXT.replace("&", "&amp;")),
        (Rewrites.PREFIXED, f"[bot] {TEXT}"),
        (Rewrites.LOOK_ALIKE, ""),
    ],
)
def test_words_can_come_back_as_others(start: Start, how: Rewrites, read: str) -> None:
    it = start(replace(MASTODON, rewrites=how))
    assert content(it, TEXT) is not None
    back = html_text(it.call("GET", STATUSES + f"/{it.rules.live()[0].id}").json()["content"])
    if how is Rewrites.LOOK_ALIKE:
        assert len(back) == len(TEXT)
        assert sum(one != other for one, other in zip(back, TEXT, strict=True)) == 1
    else:
        assert back == read
    assert it.texts() == [TEXT], "it keeps what was sent"


@pytest.mark.parametrize(
    ("how", "written"),
    [
        (Stamps.WRITTEN, "2026-03-01T12:00:00.250Z"),
        (Stamps.NULL, None),
        (Stamps.SPACED, "2026-03-01 12:00:00.250Z"),
        (Stamps.EPOCH, "1970-01-01T00:00:00.000Z"),
    ],
)
def test_times_can_come_back_as_others(start: Start, how: Stamps, written: str | None) -> None:
    answer = start(replace(MASTODON, stamps=how)).call("POST", STATUSES, json={"status": "a"})
    assert answer.json()["created_at"] == written


def test_x_can_do_the_same() -> None:
    with x_client(XBehaviour(rewrites=Rewrites.PREFIXED, stamps=Stamps.SPACED)) as it:
        post = it.post("hot")
        read = it.call("GET", f"/2/tweets/{post}?tweet.fields=created_at").json()["data"]
        assert (read["id"], read["text"]) == (post, "[bot] hot")
        assert read["created_at"] == "2026-03-01 12:00:00.000Z"


def test_x_can_begin_with_an_empty_page_and_break_off() -> None:
    with x_client(XBehaviour(pages=Paging.EMPTY_FIRST)) as it:
        it.post("hot")
        path = f"/2/users/{it.rules.account}/tweets"
        meta = it.call("GET", path).json()["meta"]
        assert meta["result_count"] == 0
        assert it.call("GET", f"{path}?pagination_token={meta['next_token']}").status_code == 503
