"""Answer reads as a server with Mastodon's API: statuses, contexts, sources, instance pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from urllib.parse import unquote

from bot.sandbox.ids import hex_ids, mastodon_ids, ulids, uuids
from bot.sandbox.mastodon import answers, pages
from bot.sandbox.mastodon import instance as instances
from bot.sandbox.mastodon.behaviour import IdForm, InstanceV2, MastodonBehaviour
from bot.sandbox.mastodon.listing import PageRequest, links, page
from bot.sandbox.mastodon.pages import Place, ProfilePage
from bot.sandbox.service import NetworkService, Stored
from bot.sandbox.uploads import Medium
from bot.sandbox.wire import Json, Pairs, RefusedRequest, Request, Response, reply

ACCOUNT = "110000000000000001"
HOME = "/api/v1/timelines/home"
STATUSES = "/api/v1/statuses"
STATUS = re.compile(r"/api/v1/statuses/([^/]+)(/context|/source)?")
LISTING = re.compile(r"/api/v1/accounts/([^/]+)/statuses")
_PRIVATE = ("private", "direct")
_IDS = {
    IdForm.SNOWFLAKE: mastodon_ids,
    IdForm.ULID: ulids,
    IdForm.HEX: hex_ids,
    IdForm.UUID: uuids,
}
_ULID = 26
_DEPRECATED = ("deprecation", "@1668384000")


def path_of(request: Request) -> str:
    """Return the path without a slash at its end, which some clients add."""
    return request.path.rstrip("/")


class MastodonReading(NetworkService):
    """The rules for reads. Each endpoint has a method, from (request, time) to an answer."""

    def __init__(
        self, clock: Callable[[], datetime], behaviour: MastodonBehaviour, profile: ProfilePage
    ) -> None:
        super().__init__(clock, _IDS[behaviour.ids](), ACCOUNT)
        self.behaviour = behaviour
        self.profile = profile
        self.media: set[str] = set()
        self.uploads: dict[str, Medium] = {}

    @property
    def hangs_up(self) -> bool:
        """Tell whether a second request on a connection is answered with a reset."""
        return self.behaviour.hangs_up

    def _get(self, request: Request, _: datetime) -> Response:
        return reply(200, self._object(self._asked(request), request))

    def _get_many(self, request: Request, _: datetime) -> Response:
        ids = [value for name, value in request.params() if name in {"id[]", "id"}]
        found = [post for each in ids if (post := self._find(each))]
        return reply(200, [self._object(post, request) for post in found])

    def _list(self, request: Request, now: datetime) -> Response:
        if self.behaviour.unreadable:
            raise RefusedRequest(answers.unreadable(self.behaviour.unreadable))
        account = LISTING.fullmatch(path_of(request))
        if account is None or account[1] != self.account:
            raise RefusedRequest(answers.NOT_FOUND)
        return self._page(request, now, private=self.behaviour.private_listed)

    def _home(self, request: Request, now: datetime) -> Response:
        """Return the home timeline. The account follows no one, so it holds its own statuses."""
        if self.behaviour.unreadable:
            raise RefusedRequest(answers.unreadable(self.behaviour.unreadable))
        return self._page(request, now, private=self.behaviour.private_at_home)

    def _page(self, request: Request, now: datetime, *, private: bool) -> Response:
        params = dict(request.params())
        listing = PageRequest.asked(params, self.behaviour)
        listed = self._listed(listing, now)
        kept = [post for post in listed if private or post.visibility not in _PRIVATE]
        found = page(kept, listing, self._order)
        url = f"{_base(request)}{path_of(request)}"
        more = links(url, params, listing.limit, found) if self.behaviour.links else ()
        return reply(200, [self._object(post, request) for post in found], *more)

    def _listed(self, listing: PageRequest, now: datetime) -> Sequence[Stored]:
        return [
            post
            for post in self._posts.values()
            if post.author == self.account
            and post.deleted is None
            and post.created + self.behaviour.lag <= now
            and not (listing.exclude_replies and self._answers_another(post))
        ]

    def _answers_another(self, post: Stored) -> bool:
        # Mastodon's exclude_replies keeps replies to oneself
        parent = self._posts.get(post.reply_to or "")
        return parent is not None and parent.author != self.account

    def _context(self, request: Request, _: datetime) -> Response:
        post = self._asked(request)
        above, whole = self._above(post)
        if not (whole or self.behaviour.context_survives):
            return reply(200, {"ancestors": [], "descendants": []})
        ancestors: list[Json] = [self._object(each, request) for each in reversed(above)]
        descendants: list[Json] = [self._object(each, request) for each in self._below(post)]
        return reply(200, {"ancestors": ancestors, "descendants": descendants})

    def _above(self, post: Stored) -> tuple[list[Stored], bool]:
        """Return the post's ancestors, the nearest first, and whether they are complete."""
        above: list[Stored] = []
        while parent := self._find(post.reply_to):
            above.append(parent)
            post = parent
        return above, post.reply_to is None

    def _below(self, post: Stored) -> list[Stored]:
        below: list[Stored] = []
        for each in self._posts.values():
            if each.reply_to == post.id and each.deleted is None:
                below += [each, *self._below(each)]
        return below

    def _source(self, request: Request, _: datetime) -> Response:
        post = self._asked(request)
        source = {"id": post.id, "text": post.text.strip(), "spoiler_text": post.spoiler}
        return reply(200, source)

    def _credentials(self, request: Request, _: datetime) -> Response:
        return reply(200, pages.credentials(self._place(request)))

    def _instance(self, request: Request, _: datetime) -> Response:
        if self.behaviour.instance_v2 is InstanceV2.BREAKS:
            return answers.BROKEN
        if self.behaviour.instance_v2 is InstanceV2.MISSING:
            return answers.NO_PAGE_HTML
        return reply(200, instances.instance(self._place(request), request.header("host")))

    def _instance_v1(self, request: Request, _: datetime) -> Response:
        headers: Pairs = (_DEPRECATED,) if self.behaviour.deprecates else ()
        value = instances.instance_v1(self._place(request), request.header("host"))
        return reply(200, value, *headers)

    def _asked(self, request: Request) -> Stored:
        match = STATUS.fullmatch(path_of(request))
        post = self._find(unquote(match[1])) if match else None
        if post is None:
            raise RefusedRequest(answers.NOT_FOUND)
        return post

    def _object(self, post: Stored, request: Request) -> dict[str, Json]:
        parent = self._posts.get(post.reply_to or "")
        replies = [
            each
            for each in self._posts.values()
            if each.reply_to == post.id and each.deleted is None
        ]
        return pages.status(self._place(request), post, parent, len(replies))

    def _place(self, request: Request) -> Place:
        base = _base(request)
        return Place(base, self.behaviour, self.profile, self.account, self.uploads)

    def _order(self, post_id: str) -> int:
        """Return a number that is greater for a newer id, as this server compares ids."""
        if self.behaviour.ids is IdForm.SNOWFLAKE:
            return int(post_id) if post_id.isdecimal() else 0
        if self.behaviour.ids is IdForm.ULID:
            return int.from_bytes(post_id.encode()[:_ULID].ljust(_ULID, b"\0"))
        if self.behaviour.ids is IdForm.UUID:
            digits = post_id.replace("-", "")
            return int(digits, 16) if re.fullmatch("[0-9a-f]{32}", digits) else 0
        return list(self._posts).index(post_id) if post_id in self._posts else -1


def _base(request: Request) -> str:
    return f"http://{request.header('host')}"
