"""The objects of Mastodon's API, as in version 4.6, with the fields that clients of bots read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.sandbox.mastodon.behaviour import Markup, MastodonBehaviour, Software
from bot.sandbox.mastodon.text import content, hashtags
from bot.sandbox.rewrites import rewritten, stamped
from bot.sandbox.service import Stored
from bot.sandbox.uploads import Medium
from bot.sandbox.wire import Json

_SOURCES: Mapping[Software, str] = {
    Software.MASTODON: "https://github.com/mastodon/mastodon",
    Software.GOTOSOCIAL: "https://codeberg.org/superseriousbusiness/gotosocial",
    Software.HOLLO: "https://github.com/fedify-dev/hollo",
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


def status(place: Place, post: Stored, parent: Stored | None) -> dict[str, Json]:
    """Return a status' object. `parent` is the status it replies to, even if that is deleted."""
    behaviour = place.behaviour
    forgotten = parent is None or (parent.deleted is not None and behaviour.parent_forgotten)
    author = account(place, post.author)
    created = f"{post.created:%Y-%m-%dT%H:%M:%S}.{post.created.microsecond // 1000:03}Z"
    words = rewritten(post.text, behaviour.rewrites)
    markup = Markup.NONE if post.plain else behaviour.markup
    application: Json = {"name": post.application or "Web", "website": None}
    return {
        "id": post.id,
        "created_at": stamped(created, behaviour.stamps),
        "in_reply_to_id": None if forgotten else post.reply_to,
        "in_reply_to_account_id": parent.author if parent else None,
        "sensitive": bool(post.spoiler),
        "spoiler_text": post.spoiler,
        "visibility": post.visibility,
        "language": post.language,
        "uri": f"{author['uri']}/statuses/{post.id}",
        "url": f"{author['url']}/{post.id}",
        "edited_at": None,
        "content": content(words, place.base, behaviour.line_break, markup),
        "reblog": None,
        "application": application if behaviour.application else None,
        "account": author,
        "media_attachments": [attachment(place, each) for each in post.media],
        "mentions": [],
        "tags": [{"name": tag, "url": f"{place.base}/tags/{tag}"} for tag in hashtags(post.text)],
    }


def account(place: Place, account_id: str) -> dict[str, Json]:
    """Return an account's object, with the profile of the server's own account."""
    own = account_id == place.account
    profile = place.profile if own else ProfilePage(account_id, account_id, bot=False, note="")
    fields = [{"name": name, "value": value, "verified_at": None} for name, value in profile.fields]
    return {
        "id": account_id,
        "username": profile.username,
        "acct": profile.username,
        "display_name": profile.display_name,
        "locked": False,
        "bot": profile.bot,
        "created_at": "2026-01-01T00:00:00.000Z",
        "note": f"<p>{profile.note}</p>" if profile.note else "",
        "url": f"{place.base}/@{profile.username}",
        "uri": f"{place.base}/ap/users/{account_id}",
        "fields": fields,
    }


def credentials(place: Place) -> dict[str, Json]:
    """Return the account's object for its owner, with the defaults of its posts."""
    behaviour, profile = place.behaviour, place.profile
    own = account(place, place.account)
    source: dict[str, Json] = {
        "privacy": behaviour.visibility,
        "sensitive": False,
        "language": profile.language,
        "note": profile.note,
        "fields": own["fields"],
    }
    if behaviour.software is Software.GOTOSOCIAL:
        markdown = behaviour.markup is Markup.MARKDOWN
        source["status_content_type"] = "text/markdown" if markdown else "text/plain"
    if behaviour.web_visibility:
        source["web_visibility"] = behaviour.web_visibility
    return {**own, "source": source}


def attachment(place: Place, media_id: str) -> dict[str, Json]:
    """Return a file's object, with its description if there is one."""
    medium = place.uploads.get(media_id)
    url = f"{place.base}/media/{media_id}.png"
    return {
        "id": media_id,
        "type": "image",
        "url": url,
        "preview_url": url,
        "description": medium.alt or None if medium else None,
    }


def instance(place: Place, domain: str, *, older: bool) -> dict[str, Json]:
    """Return the instance page: what the server is, its limits and its rules.

    It is GET /api/v2/instance, or the `older` GET /api/v1/instance, which every server has.
    """
    behaviour = place.behaviour
    media: dict[str, Json] = {
        "supported_mime_types": ("image/jpeg", "image/png", "image/gif", "image/webp"),
        "image_size_limit": behaviour.media_limit,
    }
    if not older:
        media["description_limit"] = behaviour.description_limit
    statuses = {
        "max_characters": behaviour.max_characters,
        "max_media_attachments": 4,
        "characters_reserved_per_url": 23,
    }
    rules = enumerate(place.profile.rules, 1)
    page: dict[str, Json] = {
        "title": "Sandbox",
        "version": behaviour.version,
        "description": "A stand-in for a Mastodon server, on your own machine.",
        "languages": [place.profile.language],
        "configuration": {"statuses": statuses, "media_attachments": media},
        "rules": [{"id": str(number), "text": text} for number, text in rules],
    }
    if older:
        return {"uri": domain, **page}
    source = _SOURCES.get(behaviour.software, "")
    return {"domain": domain, "source_url": source, "api_versions": {"mastodon": 11}, **page}
