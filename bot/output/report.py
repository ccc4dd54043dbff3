"""Collect what settings and ledger know about accounts and threads, for `bot status`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from bot.delivery.budget import month_of
from bot.delivery.publish import refused
from bot.ledger.find import find_threads
from bot.ledger.rows import time_of
from bot.model import Account, Network, State
from bot.output.status import AccountStatus, ThreadStatus, WorkerStatus
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.ledger.store import Ledger

_MOST = 10

LAST_PASS = "last pass"  # noqa: S105 - no password
LAST_GOOD_PASS = "last good pass"  # noqa: S105 - (the same)
NEXT_RUN = "next run"
"""Names of the worker's facts in the ledger. They belong to no account."""


def worker(ledger: Ledger | None) -> WorkerStatus | None:
    """Return the times of the worker's passes, or None if no worker has used this ledger."""
    if ledger is None:
        return None
    facts = (ledger.get_fact("", name) for name in (LAST_PASS, LAST_GOOD_PASS, NEXT_RUN))
    last, good, following = (time_of(fact) if fact else None for fact in facts)
    return WorkerStatus(last, good, following) if last or following else None


def report(  # noqa: PLR0913, PLR0917 - the sources, and three filters
    settings: Settings,
    ledger: Ledger | None,
    now: datetime,
    wanted: str | None,
    networks: Collection[Network],
    names: Collection[str],
) -> tuple[tuple[AccountStatus, ...], tuple[ThreadStatus, ...]]:
    """Return the accounts, and the threads of the digest `wanted` or the newest threads.

    The newest threads include every thread that is not finished.
    """

    def chosen(name: str, network: Network) -> bool:
        return (not networks or network in networks) and (not names or name in names)

    ready = (*settings.accounts, *settings.drafts)
    named = {account.name for account in ready}
    begun = [each for each in settings.defaults if each.name in settings.incomplete.keys() - named]
    accounts = (*ready, *begun)
    statuses = tuple(
        _account(settings, ledger, account, now)
        for account in accounts
        if chosen(account.name, account.network)
    )
    if ledger is None:
        return statuses, ()
    if wanted is None:
        unfinished = ledger.threads(unfinished=True)
        latest = ledger.threads(most=_MOST)
        found = sorted({*unfinished, *latest}, key=lambda thread: -thread.number)
    else:
        found = list(find_threads(ledger, wanted))
    threads = tuple(
        ThreadStatus(thread, ledger.changed(thread))
        for thread in found
        if chosen(thread.account, thread.network)
    )
    return statuses, threads


def _account(
    settings: Settings, ledger: Ledger | None, account: Account, now: datetime
) -> AccountStatus:
    missing = settings.incomplete.get(account.name, ())
    reason = f"{', '.join(missing)} not set" if missing else ""
    if ledger is None:
        return AccountStatus(account, not reason, reason, Decimal(0))
    limits = ledger.limits(account.name, now)
    held = [
        thread.digest
        for thread in ledger.threads(account.name, unfinished=True)
        if any(post.state is State.HELD for post in thread.posts)
    ]
    if held and not reason:
        reason = f"held: {', '.join(held)}"
    refusal = None if missing else refused(settings, ledger, account)
    if refusal:
        reason = f"refused at {refusal.at:%Y-%m-%d %H:%M} UTC: {refusal.reason}"
    return AccountStatus(
        account=account,
        ready=not missing and refusal is None,
        reason=reason,
        spent=ledger.spent(account.name, month_of(now)),
        limits=limits,
        sender=ledger.sender(account.name, now),
    )
