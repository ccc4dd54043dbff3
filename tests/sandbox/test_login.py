"""The stand-ins' logins, as the SDKs and bare requests see them, and beside what is on record."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import pytest
import requests
from mastodon import Mastodon, MastodonIllegalArgumentError
from requests_oauthlib import OAuth1  # type: ignore[import-untyped]

from bot.sandbox.mastodon.behaviour import MASTODON, SERVERS, SNAC2, MastodonBehaviour, Software
from bot.sandbox.x.oauth1 import OAuthKeys
from tests.helpers import mastodon_logins as login
from tests.helpers import mastodon_logins as ways
from tests.helpers.mastodon_logins import LoginBehaviour, login_behaviour
from tests.helpers.paths import SHARED
from tests.helpers.recorded_answers import differences, load, recorded, schema_errors
from tests.helpers.sandbox_clients import X_HOST, MastodonClient, XClient, mastodon_client, x_client

OOB = "urn:ietf:wg:oauth:2.0:oob"
LEAST = ["profile", "write:statuses", "write:media", "read:statuses"]
STATUSES = "/api/v1/statuses"
ME = "/api/v1/accounts/verify_credentials"

on_record = pytest.mark.skipif(
    not (SHARED / "api").is_dir(), reason="the API's description is not beside this clone"
)


@pytest.fixture
def start() -> Iterator[Callable[..., MastodonClient]]:
    with ExitStack() as stack:
        yield lambda *behaviour: stack.enter_context(mastodon_client(*behaviour))


@pytest.fixture
def it(start: Callable[..., MastodonClient]) -> MastodonClient:
    return start()


def register(it: MastodonClient, **more: str) -> requests.Response:
    form = {"client_name": "bot", "redirect_uris": OOB, "scopes": "read:statuses"} | more
    return it.call("POST", login.APPS, data=form, headers={"Authorization": ""})


def page(it: MastodonClient, app: dict[str, str], **more: str) -> str:
    query = {
        "response_type": "code",
        "client_id": app["client_id"],
        "redirect_uri": OOB,
        "scope": "read:statuses",
    }
    return f"{it.sandbox.url('mastodon')}{login.AUTHORIZE}?{urlencode(query | more)}"


def trade(it: MastodonClient, app: dict[str, str], code: str, **more: str) -> requests.Response:
    form = {
        "grant_type": "authorization_code",
        "client_id": app["client_id"],
        "client_secret": app["client_secret"],
        "redirect_uri": OOB,
        "code": code,
    }
    return it.call("POST", login.TOKEN, data=form | more, headers={"Authorization": ""})


def token(it: MastodonClient, scopes: str) -> dict[str, str]:
    """The headers that bear a token for these scopes."""
    app = register(it, scopes=scopes).json()
    code = it.rules.authorize(page(it, app, scope=scopes))
    return {"Authorization": f"Bearer {trade(it, app, code).json()['access_token']}"}


# -- Mastodon --------------------------------------------------------------------------------------


def test_mastodon_py_logs_in_and_posts(it: MastodonClient) -> None:
    base = it.sandbox.url("mastodon")
    app = Mastodon.create_app("bot", scopes=LEAST, api_base_url=base, session=it.session)
    client = Mastodon(*app, api_base_url=base, session=it.session, ratelimit_method="throw")
    code = it.rules.authorize(client.auth_request_url(scopes=LEAST, allow_http=True))
    with pytest.raises(MastodonIllegalArgumentError):
        client.log_in(code="another", scopes=LEAST, allow_http=True)
    access = client.log_in(code=code, scopes=LEAST, allow_http=True)
    assert it.rules.logins.tokens[access].scopes == tuple(LEAST)
    assert client.account_verify_credentials().username == "sandbox"
    client.status_post("from a token of its own")
    assert it.texts() == ["from a token of its own"]
    client.revoke_access_token(allow_http=True)
    assert it.rules.logins.tokens == {}
    assert it.call("GET", ME, headers={"Authorization": f"Bearer {access}"}).status_code == 401


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        ("read:statuses", "POST", STATUSES, 403),
        ("write:statuses", "POST", STATUSES, 200),
        ("write", "POST", STATUSES, 200),
        ("write:statuses", "DELETE", f"{STATUSES}/{{id}}", 200),
        ("read", "DELETE", f"{STATUSES}/{{id}}", 403),
        ("write", "GET", f"{STATUSES}/{{id}}", 403),
        ("read:statuses", "GET", f"{STATUSES}/{{id}}", 200),
        ("read:accounts", "GET", "/api/v1/accounts/{account}/statuses", 403),
        ("read:statuses", "GET", "/api/v1/accounts/{account}/statuses", 200),
        ("read", "GET", "/api/v1/accounts/{account}/statuses", 200),
        ("read:statuses", "GET", ME, 403),
        ("profile", "GET", ME, 200),
        ("read:accounts", "GET", ME, 200),
        ("write:media", "GET", "/api/v1/apps/verify_credentials", 200),
    ],
)
def test_a_token_does_what_its_scopes_say(
    it: MastodonClient, scopes: str, method: str, path: str, status: int
) -> None:
    target = path.format(id=it.post("there"), account=it.rules.account)
    form = {"status": "a"} if method == "POST" else None
    answer = it.call(method, target, data=form, headers=token(it, scopes))
    assert answer.status_code == status
    if status == 403:
        assert answer.json() == {"error": "This action is outside the authorized scopes"}


def test_a_server_without_scopes_lets_every_token_do_everything(
    start: Callable[..., MastodonClient],
) -> None:
    it = start(SNAC2)
    answer = it.call("POST", STATUSES, data={"status": "a"}, headers=token(it, "read"))
    assert answer.status_code == 200


def test_a_token_without_its_scheme_does_not_come_in(it: MastodonClient) -> None:
    for header in (it.rules.token, f"Basic {it.rules.token}", "Bearer", ""):
        assert it.call("GET", ME, headers={"Authorization": header}).status_code == 401


def test_a_code_is_good_once_for_ten_minutes_and_for_its_own_application(
    it: MastodonClient,
) -> None:
    app, other = register(it).json(), register(it).json()
    code = it.rules.authorize(page(it, app))
    for wrong in (
        trade(it, other, code),
        trade(it, app, code, redirect_uri="https://elsewhere.example"),
        trade(it, app, "another"),
    ):
        assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    assert trade(it, app, code).status_code == 200
    assert trade(it, app, code).json()["error"] == "invalid_grant"
    late = it.rules.authorize(page(it, app))
    it.clock.advance(seconds=600)
    assert trade(it, app, late).json()["error"] == "invalid_grant"


def test_a_code_with_a_challenge_needs_its_verifier(it: MastodonClient) -> None:
    app, verifier = register(it).json(), "v" * 43
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = urlsafe_b64encode(digest).decode().rstrip("=")
    code = it.rules.authorize(page(it, app, code_challenge=challenge))
    assert trade(it, app, code).status_code == 400
    assert trade(it, app, code, code_verifier="w" * 43).status_code == 400
    assert trade(it, app, code, code_verifier=verifier).status_code == 200


def test_only_the_application_itself_trades_and_revokes(it: MastodonClient) -> None:
    app, other = register(it).json(), register(it).json()
    code = it.rules.authorize(page(it, app))
    wrong = trade(it, app, code, client_secret="another")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert trade(it, {**app, "client_id": "another"}, code).status_code == 401
    wrong = trade(it, app, code, grant_type="password")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "unsupported_grant_type")
    access = trade(it, app, code).json()["access_token"]

    def revoke(client: dict[str, str], secret: str) -> int:
        form = {"client_id": client["client_id"], "client_secret": secret, "token": access}
        return it.call("POST", login.REVOKE, data=form).status_code

    assert revoke(other, other["client_secret"]) == 403
    assert revoke(app, "another") == 403
    assert access in it.rules.logins.tokens
    assert revoke(app, app["client_secret"]) == 200
    assert revoke(app, app["client_secret"]) == 200
    assert access not in it.rules.logins.tokens


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"client_id": "another"}, "missing a required"),
        ({"response_type": "token"}, "missing a required"),
        ({"redirect_uri": "https://elsewhere.example"}, "redirect URI"),
        ({"scope": "read:statuses write"}, "scope is invalid"),
    ],
)
def test_a_page_that_is_wrong_gives_no_code(
    it: MastodonClient, change: dict[str, str], words: str
) -> None:
    app = register(it).json()
    with pytest.raises(ValueError, match=words):
        it.rules.authorize(page(it, app, **change))
    with pytest.raises(ValueError, match="required"):
        it.rules.authorize(page(it, app).replace(login.AUTHORIZE, "/elsewhere"))


def test_what_cannot_be_registered_is_refused(it: MastodonClient) -> None:
    for change in ({"client_name": ""}, {"redirect_uris": " "}, {"scopes": "read every:thing"}):
        answer = register(it, **change)
        assert answer.status_code == 422
        assert answer.json()["error"].startswith("Validation failed: ")
    assert it.rules.logins.apps == {}


def test_registration_takes_json_and_defaults_to_reading(it: MastodonClient) -> None:
    wish = {"client_name": "bot", "redirect_uris": [OOB, "https://a.example"], "website": None}
    app = it.call("POST", login.APPS, json=wish, headers={"Authorization": ""}).json()
    assert app["redirect_uris"] == [OOB, "https://a.example"]
    assert app["redirect_uri"] == f"{OOB}\nhttps://a.example"
    assert app["scopes"] == ["read"]


def test_the_sixth_registration_in_ten_minutes_is_refused(it: MastodonClient) -> None:
    assert [register(it).status_code for _ in range(6)] == [200] * 5 + [429]
    assert it.call("GET", ME).status_code == 200  # the other limits are not touched
    it.clock.advance(seconds=600)
    answer = register(it)
    assert answer.status_code == 200
    assert answer.headers["X-RateLimit-Limit"] == "5"


def test_an_old_server_knows_no_profile_and_does_not_describe_itself(
    start: Callable[..., MastodonClient],
) -> None:
    it = start(replace(MASTODON, version="4.2.10"))
    assert it.call("GET", login.METADATA).status_code == 404
    assert register(it, scopes="profile").status_code == 422
    app = register(it, scopes="read:accounts").json()
    assert not {"redirect_uris", "scopes"} & set(app)


def test_what_a_token_is_said_to_be_good_for_can_differ(it: MastodonClient) -> None:
    it.rules.logins.behaviour = LoginBehaviour(granted="read", expires_in=600)
    app = register(it).json()
    said = trade(it, app, it.rules.authorize(page(it, app))).json()
    assert (said["scope"], said["expires_in"]) == ("read", 600)
    it.rules.logins.behaviour = LoginBehaviour(granted=None)
    assert "scope" not in trade(it, app, it.rules.authorize(page(it, app))).json()


@pytest.mark.parametrize("behaviour", SERVERS, ids=lambda each: each.version)
def test_every_server_that_was_tried_has_its_way_to_log_in(behaviour: MastodonBehaviour) -> None:
    special = {
        Software.GOTOSOCIAL: ways.GOTOSOCIAL,
        Software.SNAC: ways.SNAC2,
        Software.TAKAHE: ways.TAKAHE,
    }
    assert login_behaviour(behaviour) == special.get(behaviour.software, ways.MAINLINE)
    assert login_behaviour(replace(MASTODON, version="4.2.10")) == ways.BEFORE_4_3
    assert login_behaviour(replace(MASTODON, version="4.10.0")) == ways.MAINLINE


def test_no_secret_shows_when_an_application_is_printed(it: MastodonClient) -> None:
    secret = register(it).json()["client_secret"]
    assert secret not in repr(it.rules.logins.apps)


@on_record
@pytest.mark.parametrize(
    ("schema", "ask"),
    [
        ("CredentialApplication", register),
        ("DiscoverOauthServerConfigurationResponse", lambda it: it.call("GET", login.METADATA)),
        ("Error", lambda it: trade(it, register(it).json(), "another")),
        ("Error", lambda it: trade(it, {"client_id": "", "client_secret": ""}, "")),
        ("Error", lambda it: register(it, scopes="every:thing")),
    ],
)
def test_answers_are_what_the_description_says(
    it: MastodonClient, schema: str, ask: Callable[[MastodonClient], requests.Response]
) -> None:
    description = load(SHARED / "api" / "mastodon" / "openapi.json")
    reference = {"$ref": f"#/components/schemas/{schema}"}
    assert list(schema_errors(ask(it).json(), reference, description)) == []


@on_record
def test_a_token_is_what_the_description_says(it: MastodonClient) -> None:
    description = load(SHARED / "api" / "mastodon" / "openapi.json")
    app = register(it).json()
    said = trade(it, app, it.rules.authorize(page(it, app))).json()
    assert list(schema_errors(said, {"$ref": "#/components/schemas/Token"}, description)) == []


@on_record
def test_the_server_describes_its_logins_as_recorded(it: MastodonClient) -> None:
    body, _ = recorded("auth_request_url")
    said = it.call("GET", login.METADATA).json()
    assert list(differences(said, body)) == []
    assert list(differences(body, said)) == []
    theirs = body["scopes_supported"] if isinstance(body, dict) else []
    assert set(said["scopes_supported"]) <= {*theirs}


@on_record
def test_an_application_is_as_recorded(it: MastodonClient) -> None:
    body, _ = recorded("app_verify_credentials")
    app = register(it).json()
    more = {"client_id", "client_secret", "client_secret_expires_at"}
    assert list(differences(body, app)) == []
    assert {line.strip(".").split()[0] for line in differences(app, body)} == more


# -- X ---------------------------------------------------------------------------------------------


@pytest.fixture
def on_x() -> Iterator[XClient]:
    with x_client() as made:
        yield made


def ask(
    on_x: XClient, step: str, auth: OAuth1, query: str = "", **form: str
) -> tuple[int, dict[str, str], str]:
    session: requests.Session = on_x.client.session
    answer = session.post(f"{X_HOST}/oauth/{step}{query}", auth=auth, data=form or None)
    return answer.status_code, dict(parse_qsl(answer.text)), answer.text


def app_of(on_x: XClient, **more: str) -> OAuth1:
    keys = on_x.rules.keys
    return OAuth1(keys.consumer_key, keys.consumer_secret, **more)


def begun(on_x: XClient) -> dict[str, str]:
    status, said, _ = ask(on_x, "request_token", app_of(on_x, callback_uri="oob"))
    assert status == 200
    return said


def ended(on_x: XClient, said: dict[str, str], pin: str) -> tuple[int, dict[str, str], str]:
    auth = app_of(
        on_x,
        resource_owner_key=said["oauth_token"],
        resource_owner_secret=said["oauth_token_secret"],
        verifier=pin,
    )
    return ask(on_x, "access_token", auth)


def test_a_pin_leads_to_tokens_that_post(on_x: XClient) -> None:
    said = begun(on_x)
    assert said["oauth_callback_confirmed"] == "true"
    pin = on_x.rules.authorize(f"{X_HOST}/oauth/authorize?oauth_token={said['oauth_token']}")
    assert pin.isdecimal()
    assert len(pin) == 7
    status, given, _ = ended(on_x, said, pin)
    assert status == 200
    assert (given["user_id"], given["screen_name"]) == (on_x.rules.account, "sandbox")
    assert given["oauth_token"].startswith(f"{given['user_id']}-")
    keys = replace(
        on_x.rules.keys,
        access_token=given["oauth_token"],
        access_token_secret=given["oauth_token_secret"],
    )
    assert on_x.call("POST", "/2/tweets", json={"text": "a"}, keys=keys).status_code == 201
    assert on_x.call("GET", "/2/users/me").status_code == 200  # the first tokens are still good
    assert ended(on_x, said, pin)[0] == 401  # and the request token is not any more


def test_a_wrong_pin_or_none_is_refused_and_the_right_one_still_taken(on_x: XClient) -> None:
    said = begun(on_x)
    assert ended(on_x, said, "1234567")[0] == 401
    pin = on_x.rules.authorize(f"{X_HOST}/oauth/authorize?oauth_token={said['oauth_token']}")
    status, _, text = ended(on_x, said, "7654321")
    assert status == 401
    assert text == "Error processing your OAuth request: Invalid oauth_verifier parameter"
    assert ended(on_x, said, pin)[0] == 200


def test_parameters_may_stand_where_oauth_lets_them(on_x: XClient) -> None:
    status, said, _ = ask(on_x, "request_token", app_of(on_x), "?oauth_callback=oob")
    assert status == 200
    pin = on_x.rules.authorize(f"{X_HOST}/oauth/authorize?oauth_token={said['oauth_token']}")
    auth = app_of(
        on_x,
        resource_owner_key=said["oauth_token"],
        resource_owner_secret=said["oauth_token_secret"],
    )
    assert ask(on_x, "access_token", auth, oauth_verifier=pin)[0] == 200


def test_every_step_must_be_signed(on_x: XClient) -> None:
    key = on_x.rules.keys.consumer_key
    for auth in (OAuth1(key, "another", callback_uri="oob"), OAuth1("another", "another")):
        status, _, text = ask(on_x, "request_token", auth)
        assert status == 401
        assert '"code":32' in text
    said = begun(on_x)
    pin = on_x.rules.authorize(f"{X_HOST}/oauth/authorize?oauth_token={said['oauth_token']}")
    assert ended(on_x, {**said, "oauth_token_secret": "another"}, pin)[0] == 401
    assert ended(on_x, {**said, "oauth_token": "another"}, pin)[0] == 401
    assert on_x.rules.logins.granted == []


def test_an_application_that_is_not_set_up_logs_nobody_in(on_x: XClient) -> None:
    on_x.rules.logins.callbacks = frozenset()
    status, _, text = ask(on_x, "request_token", app_of(on_x, callback_uri="oob"))
    assert status == 403
    assert '"code":415' in text


def test_a_page_of_no_request_token_is_wrong(on_x: XClient) -> None:
    said = begun(on_x)
    for url in (f"{X_HOST}/oauth/authorize?oauth_token=a", f"{X_HOST}/oauth/authorize", X_HOST):
        with pytest.raises(ValueError, match="invalid"):
            on_x.rules.authorize(url)
    wrong_path = f"{X_HOST}/oauth/authenticate?oauth_token={said['oauth_token']}"
    with pytest.raises(ValueError, match="invalid"):
        on_x.rules.authorize(wrong_path)


def test_other_requests_are_none_of_the_logins(on_x: XClient) -> None:
    assert on_x.call("GET", "/oauth/request_token").status_code == 404
    bad = OAuthKeys(access_token="1-another")
    assert on_x.call("GET", "/2/users/me", keys=bad).status_code == 401
