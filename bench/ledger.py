"""What a delivery's work in the ledger costs with a million rows in it, as a multiple of none.

    python bench/ledger.py

One delivery: open, plan 24 posts, write down 24 tries and their answers, read what `bot status`
shows, close. The two ledgers take turns, so that a busy machine slows both alike.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bot.ledger.rows import Attempt, PlannedPost, PlannedThread, Spending, StoredLimit
from bot.ledger.store import Ledger
from bot.model import Network

ROUNDS = 40
POSTS = 24
THREADS = 20_000  # with 24 posts, 24 attempts and one spending each: 1,000,000 rows
NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = "3. A title of the usual length\nFirst et al.\n1,317 retweets, 401 likes\n" * 2
COLUMNS = {
    "threads": "number, account, network, digest, day, generation, title, published, fingerprint,"
    " language, visibility, planned_at, looked_at, checked_at",
    "posts": "thread, position, account, part, key, text, token, media, state, id, url, tries,"
    " tried_at, misses, missed_after, reason, sent_at, changed_at",
    "attempts": "thread, at, kind, position, outcome, detail",
    "spending": "account, at, kind, micros",
}


def fill(path: Path) -> int:
    """Put a million rows into a ledger, years of threads all sent; returns how many."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("INSERT INTO accounts VALUES ('twitter', 'twitter')")
        for table, columns in COLUMNS.items():
            marks = ", ".join("?" * (columns.count(",") + 1))
            # the names are those above
            db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows(table))  # noqa: S608
        counts = [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in COLUMNS]  # noqa: S608
    db.close()
    return sum(counts)


def rows(table: str) -> Iterator[tuple[object, ...]]:
    """Rows for a table, one thread every four hours until now."""
    for thread in range(1, THREADS + 1):
        at = NOW - timedelta(hours=4 * (THREADS - thread + 1))
        when = at.isoformat(timespec="microseconds")
        name, day = f"hot-papers-{thread}", when[:10]
        if table == "threads":
            words = ("Hot Papers", when, f"{thread:032x}", "en", "public", when, when, when)
            yield thread, "twitter", "twitter", name, day, 0, *words
        elif table == "spending":
            yield "twitter", when, "post", 2_320_000
        for position in range(POSTS if table in ("posts", "attempts") else 0):
            part, number = f"{thread:05}.{position:05}", thread * 100 + position
            if table == "attempts":
                yield thread, when, "send", position, "sent", ""
            else:
                words = (part, f"{number:032x}", TEXT, part, "[]", "sent", f"{number:019}", "https")
                yield thread, position, "twitter", *words, 1, when, 0, 0.0, "", when, when


def deliver(path: Path, name: str) -> float:
    """Do a delivery's work; returns its seconds."""
    posts = tuple(PlannedPost(i, f"p{i}", f"{name}-{i}", TEXT, f"p{i}") for i in range(POSTS))
    words = ("Hot Papers", NOW, "f", "en", "public", posts)
    planned = PlannedThread("twitter", Network.TWITTER, name, NOW.date(), 0, *words)
    start = time.perf_counter()
    with Ledger.open(path) as ledger:
        number = ledger.plan(planned, NOW).number
        with ledger.sending("twitter", NOW):
            for position in range(POSTS):
                assert ledger.begin(number, position, NOW)
                with ledger.together():
                    ledger.attempt(number, Attempt(NOW, "send", position, "sent"))
                    ledger.spend(Spending("twitter", NOW, "post", Decimal("0.2")))
                    ledger.sent(number, position, f"{name}-{position}", "https", NOW)
            ledger.limit(StoredLimit("twitter", "posts", NOW + timedelta(minutes=2), "429"))
            read(ledger, number)
    return time.perf_counter() - start


def read(ledger: Ledger, number: int) -> None:
    """Read all that `bot status` and the next planning want to know."""
    assert ledger.threads(most=2)[0].number == number
    assert not ledger.threads(account="twitter", unfinished=True)
    assert ledger.last_known("twitter")
    assert not ledger.known_ids("twitter", number, [f"none-{i}" for i in range(POSTS)])
    assert ledger.published_papers("twitter", NOW)
    assert ledger.spent("twitter", NOW)
    assert ledger.limits("twitter", NOW)
    assert not ledger.changed(ledger.refresh(number))


def main() -> None:
    """Print one line; the first delivery of each ledger is not counted."""
    with TemporaryDirectory() as folder:
        full = Path(folder) / "full.db"
        Ledger.open(full).close()
        count = fill(full)
        times: dict[str, list[float]] = {"empty": [], "full": []}
        for number in range(ROUNDS + 1):
            empty = Path(folder) / f"{number}.db"
            Ledger.open(empty).close()
            # whoever goes second finds the disk busy with the first: so they change places
            pair = [("empty", empty), ("full", full)]
            for which, path in pair if number % 2 else reversed(pair):
                times[which].append(deliver(path, f"new-{number}"))
    none, many = (median(each[1:]) * 1000 for each in times.values())
    print(
        f"ledger: a delivery with {count:,} rows {many:.1f} ms, with none {none:.1f} ms:", end=" "
    )
    print(f"{many / none:.2f} times (at most 1.1)")


if __name__ == "__main__":
    main()
