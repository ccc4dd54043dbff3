"""Mastodon's rules: answer the API of https://docs.joinmastodon.org for one account.

They publish with and without an Idempotency-Key, delete, list, take files, and return a status, the
account and the instance. Other servers with this API are other behaviours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from urllib.parse import unquote, urlencode

from bot.formatter.limits import mastodon_length
from bot.sandbox.ids import hex_ids, mastodon_ids, ulids, uuids
from bot.sandbox.mastodon import answers, pages
from bot.sandbox.mastodon.behaviour import (
    MASTODON,
    BadToken,
    IdempotencyKeys,
    IdForm,
    InstanceV2,
    MastodonBehaviour,
    Orphans,
    Resets,
)
from bot.sandbox.mastodon.pages import Place, ProfilePage
from bot.sandbox.multipart import parts
from bot.sandbox.rate_limits import RateLimit, RateWindows
from bot.sandbox.service import NetworkService, Stored
from bot.sandbox.uploads import Medium, type_of
from bot.sandbox.wire import Json, Pairs, RefusedRequest, Request, Response, reply, usual_headers

ACCOUNT = "110000000000000001"
TOKEN = "sandbox-mastodon-token"  # noqa: S105 - opens nothing but the sandbox
STATUSES = "/api/v1/statuses"
UPLOAD = "/api/v2/media"
_PAGE, _LARGEST_PAGE = 20, 40
_KEY_LASTS = timedelta(hours=1)
_PRIVATE = ("private", "direct")
_VISIBILITIES = ("public", "unlisted", *_PRIVATE)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")
_IDS = {
    IdForm.SNOWFLAKE: mastodon_ids,
    IdForm.ULID: ulids,
    IdForm.HEX: hex_ids,
    IdForm.UUID: uuids,
}


class MastodonRules(NetworkService):
    """A server with Mastodon's API, seen with one account's token.

    `token` may do everything. `media` holds the ids of files that a status may use, and a test may
    add its own. `uploads` holds the uploaded files.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        behaviour: MastodonBehaviour = MASTODON,
        token: str = TOKEN,
        profile: ProfilePage | None = None,
        application: str = "bot",
    ) -> None:
        super().__init__(clock, _IDS[behaviour.ids](), ACCOUNT)
        self.behaviour = behaviour
        self.profile = profile or ProfilePage()
        self.token = token
        self.application = application
        self.media: set[str] = set()
        self.uploads: dict[str, Medium] = {}
        self._windows = RateWindows()
        self._keys: dict[str, tuple[datetime, str]] = {}
        self._under_way: list[str] = []

    @property
    def hangs_up(self) -> bool:
        """Tell whether a second request on a connection is answered with a reset."""
        return self.behaviour.hangs_up

    # -- requests and limits ---------------------------------------------------------------------

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
            if full and self.behaviour.resets is not Resets.NONE:
                answer = answers.TOO_MANY
            else:
                answer = self._carry_out(request, now)
        except RefusedRequest as refused:
            answer = refused.response
        window = self._windows.look(limit, now)
        counted = answers.limit_headers(window, now, self.behaviour)
        return answer.having(*usual_headers(now, *answers.USUAL), *counted)

    def _limit(self, request: Request) -> RateLimit:
        limits, overtime = self.behaviour.limits, self.behaviour.overtime
        kinds = {("POST", STATUSES): "statuses", ("POST", UPLOAD): "uploads"}
        kind = kinds.get((request.method, path_of(request)), "requests")
        kind = "deletes" if request.method == "DELETE" else kind
        kind = "requests" if limits.shared else kind
        lasts = getattr(limits, f"{kind}_in") + overtime
        return RateLimit(kind, getattr(limits, kind), lasts, aligned=not overtime)

    def _carry_out(self, request: Request, now: datetime) -> Response:
        if re.fullmatch("/api/v[12]/instance/", request.path) and not self.behaviour.slash:
            raise RefusedRequest(answers.NO_PAGE_HTML)
        for method, pattern, handler in _ROUTES:
            found = re.fullmatch(pattern, path_of(request))
            if found and method == request.method:
                if "instance" not in pattern:
                    self._authorize(request)
                return handler(self, request, now, unquote(found[found.lastindex or 0]))
        raise RefusedRequest(answers.NO_PAGE)

    def _authorize(self, request: Request) -> None:
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme == "Bearer" and self._allows(token, request):
            return
        bare = Response(401 if request.method == "POST" else 422)
        refusals: Mapping[BadToken, Response] = {
            BadToken.SAID: answers.UNAUTHORIZED,
            BadToken.BARE: bare,
            BadToken.PLAIN: answers.BAD_TOKEN_PLAIN,
        }
        raise RefusedRequest(refusals[self.behaviour.bad_token])

    def _allows(self, token: str, _: Request) -> bool:
        return token == self.token

    # -- publishing and deleting -----------------------------------------------------------------

    def create(self, request: Request, now: datetime, _: str) -> Response:
        """Publish a status, or return the one that was published with the same key."""
        if not self.behaviour.writes:
            raise RefusedRequest(answers.OUT_OF_SCOPE)
        new = self._draft(request, now)
        new = replace(new, reply_to=self._parent(new.reply_to))
        if new.key and (replayed := self._replay(new.key, request, now)):
            return replayed
        self._check(new)
        media, asked = self._attachable(new.media, now), new.language or ""
        known = _LANGUAGE.fullmatch(asked) and not self.behaviour.language_fixed
        new = replace(
            new,
            media=() if self.behaviour.loses_media else media,
            visibility=new.visibility or self.behaviour.visibility,
            language=asked if known else self.profile.language,
        )
        if self.behaviour.drops and self.behaviour.drops in new.text:
            return reply(200, self._object(replace(new, id=self._ids(now)), request))
        post = self._store(new)
        if new.key and self.behaviour.keys is not IdempotencyKeys.IGNORED:
            self._keys[new.key] = (now, post.id)
        limit = self._limit(request)
        if limit.name == "statuses":
            self._windows.take(limit, now)  # refusals do not count against this limit
        return reply(200, self._object(post, request))

    def _draft(self, request: Request, now: datetime) -> Stored:
        """Return the status in a request, from JSON or, if the server reads it, from a form."""
        fields = request.fields()
        if fields is None and not self.behaviour.forms:
            raise RefusedRequest(answers.BAD_REQUEST)
        sent = request.form()
        pairs = [*sent, *(fields or {}).items()]
        single = {name: str(value) for name, value in pairs if value is not None}
        listed = (fields or {}).get("media_ids")
        media = [*(listed if isinstance(listed, list) else ())]
        media += [value for name, value in sent if name in {"media_ids[]", "media_ids"}]
        return Stored(
            id="",
            text=single.get("status", ""),
            author=self.account,
            created=now,
            reply_to=single.get("in_reply_to_id") or None,
            key=_key(request) or None,
            visibility=single.get("visibility", ""),
            language=single.get("language"),
            spoiler=single.get("spoiler_text", ""),
            media=tuple(map(str, media)),
            application=self.application,
            plain=single.get("content_type") == "text/plain" and self.behaviour.plain_on_request,
        )

    def _check(self, new: Stored) -> None:
        """Raise RefusedRequest for a status that is empty, too long, or has a bad field."""
        behaviour, text = self.behaviour, new.spoiler + new.text
        if not (new.text.strip() or new.media):
            raise RefusedRequest(answers.invalid("Text can't be blank"))
        if new.visibility and new.visibility not in _VISIBILITIES:
            raise RefusedRequest(answers.invalid(f"'{new.visibility}' is not a valid visibility"))
        if (len(text) if behaviour.plain_count else mastodon_length(text)) > (
            behaviour.max_characters
        ):
            words = behaviour.too_long_words.format(limit=behaviour.max_characters)
            raise RefusedRequest(answers.error(behaviour.too_long, words))
        if behaviour.languages_checked and not _LANGUAGE.fullmatch(new.language or "en"):
            raise RefusedRequest(answers.invalid(f"language {new.language} is not valid", 400))

    def _parent(self, asked: str | None) -> str | None:
        if not asked or self._find(asked):
            return asked
        if self.behaviour.orphans is Orphans.REFUSED:
            raise RefusedRequest(answers.NO_PARENT)
        if self.behaviour.orphans is Orphans.BREAKS:
            raise RefusedRequest(answers.BROKEN)
        known = self.behaviour.orphans is Orphans.TAKEN and asked in self._posts
        return asked if known else None

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
        return post_id if now - created < _KEY_LASTS else ""

    def destroy(self, request: Request, now: datetime, post_id: str) -> Response:
        """Delete a status."""
        post = self._asked(post_id)
        if not self.behaviour.writes:
            raise RefusedRequest(answers.OUT_OF_SCOPE)
        if post.author != self.account:
            raise RefusedRequest(answers.NOT_FOUND)
        shown = self._object(post, request)
        del shown["content"]
        self._delete(post, now)
        return reply(200, {**shown, "text": post.text.strip()})

    # -- reading ---------------------------------------------------------------------------------

    def get(self, request: Request, _: datetime, post_id: str) -> Response:
        """Return a status."""
        return reply(200, self._object(self._asked(post_id), request))

    def several(self, request: Request, _: datetime, __: str) -> Response:
        """Return statuses by their ids."""
        ids = [value for name, value in request.params() if name in {"id[]", "id"}]
        found = [post for each in ids if (post := self._find(each))]
        return reply(200, [self._object(post, request) for post in found])

    def statuses(self, request: Request, now: datetime, account: str) -> Response:
        """Return a page of the account's statuses."""
        if account != self.account and not self.behaviour.unreadable:
            raise RefusedRequest(answers.NOT_FOUND)
        return self._page(request, now, private=self.behaviour.private_listed)

    def home(self, request: Request, now: datetime, _: str) -> Response:
        """Return the home timeline. The account follows no one, so it holds its own statuses."""
        return self._page(request, now, private=self.behaviour.private_at_home)

    def _page(self, request: Request, now: datetime, *, private: bool) -> Response:
        """Return the newest statuses below max_id and above since_id, with links to more pages."""
        behaviour, params = self.behaviour, dict(request.params())
        if behaviour.unreadable:
            raise RefusedRequest(answers.unreadable(behaviour.unreadable))
        asked, max_id = params.get("limit", ""), params.get("max_id", "")
        limit = min(int(asked), _LARGEST_PAGE) if asked.isdecimal() and int(asked) else _PAGE
        # ids are compared by the order in which they were made
        order = {post_id: number for number, post_id in enumerate(self._posts)}
        below = order.get(max_id, 0) if max_id else len(order)
        above = order.get(params.get("since_id", ""), -1) if behaviour.since_id else -1
        found = [
            post
            for post in self._posts.values()
            if post.author == self.account
            and post.deleted is None
            and post.created + behaviour.lag <= now
            and (private or post.visibility not in _PRIVATE)
            and above < order[post.id] < below
        ][: -limit - 1 : -1]
        headers: Pairs = ()
        if found and behaviour.links:
            url = f"http://{request.header('host')}{path_of(request)}"
            kept = {"limit": params["limit"]} if "limit" in params else {}
            older = f'<{url}?{urlencode(kept | {"max_id": found[-1].id})}>; rel="next"'
            newer = f'<{url}?{urlencode(kept | {"min_id": found[0].id})}>; rel="prev"'
            headers = (("Link", ", ".join([older, newer] if len(found) == limit else [newer])),)
        return reply(200, [self._object(post, request) for post in found], *headers)

    def credentials(self, request: Request, _: datetime, __: str) -> Response:
        """Return the account of the token."""
        return reply(200, pages.credentials(self._place(request)))

    def app(self, _: Request, __: datetime, ___: str) -> Response:
        """Return the application of the token."""
        return reply(200, {"name": self.application, "website": None})

    def instance(self, request: Request, _: datetime, version: str) -> Response:
        """Return one of the two instance pages."""
        if version == "2" and self.behaviour.instance_v2 is InstanceV2.BREAKS:
            return answers.BROKEN
        if version == "2" and self.behaviour.instance_v2 is InstanceV2.MISSING:
            return answers.NO_PAGE_HTML
        place, host = self._place(request), request.header("host")
        return reply(200, pages.instance(place, host, older=version == "1"))

    def _asked(self, post_id: str) -> Stored:
        if (post := self._find(post_id)) is None:
            raise RefusedRequest(answers.NOT_FOUND)
        return post

    def _object(self, post: Stored, request: Request) -> dict[str, Json]:
        return pages.status(self._place(request), post, self._posts.get(post.reply_to or ""))

    def _place(self, request: Request) -> Place:
        base = f"http://{request.header('host')}"
        return Place(base, self.behaviour, self.profile, self.account, self.uploads)

    # -- files -----------------------------------------------------------------------------------

    def upload(self, request: Request, now: datetime, _: str) -> Response:
        """Take a file: https://docs.joinmastodon.org/methods/media."""
        if not self.behaviour.uploads:
            raise RefusedRequest(answers.OUT_OF_SCOPE)
        fields = parts(request)
        file, words = fields.get("file"), fields.get("description")
        alt = words.text.strip() if words else ""
        if file is None:
            raise RefusedRequest(answers.invalid("File can't be blank"))
        if len(file.data) > self.behaviour.media_limit:
            raise RefusedRequest(answers.invalid("File is too large"))
        if not file.type or type_of(file.data) != file.type:
            raise RefusedRequest(answers.invalid("File content type is invalid"))
        if len(alt) > self.behaviour.description_limit:
            raise RefusedRequest(answers.invalid("Description is too long"))
        medium = Medium(self._ids(now), file.data, file.type, now, alt)
        self.uploads[medium.id] = medium
        self.media.add(medium.id)
        ready = self._is_processed(medium.id, now)
        status = HTTPStatus.OK if ready else HTTPStatus.ACCEPTED
        return self._shown(medium.id, status, request)

    def medium(self, request: Request, now: datetime, media_id: str) -> Response:
        """Return a file that no status has yet, and whether it is processed."""
        if media_id not in self.media or media_id in self._attached():
            raise RefusedRequest(answers.NOT_FOUND)
        if not self._is_processed(media_id, now):
            return self._shown(media_id, HTTPStatus.PARTIAL_CONTENT, request)
        if self.behaviour.breaks_media:
            raise RefusedRequest(answers.BROKEN_MEDIA)
        return self._shown(media_id, HTTPStatus.OK, request)

    def _shown(self, media_id: str, status: HTTPStatus, request: Request) -> Response:
        shown = pages.attachment(self._place(request), media_id)
        return reply(status, shown if status is HTTPStatus.OK else {**shown, "url": None})

    def _attachable(self, wanted: Iterable[str], now: datetime) -> tuple[str, ...]:
        """Return the uploads that a status gets.

        Raises RefusedRequest for a file that is unknown, used by another status, or not processed.
        """
        attached, kept = self._attached(), []
        for media_id in wanted:
            known = media_id in self.media and media_id not in attached
            if known and not self._is_processed(media_id, now):
                raise RefusedRequest(answers.UNFINISHED_MEDIA)
            if not known and self.behaviour.missing_media != HTTPStatus.OK:
                raise RefusedRequest(answers.missing_media(media_id, self.behaviour.missing_media))
            kept += [media_id] if known else []
        return tuple(kept)

    def _attached(self) -> set[str]:
        return {media_id for post in self._posts.values() for media_id in post.media}

    def _is_processed(self, media_id: str, now: datetime) -> bool:
        medium = self.uploads.get(media_id)
        return medium is None or now - medium.uploaded >= self.behaviour.processing


def path_of(request: Request) -> str:
    """Return the path without a slash at its end, which some clients add."""
    return request.path.rstrip("/")


def _key(request: Request) -> str:
    return request.header("idempotency-key") if request.method == "POST" else ""


Handler = Callable[[MastodonRules, Request, datetime, str], Response]
"""Answers a request. The text is the last group of the route's pattern, such as an id."""

_ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", STATUSES, MastodonRules.create),
    ("GET", STATUSES, MastodonRules.several),
    ("GET", f"{STATUSES}/([^/]+)", MastodonRules.get),
    ("DELETE", f"{STATUSES}/([^/]+)", MastodonRules.destroy),
    ("POST", UPLOAD, MastodonRules.upload),
    ("GET", "/api/v1/media/([^/]+)", MastodonRules.medium),
    ("GET", "/api/v1/accounts/verify_credentials", MastodonRules.credentials),
    ("GET", "/api/v1/apps/verify_credentials", MastodonRules.app),
    ("GET", "/api/v1/accounts/([^/]+)/statuses", MastodonRules.statuses),
    ("GET", "/api/v1/timelines/home", MastodonRules.home),
    ("GET", "/api/v([12])/instance", MastodonRules.instance),
)
