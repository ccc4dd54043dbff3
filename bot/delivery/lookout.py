"""Reading the account: what of a thread is out already, whoever sent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.delivery.book import Book
from bot.delivery.decide import LONGEST_DOUBT
from bot.delivery.match import Recognised, misplaced, recognise
from bot.delivery.terms import CLOCKS_APART, End, Ended
from bot.ledger.rows import StoredPost
from bot.model import State
from bot.posters.poster import CannotRead, Look, Poster, Seen

_LOOK_YOURSELF = (
    "look yourself: if nothing of it is out, say so with bot post --assume-unsent, else settle "
    "each post with bot settle (TWITTER_READ_BACK=off for a plan of X that cannot read)"
)
_IF_OURS = (
    "if it is not ours, go on with bot post --assume-unsent; if it is, say so with bot settle "
    "--sent ID"
)
_UNREAD_BACK = "the account's posts cannot be read back to the digest's publication"
_GONE = (
    "it was sent and is not there: the server dropped it or a person deleted it; it is not sent "
    "again unasked"
)


@dataclass(slots=True)
class Lookout:
    """Reads, and takes what is ours into the book. `tail` is what the next post replies to."""

    book: Book
    poster: Poster
    tail: str = field(default="", init=False)
    _failures: int = field(default=0, init=False)

    def look(self) -> bool:
        """Read before anything is sent; False where it has to be done again."""
        book = self.book
        found = self._find()
        if found is None:
            return False
        for position in found.skipped:
            book.pass_over(position, "passed over: the chain that was found goes on without it")
        following = book.waiting
        if found.adopted and following and following.state is State.PLANNED:
            # another ledger than ours has begun it, and its next post may be under way
            book.suspect(following.position, "the thread was found half out")
        book.looked()
        return True

    def find(self) -> None:
        """Take into the book what of the thread is out; asks until it is answered."""
        while self._find() is None:
            pass

    def read(self, post: StoredPost) -> None:
        """Look for a post whose outcome is unknown."""
        found = self._find()
        if found is not None and post.position not in found.adopted:
            self.book.missed(post.position)

    def _find(self) -> Recognised | None:
        """Read, and adopt what is ours; None, after a wait, where it could not be read just now.

        Raises Ended, the first open post held, where only a person can tell.
        """
        book, first = self.book, self._first()
        posts = self._posts(first)
        if posts is None:
            return None
        if not posts.complete and not book.begun:
            book.give_up(first.position, f"{_UNREAD_BACK}; {_LOOK_YOURSELF}")
        found = self._recognised(posts)
        if found.doubtful:
            book.give_up(first.position, f"{found.doubtful}; {_IF_OURS}")
        for position, one in sorted(found.adopted.items()):
            book.adopt(position, one)
        if found.adopted or not self.tail:
            self.tail = found.tail
        return found

    def check(self) -> None:
        """Read the finished thread once more: what was said to be sent and is gone is held."""
        book = self.book
        sent = [post for post in book.thread.posts if post.state is State.SENT]
        # what was adopted was never tried by this ledger, and may be as old as the digest
        times = [post.tried_at or book.thread.published for post in sent] or [book.now]
        try:
            seen = self.poster.look(min(times) - CLOCKS_APART, keys=self._keys()).posts
            there = {each.id for each in seen}
            gone = [p for p in sent if p.id not in there and self.poster.read(p.id) is None]
        except CannotRead as error:
            book.attempt("read", None, "failed", error.message)
            reason = f"sent, and not yet checked: {error.message}"
            raise Ended(End.LATER, reason, error.until, stops=error.stops) from error
        book.attempt("read", None, "answered", f"{len(sent) - len(gone)} of {len(sent)} are there")
        for post in gone:
            book.hold(post.position, _GONE)
        for position, double in self._misplaced(seen):
            where = double.url or double.id
            book.hold(position, f"it is there more than once, the other time as {where}")
        book.checked()

    def _posts(self, first: StoredPost) -> Look | None:
        """Our posts since the last that is known, else since the digest's publication."""
        book = self.book
        since = min(book.thread.published, book.now) - CLOCKS_APART
        sent = [post for post in book.thread.posts if post.state is State.SENT]
        known = None if sent else book.ledger.last_known(book.thread.account)
        after = sent[-1].id if sent else known[0] if known and known[1] <= since else ""
        try:
            posts = self.poster.look(since, after, self._keys())
        except CannotRead as error:
            book.attempt("read", None, "failed", error.message)
            self._cannot_read(error, first)
            return None
        self._failures = 0
        book.attempt("read", None, "answered", f"{len(posts.posts)} posts")
        book.spend("read", posts.cost)
        return posts

    def _cannot_read(self, error: CannotRead, first: StoredPost) -> None:
        """Wait before reading again; Ended, where that would be no use."""
        book, policy = self.book, self.book.terms.policy
        if error.stops:
            raise Ended(End.FAILED, str(error), stops=True) from error
        if error.final:
            book.give_up(first.position, f"{error.message}; {_LOOK_YOURSELF}")
        if first.doubted_at and book.now - first.doubted_at >= LONGEST_DOUBT:
            reason = f"unknown for {LONGEST_DOUBT}, and the account cannot be read"
            book.give_up(first.position, f"{reason}: {error.message}")
        if error.until:
            book.wait_until(error.until, error.message)
            return
        grown = policy.retry_wait * 2.0 ** min(self._failures, 30)
        self._failures += 1
        book.wait(min(grown, policy.longest_wait), error.message)

    def _misplaced(self, seen: Sequence[Seen]) -> tuple[tuple[int, Seen], ...]:
        """Posts of ours that the ledger does not know: another worker sent them."""
        thread = self.book.thread
        others = self._others(seen)
        return misplaced(thread, seen, others=others, application=self.book.terms.application)

    def _others(self, seen: Sequence[Seen]) -> frozenset[str]:
        thread, ids = self.book.thread, [each.id for each in seen]
        return self.book.ledger.known_ids(thread.account, thread.number, ids)

    def _recognised(self, posts: Look) -> Recognised:
        thread, others = self.book.thread, self._others(posts.posts)
        application = self.book.terms.application
        return recognise(thread, posts.posts, others=others, application=application)

    def _keys(self) -> tuple[str, ...]:
        return tuple(post.key for post in self.book.thread.posts)

    def _first(self) -> StoredPost:
        first = self.book.waiting
        assert first is not None  # noqa: S101 - nothing is read for a thread that is out
        return first
