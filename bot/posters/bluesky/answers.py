"""What a Bluesky server (PDS) answers, and what it means: pure, for `bluesky` to act on.

Follows https://docs.bsky.app/docs/api and what a real PDS was seen to answer. Errors have a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from bot.posters.answers import (
    AnswerMeaning,
    ErrorPattern,
    Exchange,
    RefusalRules,
    Reply,
    refused,
    unanswered,
    unreadable,
)
from bot.posters.bluesky.records import filed_under, is_cid, page_of, seen, uri_of
from bot.posters.json_values import at, clean, items_at, names_somebody, text_at
from bot.posters.poster import (
    AccountProfile,
    Outcome,
    OutcomeKind,
    PostRequest,
    Refusal,
    RemotePost,
)

NETWORK = "Bluesky"
LONGEST = 300
OWN_PASSWORD = "com.atproto.access"  # noqa: S105 - the scope of a token, no password
"""The scope of a token that was given for the account's own password."""

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}", re.ASCII)
_THERE = "a record with its key is there already"
_WORN_OUT = {"ExpiredToken", "InvalidToken", "AuthMissing"}
_TOKENS = re.compile(r"\berror=(?:ExpiredToken|InvalidToken|AuthMissing|AuthenticationRequired)\b")
_ACCOUNT = re.compile(
    r"\berror=(?:Account(?:Takedown|Deactivated|Suspended|NotFound))\b"
    r"|\bmessage=Could not find (?:repo|user info)\b"
)
LOG_IN = "Log in to the account in Bluesky's app: it says there what became of it."

RULES = RefusalRules(
    NETWORK,
    speaks=("error",),
    resets=("ratelimit",),
    fixes={
        Refusal.CREDENTIALS: "Make an app password in the account's settings (Privacy and "
        "security), and try it with bot login bluesky.",
        Refusal.ADDRESS: "Set BLUESKY_SERVICE_URL to the server that holds the account.",
    },
    hints=(
        # not a refusal: it says that the post is out, or that another stands in its place
        ErrorPattern(
            (400,),
            re.compile(r"\berror=InvalidSwap\b"),
            AnswerMeaning(OutcomeKind.UNKNOWN, _THERE, duplicate=True),
        ),
        ErrorPattern(
            (400, 401),
            _TOKENS,
            AnswerMeaning(
                OutcomeKind.REFUSED,
                "it does not accept the app password",
                Refusal.CREDENTIALS,
            ),
        ),
        ErrorPattern(
            (400, 401, 403),
            _ACCOUNT,
            AnswerMeaning(
                OutcomeKind.REFUSED, "the account may not post", Refusal.CREDENTIALS, fix=LOG_IN
            ),
        ),
    ),
)

_NOT_TAKEN = AnswerMeaning(OutcomeKind.REFUSED, "it does not take this picture", Refusal.CONTENT)
_UPLOADS = replace(
    RULES,
    statuses={
        **dict.fromkeys((400, 404, 422), _NOT_TAKEN),
        403: AnswerMeaning(OutcomeKind.REFUSED, "it does not allow this upload", Refusal.CONTENT),
        413: AnswerMeaning(OutcomeKind.REFUSED, "the picture is too large for it", Refusal.CONTENT),
    },
)


def is_worn_out(reply: Reply | None) -> bool:
    """Tell whether a request was refused, unread, for a token that is worn out or unknown."""
    if reply is None or reply.status not in (400, 401):
        return False
    return text_at(reply.value(), "error") in _WORN_OUT


def is_missing(reply: Reply | None) -> bool:
    """Tell whether an answer to getRecord says that nothing is there."""
    if reply is None or reply.ok:
        return False
    return text_at(reply.value(), "error") == "RecordNotFound"


def published(
    exchange: Exchange, post: PostRequest, did: str, handle: str, now: datetime
) -> Outcome:
    """Return what became of com.atproto.repo.putRecord."""
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    if not reply.ok:
        return refused(reply, RULES, now, is_reply=bool(post.parent))
    uri = text_at(reply.value(), "uri")
    if uri != uri_of(did, post.key) or not cid_in(reply.value()):
        return unreadable(reply, NETWORK)
    return Outcome(OutcomeKind.SENT, uri, page_of(uri, handle))


def uploaded(exchange: Exchange, now: datetime) -> Outcome:
    """Return what became of com.atproto.repo.uploadBlob; the id is the blob's hash."""
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    if not reply.ok:
        return refused(reply, _UPLOADS, now)
    blob = blob_in(reply)
    if blob is None:
        reason = f"{NETWORK} answers {reply.status}, and not with an upload"
        return Outcome(OutcomeKind.UNKNOWN, reason=reason)
    return Outcome(OutcomeKind.SENT, text_at(blob, "ref", "$link"))


def blob_in(reply: Reply | None) -> dict[str, object] | None:
    """Return the blob that an answer to uploadBlob names, as a record names it; None for no blob.

    Nothing else that a server may have written there gets into a record of ours.
    """
    found = at(reply.value(), "blob") if reply else None
    cid, kind, size = text_at(found, "ref", "$link"), text_at(found, "mimeType"), at(found, "size")
    if not (is_cid(cid) and _MEDIA_TYPE.fullmatch(kind) and type(size) is int and size >= 0):
        return None
    return {"$type": "blob", "ref": {"$link": cid}, "mimeType": kind, "size": size}


def not_uploaded(media_id: str) -> Outcome:
    """Return the outcome of asking after an upload that was never made."""
    reason = f"{clean(media_id)!r} is no upload of this run to {NETWORK}"
    return Outcome(OutcomeKind.REFUSED, reason=reason, refusal=Refusal.CONTENT)


def cid_in(value: object) -> str:
    """Return the hash of the record that an answer is about; empty where it has none."""
    cid = text_at(value, "cid")
    return cid if is_cid(cid) else ""


def deleted(exchange: Exchange, uri: str, now: datetime) -> Outcome:
    """Return what became of com.atproto.repo.deleteRecord; what is not there counts as deleted."""
    reply = exchange.reply
    if reply is None:
        return unanswered(exchange, NETWORK)
    if not reply.ok:
        return refused(reply, RULES, now)
    is_answer = isinstance(reply.value(), dict)
    return Outcome(OutcomeKind.SENT, uri) if is_answer else unreadable(reply, NETWORK)


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page of listRecords: posts with their cids, in the order of their keys, highest first.

    `last` is what its last record is filed under. `cursor` leads on, and is empty on the last page.
    """

    posts: tuple[tuple[RemotePost, str], ...]
    last: str
    cursor: str
    clock: datetime | None


def page(reply: Reply, did: str, handle: str) -> RecordPage | None:
    """Return a page of our own posts; None where the answer is none.

    Records that other programs filed under keys of other forms are passed over.
    """
    value = reply.value()
    if not reply.ok or not isinstance(at(value, "records"), list):
        return None
    records = items_at(value, "records")
    filed = [filed_under(text_at(each, "uri"), did) for each in records]
    if not all(filed):
        return None
    posts = [(post, cid_in(each)) for each in records if (post := seen(each, did, handle))]
    last = filed[-1] if filed else ""
    return RecordPage(tuple(posts), last, text_at(value, "cursor") if filed else "", reply.clock)


def profile(did: str, handle: str, scope: str, about: object) -> AccountProfile:
    """Return who we are, from the session and the record of the profile (None for none)."""
    return AccountProfile(
        id=did,
        handle=handle,
        url=f"https://bsky.app/profile/{handle}",
        limit=LONGEST,
        advice=tuple(_advice(scope, about)),
    )


def _advice(scope: str, about: object) -> Iterator[str]:
    if scope == OWN_PASSWORD:
        yield (
            "BLUESKY_APP_PASSWORD is the account's own password, which can do everything: make an "
            "app password in its settings (Privacy and security), and use that."
        )
    labels = items_at(about, "value", "labels", "values")
    if not any(text_at(label, "val") == "bot" for label in labels):
        yield (
            "The account is not marked as a bot: give its profile the self-label `bot` "
            "(https://docs.bsky.app/docs/starter-templates/bots)."
        )
    if not names_somebody(text_at(about, "value", "description")):
        yield "The bio does not name who runs the account: write for example 'by @you' into it."
