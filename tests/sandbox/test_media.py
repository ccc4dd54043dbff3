"""Uploads to the stand-ins, by the real SDKs where they have a way, and by bare requests."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
import requests
import tweepy  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from mastodon import MastodonAPIError, MastodonNotFoundError

from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    MASTODON,
    SERVERS,
    SNAC2,
    MastodonBehaviour,
    MastodonLimits,
)
from bot.sandbox.multipart import parts
from bot.sandbox.uploads import Medium
from bot.sandbox.wire import Request
from bot.sandbox.x.behaviour import XBehaviour, XLimits
from tests.helpers.recorded_answers import API, differences, load, schema_errors, value_at
from tests.helpers.sample_png import ALT, PNG
from tests.helpers.sandbox_clients import (
    MastodonClient,
    XClient,
    mastodon_client,
    x_client,
)

FILE = {"file": ("picture.png", PNG, "image/png")}
MEDIA = "/api/v2/media"
shared_only = pytest.mark.skipif(
    not API.is_dir(), reason="the descriptions of the real services are not beside this clone"
)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


# -- forms that carry files ------------------------------------------------------------------------


def form(files: Mapping[str, tuple[str, bytes, str]], fields: Mapping[str, str]) -> Request:
    """What `requests` makes of them."""
    made = requests.Request("POST", "http://127.0.0.1/", files=files, data=fields).prepare()
    headers = {name.lower(): value for name, value in made.headers.items()}
    assert isinstance(made.body, bytes)
    return Request("POST", "/", "", headers, made.body)


@given(st.binary(max_size=300), st.text(max_size=40))
def test_a_form_is_read_as_it_was_written(data: bytes, text: str) -> None:
    found = parts(form({"file": ("a.png", data, "image/png")}, {"words": text}))
    assert found["file"].data == data
    assert found["file"].type == "image/png"
    assert found["words"].text.encode() == text.encode("utf-8", "replace")
    assert found["words"].type == ""


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"--a\r\n"),
        ("multipart/form-data; boundary=a", b""),
        ("multipart/form-data; boundary=a", b"--a--\r\n"),
        ("multipart/form-data; boundary=a", b"--a\r\nno name\r\n\r\nx\r\n--a--\r\n"),
        ("multipart/form-data; boundary=a", b'--a\r\nContent-Disposition: form-data; name="x"\r\n'),
    ],
)
def test_what_is_no_such_form_has_no_fields(kind: str, body: bytes) -> None:
    assert parts(Request("POST", "/", "", {"content-type": kind}, body)) == {}


# -- Mastodon --------------------------------------------------------------------------------------

Server = Callable[..., MastodonClient]


@pytest.fixture
def server(opened: ExitStack) -> Server:
    def start(behaviour: MastodonBehaviour = MASTODON, **changes: object) -> MastodonClient:
        changed = replace(behaviour, **changes)  # type: ignore[arg-type] # checked by each test
        return opened.enter_context(mastodon_client(changed))

    return start


def send(
    it: MastodonClient, files: object = None, description: str = ALT, token: str | None = None
) -> requests.Response:
    headers = {"Authorization": f"Bearer {it.rules.token if token is None else token}"}
    return it.session.post(
        it.sandbox.url("mastodon") + MEDIA,
        files=files or FILE,  # type: ignore[arg-type] # what requests takes is of many types
        data={"description": description},
        headers=headers,
        timeout=30,
    )


def upload(it: MastodonClient) -> str:
    answer = send(it)
    assert answer.status_code in (200, 202)
    return str(answer.json()["id"])


@pytest.mark.parametrize("behaviour", SERVERS, ids=lambda each: each.version.split()[0])
def test_a_file_is_uploaded_attached_and_shown(
    server: Server, behaviour: MastodonBehaviour
) -> None:
    it = server(behaviour)
    media_id = upload(it)
    kept = it.rules.uploads[media_id]
    assert kept == Medium(media_id, PNG, "image/png", it.clock.now, ALT)
    answer = it.call("POST", "/api/v1/statuses", json={"status": "See", "media_ids": [media_id]})
    (shown,) = answer.json()["media_attachments"]
    assert (shown["id"], shown["description"], shown["type"]) == (kept.id, ALT, "image")
    assert it.rules.live()[0].media == (kept.id,)
    assert it.rules.uploads[it.rules.live()[0].media[0]].alt == ALT


def test_the_sdk_uploads_too(server: Server) -> None:
    it = server()
    medium = it.client.media_post(PNG, "image/png", description=f" {ALT} ", focus=(0.0, 1.0))
    kept = it.rules.uploads[str(medium.id)]
    assert (kept.data, kept.type, kept.alt) == (PNG, "image/png", ALT)


def test_without_words_a_file_has_no_description(server: Server) -> None:
    it = server()
    answer = send(it, description="  ").json()
    assert answer["description"] is None
    bare = it.session.post(
        it.sandbox.url("mastodon") + MEDIA,
        files=FILE,
        headers={"Authorization": f"Bearer {it.rules.token}"},
        timeout=30,
    )
    assert bare.json()["description"] is None


@pytest.mark.parametrize(
    ("files", "description", "reason"),
    [
        ({"other": FILE["file"]}, "", "blank"),
        ({"file": ("a.pdf", b"%PDF-1.7", "application/pdf")}, "", "content type"),
        ({"file": ("a.png", b"GIF89a", "image/png")}, "", "content type"),
        ({"file": ("a.png", b"", "image/png")}, "", "content type"),
        ({"file": ("a.png", PNG + bytes(2000), "image/png")}, "", "too large"),
        (FILE, "a" * 1501, "Description is too long"),
    ],
)
def test_what_is_no_picture_for_it_is_a_422(
    server: Server, files: object, description: str, reason: str
) -> None:
    it = server(media_limit=2000)
    answer = send(it, files, description)
    assert answer.status_code == 422
    assert reason in answer.json()["error"]
    assert it.rules.uploads == {}


def test_a_token_without_the_scope_uploads_nothing(server: Server) -> None:
    it = server(uploads=False)
    assert send(it).status_code == 403
    assert send(it, token="wrong").status_code == 401
    assert it.rules.media == set()


def test_a_file_is_worked_on_before_it_can_be_attached(server: Server) -> None:
    it = server(processing=timedelta(seconds=30))
    answer = send(it)
    assert (answer.status_code, answer.json()["url"]) == (202, None)
    media_id = answer.json()["id"]
    asked = it.call("GET", f"/api/v1/media/{media_id}")
    assert (asked.status_code, asked.json()["url"]) == (206, None)
    with pytest.raises(MastodonAPIError) as caught:
        it.client.status_post("too early", media_ids=[media_id])
    assert caught.value.args[1] == 422
    assert "not finished processing" in caught.value.args[3]
    it.clock.advance(seconds=30)
    medium = it.client.media(media_id)
    assert (str(medium.id), medium.description) == (media_id, ALT)
    assert medium.url
    assert it.client.status_post("now", media_ids=[media_id]).media_attachments


def test_work_on_a_file_may_fail(server: Server) -> None:
    it = server(processing=timedelta(seconds=30), breaks_media=True)
    media_id = upload(it)
    assert it.call("GET", f"/api/v1/media/{media_id}").status_code == 206
    it.clock.advance(seconds=30)
    assert it.call("GET", f"/api/v1/media/{media_id}").status_code == 422


def test_only_what_waits_for_a_status_is_found(server: Server) -> None:
    it = server()
    with pytest.raises(MastodonNotFoundError):
        it.client.media("12")
    media_id = upload(it)
    assert it.call("GET", f"/api/v1/media/{media_id}").status_code == 200
    it.client.status_post("a", media_ids=[media_id])
    assert it.call("GET", f"/api/v1/media/{media_id}").status_code == 404


@pytest.mark.parametrize(
    ("behaviour", "status"), [(MASTODON, 422), (GOTOSOCIAL, 400), (SNAC2, 200)]
)
def test_a_file_is_for_one_status_and_must_be_known(
    server: Server, behaviour: MastodonBehaviour, status: int
) -> None:
    it = server(behaviour)
    media_id = upload(it)
    first = it.client.status_post("first", media_ids=[media_id])
    assert len(first.media_attachments) == 1
    for number, wrong in enumerate((media_id, "999")):
        form_of = {"status": f"wrong {number}", "media_ids[]": wrong}
        answer = it.call("POST", "/api/v1/statuses", data=form_of)
        assert answer.status_code == status
        if status == 200:
            assert answer.json()["media_attachments"] == []
    assert len(it.texts()) == (3 if status == 200 else 1)


def test_uploads_have_a_limit_of_their_own(server: Server) -> None:
    it = server(limits=MastodonLimits(uploads=2))
    answers = [send(it) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-RateLimit-Limit"] for answer in answers] == ["2"] * 3
    assert it.post("a status all the same")
    it.clock.advance(seconds=1800)
    assert send(it).status_code == 200


def test_the_server_tells_its_limits(server: Server) -> None:
    it = server(media_limit=10_000_000, description_limit=420)
    found = it.call("GET", "/api/v2/instance").json()["configuration"]["media_attachments"]
    assert (found["image_size_limit"], found["description_limit"]) == (10_000_000, 420)
    older = it.call("GET", "/api/v1/instance").json()["configuration"]["media_attachments"]
    assert older["image_size_limit"] == 10_000_000


@shared_only
@pytest.mark.parametrize("processing", [timedelta(0), timedelta(seconds=30)])
def test_a_file_is_what_the_description_says(server: Server, processing: timedelta) -> None:
    description = load(API / "mastodon" / "openapi.json")
    it = server(processing=processing)
    schema = {"$ref": "#/components/schemas/MediaAttachment"}
    answer = send(it)
    asked = it.call("GET", f"/api/v1/media/{answer.json()['id']}")
    for each in (answer, asked):
        assert list(schema_errors(each.json(), schema, description)) == []
    for path, method, status in (
        (MEDIA, "post", answer.status_code),
        ("/api/v1/media/{id}", "get", asked.status_code),
    ):
        assert value_at(description, "paths", path, method, "responses", str(status))


@shared_only
def test_a_file_is_shown_as_recorded(server: Server) -> None:
    page = load(API / "recorded" / "mastodonpy" / "media_decoded.json")
    posted = value_at(page, "test_media_post[False].yaml", 0, "body")
    it = server(processing=timedelta(seconds=30))
    answer = send(it)
    assert answer.status_code == value_at(page, "test_media_post[False].yaml", 0, "status", "code")
    assert list(differences(answer.json(), posted)) == []
    limit = value_at(page, "test_media_post[False].yaml", 0, "headers", "x-ratelimit-limit")
    assert answer.headers["X-RateLimit-Limit"] == limit


# -- X ---------------------------------------------------------------------------------------------

Network = Callable[..., XClient]
UPLOAD = "/2/media/upload"
METADATA = "/2/media/metadata"


@pytest.fixture
def network(opened: ExitStack) -> Network:
    def start(**changes: object) -> XClient:
        behaviour = XBehaviour(**changes)  # type: ignore[arg-type] # checked by each test
        return opened.enter_context(x_client(behaviour))

    return start


def encoded(data: bytes = PNG, **changes: str) -> dict[str, str]:
    media = base64.b64encode(data).decode()
    return {"media": media, "media_category": "tweet_image", "media_type": "image/png"} | changes


def words(media_id: str, text: object = ALT) -> dict[str, object]:
    return {"id": media_id, "metadata": {"alt_text": {"text": text}}}


def uploaded(it: XClient) -> str:
    answer = it.call("POST", UPLOAD, json=encoded())
    assert answer.status_code == 200
    return str(answer.json()["data"]["id"])


def test_x_takes_a_file_in_json_and_then_its_words(network: Network) -> None:
    it = network()
    answer = it.call("POST", UPLOAD, json=encoded()).json()["data"]
    media_id = answer["id"]
    assert answer == {
        "id": media_id,
        "media_key": f"3_{media_id}",
        "size": len(PNG),
        "expires_after_secs": 86400,
    }
    assert it.rules.uploads[media_id] == Medium(media_id, PNG, "image/png", it.clock.now)
    told = it.call("POST", METADATA, json=words(media_id))
    assert told.json()["data"]["id"] == media_id
    assert it.rules.uploads[media_id].alt == ALT
    post = it.client.create_tweet(text="See", media_ids=[media_id]).data["id"]
    read = it.call("GET", f"/2/tweets/{post}?tweet.fields=attachments").json()["data"]
    assert read["attachments"] == {"media_keys": [f"3_{media_id}"]}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (encoded(media_category="dm_video"), "media_category"),
        ({"media": "", "media_type": "image/png"}, "media_category"),
        (encoded(media="not base64!"), "not base64"),
        (encoded(b"%PDF"), "media type unrecognized"),
        (encoded(b""), "media type unrecognized"),
        (encoded(media_type="text/srt"), "media type unrecognized"),
        (encoded(PNG + bytes(2000)), "too large"),
        (None, "missing"),
    ],
)
def test_x_refuses_what_is_no_picture(network: Network, body: object, reason: str) -> None:
    it = network(media_limit=2000)
    answer = it.call("POST", UPLOAD, json=body)
    assert answer.status_code == 400
    assert reason in answer.text
    assert it.rules.uploads == {}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {"alt_text": None},
        {"alt_text": {"text": ""}},
        {"alt_text": {"text": 7}},
        {"alt_text": {"text": "a" * 1001}},
    ],
)
def test_x_refuses_words_that_are_none_or_too_many(network: Network, metadata: object) -> None:
    it = network()
    media_id = uploaded(it)
    answer = it.call("POST", METADATA, json={"id": media_id, "metadata": metadata})
    assert answer.status_code == 400
    assert it.rules.uploads[media_id].alt == ""


def test_x_knows_no_words_for_what_it_does_not_know(network: Network) -> None:
    it = network()
    assert it.call("POST", METADATA, json=words("12")).status_code == 400
    assert it.call("POST", METADATA, json=None).status_code == 400
    it.rules.media.add("7")  # as tests do that care for no upload
    assert it.client.create_tweet(text="a", media_ids=["7"]).data["id"]


def test_an_upload_to_x_expires(network: Network) -> None:
    it = network()
    media_id = uploaded(it)
    it.clock.advance(hours=23)
    assert it.call("POST", METADATA, json=words(media_id)).status_code == 200
    status = it.call("GET", f"{UPLOAD}?command=STATUS&media_id={media_id}").json()["data"]
    assert status["expires_after_secs"] == 3600
    it.clock.advance(hours=1)
    assert it.call("POST", METADATA, json=words(media_id)).status_code == 400
    with pytest.raises(tweepy.BadRequest):
        it.client.create_tweet(text="too late", media_ids=[media_id])
    assert it.texts() == []


@pytest.mark.parametrize(("breaks", "end"), [(False, "succeeded"), (True, "failed")])
def test_x_may_work_on_an_upload(network: Network, end: str, *, breaks: bool) -> None:
    it = network(processing=timedelta(seconds=5), breaks_media=breaks)
    media_id = uploaded(it)
    path = f"{UPLOAD}?command=STATUS&media_id={media_id}"
    found = it.call("GET", path).json()["data"]["processing_info"]
    assert found == {"state": "in_progress", "check_after_secs": 1}
    with pytest.raises(tweepy.BadRequest, match="media IDs are invalid"):
        it.client.create_tweet(text="too early", media_ids=[media_id])
    it.clock.advance(seconds=5)
    assert it.call("GET", path).json()["data"]["processing_info"] == {"state": end}
    if not breaks:
        assert it.client.create_tweet(text="now", media_ids=[media_id]).data["id"]


def test_x_may_publish_without_what_a_post_came_with(network: Network) -> None:
    it = network(loses_media=True)
    it.client.create_tweet(text="bare", media_ids=[uploaded(it)])
    assert it.rules.live()[0].media == ()


def test_uploads_to_x_are_signed_limited_and_their_words_are_billed(network: Network) -> None:
    it = network(limits=XLimits(upload=2))
    assert requests.post(it.sandbox.url("twitter") + UPLOAD, json={}, timeout=30).status_code == 401
    media_id = uploaded(it)
    assert it.rules.spent == 0
    it.call("POST", METADATA, json=words(media_id))
    assert str(it.rules.spent) == "0.005"
    assert it.call("POST", UPLOAD, json=encoded()).status_code == 200
    assert it.call("POST", UPLOAD, json=encoded()).status_code == 429


@shared_only
def test_an_upload_lives_as_long_as_was_recorded() -> None:
    path = API / "recorded" / "tweepy" / "testmediauploadpng.yaml"
    body = value_at(load(path), "interactions", 0, "response", "body", "string")
    assert json.loads(str(body))["expires_after_secs"] == 86400
    assert XBehaviour().media_expires.total_seconds() == 86400
