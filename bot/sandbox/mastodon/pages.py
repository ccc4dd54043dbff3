"""The objects of Mastodon's API, as in version 4.6: accounts, statuses and files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.sandbox.mastodon.behaviour import Markup, MastodonBehaviour, Software
from bot.sandbox.mastodon.text import content, hashtags
from bot.sandbox.rewrites import rewritten, stamped
from bot.sandbox.service import Stored
from bot.sandbox.uploads import Medium
from bot.sandbox.wire import Json

_QUOTES: Mapping[str, Json] = {"automatic": ["public"], "manual": [], "current_user": "automatic"}
_ROLE: Mapping[str, Json] = {
    "id": "-99",
    "name": "",
    "permissions": "65536",
    "color": "",
    "highlighted": False,
}


@dataclass(frozen=True, slots=True)
class ProfilePage:
    """The account's profile. `fields` are the pairs of name and value on its page."""

    username: str = "sandbox"
    display_name: str = "Sandbox"
    bot: bool = True
    note: str = "A bot on trial."
    fields: tuple[tuple[str, str], ...] = ()
    language: str = "en"
    rules: tuple[str, ...] = ("Be kind.", "Automated accounts are marked as such.")


@dataclass(frozen=True, slots=True)
class Place:
    """The server's URL (`base`) and behaviour, its account, and its uploaded files."""

    base: str
    behaviour: MastodonBehaviour
    profile: ProfilePage
    account: str
    uploads: Mapping[str, Medium] = field(default_factory=dict)


def stamp(when: datetime) -> str:
    """Return a time as the API writes it, to the millisecond."""
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03}Z"


def status(place: Place, post: Stored, parent: Stored | None, replies: int) -> dict[str, Json]:
    """Return a status' object. `parent` is the status it replies to, even if that is deleted."""
    behaviour = place.behaviour
    forgotten = parent is None or (parent.deleted is not None and behaviour.parent_forgotten)
    author = account(place, post.author)
    words = rewritten(post.text, behaviour.rewrites)
    markup = Markup.NONE if post.plain else behaviour.markup
    return {
        "id": post.id,
        "created_at": stamped(stamp(post.created), behaviour.stamps),
        "in_reply_to_id": None if forgotten else post.reply_to,
        "in_reply_to_account_id": parent.author if parent else None,
        "sensitive": bool(post.spoiler),
        "spoiler_text": post.spoiler,
        "visibility": post.visibility,
        "language": post.language,
        "uri": f"{author['uri']}/statuses/{post.id}",
        "url": f"{author['url']}/{post.id}",
        "replies_count": replies,
        "reblogs_count": 0,
        "favourites_count": 0,
        "quotes_count": 0,
        "edited_at": None,
        "favourited": False,
        "reblogged": False,
        "muted": False,
        "bookmarked": False,
        "pinned": False,
        "content": content(words, place.base, behaviour.line_break, markup),
        "filtered": [],
        "reblog": None,
        "application": _application(post) if behaviour.application else None,
        "account": author,
        "media_attachments": [attachment(place, each) for each in post.media],
        "mentions": [],
        "tags": [{"name": tag, "url": f"{place.base}/tags/{tag}"} for tag in hashtags(post.text)],
        "emojis": [],
        "quote": None,
        "card": None,
        "poll": None,
        "quote_approval": _QUOTES,
    }


def _application(post: Stored) -> dict[str, Json]:
    return {"name": post.application or "Web", "website": None}


def account(place: Place, account_id: str) -> dict[str, Json]:
    """Return an account's object, with the profile of the server's own account."""
    ours = account_id == place.account
    profile = place.profile if ours else ProfilePage(account_id, account_id, bot=False, note="")
    missing = f"{place.base}/avatars/original/missing.png"
    fields = [{"name": name, "value": value, "verified_at": None} for name, value in profile.fields]
    return {
        "id": account_id,
        "username": profile.username,
        "acct": profile.username,
        "display_name": profile.display_name,
        "locked": False,
        "bot": profile.bot,
        "discoverable": True,
        "indexable": False,
        "group": False,
        "created_at": "2026-01-01T00:00:00.000Z",
        "note": f"<p>{profile.note}</p>" if profile.note else "",
        "url": f"{place.base}/@{profile.username}",
        "uri": f"{place.base}/ap/users/{account_id}",
        "avatar": missing,
        "avatar_static": missing,
        "header": missing,
        "header_static": missing,
        "followers_count": 0,
        "following_count": 0,
        "statuses_count": 0,
        "last_status_at": None,
        "hide_collections": None,
        "noindex": False,
        "emojis": [],
        "roles": [],
        "fields": fields,
    }


def credentials(place: Place) -> dict[str, Json]:
    """Return the account's object for its owner, with the defaults of its posts."""
    profile = place.profile
    ours = account(place, place.account)
    source: dict[str, Json] = {
        "privacy": place.behaviour.visibility,
        "sensitive": False,
        "language": profile.language,
        "note": profile.note,
        "fields": ours["fields"],
        "follow_requests_count": 0,
        "hide_collections": None,
        "discoverable": True,
        "indexable": False,
        "attribution_domains": [],
        "quote_policy": "public",
        **_content_type(place.behaviour),
    }
    role: dict[str, Json] = {
        "id": "-99",
        "name": "",
        "permissions": "65536",
        "color": "",
        "highlighted": False,
    }
    if place.behaviour.web_visibility:
        source["web_visibility"] = place.behaviour.web_visibility
    return {**ours, "source": source, "role": role}


def _content_type(behaviour: MastodonBehaviour) -> dict[str, Json]:
    """Return how the account's texts are read, if the server says so."""
    if behaviour.software is not Software.GOTOSOCIAL:
        return {}
    markdown = behaviour.markup is Markup.MARKDOWN
    return {"status_content_type": "text/markdown" if markdown else "text/plain"}


def attachment(place: Place, media_id: str) -> dict[str, Json]:
    """Return a file's object, with its description if there is one."""
    medium = place.uploads.get(media_id)
    url = f"{place.base}/media/{media_id}.png"
    return {
        "id": media_id,
        "type": "image",
        "url": url,
        "preview_url": url,
        "remote_url": None,
        "meta": {},
        "description": medium.alt or None if medium else None,
        "blurhash": None,
    }
