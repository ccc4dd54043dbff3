"""Checks the records of a thread on Bluesky: whole records, correct references, no needless call.

The expected records are computed here from the plan and compared with those of the sandbox.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from bot.delivery.identity import key, record_key
from bot.model import Card, Digest, Media, Post, Span, Thread
from bot.sandbox.bluesky.records import cid_of_file
from bot.sandbox.bluesky.rules import BlueskyRules
from bot.sandbox.script import RequestRecord
from bot.sandbox.service import Stored
from bot.sandbox.wire import Json

if TYPE_CHECKING:
    from bot.ledger.rows import StoredPost, StoredThread

LOGIN = "/xrpc/com.atproto.server.createSession"
_GENERATIONS = 3


def check_records(
    sky: BlueskyRules, live: Sequence[Stored], thread: Thread, source: Digest
) -> None:
    """Every record is the plan's, under the plan's key, each written after the one before it.

    `live` is the beginning of the thread, or all of it.
    """
    keys = [post.id.rpartition("/")[2] for post in live]
    assert keys in [
        keys_of(thread, source, number)[: len(live)] for number in range(_GENERATIONS)
    ], f"under other keys: {keys}"
    times = list[datetime]()
    refs: list[Mapping[str, Json]] = []
    for post, planned in zip(live, thread.posts, strict=False):
        record = sky.record(post.id)
        assert record is not None
        value = dict(record.value)
        created = value.pop("createdAt")
        assert isinstance(created, str)
        times.append(datetime.fromisoformat(created))
        assert value == wanted(planned, thread.account.language, refs), post.id
        refs.append({"uri": record.uri, "cid": record.cid})
    assert all(one < other for one, other in pairwise(times)), "not in the order of the chain"


def wanted(
    post: Post | StoredPost, language: str, above: Sequence[Mapping[str, Json]]
) -> dict[str, Json]:
    """The record of a post below the records `above`, but for when it was written.

    The pictures of a plan from the ledger must have got their bytes back.
    """
    made: dict[str, Json] = {
        "$type": "app.bsky.feed.post",
        "text": post.text,
        "langs": [language],
    }
    if post.spans:
        made["facets"] = [_facet(post.text, span) for span in post.spans]
    if post.media:
        made["embed"] = _images(post.media)
    elif post.card:
        made["embed"] = _card(post.card)
    if above:
        made["reply"] = {"root": above[0], "parent": above[-1]}
    return made


def check_times(sky: BlueskyRules, live: Sequence[Stored], thread: StoredThread | None) -> None:
    """Every record was written when the ledger says that it was tried."""
    assert thread, "the ledger has no thread"
    for post, planned in zip(live, thread.posts, strict=False):
        record = sky.record(post.id)
        created = record.value["createdAt"] if record else ""
        assert created == written_at(thread, planned.position)


def canonical(value: Mapping[str, Json]) -> bytes:
    """The one way to write a record as JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def written_at(thread: StoredThread, position: int) -> str:
    """The createdAt of a post that was sent by this ledger."""
    tried = thread.posts[position].tried_at
    assert tried
    moment = (tried + timedelta(milliseconds=position)).astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def keys_of(thread: Thread, source: Digest, generation: int = 0) -> list[str]:
    """The record keys of a thread."""
    name = thread.account.name
    return [
        record_key(key(name, source.slug, generation, post.part), source.slug)
        for post in thread.posts
    ]


def check_nothing_overwritten(sky: BlueskyRules) -> None:
    """No record took the place of another, nor of one that a person deleted."""
    counted = Counter(post.id for post in sky.every())
    assert max(counted.values(), default=0) <= 1, counted


_TIME = re.compile(rb'"createdAt": "[^"]*"')


def check_requests(asked: Sequence[RequestRecord], plans: int) -> None:
    """A repeat is the same but for its time, as often as there is a plan; and never overwrites."""
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for each in asked:
        if each.path.endswith(".putRecord"):
            assert b'"swapRecord": null' in each.body
            found = each.body.partition(b'"rkey": "')[2].partition(b'"')[0]
            bodies[found.decode()].add(_TIME.sub(b"", each.body))
    most = max(map(len, bodies.values()), default=0)
    assert most <= plans, f"{most} records for one key, of {plans} plans"


def check_logins(asked: Sequence[RequestRecord], needed: int) -> None:
    """Logins are scarce: one a ledger, and one for each thing that went wrong, at most."""
    logins = sum(each.path == LOGIN for each in asked)
    assert logins <= needed, f"{logins} logins, {needed} were needed"


def _facet(text: str, span: Span) -> Mapping[str, Json]:
    shown = text[span.start : span.end]
    start = len(text[: span.start].encode())
    if span.tag:
        assert shown == f"#{span.tag}"
        feature = {"$type": "app.bsky.richtext.facet#tag", "tag": span.tag}
    else:
        assert span.uri.startswith("https://")
        feature = {"$type": "app.bsky.richtext.facet#link", "uri": span.uri}
    index = {"byteStart": start, "byteEnd": start + len(shown.encode())}
    return {"index": index, "features": [feature]}


def _images(media: Sequence[Media]) -> Mapping[str, Json]:
    return {"$type": "app.bsky.embed.images", "images": [_image(each) for each in media]}


def _image(media: Media) -> Mapping[str, Json]:
    blob: Mapping[str, Json] = {
        "$type": "blob",
        "ref": {"$link": cid_of_file(media.data)},
        "mimeType": media.type,
        "size": len(media.data),
    }
    made: dict[str, Json] = {"alt": media.alt, "image": blob}
    if media.data[12:16] == b"IHDR":
        width, height = (int.from_bytes(media.data[at : at + 4]) for at in (16, 20))
        made["aspectRatio"] = {"width": width, "height": height}
    return made


def _card(card: Card) -> Mapping[str, Json]:
    shown = {"uri": card.uri, "title": card.title, "description": card.description}
    return {"$type": "app.bsky.embed.external", "external": shown}
