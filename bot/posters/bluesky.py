"""The poster for Bluesky: its API (XRPC) over plain HTTP (https://docs.bsky.app/docs/api).

The SDK is not used: it was measured at 614 ms and 61 MiB at import, it lets the server choose a
post's key, and it drops the `swapRecord: null` that makes a repeat harmless. What is needed of it
are the seven methods below.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from bot import __version__
from bot.model import Account
from bot.posters import bluesky_answers as answers
from bot.posters.answers import Exchange, Fate, Reply, cannot_read, no_id
from bot.posters.bluesky_records import POST, Ref, key_of, record, seen
from bot.posters.bluesky_session import Login, Session
from bot.posters.keeper import Keeper
from bot.posters.poster import (
    CannotRead,
    Look,
    Outcome,
    Outgoing,
    Poster,
    Profile,
    Refusal,
    Seen,
    Sort,
)
from bot.posters.tids import tid, time_of
from bot.posters.values import text_at

if TYPE_CHECKING:
    from bot.posters.http import Line

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
    keeper: Keeper | None = None,
) -> Poster:
    """Return the poster of one account; nothing is sent yet.

    `timeout` is in seconds, for one answer. `keeper` keeps the session from one run to the next.
    """
    from bot.posters.http import Line  # noqa: PLC0415 - loads at first use

    line = Line(base_url, timeout, [app_password])
    wire = _Wire(line, base_url)
    login = Login(wire.post, handle, app_password, keeper or Keeper(), clock)
    return _Bluesky(account, wire, login, clock)


_NOT_LOGGED_IN = Exchange(Fate.UNSENT, None, "there is no session")


def _not_sent(error: CannotRead) -> Outcome:
    """The outcome of a request that was not made, since what it needs could not be had."""
    reason = f"{error.message}; nothing was sent"
    if error.final:
        return Outcome(Sort.REFUSED, reason=reason, refusal=Refusal.CREDENTIALS)
    return Outcome(Sort.LATER, reason=reason, until=error.until)


class _Wire:
    """One request a call: a query or a procedure of XRPC."""

    def __init__(self, line: Line, base_url: str) -> None:
        self.line = line
        self._base = f"{base_url}/xrpc/"

    def get(self, method: str, token: str, params: Mapping[str, str | int]) -> Exchange:
        """Ask; nothing changes."""
        asked = {name: str(value) for name, value in params.items()}
        headers = self._headers(token)
        return self.line.once(
            lambda: self.line.session.get(self._base + method, params=asked, headers=headers)
        )

    def post(self, method: str, token: str, body: object) -> Exchange:
        """Do; without a body where that is None."""

        def ask() -> object:
            headers = self._headers(token)
            if body is None:
                return self.line.session.post(self._base + method, headers=headers)
            data = json.dumps(body, ensure_ascii=False).encode()
            headers["Content-Type"] = "application/json"
            return self.line.session.post(self._base + method, data=data, headers=headers)

        return self.line.once(ask)

    @staticmethod
    def _headers(token: str) -> dict[str, str]:
        headers = {"User-Agent": f"bot/{__version__}", "Accept": "application/json"}
        return headers | {"Authorization": f"Bearer {token}"} if token else headers


class _Bluesky:
    """See `Poster`. One request a call; more where a session is renewed, and to read pages."""

    def __init__(
        self, account: Account, wire: _Wire, login: Login, clock: Callable[[], datetime]
    ) -> None:
        self._account = account
        self._wire = wire
        self._login = login
        self._clock = clock
        self._cids: dict[str, str] = {}

    def publish(self, post: Outgoing) -> Outcome:
        """See `Poster.publish`. What a reply refers to is read before, where it is not known."""
        try:
            return self._put(post)
        except CannotRead as error:
            return _not_sent(error)

    def _put(self, post: Outgoing) -> Outcome:
        did, handle = self._who()
        root = self._ref(post.root or post.parent) if post.parent else None
        parent = self._ref(post.parent) if post.parent else None
        if post.parent and not (root and parent):
            reason = f"{answers.NETWORK}: the post replied to is gone"
            return Outcome(Sort.REFUSED, reason=reason, refusal=Refusal.PARENT)
        body = {
            "repo": did,
            "collection": POST,
            "rkey": post.key,
            "record": record(post, root, parent),
            "swapRecord": None,  # so that what is there already is never overwritten
        }
        exchange = self._done("com.atproto.repo.putRecord", body)
        outcome = answers.published(exchange, post, did, handle, self._clock())
        if outcome.sort is Sort.SENT and exchange.reply:
            self._cids[outcome.id] = text_at(exchange.reply.value(), "cid")
        return outcome

    def delete(self, post_id: str) -> Outcome:
        try:
            did, _ = self._who()
            key = key_of(post_id, did)
            if not key:
                return no_id(answers.NETWORK, post_id)
            body = {"repo": did, "collection": POST, "rkey": key}
            exchange = self._done("com.atproto.repo.deleteRecord", body)
        except CannotRead as error:
            return _not_sent(error)
        return answers.deleted(exchange, post_id, self._clock())

    def look(self, since: datetime, after: str = "", keys: Collection[str] = ()) -> Look:
        """See `Poster.look`.

        Keys sort as time does, and those of a digest's posts are of its own day. So with `keys` all
        that is filed under their days is read, and without them what is filed since `since`;
        `after` would spare nothing.
        """
        del after
        times = [time_of(key) for key in keys]
        first = min(times, default=since).astimezone(UTC)
        start = first.replace(hour=0, minute=0, second=0, microsecond=0) if times else first
        end = max(times) + _DAY if times else None
        return self._between(start, end)

    def _between(self, start: datetime, end: datetime | None) -> Look:
        lowest, cursor = tid(start), tid(end) if end else ""
        posts: list[Seen] = []
        for _ in range(_PAGES):
            page = self._page(cursor)
            found = [one for each in page if (one := self._seen(each))]
            posts += [post for post in found if post.key >= lowest]
            if not page or any(post.key < lowest for post in found):
                return Look(tuple(posts), complete=len(found) == len(page))
            cursor = text_at(page[-1], "uri").rpartition("/")[2]
        return Look(tuple(posts), complete=False)

    def _page(self, cursor: str) -> Sequence[object]:
        did, _ = self._who()
        params: dict[str, str | int] = {"repo": did, "collection": POST, "limit": _PAGE}
        asked = params | {"cursor": cursor} if cursor else params
        exchange = self._asked("com.atproto.repo.listRecords", asked)
        page = answers.records(exchange.reply) if exchange.reply else None
        if page is None:
            raise self._cannot_read(exchange)
        return page

    def read(self, post_id: str) -> Seen | None:
        did, _ = self._who()
        key = key_of(post_id, did)
        if not key:
            return None
        params = {"repo": did, "collection": POST, "rkey": key}
        exchange = self._asked("com.atproto.repo.getRecord", params)
        if answers.is_missing(exchange.reply):
            return None
        post = self._seen(self._answer(exchange).value())
        if post is None:
            raise self._cannot_read(exchange)
        return post

    def profile(self) -> Profile:
        """See `Poster.profile`. The session is tried: one that is kept may have been revoked."""
        did, handle = self._who()
        self._answer(self._asked("com.atproto.server.getSession", {}))
        params = {"repo": did, "collection": "app.bsky.actor.profile", "rkey": "self"}
        exchange = self._asked("com.atproto.repo.getRecord", params)
        missing = answers.is_missing(exchange.reply)
        return answers.profile(did, handle, None if missing else self._answer(exchange).value())

    def cost(self, text: str) -> Decimal:  # noqa: ARG002 - nothing is billed, whatever the text
        return Decimal(0)

    def close(self) -> None:
        self._wire.line.close()

    # Records -------------------------------------------------------------------------------------

    def _ref(self, uri: str) -> Ref | None:
        """The strong reference of a post of ours; None where it is not there. Raises CannotRead."""
        if uri not in self._cids:
            self.read(uri)
        cid = self._cids.get(uri)
        return Ref(uri, cid) if cid else None

    def _seen(self, found: object) -> Seen | None:
        post = seen(found, self._who()[1])
        if post is not None:
            self._cids[post.id] = text_at(found, "cid")
        return post

    # Requests ------------------------------------------------------------------------------------

    def _who(self) -> tuple[str, str]:
        """Our DID and handle. Raises CannotRead where there is no logging in."""
        session = self._login.session or self._logged_in(self._login.current())
        return session.did, session.handle

    def _logged_in(self, session: Session | None) -> Session:
        if session is None:
            raise self._cannot_read(self._login.trouble or _NOT_LOGGED_IN)
        return session

    def _asked(self, method: str, params: Mapping[str, str | int]) -> Exchange:
        return self._with_token(lambda token: self._wire.get(method, token, params))

    def _done(self, method: str, body: object) -> Exchange:
        return self._with_token(lambda token: self._wire.post(method, token, body))

    def _with_token(self, call: Callable[[str], Exchange]) -> Exchange:
        """Call with a good token; once more with a new one where it was refused, and so not done.

        Raises CannotRead where there is no logging in.
        """
        exchange = call(self._logged_in(self._login.current()).access)
        if answers.is_expired(exchange.reply):
            exchange = call(self._logged_in(self._login.renewed()).access)
        return exchange

    def _answer(self, exchange: Exchange) -> Reply:
        if exchange.reply is None or not exchange.reply.ok:
            raise self._cannot_read(exchange)
        return exchange.reply

    def _cannot_read(self, exchange: Exchange) -> CannotRead:
        return cannot_read(exchange, answers.RULES, self._clock(), answers.FINAL)
