"""Serving our accounts: opens ledger and posters, and delivers to every account side by side.

One account's trouble never stops another's: each is served in a thread of its own, under a lock of
its own, and whatever happens to it ends in its own result.
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
    AccountResult,
    PublishOptions,
    keeper,
    known_profile,
    note_refusal,
)
from bot.delivery.reconcile import LOGIN
from bot.delivery.types import End, RunTools, end_of
from bot.errors import BotError, Busy
from bot.ledger.rows import StoredLimit
from bot.model import Account, Digest, Network, Thread
from bot.posters.poster import CannotRead, Poster
from bot.posters.session_store import SessionStore
from bot.redact import Redact
from bot.settings import Credentials, Settings

if TYPE_CHECKING:
    from bot.ledger.store import Ledger

_TURN = 0.0005
"""Seconds that one account's thread computes while another is ready, a tenth of Python's own.

A server that answers with much text would otherwise cost every other account half of its time.
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
    """The poster of an account; nothing is sent yet. Raises SettingsError for none we have.

    `redact` takes secrets out of all that the network answers; it is told those of sessions.
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
    """All accounts, one ledger, and what they are served with."""

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
        """Deliver each thread to its account, all of them side by side; in the order given.

        `reorder` words an account's thread with its papers in another order.
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
        """Take a thread back from each account.

        `digest` and its `threads` are what it is found by where the ledger does not know it.
        """
        worded = {thread.account.name: thread for thread in threads}

        def serve(account: Account) -> AccountResult:
            thread = worded.get(account.name)
            return self.serve(account, lambda publisher: publisher.retract(digest, slug, thread))

        return side_by_side(serve, accounts)

    def serve(
        self, account: Account, work: Callable[[AccountPublisher], AccountResult]
    ) -> AccountResult:
        """Do `work` under the account's lock; its errors become its own result."""
        settings, ledger, now = self.settings, self.ledger, self.around.clock()
        try:
            for limit in ledger.limits(account.name, now):
                if limit.kind == LOGIN:
                    return AccountResult(
                        account, End.LATER, reason=limit.reason, until=limit.until, named=True
                    )
            with ledger.sending(account.name, now):
                served = self._read(account, work)
                note_refusal(settings, ledger, served, self.around.clock())
                return served
        except Busy as error:
            return AccountResult(
                account, End.LATER, reason=f"{error.sender} sends for it at this moment"
            )
        except BotError as error:
            return AccountResult(account, End.FAILED, reason=str(error))

    def _read(
        self, account: Account, work: Callable[[AccountPublisher], AccountResult]
    ) -> AccountResult:
        """Do `work`; what cannot be read becomes its own result. A limit of logins is kept."""
        try:
            return self._at_desk(account, work)
        except CannotRead as error:
            if error.login and error.until:
                self.ledger.limit(StoredLimit(account.name, LOGIN, error.until, error.message))
            return AccountResult(
                account,
                end_of(error),
                reason=str(error),
                until=error.until,
                stops=error.stops,
                named=error.until is not None and error.named,
            )

    def _at_desk(
        self, account: Account, work: Callable[[AccountPublisher], AccountResult]
    ) -> AccountResult:
        settings, ledger, around = self.settings, self.ledger, self.around
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
            return work(AccountPublisher(settings, ledger, around, account, poster))


def side_by_side(serve: Callable[[T], R], each: Sequence[T]) -> tuple[R, ...]:
    """Call `serve` for each at once, in a thread of its own; the results in the order given."""
    if not each:
        return ()
    sys.setswitchinterval(_TURN)
    with ThreadPoolExecutor(max_workers=len(each), initializer=_deaf) as pool:
        return tuple(pool.map(serve, each))


def _deaf() -> None:
    """Leave signals to the main thread: one that another gets does not wake it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
