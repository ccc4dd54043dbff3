"""The lexicons that this server knows, for posts and profiles.

The limits are from https://github.com/bluesky-social/atproto/tree/main/lexicons, read in August
2026. Records of other kinds are not checked, as a PDS does with a lexicon that it does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.sandbox.bluesky.kinds import AnyOf, BlobKind, Fields, Kind, Many, Named, Text, Whole
from bot.sandbox.bluesky.schema import Schema

POST = "app.bsky.feed.post"
PROFILE = "app.bsky.actor.profile"
_EMBED = "app.bsky.embed"
_FACET = "app.bsky.richtext.facet"
_LABELS = "com.atproto.label.defs"

_DATE, _URI = Text("datetime"), Text("uri")
_STRONG = Named("com.atproto.repo.strongRef")
_LABELLED = AnyOf((f"{_LABELS}#selfLabels",))
_INDEX = Whole(0)
_PICTURE = BlobKind(("image/png", "image/jpeg"), 1_000_000)
_TAG = Text(most=640, graphemes=64)

_MEDIA = ("images", "video", "gallery", "external")
_SHAPE = Named(f"{_EMBED}.defs#aspectRatio")
_ANY_PICTURE = BlobKind(("image/*",), 2_000_000)

_POST: Mapping[str, Kind] = {
    "text": Text(most=3000, graphemes=300),
    "entities": Many(Named(f"{POST}#entity")),
    "facets": Many(Named(_FACET)),
    "reply": Named(f"{POST}#replyRef"),
    "embed": AnyOf(tuple(f"{_EMBED}.{name}" for name in (*_MEDIA, "record", "recordWithMedia"))),
    "langs": Many(Text("language"), 3),
    "labels": _LABELLED,
    "tags": Many(_TAG, 8),
    "createdAt": _DATE,
}
_PROFILE: Mapping[str, Kind] = {
    "displayName": Text(most=640, graphemes=64),
    "description": Text(most=2560, graphemes=256),
    "pronouns": Text(most=200, graphemes=20),
    "website": _URI,
    "avatar": _PICTURE,
    "banner": _PICTURE,
    "labels": _LABELLED,
    "joinedViaStarterPack": _STRONG,
    "pinnedPost": _STRONG,
    "createdAt": _DATE,
}
_EXTERNAL: Mapping[str, Kind] = {
    "uri": _URI,
    "title": Text(),
    "description": Text(),
    "thumb": BlobKind(("image/*",), 1_000_000),
    "associatedRefs": Many(_STRONG),
}
_VIDEO: Mapping[str, Kind] = {
    "video": BlobKind(("video/mp4",), 300_000_000),
    "captions": Many(Named(f"{_EMBED}.video#caption"), 20),
    "alt": Text(),
    "aspectRatio": _SHAPE,
    "presentation": Text(),
}
_IMAGE: Mapping[str, Kind] = {"image": _ANY_PICTURE, "alt": Text(), "aspectRatio": _SHAPE}


def _all(**kinds: Kind) -> Fields:
    return Fields(kinds, tuple(kinds))


_POSTS: Mapping[str, Kind] = {
    POST: Fields(_POST, ("text", "createdAt")),
    f"{POST}#entity": _all(index=Named(f"{POST}#textSlice"), type=Text(), value=Text()),
    f"{POST}#textSlice": _all(start=_INDEX, end=_INDEX),
    f"{POST}#replyRef": _all(root=_STRONG, parent=_STRONG),
    _FACET: _all(
        index=Named(f"{_FACET}#byteSlice"),
        features=Many(AnyOf(tuple(f"{_FACET}#{name}" for name in ("mention", "link", "tag")))),
    ),
    f"{_FACET}#byteSlice": _all(byteStart=_INDEX, byteEnd=_INDEX),
    f"{_FACET}#mention": _all(did=Text("did")),
    f"{_FACET}#link": _all(uri=_URI),
    f"{_FACET}#tag": _all(tag=_TAG),
}
_EMBEDS: Mapping[str, Kind] = {
    f"{_EMBED}.images": _all(images=Many(Named(f"{_EMBED}.images#image"), 4)),
    f"{_EMBED}.images#image": Fields(_IMAGE, ("image", "alt")),
    _SHAPE.name: _all(width=Whole(1), height=Whole(1)),
    f"{_EMBED}.external": _all(external=Named(f"{_EMBED}.external#external")),
    f"{_EMBED}.external#external": Fields(_EXTERNAL, ("uri", "title", "description")),
    f"{_EMBED}.video": Fields(_VIDEO, ("video",)),
    f"{_EMBED}.video#caption": _all(lang=Text("language"), file=BlobKind(("text/vtt",), 20_000)),
    f"{_EMBED}.gallery": _all(items=Many(AnyOf((f"{_EMBED}.gallery#image",)), 20)),
    f"{_EMBED}.gallery#image": _all(image=_ANY_PICTURE, alt=Text(), aspectRatio=_SHAPE),
    f"{_EMBED}.record": _all(record=_STRONG),
    f"{_EMBED}.recordWithMedia": _all(
        record=Named(f"{_EMBED}.record"), media=AnyOf(tuple(f"{_EMBED}.{name}" for name in _MEDIA))
    ),
}
_OTHERS: Mapping[str, Kind] = {
    PROFILE: Fields(_PROFILE),
    _STRONG.name: _all(uri=Text("at-uri"), cid=Text("cid")),
    f"{_LABELS}#selfLabels": _all(values=Many(Named(f"{_LABELS}#selfLabel"), 10)),
    f"{_LABELS}#selfLabel": _all(val=Text(most=128)),
}

SCHEMA = Schema(MappingProxyType({**_POSTS, **_EMBEDS, **_OTHERS}))
