"""What becomes of a post: each change is one conditional update, and its row count is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from bot.ledger.columns import stamp, words
from bot.ledger.errors import LedgerError, WrongState
from bot.ledger.reader import Value
from bot.ledger.rows import StoredThread
from bot.ledger.senders import Senders
from bot.ledger.threads import Threads
from bot.model import State
from bot.terminal import argument

_NO_LEASE = (  # of a process of an earlier release, which knows of no lock
    "NOT EXISTS (SELECT 1 FROM leases WHERE leases.account = posts.account"
    " AND leases.expires_at > :at)"
)
_NOBODYS = (
    "NOT EXISTS (SELECT 1 FROM posts AS other WHERE other.account = posts.account"
    " AND other.id = :id AND other.id <> '' AND other.rowid <> posts.rowid)"
)
_UNSEEN = "misses = 0, missed_after = 0.0"
_TRY = f"state = 'sending', tries = tries + 1, tried_at = :at, {_UNSEEN}, reason = ''"
_OUT = (
    "state = 'sent', id = :id, url = :url, sent_at = :at, doubted_at = NULL, reason = '',"
    " place = coalesce(place, (SELECT coalesce(max(coalesce(other.place, other.position)), -1) + 1"
    " FROM posts AS other WHERE other.thread = posts.thread AND other.state = 'sent'))"
)
_STANDING = frozenset(State) - {State.RETRACTED}


@dataclass(frozen=True, slots=True)
class Move:
    """A change of a post: the states it may start from, what it sets, and what else must hold."""

    sources: frozenset[State]
    sets: str
    only: str = "1"


MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "begin": Move(frozenset({State.PLANNED}), _TRY, _NO_LEASE),
        "begin absent": Move(frozenset({State.PLANNED, State.UNKNOWN}), _TRY, _NO_LEASE),
        # an answer with an id is true however late it comes, but a second id is a second post
        "sent": Move(_STANDING, _OUT, f"(state <> 'sent' OR id = :id) AND {_NOBODYS}"),
        "adopt": Move(_STANDING, _OUT, _NOBODYS),
        "doubt": Move(
            frozenset({State.SENDING, State.UNKNOWN}),
            "state = 'unknown', doubted_at = coalesce(doubted_at, tried_at), reason = :reason",
        ),
        "suspect": Move(
            frozenset({State.PLANNED, State.UNKNOWN}),
            "state = 'unknown', doubted_at = coalesce(doubted_at, :at), reason = :reason,"
            f" {_UNSEEN}",
        ),
        # this try surely published nothing: whoever finds the post knows that another sender did
        "duplicate": Move(
            frozenset({State.SENDING}),
            "state = 'unknown', doubted_at = coalesce(doubted_at, tried_at), reason = :reason,"
            " tries = tries - 1, refusals = refusals + 1",
        ),
        "missed": Move(frozenset({State.UNKNOWN}), "misses = misses + 1, missed_after = :after"),
        "absent": Move(
            frozenset({State.UNKNOWN}), "state = 'planned', doubted_at = NULL, reason = ''"
        ),
        # a refusal speaks only of its own try, which is none that may have published it; an older
        # one stays in doubt
        "unsent": Move(
            frozenset({State.SENDING}),
            "state = CASE WHEN doubted_at IS NULL THEN 'planned' ELSE 'unknown' END,"
            " tries = tries - 1, reason = :reason",
        ),
        "hold": Move(_STANDING, "state = 'held', reason = :reason"),
        "pass over": Move(
            frozenset(State) - {State.SENT},
            "state = 'retracted', doubted_at = NULL, reason = :reason",
        ),
        "retracted": Move(
            frozenset(State) - {State.SENDING},
            "state = 'retracted', doubted_at = NULL, reason = ''",
        ),
        "settle sent": Move(frozenset({State.UNKNOWN, State.HELD}), f"{_OUT}, {_UNSEEN}", _NOBODYS),
        "settle unsent": Move(
            frozenset({State.UNKNOWN, State.HELD}),
            "state = 'planned', id = '', url = '', sent_at = NULL, doubted_at = NULL, place = NULL,"
            f" tries = 0, refusals = 0, reason = '', {_UNSEEN}",
        ),
    }
)
"""Everything that can happen to a post. Only `settle unsent` leads from out back to planned."""

_OVER = frozenset({"sent", "adopt", "settle sent", "pass over", "retracted"})
"""The moves after which nothing of a post is uploaded any more: the bytes of its picture go."""


def _statement(move: Move) -> str:
    states = ", ".join(f"'{state}'" for state in sorted(move.sources))
    return (
        f"UPDATE posts SET {move.sets}, changed_at = :at"  # noqa: S608 - constants of this module
        f" WHERE thread = :number AND position = :position AND state IN ({states}) AND {move.only}"
    )


_STATEMENTS = {name: _statement(move) for name, move in MOVES.items()}


class Posts(Threads, Senders):
    """The part of the ledger about single posts.

    But for `begin`, each returns the thread as it is then, and raises WrongState where `MOVES` does
    not let the post go that way.
    """

    def begin(self, number: int, position: int, at: datetime, *, absent: bool = False) -> bool:
        """Before a request: the post is `sending`.

        False, and nothing changed, unless the post is planned and the account's lock is held here:
        its file may have been removed or replaced since. With `absent` an unknown post that was not
        found may be begun too; it stays in doubt until it is found or `absent` says otherwise. When
        this returns, it is on the disk; so it may not be called within `together`.
        """
        with self._turn:
            if self._file.inside:
                raise RuntimeError("begin must be on the disk before the request leaves")
            with self._writing():
                move = "begin absent" if absent else "begin"
                rows = self._fetch("SELECT account FROM threads WHERE number = :n", n=number)
                held = any(self._holds(row["account"]) for row in rows)
                return held and self._moved(move, number, position, at) == 1

    def sent(
        self,
        number: int,
        position: int,
        id: str,  # noqa: A002 - the contract's name for what a network calls it
        url: str,
        at: datetime,
    ) -> StoredThread:
        """The network answered with an id. Refused where the post is out under another one."""
        return self._move("sent", number, position, at, id=id, url=words(url))

    def mark_unknown(self, number: int, position: int, reason: str, at: datetime) -> StoredThread:
        """Whether its try published it is not known."""
        return self._move("doubt", number, position, at, reason=words(reason))

    def mark_maybe_sent(
        self, number: int, position: int, reason: str, at: datetime
    ) -> StoredThread:
        """A post may be out, or on its way, though no try of this ledger published it.

        The reads that did not find it so far count no more.
        """
        return self._move("suspect", number, position, at, reason=words(reason))

    def duplicate(self, number: int, position: int, reason: str, at: datetime) -> StoredThread:
        """The network refused this try because it has such a post already."""
        return self._move("duplicate", number, position, at, reason=words(reason))

    def record_miss(self, number: int, position: int, after: float, at: datetime) -> StoredThread:
        """A read did not find an unknown post, `after` so many seconds since its last try."""
        return self._move("missed", number, position, at, after=after)

    def absent(self, number: int, position: int, at: datetime) -> StoredThread:
        """An unknown post is proven not to be there."""
        return self._move("absent", number, position, at)

    def unsent(self, number: int, position: int, reason: str, at: datetime) -> StoredThread:
        """This try surely did not publish it; if an earlier one may have, it stays unknown."""
        return self._move("unsent", number, position, at, reason=words(reason))

    def hold(self, number: int, position: int, reason: str, at: datetime) -> StoredThread:
        """A person must decide, or it was refused for good."""
        return self._move("hold", number, position, at, reason=words(reason))

    def adopt(
        self,
        number: int,
        position: int,
        id: str,  # noqa: A002 - the contract's name for what a network calls it
        url: str,
        at: datetime,
    ) -> StoredThread:
        """It was found on the network, where it was created at `at`."""
        return self._move("adopt", number, position, at, id=id, url=words(url))

    def skip(self, number: int, position: int, reason: str, at: datetime) -> StoredThread:
        """It is not out and will not be: the thread goes on without it."""
        return self._move("pass over", number, position, at, reason=words(reason))

    def retracted(self, number: int, position: int, at: datetime) -> StoredThread:
        """It was deleted from the network, or the whole thread is taken back."""
        return self._move("retracted", number, position, at)

    def settle(
        self,
        number: int,
        position: int,
        id: str | None,  # noqa: A002 - the contract's name for what a network calls it
        url: str,
        at: datetime,
    ) -> StoredThread:
        """A person decides: it is out under this id, or with None it is not, and is planned."""
        if id is not None:
            return self._move("settle sent", number, position, at, id=id, url=words(url))
        with self.together():
            # what is sent from now on was not read when the thread was last read whole
            self._change("UPDATE threads SET checked_at = NULL WHERE number = :n", n=number)
            return self._move("settle unsent", number, position, at)

    def _move(
        self, name: str, number: int, position: int, at: datetime, **values: Value
    ) -> StoredThread:
        with self._writing():
            if self._moved(name, number, position, at, **values) != 1:
                raise self._refusal(name, number, position)
            if name in _OVER:
                self._change(
                    "DELETE FROM pictures WHERE thread = :number AND position = :position",
                    number=number,
                    position=position,
                )
            return self.refresh(number)

    def _moved(self, name: str, number: int, position: int, at: datetime, **values: Value) -> int:
        sql = _STATEMENTS[name]
        return self._change(sql, number=number, position=position, at=stamp(at), **values)

    def _refusal(self, name: str, number: int, position: int) -> LedgerError:
        thread = self.refresh(number)
        posts = {post.position: post for post in thread.posts}
        which = f"post {position + 1} of {thread.digest} on {thread.account}"
        see = f"Another run may have changed it: bot status {argument(thread.digest)}"
        if position not in posts:
            return LedgerError(f"there is no {which}")
        if posts[position].state in MOVES[name].sources:
            return WrongState(f"{which} has another id, or that id is another post's", see)
        return WrongState(f"{which} is {posts[position].state}, not to be changed by: {name}", see)
