"""What the rules of every network share: posts, changes made by people, and late requests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.sandbox.ids import Ids
from bot.sandbox.wire import Request, Response


@dataclass(frozen=True, slots=True)
class Stored:
    """A post as the network stores it. `text` is as it was sent, `key` its idempotency key.

    `application` is the client's name, empty for a person's own post. `deleted` is the time of its
    deletion. `plain` says that its text is no Markdown, even if the account's texts usually are.
    """

    id: str
    text: str
    author: str
    created: datetime
    reply_to: str | None = None
    key: str | None = None
    visibility: str = "public"
    language: str | None = None
    spoiler: str = ""
    media: tuple[str, ...] = ()
    application: str = ""
    deleted: datetime | None = None
    plain: bool = False


class NetworkService(ABC):
    """Posts in the order they were made, a clock, and requests that are carried out later.

    Subclasses answer a request (`_serve`) and carry out a late one (`_serve_late`). Not safe for
    threads: the server holds a lock while it uses this.
    """

    def __init__(self, clock: Callable[[], datetime], ids: Ids, account: str) -> None:
        self.account = account
        self._clock = clock
        self._ids = ids
        self._posts: dict[str, Stored] = {}
        self._waiting: list[tuple[datetime, Request]] = []
        self._changes = 0

    @property
    def hangs_up(self) -> bool:
        """Tell whether a second request on a connection is answered with a reset."""
        return False

    def now(self) -> datetime:
        """Return the network's time."""
        return self._clock()

    def answer(self, request: Request) -> Response:
        """Carry out the late requests that are due, then this request, and return its answer."""
        now = self._catch_up()
        return self._serve(request, now)

    def defer(self, request: Request, seconds: float) -> None:
        """Carry the request out `seconds` from now."""
        due = self._catch_up() + timedelta(seconds=seconds)
        self._waiting = sorted([*self._waiting, (due, request)], key=lambda pair: pair[0])

    def settle(self) -> int:
        """Carry out due requests, and return how often a post was made or deleted so far."""
        self._catch_up()
        return self._changes

    def waiting(self) -> int:
        """Return how many requests are not carried out yet."""
        self._catch_up()
        return len(self._waiting)

    def every(self) -> tuple[Stored, ...]:
        """Return every post ever made, with the deleted ones, oldest first."""
        self._catch_up()
        return tuple(self._posts.values())

    def live(self) -> tuple[Stored, ...]:
        """Return the posts that are not deleted, even if the timeline does not show them yet."""
        return tuple(post for post in self.every() if post.deleted is None)

    def write(
        self,
        text: str,
        *,
        author: str | None = None,
        reply_to: str | None = None,
        visibility: str = "public",
    ) -> Stored:
        """Post as a person would, as the account itself or as another account `author`."""
        now = self._catch_up()
        draft = Stored("", text, author or self.account, now, reply_to, visibility=visibility)
        return self._store(draft)

    def edit(self, post_id: str, text: str) -> Stored:
        """Change a post's text, as a person would. Raises KeyError if there is no such post."""
        post = self._find(post_id)
        if post is None:
            raise KeyError(post_id)
        self._posts[post.id] = replace(post, text=text)
        return self._posts[post.id]

    def remove(self, post_id: str) -> Stored:
        """Delete a post, as a person would. Raises KeyError if there is no such post."""
        now = self._catch_up()
        post = self._find(post_id)
        if post is None:
            raise KeyError(post_id)
        return self._delete(post, now)

    @abstractmethod
    def _serve(self, request: Request, now: datetime) -> Response: ...

    def _serve_late(self, request: Request, due: datetime) -> None:
        self._serve(request, due)

    def _catch_up(self) -> datetime:
        now = self.now()
        while self._waiting and self._waiting[0][0] <= now:
            due, request = self._waiting.pop(0)
            self._serve_late(request, due)
        return now

    def _store(self, draft: Stored) -> Stored:
        post = replace(draft, id=self._ids(draft.created))
        self._posts[post.id] = post
        self._changes += 1
        return post

    def _find(self, post_id: str | None) -> Stored | None:
        post = self._posts.get(post_id or "")
        return post if post and post.deleted is None else None

    def _delete(self, post: Stored, now: datetime) -> Stored:
        self._posts[post.id] = replace(post, deleted=now)
        self._changes += 1
        return post
