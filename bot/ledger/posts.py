"""Changes the state of posts: each change is one conditional UPDATE, whose row count is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from bot.ledger.errors import LedgerError, WrongState
from bot.ledger.file import Value
from bot.ledger.rows import Attempt, StoredPost, columns, read_post, read_row
from bot.ledger.senders import Senders
from bot.ledger.threads import Threads
from bot.model import State
from bot.terminal import argument

_NO_LEASE = (  # an earlier release takes a lease where this one takes a lock
    "NOT EXISTS (SELECT 1 FROM leases WHERE leases.account = posts.account"
    " AND leases.expires_at > :at)"
)
_NEW_ID = (
    "NOT EXISTS (SELECT 1 FROM posts AS other WHERE other.account = posts.account"
    " AND other.id = :id AND other.id <> '' AND other.rowid <> posts.rowid)"
)
_UNSEEN = "misses = 0, missed_after = 0.0"
_TRY = f"state = 'sending', tries = tries + 1, tried_at = :at, {_UNSEEN}, reason = ''"
_SENT = (
    "state = 'sent', id = :id, url = :url, sent_at = :at, doubted_at = NULL, reason = '',"
    " place = coalesce(place, (SELECT coalesce(max(coalesce(other.place, other.position)), -1) + 1"
    " FROM posts AS other WHERE other.thread = posts.thread AND other.state = 'sent'))"
)
_NOT_RETRACTED = frozenset(State) - {State.RETRACTED}


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a post: the states it may start from, what it sets, and a further condition."""

    sources: frozenset[State]
    sets: str
    only: str = "1"


MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "begin": Move(frozenset({State.PLANNED}), _TRY, _NO_LEASE),
        "begin absent": Move(frozenset({State.PLANNED, State.UNKNOWN}), _TRY, _NO_LEASE),
        # a late answer with an id counts too, but a second id means a second post
        "sent": Move(_NOT_RETRACTED, _SENT, f"(state <> 'sent' OR id = :id) AND {_NEW_ID}"),
        "adopt": Move(_NOT_RETRACTED, _SENT, _NEW_ID),
        "mark unknown": Move(
            frozenset({State.SENDING, State.UNKNOWN}),
            "state = 'unknown', doubted_at = coalesce(doubted_at, tried_at), reason = :reason",
        ),
        "mark maybe sent": Move(
            frozenset({State.PLANNED, State.UNKNOWN}),
            "state = 'unknown', doubted_at = coalesce(doubted_at, :at), reason = :reason,"
            f" {_UNSEEN}",
        ),
        # this try surely published nothing: a post that is found later is another sender's
        "duplicate": Move(
            frozenset({State.SENDING}),
            "state = 'unknown', doubted_at = coalesce(doubted_at, tried_at), reason = :reason,"
            " tries = tries - 1, refusals = refusals + 1",
        ),
        "record miss": Move(
            frozenset({State.UNKNOWN}), "misses = misses + 1, missed_after = :after"
        ),
        "mark not sent": Move(
            frozenset({State.UNKNOWN}), "state = 'planned', doubted_at = NULL, reason = ''"
        ),
        # a refusal says only that its own try published nothing; the outcome of an earlier try
        # stays unknown
        "unsent": Move(
            frozenset({State.SENDING}),
            "state = CASE WHEN doubted_at IS NULL THEN 'planned' ELSE 'unknown' END,"
            " tries = tries - 1, reason = :reason",
        ),
        "hold": Move(_NOT_RETRACTED, "state = 'held', reason = :reason"),
        "skip": Move(
            frozenset(State) - {State.SENT},
            "state = 'retracted', doubted_at = NULL, reason = :reason",
        ),
        "retracted": Move(
            frozenset(State) - {State.SENDING},
            "state = 'retracted', doubted_at = NULL, reason = ''",
        ),
        "settle sent": Move(frozenset({State.UNKNOWN, State.HELD}), f"{_SENT}, {_UNSEEN}", _NEW_ID),
        "settle unsent": Move(
            frozenset({State.UNKNOWN, State.HELD}),
            "state = 'planned', id = '', url = '', sent_at = NULL, doubted_at = NULL, place = NULL,"
            f" tries = 0, refusals = 0, reason = '', {_UNSEEN}",
        ),
    }
)
"""All changes of a post. Only `settle unsent` returns a post with an id to `planned`."""

_OVER = frozenset({"sent", "adopt", "settle sent", "skip", "retracted"})
"""The moves after which the picture of a post is not uploaded again, so its bytes are deleted."""


_STATEMENTS = {
    name: f"UPDATE posts SET {move.sets}, changed_at = :at"  # noqa: S608 - constants of this module
    f" WHERE thread = :number AND position = :position AND {move.only}"
    f" AND state IN ({', '.join(f'{state.value!r}' for state in sorted(move.sources))}) RETURNING *"
    for name, move in MOVES.items()
}


class Posts(Threads, Senders):
    """The part of the ledger about single posts, and the log of the requests for each thread.

    Each change of a post returns the changed post. All but `begin` raise WrongState where `MOVES`
    does not allow the change.
    """

    def begin(
        self, number: int, position: int, at: datetime, *, absent: bool = False
    ) -> StoredPost | None:
        """Record before a request that the post is `sending`, and return the post.

        Return None and change nothing unless the post is planned and this process holds the
        account's lock, whose file may have been deleted or replaced. With `absent` an unknown post
        that was not found may be begun too; it counts as unknown until it is found or
        `mark_not_sent` is called. The change is on the disk when this returns, so this may not be
        called within `together`.
        """
        with self._turn:
            if self._file.inside:
                raise RuntimeError("begin may not be called within together()")
            with self.together():
                for row in self._fetch("SELECT account FROM threads WHERE number = :n", n=number):
                    lock = self._locks.get(row["account"])
                    if lock and lock.held:
                        sql = _STATEMENTS["begin absent" if absent else "begin"]
                        rows = self._fetch(sql, number=number, position=position, at=at)
                        return read_post(rows[0]) if rows else None
        return None

    def sent(self, number: int, position: int, post_id: str, url: str, at: datetime) -> StoredPost:
        """Record that the network answered with an id; refused if the post has another id."""
        return self._move("sent", number, position, at, id=post_id, url=url)

    def mark_unknown(self, number: int, position: int, reason: str, at: datetime) -> StoredPost:
        """Record that it is not known whether the last try published the post."""
        return self._move("mark unknown", number, position, at, reason=reason)

    def mark_maybe_sent(self, number: int, position: int, reason: str, at: datetime) -> StoredPost:
        """Record that another sender may have published the post, or may be publishing it.

        Earlier reads that did not find the post no longer count.
        """
        return self._move("mark maybe sent", number, position, at, reason=reason)

    def duplicate(self, number: int, position: int, reason: str, at: datetime) -> StoredPost:
        """Record that the network refused this try because it has such a post already."""
        return self._move("duplicate", number, position, at, reason=reason)

    def record_miss(self, number: int, position: int, after: float, at: datetime) -> StoredPost:
        """Record that a read, `after` seconds after the last try, did not find an unknown post."""
        return self._move("record miss", number, position, at, after=after)

    def mark_not_sent(self, number: int, position: int, at: datetime) -> StoredPost:
        """Record that an unknown post is proven not to be published."""
        return self._move("mark not sent", number, position, at)

    def unsent(self, number: int, position: int, reason: str, at: datetime) -> StoredPost:
        """Record that this try did not publish the post; if an earlier try may have, it is unknown.

        A post without such an earlier try is planned again.
        """
        return self._move("unsent", number, position, at, reason=reason)

    def hold(self, number: int, position: int, reason: str, at: datetime) -> StoredPost:
        """Hold a post that a person must decide about, or that was refused for good."""
        return self._move("hold", number, position, at, reason=reason)

    def adopt(self, number: int, position: int, post_id: str, url: str, at: datetime) -> StoredPost:
        """Record that the post was found on the network, where it was created at `at`."""
        return self._move("adopt", number, position, at, id=post_id, url=url)

    def skip(self, number: int, position: int, reason: str, at: datetime) -> StoredPost:
        """Record that the post will not be published: the thread continues without it."""
        return self._move("skip", number, position, at, reason=reason)

    def retracted(self, number: int, position: int, at: datetime) -> StoredPost:
        """Record that the post was deleted from the network, or its whole thread is retracted."""
        return self._move("retracted", number, position, at)

    def settle(
        self, number: int, position: int, post_id: str | None, url: str, at: datetime
    ) -> StoredPost:
        """Record a person's decision: the post has this id, or for None is planned."""
        if post_id is not None:
            return self._move("settle sent", number, position, at, id=post_id, url=url)
        with self.together():
            # posts that are sent from now on are not in the last complete read of the thread
            self._fetch("UPDATE threads SET checked_at = NULL WHERE number = :n", n=number)
            return self._move("settle unsent", number, position, at)

    def attempt(self, number: int, attempt: Attempt) -> None:
        """Add a request to the log of a thread; entries of the log never change."""
        self._insert("attempts", thread=number, **columns(attempt))

    def attempts(self, number: int) -> tuple[Attempt, ...]:
        """Return the log of a thread, oldest entry first."""
        sql = "SELECT * FROM attempts WHERE thread = :number ORDER BY number"
        return tuple(read_row(Attempt, row) for row in self._fetch(sql, number=number))

    def _move(
        self, name: str, number: int, position: int, at: datetime, **values: Value
    ) -> StoredPost:
        with self.together():
            rows = self._fetch(_STATEMENTS[name], number=number, position=position, at=at, **values)
            if rows:
                post = read_post(rows[0])
                if post.media and name in _OVER:
                    sql = "DELETE FROM pictures WHERE thread = :number AND position = :position"
                    self._fetch(sql, number=number, position=position)
                return post
            thread = self.refresh(number)
        state = next((post.state for post in thread.posts if post.position == position), None)
        which = f"post {position + 1} of {thread.digest} on {thread.account}"
        if state is None:
            raise LedgerError(f"the ledger has no {which}")
        why = f'{which} is {state}, which does not allow "{name}"'
        if state in MOVES[name].sources:
            why = f"{which} has another id, or another post has that id"
        see = f"Another run may have changed it. See bot status {argument(thread.digest)}"
        raise WrongState(why, see)
