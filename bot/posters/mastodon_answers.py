"""What servers with Mastodon's API answer, and what it means: pure, for `mastodon` to act on.

Follows https://docs.joinmastodon.org/methods and what GoToSocial and snac2 do otherwise. Error
texts are translated, so they are judged by status, and by whether the server itself is speaking
(JSON) or something in front of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from bot.posters.answers import (
    Exchange,
    Hint,
    Reply,
    Rules,
    Verdict,
    refused,
    unanswered,
    unreadable,
)
from bot.posters.poster import Look, Outcome, Outgoing, Profile, Refusal, Seen, Sort
from bot.posters.undo import html_text
from bot.posters.values import (
    at,
    clean,
    count_at,
    created_at,
    id_at,
    items_at,
    names_somebody,
    text_at,
)

NETWORK = "Mastodon"
_IN_JSON = re.compile("^error=")
_ABOUT_BOTS = re.compile(r"\b(?:bots?|automat\w+)\b", re.IGNORECASE)
_NEXT = re.compile(r'rel="?next\b', re.IGNORECASE)

RULES = Rules(
    NETWORK,
    resets=("x-ratelimit",),
    hints=(
        Hint(
            (403,),
            _IN_JSON,
            Verdict(
                Sort.REFUSED,
                "the token or the account may not post: the token needs the scope write:statuses",
                Refusal.CREDENTIALS,
            ),
        ),
        Hint(
            (404,),
            _IN_JSON,
            Verdict(Sort.REFUSED, "the post replied to is gone", Refusal.PARENT),
            replies_only=True,
        ),
        # A key whose post was deleted since is answered so.
        Hint(
            (404,),
            _IN_JSON,
            Verdict(Sort.REFUSED, "it was published before, and is gone", Refusal.CONTENT),
        ),
    ),
)


def published(exchange: Exchange, post: Outgoing, now: datetime) -> Outcome:
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
        Sort.SENT, status_id, _url(status), flaw=_flaw(status, post), bare=_bare(status, post)
    )


def _flaw(status: object, post: Outgoing) -> str:
    parent = id_at(status, "in_reply_to_id")
    if parent == post.parent:
        return ""
    asked = f"to {post.parent}" if post.parent else "to nothing"
    return f"it replies to {clean(parent) or 'nothing'}, and was to reply {asked}"


def _bare(status: object, post: Outgoing) -> str:
    there = {id_at(medium, "id") for medium in items_at(status, "media_attachments")}
    missing = len(set(post.media) - there)
    return f"{missing} of {len(post.media)} media are missing" if missing else ""


def deleted(exchange: Exchange, post_id: str, now: datetime) -> Outcome:
    """Return what became of DELETE /api/v1/statuses/:id."""
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    if reply.status in (404, 410) or (reply.ok and isinstance(reply.value(), dict)):
        return Outcome(Sort.SENT, post_id)
    return unreadable(reply, NETWORK) if reply.ok else refused(reply, RULES, now)


def page(reply: Reply) -> Sequence[object] | None:
    """Return the statuses of one page, newest first, as they came; None where it is no page."""
    value = reply.value()
    return value if reply.ok and isinstance(value, list) else None


class Walk:
    """Reading back page by page, on servers that honour some of what they are asked, or none of it.

    Ids are never compared but for being the same: some are no numbers, and not in order. What was
    posted in the second of `after` counts as newer, for some servers know no shorter time. Boosts
    are left out: the words of one may be those of a post of ours.
    """

    def __init__(self, since: datetime, after: str) -> None:
        self.oldest = ""
        self.ended = False
        self._after = after
        self._bound = _second(since)
        self._posts: dict[str, Seen] = {}
        self._met: set[str] = set()
        self._whole = True
        self._arrived = False

    def take(self, reply: Reply) -> None:
        """Take in a page. Then `ended` tells whether there is more to ask for, below `oldest`."""
        statuses = page(reply) or ()
        found = [seen(status) for status in statuses]
        there = [post for post in found if post]
        self._whole = self._whole and all(found)
        self._bound = max(
            [self._bound, *(_second(p.created) for p in there if p.id == self._after)]
        )
        self._arrived = _is_last(reply, statuses) or any(p.created < self._bound for p in there)
        boosts = {id_at(status, "id") for status in statuses if at(status, "reblog") is not None}
        self._posts |= {post.id: post for post in there if post.id not in {self._after, *boosts}}
        # A page of nothing new: the server does not turn pages.
        self.ended = self._arrived or self._met.issuperset(post.id for post in there)
        self._met |= {post.id for post in there}
        self.oldest = there[-1].id if there else ""

    def look(self) -> Look:
        """Return what was found."""
        newer = (post for post in self._posts.values() if post.created >= self._bound)
        return Look(tuple(newer), self._arrived and self._whole)


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _is_last(reply: Reply, statuses: Sequence[object]) -> bool:
    """Tell whether a page is certainly the last: it is empty, or has links and none to a next."""
    links = reply.headers.get("link", "")
    return not statuses or bool(links and not _NEXT.search(links))


def seen(status: object) -> Seen | None:
    """Return a status as one of ours; None where it has no id or no time."""
    status_id, created = id_at(status, "id"), created_at(status, "created_at")
    if not status_id or created is None:
        return None
    return Seen(
        id=status_id,
        url=_url(status),
        text=html_text(text_at(status, "content")),
        parent=id_at(status, "in_reply_to_id"),
        created=created,
        application=text_at(status, "application", "name"),
        media=len(items_at(status, "media_attachments")),
    )


def _url(status: object) -> str:
    found = text_at(status, "url") or text_at(status, "uri")
    return found if found.startswith(("https://", "http://")) else ""


def profile(me: object, instance: object, application: str) -> Profile:
    """Return who we are, from verify_credentials and a page about the server, v2 or v1."""
    url = text_at(me, "url")
    name, host = text_at(me, "username"), urlsplit(url).netloc
    return Profile(
        id=id_at(me, "id"),
        handle=f"{name}@{host}" if host else name,
        url=url,
        limit=_limit(instance),
        application=application,
        advice=(*_advice(me), *_bot_rules(instance)),
    )


def _limit(instance: object) -> int | None:
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


def _bot_rules(instance: object) -> Iterator[str]:
    for rule in items_at(instance, "rules"):
        text = f"{text_at(rule, 'text')} {text_at(rule, 'hint')}"
        if _ABOUT_BOTS.search(text):
            yield f"The server has a rule on bots: “{clean(text)}”"
