"""What every network's rules share: the posts, the people who touch them, and what comes late."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.sandbox.ids import Ids
from bot.sandbox.wire import Request, Response


@dataclass(frozen=True, slots=True)
class Stored:
    """A post as the network keeps it: `text` as sent, `key` the idempotency key it came with.

    `application` is the client's name, empty for a person's own post. `deleted` is when it went.
    `plain` says that its words are no Markdown, whatever the account's usually are.
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

    Subclasses say what they answer (`_serve`) and what becomes of a late request (`_serve_late`).
    Not for two threads at once: the server holds a lock around it.
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
        """Carry out what is due, then the request, and return its answer."""
        now = self._catch_up()
        return self._serve(request, now)

    def defer(self, request: Request, seconds: float) -> None:
        """Carry the request out `seconds` from now, seen or not."""
        due = self._catch_up() + timedelta(seconds=seconds)
        self._waiting = sorted([*self._waiting, (due, request)], key=lambda pair: pair[0])

    def settle(self) -> int:
        """Carry out what is due, and return how often a post was made or deleted so far."""
        self._catch_up()
        return self._changes

    def waiting(self) -> int:
        """Return how many requests are yet to be carried out."""
        self._catch_up()
        return len(self._waiting)

    def every(self) -> tuple[Stored, ...]:
        """Return every post ever made, the deleted ones too, oldest first."""
        self._catch_up()
        return tuple(self._posts.values())

    def live(self) -> tuple[Stored, ...]:
        """Return the posts that are there now, whether the timeline shows them yet or not."""
        return tuple(post for post in self.every() if post.deleted is None)

    def write(
        self,
        text: str,
        *,
        author: str | None = None,
        reply_to: str | None = None,
        visibility: str = "public",
    ) -> Stored:
        """Post as a person would, in the account's own name or as the stranger `author`."""
        now = self._catch_up()
        draft = Stored("", text, author or self.account, now, reply_to, visibility=visibility)
        return self._store(draft)

    def edit(self, post_id: str, text: str) -> Stored:
        """Give a post other words, as a person would. KeyError where none is there."""
        post = self._find(post_id)
        if post is None:
            raise KeyError(post_id)
        self._posts[post.id] = replace(post, text=text)
        return self._posts[post.id]

    def remove(self, post_id: str) -> Stored:
        """Delete a post as a person would. KeyError where none is there."""
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
