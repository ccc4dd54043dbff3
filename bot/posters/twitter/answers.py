"""What X answers, and what it means: pure, for `twitter` to act on.

Follows https://docs.x.com/x-api/posts and the refusals on record. Fields are taken by the names
they have and by those of X's newer description (`referenced_posts` for `referenced_tweets`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from bot.posters.answers import (
    AnswerMeaning,
    ErrorPattern,
    Exchange,
    RefusalRules,
    Reply,
    is_gone,
    refused,
    said,
    unanswered,
    unreadable,
)
from bot.posters.json_values import at, created_at, id_at, items_at, names_somebody, text_at
from bot.posters.plain_text import x_text
from bot.posters.poster import (
    AccountProfile,
    Outcome,
    OutcomeKind,
    PostRequest,
    Refusal,
    RemotePost,
)

NETWORK = "X"
_ID = re.compile(r"[0-9]{1,20}")
_ID_SHIFT = 22
_ID_EPOCH = 1288834974657
_FIRST_WITH_TIME = 2**35
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LABEL = (
    "X asks bots to carry the label 'Automated' (Settings, Your account, Account information, "
    "Automation). Its API does not say whether this account does."
)
_GONE = AnswerMeaning(OutcomeKind.REFUSED, "the post replied to is gone", Refusal.PARENT)

RULES = RefusalRules(
    NETWORK,
    speaks=("title", "detail", "errors", "error"),
    resets=("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour"),
    signed=True,
    unread="For a plan that cannot read, set TWITTER_READ_BACK=off.",
    fixes={
        Refusal.SCOPE: "See the app's project and its permissions, which must be Read and write "
        "before the tokens are made.",
    },
    hints=(
        ErrorPattern(
            (403,),
            re.compile(r"duplicate content|status is a duplicate|\bcode=187\b", re.IGNORECASE),
            # Its check may be fuzzy, and does not say which post it means.
            AnswerMeaning(
                OutcomeKind.UNKNOWN, "it has a post of this text, perhaps this one", duplicate=True
            ),
        ),
        ErrorPattern(
            (400, 403),
            re.compile(
                r"\bcode=(?:185|226|344)\b|might be automated|over (?:the )?daily"
                r"|(?:reached|hit) (?:your|the) daily|try again later",
                re.IGNORECASE,
            ),
            AnswerMeaning(
                OutcomeKind.LATER, "it does not take the post now, and asks to try again later"
            ),
        ),
        ErrorPattern(
            (400, 403, 404),
            re.compile(r"deleted or not visible|in_reply_to_(?:tweet|post)_id", re.IGNORECASE),
            _GONE,
            replies_only=True,
        ),
        ErrorPattern((404,), re.compile("."), _GONE, replies_only=True),
        ErrorPattern(
            (403,),
            re.compile(
                r"only reply to or quote|reply to this conversation|not-authorized-for-resource",
                re.IGNORECASE,
            ),
            AnswerMeaning(OutcomeKind.REFUSED, "it does not let this app reply", Refusal.REPLIES),
            replies_only=True,
        ),
        ErrorPattern(
            (401, 403),
            re.compile(
                r"account is (?:temporarily )?(?:locked|suspended)|\bcode=(?:32|64|89|215|326)\b",
                re.IGNORECASE,
            ),
            AnswerMeaning(
                OutcomeKind.REFUSED,
                "it does not accept the tokens, or the account is locked or suspended",
                Refusal.CREDENTIALS,
                fix="Log in to the account on X. If it is well there, make new tokens with bot "
                "login twitter, and try them with bot check.",
            ),
        ),
        ErrorPattern(
            (403,),
            re.compile(
                r"client-(?:forbidden|not-enrolled)|oauth1.permissions|oauth1 app permissions"
                r"|unsupported-authentication|\bcode=(?:261|453)\b",
                re.IGNORECASE,
            ),
            AnswerMeaning(
                OutcomeKind.REFUSED,
                "the app or its plan may not do this",
                Refusal.SCOPE,
            ),
        ),
    ),
)


def is_id(text: str) -> bool:
    """Tell whether this may be a post's id."""
    return bool(_ID.fullmatch(text))


def post_url(post_id: str) -> str:
    """Return a post's address, which X sends on to the one with its author's name."""
    return f"https://x.com/i/web/status/{post_id}"


def published(exchange: Exchange, post: PostRequest, now: datetime) -> Outcome:
    """Return what became of POST /2/tweets.

    X's answer names no parent, and is not documented to name media; where it does they are counted.
    """
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    if not reply.ok:
        return refused(reply, RULES, now, is_reply=bool(post.parent))
    post_id = id_at(reply.value(), "data", "id")
    if not is_id(post_id):
        return unreadable(reply, NETWORK)
    keys = at(reply.value(), "data", "attachments", "media_keys")
    missing = len(post.media) - len(keys) if isinstance(keys, list) else 0
    bare = f"{missing} of {len(post.media)} media are missing" if missing > 0 else ""
    return Outcome(OutcomeKind.SENT, post_id, post_url(post_id), bare=bare)


def deleted(exchange: Exchange, post_id: str, now: datetime) -> Outcome:
    """Return what became of DELETE /2/tweets/:id. `deleted` is false where nothing was there."""
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    gone = reply.ok and isinstance(at(reply.value(), "data", "deleted"), bool)
    if gone or is_gone(reply, RULES):
        return Outcome(OutcomeKind.SENT, post_id)
    return unreadable(reply, NETWORK) if reply.ok else refused(reply, RULES, now)


@dataclass(frozen=True, slots=True)
class TweetPage:
    """One page of a timeline, newest first. `billed` counts what X returned, reposts included.

    `token` asks for the next page and is empty on the last. `whole` is false where something in it
    could not be read. `clock` is X's time.
    """

    posts: tuple[RemotePost, ...]
    billed: int
    token: str
    whole: bool
    clock: datetime | None


def page(reply: Reply) -> TweetPage | None:
    """Return a page of GET /2/users/:id/tweets, without reposts; None where it is none."""
    value = reply.value()
    if not (reply.ok and isinstance(at(value, "meta"), dict)):
        return None
    items = items_at(value, "data")
    posts = [seen(item) for item in items if not _is_repost(item)]
    return TweetPage(
        posts=tuple(post for post in posts if post),
        billed=len(items),
        token=text_at(value, "meta", "next_token"),
        whole=all(posts),
        clock=reply.clock,
    )


def seen(item: object) -> RemotePost | None:
    """Return a post in X's words as one of ours; None where it has no id."""
    post_id = id_at(item, "id")
    if not is_id(post_id):
        return None
    return RemotePost(
        id=post_id,
        url=post_url(post_id),
        text=x_text(item),
        parent=next(_references(item, "replied_to"), ""),
        created=_minted(post_id) or created_at(item, "created_at") or _EPOCH,
        media=len(items_at(item, "attachments", "media_keys")),
    )


def _references(item: object, kind: str) -> Iterator[str]:
    """Give the ids of the posts that `item` replies to, quotes or reposts."""
    for name in ("referenced_tweets", "referenced_posts"):
        for other in items_at(item, name):
            if text_at(other, "type") == kind:
                yield id_at(other, "id")


def _is_repost(item: object) -> bool:
    kinds = ("retweeted", "reposted")
    return any(True for kind in kinds for _ in _references(item, kind))


def _minted(post_id: str) -> datetime | None:
    """Return when an id was made: X writes the time into it, in milliseconds.

    It cannot be wrong as another field may be. None for an id of the years before, which has none.
    """
    if int(post_id) < _FIRST_WITH_TIME:
        return None
    milliseconds = (int(post_id) >> _ID_SHIFT) + _ID_EPOCH
    return _EPOCH + timedelta(milliseconds=milliseconds)


def is_missing(reply: Reply) -> bool:
    """Tell whether a read of one post says that it is not there."""
    errors = items_at(reply.value(), "errors")
    gone = any("resource-not-found" in text_at(error, "type") for error in errors)
    return is_gone(reply, RULES) or (reply.ok and gone)


def speaks_of_fields(reply: Reply) -> bool:
    """Tell whether a read was refused for the names of the fields it asks for."""
    return reply.status == HTTPStatus.BAD_REQUEST and ".fields" in said(reply)


def profile(reply: Reply) -> AccountProfile | None:
    """Return who GET /2/users/me says we are; None where it does not."""
    me = at(reply.value(), "data")
    account, name = id_at(me, "id"), text_at(me, "username")
    if not (reply.ok and account and name):
        return None
    advice = [_LABEL]
    if not names_somebody(text_at(me, "description")):
        advice.append(
            "The bio names nobody who runs the account. X asks automated accounts to: write for "
            "example 'by @you' into it."
        )
    return AccountProfile(account, name, f"https://x.com/{name}", advice=tuple(advice))
