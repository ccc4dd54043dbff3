"""Records what one run does to one thread, and measures its times.

Two clocks are used. Times that are shown and stored come from the wall clock. The time that proves
that a post is absent comes from a clock that cannot be set.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn

from bot.delivery.decide import LONGEST_BACKOFF, Policy
from bot.delivery.types import AccountResult, AccountTerms, End, Event, RunEnded, RunTools
from bot.ledger.rows import Attempt, Spending, StoredLimit, StoredPost, StoredThread
from bot.model import State
from bot.posters.poster import OutcomeKind, RemotePost

if TYPE_CHECKING:
    from bot.ledger.store import Ledger


LIMITED = "limited"
"""In the log of requests, the outcome of a try that met a limit which named its end."""


@dataclass(slots=True)
class Journal:
    """A thread in the ledger, and the changes that this run makes to it.

    `unreadable` says why the account cannot be read, and is empty where it can. `tail` is the id of
    the chain's last post where this ledger has no post of that id. `limits` are the limits that the
    network named, as this run knows them.
    """

    ledger: Ledger
    terms: AccountTerms
    around: RunTools
    thread: StoredThread
    unreadable: str = field(default="", init=False)
    limits: list[StoredLimit] = field(default_factory=list, init=False)
    tail: str = field(default="", init=False)
    _waited: float = field(default=0.0, init=False)
    _passed_before: float = field(default=0.0, init=False)
    _counting_from: float = field(default=0.0, init=False)
    _contact: float = field(default=0.0, init=False)
    _last_published: float | None = field(default=None, init=False)
    _failed: tuple[int | None, int, datetime] | None = field(default=None, init=False)
    _is_limit: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.contact()

    @property
    def now(self) -> datetime:
        """The wall clock's time, UTC."""
        return self.around.clock()

    @property
    def is_new(self) -> bool:
        """Whether the ledger knows no published post of the account and no try of this thread."""
        tried = any(post.tries or post.refusals for post in self.thread.posts)
        return not tried and self.ledger.last_known(self.thread.account) is None

    @property
    def begun(self) -> bool:
        """Whether a post of the thread is known to be published."""
        return any(post.state is State.SENT for post in self.thread.posts)

    @property
    def policy(self) -> Policy:
        """The account's policy, without reads where the account turned out to be unreadable."""
        return replace(self.terms.policy, reads=False) if self.unreadable else self.terms.policy

    @property
    def waiting(self) -> StoredPost | None:
        """The first post that is neither sent nor retracted."""
        settled = (State.SENT, State.RETRACTED)
        return next((post for post in self.thread.posts if post.state not in settled), None)

    def resume(self) -> None:
        """Continue where the last run ended, whatever ended it.

        This run holds the lock, so no other process has a request under way: the outcome of a post
        that is `sending` is unknown. Time between two processes cannot be measured, and does not
        count.
        """
        post = self.waiting
        if post and post.state is State.SENDING:
            reason = "the last run ended while this post was being sent"
            self.mark_unknown(post.position, reason)
            self.emit("unknown", post.position, reason)
            post = self.waiting
        self.count_from(post.missed_after if post else 0.0)
        for attempt in self.ledger.attempts(self.thread.number):
            self._count(attempt)
        self.limits = list(self.ledger.limits(self.thread.account, self.now))

    def ended(
        self,
        end: End,
        reason: str = "",
        until: datetime | None = None,
        *,
        stops: bool = False,
        named: bool = True,
    ) -> RunEnded:
        """Return the exception that ends the run; `named` is False where the run chose `until`."""
        named = named and until is not None
        account, thread = self.terms.account, self.thread
        return RunEnded(AccountResult(account, end, thread, reason, until, stops, named))

    # Changes of a post ---------------------------------------------------------------------------

    def _put(self, post: StoredPost) -> None:
        """Replace the post in the thread with what the ledger now has."""
        at, posts = post.position, self.thread.posts
        self.thread = replace(self.thread, posts=(*posts[:at], post, *posts[at + 1 :]))

    def begin(self, position: int) -> None:
        """Record that a request for this post is about to be sent. Raises RunEnded without lock."""
        post = self.ledger.begin(self.thread.number, position, self.now)
        if post is None:
            lost = "the account's lock is lost, and another process may be posting to the account"
            raise self.ended(End.LATER, lost)
        self._put(post)
        self.count_from(0.0)

    def sent(self, position: int, post_id: str, url: str) -> None:
        """Record that the network confirmed the post."""
        self._put(self.ledger.sent(self.thread.number, position, post_id, url, self.now))
        self.tail = ""
        self._note_published()

    def mark_unknown(self, position: int, reason: str) -> None:
        """Record that it is not known whether the post is published."""
        self._put(self.ledger.mark_unknown(self.thread.number, position, reason, self.now))

    def mark_maybe_sent(self, position: int, reason: str) -> None:
        """Record that another sender may have published the post, or may be publishing it."""
        self._put(self.ledger.mark_maybe_sent(self.thread.number, position, reason, self.now))
        self.count_from(0.0)

    def duplicate(self, position: int, reason: str) -> None:
        """Record that the network refused the try because it has such a post already."""
        self._put(self.ledger.duplicate(self.thread.number, position, reason, self.now))

    def unsent(self, position: int, reason: str) -> None:
        """Record that the last try did not publish the post."""
        self._put(self.ledger.unsent(self.thread.number, position, reason, self.now))

    def record_miss(self, position: int) -> None:
        """Record that a read did not find the post."""
        self._put(self.ledger.record_miss(self.thread.number, position, self.gone, self.now))
        self.emit("not seen yet", position)

    def mark_not_sent(self, position: int) -> None:
        """Record that the post is proven not to be published."""
        self._put(self.ledger.mark_not_sent(self.thread.number, position, self.now))

    def adopt(self, position: int, seen: RemotePost) -> None:
        """Record that the post was found on the network."""
        number = self.thread.number
        self._put(self.ledger.adopt(number, position, seen.id, seen.url, seen.created))
        self._note_published()
        self.emit("found", position, seen.url, seen.id)
        if self.thread.posts[position].media and not seen.media:
            self.emit("picture lost", position, "the network shows this post without it")

    def skip(self, position: int, reason: str) -> None:
        """Record that the post is not sent: the published thread continues without it."""
        self._put(self.ledger.skip(self.thread.number, position, reason, self.now))

    def hold(self, position: int, reason: str) -> None:
        """Hold the post for a person."""
        self._put(self.ledger.hold(self.thread.number, position, reason, self.now))
        self.emit("held", position, reason)

    def hold_and_stop(self, position: int, reason: str) -> NoReturn:
        """Hold the post for a person, and end the run."""
        self.hold(position, reason)
        raise self.ended(End.HELD, f"post {position + 1} is held, because {reason}")

    def retracted(self, position: int) -> None:
        """Record that the post was deleted, or will never be published."""
        self._put(self.ledger.retracted(self.thread.number, position, self.now))
        self.emit("retracted", position)

    def looked(self) -> None:
        """Record that the account was read for this thread."""
        self.thread = self.ledger.looked(self.thread.number, self.now)

    def checked(self) -> None:
        """Record that the finished thread was read completely."""
        self.thread = self.ledger.checked(self.thread.number, self.now)

    # Requests, spending and events ---------------------------------------------------------------

    def attempt(self, kind: str, position: int | None, outcome: str, detail: str = "") -> None:
        """Add to the log of requests."""
        attempt = Attempt(self.now, kind, position, outcome, detail)
        self.ledger.attempt(self.thread.number, attempt)
        self._count(attempt)

    def _count(self, attempt: Attempt) -> None:
        """Count the failed tries of one post in a row, and note the time of the last."""
        if attempt.kind == "send":
            position, times, _ = self._failed or (None, 0, attempt.at)
            before = times if position == attempt.position else 0
            failed = attempt.outcome in (OutcomeKind.LATER, OutcomeKind.UNKNOWN, LIMITED)
            self._failed = attempt.position, before + 1 if failed else 0, attempt.at
            # the first limit is waited for as it says; the next ones in a row longer each time
            self._is_limit = attempt.outcome == LIMITED and before == 0

    @property
    def failures(self) -> int:
        """How many tries of the first open post failed in a row, up to the last try."""
        position, times, _ = self._failed or (None, 0, self.now)
        return times if self.waiting and self.waiting.position == position else 0

    @property
    def backoff(self) -> float:
        """Seconds until a post whose last try failed is tried again; more after each failure."""
        if not self.failures or self._failed is None or self._is_limit:
            return 0.0
        seconds = self.terms.policy.wait_after(self.failures, LONGEST_BACKOFF)
        return min(seconds, seconds - (self.now - self._failed[2]).total_seconds())

    def spend(self, kind: str, amount: Decimal) -> None:
        """Add to what the account spent, in US dollars."""
        if amount:
            self.ledger.spend(Spending(self.thread.account, self.now, kind, amount))

    def limit(self, kind: str, until: datetime, reason: str) -> None:
        """Store a limit that the network named."""
        limit = StoredLimit(self.thread.account, kind, until, reason)
        self.ledger.limit(limit)
        self.limits.append(limit)

    def emit(
        self,
        what: str,
        position: int | None = None,
        detail: str = "",
        post_id: str = "",
        seconds: float | None = None,
    ) -> None:
        """Send an event to the listener of the run; `seconds` is how long the request took."""
        thread, last = self.thread, self.thread.posts[-1].position
        account, digest = thread.account, thread.digest
        self.around.tell(Event(account, digest, what, position, last, detail, post_id, seconds))

    def missed_before(self, seconds: float) -> bool:
        """Tell whether a check since the last try missed a post at least `seconds` ago."""
        tried = max(post.tried_at or self.thread.planned_at for post in self.thread.posts)
        times = [
            each.at
            for each in self.ledger.attempts(self.thread.number)
            if (each.kind, each.outcome) == ("check", "missing") and each.at >= tried
        ]
        return bool(times) and (self.now - min(times)).total_seconds() >= seconds

    # Time ----------------------------------------------------------------------------------------

    @property
    def gone(self) -> float:
        """How many seconds at least have passed since the last try of the unknown post."""
        return self._passed_before + self.around.monotonic() - self._counting_from

    def count_from(self, seconds: float) -> None:
        """Start to measure the time since a try, of which `seconds` have passed already."""
        self._passed_before, self._counting_from = seconds, self.around.monotonic()

    def contact(self) -> None:
        """Note that the network was read, or took a post, at this moment."""
        self._contact = self.around.monotonic()

    def _note_published(self) -> None:
        self._last_published = self.around.monotonic()
        self.contact()

    @property
    def idle(self) -> float:
        """Seconds since this run last read the account or published a post."""
        return self.around.monotonic() - self._contact

    def must_not_send(self) -> bool:
        """Tell whether the program is to stop, or the account must be read before a post."""
        return self.around.stopping() or self.policy.is_stale(self.idle)

    def rest(self) -> None:
        """Sleep until BOT_PAUSE has passed since the last post."""
        if self._last_published is None:
            return
        seconds = self.terms.pause - (self.around.monotonic() - self._last_published)
        if seconds > 0:
            self.around.sleep(seconds)

    def wait_until(self, until: datetime, reason: str, *, named: bool = True) -> None:
        """Wait for a time of the wall clock, as `wait` does; for `named` see `CannotRead`."""
        seconds = (until - self.now).total_seconds()
        if seconds > 0:
            self.wait(seconds, reason, until, named=named)

    def wait(
        self, seconds: float, reason: str, until: datetime | None = None, *, named: bool = True
    ) -> None:
        """Wait. Raises RunEnded where this run may not wait for so long."""
        if self._waited + seconds > self.terms.patience:
            again = until or self.now + timedelta(seconds=seconds)
            raise self.ended(End.LATER, reason, again, named=named and until is not None)
        self.emit("waiting", None, f"{reason}; next try in {seconds:.0f} s")
        self._waited += seconds
        if not self.around.stopping():
            self.around.sleep(seconds)

    @property
    def patience(self) -> float:
        """How many seconds this run may still wait."""
        return self.terms.patience - self._waited
