"""Return a post as X does: links as t.co, `&`, `<` and `>` escaped, fields on request."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from hashlib import sha256

from bot.formatter.x.entities import EntityKind, entities
from bot.sandbox.service import Stored
from bot.sandbox.wire import Json
from bot.sandbox.x.behaviour import FieldNames

_SLUG = 10
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DISPLAYED = 26


@dataclass(frozen=True, slots=True)
class Shown:
    """A text as X returns it, and its links, with positions in that text in code points."""

    text: str
    urls: tuple[Mapping[str, Json], ...]


def trimmed(text: str) -> str:
    """Return a text as X stores it: NFC, without white space at its ends."""
    return unicodedata.normalize("NFC", text).strip()


def shown(post: Stored) -> Shown:
    """Return the post's text and links as X does, with the link of its media at the end."""
    whole, text, at = trimmed(post.text), "", 0
    links: list[Mapping[str, Json]] = []

    def add(number: int, expanded: str, display: str, **more: Json) -> None:
        nonlocal text
        short = _short(post.id, number)
        place: dict[str, Json] = {"start": len(text), "end": len(text) + len(short), "url": short}
        links.append(place | {"expanded_url": expanded, "display_url": display} | more)
        text += short

    urls = (each for each in entities(whole) if each.kind is EntityKind.URL)
    for number, url in enumerate(urls):
        text += _escaped(whole[at : url.start])
        bare = (url.text.partition("://")[2] or url.text).removeprefix("www.")
        display = bare if len(bare) <= _DISPLAYED else f"{bare[:_DISPLAYED]}…"
        add(number, url.text if "://" in url.text else f"http://{url.text}", display)
        at = url.end
    text += _escaped(whole[at:])
    if post.media:
        text += " " if text else ""
        page = f"https://x.com/sandbox/status/{post.id}/photo/1"
        add(-1, page, "pic.x.com/sandbox", media_key=f"3_{post.media[0]}")
    return Shown(text, tuple(links))


def post_object(post: Stored, names: FieldNames, fields: Collection[str]) -> Mapping[str, Json]:
    """Return a post as the API's object: id, text, and the fields in `fields`.

    A request may use the old or the new names of fields. The answer uses `names`.
    """
    look = shown(post)
    parent: Json = [{"type": "replied_to", "id": post.reply_to}] if post.reply_to else None
    keys: Json = {"media_keys": [f"3_{each}" for each in post.media]} if post.media else None
    values: Mapping[str, Json] = {
        "created_at": f"{post.created:%Y-%m-%dT%H:%M:%S}.000Z",
        "author_id": post.author,
        "referenced_tweets": parent,
        "entities": {"urls": look.urls} if look.urls else None,
        "attachments": keys,
    }
    asked = {name.replace("_posts", "_tweets") for name in fields}
    found: dict[str, Json] = {"id": post.id, "text": look.text, "edit_history_tweet_ids": [post.id]}
    found |= {name: each for name, each in values.items() if name in asked and each is not None}
    if names is FieldNames.TWEETS:
        return found
    return {name.replace("_tweet", "_post"): each for name, each in found.items()}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _short(post_id: str, number: int) -> str:
    value = int.from_bytes(sha256(f"{post_id}/{number}".encode()).digest(), "big")
    slug = "".join(_DIGITS[value // 62**place % 62] for place in range(_SLUG))
    return f"https://t.co/{slug}"
