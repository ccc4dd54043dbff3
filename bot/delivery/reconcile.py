"""Reading the account: what of a thread is out already, whoever sent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from bot.delivery.decide import LONGEST_BACKOFF, LONGEST_DOUBT
from bot.delivery.journal import Journal
from bot.delivery.match import ThreadMatcher, chain_of
from bot.delivery.types import CLOCKS_APART, End, Replan, RunEnded, end_of
from bot.ledger.rows import StoredLimit, StoredPost
from bot.model import State
from bot.posters.poster import CannotRead, Poster, RemotePost, Timeline

LOGIN = "login"
"""The kind of limit that a network puts on logins."""

_LOOK_YOURSELF = (
    "look yourself: if nothing of it is out, say so with bot post --assume-unsent, else settle "
    "each post with bot settle"
)
_IF_OURS = (
    "if it is not ours, go on with bot post --assume-unsent; if it is, say so with bot settle "
    "--sent ID"
)
_TAKE_BACK = (
    "decide with bot settle, or take back all of it with bot retract and publish it with bot post "
    "--again"
)
_UNREAD_BACK = "the account's posts cannot be read back to the digest's publication"
_GONE = (
    "it was sent and is not there: the server dropped it or a person deleted it; it is not sent "
    "again unasked"
)
_PARENT_GONE = (
    "the post replied to is gone; a thread is not begun again unasked: take it back with bot "
    "retract, and publish with bot post --again"
)
_NOT_SHOWN = "the network does not show yet what is known to be out, so nothing can be settled"
_OTHER_SENDER = "another sender published the post before it, and may be publishing this one"
_NEW_LEDGER = "the ledger is new, and the network may show late what an earlier one published"


@dataclass(slots=True)
class Reconciler:
    """Reads the account and writes what is ours into the ledger."""

    journal: Journal
    poster: Poster
    shown: set[str] = field(default_factory=set, init=False)
    """The ids of all posts that reads have shown."""
    _older: set[str] = field(default_factory=set, init=False)
    _failures: int = field(default=0, init=False)

    def look(self) -> bool:
        """Read before anything is sent; False where it has to be done again.

        Raises Replan where a chain was found that holds its papers in an order of its own.
        """
        journal = self.journal
        new = journal.is_new and journal.thread.looked_at is None
        if not self._find():
            return False
        first = journal.waiting
        if new and not journal.begun and journal.policy.lags and first:
            # nothing was found, and that is no proof yet
            journal.mark_maybe_sent(first.position, _NEW_LEDGER)
        journal.looked()
        return True

    def read(self, post: StoredPost) -> None:
        """Look for a post whose outcome is unknown."""
        if self._find() and self.journal.waiting == post:
            self.journal.record_miss(post.position)

    def _find(self) -> bool:
        """Read, and adopt what is ours; False, perhaps after a wait, where that proves nothing.

        Raises Ended, the first open post held, where only a person can tell.
        """
        journal, first = self.journal, self.journal.waiting
        assert first is not None  # noqa: S101 - nothing is read for a thread that is out
        posts = self._posts(first)
        if posts is None:
            return False
        reading = self._reading(posts, first)
        found = reading.recognise()
        if found.doubtful:
            advice = _TAKE_BACK if reading.holds_wholes() else _IF_OURS
            journal.hold_and_stop(first.position, f"{found.doubtful}; {advice}")
        if found.order:
            raise Replan(found.order)
        by_others = False
        for position, one in found.adopted.items():
            by_others |= not journal.thread.posts[position].tries
            journal.adopt(position, one)
        for position in found.skipped:
            journal.skip(position, "passed over: the chain that was found goes on without it")
        journal.tail = found.tail
        if by_others and journal.waiting:
            # the sender of what was found may be at work, and its next post under way
            journal.mark_maybe_sent(journal.waiting.position, _OTHER_SENDER)
        if not posts.complete and not found.adopted:
            if not journal.begun:
                journal.hold_and_stop(first.position, f"{_UNREAD_BACK}; {_LOOK_YOURSELF}")
            self._cannot_read(CannotRead(_UNREAD_BACK), first)
            return False
        journal.contact()
        if first.state is State.PLANNED and not found.adopted:
            self._older |= {each.id for each in posts.posts}
        return True

    def confirm(self) -> bool:
        """Before a third try: see that reads show the post it replies to, where reading is free.

        A read that does not show what is out proves no absence. False where the account has to be
        read again. Raises Ended where the post is gone, or is there and not shown.
        """
        journal, first = self.journal, self.journal.waiting
        sent = chain_of(journal.thread)
        if first is None or not sent or not (journal.policy.checks and journal.policy.reads):
            return True
        last = journal.tail or sent[-1].id
        try:
            seen = self.poster.look(self._sent_since(sent), keys=self._keys())
            if any(each.id == last for each in seen.posts):
                return first.position not in self._reading(seen, first).recognise().adopted
            is_there = self.poster.read(last) is not None
        except CannotRead as error:
            self._cannot_read(error, first)
            return error.blind
        if not is_there:
            journal.hold_and_stop(first.position, _PARENT_GONE)
        tried = first.doubted_at or first.tried_at
        if tried and journal.now - tried >= LONGEST_DOUBT:
            journal.hold_and_stop(first.position, f"unknown for {LONGEST_DOUBT}: {_NOT_SHOWN}")
        until = journal.now + timedelta(seconds=LONGEST_BACKOFF)
        raise RunEnded(End.LATER, _NOT_SHOWN, until, named=False)

    def check(self) -> None:
        """Read the finished thread once more: what was said to be sent and is gone is held.

        What a first read misses is looked for once more, `settle` later: reads may lag.
        """
        journal, settle = self.journal, self.journal.policy.settle
        gone, doubles = self._missing()
        if gone and not journal.missed_before(settle):
            names = ", ".join(str(post.number) for post in gone)
            journal.attempt("check", None, "missing", names)
            journal.wait(settle, f"to see whether post {names} comes to be shown")
            gone, doubles = self._missing()
        for post in gone:
            journal.hold(post.position, _GONE)
        for position, double in doubles:
            where = double.url or double.id
            journal.hold(position, f"it is there more than once, the other time as {where}")
        journal.checked()

    def _missing(self) -> tuple[list[StoredPost], list[tuple[int, RemotePost]]]:
        """Give the posts that were sent and are not there, and those that are there once more."""
        journal, seen = self.journal, Timeline((), complete=True)
        sent = [post for post in journal.thread.posts if post.state is State.SENT]
        while True:
            try:
                try:
                    seen = self.poster.look(self._sent_since(sent), keys=self._keys())
                except CannotRead as error:
                    if not error.blind:
                        raise
                there = {each.id for each in seen.posts}
                gone = [p for p in sent if p.id not in there and self.poster.read(p.id) is None]
                break
            except CannotRead as error:
                journal.attempt("read", None, "failed", error.message)
                reason = f"sent, and not yet checked: {error.message}"
                if error.final or journal.around.stopping():
                    raise RunEnded(end_of(error), reason, error.until, stops=error.stops) from error
                self._pause(error, reason)
        journal.attempt(
            "read", None, "answered", f"{len(sent) - len(gone)} of {len(sent)} are there"
        )
        return gone, [*self._reading(seen, None).doubles()]

    def _posts(self, first: StoredPost, *, whole: bool = False) -> Timeline | None:
        """Read our posts since the last that is known, else since nothing of it can be out.

        With the opening alone out, that is the last before it: another sender may have published
        one in the same moment.
        """
        journal, since = self.journal, self._since()
        sent = chain_of(journal.thread)
        if len(sent) > 1 and not whole:
            after = sent[-1].id
        else:
            known = journal.ledger.last_known(journal.thread.account, before=journal.thread.number)
            after = known[0] if known and known[1] <= since else ""
        try:
            posts = self.poster.look(since, after, self._keys())
        except CannotRead as error:
            journal.attempt("read", None, "failed", error.message)
            self._cannot_read(error, first)
            return None
        self._failures = 0
        self.shown |= {each.id for each in posts.posts}
        journal.attempt("read", None, "answered", f"{len(posts.posts)} posts")
        journal.spend("read", posts.cost)
        return posts

    def _since(self) -> datetime:
        """Give the time before which nothing of the thread can have been published.

        A digest's date may lie ahead of its posting, or be corrected later.
        """
        thread = self.journal.thread
        midnight = datetime.combine(thread.day, time(), UTC)
        tried = [at for post in thread.posts for at in (post.tried_at, post.doubted_at) if at]
        first = min(thread.published, midnight, thread.planned_at, self.journal.now, *tried)
        return first - CLOCKS_APART

    def _sent_since(self, sent: Sequence[StoredPost]) -> datetime:
        """Give the time since which a finished thread was sent, to read no further back."""
        times = [post.tried_at for post in sent if post.tried_at and post.tries]
        whole = len(times) == len(sent)
        return min([*times, self.journal.now]) - CLOCKS_APART if whole else self._since()

    def _cannot_read(self, error: CannotRead, first: StoredPost) -> None:
        """Wait before reading again; Ended, where that would be no use."""
        journal = self.journal
        if error.stops:
            raise RunEnded(end_of(error), f"{error.message}. {error.fix}", stops=True) from error
        if error.blind:
            journal.unreadable = error.message
            return
        if error.final:
            journal.hold_and_stop(
                first.position, f"{error.message}; {_LOOK_YOURSELF}. {error.fix}".strip()
            )
        if first.doubted_at and journal.now - first.doubted_at >= LONGEST_DOUBT:
            reason = f"unknown for {LONGEST_DOUBT}, and the account cannot be read"
            journal.hold_and_stop(first.position, f"{reason}: {error.message}")
        self._pause(error, error.message)

    def _pause(self, error: CannotRead, reason: str) -> None:
        """Wait before reading again: as the network says, and longer each time. Raises Ended."""
        journal, until = self.journal, error.until
        self._failures += 1
        grown = journal.policy.wait_after(self._failures)
        if until is None:
            journal.wait(grown, reason)
            return
        if error.login:
            journal.ledger.limit(StoredLimit(journal.thread.account, LOGIN, until, error.message))
        if self._failures > 1:
            until = max(until, journal.now + timedelta(seconds=grown))
        journal.wait_until(until, reason, named=error.named)

    def _reading(self, posts: Timeline, first: StoredPost | None) -> ThreadMatcher:
        journal, thread = self.journal, self.journal.thread
        ids = [each.id for each in posts.posts]
        return ThreadMatcher(
            thread,
            posts.posts,
            others=journal.ledger.known_ids(thread.account, thread.number, ids),
            application=journal.terms.application,
            older=self._older,
            since=self._tried(first, posts.clock) if first else None,
            as_planned=journal.terms.as_planned,
        )

    def _tried(self, post: StoredPost, network: datetime | None) -> datetime | None:
        """Say when the post in doubt was tried, by the network's clock; None where that is open."""
        tried, now = post.doubted_at or post.tried_at, self.journal.now
        if tried is None or tried > now:  # the clock was set back since
            return None
        return tried + ((network or now) - now) - CLOCKS_APART

    def take_stock(self) -> tuple[Sequence[tuple[int, RemotePost]], str]:
        """Read whole, adopt what is the thread's; give its doubles, newest first, and what is left.

        What this ledger never tried is known by key or whole text alone: only what is surely the
        thread's may be deleted. What only resembles it is said in a sentence, empty where nothing
        does. Raises Ended where the account cannot be read.
        """
        journal = self.journal
        while (
            posts := self._posts(journal.waiting or journal.thread.posts[0], whole=True)
        ) is None:
            if journal.unreadable:
                return (), ""
        reading = self._reading(posts, journal.waiting)
        found = reading.recognise()
        if any(post.tries or post.id for post in journal.thread.posts):
            for position, one in found.adopted.items():
                if journal.thread.posts[position].state is not State.RETRACTED:
                    journal.adopt(position, one)
        wholes = reading.wholes()
        for one in reversed(posts.posts):
            post = journal.thread.posts[wholes[one.id]] if one.id in wholes else None
            if post and not post.id and post.state is not State.RETRACTED:
                journal.adopt(post.position, one)
        known = {post.id for post in journal.thread.posts if post.id}
        if not known and not posts.complete:
            journal.hold_and_stop(0, f"{_UNREAD_BACK}; {_LOOK_YOURSELF}")
        doubles = [
            (wholes[one.id], one) for one in posts.posts if one.id in wholes and one.id not in known
        ]
        return doubles, "" if doubles else found.doubtful

    def _keys(self) -> tuple[str, ...]:
        return tuple(post.key for post in self.journal.thread.posts)
