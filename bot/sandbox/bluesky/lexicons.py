"""Check a post as a server does, by the lexicon app.bsky.feed.post, as far as bots use it. Pure.

The limits are from https://github.com/bluesky-social/atproto/tree/main/lexicons, read in August
2026. Unknown fields and records of other kinds are not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from bot.formatter.limits import bluesky_length
from bot.sandbox.wire import Json

POST = "app.bsky.feed.post"
PROFILE = "app.bsky.actor.profile"
TID = re.compile(r"[234567a-j][234567a-z]{12}")
URI = re.compile(r"\w+:(?://)?[^\s/]\S*", re.ASCII)
LANGUAGE = re.compile(
    "[a-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?(?:-[A-Za-z0-9]{4,8})*"
)
_AT_URI = re.compile(r"at://[^/\s]+/[^/\s]+/[^/\s]+")
_CID = re.compile("b[a-z2-7]{58}")
_TIME = re.compile(
    r"\d{4}-(?:0\d|1[0-2])-[0-3]\dT(?:[01]\d|2[0-3])(?::[0-5]\d){2}(?:\.\d{1,20})?"
    r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_EMBED = "app.bsky.embed."
_FACET = "app.bsky.richtext.facet#"
_LARGEST_IMAGE, _LARGEST_THUMB = 2_000_000, 1_000_000


class Invalid(Exception):
    """Raised for a record that does not follow its lexicon. Names the place, such as `$.text`."""


def check_post(record: Json, where: str = "$") -> None:
    """Raise Invalid for a post that a server refuses. Messages are those of @atproto/lex-schema."""
    post = _map(record, where)
    _check_text(post, "text", where, most=3000, graphemes=300)
    _match(post, "createdAt", _TIME, "datetime", where)
    for each, at in _items(post, "langs", where, most=3):
        if not (isinstance(each, str) and LANGUAGE.fullmatch(each)):
            raise Invalid(f'Invalid language (got "{each}") at {at}')
    for each, at in _items(post, "facets", where):
        _check_facet(_map(each, at), at)
    if "reply" in post:
        reply = _map(post["reply"], f"{where}.reply")
        for name in ("root", "parent"):
            at = f"{where}.reply.{name}"
            ref = _map(_needed(reply, name, f"{where}.reply"), at)
            _match(ref, "uri", _AT_URI, "at-uri", at)
            _match(ref, "cid", _CID, "CID string", at)
    if "embed" in post:
        _check_embed(_map(post["embed"], f"{where}.embed"), f"{where}.embed")


def _check_facet(facet: Mapping[str, Json], where: str) -> None:
    index = _map(_needed(facet, "index", where), f"{where}.index")
    for name in ("byteStart", "byteEnd"):
        _check_number(index, name, 0, f"{where}.index")
    _needed(facet, "features", where)
    for each, at in _items(facet, "features", where):
        feature = _map(each, at)
        kind = _text(feature, "$type", at)
        if kind == f"{_FACET}link":
            _match(feature, "uri", URI, "uri", at)
        elif kind == f"{_FACET}tag":
            _check_text(feature, "tag", at, most=640, graphemes=64)


def _check_embed(embed: Mapping[str, Json], where: str) -> None:
    kind = _text(embed, "$type", where)
    if kind == f"{_EMBED}external":
        at = f"{where}.external"
        card = _map(_needed(embed, "external", where), at)
        _match(card, "uri", URI, "uri", at)
        for name in ("title", "description"):
            _text(card, name, at)
        if "thumb" in card:
            _check_image(card["thumb"], _LARGEST_THUMB, f"{at}.thumb")
    elif kind == f"{_EMBED}images":
        _needed(embed, "images", where)
        for each, at in _items(embed, "images", where, most=4):
            image = _map(each, at)
            _check_image(_needed(image, "image", at), _LARGEST_IMAGE, f"{at}.image")
            _text(image, "alt", at)
            if "aspectRatio" in image:
                shape = _map(image["aspectRatio"], f"{at}.aspectRatio")
                for name in ("width", "height"):
                    _check_number(shape, name, 1, f"{at}.aspectRatio")


def _check_image(value: Json, largest: int, where: str) -> None:
    found = blob_of(value)
    if found is None or not found[1].startswith("image/"):
        raise Invalid(f"Expected blob value type at {where}")
    if found[2] > largest:
        raise Invalid(f"blob too big (maximum {largest}, got {found[2]}) at {where}")


def blob_of(value: Json) -> tuple[str, str, int] | None:
    """Return a file's identifier, type and size if the value refers to a file, or None."""
    if not isinstance(value, Mapping) or value.get("$type") != "blob":
        return None
    ref, mime, size = value.get("ref"), value.get("mimeType"), value.get("size")
    cid = ref.get("$link") if isinstance(ref, Mapping) else None
    if not (isinstance(cid, str) and _CID.fullmatch(cid) and isinstance(mime, str)):
        return None
    return (cid, mime, size) if isinstance(size, int) and size >= 0 else None


def _needed(value: Mapping[str, Json], name: str, where: str) -> Json:
    if name not in value:
        raise Invalid(f'Missing required key "{name}" at {where}')
    return value[name]


def _map(value: Json, where: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise Invalid(f"Expected object value type at {where}")
    return value


def _items(
    value: Mapping[str, Json], name: str, where: str, most: int | None = None
) -> Iterator[tuple[Json, str]]:
    """Yield the items of a list, or nothing without one, and where each of them is."""
    items = value.get(name, ())
    if isinstance(items, str) or not isinstance(items, Sequence):
        raise Invalid(f"Expected array value type at {where}.{name}")
    if most is not None and len(items) > most:
        raise Invalid(f"array too big (maximum {most}, got {len(items)}) at {where}.{name}")
    return ((each, f"{where}.{name}[{index}]") for index, each in enumerate(items))


def _text(value: Mapping[str, Json], name: str, where: str) -> str:
    text = _needed(value, name, where)
    if not isinstance(text, str):
        raise Invalid(f"Expected string value type at {where}.{name}")
    return text


def _match(
    value: Mapping[str, Json], name: str, form: re.Pattern[str], called: str, where: str
) -> None:
    text = _text(value, name, where)
    if not form.fullmatch(text):
        raise Invalid(f'Invalid {called} (got "{text}") at {where}.{name}')


def _check_text(
    value: Mapping[str, Json], name: str, where: str, *, most: int, graphemes: int
) -> None:
    text = _text(value, name, where)
    counts = {"string": (len(text.encode("utf-8", "replace")), most)}
    counts["grapheme"] = (bluesky_length(text), graphemes)
    for what, (count, limit) in counts.items():
        if count > limit:
            raise Invalid(f"{what} too big (maximum {limit}, got {count}) at {where}.{name}")


def _check_number(value: Mapping[str, Json], name: str, least: int, where: str) -> None:
    number = _needed(value, name, where)
    if isinstance(number, bool) or not isinstance(number, int):
        raise Invalid(f"Expected integer value type at {where}.{name}")
    if number < least:
        raise Invalid(f"integer too small (minimum {least}, got {number}) at {where}.{name}")
