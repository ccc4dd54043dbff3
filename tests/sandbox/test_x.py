from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import requests
import tweepy  # type: ignore[import-untyped]

from bot.sandbox.wire import Request, Response
from bot.sandbox.x.behaviour import CallPrices, Duplicates, FieldNames, XBehaviour, XLimits
from bot.sandbox.x.oauth1 import OAuthKeys
from bot.sandbox.x.rules import XRules
from tests.helpers.sandbox_clients import X_HOST, StillClock, XClient, oauth, x_client

Start = Callable[..., XClient]
DAY = 24
LINK = "https://arxiv.org/abs/2106.10934"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts X with a behaviour, and stops it after the test."""
    with ExitStack() as stack:
        yield lambda **behaviour: stack.enter_context(x_client(XBehaviour(**behaviour)))


def said(answer: requests.Response) -> tuple[int, object]:
    return answer.status_code, answer.json()


# -- who is asking ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        OAuthKeys(consumer_key="another"),
        OAuthKeys(access_token="1-another"),
        OAuthKeys(consumer_secret="another"),
        OAuthKeys(access_token_secret="another"),
    ],
)
def test_only_the_right_keys_and_secrets_come_in(start: Start, keys: OAuthKeys) -> None:
    it = start()
    assert said(it.call("GET", "/2/users/me", keys=keys)) == (
        401,
        {"title": "Unauthorized", "detail": "Unauthorized", "type": "about:blank", "status": 401},
    )


def test_a_token_without_a_signature_does_not_come_in(start: Start) -> None:
    it = start()
    it.client.bearer_token = "a-bearer-token"
    with pytest.raises(tweepy.Unauthorized):
        it.client.get_tweet("1")


def test_a_signature_covers_query_and_form_and_may_be_made_out_to_either_host() -> None:
    rules = XRules(StillClock(), XBehaviour())
    path = "https://api.x.com/2/users/me?expansions=a%20b%2Cc&expansions=~"
    session = requests.Session()
    prepared = session.prepare_request(
        requests.Request("POST", path, auth=oauth(rules.keys), data={"a": "b c", "d": "é"})
    )
    query = prepared.path_url.partition("?")[2]
    headers = {name.lower(): _text(value) for name, value in prepared.headers.items()}
    body = _text(prepared.body).encode()
    good = Request("POST", "/2/users/me", query, headers, body)
    assert rules.answer(good).status == 404
    assert rules.answer(replace(good, query=query + "x")).status == 401
    assert rules.answer(replace(good, body=body + b"x")).status == 401
    assert rules.answer(replace(good, method="PUT")).status == 401
    realm = headers["authorization"].replace("OAuth ", 'OAuth realm="x", ')
    assert rules.answer(replace(good, headers={**headers, "authorization": realm})).status == 404
    odd = headers["authorization"].replace("oauth_signature=", "oauth_signature=é")
    assert rules.answer(replace(good, headers={**headers, "authorization": odd})).status == 401


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_a_signature_may_be_made_out_to_the_address_asked(start: Start) -> None:
    it = start()
    url = it.sandbox.url("twitter") + "/2/users/me"
    with requests.Session() as session:
        session.trust_env = False
        assert session.get(url, auth=oauth(it.rules.keys), timeout=30).status_code == 200
        elsewhere = oauth(replace(it.rules.keys, consumer_key="another"))
        assert session.get(url, auth=elsewhere, timeout=30).status_code == 401


def test_the_account_is_the_beginning_of_the_token(start: Start) -> None:
    it = start()
    me = it.client.get_me().data
    assert (str(me.id), me.username) == (it.rules.keys.access_token.partition("-")[0], "sandbox")
    assert "secret" not in repr(it.rules.keys)


def test_what_is_not_there_is_a_404_in_json(start: Start) -> None:
    it = start()
    for method, path in (
        ("GET", "/2/media"),
        ("POST", "/2/media/upload/initialize"),
        ("PUT", "/2/tweets/1"),
        ("POST", "/2/users/1/tweets"),
    ):
        assert it.call(method, path).status_code == 404
        assert it.call(method, path).json()["status"] == 404


# -- posting ---------------------------------------------------------------------------------------


def test_a_post_is_answered_with_201_its_id_and_its_text_as_x_shows_it(start: Start) -> None:
    it = start()
    answer = it.call("POST", "/2/tweets", json={"text": " A & B < C > D "})
    (post,) = it.rules.live()
    assert said(answer) == (
        201,
        {
            "data": {
                "edit_history_tweet_ids": [post.id],
                "id": post.id,
                "text": "A &amp; B &lt; C &gt; D",
            }
        },
    )
    assert answer.headers["location"] == f"https://api.twitter.com/2/tweets/{post.id}"
    assert post.text == " A & B < C > D "
    assert (post.created, post.reply_to, post.key) == (it.clock.now, None, None)
    assert post.application


@pytest.mark.parametrize("body", [None, [], {}, {"text": ""}, {"text": " \n"}, {"text": 3}])
def test_a_post_of_nothing_is_a_400(start: Start, body: object) -> None:
    it = start()
    status, value = said(it.call("POST", "/2/tweets", json=body))
    assert (status, it.texts()) == (400, [])
    assert isinstance(value, dict)
    assert value["title"] == "Invalid Request"


@pytest.mark.parametrize("reply", [{}, {"in_reply_to_tweet_id": "x"}, {"other": "1"}, "1"])
def test_a_reply_to_no_id_is_a_400(start: Start, reply: object) -> None:
    it = start()
    assert it.call("POST", "/2/tweets", json={"text": "a", "reply": reply}).status_code == 400


def test_the_length_is_x_own(start: Start) -> None:
    it = start()
    assert it.post("字" * 140)
    assert it.post(f"{'a' * 256} {LINK}{'/x' * 100}")
    with pytest.raises(tweepy.Forbidden, match="You are not permitted to perform this action"):
        it.post("字" * 141)
    with pytest.raises(tweepy.Forbidden):
        it.post(f"{'a' * 257} {LINK}")
    assert len(it.texts()) == 2


def test_two_cashtags_are_one_too_many(start: Start) -> None:
    it = start()
    it.post("up: $ABC")
    with pytest.raises(tweepy.Forbidden, match="one cashtag"):
        it.post("up: $ABC, $DEF")


def test_media_must_be_known(start: Start) -> None:
    it = start()
    it.rules.media |= {"7", "8"}
    with pytest.raises(tweepy.BadRequest, match="media IDs are invalid"):
        it.client.create_tweet(text="a", media_ids=["7", "9"])
    alone = it.client.create_tweet(media_ids=["7"]).data
    both = it.client.create_tweet(text="b", media_ids=["8"]).data
    assert alone["text"].startswith("https://t.co/")
    assert both["text"].startswith("b https://t.co/")
    read = it.client.get_tweet(
        both["id"], tweet_fields=["attachments", "entities"], user_auth=True
    ).data
    assert read["attachments"] == {"media_keys": ["3_8"]}
    assert read["entities"]["urls"][0]["media_key"] == "3_8"


# -- duplicates ------------------------------------------------------------------------------------


def test_the_same_text_is_refused_for_a_day_without_an_id(start: Start) -> None:
    it = start()
    it.post("Hot Papers")
    refused = it.call("POST", "/2/tweets", json={"text": "Hot Papers "})
    assert said(refused) == (
        403,
        {
            "detail": "You are not allowed to create a Tweet with duplicate content.",
            "type": "about:blank",
            "title": "Forbidden",
            "status": 403,
        },
    )
    it.post("Hot papers")
    it.clock.advance(hours=DAY)
    it.post("Hot Papers")
    assert it.texts() == ["Hot Papers", "Hot papers", "Hot Papers"]


def test_duplicates_are_compared_with_what_is_there_and_ours(start: Start) -> None:
    it = start()
    it.rules.write("theirs", author="2")
    it.post("theirs")
    it.client.delete_tweet(it.post("gone"))
    it.post("gone")
    it.rules.write("by hand")
    with pytest.raises(tweepy.Forbidden):
        it.post("by hand")


def test_no_duplicates_are_refused_where_the_check_is_off(start: Start) -> None:
    it = start(duplicates=Duplicates.NONE)
    assert it.post("a") != it.post("a")


def test_posts_of_media_alone_do_not_repeat_each_other(start: Start) -> None:
    it = start()
    it.rules.media |= {"7", "8"}
    it.client.create_tweet(media_ids=["7"])
    it.client.create_tweet(media_ids=["8"])
    assert len(it.texts()) == 2


# -- replies ---------------------------------------------------------------------------------------


def test_a_reply_names_its_parent(start: Start) -> None:
    it = start()
    root = it.post("root")
    first = it.post("first", root)
    second = it.post("second", first)
    read = it.client.get_tweet(second, tweet_fields="referenced_tweets", user_auth=True).data.data
    assert read["referenced_tweets"] == [{"type": "replied_to", "id": first}]


def test_a_reply_to_what_is_not_there_is_refused(start: Start) -> None:
    it = start()
    gone = it.post("root")
    it.rules.remove(gone)
    for parent in (gone, "1"):
        body = {"text": "a", "reply": {"in_reply_to_tweet_id": parent}}
        answer = it.call("POST", "/2/tweets", json=body)
        assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")
        assert "deleted or not visible" in answer.json()["detail"]


def test_the_reply_rule_lets_answer_oneself_and_who_mentions_us(start: Start) -> None:
    it = start()
    stranger = it.rules.write("Look, @Sandbox!", author="2")
    other = it.rules.write("Look, @sand!", author="2")
    it.post("thanks", stranger.id)
    it.post("to myself", it.rules.write("by hand").id)
    body = {"text": "a", "reply": {"in_reply_to_tweet_id": other.id}}
    assert said(it.call("POST", "/2/tweets", json=body)) == (
        403,
        {
            "title": "Authorization Error",
            "detail": "You can only reply to or quote posts where you are mentioned or are the "
            "author.",
            "type": "https://api.x.com/2/problems/not-authorized-for-resource",
            "status": 403,
        },
    )


# -- deleting --------------------------------------------------------------------------------------


def test_a_post_is_deleted_once(start: Start) -> None:
    it = start()
    post = it.post("a")
    it.clock.advance(seconds=3)
    assert said(it.call("DELETE", f"/2/tweets/{post}")) == (200, {"data": {"deleted": True}})
    assert it.call("DELETE", f"/2/tweets/{post}").status_code == 404
    assert it.rules.live() == ()
    assert [each.deleted for each in it.rules.every()] == [it.clock.now]


def test_only_ones_own_posts_are_deleted(start: Start) -> None:
    it = start()
    theirs = it.rules.write("theirs", author="2")
    assert it.call("DELETE", f"/2/tweets/{theirs.id}").status_code == 403
    with pytest.raises(KeyError):
        it.rules.remove("1")


# -- reading ---------------------------------------------------------------------------------------


def test_what_cannot_be_read(start: Start) -> None:
    it = start(unreadable=403)
    post = it.post("a")
    for path in (
        f"/2/tweets/{post}",
        f"/2/users/{it.rules.account}/tweets",
    ):
        answer = it.call("GET", path)
        assert answer.status_code == 403
        assert answer.json()["title"] == "Client Forbidden"
    assert it.call("GET", "/2/users/me").status_code == 200
    assert start(unreadable=401).call("GET", "/2/tweets/1").status_code == 401


def test_a_post_is_read_by_id_and_a_missing_one_named(start: Start) -> None:
    it = start()
    post, gone = it.post("a"), it.post("b")
    it.rules.remove(gone)
    one = it.client.get_tweet(gone, user_auth=True)
    assert (one.data, one.errors[0]["resource_id"]) == (None, gone)
    found = it.client.get_tweet(post, user_auth=True)
    assert (str(found.data.id), found.errors) == (post, [])


def test_fields_go_by_old_names_and_new(start: Start) -> None:
    it = start(names=FieldNames.POSTS)
    root = it.post("root")
    reply = it.post("reply", root)
    for asked in ("tweet.fields=referenced_tweets", "post.fields=referenced_posts"):
        data = it.call("GET", f"/2/tweets/{reply}?{asked}").json()["data"]
        assert data == {
            "id": reply,
            "text": "reply",
            "edit_history_post_ids": [reply],
            "referenced_posts": [{"type": "replied_to", "id": root}],
        }


def test_every_field_can_be_asked_for(start: Start) -> None:
    it = start()
    post = it.post("Read https://www.example.org/a-long-way-to-a-short-paper or cs.AI & more")
    fields = "created_at,author_id,entities,attachments"
    data = it.call("GET", f"/2/tweets/{post}?tweet.fields={fields}&expansions=author_id").json()
    urls = data["data"]["entities"]["urls"]
    text = data["data"]["text"]
    assert text == f"Read {urls[0]['url']} or {urls[1]['url']} &amp; more"
    assert [text[each["start"] : each["end"]] for each in urls] == [each["url"] for each in urls]
    assert urls[0]["expanded_url"] == "https://www.example.org/a-long-way-to-a-short-paper"
    assert urls[0]["display_url"] == "example.org/a-long-way-to-…"
    assert (urls[1]["expanded_url"], urls[1]["display_url"]) == ("http://cs.AI", "cs.AI")
    assert data["data"]["created_at"] == "2026-03-01T12:00:00.000Z"
    assert data["data"]["author_id"] == it.rules.account
    assert "attachments" not in data["data"]


# -- money and limits ------------------------------------------------------------------------------


def test_every_call_costs_what_x_bills(start: Start) -> None:
    it = start()
    spent = []
    for call in (
        lambda: it.post("plain"),
        lambda: it.post("in cs.AI"),
        lambda: it.post(f"see {LINK}"),
        it.client.get_me,
        lambda: it.client.get_users_tweets(it.rules.account, user_auth=True),
        lambda: it.client.get_users_tweets(it.rules.account, user_auth=True),
        lambda: it.client.delete_tweet(it.rules.live()[0].id),
    ):
        before = it.rules.spent
        call()
        spent.append(str(it.rules.spent - before))
    assert spent == ["0.015", "0.200", "0.200", "0.010", "0.003", "0.000", "0.010"]
    it.clock.advance(hours=DAY)
    it.client.get_users_tweets(it.rules.account, user_auth=True)
    assert it.rules.spent == Decimal("0.440")


def test_credits_run_out(start: Start) -> None:
    it = start(credits=Decimal("0.020"))
    it.post("a")
    it.post("b")
    with pytest.raises(tweepy.HTTPException) as caught:
        it.post("c")
    assert caught.value.response.status_code == 402
    assert caught.value.response.json()["title"] == "CreditsDepleted"
    it.rules.behaviour = XBehaviour(credits=Decimal(1))
    it.post("c")


def test_every_answer_tells_how_its_limit_stands(start: Start) -> None:
    it = start()
    first = it.call("POST", "/2/tweets", json={"text": "a"}).headers
    it.clock.advance(seconds=60)
    refused = it.call("POST", "/2/tweets", json={"text": "a"}).headers
    read = it.call("GET", f"/2/users/{it.rules.account}/tweets").headers
    reset = str(int(it.clock.now.timestamp()) - 60 + 900)
    assert [first[f"x-rate-limit-{name}"] for name in ("limit", "remaining", "reset")] == [
        "100",
        "99",
        reset,
    ]
    assert (refused["x-rate-limit-remaining"], refused["x-rate-limit-reset"]) == ("98", reset)
    assert read["x-rate-limit-limit"] == "900"
    assert it.call("GET", "/2/users/me").headers["x-rate-limit-limit"] == "75"
    assert it.call("DELETE", "/2/tweets/1").headers["x-rate-limit-limit"] == "50"
    assert it.call("GET", "/2/tweets/1").headers["x-rate-limit-limit"] == "900"
    assert "x-rate-limit-limit" not in it.call("GET", "/2/tweets/1", keys=OAuthKeys("x")).headers
    assert read["date"] == "Sun, 01 Mar 2026 12:01:00 GMT"


def test_a_limit_is_refused_until_its_window_ends(start: Start) -> None:
    it = start(limits=XLimits(create=2))
    it.post("a")
    it.post("b")
    with pytest.raises(tweepy.TooManyRequests) as caught:
        it.post("c")
    assert caught.value.reset_time == int(it.clock.now.timestamp()) + 900
    assert caught.value.response.headers["x-rate-limit-remaining"] == "0"
    assert it.rules.spent == CallPrices().post * 2
    it.clock.advance(seconds=900)
    it.post("c")


# -- the time --------------------------------------------------------------------------------------


def test_a_late_request_is_carried_out_when_it_is_due(start: Start) -> None:
    it = start()
    late = Request("POST", "/2/tweets", "", _signed(it, "/2/tweets"), b'{"text":"late"}')
    it.rules.defer(late, 60)
    it.rules.defer(replace(late, body=b'{"text":"earlier"}'), 30)
    assert (it.rules.waiting(), it.texts()) == (2, [])
    it.clock.advance(seconds=59)
    assert it.texts() == ["earlier"]
    it.post("mine")
    it.clock.advance(seconds=600)
    assert it.texts() == ["earlier", "mine", "late"]
    assert it.rules.live()[2].created == it.clock.now - timedelta(seconds=599)


def test_a_late_request_may_be_refused_as_a_duplicate_by_then(start: Start) -> None:
    it = start()
    it.rules.defer(
        Request("POST", "/2/tweets", "", _signed(it, "/2/tweets"), b'{"text":"same"}'), 60
    )
    it.post("same")
    it.clock.advance(seconds=60)
    assert it.texts() == ["same"]


def _signed(it: XClient, path: str) -> dict[str, str]:
    request = requests.Request("POST", X_HOST + path, auth=oauth(it.rules.keys))
    with requests.Session() as session:
        headers = session.prepare_request(request).headers
    return {name.lower(): _text(value) for name, value in headers.items()}


def test_a_request_and_its_answer_do_not_show_a_token() -> None:
    request = Request("GET", "/", headers={"authorization": "Bearer hidden"})
    assert "hidden" not in repr(request)
    assert Response(200, b"[]").value() == []
