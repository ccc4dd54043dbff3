"""Page through statuses as Mastodon does: limit, max_id, min_id, since_id. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from bot.sandbox.mastodon.behaviour import MastodonBehaviour
from bot.sandbox.service import Stored
from bot.sandbox.wire import Pairs

_USUAL, _MOST = 20, 40
_KEPT_IN_LINKS = ("limit", "exclude_replies", "only_media", "tagged")
_TRUE = frozenset({"1", "true", "t", "on", "True"})


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The parameters of a listing. Ids are texts, and `order` of `page` says which is newer."""

    limit: int = _USUAL
    max_id: str = ""
    min_id: str = ""
    since_id: str = ""
    exclude_replies: bool = False

    @classmethod
    def asked(cls, params: Mapping[str, str], behaviour: MastodonBehaviour) -> PageRequest:
        """Return the parameters of a query, without those that this server ignores."""
        limit = params.get("limit", "")
        return cls(
            min(int(limit), _MOST) if limit.isdecimal() and int(limit) else _USUAL,
            params.get("max_id", ""),
            params.get("min_id", "") if behaviour.min_id else "",
            params.get("since_id", "") if behaviour.since_id else "",
            params.get("exclude_replies", "") in _TRUE,
        )


def page(
    posts: Sequence[Stored], listing: PageRequest, order: Callable[[str], int]
) -> Sequence[Stored]:
    """Return a page, newest first. `posts` are oldest first.

    With min_id it is the page just above that id, otherwise the newest page below max_id.
    """
    below = order(listing.max_id) if listing.max_id else None
    above = order(listing.min_id or listing.since_id) if listing.min_id or listing.since_id else -1
    kept = [
        post
        for post in posts
        if order(post.id) > above and (below is None or order(post.id) < below)
    ]
    found = kept[: listing.limit] if listing.min_id else kept[-listing.limit :]
    return found[::-1]


def links(url: str, params: Mapping[str, str], limit: int, found: Sequence[Stored]) -> Pairs:
    """Return the Link header with the pages before and after `found`, or none for an empty page."""
    if not found:
        return ()
    kept = {name: params[name] for name in _KEPT_IN_LINKS if name in params}
    older = [f'<{url}?{urlencode(kept | {"max_id": found[-1].id})}>; rel="next"']
    newer = f'<{url}?{urlencode(kept | {"min_id": found[0].id})}>; rel="prev"'
    return (("Link", ", ".join([*(older if len(found) == limit else []), newer])),)
