"""Who may call, with which token, how often, what is no call, and what goes wrong; over HTTP."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta

import pytest
import requests

from bot.model import Network
from bot.sandbox import faults
from bot.sandbox.bluesky import answers
from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, OWN_PDS, BlueskyLimits, Standing
from bot.sandbox.bluesky.lexicons import POST
from bot.sandbox.bluesky.rules import ACCOUNT, APP_PASSWORD, HANDLE
from bot.sandbox.faults import Commit
from tests.helpers.bluesky_calls import (
    HELLO,
    KEY,
    PNG,
    REPO,
    SERVER,
    behaviour_with,
    create,
    delete,
    error_of,
    get,
    invalid,
    upload,
)
from tests.helpers.sandbox_clients import BlueskyClient, StillClock, bluesky_client

Start = Callable[..., BlueskyClient]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server with a behaviour, and stops it after the test."""
    with ExitStack() as stack:
        yield lambda *behaviour: stack.enter_context(bluesky_client(*behaviour))


@pytest.fixture
def it(start: Start) -> BlueskyClient:
    return start()


def claims(token: str) -> tuple[dict[str, object], dict[str, object]]:
    head, body, _ = token.split(".")
    parts = (json.loads(urlsafe_b64decode(part + "==")) for part in (head, body))
    return next(parts), next(parts)


# -- sessions --------------------------------------------------------------------------------------


def test_a_login_gives_two_tokens(it: BlueskyClient) -> None:
    answer = it.login().json()
    now = int(it.clock.now.timestamp())
    (head, access), (other, refresh) = map(claims, (answer["accessJwt"], answer["refreshJwt"]))
    assert head == {"typ": "at+jwt", "alg": "HS256"}
    assert (access["scope"], access["sub"]) == ("com.atproto.appPass", ACCOUNT)
    assert (access["iat"], access["exp"]) == (now, now + 120 * 60)
    assert other == {"typ": "refresh+jwt", "alg": "HS256"}
    assert (refresh["scope"], refresh["aud"]) == ("com.atproto.refresh", access["aud"])
    assert refresh["exp"] == now + 90 * 24 * 3600
    assert (answer["did"], answer["handle"], answer["active"]) == (ACCOUNT, HANDLE, True)
    shown = it.call(f"{SERVER}getSession").json()
    assert shown == {key: answer[key] for key in answer if not key.endswith("Jwt")}


def test_the_answer_to_a_login_names_the_server_that_holds_the_account(start: Start) -> None:
    it = start()
    service = it.login().json()["didDoc"]["service"][0]
    assert (service["id"], service["serviceEndpoint"]) == (
        "#atproto_pds",
        it.sandbox.url("bluesky"),
    )
    assert "didDoc" not in start(OWN_PDS).login().json()


@pytest.mark.parametrize(
    ("identifier", "password", "fits"),
    [
        (HANDLE, APP_PASSWORD, True),
        (HANDLE.upper(), APP_PASSWORD, True),
        (ACCOUNT, APP_PASSWORD, True),
        (HANDLE, "wrong", False),
        (HANDLE, "", False),
        ("nobody.example.org", APP_PASSWORD, False),
        ("no body", APP_PASSWORD, False),
    ],
)
def test_a_login_takes_a_name_and_the_app_password(
    it: BlueskyClient, identifier: str, password: str, *, fits: bool
) -> None:
    name = f"{SERVER}createSession"
    answer = it.call(name, {"identifier": identifier, "password": password}, token="")
    assert answer.ok is fits
    if not fits:
        assert error_of(answer) == (401, "AuthenticationRequired", "Invalid identifier or password")


def test_an_access_token_is_good_until_its_date(it: BlueskyClient) -> None:
    it.clock.advance(hours=2, seconds=-1)
    assert it.call(f"{SERVER}getSession").ok
    it.clock.advance(seconds=1)
    expired = 400, "ExpiredToken", "Token has expired"
    assert error_of(it.call(f"{SERVER}getSession")) == expired
    assert error_of(it.put(KEY, HELLO)) == expired


def test_a_token_is_needed_and_none_but_the_right_one(it: BlueskyClient) -> None:
    missing = 401, "AuthMissing", "Authentication Required"
    unverified = 400, "InvalidToken", "Token could not be verified"
    access, refresh = it.tokens["access"], it.tokens["refresh"]
    assert error_of(it.call(f"{SERVER}getSession", token="")) == missing
    for name, token in (
        (f"{SERVER}getSession", refresh),
        (f"{SERVER}getSession", f"{access[:-4]}AAAA"),
        (f"{SERVER}refreshSession", access),
        (f"{SERVER}deleteSession", access),
    ):
        answer = it.send(name, b"", token=token) if name[-1] == "n" and "get" not in name else None
        assert error_of(answer if answer is not None else it.call(name, token=token)) == unverified
    written = {"Authorization": f"bearer {access}"}
    assert it.session.get(it.url(f"{SERVER}getSession"), headers=written, timeout=30).ok
    it.rules.sessions.change_key()
    assert error_of(it.call(f"{SERVER}getSession")) == unverified


def refreshed(it: BlueskyClient, token: str = "") -> requests.Response:
    return it.send(f"{SERVER}refreshSession", b"", token=token or it.tokens["refresh"])


def test_a_refresh_token_is_used_once_and_a_while_longer(it: BlueskyClient) -> None:
    revoked = 400, "ExpiredToken", "Token has been revoked"
    it.clock.advance(hours=24)
    first = refreshed(it).json()
    assert it.call(f"{SERVER}getSession", token=first["accessJwt"]).ok
    it.clock.advance(hours=1)
    again = refreshed(it).json()
    ids = [claims(each["refreshJwt"])[1]["jti"] for each in (first, again)]
    assert ids[0] == ids[1] != claims(it.tokens["refresh"])[1]["jti"]
    it.clock.advance(hours=1)  # two hours after its first use, not its last
    assert error_of(refreshed(it)) == revoked
    third = refreshed(it, again["refreshJwt"]).json()
    assert claims(third["refreshJwt"])[1]["jti"] != ids[0]


def test_a_refresh_token_ends(it: BlueskyClient) -> None:
    it.clock.advance(hours=90 * 24)
    assert error_of(refreshed(it)) == (400, "ExpiredToken", "Token has expired")
    assert it.send(f"{SERVER}deleteSession", b"", token=it.tokens["refresh"]).ok
    assert it.rules.sessions.known() == ()


def test_a_grace_is_no_longer_than_the_token_had_left(it: BlueskyClient) -> None:
    it.clock.advance(hours=90 * 24 - 1)
    assert refreshed(it).ok
    session = it.rules.sessions.known()[0]
    assert session.expires - it.clock.now == timedelta(hours=1)


def test_a_session_is_closed(it: BlueskyClient) -> None:
    for _ in range(2):
        answer = it.send(f"{SERVER}deleteSession", b"", token=it.tokens["refresh"])
        assert (answer.status_code, answer.content) == (200, b"")
    assert error_of(refreshed(it))[1:] == ("ExpiredToken", "Token has been revoked")
    assert it.call(f"{SERVER}getSession").ok  # until its date


def test_a_revoked_password_opens_nothing_and_its_access_token_lives_on(it: BlueskyClient) -> None:
    it.rules.revoke()
    assert error_of(refreshed(it))[1] == "ExpiredToken"
    assert it.login().status_code == 401
    assert it.login("").status_code == 401
    assert it.put(KEY, HELLO).ok
    it.rules.password = "another"
    assert it.login("another").ok


# -- what is no call -------------------------------------------------------------------------------


def test_an_unknown_call_is_refused(it: BlueskyClient) -> None:
    assert error_of(it.call("app.bsky.feed.nothing"))[:2] == (501, "MethodNotImplemented")
    assert it.session.get(f"{it.sandbox.url('bluesky')}/nope", timeout=30).status_code == 404


@pytest.mark.parametrize(
    ("data", "mime", "status", "error"),
    [
        (b"{}", "", 400, "InvalidRequest"),
        (b"{}", "text/plain", 400, "InvalidRequest"),
        (b"{}", "application/json", 400, "InvalidRequest"),
        (b"[]", "application/json", 400, "SyntaxError"),
        (b"{nope", "application/json", 400, "SyntaxError"),
        (b" " * 1_000_001, "application/json", 413, "PayloadTooLarge"),
    ],
)
def test_a_body_must_be_what_the_call_takes(
    it: BlueskyClient, data: bytes, mime: str, status: int, error: str
) -> None:
    answer = it.send(f"{SERVER}createSession", data, mime)
    assert error_of(answer)[:2] == (status, error)


@pytest.mark.parametrize("written", ["Bearer", "Bearer a b", "Basic YTpi", "Bearer \u00e4.b.c"])
def test_a_header_without_a_known_token_is_refused(it: BlueskyClient, written: str) -> None:
    headers = {"Authorization": written.encode()}
    answer = it.session.get(it.url(f"{SERVER}getSession"), headers=headers, timeout=30)
    assert error_of(answer)[:2] == (400, "InvalidToken")


@pytest.mark.parametrize(
    "asked", [{}, {"repo": ACCOUNT}, {"repo": ACCOUNT, "collection": POST, "limit": "101"}]
)
def test_parameters_must_be_what_the_call_takes(it: BlueskyClient, asked: dict[str, str]) -> None:
    assert error_of(it.call(f"{REPO}listRecords", asked))[:2] == (400, "InvalidRequest")


def test_a_call_has_one_method(it: BlueskyClient) -> None:
    wrong = it.call(f"{REPO}putRecord", verb="GET")
    assert error_of(wrong) == invalid("Incorrect HTTP method (GET) expected POST")
    wrong = it.call(f"{REPO}listRecords", verb="POST")
    assert error_of(wrong) == invalid("Incorrect HTTP method (POST) expected GET")


# -- the account's standing ------------------------------------------------------------------------


def test_an_account_at_rest_may_log_in_and_upload_and_no_more(it: BlueskyClient) -> None:
    it.put(KEY, HELLO)
    it.rules.behaviour = behaviour_with(standing=Standing.DEACTIVATED)
    assert (it.login().json()["active"], it.login().json()["status"]) == (False, "deactivated")
    assert refreshed(it).ok
    assert it.call(f"{SERVER}getSession").json()["status"] == "deactivated"
    assert upload(it)
    asleep = 401, "AccountDeactivated", "Account is deactivated"
    for answer in (it.put(KEY, HELLO), create(it), delete(it)):
        assert error_of(answer) == asleep
    repo = {"repo": ACCOUNT, "collection": POST}
    assert error_of(it.call(f"{REPO}listRecords", repo)) == invalid(
        f"Could not find repo: {ACCOUNT}"
    )
    assert error_of(get(it))[1] == "RecordNotFound"
    assert it.texts() == ["hello"]


def test_an_account_that_was_taken_down_may_do_nothing(it: BlueskyClient) -> None:
    it.put(KEY, HELLO)
    it.rules.behaviour = behaviour_with(standing=Standing.TAKENDOWN)
    assert error_of(it.login())[0] == 401
    down = 401, "AccountTakedown", "Account has been taken down"
    sent = it.send(f"{REPO}uploadBlob", PNG, "image/png")
    for answer in (
        it.put(KEY, HELLO),
        create(it),
        delete(it),
        refreshed(it),
        sent,
    ):
        assert error_of(answer) == down
    session = it.call(f"{SERVER}getSession")
    assert error_of(session) == invalid(f"Could not find user info for account: {ACCOUNT}")
    it.rules.behaviour = BSKY_SOCIAL
    assert get(it).ok


# -- limits ----------------------------------------------------------------------------------------


def limits(answer: requests.Response) -> tuple[str, str, str]:
    headers = answer.headers
    reset = int(headers["ratelimit-reset"]) - int(StillClock().now.timestamp())
    return headers["ratelimit-policy"], headers["ratelimit-remaining"], str(reset)


def test_changes_cost_points(start: Start) -> None:
    it = start(behaviour_with(limits=BlueskyLimits(hour=20, day=100)))
    assert limits(it.put(KEY, HELLO)) == ("20;w=3600", "18", "3600")
    assert limits(it.put(KEY, HELLO)) == ("20;w=3600", "16", "3600")  # a no-op costs the same
    assert limits(create(it)) == ("20;w=3600", "13", "3600")
    assert limits(delete(it)) == ("20;w=3600", "12", "3600")
    for left in (9, 6, 3):
        assert limits(create(it)) == ("20;w=3600", str(left), "3600")
    assert limits(it.put(KEY, {})) == ("20;w=3600", "1", "3600")  # refused by the lexicon
    refused = it.put(KEY, HELLO)
    assert error_of(refused) == (429, "RateLimitExceeded", "Rate Limit Exceeded")
    assert limits(refused) == ("20;w=3600", "0", "3600")
    assert refused.headers["retry-after"] == "3600"
    assert delete(it).status_code == 429  # what was refused was charged too
    assert limits(get(it))[0] == "3000;w=300"
    it.clock.advance(hours=1)
    assert limits(delete(it)) == ("20;w=3600", "19", "7200")


def test_a_day_has_a_limit_of_its_own(start: Start) -> None:
    it = start(behaviour_with(limits=BlueskyLimits(day=5)))
    assert limits(create(it)) == ("5;w=86400", "2", "86400")
    assert limits(create(it)) == ("5;w=86400", "0", "86400")
    it.clock.advance(hours=1, seconds=0.5)
    refused = create(it)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, str(23 * 3600))
    assert len(it.texts()) == 1


def test_logins_are_few(start: Start) -> None:
    it = start(behaviour_with(limits=BlueskyLimits(logins=2, logins_day=3)))
    assert limits(it.login()) == ("2;w=300", "1", "300")
    assert it.login("wrong").status_code == 401
    refused = it.login()
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "300")
    other = {"identifier": ACCOUNT, "password": APP_PASSWORD}
    assert it.call(f"{SERVER}createSession", other).ok  # counted by the name
    it.clock.advance(seconds=300)
    refused = it.login()
    assert (refused.status_code, limits(refused)[0]) == (429, "3;w=86400")


def test_requests_and_uploads_have_theirs(start: Start) -> None:
    it = start(behaviour_with(limits=BlueskyLimits(requests=3, uploads=1)))
    answer = it.send(f"{REPO}uploadBlob", PNG, "image/png")
    assert limits(answer) == ("1;w=86400", "0", "86400")
    assert it.send(f"{REPO}uploadBlob", PNG, "image/png").status_code == 429
    assert limits(get(it)) == ("3;w=300", "0", "300")
    assert get(it).status_code == 429
    it.clock.advance(seconds=300)
    assert get(it).status_code == 400


def test_a_server_without_limits_says_nothing_of_them(start: Start) -> None:
    it = start(OWN_PDS)
    assert not any("ratelimit" in name.lower() for name in create(it).headers)


# -- faults ----------------------------------------------------------------------------------------


def test_a_429_says_when_it_ends_or_does_not(it: BlueskyClient) -> None:
    it.sandbox.script(faults.too_many(Network.BLUESKY, timedelta(seconds=90.5)))
    it.sandbox.script(faults.too_many(Network.BLUESKY, None))
    told, silent = create(it), create(it)
    assert error_of(told) == error_of(silent) == (429, "RateLimitExceeded", "Rate Limit Exceeded")
    ends = it.clock.now + timedelta(seconds=90.5)
    assert int(told.headers["ratelimit-reset"]) == int(ends.timestamp())
    assert told.headers["retry-after"] == "91"
    assert not {"ratelimit-reset", "retry-after"} & {name.lower() for name in silent.headers}


def test_a_reset_may_be_unreadable(it: BlueskyClient) -> None:
    it.sandbox.script(faults.BAD_RESET)
    answer = create(it)
    assert (answer.status_code, answer.headers["ratelimit-reset"]) == (200, "soon")


@pytest.mark.parametrize("commit", [Commit.NEVER, Commit.NOW])
def test_a_server_that_fails_may_have_done_what_it_was_asked(
    it: BlueskyClient, commit: Commit
) -> None:
    for name, response in answers.ERRORS.items():
        it.sandbox.script(faults.own_error(name, response, commit))
        assert create(it).content == response.body
    assert len(it.texts()) == (len(answers.ERRORS) if commit is Commit.NOW else 0)


def test_every_fault_has_a_name_and_leaves_the_network_standing() -> None:
    every = faults.every(Network.BLUESKY)
    names = [fault.name for fault in every]
    assert len(set(names)) == len(names) > 40
    with bluesky_client() as it:
        follow: Callable[..., object] = it.post
        for number, fault in enumerate(every):
            it.sandbox.script(fault, at=2 * number + 1)
            with suppress(OSError, ValueError, KeyError, TypeError):
                follow(f"a{number}")
            while len(it.sandbox.requests) < 2 * number + 2:
                follow(f"b{len(it.sandbox.requests)}")
        assert [each.fault for each in it.sandbox.requests[::2]] == names
