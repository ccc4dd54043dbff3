"""Delivers a thread: asks `decide` for the next step and does it, until the run ends.

Every request is recorded in the ledger before it is sent and again when it is answered, so that the
next run can continue wherever this one ends.
"""

from __future__ import annotations

from dataclasses import replace
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
from bot.delivery.types import AccountResult, AccountTerms, End, RunEnded, RunTools
from bot.ledger.rows import StoredThread
from bot.posters.poster import Poster

if TYPE_CHECKING:
    from bot.ledger.store import Ledger


def deliver(  # noqa: C901, PLR0912 - an arm for each action
    ledger: Ledger, poster: Poster, thread: StoredThread, terms: AccountTerms, around: RunTools
) -> AccountResult:
    """Deliver as much of `thread` as is possible now; the caller holds the account's lock.

    Raises LedgerError, and Replan. A network or a server causes no other exception.
    """
    journal = Journal(ledger, terms, around, thread)
    reconciler, sender = Reconciler(journal, poster), Sender(journal, poster)
    looked, new = terms.unsent, journal.is_new and not terms.unsent
    journal.resume()
    try:
        while not around.stopping():
            action = decide(
                journal.thread,
                journal.policy,
                looked=looked,
                gone=journal.gone,
                idle=journal.idle,
                backoff=journal.backoff,
                new=new and not journal.begun,
            )
            match action:
                case ReadTimeline():
                    journal.rest()  # the sooner the post follows the read, the less is missed
                    if not around.stopping():
                        looked = reconciler.look()
                case Send():
                    if journal.failures > 1 and not reconciler.confirm():
                        looked = False
                    elif sender.send(action.position, absent=action.absent):
                        # two senders that began at once find each other before a second post
                        looked = action.position > 0 or terms.unsent or terms.policy.keyed
                case FindPost():
                    reconciler.read(journal.thread.posts[action.position])
                case Wait():
                    journal.wait(action.seconds, action.reason)
                case Hold():
                    journal.hold(action.position, action.reason)
                case CheckThread():
                    reconciler.check()
                case Finished():
                    return AccountResult(terms.account, End.DONE, journal.thread)
                case Stopped():
                    held = f"post {action.position + 1} is held, because {action.reason}"
                    return AccountResult(terms.account, End.HELD, journal.thread, held)
                case _:
                    assert_never(action)
    except RunEnded as ended:
        return replace(ended.result, thread=journal.thread)
    stopped = "stopped before the thread was finished"
    return AccountResult(terms.account, End.LATER, journal.thread, stopped)
