"""What servers with Mastodon's API answer, and what it means: pure, for `mastodon` to act on.

Follows https://docs.joinmastodon.org/methods and what GoToSocial and snac2 do otherwise. Error
texts are translated, so they are judged by status first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

from bot.posters.answers import (
    AnswerMeaning,
    ErrorPattern,
    Exchange,
    RefusalRules,
    is_gone,
    refused,
    said,
    unanswered,
    unreadable,
)
from bot.posters.json_values import (
    at,
    clean,
    count_at,
    created_at,
    id_at,
    items_at,
    names_somebody,
    text_at,
)
from bot.posters.plain_text import html_text
from bot.posters.poster import (
    AccountProfile,
    CannotRead,
    Outcome,
    OutcomeKind,
    PostRequest,
    Refusal,
    RemotePost,
)

NETWORK = "Mastodon"
LISTED = frozenset({"mastodon", "gotosocial", "hollo"})
"""Servers that list an account's private and direct posts among its others, for itself."""
AT_HOME = frozenset({"snac"})
"""Servers that show them in its home timeline only."""
STEADY = LISTED | {"takahe"}
"""Servers that keep a connection open, or say that they close it; snac does neither."""
_SOFTWARE = re.compile(
    r"\b(snac|takahe|hollo|gotosocial|pleroma|akkoma|pixelfed|mitra|iceshrimp|sharkey|friendica)\b",
    re.IGNORECASE,
)
_GIT = re.compile(r"0\.[0-9]+\.[0-9]+\S*[+ ](?:git-)?[0-9a-f]{7}", re.ASCII)  # GoToSocial's
_MAINLINE = re.compile(r"[2-9]\.[0-9]+\.[0-9]+(?:[-+.][\w.+-]*)?", re.ASCII)
_ABOUT_LENGTH = re.compile(r"character limit|exceed|too long|max chars", re.IGNORECASE)
_ABOUT_BOTS = re.compile(r"\b(?:bots?|automat\w+)\b", re.IGNORECASE)

RULES = RefusalRules(
    NETWORK,
    speaks=("error",),
    resets=("x-ratelimit",),
    fixes={
        Refusal.CREDENTIALS: "Log in to the account on its server. If it is well there, make a new "
        "token with bot login mastodon, and try it with bot check.",
        Refusal.SCOPE: "Make a token with the scopes read and write (write:statuses, write:media, "
        "read:accounts, read:statuses) by bot login mastodon, and try it with bot check.",
    },
    hints=(
        ErrorPattern(
            (401, 403),
            re.compile("scope", re.IGNORECASE),
            AnswerMeaning(
                OutcomeKind.REFUSED, "the token lacks a scope that this needs", Refusal.SCOPE
            ),
        ),
        ErrorPattern(
            (422,),
            re.compile("not finished processing|try again", re.IGNORECASE),
            AnswerMeaning(OutcomeKind.LATER, "it asks to try again later"),
        ),
        ErrorPattern(
            (404,),
            re.compile("."),
            AnswerMeaning(OutcomeKind.REFUSED, "the post replied to is gone", Refusal.PARENT),
            replies_only=True,
        ),
    ),
    statuses={
        403: AnswerMeaning(OutcomeKind.REFUSED, "the account may not do this", Refusal.CREDENTIALS),
        # A key whose post was deleted since is answered so.
        404: AnswerMeaning(
            OutcomeKind.REFUSED, "it was published before, and is gone", Refusal.CONTENT
        ),
    },
)


def published(exchange: Exchange, post: PostRequest, now: datetime) -> Outcome:
    """Return what became of POST /api/v1/statuses, with what is wrong with the status made."""
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    if not reply.ok:
        return refused(reply, RULES, now, is_reply=bool(post.parent))
    status = reply.value()
    status_id = id_at(status, "id")
    if not status_id:
        return unreadable(reply, NETWORK)
    return Outcome(
        OutcomeKind.SENT,
        status_id,
        _url(status),
        flaw=_flaw(status, post),
        bare=_bare(status, post),
    )


def _flaw(status: object, post: PostRequest) -> str:
    parent = id_at(status, "in_reply_to_id")
    if at(status, "content") in ("", None) and isinstance(status, dict) and "content" in status:
        return "the server published it without its text"
    if parent == post.parent:
        return ""
    asked = f"to {post.parent}" if post.parent else "to nothing"
    return f"it replies to {clean(parent) or 'nothing'}, and was to reply {asked}"


def _bare(status: object, post: PostRequest) -> str:
    there = {id_at(medium, "id") for medium in items_at(status, "media_attachments")}
    missing = len(set(post.media) - there)
    return f"{missing} of {len(post.media)} media are missing" if missing else ""


def deleted(exchange: Exchange, post_id: str, now: datetime) -> Outcome:
    """Return what became of DELETE /api/v1/statuses/:id."""
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    if is_gone(reply, RULES) or (reply.ok and isinstance(reply.value(), dict)):
        return Outcome(OutcomeKind.SENT, post_id)
    return unreadable(reply, NETWORK) if reply.ok else refused(reply, RULES, now)


def hidden(server: str) -> CannotRead:
    """Return the error for private posts that no read shows."""
    return CannotRead(
        f"{NETWORK} cannot be read: {server or 'this server'} does not show the account its own "
        "private posts, so a post whose answer is lost cannot be looked for",
        "Set MASTODON_VISIBILITY to public or unlisted. With private or direct, a post whose "
        "answer is lost is held until you look, and a lost ledger holds the whole thread.",
        final=True,
        blind=True,
    )


def is_about_length(exchange: Exchange) -> bool:
    """Tell whether a post was refused for its length, in words as far as they are known."""
    reply = exchange.reply
    return bool(reply and reply.status in (400, 422) and _ABOUT_LENGTH.search(said(reply)))


def seen(status: object, created: datetime | None = None) -> RemotePost | None:
    """Return a status as one of ours; None where it has no id, or no time and `created` is none."""
    status_id, created = id_at(status, "id"), created or created_at(status, "created_at")
    if not status_id or created is None:
        return None
    return RemotePost(
        id=status_id,
        url=_url(status),
        text=html_text(text_at(status, "content")),
        parent=id_at(status, "in_reply_to_id"),
        created=created,
        application=text_at(status, "application", "name"),
        media=len(items_at(status, "media_attachments")),
        author=id_at(status, "account", "id"),
    )


def _url(status: object) -> str:
    found = text_at(status, "url") or text_at(status, "uri")
    return found if found.startswith(("https://", "http://")) else ""


def profile(me: object, instance: object, application: str) -> AccountProfile:
    """Return who we are, from verify_credentials and a page about the server, v2 or v1."""
    url = text_at(me, "url")
    name, host = text_at(me, "username"), urlsplit(url).netloc
    return AccountProfile(
        id=id_at(me, "id"),
        handle=f"{name}@{host}" if host else name,
        url=url,
        limit=limit(instance),
        application=application,
        advice=(*_advice(me), *_bot_rules(instance)),
        server=software(instance),
    )


def software(instance: object) -> str:
    """Return the name of the server's software, in lower case; empty where that is not known.

    Some name themselves in the version, as `4.0.0 (not true; really snac/2.94)`, others in where
    their source is. Mastodon and what is built on it have a bare version, as `4.7.0+glitch`.
    """
    version, source = text_at(instance, "version"), text_at(instance, "source_url")
    if named := _SOFTWARE.search(f"{version} {source}"):
        return named[1].lower()
    if _MAINLINE.fullmatch(version):
        return "mastodon"
    return "gotosocial" if _GIT.match(version) else ""


def limit(instance: object) -> int | None:
    """Return the longest post a server takes, from a page about it, v2 or v1; None if unsaid."""
    usual = count_at(instance, "configuration", "statuses", "max_characters")
    return usual or count_at(instance, "max_toot_chars") or None  # the latter is Pleroma's


def _advice(me: object) -> Iterator[str]:
    if at(me, "bot") is not True:
        yield (
            "The account is not marked as automated: tick 'This is an automated account' "
            "in its profile."
        )
    fields = items_at(me, "fields")
    about = " ".join(f"{text_at(each, 'name')} {text_at(each, 'value')}" for each in fields)
    if not names_somebody(html_text(f"{text_at(me, 'note')} {about}")):
        yield (
            "Neither the bio nor a field of the profile names who runs the account: write for "
            "example 'by @you@your.server' into it."
        )


def hides_replies(me: object, server: str) -> Iterator[str]:
    """Say where readers without an account see the first post of a thread alone.

    https://docs.gotosocial.org/en/latest/user_guide/settings/: an account chooses what the web
    shows of it, by default its public posts only.
    """
    shows_all = text_at(me, "source", "web_visibility") == "unlisted"
    if server == "gotosocial" and not shows_all:
        yield (
            "GoToSocial hides unlisted posts from readers without an account, who see the opening "
            "alone: set MASTODON_REPLIES=public, or let the account's profile show unlisted posts "
            "on the web."
        )


def _bot_rules(instance: object) -> Iterator[str]:
    for rule in items_at(instance, "rules"):
        text = f"{text_at(rule, 'text')} {text_at(rule, 'hint')}"
        if _ABOUT_BOTS.search(text):
            yield f"The server has a rule on bots: “{clean(text)}”"
