"""The stand-in's answers beside those of the real services: recordings and API descriptions.

They are not part of a clone; what each test holds is also held, in our own words, elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import pytest

from bot.sandbox.mastodon.behaviour import MASTODON, MASTODON_4_5, MASTODON_4_6
from bot.sandbox.x import answers as x_answers
from tests.helpers.recorded_answers import API, differences, load, recorded, schema_errors, value_at
from tests.helpers.sandbox_clients import MastodonClient, XClient, mastodon_client, x_client

pytestmark = pytest.mark.skipif(
    not API.is_dir(), reason="the recordings of the real services are not beside this clone"
)


# -- X ---------------------------------------------------------------------------------------------


@pytest.fixture
def on_x() -> Iterator[XClient]:
    with x_client() as it:
        yield it


def recorded_x(name: str, number: int = 0) -> tuple[object, Mapping[str, object]]:
    page = load(API / "recorded" / "tweepy" / "decoded.json")
    headers = value_at(page, f"test_client_{name}.yaml", number, "headers")
    assert isinstance(headers, dict)
    return value_at(page, f"test_client_{name}.yaml", number, "body"), headers


@pytest.mark.parametrize(
    ("name", "number", "path"),
    [
        ("create_and_delete_tweet", 1, "DELETE /2/tweets/{id}"),
        ("get_me", 0, "GET /2/users/me"),
        ("get_tweet", 0, "GET /2/tweets/{id}"),
        ("get_users_tweets", 0, "GET /2/users/{user}/tweets?max_results=5"),
    ],
)
def test_x_answers_as_recorded(on_x: XClient, name: str, number: int, path: str) -> None:
    body, headers = recorded_x(name, number)
    posts = [on_x.post(str(text)) for text in range(6)]
    method, _, target = path.partition(" ")
    answer = on_x.call(method, target.format(id=posts[0], user=on_x.rules.account))
    assert list(differences(answer.json(), body)) == []
    assert list(differences(body, answer.json())) == []
    limits = {name for name in headers if name.startswith("x-rate-limit")}
    assert limits <= {name.lower() for name in answer.headers}


def test_x_creates_as_recorded(on_x: XClient) -> None:
    body, headers = recorded_x("create_and_delete_tweet")
    answer = on_x.call("POST", "/2/tweets", json={"text": "Test Tweet"})
    assert list(differences(body, answer.json())) == []
    assert answer.json()["data"]["text"] == value_at(body, "data", "text")
    pattern = re.sub(r"\d+$", r"\\d+", str(headers["location"]))
    assert re.fullmatch(pattern, answer.headers["location"])


@pytest.mark.parametrize(
    ("case", "name"),
    [
        ("duplicate content", "403 duplicate"),
        ("reply/quote target not allowed (self-serve, since 2026-02-23)", "403 reply rule"),
        ("generic refusal", "403 generic"),
        ("rate limit", "429"),
    ],
)
def test_x_refuses_in_the_words_on_record(case: str, name: str) -> None:
    observed: object = json.loads((API / "x" / "observed_errors.json").read_text("utf-8"))
    assert isinstance(observed, list)
    found = next(each for each in observed if each["case"].startswith(case))
    ours = x_answers.REFUSALS.get(name, x_answers.TOO_MANY)
    assert (ours.status, ours.value()) == (found["status"], found["body"])


def test_x_has_no_credits_under_the_title_on_record() -> None:
    title = value_at(x_answers.NO_CREDITS.value(), "title")
    assert title == "CreditsDepleted"
    assert title in (API / "x" / "observed_errors.json").read_text("utf-8")


# -- Mastodon --------------------------------------------------------------------------------------


@pytest.fixture(params=[MASTODON, MASTODON_4_6, MASTODON_4_5], ids=lambda each: each.version)
def server(request: pytest.FixtureRequest) -> Iterator[MastodonClient]:
    with mastodon_client(request.param) as it:
        yield it


def test_mastodon_publishes_and_deletes_as_recorded(server: MastodonClient) -> None:
    posted, headers = recorded("status_reply")
    deleted, other = recorded("status_reply", 3)
    answer = server.call("POST", "/api/v1/statuses", data={"status": "Toot, finally!"})
    assert list(differences(answer.json(), posted)) == []
    assert answer.json()["content"] == value_at(posted, "content")
    gone = server.call("DELETE", f"/api/v1/statuses/{answer.json()['id']}")
    assert list(differences(gone.json(), deleted)) == []
    assert "content" not in gone.json().keys() | set(deleted)  # type: ignore[call-overload]
    for ours, theirs in ((answer.headers, headers), (gone.headers, other)):
        assert [ours["X-RateLimit-Limit"]] == theirs["x-ratelimit-limit"]
        written = [re.sub(r"\d", "0", ours["X-RateLimit-Reset"])]
        assert written == [re.sub(r"\d", "0", each) for each in theirs["x-ratelimit-reset"]]


@pytest.mark.parametrize(
    ("name", "number", "path"),
    [
        ("verify_credentials", 0, "/api/v1/accounts/verify_credentials"),
        ("instance_v1", 0, "/api/v1/instance/"),
    ],
)
def test_mastodon_shows_what_was_recorded(
    server: MastodonClient, name: str, number: int, path: str
) -> None:
    body, _ = recorded(name, number)
    answer = server.call("GET", path.format(id=server.post("a")))
    assert list(differences(answer.json(), body)) == []


def test_mastodon_refuses_a_token_as_recorded(server: MastodonClient) -> None:
    body, headers = recorded("unauthed_home_tl_throws", 1)
    answer = server.call(
        "GET", "/api/v1/accounts/verify_credentials", headers={"Authorization": ""}
    )
    assert (answer.status_code, answer.json()) == (401, body)
    assert headers["www-authenticate"][0].startswith(answer.headers["www-authenticate"])


def test_the_server_describes_itself_as_recorded(server: MastodonClient) -> None:
    answer = server.call("GET", "/api/v2/instance")
    theirs = load(API / "mastodon" / "instance_v2_4.6.4.json")
    assert list(differences(answer.json(), theirs)) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("Status", "/api/v1/statuses/{id}"),
        ("CredentialAccount", "/api/v1/accounts/verify_credentials"),
        ("Instance", "/api/v2/instance"),
        ("V1Instance", "/api/v1/instance"),
    ],
)
def test_objects_are_what_the_description_says(
    server: MastodonClient, schema: str, path: str
) -> None:
    description = load(API / "mastodon" / "openapi.json")
    server.rules.media.add("7")
    root = server.post("See #arXiv")
    reply = server.client.status_post("reply", in_reply_to_id=root, media_ids=["7"])
    server.post("last", str(reply.id))
    for each in (root, str(reply.id)):
        answer = server.call("GET", path.format(id=each)).json()
        reference = {"$ref": f"#/components/schemas/{schema}"}
        found = schema_errors(answer, reference, description)
        # fields that no client of bots reads are left out
        assert [each for each in found if not each.endswith(" is missing")] == []


def test_the_checks_themselves_find_what_is_wrong() -> None:
    assert list(differences({"a": 1, "b": []}, {"a": "1", "b": []})) == [".a is int and not str"]
    assert list(differences({"a": [{"b": 1}]}, {"a": [{}]})) == [".a[].b is not there"]
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"b": {"items": {"type": "string"}}},
    }
    assert list(schema_errors({"b": [1]}, schema, {})) == [
        ".a is missing",
        ".b[] is 1 and not ['string']",
    ]
