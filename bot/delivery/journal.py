"""One run's hold on one thread: writes down every change, and keeps the time.

Time is counted twice. What is shown and stored is the wall clock's; what proves that a post is
absent is counted by a clock that nobody can set.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NoReturn

from bot.delivery.decide import LONGEST_BACKOFF, Policy
from bot.delivery.types import AccountTerms, End, Event, RunEnded, RunTools
from bot.ledger.rows import Attempt, Spending, StoredPost, StoredThread
from bot.model import State
from bot.posters.poster import OutcomeKind, RemotePost

if TYPE_CHECKING:
    from bot.ledger.store import Ledger


LIMITED = "limited"
"""In the log of requests, the outcome of a try that a limit kept back until a time it named."""


@dataclass(slots=True)
class Journal:
    """The thread as the ledger has it, and all that this run does to it there.

    `unreadable` says why no read shows what the account posts, empty where reads do. `tail` is the
    id of the chain's last post where that is none of this ledger's.
    """

    ledger: Ledger
    terms: AccountTerms
    around: RunTools
    thread: StoredThread
    unreadable: str = field(default="", init=False)
    tail: str = field(default="", init=False)
    _waited: float = field(default=0.0, init=False)
    _gone_before: float = field(default=0.0, init=False)
    _counting_from: float = field(default=0.0, init=False)
    _contact: float = field(default=0.0, init=False)
    _last_out: float | None = field(default=None, init=False)
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
        """Whether the ledger knows of no post of the account that is out, nor of a try of it."""
        tried = any(post.tries or post.refusals for post in self.thread.posts)
        return not tried and self.ledger.last_known(self.thread.account) is None

    @property
    def begun(self) -> bool:
        """Whether anything of the thread is known to be out."""
        return any(post.state is State.SENT for post in self.thread.posts)

    @property
    def policy(self) -> Policy:
        """How patient this run is, and whether it may read: some accounts turn out unreadable."""
        return replace(self.terms.policy, reads=False) if self.unreadable else self.terms.policy

    @property
    def waiting(self) -> StoredPost | None:
        """The first post that is neither out nor out of the way."""
        settled = (State.SENT, State.RETRACTED)
        return next((post for post in self.thread.posts if post.state not in settled), None)

    def resume(self) -> None:
        """Take up where the last run ended, whatever ended it.

        The lock is ours, so nobody else has a request under way: a post that was being sent is in
        doubt. Time between two processes cannot be measured, and does not count.
        """
        post = self.waiting
        if post and post.state is State.SENDING:
            reason = "the last run ended while it was being sent"
            self.mark_unknown(post.position, reason)
            self.tell("unknown", post.position, reason)
            post = self.waiting
        self.count_from(post.missed_after if post else 0.0)
        for attempt in self.ledger.attempts(self.thread.number):
            self._count(attempt)

    # What becomes of a post ----------------------------------------------------------------------

    def begin(self, position: int) -> None:
        """Write down that a request for this post is about to leave, while the lock is ours."""
        number = self.thread.number
        if not self.ledger.begin(number, position, self.now):
            raise RunEnded(End.LATER, "the account's lock is lost: another process may send for it")
        self.thread = self.ledger.refresh(number)
        self.count_from(0.0)

    def sent(self, position: int, post_id: str, url: str) -> None:
        """It is out: the network said so."""
        self.thread = self.ledger.sent(self.thread.number, position, post_id, url, self.now)
        self.tail = ""
        self._out()

    def mark_unknown(self, position: int, reason: str) -> None:
        """Whether it is out is not known."""
        self.thread = self.ledger.mark_unknown(self.thread.number, position, reason, self.now)

    def mark_maybe_sent(self, position: int, reason: str) -> None:
        """It may be out or on its way, though this ledger knows of no try."""
        self.thread = self.ledger.mark_maybe_sent(self.thread.number, position, reason, self.now)
        self.count_from(0.0)

    def duplicate(self, position: int, reason: str) -> None:
        """The network refused the try because it has such a post already."""
        number = self.thread.number
        self.thread = self.ledger.duplicate(number, position, reason, self.now)

    def unsent(self, position: int, reason: str) -> None:
        """Its last try surely did not publish it."""
        self.thread = self.ledger.unsent(self.thread.number, position, reason, self.now)

    def record_miss(self, position: int) -> None:
        """A read did not find it."""
        number, gone = self.thread.number, self.gone
        self.thread = self.ledger.record_miss(number, position, gone, self.now)
        self.tell("not seen yet", position)

    def mark_not_sent(self, position: int) -> None:
        """It is proven not to be out."""
        self.thread = self.ledger.mark_not_sent(self.thread.number, position, self.now)

    def adopt(self, position: int, seen: RemotePost) -> None:
        """It was found on the network."""
        number = self.thread.number
        self.thread = self.ledger.adopt(number, position, seen.id, seen.url, seen.created)
        self._out()
        self.tell("found", position, seen.url, seen.id)
        if self.thread.posts[position].media and not seen.media:
            self.tell("picture lost", position, "it was found without")

    def skip(self, position: int, reason: str) -> None:
        """It will not be sent: the thread has gone on without it."""
        self.thread = self.ledger.skip(self.thread.number, position, reason, self.now)

    def hold(self, position: int, reason: str) -> None:
        """Leave it to a person."""
        self.thread = self.ledger.hold(self.thread.number, position, reason, self.now)
        self.tell("held", position, reason)

    def hold_and_stop(self, position: int, reason: str) -> NoReturn:
        """Leave it to a person, and end the run."""
        self.hold(position, reason)
        raise RunEnded(End.HELD, f"post {position + 1} is held: {reason}")

    def retracted(self, position: int) -> None:
        """It was deleted, or was never out and is not to be."""
        self.thread = self.ledger.retracted(self.thread.number, position, self.now)
        self.tell("retracted", position)

    def looked(self) -> None:
        """The account was read for this thread."""
        self.thread = self.ledger.looked(self.thread.number, self.now)

    def checked(self) -> None:
        """The finished thread was read whole."""
        self.thread = self.ledger.checked(self.thread.number, self.now)

    # What is kept beside -------------------------------------------------------------------------

    def attempt(self, kind: str, position: int | None, outcome: str, detail: str = "") -> None:
        """Add to the log of requests."""
        attempt = Attempt(self.now, kind, position, outcome, detail)
        self.ledger.attempt(self.thread.number, attempt)
        self._count(attempt)

    def _count(self, attempt: Attempt) -> None:
        """Count the tries of one post that failed one after another, and keep when the last did."""
        if attempt.kind == "send":
            position, times, _ = self._failed or (None, 0, attempt.at)
            before = times if position == attempt.position else 0
            failed = attempt.outcome in (OutcomeKind.LATER, OutcomeKind.UNKNOWN, LIMITED)
            self._failed = attempt.position, before + 1 if failed else 0, attempt.at
            # a first limit is waited for as it says; one after the other, longer each time
            self._is_limit = attempt.outcome == LIMITED and before == 0

    @property
    def failures(self) -> int:
        """How many tries of the first open post failed one after another, up to the last."""
        position, times, _ = self._failed or (None, 0, self.now)
        return times if self.waiting and self.waiting.position == position else 0

    @property
    def backoff(self) -> float:
        """Seconds before the next try of a post whose last one failed; they grow with each."""
        if not self.failures or self._failed is None or self._is_limit:
            return 0.0
        seconds = self.terms.policy.wait_after(self.failures, LONGEST_BACKOFF)
        return min(seconds, seconds - (self.now - self._failed[2]).total_seconds())

    def spend(self, kind: str, amount: Decimal) -> None:
        """Add to what the account spent, in US dollars."""
        if amount:
            self.ledger.spend(Spending(self.thread.account, self.now, kind, amount))

    def tell(
        self,
        what: str,
        position: int | None = None,
        detail: str = "",
        post_id: str = "",
        seconds: float | None = None,
    ) -> None:
        """Say what happened to whoever watches; `seconds` is how long the request took."""
        thread, last = self.thread, self.thread.posts[-1].position
        account, digest = thread.account, thread.digest
        self.around.tell(Event(account, digest, what, position, last, detail, post_id, seconds))

    def missed_before(self, seconds: float) -> bool:
        """Whether a check since the last try missed a post so many seconds ago, or earlier."""
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
        """Seconds that have surely passed since the last try of the post in doubt."""
        return self._gone_before + self.around.monotonic() - self._counting_from

    def count_from(self, seconds: float) -> None:
        """From now on count the time since a try, of which so many seconds have passed."""
        self._gone_before, self._counting_from = seconds, self.around.monotonic()

    def contact(self) -> None:
        """The network was read, or took a post: what is known of it is of this moment."""
        self._contact = self.around.monotonic()

    def _out(self) -> None:
        """A post is known to be out from now on."""
        self._last_out = self.around.monotonic()
        self.contact()

    @property
    def idle(self) -> float:
        """Seconds since this run last read the account or got a post out."""
        return self.around.monotonic() - self._contact

    def rest(self) -> None:
        """Sleep until BOT_PAUSE has passed since the last post, for the readers' sake."""
        if self._last_out is None:
            return
        seconds = self.terms.pause - (self.around.monotonic() - self._last_out)
        if seconds > 0:
            self.around.sleep(seconds)

    def wait_until(self, until: datetime, reason: str, *, named: bool = True) -> None:
        """Wait for a time of the wall clock, if this run has the patience; see `CannotRead`."""
        seconds = (until - self.now).total_seconds()
        if seconds > 0:
            self.wait(seconds, reason, until, named=named)

    def wait(
        self, seconds: float, reason: str, until: datetime | None = None, *, named: bool = True
    ) -> None:
        """Wait, if this run has the patience. Else raises Ended."""
        if self._waited + seconds > self.terms.patience:
            again = until or self.now + timedelta(seconds=seconds)
            raise RunEnded(End.LATER, reason, again, named=named and until is not None)
        self.tell("waiting", None, f"{seconds:.0f} s: {reason}")
        self._waited += seconds
        if not self.around.stopping():
            self.around.sleep(seconds)

    @property
    def patience(self) -> float:
        """How many seconds this run may still wait."""
        return self.terms.patience - self._waited
