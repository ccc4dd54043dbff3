"""The poster for Bluesky: its API (XRPC) over plain HTTP (https://docs.bsky.app/docs/api).

The SDK is not used: it was measured at 614 ms and 61 MiB at import, it lets the server choose a
post's key, and it drops the `swapRecord: null` that makes a repeat harmless. What is needed of it
are seven methods.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from bot.model import Account
from bot.posters.answers import no_id
from bot.posters.bluesky import answers, errors
from bot.posters.bluesky.client import Client
from bot.posters.bluesky.records import POST, Image, Ref, key_of, record, seen, size_of
from bot.posters.bluesky.session import SessionManager
from bot.posters.bluesky.tids import EPOCH, is_tid, tid, time_of
from bot.posters.bluesky.xrpc import Wire
from bot.posters.poster import (
    MOST_TEXT,
    AccountProfile,
    CannotRead,
    Outcome,
    OutcomeKind,
    Poster,
    PostRequest,
    RemotePost,
    Timeline,
    Upload,
)
from bot.posters.session_store import SessionStore
from bot.redact import Redact

_PAGE = 100
_PAGES = 250
_DAY = timedelta(days=1)


def open_poster(  # noqa: PLR0913 - an account, how to reach it, and how to stay logged in
    account: Account,
    *,
    handle: str,
    app_password: str,
    base_url: str,
    timeout: float,
    clock: Callable[[], datetime],
    keeper: SessionStore | None = None,
    redact: Redact | None = None,
) -> Poster:
    """Return the poster of one account; nothing is sent yet.

    `timeout` is in seconds, for one answer. `keeper` keeps the session from one run to the next.
    """
    wire = Wire(base_url, timeout, app_password, redact)
    login = SessionManager(wire, handle, app_password, keeper or SessionStore(), clock)
    return _Bluesky(account, Client(wire, login, clock), clock)


class _Bluesky:
    """See `Poster`. One request a call; more where a session is renewed, and to read pages."""

    def __init__(self, account: Account, client: Client, clock: Callable[[], datetime]) -> None:
        self._account = account
        self._client = client
        self._clock = clock
        self._cids: dict[str, str] = {}
        self._images: dict[str, Image] = {}

    def publish(self, post: PostRequest) -> Outcome:
        """See `Poster.publish`. What a reply refers to is read before, where it is not known."""
        try:
            return self._put(post)
        except CannotRead as error:
            return errors.not_sent(error)

    def _put(self, post: PostRequest) -> Outcome:
        me = self._client.who()
        root = self._ref(post.root or post.parent) if post.parent else None
        parent = self._ref(post.parent) if post.parent else None
        if post.parent and not (root and parent):
            return errors.gone()
        images = [self._images[each] for each in post.media if each in self._images]
        body = {
            "repo": me.did,
            "collection": POST,
            "rkey": post.key,
            "record": record(post, root, parent, images),
            "swapRecord": None,  # so that what is there already is never overwritten
        }
        exchange = self._client.do("com.atproto.repo.putRecord", body)
        outcome = self._client.settled(
            exchange, answers.published(exchange, post, me.did, me.handle, self._clock())
        )
        if outcome.sort is OutcomeKind.SENT and exchange.reply:
            self._cids[outcome.id] = answers.cid_in(exchange.reply.value())
        missing = len(post.media) - len(images)
        lost = f"{missing} of {len(post.media)} media are missing" if missing else ""
        return replace(outcome, bare=lost) if outcome.sort is OutcomeKind.SENT else outcome

    def upload(self, media: Upload) -> Outcome:
        """See `Poster.upload`. A blob is kept for a while, and for good once a record names it.

        The id is of our own making: a blob's hash is the same for the same bytes, and whoever makes
        an upload anew must be able to tell it from the one before.
        """
        try:
            exchange = self._client.send("com.atproto.repo.uploadBlob", media.data, media.type)
            outcome = self._client.settled(exchange, answers.uploaded(exchange, self._clock()))
        except CannotRead as error:
            return errors.not_sent(error)
        blob = answers.blob_in(exchange.reply)
        if outcome.sort is not OutcomeKind.SENT or blob is None:
            return outcome
        media_id = f"{outcome.id}.{len(self._images)}"
        self._images[media_id] = Image(blob, media.alt, size_of(media.data))
        return replace(outcome, id=media_id)

    def media_ready(self, media_id: str) -> Outcome:
        """See `Poster.media_ready`: an upload is ready when it is answered."""
        if media_id in self._images:
            return Outcome(OutcomeKind.SENT, media_id)
        return answers.not_uploaded(media_id)

    def delete(self, post_id: str) -> Outcome:
        try:
            did = self._client.who().did
            key = key_of(post_id, did)
            if not key:
                return no_id(answers.NETWORK, post_id)
            self._cids.pop(post_id, None)
            body = {"repo": did, "collection": POST, "rkey": key}
            exchange = self._client.do("com.atproto.repo.deleteRecord", body)
        except CannotRead as error:
            return errors.not_sent(error)
        outcome = answers.deleted(exchange, post_id, self._clock())
        return self._client.settled(exchange, outcome)

    def look(self, since: datetime, after: str = "", keys: Collection[str] = ()) -> Timeline:
        """See `Poster.look`.

        Keys sort as time does, and those of a digest's posts are of its own day. So with `keys` all
        that is filed under their days is read, whatever `since` and `after` say: a post that was
        sent later may have the lower key.
        """
        times = [time_of(key) for key in keys if is_tid(key)]
        if not times:
            start = max(since.astimezone(UTC).replace(microsecond=0), EPOCH)
            known = key_of(after, self._client.who().did) if after else ""
            return self._between(max(tid(start), known), "", after)
        # no further: half of another thread would look like a part of this one that went astray
        return self._between(tid(_midnight(min(times))), tid(_midnight(max(times)) + _DAY))

    def _between(self, lowest: str, cursor: str, but: str = "") -> Timeline:
        """Read what is filed below `cursor` (empty: from the top) down to `lowest`."""
        found: list[RemotePost] = []
        size = 0
        self._cids = {}  # what is gone meanwhile is referred to no more
        for _ in range(_PAGES):
            page = self._page(cursor)
            self._cids |= {post.id: cid for post, cid in page.posts if cid}
            found += [each for each, _ in page.posts if each.key >= lowest and each.id != but]
            size += sum(len(each.text) for each, _ in page.posts)
            cursor = page.cursor
            if not cursor or page.last < lowest or size > MOST_TEXT:
                break
        newest_first = sorted(found, key=lambda each: (each.created, each.key), reverse=True)
        complete = not cursor or page.last < lowest
        return Timeline(tuple(newest_first), complete, clock=page.clock)

    def _page(self, cursor: str) -> answers.RecordPage:
        me = self._client.who()
        params: dict[str, str | int] = {"repo": me.did, "collection": POST, "limit": _PAGE}
        asked = params | {"cursor": cursor} if cursor else params
        exchange = self._client.ask("com.atproto.repo.listRecords", asked)
        page = answers.page(exchange.reply, me.did, me.handle) if exchange.reply else None
        if page is None:
            self._client.answer(exchange)  # raises where it is a refusal
            raise self._client.unread(exchange)
        return page

    def read(self, post_id: str) -> RemotePost | None:
        me = self._client.who()
        key = key_of(post_id, me.did)
        if not key:
            return None
        params = {"repo": me.did, "collection": POST, "rkey": key}
        exchange = self._client.ask("com.atproto.repo.getRecord", params)
        if answers.is_missing(exchange.reply):
            self._cids.pop(post_id, None)
            return None
        value = self._client.answer(exchange).value()
        post, cid = seen(value, me.did, me.handle), answers.cid_in(value)
        if post is None or post.id != post_id or not cid:
            raise self._client.unread(exchange)
        self._cids[post.id] = cid
        return post

    def profile(self) -> AccountProfile:
        me = self._client.tried()
        params = {"repo": me.did, "collection": "app.bsky.actor.profile", "rkey": "self"}
        exchange = self._client.ask("com.atproto.repo.getRecord", params)
        missing = answers.is_missing(exchange.reply)
        about = None if missing else self._client.answer(exchange).value()
        return answers.profile(me.did, me.handle, me.scope, about)

    def cost(self, text: str) -> Decimal:  # noqa: ARG002 - nothing is billed, whatever the text
        return Decimal(0)

    def close(self) -> None:
        self._client.close()

    def _ref(self, uri: str) -> Ref | None:
        """The strong reference of a post of ours; None where it is not there. Raises CannotRead."""
        if uri not in self._cids and self.read(uri) is None:
            return None
        return Ref(uri, self._cids[uri])


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
