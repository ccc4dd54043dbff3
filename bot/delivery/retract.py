"""Taking a thread back: last post first, so that no reply ever loses what it replies to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.delivery.book import Book
from bot.delivery.decide import Read, Send, Wait, decide
from bot.delivery.lookout import Lookout
from bot.delivery.terms import End, Ended, Result, Surroundings, Terms
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import State
from bot.posters.poster import CannotRead, Poster, Sort

if TYPE_CHECKING:
    from bot.ledger.store import Ledger


def retract(
    ledger: Ledger, poster: Poster, thread: StoredThread, terms: Terms, around: Surroundings
) -> Result:
    """Delete what is out of `thread`; the caller holds the account's lock.

    The network is asked first what is there. Only posts that we sent or that were recognised are
    deleted. What cannot be deleted now is left, with all before it, for the next run.
    """
    book = Book(ledger, terms, around, thread)
    try:
        _take_back(book, poster)
    except Ended as ended:
        return Result(ended.end, book.thread, ended.reason, ended.until)
    return Result(End.DONE, book.thread)


def _take_back(book: Book, poster: Poster) -> None:
    book.resume()
    lookout = Lookout(book, poster)
    if book.waiting and book.terms.policy.reads:
        lookout.find()
    _settle(book, lookout)
    for post in reversed(book.thread.posts):
        if book.around.stopping():
            raise Ended(End.LATER, "stopped before all of it was deleted")
        if post.state is State.RETRACTED:
            continue
        if post.id:
            _delete(book, poster, post)
        book.retracted(post.position)


def _settle(book: Book, lookout: Lookout) -> None:
    """Find out whether a post in doubt is there: what is taken back must not appear afterwards."""
    while (post := book.waiting) and post.state is State.UNKNOWN:
        action = decide(book.thread, book.now, book.terms.policy, looked=True, gone=book.gone)
        match action:
            case Read():
                lookout.read(post)
            case Wait():
                book.wait(action.seconds, action.reason)
            case Send():
                book.absent(post.position)
            case _:
                reason = f"post {post.position} may be out: settle it first, with bot settle"
                raise Ended(End.HELD, reason)


def _delete(book: Book, poster: Poster, post: StoredPost) -> None:
    """Delete one post; an unknown outcome is settled by asking whether it is still there."""
    outcome = poster.delete(post.id)
    book.attempt("delete", post.position, outcome.sort.value, outcome.reason)
    book.spend("delete", outcome.cost)
    match outcome.sort:
        case Sort.SENT:
            return
        case Sort.LATER:
            raise Ended(End.LATER, outcome.reason, outcome.until)
        case Sort.REFUSED:
            raise Ended(End.FAILED, f"post {post.position} is not deleted: {outcome.reason}")
        case Sort.UNKNOWN:
            try:
                there = poster.read(post.id)
            except CannotRead as error:
                raise Ended(End.LATER, error.message, error.until) from error
            if there:
                raise Ended(End.LATER, f"post {post.position} is still there: {outcome.reason}")
