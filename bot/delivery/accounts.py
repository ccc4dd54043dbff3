"""Opens a poster for each account, and publishes or retracts for all accounts at the same time.

An error of one account never stops another account: each has its own thread of Python, its own
lock, and its own result.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from bot.delivery.publish import (
    AccountPublisher,
    PublishOptions,
    keeper,
    known_profile,
    note_refusal,
)
from bot.delivery.reconcile import LOGIN
from bot.delivery.types import AccountResult, End, RunTools, cannot_read
from bot.errors import BotError, Busy
from bot.ledger.rows import StoredLimit
from bot.model import Account, Digest, Network, Thread
from bot.posters.poster import CannotRead, Poster
from bot.posters.session_store import SessionStore
from bot.redact import Redact
from bot.settings import Credentials, Settings

if TYPE_CHECKING:
    from bot.ledger.store import Ledger

_SWITCH_INTERVAL = 0.0005
"""Seconds that one account's thread computes while another is ready, a tenth of Python's default.

Otherwise an account whose server answers with much text would take half the time of all others.
"""
T = TypeVar("T")
R = TypeVar("R")


def open_poster(  # noqa: PLR0913, PLR0917 - an account, how to reach it, and what is known of it
    account: Account,
    credentials: Credentials,
    timeout: float,
    clock: Callable[[], datetime],
    account_id: str = "",
    keeper: SessionStore | None = None,
    server: str = "",
    redact: Redact | None = None,
) -> Poster:
    """Return the poster of an account; nothing is sent yet. Raises SettingsError.

    `redact` takes secrets out of the network's answers, and learns the secrets of sessions.
    """
    secrets = {role: secret.reveal() for role, secret in credentials.secrets.items()}
    if account.network is Network.TWITTER:
        from bot.posters.twitter import poster as twitter

        return twitter.open_poster(
            account,
            **secrets,
            base_url=credentials.base_url,
            timeout=timeout,
            clock=clock,
            redact=redact,
        )
    if account.network is Network.BLUESKY:
        from bot.posters.bluesky import poster as bluesky

        return bluesky.open_poster(
            account,
            handle=credentials.handle,
            **secrets,
            base_url=credentials.base_url,
            timeout=timeout,
            clock=clock,
            keeper=keeper,
            redact=redact,
        )
    from bot.posters.mastodon import poster as mastodon

    return mastodon.open_poster(
        account,
        credentials.base_url,
        secrets["access_token"],
        timeout,
        clock,
        account_id,
        server,
        redact,
    )


@dataclass(frozen=True, slots=True)
class Publisher:
    """Publishes and retracts for accounts, with one ledger and the same settings and tools."""

    settings: Settings
    ledger: Ledger
    around: RunTools

    def publish(
        self,
        digest: Digest,
        threads: Sequence[Thread],
        options: PublishOptions,
        reorder: Callable[[Account, Sequence[str | None]], Thread] | None = None,
    ) -> tuple[AccountResult, ...]:
        """Deliver all threads to their accounts at the same time; return results in their order.

        `reorder` makes an account's thread with its papers in another order.
        """

        def serve(thread: Thread) -> AccountResult:
            account = thread.account
            own = partial(reorder, account) if reorder else None
            return self.serve(
                account, lambda publisher: publisher.publish(digest, thread, options, own)
            )

        return side_by_side(serve, threads)

    def retract(
        self,
        digest: Digest | None,
        slug: str,
        accounts: Sequence[Account],
        threads: Sequence[Thread],
    ) -> tuple[AccountResult, ...]:
        """Delete a digest's thread from each account.

        `digest` and its `threads` serve to find the posts where the ledger does not know them.
        """
        by_account = {thread.account.name: thread for thread in threads}

        def serve(account: Account) -> AccountResult:
            thread = by_account.get(account.name)
            return self.serve(account, lambda publisher: publisher.retract(digest, slug, thread))

        return side_by_side(serve, accounts)

    def serve(
        self, account: Account, work: Callable[[AccountPublisher], AccountResult]
    ) -> AccountResult:
        """Do `work` under the account's lock; return its errors as the account's result.

        Nothing is done while the network allows no logins, which is stored.
        """
        settings, ledger, around = self.settings, self.ledger, self.around
        now = around.clock()
        try:
            for limit in ledger.limits(account.name, now):
                if limit.kind == LOGIN:
                    reason, until = limit.reason, limit.until
                    return AccountResult(account, End.LATER, None, reason, until, named=True)
            with ledger.sending(account.name, now):
                try:
                    known = known_profile(settings, ledger, account)
                    poster = open_poster(
                        account,
                        settings.credentials[account.name],
                        settings.http_timeout,
                        around.clock,
                        known.id if known else "",
                        keeper(settings, ledger, account),
                        known.server if known else "",
                        settings.redact,
                    )
                    with closing(poster):
                        publisher = AccountPublisher(settings, ledger, around, account, poster)
                        served = work(publisher)
                except CannotRead as error:
                    if error.login and error.until:
                        until, reason = error.until, error.message
                        ledger.limit(StoredLimit(account.name, LOGIN, until, reason))
                    served = cannot_read(account, error)
                note_refusal(settings, ledger, served, around.clock())
                return served
        except Busy as error:
            reason = f"{error.sender} is already posting to this account"
            return AccountResult(account, End.LATER, reason=reason)
        except BotError as error:
            return AccountResult(account, End.FAILED, reason=str(error))


def side_by_side(serve: Callable[[T], R], each: Sequence[T]) -> tuple[R, ...]:
    """Call `serve` for each item in a thread of its own; return the results in the same order."""
    if not each:
        return ()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    # signals are left to the main thread: a signal to another thread does not wake it
    block = partial(signal.pthread_sigmask, signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    with ThreadPoolExecutor(max_workers=len(each), initializer=block) as pool:
        return tuple(pool.map(serve, each))
