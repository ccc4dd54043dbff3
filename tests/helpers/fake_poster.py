"""A poster with a network in memory, which does and answers what a test scripts.

    fake = FakePoster(clock)
    fake.script(Step(answer=LOST))                  # the next publish: done, its answer lost
    fake.script(Step(commit=Commit.NEVER, answer=REFUSED), kind=Kind.PUBLISH, at=3)
    fake.script(Step(answer=ProcessKilled()), kind=Kind.LOOK)
    fake.script(Step(NOT_SENT, Commit.NEVER), kind=Kind.UPLOAD)

Where nothing is scripted it behaves like an honest network. It keeps `Poster`, and passes the same
contract test as the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from bot.posters.poster import (
    AccountProfile,
    CannotRead,
    Outcome,
    OutcomeKind,
    PostRequest,
    Refusal,
    RemotePost,
    Timeline,
    Upload,
)
from tests.helpers.process_killed import ProcessKilled


class Kind(StrEnum):
    PUBLISH = "publish"
    LOOK = "look"
    READ = "read"
    DELETE = "delete"
    PROFILE = "profile"
    UPLOAD = "upload"
    READY = "ready"


class Commit(StrEnum):
    """Whether the network does what it was asked: at once, `Step.late` from now, or never."""

    NOW = "now"
    LATE = "late"
    NEVER = "never"


Answer = Outcome | Timeline | RemotePost | AccountProfile | CannotRead | ProcessKilled | None

LOST = Outcome(OutcomeKind.UNKNOWN, reason="the connection broke off")
NOT_SENT = Outcome(OutcomeKind.LATER, reason="the connection is refused")
UNAUTHORIZED = Outcome(OutcomeKind.REFUSED, reason="401", refusal=Refusal.CREDENTIALS)
NO_REPLIES = Outcome(OutcomeKind.REFUSED, reason="403 reply rule", refusal=Refusal.REPLIES)
NO_PARENT = Outcome(OutcomeKind.REFUSED, reason="the parent is gone", refusal=Refusal.PARENT)
BAD_CONTENT = Outcome(OutcomeKind.REFUSED, reason="422", refusal=Refusal.CONTENT)
DUPLICATE = Outcome(OutcomeKind.UNKNOWN, reason="403 duplicate content")


def limited(until: datetime | None) -> Outcome:
    return Outcome(OutcomeKind.LATER, reason="429", until=until)


@dataclass(frozen=True)
class Step:
    """What becomes of one request. An `answer` of None is the network's own.

    A CannotRead or a Crash is raised, after the commit if there is one. `late` is how long a commit
    LATE takes.
    """

    answer: Answer = None
    commit: Commit = Commit.NOW
    late: timedelta = timedelta(0)


HONEST = Step()


@dataclass(frozen=True)
class Call:
    """One request, as it came in. `number` counts them from 1, all kinds together."""

    number: int
    kind: Kind
    post: PostRequest | None = None
    post_id: str = ""
    since: datetime | None = None
    after: str = ""
    media: Upload | None = None


@dataclass
class _Line:
    step: Step
    kind: Kind | None
    at: int | None


@dataclass(frozen=True)
class _Kept:
    """A post the network has. `due` is when it is there: later than asked for where it is LATE."""

    seen: RemotePost
    due: datetime
    key: str = ""


@dataclass
class FakePoster:
    """A network with one account of ours, and the poster for it.

    `lag` is how late a post can be read; `keeps_keys` gives the same post for the same key;
    `refuses_duplicates` answers a repeated text with `DUPLICATE`; `forgets_parents` names no parent
    where it is gone; `unreadable` is raised by every read of posts. `price` is what a post costs,
    `read_price` each post that a look returns, `upload_price` an upload. `processing` is how often
    a new upload is said not to be ready; `loses_media` publishes without the uploads named.
    """

    clock: Callable[[], datetime]
    application: str = "bot"
    keeps_keys: bool = False
    refuses_duplicates: bool = False
    lag: timedelta = timedelta(0)
    forgets_parents: bool = True
    unreadable: CannotRead | None = None
    limit: int | None = None
    price: Decimal = Decimal(0)
    read_price: Decimal = Decimal(0)
    upload_price: Decimal = Decimal(0)
    processing: int = 0
    loses_media: bool = False
    advice: tuple[str, ...] = ()
    account_id: str = "42"
    calls: list[Call] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)
    closed: bool = False
    _lines: list[_Line] = field(default_factory=list)
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _made: int = 0
    _unready: dict[str, int] = field(default_factory=dict)

    # -- for tests -----------------------------------------------------------------------------

    def script(
        self, step: Step, *, kind: Kind | None = Kind.PUBLISH, at: int | None = None
    ) -> None:
        """Say what becomes of the next request of a kind, or of the `at`-th request of all.

        A `kind` of None is any. Each line is used once; earlier ones first.
        """
        self._lines.append(_Line(step, None if at is not None else kind, at))

    def write(self, text: str, parent: str = "", application: str = "Web") -> str:
        """Post as a person would, in the account's own name; gives the id."""
        return self._store(PostRequest(text, "", parent), self.clock(), application).id

    def remove(self, post_id: str) -> None:
        """Delete a post as a person would."""
        del self._kept[post_id]

    def live(self) -> tuple[RemotePost, ...]:
        """Every post that is there, oldest first, whether it can be read yet or not."""
        now = self.clock()
        return tuple(kept.seen for kept in self._kept.values() if kept.due <= now)

    def count(self, kind: Kind) -> int:
        return sum(call.kind is kind for call in self.calls)

    # -- the poster ----------------------------------------------------------------------------

    def publish(self, post: PostRequest) -> Outcome:
        step = self._arrive(Kind.PUBLISH, post=post)
        own = NOT_SENT if step.commit is Commit.NEVER else self._publish(post, step)
        return self._outcome(step, own)

    def delete(self, post_id: str) -> Outcome:
        step = self._arrive(Kind.DELETE, post_id=post_id)
        if step.commit is not Commit.NEVER:
            self._kept.pop(post_id, None)
        own = NOT_SENT if step.commit is Commit.NEVER else Outcome(OutcomeKind.SENT, post_id)
        return self._outcome(step, own)

    def upload(self, media: Upload) -> Outcome:
        step = self._arrive(Kind.UPLOAD, media=media)
        if step.commit is Commit.NEVER:
            return self._outcome(step, NOT_SENT)
        media_id = f"media-{len(self.uploads) + 1}"
        self.uploads[media_id] = media
        self._unready[media_id] = self.processing
        ready = not self.processing
        own = Outcome(OutcomeKind.SENT, media_id, cost=self.upload_price, ready=ready)
        return self._outcome(step, own)

    def media_ready(self, media_id: str) -> Outcome:
        step = self._arrive(Kind.READY, post_id=media_id)
        if media_id not in self.uploads:
            return self._outcome(step, BAD_CONTENT)
        self._unready[media_id] = max(0, self._unready[media_id] - 1)
        ready = not self._unready[media_id]
        return self._outcome(step, Outcome(OutcomeKind.SENT, media_id, ready=ready))

    def look(self, since: datetime, after: str = "", keys: Collection[str] = ()) -> Timeline:  # noqa: ARG002 - it keeps none
        step = self._arrive(Kind.LOOK, since=since, after=after)
        if isinstance(step.answer, Timeline):
            return step.answer
        self._readable()
        posts = tuple(self._newer(since, after))
        return Timeline(posts, complete=True, cost=self.read_price * len(posts))

    def read(self, post_id: str) -> RemotePost | None:
        step = self._arrive(Kind.READ, post_id=post_id)
        if isinstance(step.answer, RemotePost):
            return step.answer
        self._readable()
        return next((post for post in self._visible() if post.id == post_id), None)

    def profile(self) -> AccountProfile:
        step = self._arrive(Kind.PROFILE)
        if isinstance(step.answer, AccountProfile):
            return step.answer
        url = "https://fake.example/@bot"
        return AccountProfile(
            self.account_id, "bot", url, self.limit, self.application, self.advice
        )

    def cost(self, text: str) -> Decimal:
        return self.price if text else Decimal(0)

    def close(self) -> None:
        self.closed = True

    # -- inside --------------------------------------------------------------------------------

    def _arrive(  # noqa: PLR0913 - what a request may be about
        self,
        kind: Kind,
        *,
        post: PostRequest | None = None,
        post_id: str = "",
        since: datetime | None = None,
        after: str = "",
        media: Upload | None = None,
    ) -> Step:
        """Note a request and find its step; of one that reads, raise what it raises."""
        number = len(self.calls) + 1
        self.calls.append(Call(number, kind, post, post_id, since, after, media))
        step = self._step(kind)
        writes = kind in (Kind.PUBLISH, Kind.DELETE, Kind.UPLOAD, Kind.READY)
        if not writes and isinstance(step.answer, CannotRead | ProcessKilled):
            raise step.answer
        return step

    def _step(self, kind: Kind) -> Step:
        number = len(self.calls)
        for line in self._lines:
            if number == line.at if line.at is not None else line.kind in (None, kind):
                self._lines.remove(line)
                return line.step
        return HONEST

    def _publish(self, post: PostRequest, step: Step) -> Outcome:
        now = self.clock()
        due = now + step.late if step.commit is Commit.LATE else now
        known = (kept for kept in self._kept.values() if post.key and kept.key == post.key)
        if self.keeps_keys and (replayed := next(known, None)):
            return Outcome(OutcomeKind.SENT, replayed.seen.id, replayed.seen.url)
        if post.parent and post.parent not in self._kept:
            return NO_PARENT
        if any(self._unready.get(each, 1) for each in post.media):
            return BAD_CONTENT
        if self.refuses_duplicates and any(one.text == post.text for one in self.live()):
            return DUPLICATE
        kept = replace(post, media=()) if self.loses_media else post
        seen = self._store(kept, due, self.application)
        lost = len(post.media) - len(kept.media)
        bare = f"{lost} of {lost} media are missing" if lost else ""
        return Outcome(OutcomeKind.SENT, seen.id, seen.url, bare=bare)

    def _outcome(self, step: Step, own: Outcome) -> Outcome:
        if isinstance(step.answer, CannotRead | ProcessKilled):
            raise step.answer
        return step.answer if isinstance(step.answer, Outcome) else own

    def _store(self, post: PostRequest, due: datetime, application: str) -> RemotePost:
        self._made += 1
        post_id = f"fake-{self._made:06}"
        url = f"https://fake.example/{post_id}"
        media = len(post.media)
        seen = RemotePost(post_id, url, post.text.strip(), post.parent, due, application, media)
        self._kept[post_id] = _Kept(seen, due, post.key)
        return seen

    def _readable(self) -> None:
        if self.unreadable is not None:
            raise self.unreadable

    def _visible(self) -> Iterator[RemotePost]:
        """Every post that can be read, newest first."""
        now = self.clock()
        kept = sorted(self._kept.values(), key=lambda each: (each.due, each.seen.id), reverse=True)
        for each in kept:
            if each.due + self.lag <= now:
                gone = self.forgets_parents and each.seen.parent not in self._kept
                yield replace(each.seen, parent="" if gone else each.seen.parent)

    def _newer(self, since: datetime, after: str) -> Iterator[RemotePost]:
        start = since.astimezone(UTC).replace(microsecond=0)
        known = self._kept.get(after)
        mark = (known.due, after) if known else (start, "")
        for post in self._visible():
            if post.created >= start and (post.created, post.id) > mark:
                yield post
