"""What the stand-in takes for a record, in our own cases: each was tried on a real PDS."""

from __future__ import annotations

import pytest

from bot.sandbox.bluesky.cbor import Data
from bot.sandbox.bluesky.formats import FORMATS
from bot.sandbox.bluesky.kinds import Named
from bot.sandbox.bluesky.lexicons import POST, PROFILE, SCHEMA
from bot.sandbox.bluesky.schema import Invalid
from tests.helpers.bluesky_posts import (
    CID,
    FACET,
    FILE,
    HELLO,
    REF,
    TAKEN,
    URI,
    card,
    facet,
    images,
    labelled,
)

# -- records, as @atproto/pds 0.5.35 took or refused them, 2026-11-20 ------------------------------


@pytest.mark.parametrize("changes", TAKEN, ids=lambda each: str(each)[:60])
def test_a_post_is_let_through(changes: dict[str, Data]) -> None:
    SCHEMA.check({**HELLO, **changes}, Named(POST))


def refused(value: Data, name: str = POST) -> str:
    with pytest.raises(Invalid) as caught:
        SCHEMA.check(value, Named(name), "$.record")
    return str(caught.value)


REFUSED: list[tuple[dict[str, Data], str]] = [
    ({"text": "a" * 301}, "grapheme too big (maximum 300, got 301) at $.record.text"),
    (
        {"text": "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 121},
        "string too big (maximum 3000, got 3025) at $.record.text",
    ),
    ({"text": 5}, "Expected string value type (got 5) at $.record.text"),
    ({"createdAt": "yesterday"}, 'Invalid datetime (got "yesterday") at $.record.createdAt'),
    (
        {"createdAt": "2026-03-01T12:00:00"},
        'Invalid datetime (got "2026-03-01T12:00:00") at $.record.createdAt',
    ),
    ({"langs": ["en"] * 4}, "array too big (maximum 3, got 4) at $.record.langs"),
    ({"langs": ["e!"]}, 'Invalid language (got "e!") at $.record.langs[0]'),
    ({"langs": "en"}, 'Expected array value type (got "en") at $.record.langs'),
    ({"tags": ["a"] * 9}, "array too big (maximum 8, got 9) at $.record.tags"),
    ({"reply": None}, "Expected object value type (got null) at $.record.reply"),
    ({"reply": {"root": REF}}, 'Missing required key "parent" at $.record.reply'),
    (
        {"reply": {"root": REF, "parent": {"uri": "x", "cid": "y"}}},
        'Invalid at-uri (got "x") at $.record.reply.parent.uri',
    ),
    (
        {"reply": {"root": REF, "parent": {"uri": URI, "cid": "y"}}},
        'Invalid CID string (got "y") at $.record.reply.parent.cid',
    ),
    (
        facet(byteStart=-1),
        "integer too small (minimum 0, got -1) at $.record.facets[0].index.byteStart",
    ),
    (
        facet(byteStart="0"),
        'Expected integer value type (got "0") at $.record.facets[0].index.byteStart',
    ),
    (
        facet(byteStart=True),
        "Expected integer value type (got true) at $.record.facets[0].index.byteStart",
    ),
    (
        facet(byteStart=2**53),
        f"Expected integer value type (got {2**53}) at $.record.facets[0].index.byteStart",
    ),
    (
        {"facets": [{"index": {"byteStart": 0}, "features": []}]},
        'Missing required key "byteEnd" at $.record.facets[0].index',
    ),
    (
        {"facets": [{"index": {"byteStart": 0, "byteEnd": 5}}]},
        'Missing required key "features" at $.record.facets[0]',
    ),
    (
        facet({"$type": f"{FACET}#link", "uri": "not a uri"}),
        'Invalid uri (got "not a uri") at $.record.facets[0].features[0].uri',
    ),
    (
        facet({"uri": "https://a.b"}),
        (
            'Expected an object which includes the "$type" property value type (got {"uri": ...})'
            " at $.record.facets[0].features[0]"
        ),
    ),
    (
        facet({"$type": 5}),
        "Expected string value type (got 5) at $.record.facets[0].features[0].$type",
    ),
    (
        facet({"$type": f"{FACET}#tag", "tag": "a" * 65}),
        "grapheme too big (maximum 64, got 65) at $.record.facets[0].features[0].tag",
    ),
    (
        facet({"$type": f"{FACET}#mention", "did": "nodid"}),
        'Invalid DID (got "nodid") at $.record.facets[0].features[0].did',
    ),
    (
        {"facets": [{"$type": "x.y.z", "index": 1, "features": 1}]},
        'Expected "app.bsky.richtext.facet" (got "x.y.z") at $.record.facets[0].$type',
    ),
    (
        {"embed": {}},
        (
            'Expected an object which includes the "$type" property value type (got {})'
            " at $.record.embed"
        ),
    ),
    (
        {
            "embed": {
                "$type": "app.bsky.embed.external",
                "external": {"uri": "https://a.b", "title": ""},
            }
        },
        'Missing required key "description" at $.record.embed.external',
    ),
    (
        card(thumb={**FILE, "size": 1_000_001}),
        "blob too big (maximum 1000000, got 1000001) at $.record.embed.external.thumb",
    ),
    (
        images({**FILE, "mimeType": "text/plain"}),
        'Expected "image/*" (got "text/plain") at $.record.embed.images[0].image.mimeType',
    ),
    (
        images({"cid": CID, "mimeType": "image/png"}),
        (
            'Expected blob value type (got {"cid": ..., "mimeType": ...})'
            " at $.record.embed.images[0].image"
        ),
    ),
    (images(number=5), "array too big (maximum 4, got 5) at $.record.embed.images"),
    (images(alt=None), "Expected string value type (got null) at $.record.embed.images[0].alt"),
    (
        images(aspectRatio={"width": 0, "height": 1}),
        "integer too small (minimum 1, got 0) at $.record.embed.images[0].aspectRatio.width",
    ),
    (
        labelled(*[{"val": "a"}] * 11),
        "array too big (maximum 10, got 11) at $.record.labels.values",
    ),
]


@pytest.mark.parametrize(("changes", "reason"), REFUSED, ids=lambda each: str(each)[:60])
def test_a_post_is_refused(changes: dict[str, Data], reason: str) -> None:
    assert refused({**HELLO, **changes}) == reason


def test_what_is_missing_is_named_in_the_lexicons_order() -> None:
    assert refused({}) == 'Missing required key "text" at $.record'
    assert refused({"text": ""}) == 'Missing required key "createdAt" at $.record'
    assert refused([]) == "Expected object value type (got []) at $.record"


def test_a_picture_of_oneself_is_of_two_types() -> None:
    SCHEMA.check({"avatar": FILE}, Named(PROFILE))
    wanted = 'Expected one of "image/png" or "image/jpeg" (got "image/webp")'
    webp: Data = {**FILE, "mimeType": "image/webp"}
    assert refused({"avatar": webp}, PROFILE) == f"{wanted} at $.record.avatar.mimeType"


# -- formats ---------------------------------------------------------------------------------------

GOOD = {
    "at-identifier": ["did:plc:abc", "sandbox.example.org"],
    "at-uri": [URI, "at://did:plc:abc", "at://a.example.org/a.b.c", "at://did:web:a/a.b.c/self."],
    "cid": [CID],
    "datetime": [
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00.1234567890+01:45",
        "0985-04-12T23:20:50.123-07:00",
    ],
    "did": ["did:plc:abc", "did:web:a.b%3A80", "did:x:a.b-c_d:e"],
    "handle": ["a.b", "A-b.c-d.Ex-ample", f"{'a' * 63}.org"],
    "language": [
        "en",
        "pt-BR",
        "zh-Hant-TW",
        "i-klingon",
        "x-mine",
        "de-CH-1901",
        "en-u-co-phonebk-x-a",
    ],
    "nsid": ["a.b.c", "com.example.fooBar", "com.exa-mple.foo2"],
    "record-key": ["self", "a", "~1.2-3_:", "...", "a" * 512],
    "tid": ["3jzfcijpj2z2a", "j222222222222"],
    "uri": ["https://example.org/a?b#c", "mailto:a@b", "at://x"],
}
BAD = {
    "at-identifier": ["", "did:plc:", "name", "did:", "@a.b"],
    "at-uri": [
        "at://name",
        "at:/did:plc:abc",
        f"{URI}/",
        f"{URI}#a",
        "at://did:plc:abc/short/a",
        "at://did:plc:abc/a.b.c/.",
        "at://did:plc:abc/a.b.c/a/b",
        f"at://did:plc:{'a' * 8200}",
    ],
    "cid": ["", "x", CID[:-1]],
    "datetime": [
        "2026-03-01",
        "2026-03-01T12:00Z",
        "2026-03-01T12:00:00z",
        "2026-02-30T12:00:00Z",
        "2026-03-01T12:00:00-00:00",
        "2026-03-01T12:00:60Z",
        "2026-03-01T12:00:00+0100",
        f"2026-03-01T12:00:00.{'0' * 64}Z",
    ],
    "did": ["did", "DID:plc:a", "did:PLC:a", "did:plc:a:", "did:plc:a#b", f"did:plc:{'a' * 2048}"],
    "handle": ["a", "a..b", "-a.b", "a-.b", "a.1b", "a_b.c", f"{'a' * 64}.org", f"{'a.' * 126}bcd"],
    "language": ["", "e", "123", "EN", "english", "de-419-DE", "de-1901-1901", "en-a-foo-A-bar"],
    "nsid": ["a.b", "1a.b.c", "a.b.1c", "a.b.c-d", "a..c", f"{'a.' * 160}b"],
    "record-key": ["", ".", "..", "a b", "a/b", "é", "a" * 513],
    "tid": ["", "3jzfcijpj2z2", "3jzfcijpj2z21", "kjzfcijpj2z2a", "zzzzzzzzzzzzz"],
    "uri": ["", "example.org", "https://", "https:// a", "not a uri"],
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_told_from_what_is_none(name: str) -> None:
    assert [text for text in GOOD[name] if not FORMATS[name](text)] == []
    assert [text for text in BAD[name] if FORMATS[name](text)] == []
