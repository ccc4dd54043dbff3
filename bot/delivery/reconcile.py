"""Reads the account, and finds the posts of a thread that are published, whoever sent them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from bot.delivery.decide import LONGEST_BACKOFF, LONGEST_UNKNOWN
from bot.delivery.journal import Journal
from bot.delivery.match import ThreadMatcher
from bot.delivery.types import CLOCKS_APART, End, Replan, RunEnded, cannot_read
from bot.ledger.rows import StoredPost
from bot.model import State
from bot.posters.poster import CannotRead, Poster, RemotePost, Timeline

LOGIN = "login"
"""The kind of limit that a network puts on logins."""

_LOOK_YOURSELF = (
    "Look at the account. If no post of the thread is there, run bot post --assume-unsent. "
    "Otherwise settle each post with bot settle"
)
_IF_OURS = (
    "If bot published that post, record it with bot settle --sent ID. If not, run bot post "
    "--assume-unsent"
)
_DELETE_AND_REPEAT = (
    "Decide with bot settle, or delete the thread with bot retract and publish it with bot post "
    "--again"
)
_UNREAD_BACK = "the account's posts cannot be read back to the digest's publication"
_GONE = (
    "it was sent and is not on the network any more; the server lost it or a person deleted it, "
    "and bot does not send it again by itself"
)
_PARENT_GONE = (
    "the post replied to is gone, and bot does not begin a thread again by itself. Delete the "
    "thread with bot retract, and publish it with bot post --again"
)
_NOT_SHOWN = (
    "the network does not show yet a post that is published, so a read cannot prove that another "
    "post is not"
)
_UNKNOWN_TOO_LONG = f"its outcome is unknown for {LONGEST_UNKNOWN.total_seconds() / 3600:.0f} hours"
_OTHER_SENDER = "another sender published the post before this one, and may be publishing this one"
_NEW_LEDGER = "the ledger is new, and the network may show the posts of an earlier ledger late"


@dataclass(slots=True)
class Reconciler:
    """Reads the account and records the posts of the thread in the ledger."""

    journal: Journal
    poster: Poster
    shown: set[str] = field(default_factory=set, init=False)
    """The ids of all posts that were read."""
    _older: set[str] = field(default_factory=set, init=False)
    _failures: int = field(default=0, init=False)

    def look(self) -> bool:
        """Read the account before a post is sent; False where it must be read again.

        Raises Replan where the chain that was found has its papers in another order.
        """
        journal = self.journal
        new = journal.is_new and journal.thread.looked_at is None
        if not self._find():
            return False
        first = journal.waiting
        if new and not journal.begun and journal.policy.lags and first:
            # no post was found, but reads may lag, so this proves nothing yet
            journal.mark_maybe_sent(first.position, _NEW_LEDGER)
        journal.looked()
        return True

    def read(self, post: StoredPost) -> None:
        """Look for a post whose outcome is unknown."""
        if self._find() and self.journal.waiting == post:
            self.journal.record_miss(post.position)

    def _find(self) -> bool:
        """Read, and adopt the thread's posts; False, perhaps after a wait, for a useless read.

        Holds the first open post and raises RunEnded where only a person can decide.
        """
        journal, first = self.journal, self.journal.waiting
        assert first is not None  # noqa: S101 - nothing is read for a published thread
        posts = self._posts(first)
        if posts is None:
            return False
        reading = self._reading(posts, first)
        found = reading.recognise()
        if found.unclear:
            advice = _DELETE_AND_REPEAT if reading.holds_wholes() else _IF_OURS
            journal.hold_and_stop(first.position, f"{found.unclear}. {advice}")
        if found.order:
            raise Replan(found.order)
        by_others = False
        for position, one in found.adopted.items():
            by_others |= not journal.thread.posts[position].tries
            journal.adopt(position, one)
        for position in found.skipped:
            journal.skip(position, "skipped, because the published thread continues without it")
        journal.tail = found.tail
        if by_others and journal.waiting:
            # the sender of these posts may still run, and may be sending the next one
            journal.mark_maybe_sent(journal.waiting.position, _OTHER_SENDER)
        if not posts.complete and not found.adopted:
            if not journal.begun:
                journal.hold_and_stop(first.position, f"{_UNREAD_BACK}. {_LOOK_YOURSELF}")
            self._cannot_read(CannotRead(_UNREAD_BACK), first)
            return False
        journal.contact()
        if first.state is State.PLANNED and not found.adopted:
            self._older |= {each.id for each in posts.posts}
        return True

    def confirm(self) -> bool:
        """Check before a third try that reads show the post that is replied to, if reads are free.

        A read that misses a published post proves no absence. Returns False where the account must
        be read again. Raises RunEnded where the parent is gone, or is published and not shown.
        """
        journal, first = self.journal, self.journal.waiting
        sent = journal.thread.chain
        if first is None or not sent or not (journal.policy.checks and journal.policy.reads):
            return True
        last = journal.tail or sent[-1].id
        try:
            seen = self.poster.look(self._sent_since(sent), keys=self._keys())
            if any(each.id == last for each in seen.posts):
                return first.position not in self._reading(seen, first).recognise().adopted
            is_published = self.poster.read(last) is not None
        except CannotRead as error:
            self._cannot_read(error, first)
            return error.blind
        if not is_published:
            journal.hold_and_stop(first.position, _PARENT_GONE)
        tried = first.doubted_at or first.tried_at
        if tried and journal.now - tried >= LONGEST_UNKNOWN:
            journal.hold_and_stop(first.position, f"{_UNKNOWN_TOO_LONG}; {_NOT_SHOWN}")
        until = journal.now + timedelta(seconds=LONGEST_BACKOFF)
        raise journal.ended(End.LATER, _NOT_SHOWN, until, named=False)

    def check(self) -> None:
        """Read the finished thread once more, and hold posts that are gone or published twice.

        Posts that the first read misses are looked for once more, `settle` later: reads may lag.
        """
        journal, settle = self.journal, self.journal.policy.settle
        gone, doubles = self._missing()
        if gone and not journal.missed_before(settle):
            names = ", ".join(str(post.number) for post in gone)
            journal.attempt("check", None, "missing", names)
            journal.wait(settle, f"the network does not show post {names} yet")
            gone, doubles = self._missing()
        for post in gone:
            journal.hold(post.position, _GONE)
        for position, double in doubles:
            where = double.url or double.id
            journal.hold(position, f"it is published more than once, the other time as {where}")
        journal.checked()

    def _missing(self) -> tuple[list[StoredPost], list[tuple[int, RemotePost]]]:
        """Return the sent posts that are gone, and posts that are published a second time."""
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
                reason = f"the thread is sent and not checked yet, because {error.message}"
                if error.final or journal.around.stopping():
                    raise RunEnded(cannot_read(journal.terms.account, error, reason)) from error
                self._pause(error, reason)
        journal.attempt(
            "read", None, "answered", f"{len(sent) - len(gone)} of {len(sent)} are there"
        )
        return gone, [*self._reading(seen, None).doubles()]

    def _posts(self, first: StoredPost, *, whole: bool = False) -> Timeline | None:
        """Read the account's posts after the last known post, or since the thread can exist.

        Where only the opening is published, read after the post before it: another sender may have
        published an opening at the same moment. None where the account could not be read.
        """
        journal, since = self.journal, self._since()
        sent = journal.thread.chain
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
        """Return the time before which no post of the thread can have been published.

        A digest's date may be later than its first post, or be corrected later.
        """
        thread = self.journal.thread
        midnight = datetime.combine(thread.day, time(), UTC)
        tried = [at for post in thread.posts for at in (post.tried_at, post.doubted_at) if at]
        first = min(thread.published, midnight, thread.planned_at, self.journal.now, *tried)
        return first - CLOCKS_APART

    def _sent_since(self, sent: Sequence[StoredPost]) -> datetime:
        """Return the time before which no post of the finished thread was sent."""
        times = [post.tried_at for post in sent if post.tried_at and post.tries]
        whole = len(times) == len(sent)
        return min([*times, self.journal.now]) - CLOCKS_APART if whole else self._since()

    def _cannot_read(self, error: CannotRead, first: StoredPost) -> None:
        """Wait before the next read. Raises RunEnded where another read cannot help."""
        journal = self.journal
        if error.stops:
            reason = f"{error.message}. {error.fix}"
            raise RunEnded(cannot_read(journal.terms.account, error, reason)) from error
        if error.blind:
            journal.unreadable = error.message
            return
        if error.final:
            journal.hold_and_stop(
                first.position, f"{error.message}. {_LOOK_YOURSELF}. {error.fix}".strip()
            )
        if first.doubted_at and journal.now - first.doubted_at >= LONGEST_UNKNOWN:
            reason = f"{_UNKNOWN_TOO_LONG}, and the account cannot be read"
            journal.hold_and_stop(first.position, f"{reason}, because {error.message}")
        self._pause(error, error.message)

    def _pause(self, error: CannotRead, reason: str) -> None:
        """Wait before the next read, as the network says and longer each time. Raises RunEnded."""
        journal, until = self.journal, error.until
        self._failures += 1
        grown = journal.policy.wait_after(self._failures)
        if until is None:
            journal.wait(grown, reason)
            return
        if error.login:
            journal.limit(LOGIN, until, error.message)
        if self._failures > 1:
            until = max(until, journal.now + timedelta(seconds=grown))
        journal.wait_until(until, reason, named=error.named)

    def _reading(self, posts: Timeline, first: StoredPost | None) -> ThreadMatcher:
        journal, thread, now = self.journal, self.journal.thread, self.journal.now
        ids = [each.id for each in posts.posts]
        # when the unknown post was tried, by the network's clock
        since = (first.doubted_at or first.tried_at) if first else None
        if since:  # it is later than now if the clock was set back
            since = None if since > now else since + ((posts.clock or now) - now) - CLOCKS_APART
        return ThreadMatcher(
            thread,
            posts.posts,
            others=journal.ledger.known_ids(thread.account, thread.number, ids),
            application=journal.terms.application,
            older=self._older,
            since=since,
            as_planned=journal.terms.as_planned,
        )

    def take_stock(self) -> tuple[Sequence[tuple[int, RemotePost]], str]:
        """Read the complete thread and adopt its posts, before they are deleted.

        Returns the thread's doubles, newest first, and a sentence about posts that only resemble
        it, empty where there are none. Posts that this ledger never tried are recognised by key or
        complete text alone: only posts that surely are the thread's may be deleted. Raises RunEnded
        where the account cannot be read.
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
            journal.hold_and_stop(0, f"{_UNREAD_BACK}. {_LOOK_YOURSELF}")
        doubles = [
            (wholes[one.id], one) for one in posts.posts if one.id in wholes and one.id not in known
        ]
        return doubles, "" if doubles else found.unclear

    def _keys(self) -> tuple[str, ...]:
        return tuple(post.key for post in self.journal.thread.posts)
