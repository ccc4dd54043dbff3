"""What the tests of the ledger share: times, a thread to plan, an open ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.ledger.rows import PlannedPost, PlannedThread, StoredPost, StoredThread
from bot.ledger.store import Ledger
from bot.model import Media, Network

T0 = datetime(2021, 6, 23, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FAR = T0 + timedelta(days=1)

real_proc = pytest.mark.skipif(
    not Path("/proc/self/ns/pid").exists(), reason="this system has no /proc to ask"
)


def planned_thread(
    posts: int = 3,
    *,
    account: str = "twitter",
    digest: str = "hot-papers-2021-06-22",
    generation: int = 0,
    text: str = "words",
) -> PlannedThread:
    parts = ["opening", *(f"2106.{number:05}" for number in range(1, posts - 1)), "closing"]
    return PlannedThread(
        account=account,
        network=Network(account),
        digest=digest,
        day=date(2021, 6, 22),
        generation=generation,
        title="Hot Papers 2021-06-22",
        published=T0 - MINUTE,
        fingerprint="as it was",
        language="en",
        visibility="public",
        posts=tuple(
            PlannedPost(
                position,
                part,
                f"{account}-{digest}-{generation}-{part}",
                f"{position}. {text}",
                part,
                (Media("A picture", "image/png"),) if not position else (),
            )
            for position, part in enumerate(parts[:posts])
        ),
    )


@contextmanager
def opened_ledger(
    path: Path, posts: int = 3, *, account: str = "twitter"
) -> Iterator[tuple[Ledger, StoredThread]]:
    """A ledger with one planned thread, whose account's lock is ours."""
    with Ledger.open(path) as ledger, ledger.sending(account, T0):
        yield ledger, ledger.plan(planned_thread(posts, account=account), T0)


def post_at(thread: StoredThread, position: int = 0) -> StoredPost:
    return thread.posts[position]


def file_names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}
