"""Posts for Bluesky's lexicon checks: one with a card, one with images, one with facets."""

from __future__ import annotations

from bot.sandbox.bluesky.cbor import Data
from bot.sandbox.bluesky.cids import Cid, Codec
from bot.sandbox.bluesky.lexicons import POST

CID = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
URI = "at://did:plc:abc/app.bsky.feed.post/3jui7kd54zh2y"
REF: dict[str, Data] = {"uri": URI, "cid": CID}
FILE: dict[str, Data] = {
    "$type": "blob",
    "ref": Cid.of(b"", Codec.RAW),
    "mimeType": "image/png",
    "size": 1,
}
HELLO: dict[str, Data] = {"$type": POST, "text": "hello", "createdAt": "2026-03-01T12:00:00.000Z"}
FACET = "app.bsky.richtext.facet"


def facet(feature: Data = None, **index: Data) -> dict[str, Data]:
    link: Data = {"$type": f"{FACET}#link", "uri": "https://example.org/"}
    return {
        "facets": [
            {"index": {"byteStart": 0, "byteEnd": 5, **index}, "features": [feature or link]}
        ]
    }


def images(image: Data = FILE, number: int = 1, **more: Data) -> dict[str, Data]:
    each: Data = {"image": image, "alt": "a", **more}
    return {"embed": {"$type": "app.bsky.embed.images", "images": [each] * number}}


def card(**fields: Data) -> dict[str, Data]:
    external: dict[str, Data] = {"uri": "https://example.org", "title": "t", "description": "d"}
    return {"embed": {"$type": "app.bsky.embed.external", "external": {**external, **fields}}}


def labelled(*values: Data) -> dict[str, Data]:
    return {"labels": {"$type": "com.atproto.label.defs#selfLabels", "values": list(values)}}


TAKEN: list[dict[str, Data]] = [
    {},
    {"text": ""},
    {"text": "e\u0301" * 300},
    {"text": "\U0001f469\u200d\U0001f52c" * 272},  # eleven bytes a grapheme
    {"nonsense": {"a": 1}},
    {"createdAt": "2026-03-01T12:00:00+00:00"},
    {"langs": ["en", "de-AT", "zh-Hant"]},
    {"tags": ["a" * 64] * 8},
    facet(),
    facet(byteStart=10, byteEnd=500),
    facet(byteStart=10, byteEnd=5),
    facet(byteEnd=2**53 - 1),
    facet({"$type": "com.example.foo#bar"}),
    facet({"$type": f"{FACET}#mention", "did": "did:plc:abc"}),
    {"reply": {"root": REF, "parent": REF}},
    card(),
    card(thumb={**FILE, "size": 1_000_000}),
    images(number=4),
    images(aspectRatio={"width": 3, "height": 1}),
    images({**FILE, "size": 2_000_000}),
    {"embed": {"$type": "com.example.x"}},
    {"embed": {"$type": "app.bsky.embed.record", "record": REF}},
    labelled({"val": "bot"}),
]
