"""Taking a thread back: last post first, so that no reply ever loses what it replies to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.delivery.decide import FindPost, Send, Wait, decide
from bot.delivery.journal import Journal
from bot.delivery.match import place_of
from bot.delivery.reconcile import Reconciler
from bot.delivery.types import AccountTerms, End, Result, RunEnded, RunTools
from bot.ledger.rows import StoredThread
from bot.model import State
from bot.posters.poster import CannotRead, OutcomeKind, Poster

if TYPE_CHECKING:
    from bot.ledger.store import Ledger

_MOST_ROUNDS = 10  # of reading and deleting, while another sender goes on


def retract(
    ledger: Ledger, poster: Poster, thread: StoredThread, terms: AccountTerms, around: RunTools
) -> Result:
    """Delete what is out of `thread`; the caller holds the account's lock.

    The network is asked first what is there, and once more at the end. Only posts that we sent or
    that are recognised by key or whole text are deleted, doubles too. What cannot be deleted now is
    left, with all before it, for the next run.
    """
    journal = Journal(ledger, terms, around, thread)
    deleted, reconciler = set[str](), Reconciler(journal, poster)
    try:
        _take_back(journal, poster, reconciler, deleted)
    except RunEnded as ended:
        return Result(ended.end, journal.thread, ended.reason, ended.until, named=ended.named)
    # a network says yes also where there was nothing to delete
    count = len(deleted & reconciler.shown if journal.policy.reads else deleted)
    many = "1 post is" if count == 1 else f"{count} posts are"
    return Result(End.DONE, journal.thread, f"{many} deleted" if count else "nothing of it is out")


def _take_back(journal: Journal, poster: Poster, reconciler: Reconciler, deleted: set[str]) -> None:
    journal.resume()
    left = ""
    for _ in range(_MOST_ROUNDS):
        found, left = reconciler.take_stock() if journal.policy.reads else ((), "")
        _settle(journal, reconciler)
        doubles = [(position, one) for position, one in found if one.id not in deleted]
        there = [
            post
            for post in sorted(journal.thread.posts, key=place_of, reverse=True)
            if post.state is not State.RETRACTED
        ]
        if deleted and not doubles and not any(post.id for post in there):
            break
        for position, one in doubles:
            _delete(journal, poster, one.id, f"a second post {position + 1}", position)
            journal.tell("retracted", position, one.url, one.id)
            deleted.add(one.id)
        for post in there:
            if post.id:
                _delete(journal, poster, post.id, f"post {post.number}", post.position)
                deleted.add(post.id)
            journal.retracted(post.position)
        if not deleted:
            break
    if left:
        raise RunEnded(End.HELD, f"{left}; it is left: delete it by hand if it is ours")


def _settle(journal: Journal, reconciler: Reconciler) -> None:
    """Find out whether a post in doubt is there: what is taken back must not appear afterwards."""
    while (post := journal.waiting) and post.state is State.UNKNOWN:
        match decide(journal.thread, journal.policy, looked=True, gone=journal.gone):
            case FindPost():
                reconciler.take_stock()
                if journal.waiting == post:
                    journal.record_miss(post.position)
            case Wait() as wait:
                journal.wait(wait.seconds, wait.reason)
            case Send():
                journal.mark_not_sent(post.position)
            case _:
                reason = f"post {post.number} may be out: settle it first, with bot settle"
                raise RunEnded(End.HELD, reason)


def _delete(
    journal: Journal, poster: Poster, post_id: str, what: str, position: int | None = None
) -> None:
    """Delete one post; an unknown outcome is settled by asking whether it is still there."""
    if journal.around.stopping():
        raise RunEnded(End.LATER, "stopped before all of it was deleted")
    outcome = poster.delete(post_id)
    journal.attempt("delete", position, outcome.sort.value, outcome.reason)
    journal.spend("delete", outcome.cost)
    match outcome.sort:
        case OutcomeKind.SENT:
            return
        case OutcomeKind.LATER:
            raise RunEnded(End.LATER, outcome.reason, outcome.until)
        case OutcomeKind.REFUSED:
            raise RunEnded(End.FAILED, f"{what} is not deleted: {outcome.reason}")
        case OutcomeKind.UNKNOWN:
            try:
                there = poster.read(post_id)
            except CannotRead as error:
                raise RunEnded(End.LATER, error.message, error.until) from error
            if there:
                raise RunEnded(End.LATER, f"{what} is still there: {outcome.reason}")
