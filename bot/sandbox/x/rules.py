"""X's rules: answer the API of https://docs.x.com/x-api for one application and one user.

They publish, delete, take files, and read the account's timeline and posts by id. `spent` adds up
what X bills, and every answer has the headers of its rate limit.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from bot.formatter.limits import twitter_length
from bot.formatter.x.entities import cashtags, mentions, urls
from bot.sandbox.ids import x_ids
from bot.sandbox.rate_limits import RateLimit, RateWindows
from bot.sandbox.rewrites import rewritten, stamped
from bot.sandbox.service import NetworkService, Stored
from bot.sandbox.uploads import Medium, type_of
from bot.sandbox.wire import Json, RefusedRequest, Request, Response, reply, usual_headers
from bot.sandbox.x import answers
from bot.sandbox.x.behaviour import Duplicates, Paging, XBehaviour
from bot.sandbox.x.oauth1 import OAuthKeys, signed
from bot.sandbox.x.text import post_object, shown, trimmed

_DUPLICATES_FOR = timedelta(hours=24)
_CATEGORY = "tweet_image"
_FIELDS = {"tweet.fields", "post.fields", "expansions", "user.fields", "media.fields"}
_FEWEST, _USUAL, _MOST = 5, 10, 100
_TOKEN = "7140dib"  # noqa: S105 - the beginning of page tokens


class XRules(NetworkService):
    """X, seen by one application with one user's tokens.

    `clock` returns the network's time. The access token in `keys` begins with the account's id.
    `media` holds the ids of files that a post may use, and a test may add its own. `uploads` holds
    the uploaded files.
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
        self.media: set[str] = set()
        self.uploads: dict[str, Medium] = {}
        self._windows = RateWindows()
        self._read: set[tuple[date, str]] = set()

    def _serve(self, request: Request, now: datetime) -> Response:
        headers, bases = usual_headers(now, *answers.USUAL), bases_of(request)
        if not any(signed(request, keys, bases) for keys in self._known_keys()):
            return answers.UNAUTHORIZED.having(*headers)
        for method, pattern, limit_name, handler in _ROUTES:
            found = re.fullmatch(pattern, request.path)
            if not found or method != request.method:
                continue
            limits, credit = self.behaviour.limits, self.behaviour.credits
            limit = RateLimit(limit_name, getattr(limits, limit_name), limits.window)
            full = self._windows.look(limit, now).full
            headers += answers.limit_headers(self._windows.take(limit, now))
            if full:
                return answers.TOO_MANY.having(*headers)
            if credit is not None and self.spent >= credit:
                return answers.NO_CREDITS.having(*headers)
            try:
                answer = handler(self, request, now, found[found.lastindex or 0])
            except RefusedRequest as refused:
                answer = refused.response
            return answer.having(*headers)
        return answers.NO_PAGE.having(*headers)

    def _known_keys(self) -> Sequence[OAuthKeys]:
        return [self.keys]

    # -- writing -------------------------------------------------------------------------------

    def create(self, request: Request, now: datetime, _: str) -> Response:
        """Publish a post."""
        value = request.fields()
        if value is None:
            raise RefusedRequest(
                answers.invalid("body", "", "The request body is not a JSON object")
            )
        text, media = value.get("text", ""), _inside(value, "media", "media_ids")
        ids = tuple(map(str, media)) if isinstance(media, list) else ()
        if not isinstance(text, str) or not (text.strip() or ids):
            raise RefusedRequest(answers.invalid("$.text", str(text), "$.text: may not be empty"))
        parent = _inside(value, "reply", "in_reply_to_tweet_id")
        if "reply" in value and not (isinstance(parent, str) and re.fullmatch("[0-9]+", parent)):
            message = "$.reply.in_reply_to_tweet_id: is missing but it is required"
            raise RefusedRequest(answers.invalid("$.reply", str(parent), message))
        above = str(parent) if "reply" in value else None
        new = Stored("", text, self.account, now, above, media=ids, application="sandbox")
        self._check(new)
        prices = self.behaviour.prices
        self.spent += prices.linked if urls(trimmed(text)) else prices.post
        post = self._store(replace(new, media=()) if self.behaviour.loses_media else new)
        made = {"edit_history_tweet_ids": [post.id], "id": post.id, "text": shown(post).text}
        location = f"https://api.twitter.com/2/tweets/{post.id}"
        return reply(201, {"data": made}, ("location", location))

    def _check(self, new: Stored) -> None:
        """Raise RefusedRequest for a post that X does not publish."""
        self._check_media(new.media, new.created)
        if new.reply_to is not None:
            parent = self._find(new.reply_to)
            if parent is None:
                raise RefusedRequest(answers.missing_parent())
            named = {mention.text[1:].lower() for mention in mentions(parent.text)}
            if parent.author != new.author and self.username.lower() not in named:
                raise RefusedRequest(answers.REPLY_RULE)
        text = trimmed(new.text)
        if twitter_length(text) > self.behaviour.max_weight:
            raise RefusedRequest(answers.FORBIDDEN)
        if len(cashtags(new.text)) > 1:
            raise RefusedRequest(answers.CASHTAGS)
        if not text or self.behaviour.duplicates is Duplicates.NONE:
            return
        for post in self._posts.values():
            recent = post.deleted is None and new.created - post.created < _DUPLICATES_FOR
            if recent and post.author == new.author and trimmed(post.text) == text:
                raise RefusedRequest(answers.DUPLICATE)

    def destroy(self, _: Request, now: datetime, post_id: str) -> Response:
        """Delete a post."""
        self.spent += self.behaviour.prices.delete
        post = self._find(post_id)
        if post is None:
            return answers.NO_PAGE
        if post.author != self.account:
            return answers.FORBIDDEN
        self._delete(post, now)
        return reply(200, {"data": {"deleted": True}})

    # -- reading -------------------------------------------------------------------------------

    def me(self, _: Request, __: datetime, ___: str) -> Response:
        """Return the user of the tokens."""
        self.spent += self.behaviour.prices.user
        me = {"id": self.account, "name": "Sandbox", "username": self.username}
        return reply(200, {"data": me})

    def timeline(self, request: Request, now: datetime, user: str) -> Response:
        """Return a page of the account's posts, newest first."""
        behaviour, params = self.behaviour, self._params(request, _PAGING)
        asked: dict[str, int] = {}
        for name in params.keys() & _PAGING:
            try:
                asked[name] = _PAGING[name](params[name])
            except ValueError:
                refusal = answers.invalid(name, params[name], f"{name} is not valid")
                raise RefusedRequest(refusal) from None
        most, below = asked.get("max_results", _USUAL), asked.get("pagination_token")
        if user != self.account:
            return reply(200, {"errors": [answers.not_found("user", "id", user)]})
        if behaviour.pages is Paging.EMPTY_FIRST:
            if below is not None:
                raise RefusedRequest(answers.UNAVAILABLE)
            return reply(200, {"meta": {"result_count": 0, "next_token": f"{_TOKEN}0"}})
        listed = [
            post
            for post in sorted(self._posts.values(), key=lambda post: int(post.id), reverse=True)
            if post.author == self.account
            and post.deleted is None
            and post.created + behaviour.timeline_lag <= now
        ][: behaviour.depth]
        kept = [
            post
            for post in listed
            if asked.get("since_id", 0) < int(post.id)
            and (below is None or int(post.id) < below)
            and post.created.timestamp() >= asked.get("start_time", 0)
        ]
        found = kept[:most]
        if not found:
            return reply(200, {"meta": {"result_count": 0}})
        meta: dict[str, Json] = {
            "result_count": len(found),
            "newest_id": found[0].id,
            "oldest_id": found[-1].id,
        }
        if len(kept) > most:
            meta["next_token"] = f"{_TOKEN}{int(found[-1].id):x}"
        return reply(200, {"data": self._objects(found, params, now), "meta": meta})

    def get(self, request: Request, now: datetime, post_id: str) -> Response:
        """Return a post."""
        params, post = self._params(request, ()), self._find(post_id)
        if post is None:
            return reply(200, {"errors": [answers.not_found("tweet", "id", post_id)]})
        return reply(200, {"data": self._objects([post], params, now)[0]})

    def _params(self, request: Request, allowed: Iterable[str]) -> Mapping[str, str]:
        """Return the query of a read.

        Raises RefusedRequest on a plan without reads, and for an unknown parameter.
        """
        if self.behaviour.unreadable is not None:
            raise RefusedRequest(answers.unreadable(self.behaviour.unreadable))
        params = dict(request.params())
        for name in params.keys() - _FIELDS - set(allowed):
            message = f"The query parameter [{name}] is not known"
            raise RefusedRequest(answers.invalid(name, params[name], message))
        return params

    def _objects(
        self, posts: Sequence[Stored], params: Mapping[str, str], now: datetime
    ) -> Sequence[Mapping[str, Json]]:
        """Return posts as a client reads them, and bill them.

        X bills a post once a day (UTC), however often it is read.
        """
        behaviour, found = self.behaviour, []
        wished = (params.get("post.fields") or params.get("tweet.fields") or "").split(",")
        for post in posts:
            read = replace(post, text=rewritten(post.text, behaviour.rewrites))
            value = dict(post_object(read, behaviour.names, wished))
            if "created_at" in value:
                value["created_at"] = stamped(str(value["created_at"]), behaviour.stamps)
            found.append(value)
            if (now.date(), post.id) not in self._read:
                self._read.add((now.date(), post.id))
                self.spent += behaviour.prices.read
        return found

    # -- files: https://docs.x.com/x-api/media. The alt text is a second request. ------------------

    def upload(self, request: Request, now: datetime, _: str) -> Response:
        """Take a file, in JSON."""
        fields = request.fields() or {}
        names = ("media", "media_type", "media_category")
        media, kind, category = (str(fields.get(name, "")) for name in names)
        if category != _CATEGORY:
            message = "media_category: is missing or not valid"
            raise RefusedRequest(answers.invalid("media_category", category, message))
        try:
            data = b64decode(media, validate=True)
        except binascii.Error:
            raise RefusedRequest(answers.invalid("media", "", "media: is not base64")) from None
        if not kind or type_of(data) != kind:
            raise RefusedRequest(answers.invalid("media", "", "media type unrecognized."))
        if len(data) > self.behaviour.media_limit:
            raise RefusedRequest(answers.invalid("media", "", "media: is too large"))
        medium = Medium(self._ids(now), data, kind, now)
        self.uploads[medium.id] = medium
        self.media.add(medium.id)
        return reply(200, {"data": self._shown(medium, now)})

    def upload_status(self, request: Request, now: datetime, _: str) -> Response:
        """Return a file, and whether it is processed."""
        media_id = dict(request.params()).get("media_id", "")
        return reply(200, {"data": self._shown(self._uploaded(media_id, now), now)})

    def describe(self, request: Request, now: datetime, _: str) -> Response:
        """Set the alt text of a file."""
        self.spent += self.behaviour.prices.metadata
        fields = request.fields() or {}
        medium = self._uploaded(str(fields.get("id")), now)
        metadata = fields.get("metadata")
        words = _inside(metadata, "alt_text", "text") if isinstance(metadata, dict) else None
        if not isinstance(words, str) or not 0 < len(words) <= self.behaviour.alt_limit:
            message = "text: is not valid"
            raise RefusedRequest(answers.invalid("metadata.alt_text.text", str(words), message))
        self.uploads[medium.id] = replace(medium, alt=words)
        kept: Json = {"alt_text": {"text": words}}
        return reply(200, {"data": {"id": medium.id, "associated_metadata": kept}})

    def _shown(self, medium: Medium, now: datetime) -> dict[str, Json]:
        left = medium.uploaded + self.behaviour.media_expires - now
        shown: dict[str, Json] = {
            "id": medium.id,
            "media_key": f"3_{medium.id}",
            "size": len(medium.data),
            "expires_after_secs": int(left.total_seconds()),
        }
        if not self.behaviour.processing:
            return shown
        state = self._state(medium, now)
        waiting: dict[str, Json] = {"check_after_secs": 1} if state == "in_progress" else {}
        return {**shown, "processing_info": {"state": state, **waiting}}

    def _state(self, medium: Medium, now: datetime) -> str:
        if now - medium.uploaded < self.behaviour.processing:
            return "in_progress"
        return "failed" if self.behaviour.breaks_media else "succeeded"

    def _uploaded(self, media_id: str, now: datetime) -> Medium:
        medium = self.uploads.get(media_id)
        if medium is None or now - medium.uploaded >= self.behaviour.media_expires:
            raise RefusedRequest(answers.invalid("media_id", media_id, "BadRequest: Not found"))
        return medium

    def _check_media(self, wanted: Iterable[str], now: datetime) -> None:
        """Raise RefusedRequest for a file that is unknown, not ready or expired."""
        for media_id in wanted:
            known = media_id in self.media
            if known and media_id in self.uploads:
                known = self._state(self._uploaded(media_id, now), now) == "succeeded"
            if not known:
                message = "Your media IDs are invalid."
                raise RefusedRequest(answers.invalid("media.media_ids", media_id, message))


def bases_of(request: Request) -> tuple[str, ...]:
    """Return the base URLs that a request may be signed for."""
    return (f"http://{request.header('host')}", "https://api.twitter.com", "https://api.x.com")


def _inside(value: Mapping[str, object], outer: str, inner: str) -> object:
    inside = value.get(outer)
    return inside.get(inner) if isinstance(inside, dict) else None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return int(text)


def _count(text: str) -> int:
    if not _FEWEST <= _number(text) <= _MOST:
        raise ValueError(text)
    return int(text)


def _page(text: str) -> int:
    if not text.startswith(_TOKEN):
        raise ValueError(text)
    return int(text.removeprefix(_TOKEN), 16)


def _time(text: str) -> int:
    when = datetime.fromisoformat(text)
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


_PAGING: Mapping[str, Callable[[str], int]] = {
    "max_results": _count,
    "pagination_token": _page,
    "since_id": _number,
    "start_time": _time,
}

Handler = Callable[[XRules, Request, datetime, str], Response]
"""Answers a request. The text is the last group of the route's pattern, such as an id."""

# The method, the path, the limit in XLimits, and the handler of each call.
_ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("POST", "/2/tweets", "create", XRules.create),
    ("GET", "/2/users/me", "me", XRules.me),
    ("POST", "/2/media/upload", "upload", XRules.upload),
    ("GET", "/2/media/upload", "upload", XRules.upload_status),
    ("POST", "/2/media/metadata", "metadata", XRules.describe),
    ("GET", "/2/users/([0-9]+)/tweets", "timeline", XRules.timeline),
    ("GET", "/2/tweets/([0-9]+)", "lookup", XRules.get),
    ("DELETE", "/2/tweets/([0-9]+)", "delete", XRules.destroy),
)
