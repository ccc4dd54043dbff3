"""The id of a post, from what a person has of it: the id, or the address of its page. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from bot.errors import BotError
from bot.model import Network
from bot.posters.bluesky.records import key_of, uri_of
from bot.posters.bluesky.tids import is_tid
from bot.posters.json_values import is_id


def id_of(network: Network, written: str, account_id: str) -> str:
    """Return the id by which `network` knows a post; `account_id` is whose it is, where known.

    On every network the last part of a page's address names the post. Raises BotError for what is
    no id there.
    """
    last = urlsplit(written).path.rstrip("/").rpartition("/")[2]
    if network is not Network.BLUESKY:
        if is_id(last):
            return last
        raise BotError(f"{written!r} is no id of a post on {network}", "Give the id of the post.")
    owner = written.removeprefix("at://").partition("/")[0]
    if written.startswith("at://") and key_of(written, owner):
        return written
    if is_tid(last) and account_id:
        return uri_of(account_id, last)
    raise BotError(
        f"{written!r} is no post on Bluesky",
        "Give its address, at://did:.../app.bsky.feed.post/KEY.",
    )
