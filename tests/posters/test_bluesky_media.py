"""Pictures on Bluesky: each answer to an upload, what a record says of it, and what it never says.

What every network's poster does with a picture is in test_media.py.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import Card
from bot.posters.bluesky.records import Image, record, size_of
from bot.posters.poster import OutcomeKind, Poster, Upload
from tests.helpers.bluesky_poster import (
    CREATE,
    PUT,
    PUT_WELL,
    REFRESH,
    ROOT,
    asked,
    error,
    opened,
    poster,
    route,
    server,
    session,
)
from tests.helpers.bluesky_record_check import check_record
from tests.helpers.http_server import HttpServer, Reply, Request
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

__all__ = ["opened", "poster", "server"]  # fixtures

UPLOAD = "com.atproto.repo.uploadBlob"
BLOB = "bafkreidlkmvevkgntgitrux3bj6mccrv3izlc7546x5lp46u5goi6b36cu"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
ALT = "A chart: 1. Émile's paper"


def png(width: int, height: int) -> bytes:
    """The beginning of a PNG, as far as its height."""
    sides = width.to_bytes(4) + height.to_bytes(4)
    return SIGNATURE + (13).to_bytes(4) + b"IHDR" + sides


PICTURE = Upload(png(1200, 675), "image/png", ALT)
NAMED = {"$type": "blob", "ref": {"$link": BLOB}, "mimeType": "image/png", "size": 24}
UPLOADED = json_reply({"blob": NAMED})
SHAPED = {"alt": ALT, "image": NAMED, "aspectRatio": {"width": 1200, "height": 675}}


def put(server: HttpServer) -> Mapping[str, object]:
    """The record of the last post that was asked for."""
    last = [each for each in server.requests if each.path == f"/xrpc/{PUT}"][-1]
    value = json.loads(last.body)["record"]
    assert isinstance(value, dict)
    return value


# -- what became of an upload ----------------------------------------------------------------------

BODILESS = (204, 304)
EVERY: Mapping[int, Expected] = {
    **dict.fromkeys((301, 302, 307, 308), ADDRESS),
    **dict.fromkeys((400, 403, 404, 413, 422), CONTENT),
    401: CREDENTIALS,
    402: LATER,
    429: LATER,
}


NEW_PASSWORD = "Make an app password in the account's settings"
LOG_IN = "Log in to the account in Bluesky's app"


def test_each_status_has_its_meaning(server: HttpServer, poster: Poster) -> None:
    for status in range(200, 600):
        body = b"" if status in BODILESS else b'{"error": "InvalidRequest", "message": "Words."}'
        route(server, UPLOAD, raw_reply(status, body, {"Location": "https://moved.example/"}))
        outcome = poster.upload(PICTURE)
        assert sort_and_refusal(outcome) == EVERY.get(status, UNKNOWN), f"{status}: {outcome}"
        assert str(status) in outcome.reason
        assert (outcome.id, outcome.until, outcome.cost) == ("", None, Decimal(0))
    assert asked(server) == [CREATE, *[UPLOAD] * 400]


@pytest.mark.parametrize(
    ("reply", "expected", "words", "fix"),
    [
        (error(400, "InvalidMimeType", "Referenced"), CONTENT, "not take this picture", ""),
        (error(413, "PayloadTooLarge", "request entity too large"), CONTENT, "too large", ""),
        (error(403, "Forbidden"), CONTENT, "does not allow this upload", ""),
        (error(401, "AuthenticationRequired"), CREDENTIALS, "app password", NEW_PASSWORD),
        (error(401, "Unheard"), CREDENTIALS, "not accept the account's tokens", NEW_PASSWORD),
        (error(401, "AccountTakedown"), CREDENTIALS, "may not post", LOG_IN),
        (error(400, "AccountDeactivated"), CREDENTIALS, "may not post", LOG_IN),
        (error(403, "AccountSuspended"), CREDENTIALS, "may not post", LOG_IN),
        (error(500, "InternalServerError"), UNKNOWN, "not known", ""),
        (error(502, "UpstreamFailure"), UNKNOWN, "not known", ""),
    ],
)
def test_a_refusal_is_told_in_the_server_s_words(  # noqa: PLR0913, PLR0917 - a row of the table
    server: HttpServer, poster: Poster, reply: Reply, expected: Expected, words: str, fix: str
) -> None:
    route(server, UPLOAD, reply)
    outcome = poster.upload(PICTURE)
    assert sort_and_refusal(outcome) == expected
    assert outcome.reason.startswith("Bluesky answers ")
    assert words in outcome.reason
    assert outcome.fix.startswith(fix)
    assert bool(outcome.fix) is bool(fix)


def test_a_limit_says_until_when(server: HttpServer, poster: Poster) -> None:
    reset = {"ratelimit-reset": str(int(NOW.timestamp()) + 3589)}
    route(server, UPLOAD, json_reply({"error": "RateLimitExceeded"}, 429, reset))
    outcome = poster.upload(PICTURE)
    assert sort_and_refusal(outcome) == LATER
    assert outcome.until == NOW + timedelta(seconds=3589)


def test_a_lost_answer_is_unknown_and_the_next_upload_is_another(
    server: HttpServer, poster: Poster
) -> None:
    route(server, UPLOAD, Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", raw=True))
    lost = poster.upload(PICTURE)
    assert (sort_and_refusal(lost), lost.id) == (UNKNOWN, "")
    route(server, UPLOAD, UPLOADED)
    assert poster.upload(PICTURE).sort is OutcomeKind.SENT


@pytest.mark.parametrize("name", ["ExpiredToken", "InvalidToken", "AuthMissing"])
def test_a_worn_out_token_is_renewed_once_and_the_same_bytes_go_again(
    server: HttpServer, poster: Poster, name: str
) -> None:
    route(server, UPLOAD, error(400, name), UPLOADED)
    route(server, REFRESH, json_reply(session(accessJwt="bbb", refreshJwt="sss")))
    assert sort_and_refusal(poster.upload(PICTURE)) == SENT
    assert asked(server) == [CREATE, UPLOAD, REFRESH, UPLOAD]
    first, _, second = server.requests[1:]
    assert first.body == second.body == PICTURE.data
    tokens = [each.headers["authorization"] for each in (first, second)]
    assert tokens == ["Bearer aaa", "Bearer bbb"]


def test_one_that_stays_worn_out_is_not_renewed_for_ever(
    server: HttpServer, poster: Poster
) -> None:
    route(server, UPLOAD, error(400, "ExpiredToken"))
    route(server, REFRESH, json_reply(session(accessJwt="bbb")))
    assert sort_and_refusal(poster.upload(PICTURE)) == CREDENTIALS
    assert asked(server) == [CREATE, UPLOAD, REFRESH, UPLOAD]


@pytest.mark.parametrize(("status", "expected"), [(401, CREDENTIALS), (503, LATER), (429, LATER)])
def test_without_a_session_nothing_is_uploaded(
    server: HttpServer, poster: Poster, status: int, expected: Expected
) -> None:
    route(server, CREATE, error(status, "AuthenticationRequired" if status == 401 else "No"))
    outcome = poster.upload(PICTURE)
    assert sort_and_refusal(outcome) == expected
    assert "nothing was sent" in outcome.reason
    assert UPLOAD not in asked(server)


def changed(**changes: object) -> dict[str, object]:
    return {"blob": NAMED | changes}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "blob",
        {},
        {"blob": None},
        {"blob": BLOB},
        changed(ref=None),
        changed(ref=BLOB),
        changed(ref={"$link": ""}),
        changed(ref={"$link": "../../x"}),
        changed(ref={"$link": 7}),
        changed(mimeType=None),
        changed(mimeType=""),
        changed(mimeType="image"),
        changed(mimeType="image/png\ud800"),
        changed(size=None),
        changed(size="24"),
        changed(size=True),
        changed(size=-1),
        changed(size=24.0),
        changed(size=float("nan")),
    ],
)
def test_an_answer_without_a_whole_blob_is_no_upload(
    server: HttpServer, poster: Poster, answer: object
) -> None:
    route(server, UPLOAD, json_reply(answer))
    outcome = poster.upload(PICTURE)
    assert (sort_and_refusal(outcome), outcome.id) == (UNKNOWN, "")
    assert "answers 200, and not with an upload" in outcome.reason


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_no_upload(server: HttpServer, poster: Poster, body: bytes) -> None:
    route(server, UPLOAD, raw_reply(200, body))
    assert sort_and_refusal(poster.upload(PICTURE)) == UNKNOWN


# -- what is sent ----------------------------------------------------------------------------------


def test_the_bytes_go_as_they_are_and_as_what_they_are(server: HttpServer, poster: Poster) -> None:
    route(server, UPLOAD, UPLOADED)
    large = replace(PICTURE, data=PICTURE.data + bytes(range(256)) * 4096)
    outcome = poster.upload(large)
    assert (sort_and_refusal(outcome), outcome.ready, outcome.flaw, outcome.cost) == (
        SENT,
        True,
        "",
        Decimal(0),
    )
    sent = server.requests[-1]
    assert (sent.method, sent.path, sent.body) == ("POST", f"/xrpc/{UPLOAD}", large.data)
    assert sent.headers["content-type"] == "image/png"
    assert sent.headers["authorization"] == "Bearer aaa"


def test_the_record_names_the_blob_its_words_and_its_shape(
    server: HttpServer, poster: Poster
) -> None:
    route(server, UPLOAD, json_reply({"blob": NAMED | {"planted": "by the server"}, "more": 1}))
    route(server, PUT, PUT_WELL)
    outcome = poster.publish(replace(ROOT, media=(poster.upload(PICTURE).id,)))
    assert (outcome.sort, outcome.bare) == (OutcomeKind.SENT, "")
    assert put(server)["embed"] == {"$type": "app.bsky.embed.images", "images": [SHAPED]}


def test_the_same_bytes_uploaded_twice_are_two_uploads_of_one_record(
    server: HttpServer, poster: Poster
) -> None:
    route(server, UPLOAD, UPLOADED)
    route(server, PUT, PUT_WELL)
    first, second = poster.upload(PICTURE).id, poster.upload(PICTURE).id
    assert first != second
    for each in (first, second):
        assert poster.media_ready(each).id == each
        poster.publish(replace(ROOT, media=(each,)))
    bodies = [each.body for each in server.requests if each.path == f"/xrpc/{PUT}"]
    assert bodies[0] == bodies[1]


@pytest.mark.parametrize("media", ["", "1", BLOB, f"{BLOB}.1", "\ud800\n"])
def test_what_was_not_uploaded_is_not_ready_and_is_missed(
    server: HttpServer, poster: Poster, media: str
) -> None:
    route(server, UPLOAD, UPLOADED)
    route(server, PUT, PUT_WELL)
    mine = poster.upload(PICTURE).id
    ready = poster.media_ready(media)
    assert sort_and_refusal(ready) == CONTENT
    assert "is no upload" in ready.reason
    assert "\n" not in ready.reason
    outcome = poster.publish(replace(ROOT, media=(media, mine)))
    assert (outcome.sort, outcome.bare) == (OutcomeKind.SENT, "1 of 2 media are missing")
    assert put(server)["embed"] == {"$type": "app.bsky.embed.images", "images": [SHAPED]}


def test_a_post_without_its_only_picture_shows_its_card(server: HttpServer, poster: Poster) -> None:
    route(server, PUT, PUT_WELL)
    card = Card("https://arxiv.org/abs/1", "Title", "Words")
    outcome = poster.publish(replace(ROOT, media=("none",), card=card))
    assert outcome.bare == "1 of 1 media are missing"
    embed = put(server)["embed"]
    assert isinstance(embed, dict)
    assert embed["$type"] == "app.bsky.embed.external"


@pytest.mark.parametrize("media", [True, False])
def test_a_blob_that_is_gone_is_a_refusal_of_this_post_and_so_ends(
    server: HttpServer,
    poster: Poster,
    media: bool,  # noqa: FBT001 - a table's column
) -> None:
    route(server, UPLOAD, UPLOADED)
    route(server, PUT, error(400, "BlobNotFound", f"Could not find blob: {BLOB}"))
    mine = (poster.upload(PICTURE).id,) if media else ()
    for _ in range(2):
        outcome = poster.publish(replace(ROOT, media=mine))
        assert (sort_and_refusal(outcome), outcome.until) == (CONTENT, None)
        assert "Could not find blob" in outcome.reason


def test_a_blob_that_is_gone_may_be_uploaded_again(server: HttpServer, poster: Poster) -> None:
    route(server, UPLOAD, UPLOADED)
    route(server, PUT, error(400, "BlobNotFound"), PUT_WELL)
    assert (
        sort_and_refusal(poster.publish(replace(ROOT, media=(poster.upload(PICTURE).id,))))
        == CONTENT
    )
    assert (
        sort_and_refusal(poster.publish(replace(ROOT, media=(poster.upload(PICTURE).id,)))) == SENT
    )
    first, second = (each for each in server.requests if each.path == f"/xrpc/{PUT}")
    assert first.body == second.body


# -- secrets ---------------------------------------------------------------------------------------


def test_neither_tokens_nor_the_picture_are_shown(
    server: HttpServer, poster: Poster, caplog: pytest.LogCaptureFixture
) -> None:
    token = "token-of-the-session-0123"
    route(server, CREATE, json_reply(session(accessJwt=token)))

    def echo(request: Request) -> Reply:
        return error(400, "InvalidRequest", f"{request.headers['authorization']} was no good")

    route(server, UPLOAD, echo)
    secret = replace(PICTURE, data=PICTURE.data + b"planted-bytes")
    with caplog.at_level(logging.DEBUG):
        outcome = poster.upload(secret)
    assert outcome.reason.startswith("Bluesky answers 400 (Bearer *** was no good)")
    for text in (caplog.text, repr(outcome), repr(secret)):
        assert token not in text
        assert "planted-bytes" not in text


# -- the shape of a picture ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(1, 1), (1, 1)),
        (png(1200, 675) + b"more", (1200, 675)),
        (png(2**31 - 1, 2**31 - 1), (2**31 - 1, 2**31 - 1)),
        (png(2**31, 1), None),
        (png(1, 2**32 - 1), None),
        (png(0, 1), None),
        (png(1, 0), None),
        (png(1, 1)[:-1], None),
        (SIGNATURE, None),
        (SIGNATURE + b"\0" * 40, None),
        (SIGNATURE + b"any sixteen bytes and more", None),
        (b"GIF89a" + png(1, 1)[6:], None),
        (b"", None),
    ],
)
def test_a_size_is_that_of_a_png_s_header(data: bytes, size: tuple[int, int] | None) -> None:
    assert size_of(data) == size


@given(st.binary(max_size=40), st.booleans())
def test_no_bytes_make_a_record_that_the_lexicon_refuses(data: bytes, begun: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    beginning = png(1, 1)[:16] if begun else b""
    image = Image({**NAMED}, ALT, size_of(beginning + data))
    made = record(ROOT, None, None, [image])
    check_record(made)
    assert ("aspectRatio" in image.value()) == (size_of(beginning + data) is not None)
