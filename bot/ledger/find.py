"""Finds threads in the ledger by the slug or the day of their digest."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING

from bot.errors import NoDigest, SettingsError
from bot.model import Network
from bot.terminal import visible_name

if TYPE_CHECKING:
    from bot.ledger.rows import StoredThread
    from bot.ledger.store import Ledger

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_MOST_THREADS = 5_000


def find_threads(ledger: Ledger, wanted: str) -> tuple[StoredThread, ...]:
    """Return the threads of the digest `wanted`, a slug or a day; newest first.

    Old ledgers hold slugs of any characters. Such a slug is also found by its printed form.
    """
    if not _DAY.match(wanted) and "\\" not in wanted:
        return ledger.threads(digest=wanted)
    return tuple(
        thread
        for thread in ledger.threads(most=_MOST_THREADS)
        if wanted in (thread.digest, visible_name(thread.digest), thread.day.isoformat())
    )


def find_thread(
    ledger: Ledger, wanted: str, networks: Collection[Network], names: Collection[str]
) -> StoredThread:
    """Return the latest thread of the digest `wanted` among these accounts, or among all.

    Raises NoDigest where no account has a thread, SettingsError where several accounts have one.
    """
    found = {
        thread.account: thread
        for thread in reversed(find_threads(ledger, wanted))
        if (not networks or thread.network in networks) and (not names or thread.account in names)
    }
    if not found:
        raise NoDigest(f"the ledger has no thread of {wanted}", "List the threads with bot status.")
    if len(found) > 1:
        accounts = ", ".join(sorted(found))
        message = f"several accounts have a thread of {wanted}: {accounts}"
        raise SettingsError(message, "Choose one with --account.")
    return next(iter(found.values()))
