"""Mastodon's rules: answer the API of https://docs.joinmastodon.org for one account.

They publish with and without an Idempotency-Key, delete, list, and return a status with its context
and source, the account and the instance. Other servers with this API are other behaviours. Files
are uploaded, and ids that a test adds to `media` count as uploaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from bot.sandbox.mastodon import answers
from bot.sandbox.mastodon.behaviour import (
    MASTODON,
    BadToken,
    IdempotencyKeys,
    MastodonBehaviour,
    Orphans,
    Resets,
)
from bot.sandbox.mastodon.login import APPS, REGISTRATIONS, MastodonLogins
from bot.sandbox.mastodon.login_behaviours import login_behaviour
from bot.sandbox.mastodon.media import MEDIUM, UPLOAD, MastodonMedia
from bot.sandbox.mastodon.pages import ProfilePage
from bot.sandbox.mastodon.posting import Form, check, form, language
from bot.sandbox.mastodon.reading import HOME, LISTING, STATUS, STATUSES, path_of
from bot.sandbox.rate_limits import RateLimit, RateWindows
from bot.sandbox.service import Stored
from bot.sandbox.wire import RefusedRequest, Request, Response, reply

TOKEN = "sandbox-mastodon-token"  # noqa: S105 - opens nothing but the sandbox
_INSTANCE, _INSTANCE_V2 = "/api/v1/instance", "/api/v2/instance"

Handler = Callable[[Request, datetime], Response]


class MastodonRules(MastodonMedia):
    """A server with Mastodon's API, seen with one account's token.

    `token` may do everything. `logins` makes other tokens, each with the requested scopes.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        behaviour: MastodonBehaviour = MASTODON,
        token: str = TOKEN,
        profile: ProfilePage | None = None,
        application: str = "bot",
    ) -> None:
        super().__init__(clock, behaviour, profile or ProfilePage())
        self.token = token
        self.application = application
        self.logins = MastodonLogins(login_behaviour(behaviour))
        self._windows = RateWindows()
        self._keys: dict[str, tuple[datetime, str]] = {}
        self._under_way: list[str] = []

    def authorize(self, url: str) -> str:
        """Authorize the app as a person would on the page at `url`, and return the code.

        Raises ValueError if the page would say that the address is wrong.
        """
        return self.logins.authorize(url, self.now())

    def defer(self, request: Request, seconds: float) -> None:
        """Begin the request now and finish it `seconds` from now. Its key is in use until then.

        A server that locks keys drops a second request with a key that is in use.
        """
        key = _key(request)
        if key and not self._known(key, self._catch_up()):
            if key in self._under_way and self._locks:
                return
            self._under_way.append(key)
        super().defer(request, seconds)

    def _serve_late(self, request: Request, due: datetime) -> None:
        key = _key(request)
        if key not in self._under_way:
            self._serve(request, due)
            return
        # the request found its key free when it arrived, and does not look again
        self._under_way.remove(key)
        known = self._keys.pop(key, None)
        self._serve(request, due)
        if known:
            self._keys.setdefault(key, known)

    def _serve(self, request: Request, now: datetime) -> Response:
        limit = self._limit(request)
        full = self._windows.look(limit, now).full
        if limit.name != "statuses":
            self._windows.take(limit, now)
        try:
            answer = self._carry_out(request, now, full=full)
        except RefusedRequest as refused:
            answer = refused.response
        window = self._windows.look(limit, now)
        counted = answers.limit_headers(window, now, self.behaviour)
        return answer.having(*answers.usual_headers(now), *counted)

    def _carry_out(self, request: Request, now: datetime, *, full: bool) -> Response:
        if full and self.behaviour.resets is not Resets.NONE:
            raise RefusedRequest(answers.TOO_MANY)
        handler = self._route(request)
        if handler not in (self._instance, self._instance_v1, *self.logins.routes.values()):
            self._authorize(request)
        return handler(request, now)

    def _limit(self, request: Request) -> RateLimit:
        limits = self.behaviour.limits
        if (request.method, path_of(request)) == ("POST", APPS):
            return REGISTRATIONS
        if not limits.shared and (request.method, path_of(request)) == ("POST", STATUSES):
            return RateLimit("statuses", limits.statuses, limits.statuses_in, aligned=True)
        if not limits.shared and (request.method, path_of(request)) == ("POST", UPLOAD):
            return RateLimit("uploads", limits.uploads, limits.uploads_in, aligned=True)
        if not limits.shared and request.method == "DELETE":
            return RateLimit("deletes", limits.deletes, limits.deletes_in, aligned=True)
        lasts = limits.requests_in + self.behaviour.overtime
        return RateLimit("requests", limits.requests, lasts, aligned=not self.behaviour.overtime)

    def _route(self, request: Request) -> Handler:
        fixed: Mapping[tuple[str, str], Handler] = {
            ("POST", STATUSES): self._create,
            ("GET", STATUSES): self._get_many,
            ("POST", UPLOAD): self._upload,
            ("GET", "/api/v1/accounts/verify_credentials"): self._credentials,
            ("GET", "/api/v1/apps/verify_credentials"): self._application,
            ("GET", HOME): self._home,
            ("GET", _INSTANCE): self._instance_v1,
            ("GET", _INSTANCE_V2): self._instance,
            **self.logins.routes,
        }
        if request.path in {f"{_INSTANCE}/", f"{_INSTANCE_V2}/"} and not self.behaviour.slash:
            raise RefusedRequest(answers.NO_PAGE_HTML)
        handler = fixed.get((request.method, path_of(request))) or self._route_to_one(request)
        if handler is None:
            raise RefusedRequest(answers.NO_PAGE)
        return handler

    def _route_to_one(self, request: Request) -> Handler | None:
        if request.method == "GET" and LISTING.fullmatch(path_of(request)):
            return self._list
        if request.method == "GET" and MEDIUM.fullmatch(path_of(request)):
            return self._ask_for_upload
        handlers: Mapping[tuple[str, str], Handler] = {
            ("GET", ""): self._get,
            ("GET", "/context"): self._context,
            ("GET", "/source"): self._source,
            ("DELETE", ""): self._destroy,
        }
        status = STATUS.fullmatch(path_of(request))
        return handlers.get((request.method, status[2] or "")) if status else None

    def _authorize(self, request: Request) -> None:
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme == "Bearer" and (token == self.token or self.logins.allows(token, request)):
            return
        bare = Response(401 if request.method == "POST" else 422)
        refusals: Mapping[BadToken, Response] = {
            BadToken.SAID: answers.UNAUTHORIZED,
            BadToken.BARE: bare,
            BadToken.PLAIN: answers.BAD_TOKEN_PLAIN,
        }
        raise RefusedRequest(refusals[self.behaviour.bad_token])

    def _application(self, request: Request, now: datetime) -> Response:
        del request, now
        return reply(200, {"name": self.application, "website": None})

    def _create(self, request: Request, now: datetime) -> Response:
        if not self.behaviour.writes:
            raise RefusedRequest(answers.OUT_OF_SCOPE)
        new, key = form(request, self.behaviour), _key(request)
        parent = self._parent(new)
        if key and (replayed := self._replay(key, request, now)):
            return replayed
        check(new, self.behaviour)
        new = replace(new, media=self._attachable(new.media, now))
        post = self._publish(self._draft(new, parent, key, now))
        return reply(200, self._object(post, request))

    def _parent(self, new: Form) -> str | None:
        if not new.parent or self._find(new.parent):
            return new.parent or None
        if self.behaviour.orphans is Orphans.REFUSED:
            raise RefusedRequest(answers.NO_PARENT)
        if self.behaviour.orphans is Orphans.BREAKS:
            raise RefusedRequest(answers.BROKEN)
        known = self.behaviour.orphans is Orphans.TAKEN and new.parent in self._posts
        return new.parent if known else None

    def _replay(self, key: str, request: Request, now: datetime) -> Response | None:
        """Return the answer to a key that was used before, or None if it counts as new."""
        if key in self._under_way and self._locks:
            return answers.UNDER_WAY
        known = self._known(key, now)
        if not known:
            return None
        if self.behaviour.keys is IdempotencyKeys.FAILS:
            return answers.BROKEN
        post = self._find(known)
        return reply(200, self._object(post, request)) if post else answers.NOT_FOUND

    @property
    def _locks(self) -> bool:
        return self.behaviour.keys in (IdempotencyKeys.HONOURED, IdempotencyKeys.FAILS)

    def _known(self, key: str, now: datetime) -> str:
        created, post_id = self._keys.get(key, (now, ""))
        return post_id if now - created < self.behaviour.keys_last else ""

    def _draft(self, new: Form, parent: str | None, key: str, now: datetime) -> Stored:
        return Stored(
            id="",
            text=new.text,
            author=self.account,
            created=now,
            reply_to=parent,
            key=key or None,
            visibility=new.visibility or self.behaviour.visibility,
            language=language(new, self.behaviour, self.profile.language),
            spoiler=new.spoiler,
            media=() if self.behaviour.loses_media else new.media,
            application=self.application,
            plain=new.plain and self.behaviour.plain_on_request,
        )

    def _publish(self, draft: Stored) -> Stored:
        if self.behaviour.drops and self.behaviour.drops in draft.text:
            return replace(draft, id=self._ids(draft.created))
        post = self._store(draft)
        if draft.key and self.behaviour.keys is not IdempotencyKeys.IGNORED:
            self._keys[draft.key] = (post.created, post.id)
        limits = self.behaviour.limits
        if not limits.shared:
            # only published statuses count against this limit, refusals do not
            limit = RateLimit("statuses", limits.statuses, limits.statuses_in, aligned=True)
            self._windows.take(limit, post.created)
        return post

    def _destroy(self, request: Request, now: datetime) -> Response:
        post = self._asked(request)
        if not self.behaviour.writes:
            raise RefusedRequest(answers.OUT_OF_SCOPE)
        if post.author != self.account:
            raise RefusedRequest(answers.NOT_FOUND)
        shown = self._object(post, request)
        del shown["content"]
        self._delete(post, now)
        return reply(200, {**shown, "text": post.text.strip()})


def _key(request: Request) -> str:
    return request.header("idempotency-key") if request.method == "POST" else ""
