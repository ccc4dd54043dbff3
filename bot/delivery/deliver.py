"""Delivers a thread: asks `decide` for the next step and does it, until the run ends.

Every request is recorded in the ledger before it is sent and again when it is answered, so that the
next run can continue wherever this one ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from bot.delivery.decide import (
    CheckThread,
    FindPost,
    Finished,
    Hold,
    ReadTimeline,
    Send,
    Stopped,
    Wait,
    decide,
)
from bot.delivery.journal import Journal
from bot.delivery.reconcile import Reconciler
from bot.delivery.send import Sender
from bot.delivery.types import AccountTerms, End, Result, RunEnded, RunTools
from bot.delivery.uploads import Uploads
from bot.ledger.rows import StoredThread
from bot.posters.poster import Poster

if TYPE_CHECKING:
    from bot.ledger.store import Ledger


def deliver(
    ledger: Ledger, poster: Poster, thread: StoredThread, terms: AccountTerms, around: RunTools
) -> Result:
    """Deliver as much of `thread` as is possible now; the caller holds the account's lock.

    Raises LedgerError, and Replan. A network or a server causes no other exception.
    """
    return _Run(ledger, poster, thread, terms, around).run()


class _Run:
    def __init__(
        self,
        ledger: Ledger,
        poster: Poster,
        thread: StoredThread,
        terms: AccountTerms,
        around: RunTools,
    ) -> None:
        self._journal = Journal(ledger, terms, around, thread)
        self._reconciler = Reconciler(self._journal, poster)
        self._sender = Sender(self._journal, poster, Uploads(self._journal, poster))
        self._looked = terms.unsent
        self._new = self._journal.is_new and not terms.unsent

    def run(self) -> Result:
        """Do step after step until a step raises RunEnded."""
        self._journal.resume()
        try:
            while True:
                self._step()
        except RunEnded as ended:
            return Result(
                ended.end,
                self._journal.thread,
                ended.reason,
                ended.until,
                stops=ended.stops,
                named=ended.named,
            )

    def _step(self) -> None:  # noqa: C901, PLR0912 - an arm for each action
        journal = self._journal
        if journal.around.stopping():
            raise RunEnded(End.LATER, "stopped before the thread was finished")
        action = decide(
            journal.thread,
            journal.policy,
            looked=self._looked,
            gone=journal.gone,
            idle=journal.idle,
            backoff=journal.backoff,
            new=self._new and not journal.begun,
        )
        match action:
            case ReadTimeline():
                journal.rest()  # the shorter the time from the read to the post, the less it misses
                if not journal.around.stopping():
                    self._looked = self._reconciler.look()
            case Send():
                if journal.failures > 1 and not self._reconciler.confirm():
                    self._looked = False
                    return
                if self._sender.send(action.position, absent=action.absent):
                    # two senders that began at the same moment find each other before a second post
                    terms = journal.terms
                    self._looked = action.position > 0 or terms.unsent or terms.policy.keyed
            case FindPost():
                self._reconciler.read(journal.thread.posts[action.position])
            case Wait():
                journal.wait(action.seconds, action.reason)
            case Hold():
                journal.hold(action.position, action.reason)
            case CheckThread():
                self._reconciler.check()
            case Finished():
                raise RunEnded(End.DONE)
            case Stopped():
                held = f"post {action.position + 1} is held, because {action.reason}"
                raise RunEnded(End.HELD, held)
            case _:
                assert_never(action)
