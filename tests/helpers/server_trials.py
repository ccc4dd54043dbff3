"""Trials of delivery on networks where exactly once rests on reading alone, each a row of figures.

X without refusal of duplicates, servers that keep no Idempotency-Keys, reads that lag, lie or leave
things out, digests whose date or address changes, and a second sender that shares nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.delivery.types import AccountResult, Event
from bot.model import Digest, Network, Thread
from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL
from bot.sandbox.faults import CLOSED_AFTER
from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    GOTOSOCIAL_MARKDOWN,
    HOLLO,
    MASTODON,
    SNAC2,
    TAKAHE,
    IdempotencyKeys,
    MastodonBehaviour,
)
from bot.sandbox.rewrites import Rewrites, Stamps
from bot.sandbox.service import Stored
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from tests.helpers.fake_world import is_publish
from tests.helpers.fault_scenarios import FaultRow, FaultScenario, fault_scenario
from tests.helpers.process_world import process_world
from tests.helpers.shared_clock import SharedClock

X, M = Network.TWITTER, Network.MASTODON
TAKES_DUPLICATES = XBehaviour(duplicates=Duplicates.NONE)
NO_KEYS = replace(MASTODON, keys=IdempotencyKeys.IGNORED)
WITHOUT_KEYS: Mapping[str, tuple[Network, MastodonBehaviour]] = {
    "X takes duplicates": (X, MASTODON),
    "Mastodon ignores keys": (M, NO_KEYS),
    "GoToSocial": (M, GOTOSOCIAL),
    "snac2": (M, SNAC2),
    "Takahe": (M, TAKAHE),
}
OFFSETS = (1.0, 3.0, 5.0, 20.0)
_DEFAULTS = {"BOT_PAUSE": "2s", "BOT_HTTP_TIMEOUT": "30"}
_ON_THE_WAY = 0.05  # seconds of a request, and as many of its answer


# Two senders --------------------------------------------------------------------------------------


def two_senders(
    name: str, offset: float, papers: int = 6, **more: str
) -> tuple[FaultScenario, list[AccountResult]]:
    """Two senders that share nothing, the second started so many seconds after the first."""
    network, mastodon = WITHOUT_KEYS[name]
    clock = SharedClock()
    with fault_scenario(
        network, papers, TAKES_DUPLICATES, mastodon, BSKY_SOCIAL, clock, **_DEFAULTS, **more
    ) as one:
        own = {"BOT_DATABASE": str(one.world.folder / "second" / "bot.db")}
        two = FaultScenario(one.world, network, one.source, {**one.more, **own})
        one.ledgers = two.ledgers = 2
        for each in (one, two):
            each.on_event = partial(_takes_time, clock)
        served = clock.run([(0.0, one.run_until_settled), (offset, two.run_until_settled)])
        one.on_event = two.on_event = None
        return one, served


def _takes_time(clock: SharedClock, event: Event) -> None:
    if event.what in ("sending", "sent"):
        clock.sleep(_ON_THE_WAY)


def senders_row(name: str) -> FaultRow:
    row = FaultRow(f"a second sender 1, 3, 5 and 20 s later, {name}")
    for offset in OFFSETS:
        one, served = two_senders(name, offset)
        for each in served:
            row.count(one, each)
    return row


REAL_OFFSETS = (0.3, 0.7, 1.2, 2.0, 3.5)
_SCALED = {"BOT_PAUSE": "1s", "BOT_SETTLE": "1s", "BOT_HTTP_TIMEOUT": "2"}


def processes_row() -> FaultRow:
    """Two real processes with ledgers of their own, at five offsets, on X and on Mastodon."""
    row = FaultRow("a second process 0.3 to 3.5 s later, X and Mastodon without keys")
    with ThreadPoolExecutor(len(REAL_OFFSETS)) as pool:
        for thread, live in chain(*pool.map(two_processes, REAL_OFFSETS)):
            texts = [post.text for post in live]
            row.tried += 1
            row.doubled += len(texts) > len(set(texts))
            row.lost += any(post.text not in texts for post in thread.posts)
    return row


def two_processes(offset: float) -> list[tuple[Thread, list[Stored]]]:
    """The threads, and what is there, after two processes; the second starts so much later."""
    with (
        TemporaryDirectory() as name,
        process_world(Path(name), (X, M), 4, TAKES_DUPLICATES, NO_KEYS) as one,
    ):
        one.environ.update(_SCALED)
        two = one.second("second")
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(one.run_until_done)
            time.sleep(offset)
            second = pool.submit(two.run_until_done)
            assert (first.result(), second.result()) == ("", "")
        planned = one.planned()
        return [(planned[network], one.world.live(network)) for network in (X, M)]


# What is read back in other words, or at other times ----------------------------------------------


@contextmanager
def alone(name: str, papers: int = 3, **behaviour: object) -> Iterator[FaultScenario]:
    """One sender on a network without keys that behaves in an odd way besides."""
    network, mastodon = WITHOUT_KEYS[name]
    x = TAKES_DUPLICATES
    if network is X:
        x = replace(x, **behaviour)  # type: ignore[arg-type] # each trial knows the fields
    else:
        mastodon = replace(mastodon, **behaviour)  # type: ignore[arg-type] # (the same)
    with fault_scenario(network, papers, x, mastodon) as case:
        yield case


def lose_answer(case: FaultScenario, post: int) -> None:
    """Let the answer to the request for this post be lost, the post being published."""
    left = post

    def decide(record: object) -> object:
        nonlocal left
        request = record.request  # type: ignore[attr-defined] # a Record
        if not is_publish(request):
            return None
        left -= 1
        return CLOSED_AFTER if left == -1 else None

    case.world.sandbox.decide(decide)  # type: ignore[arg-type] # (the same)


def altered_row(name: str) -> FaultRow:
    """The answer to each post lost, on a network that alters what is read back."""
    row = FaultRow(f"an answer lost, and the text altered, {name}")
    for how in Rewrites:
        for post in range(4):
            with alone(name, 2, rewrites=how) as case:
                lose_answer(case, post)
                row.count(case, case.run_until_settled())
    return row


def stamps_row(name: str) -> FaultRow:
    """The answer to each post lost, on a network that gives no right times."""
    row = FaultRow(f"an answer lost, and no right times, {name}")
    for how in Stamps:
        for post in range(4):
            with alone(name, 2, stamps=how) as case:
                lose_answer(case, post)
                row.count(case, case.run_until_settled())
    return row


_MARKED = "Learning *fast* and `slow`, __twice__"
MARKUP: Mapping[str, MastodonBehaviour] = {
    "snac2": SNAC2,
    "Hollo": HOLLO,
    "GoToSocial in Markdown": GOTOSOCIAL_MARKDOWN,
}


def markup_row(name: str) -> FaultRow:
    """The answer lost, or the ledger too, on a server that reads text as markup."""
    row = FaultRow(f"an answer lost, and the text taken for markup, {name}")
    for lost, post in ((lost, post) for lost in (False, True) for post in range(4)):
        with fault_scenario(M, 2, None, MARKUP[name], MASTODON_DIALECT="plain") as case:
            papers = tuple(replace(each, title=_MARKED) for each in case.source.papers)
            case.source = replace(case.source, papers=papers)
            lose_answer(case, post)
            if lost:
                case.send_only(post)
                case.lose_ledger()
            row.count(case, case.run_until_settled())
    return row


# Private posts ------------------------------------------------------------------------------------


def private_row(name: str) -> FaultRow:
    """Private and direct posts: the answer to each lost, or the ledger after each."""
    row = FaultRow(f"private and direct posts, {name}")
    for visibility in ("private", "direct"):
        for lost, post in ((lost, post) for lost in (False, True) for post in range(4)):
            _, mastodon = WITHOUT_KEYS[name]
            with fault_scenario(M, 2, None, mastodon, MASTODON_VISIBILITY=visibility) as case:
                if lost:
                    case.send_only(post)
                    case.lose_ledger()
                else:
                    lose_answer(case, post)
                row.count(case, case.run_until_settled())
    return row


# A lost ledger where reads lag --------------------------------------------------------------------


def lagging_row() -> FaultRow:
    """The ledger lost right after each post, on a timeline that shows it seconds later."""
    row = FaultRow("a timeline that lags, and the ledger lost, X takes duplicates")
    for lag in (2.0, 20.0, 100.0):
        for sent in range(5):
            x = replace(TAKES_DUPLICATES, timeline_lag=timedelta(seconds=lag))
            with fault_scenario(X, 3, x) as case:
                case.send_only(sent)
                case.lose_ledger()
                row.count(case, case.run_until_settled())
    return row


def short_lag_row(name: str) -> FaultRow:
    """Reads that lag by two seconds, and nothing else: no post is taken for one that is gone."""
    row = FaultRow(f"reads that lag 2 s, {name}")
    lag = {"timeline_lag": timedelta(seconds=2)} if name.startswith("X") else {}
    lag = lag or {"lag": timedelta(seconds=2)}
    for post in range(5):
        with alone(name, 3, **lag) as case:
            lose_answer(case, post)
            row.count(case, case.run_until_settled())
    return row


# The digest changes -------------------------------------------------------------------------------

Change = Callable[[Digest], Digest]
CHANGES: Mapping[str, Change] = {
    "another slug": lambda digest: replace(digest, slug="papers-of-the-day"),
    "another title and slug": lambda digest: replace(
        digest, slug="papers-of-the-day", title="Papers of the Day 2026-02-28"
    ),
    "a date ahead": lambda digest: replace(digest, published=digest.published + timedelta(hours=9)),
    "a date corrected": lambda digest: replace(
        digest, published=digest.published + timedelta(days=2)
    ),
}


def changed_row(change: str, name: str) -> FaultRow:
    """The digest changes after each number of posts, with the ledger and without it."""
    row = FaultRow(f"{change} after 0 to all posts, the ledger kept and lost, {name}")
    for lost, sent in ((lost, sent) for lost in (False, True) for sent in range(1, 6)):
        with alone(name, 3) as case:
            thread = case.thread
            if change == "a date ahead":
                case.source = CHANGES[change](case.source)
            case.send_only(sent)
            if change != "a date ahead":
                case.source = CHANGES[change](case.source)
            case.world.clock.sleep(3600.0 * 10)
            if lost:
                case.lose_ledger()
            served = case.run_until_settled()
            case.words = thread
            row.count(case, served)
    return row


# Together -----------------------------------------------------------------------------------------


def rows() -> Sequence[Callable[[], FaultRow]]:
    """Every row, as a function that makes the trials of it."""
    reading = ("X takes duplicates", "Mastodon ignores keys", "GoToSocial", "Takahe")
    return (
        processes_row,
        *(partial(senders_row, name) for name in WITHOUT_KEYS),
        *(partial(altered_row, name) for name in (*reading, "snac2")),
        *(partial(stamps_row, name) for name in reading[:2]),
        *(partial(markup_row, name) for name in MARKUP),
        *(partial(private_row, name) for name in ("snac2", "Takahe", "GoToSocial")),
        lagging_row,
        *(partial(short_lag_row, name) for name in reading[:2]),
        *(partial(changed_row, change, name) for change in CHANGES for name in reading[:3]),
    )
