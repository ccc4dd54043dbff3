"""Deletes a thread, last post first, so that no reply loses the post that it replies to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bot.delivery.decide import FindPost, Send, Wait, decide
from bot.delivery.journal import Journal
from bot.delivery.reconcile import Reconciler
from bot.delivery.types import AccountResult, AccountTerms, End, RunEnded, RunTools
from bot.ledger.rows import StoredThread
from bot.model import State
from bot.posters.poster import CannotRead, OutcomeKind, Poster

if TYPE_CHECKING:
    from bot.ledger.store import Ledger

_MOST_ROUNDS = 10  # of reading and deleting, while another sender still publishes


def retract(
    ledger: Ledger, poster: Poster, thread: StoredThread, terms: AccountTerms, around: RunTools
) -> AccountResult:
    """Delete the published posts of `thread`; the caller holds the account's lock.

    The account is read before and after the deletions. Only posts that this ledger sent, or that
    are recognised by key or complete text, are deleted, doubles included. A post that cannot be
    deleted now is left for the next run, with all posts before it.
    """
    journal = Journal(ledger, terms, around, thread)
    deleted, reconciler = set[str](), Reconciler(journal, poster)
    try:
        _delete_posts(journal, poster, reconciler, deleted)
    except RunEnded as ended:
        return replace(ended.result, thread=journal.thread, stops=False)
    # a network also confirms a deletion where there was nothing to delete
    count = len(deleted & reconciler.shown if journal.policy.reads else deleted)
    many = "1 post is" if count == 1 else f"{count} posts are" if count else "no post had to be"
    return AccountResult(terms.account, End.DONE, journal.thread, f"{many} deleted")


def _delete_posts(
    journal: Journal, poster: Poster, reconciler: Reconciler, deleted: set[str]
) -> None:
    journal.resume()
    left = ""
    for _ in range(_MOST_ROUNDS):
        found, left = reconciler.take_stock() if journal.policy.reads else ((), "")
        _settle(journal, reconciler)
        doubles = [(position, one) for position, one in found if one.id not in deleted]
        there = [
            post
            for post in sorted(
                journal.thread.posts, key=lambda post: post.chain_place, reverse=True
            )
            if post.state is not State.RETRACTED
        ]
        if deleted and not doubles and not any(post.id for post in there):
            break
        for position, one in doubles:
            _delete(journal, poster, one.id, f"the copy of post {position + 1}", position)
            journal.emit("retracted", position, one.url, one.id)
            deleted.add(one.id)
        for post in there:
            if post.id:
                _delete(journal, poster, post.id, f"post {post.number}", post.position)
                deleted.add(post.id)
            journal.retracted(post.position)
        if not deleted:
            break
    if left:
        raise journal.ended(
            End.HELD, f"{left}. bot did not delete it; delete it by hand if bot sent it"
        )


def _settle(journal: Journal, reconciler: Reconciler) -> None:
    """Settle an unknown post first, so that it does not appear after the thread is deleted."""
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
                reason = f"post {post.number} may be published. Settle it first with bot settle"
                raise journal.ended(End.HELD, reason)


def _delete(
    journal: Journal, poster: Poster, post_id: str, what: str, position: int | None = None
) -> None:
    """Delete one post; after an unknown outcome, read whether the post still exists."""
    if journal.around.stopping():
        raise journal.ended(End.LATER, "stopped before all posts were deleted")
    outcome = poster.delete(post_id)
    journal.attempt("delete", position, outcome.sort.value, outcome.reason)
    journal.spend("delete", outcome.cost)
    match outcome.sort:
        case OutcomeKind.SENT:
            return
        case OutcomeKind.LATER:
            raise journal.ended(End.LATER, outcome.reason, outcome.until)
        case OutcomeKind.REFUSED:
            raise journal.ended(End.FAILED, f"{what} is not deleted, because {outcome.reason}")
        case OutcomeKind.UNKNOWN:
            try:
                there = poster.read(post_id)
            except CannotRead as error:
                raise journal.ended(End.LATER, error.message, error.until) from error
            if there:
                raise journal.ended(End.LATER, f"{what} is still there; {outcome.reason}")
