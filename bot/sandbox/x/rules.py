"""X's rules: answer the API of https://docs.x.com/x-api for one application and one user.

They publish, delete, and read the account's timeline and posts by id. `spent` adds up what X bills,
and every answer has the headers of its rate limit. Files are uploaded, and ids that a test adds to
`media` count as uploaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from bot.sandbox.ids import x_ids
from bot.sandbox.rate_limits import RateLimit, RateWindows
from bot.sandbox.rewrites import rewritten, stamped
from bot.sandbox.service import Stored
from bot.sandbox.wire import Json, Pairs, RefusedRequest, Request, Response, reply
from bot.sandbox.x import answers
from bot.sandbox.x.behaviour import Paging, XBehaviour
from bot.sandbox.x.login import XLogins
from bot.sandbox.x.media import METADATA, UPLOAD, XMedia
from bot.sandbox.x.oauth1 import OAuthKeys, signed
from bot.sandbox.x.pages import EMPTY_PAGE, checked, fields, page, wanted
from bot.sandbox.x.posting import check_duplicate, check_reply, check_text, draft, price
from bot.sandbox.x.text import Setting, post_object, shown

_MOST_IDS = 100
_POST = re.compile(r"/2/tweets/([0-9]+)")
_TIMELINE = re.compile(r"/2/users/([0-9]+)/tweets")

Handler = Callable[[Request, datetime], Response]


@dataclass(frozen=True, slots=True)
class _Call:
    """The function that carries a request out, and its rate limit."""

    limit: str
    most: int
    run: Callable[[datetime], Response]


class XRules(XMedia):
    """X, seen by one application with one user's tokens.

    `clock` returns the network's time. The access token begins with the account's id. `keys` are
    valid from the start. `logins` makes others.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        behaviour: XBehaviour | None = None,
        keys: OAuthKeys | None = None,
        username: str = "sandbox",
    ) -> None:
        self.keys = keys or OAuthKeys()
        super().__init__(clock, x_ids(), self.keys.access_token.partition("-")[0])
        self.behaviour = behaviour or XBehaviour()
        self.username = username
        self.spent = Decimal(0)
        self.media = set()
        self.uploads = {}
        self.logins = XLogins(self.keys, username)
        self._windows = RateWindows()
        self._read: set[tuple[date, str]] = set()

    def authorize(self, url: str) -> str:
        """Authorize the app as a person would on the page at `url`, and return the PIN.

        Raises ValueError if the page would say that the address is wrong.
        """
        return self.logins.authorize(url)

    def _serve(self, request: Request, now: datetime) -> Response:
        if answer := self.logins.answer(request, self._bases(request)):
            return answer.having(*answers.usual_headers(now))
        try:
            call = self._authorized(request)
            headers = self._count(call, now)
        except RefusedRequest as refused:
            return refused.response.having(*answers.usual_headers(now))
        try:
            answer = self._run(call, now)
        except RefusedRequest as refused:
            answer = refused.response
        return answer.having(*answers.usual_headers(now), *headers)

    def _authorized(self, request: Request) -> _Call:
        known = (self.keys, *self.logins.granted)
        if not any(signed(request, keys, self._bases(request)) for keys in known):
            raise RefusedRequest(answers.UNAUTHORIZED)
        return self._route(request)

    def _bases(self, request: Request) -> tuple[str, ...]:
        return (f"http://{request.header('host')}", *self.behaviour.signed_for)

    def _route(self, request: Request) -> _Call:
        limits = self.behaviour.limits
        fixed: Mapping[tuple[str, str], tuple[str, int, Handler]] = {
            ("POST", "/2/tweets"): ("create", limits.create, self._create),
            ("GET", "/2/tweets"): ("lookup", limits.lookup, self._look_up),
            ("GET", "/2/users/me"): ("me", limits.me, self._me),
            ("POST", UPLOAD): ("upload", limits.upload, self._upload),
            ("GET", UPLOAD): ("upload", limits.upload, self._upload_status),
            ("POST", METADATA): ("metadata", limits.metadata, self._describe),
        }
        if found := fixed.get((request.method, request.path)):
            limit, most, handler = found
            return _Call(limit, most, lambda now: handler(request, now))
        return self._route_to_one(request)

    def _route_to_one(self, request: Request) -> _Call:
        limits = self.behaviour.limits
        timeline, post = _TIMELINE.fullmatch(request.path), _POST.fullmatch(request.path)
        if timeline and request.method == "GET":
            user = timeline[1]
            return _Call("timeline", limits.timeline, lambda now: self._list(request, user, now))
        if post and request.method == "GET":
            known = post[1]
            return _Call("lookup", limits.lookup, lambda now: self._get(request, known, now))
        if post and request.method == "DELETE":
            known = post[1]
            return _Call("delete", limits.delete, lambda now: self._destroy(known, now))
        raise RefusedRequest(answers.NO_PAGE)

    def _count(self, call: _Call, now: datetime) -> Pairs:
        limit = RateLimit(call.limit, call.most, self.behaviour.limits.window)
        full = self._windows.look(limit, now).full
        headers = answers.limit_headers(self._windows.take(limit, now))
        if full:
            raise RefusedRequest(answers.TOO_MANY.having(*headers))
        return headers

    def _run(self, call: _Call, now: datetime) -> Response:
        credit = self.behaviour.credits
        if credit is not None and self.spent >= credit:
            raise RefusedRequest(answers.NO_CREDITS)
        return call.run(now)

    # -- writing -------------------------------------------------------------------------------

    def _create(self, request: Request, now: datetime) -> Response:
        new = draft(request, self.account, now)
        bill = price(new.text, self.behaviour.prices)
        try:
            self._check(new, now)
        except RefusedRequest:
            self.spent += bill if self.behaviour.bills_refusals else 0
            raise
        self.spent += bill
        post = self._store(replace(new, media=()) if self.behaviour.loses_media else new)
        value = {"edit_history_tweet_ids": [post.id], "id": post.id, "text": shown(post).text}
        location = f"https://api.twitter.com/2/tweets/{post.id}"
        return reply(201, {"data": value}, ("location", location))

    def _check(self, new: Stored, now: datetime) -> None:
        self._check_media(new.media, now)
        if new.reply_to is not None:
            check_reply(self._find(new.reply_to), new, self.username, self.behaviour)
        check_text(new.text, self.behaviour)
        check_duplicate(new, self._posts.values(), self.behaviour)

    def _destroy(self, post_id: str, now: datetime) -> Response:
        self.spent += self.behaviour.prices.delete
        post = self._find(post_id)
        if post and post.author != self.account:
            return answers.FORBIDDEN
        if post:
            self._delete(post, now)
            return reply(200, {"data": {"deleted": True}})
        if self.behaviour.delete_missing == answers.NO_PAGE.status:
            return answers.NO_PAGE
        return reply(self.behaviour.delete_missing, {"data": {"deleted": False}})

    # -- reading -------------------------------------------------------------------------------

    def _me(self, request: Request, now: datetime) -> Response:
        del request, now
        self.spent += self.behaviour.prices.user
        me = {"id": self.account, "name": "Sandbox", "username": self.username}
        return reply(200, {"data": me})

    def _list(self, request: Request, user: str, now: datetime) -> Response:
        self._check_readable()
        want = wanted(request)
        if user != self.account:
            return reply(200, {"errors": [answers.not_found("user", "id", user)]})
        if self.behaviour.pages is Paging.EMPTY_FIRST:
            return self._empty_first(request)
        kept = [post for post in self._timeline(now, want.exclude) if want.has(post)]
        found, meta = page(kept, want.most)
        self._bill_reads(found, now)
        data: dict[str, Json] = {"data": self._objects(found, request)} if found else {}
        return reply(200, data | {"meta": meta})

    def _empty_first(self, request: Request) -> Response:
        if "pagination_token" in dict(request.params()):
            raise RefusedRequest(answers.UNAVAILABLE)
        return reply(200, {"meta": {"result_count": 0, "next_token": EMPTY_PAGE}})

    def _timeline(self, now: datetime, exclude: frozenset[str]) -> Sequence[Stored]:
        behaviour = self.behaviour
        ordered = sorted(self._posts.values(), key=lambda post: int(post.id), reverse=True)
        seen = [
            post
            for post in ordered
            if post.author == self.account
            and post.deleted is None
            and post.created + behaviour.timeline_lag <= now
        ]
        # excluded replies count for the depth too, as documented
        reach = behaviour.depth_without_replies if "replies" in exclude else behaviour.depth
        return seen[:reach]

    def _look_up(self, request: Request, now: datetime) -> Response:
        self._check_readable()
        ids = list(dict.fromkeys(checked(request, {"ids"}).get("ids", "").split(",")))
        if len(ids) > _MOST_IDS or not all(each.isascii() and each.isdigit() for each in ids):
            raise RefusedRequest(answers.invalid("ids", ",".join(ids), "ids is not valid"))
        found = [post for each in ids if (post := self._readable(each, now))]
        missing = [each for each in ids if not self._readable(each, now)]
        self._bill_reads(found, now)
        data: dict[str, Json] = {"data": self._objects(found, request)} if found else {}
        errors = [answers.not_found("tweet", "ids", each) for each in missing]
        return reply(200, data | ({"errors": errors} if errors else {}))

    def _get(self, request: Request, post_id: str, now: datetime) -> Response:
        self._check_readable()
        checked(request, ())
        post = self._readable(post_id, now)
        if post is None:
            return reply(200, {"errors": [answers.not_found("tweet", "id", post_id)]})
        self._bill_reads([post], now)
        return reply(200, {"data": self._objects([post], request)[0]})

    def _readable(self, post_id: str, now: datetime) -> Stored | None:
        post = self._find(post_id)
        return post if post and post.created + self.behaviour.lookup_lag <= now else None

    def _check_readable(self) -> None:
        if self.behaviour.unreadable is not None:
            raise RefusedRequest(answers.unreadable(self.behaviour.unreadable))

    def _objects(self, posts: Sequence[Stored], request: Request) -> Sequence[Mapping[str, Json]]:
        wished, behaviour = fields(dict(request.params())), self.behaviour
        found = []
        for post in posts:
            read = replace(post, text=rewritten(post.text, behaviour.rewrites))
            value = dict(post_object(read, self._setting(post), behaviour.names, wished))
            if "created_at" in value:
                value["created_at"] = stamped(str(value["created_at"]), behaviour.stamps)
            found.append(value)
        return found

    def _setting(self, post: Stored) -> Setting:
        parent = self._posts.get(post.reply_to or "")
        root = post
        while above := self._posts.get(root.reply_to or ""):
            root = above
        return Setting(root.id, parent.author if parent else None)

    def _bill_reads(self, posts: Sequence[Stored], now: datetime) -> None:
        # X bills a post once a day (UTC), however often it is read
        for seen in {(now.date(), post.id) for post in posts} - self._read:
            self._read.add(seen)
            self.spent += self.behaviour.prices.read
