from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
from mastodon import (
    Mastodon,
    MastodonAPIError,
    MastodonInternalServerError,
    MastodonNotFoundError,
    MastodonRatelimitError,
    MastodonServiceUnavailableError,
    MastodonUnauthorizedError,
)

from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    MASTODON,
    MASTODON_4_5,
    MASTODON_4_6,
    SERVERS,
    SNAC2,
    IdForm,
    MastodonBehaviour,
    MastodonLimits,
    Resets,
)
from bot.sandbox.mastodon.pages import ProfilePage
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.wire import FORM, Request
from tests.helpers.sandbox_clients import MastodonClient, StillClock, mastodon_client

Start = Callable[..., MastodonClient]
STATUSES = "/api/v1/statuses"
FORGETFUL = (GOTOSOCIAL, SNAC2)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server with a behaviour, and stops it after the test."""
    with ExitStack() as stack:
        yield lambda *behaviour: stack.enter_context(mastodon_client(*behaviour))


def having(**changes: object) -> MastodonBehaviour:
    return replace(MASTODON, **changes)  # type: ignore[arg-type]


def said(answer: requests.Response) -> tuple[int, object]:
    return answer.status_code, answer.json()


# -- who is asking ---------------------------------------------------------------------------------


def test_only_the_right_token_comes_in(start: Start) -> None:
    it = start()
    answer = it.call("GET", "/api/v1/accounts/verify_credentials", headers={"Authorization": "x"})
    assert said(answer) == (401, {"error": "The access token is invalid"})
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    it.client.access_token = "another"
    with pytest.raises(MastodonUnauthorizedError):
        it.client.status_post("a")
    assert it.texts() == []


def test_a_bare_server_refuses_tokens_without_a_word(start: Start) -> None:
    it = start(SNAC2)
    bad = {"Authorization": "Bearer x"}
    me = it.call("GET", "/api/v1/accounts/verify_credentials", headers=bad)
    post = it.call("POST", STATUSES, data={"status": "a"}, headers=bad)
    assert (me.status_code, me.content) == (422, b"")
    assert (post.status_code, post.content) == (401, b"")


def test_a_token_that_may_only_read_publishes_and_deletes_nothing(start: Start) -> None:
    it = start(having(writes=False))
    post = it.rules.write("by hand")
    with pytest.raises(MastodonAPIError) as caught:
        it.client.status_post("a")
    assert caught.value.args[1] == 403
    assert it.call("DELETE", f"{STATUSES}/{post.id}").status_code == 403
    assert it.texts() == ["by hand"]


def test_what_is_not_there_is_a_404_in_json(start: Start) -> None:
    it = start()
    for method, path in (
        ("GET", "/api/v1/nothing"),
        ("PUT", f"{STATUSES}/1"),
        ("POST", "/api/v1/media"),
        ("POST", f"{STATUSES}/1/source"),
        ("POST", f"/api/v1/accounts/{it.rules.account}/statuses"),
    ):
        assert said(it.call(method, path)) == (404, {"error": "Not Found"})


# -- publishing ------------------------------------------------------------------------------------


def test_a_status_carries_everything_it_was_published_with(start: Start) -> None:
    it = start()
    it.rules.media.add("7")
    root = it.post("root")
    status = it.client.status_post(
        "reply",
        in_reply_to_id=root,
        media_ids=["7"],
        visibility="unlisted",
        spoiler_text="careful",
        language="de",
        idempotency_key="k",
    )
    url = it.sandbox.url("mastodon")
    assert str(status.in_reply_to_id) == root
    assert str(status.in_reply_to_account_id) == it.rules.account
    assert [str(each.id) for each in status.media_attachments] == ["7"]
    assert (status.visibility, status.spoiler_text, status.language) == (
        "unlisted",
        "careful",
        "de",
    )
    assert status.sensitive
    assert status.application is not None
    assert status.application.name == "bot"
    assert status.url == f"{url}/@sandbox/{status.id}"
    assert status.uri == f"{url}/ap/users/{it.rules.account}/statuses/{status.id}"
    assert status.created_at == it.clock.now
    stored = it.rules.live()[1]
    assert (stored.key, stored.visibility, stored.reply_to) == ("k", "unlisted", root)


def test_a_status_may_come_as_json(start: Start) -> None:
    it = start()
    it.rules.media.add("7")
    body = {"status": "a", "media_ids": [7], "in_reply_to_id": None, "language": "fr"}
    status = it.call("POST", STATUSES, json=body).json()
    assert (status["content"], status["language"]) == ("<p>a</p>", "fr")
    assert status["media_attachments"][0]["id"] == "7"


def test_a_status_as_raw_text_is_no_status(start: Start) -> None:
    it = start()
    answer = it.session.post(
        it.sandbox.url("mastodon") + STATUSES,
        data=b"status=a",
        headers={"Authorization": f"Bearer {it.rules.token}"},
        timeout=30,
    )
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"status": " "}, "blank"),
        ({}, "blank"),
        ({"status": "a", "visibility": "secret"}, "visibility"),
        ({"status": "é" * 501}, "limit of 500"),
        ({"status": "a" * 499, "spoiler_text": "bc"}, "limit of 500"),
        ({"status": "a", "media_ids[]": "1"}, "Media 1"),
    ],
)
def test_what_cannot_be_published_is_a_422(start: Start, form: dict[str, str], reason: str) -> None:
    it = start()
    answer = it.call("POST", STATUSES, data=form)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]
    assert it.texts() == []


def test_the_length_is_the_servers_own(start: Start) -> None:
    text = f"👩‍🚀{'é' * 475} https://example.org/{'x' * 100}"
    assert start().post(text)
    plain = start(replace(GOTOSOCIAL, max_characters=500))
    answer = plain.call("POST", STATUSES, data={"status": text})
    assert answer.status_code == 400


def test_a_medium_is_attached_once(start: Start) -> None:
    it = start()
    it.rules.media.add("7")
    it.client.status_post("a", media_ids=["7"])
    answer = it.call("POST", STATUSES, data={"status": "b", "media_ids[]": "7"})
    assert answer.status_code == 422


def test_media_may_be_lost_on_the_way(start: Start) -> None:
    it = start(having(loses_media=True))
    it.rules.media.add("7")
    assert it.client.status_post("a", media_ids=["7"]).media_attachments == []


def test_a_text_can_be_dropped_in_silence(start: Start) -> None:
    it = start(having(drops="free money"))
    status = it.client.status_post("get free money", idempotency_key="k")
    assert status.content == "<p>get free money</p>"
    with pytest.raises(MastodonNotFoundError):
        it.client.status(status.id)
    assert (it.texts(), it.sandbox.requests[0].committed) == ([], False)


def test_a_reply_to_what_is_not_there_is_refused(start: Start) -> None:
    it = start()
    gone = it.post("a")
    it.rules.remove(gone)
    for parent in (gone, "1"):
        with pytest.raises(MastodonNotFoundError, match="does not appear to exist"):
            it.post("reply", parent)


def test_a_reply_to_what_is_not_there_may_become_a_root(start: Start) -> None:
    it = start(SNAC2)
    status = it.client.status_post("reply", in_reply_to_id="0" * 42)
    assert (status.in_reply_to_id, status.in_reply_to_account_id) == (None, None)
    assert it.rules.live()[0].reply_to is None


@pytest.mark.parametrize(
    ("behaviour", "visibility", "bad_language"),
    [(MASTODON, "public", "en"), (GOTOSOCIAL, "unlisted", None), (SNAC2, "public", "en")],
)
def test_what_is_left_out_is_the_servers_choice(
    start: Start, behaviour: MastodonBehaviour, visibility: str, bad_language: str | None
) -> None:
    it = start(behaviour)
    assert it.call("POST", STATUSES, data={"status": "a"}).json()["visibility"] == visibility
    answer = it.call("POST", STATUSES, data={"status": "b", "language": "klingon!"})
    assert answer.json().get("language") == bad_language
    assert answer.status_code == (200 if bad_language else 400)
    named = it.call("POST", STATUSES, data={"status": "c", "language": "de"}).json()["language"]
    assert named == ("en" if behaviour is SNAC2 else "de")


# -- idempotency keys ------------------------------------------------------------------------------


def test_a_key_is_good_for_an_hour(start: Start) -> None:
    it = start()
    first = it.post("a", key="k")
    it.clock.advance(seconds=3599)
    assert it.post("other words", key="k") == first
    assert it.texts() == ["a"]
    assert [record.committed for record in it.sandbox.requests] == [True, False]
    it.clock.advance(seconds=1)
    assert it.post("a", key="k") != first
    assert it.texts() == ["a", "a"]


def test_a_key_whose_status_is_gone_is_a_404(start: Start) -> None:
    it = start()
    it.rules.remove(it.post("a", key="k"))
    with pytest.raises(MastodonNotFoundError):
        it.post("a", key="k")
    assert it.texts() == []


def test_a_replay_may_fail_though_the_status_is_there(start: Start) -> None:
    it = start(MASTODON_4_6)
    it.post("a", key="k")
    with pytest.raises(MastodonInternalServerError):
        it.post("a", key="k")
    it.post("b", key="other")
    assert it.texts() == ["a", "b"]


@pytest.mark.parametrize("behaviour", FORGETFUL)
def test_a_key_may_be_worth_nothing(start: Start, behaviour: MastodonBehaviour) -> None:
    it = start(behaviour)
    assert it.post("a", key="k") != it.post("a", key="k")
    assert it.rules.live()[1].key == "k"


def late(it: MastodonClient, text: str, key: str = "", seconds: float = 60) -> None:
    headers = {"authorization": f"Bearer {it.rules.token}", "content-type": FORM, "host": "h"}
    if key:
        headers["idempotency-key"] = key
    it.rules.defer(Request("POST", STATUSES, "", headers, f"status={text}".encode()), seconds)


@pytest.mark.parametrize("behaviour", [MASTODON, MASTODON_4_6])
def test_a_key_under_way_is_locked(start: Start, behaviour: MastodonBehaviour) -> None:
    it = start(behaviour)
    late(it, "a", "k")
    late(it, "a", "k")
    assert it.rules.waiting() == 1
    with pytest.raises(MastodonServiceUnavailableError):
        it.post("a", key="k")
    it.clock.advance(seconds=60)
    assert it.texts() == ["a"]
    if behaviour is MASTODON:
        assert it.post("a", key="k") == it.rules.live()[0].id


@pytest.mark.parametrize("behaviour", [MASTODON_4_5, *FORGETFUL])
def test_a_key_under_way_may_not_be_locked(start: Start, behaviour: MastodonBehaviour) -> None:
    it = start(behaviour)
    late(it, "a", "k")
    it.post("a", key="k")
    it.clock.advance(seconds=60)
    assert it.texts() == ["a", "a"]


def test_a_late_replay_is_still_a_replay(start: Start) -> None:
    it = start()
    it.post("a", key="k")
    late(it, "a", "k")
    late(it, "b")
    it.clock.advance(seconds=60)
    assert it.texts() == ["a", "b"]


def test_a_late_request_that_is_refused_forgets_no_key(start: Start) -> None:
    it = start(MASTODON_4_5)
    late(it, "", "k")
    first = it.post("a", key="k")
    it.clock.advance(seconds=60)
    assert it.post("a", key="k") == first


# -- deleting --------------------------------------------------------------------------------------


def test_a_deleted_status_gives_back_its_text(start: Start) -> None:
    it = start()
    post = it.post(" a & b ")
    answer = it.call("DELETE", f"{STATUSES}/{post}").json()
    assert (answer["id"], answer["text"]) == (post, "a & b")
    assert "content" not in answer
    assert it.call("DELETE", f"{STATUSES}/{post}").status_code == 404
    assert it.rules.live() == ()


def test_only_ones_own_are_deleted(start: Start) -> None:
    it = start()
    theirs = it.rules.write("theirs", author="2")
    assert it.call("DELETE", f"{STATUSES}/{theirs.id}").status_code == 404
    shown = it.client.status(theirs.id).account
    assert (str(shown.id), shown.username, shown.bot) == ("2", "2", False)


@pytest.mark.parametrize("behaviour", [MASTODON, GOTOSOCIAL])
def test_a_reply_to_a_deleted_status_may_forget_it(
    start: Start, behaviour: MastodonBehaviour
) -> None:
    it = start(behaviour)
    root = it.post("root")
    child = it.post("child", root)
    it.rules.remove(root)
    shown = it.client.status(child)
    assert (shown.in_reply_to_id is None) is (behaviour is MASTODON)
    assert str(shown.in_reply_to_account_id) == it.rules.account


# -- reading ---------------------------------------------------------------------------------------


def test_several_are_read_by_id_and_none_without(start: Start) -> None:
    it = start()
    post = it.post("a")
    assert [each.id for each in it.client.statuses([post, "1"])] == [post]
    assert said(it.call("GET", STATUSES)) == (200, [])


def test_a_person_posts_from_the_web(start: Start) -> None:
    it = start()
    post = it.rules.write("by hand", visibility="private")
    shown = it.client.status(post.id)
    assert shown.application is not None
    assert (shown.application.name, shown.visibility, shown.language) == ("Web", "private", None)


def test_the_account_is_as_its_owner_set_it_up() -> None:
    profile = ProfilePage("hot", "Hot", note="By Ada.", fields=(("by", "Ada"),), rules=("One.",))
    rules = MastodonRules(StillClock(), profile=profile, application="another")
    headers = {"authorization": f"Bearer {rules.token}", "host": "h.example"}
    me = rules.answer(Request("GET", "/api/v1/accounts/verify_credentials", headers=headers))
    value = me.value()
    assert isinstance(value, dict)
    assert (value["acct"], value["bot"], value["note"]) == ("hot", True, "<p>By Ada.</p>")
    assert value["fields"] == [{"name": "by", "value": "Ada", "verified_at": None}]
    assert value["source"]["fields"] == value["fields"]
    assert (value["source"]["note"], value["source"]["privacy"]) == ("By Ada.", "public")
    assert value["url"] == "http://h.example/@hot"
    page = rules.answer(Request("GET", "/api/v2/instance", headers={"host": "h.example"})).value()
    assert isinstance(page, dict)
    assert page["rules"] == [{"id": "1", "text": "One."}]


def test_the_server_tells_its_limits_old_way_and_new(start: Start) -> None:
    it = start(having(max_characters=1234))
    new = it.client.instance_v2()
    assert new.configuration.statuses.max_characters == 1234
    assert new.configuration.statuses.characters_reserved_per_url == 23
    assert it.call("GET", "/api/v2/instance", headers={"Authorization": ""}).status_code == 200
    old = it.call("GET", "/api/v1/instance")
    assert old.json()["configuration"]["statuses"]["max_characters"] == 1234


def test_an_old_server_has_the_old_page_alone(start: Start) -> None:
    it = start(SNAC2)
    new = it.call("GET", "/api/v2/instance")
    assert (new.status_code, new.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert it.client.instance_v1().configuration.statuses.max_characters == 100_000


def test_the_clock_gives_the_ids() -> None:
    for form, length in ((IdForm.SNOWFLAKE, 18), (IdForm.ULID, 26), (IdForm.HEX, 42)):
        clock = StillClock()
        rules = MastodonRules(clock, having(ids=form))
        ids = [rules.write("a").id, rules.write("b").id]
        clock.advance(seconds=1)
        ids += [rules.write("c").id]
        clock.advance(seconds=-3600)
        ids += [rules.write("d").id]
        assert {len(each) for each in ids} == {length}
        assert len(set(ids)) == 4
        if form is not IdForm.HEX:
            assert sorted(ids) == ids
        assert ids[1][:10] <= ids[2][:10]


# -- limits ----------------------------------------------------------------------------------------


def test_statuses_have_a_limit_of_their_own(start: Start) -> None:
    it = start(having(limits=MastodonLimits(statuses=2)))
    first = it.call("POST", STATUSES, data={"status": "a"}).headers
    assert first["X-RateLimit-Limit"] == "2"
    assert first["X-RateLimit-Remaining"] == "1"
    assert first["X-RateLimit-Reset"] == "2026-03-01T15:00:00.250000Z"
    refused = it.call("POST", STATUSES, data={"status": ""}).headers
    assert refused["X-RateLimit-Remaining"] == "1"
    it.post("b", key="k")
    with pytest.raises(MastodonRatelimitError, match="Hit rate limit"):
        it.post("c")
    assert it.client.ratelimit_remaining == 0
    it.clock.advance(hours=3)
    it.post("c")


def test_reads_and_deletions_have_theirs(start: Start) -> None:
    it = start(having(limits=MastodonLimits(requests=1)))
    gone = it.post("a")
    deleted = it.call("DELETE", f"{STATUSES}/{gone}").headers
    assert (deleted["X-RateLimit-Limit"], deleted["X-RateLimit-Remaining"]) == ("30", "29")
    assert deleted["X-RateLimit-Reset"] == "2026-03-01T12:30:00.250000Z"
    read = it.call("GET", "/api/v1/accounts/verify_credentials")
    assert read.headers["X-RateLimit-Reset"] == "2026-03-01T12:05:00.250000Z"
    assert read.headers["date"] == "Sun, 01 Mar 2026 12:00:00 GMT"
    again = it.call("GET", "/api/v1/accounts/verify_credentials")
    assert said(again) == (429, {"error": "Too many requests"})


def test_one_limit_may_cover_everything(start: Start) -> None:
    it = start(replace(GOTOSOCIAL, limits=MastodonLimits(requests=2, shared=True)))
    it.post("a")
    read = it.call("DELETE", f"{STATUSES}/1").headers
    assert (read["X-RateLimit-Limit"], read["X-RateLimit-Remaining"]) == ("2", "0")
    reset = datetime.fromtimestamp(int(read["X-RateLimit-Reset"]), UTC)
    assert reset == it.clock.now.replace(minute=5, microsecond=0)
    assert it.call("POST", STATUSES, data={"status": "b"}).status_code == 429


def test_a_server_without_limits_says_nothing_of_them(start: Start) -> None:
    it = start(replace(SNAC2, limits=MastodonLimits(requests=1, statuses=1)))
    it.post("a")
    it.post("b")
    assert not any("ratelimit" in name.lower() for name in it.call("GET", STATUSES).headers)


def test_a_reset_that_cannot_be_read_raises_though_the_status_exists(start: Start) -> None:
    it = start(having(resets=Resets.NONSENSE))
    with pytest.raises(MastodonRatelimitError):
        it.post("a")
    assert it.texts() == ["a"]


# -- every server ----------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", SERVERS)
def test_a_thread_is_published_read_and_deleted_on_every_server(
    start: Start, behaviour: MastodonBehaviour
) -> None:
    it = start(behaviour)
    client: Mastodon = it.client
    root = it.post("root")
    child = it.post("child", root)
    it.clock.advance(seconds=1)
    last = it.post("last", child)
    account = client.account_verify_credentials()
    listed = client.account_statuses(account.id)
    assert [str(each.id) for each in listed] == [last, child, root]
    assert [str(each.in_reply_to_id) for each in listed] == [child, root, "None"]
    for each in (last, child, root):
        client.status_delete(each)
    assert client.account_statuses(account.id) == []
    assert len({post.id for post in it.rules.every()}) == 3
    assert timedelta(0) == it.rules.every()[2].created - it.clock.now
