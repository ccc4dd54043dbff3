from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from bot.ledger.rows import Attempt, Spending, StoredLimit
from bot.ledger.store import Ledger
from tests.helpers.ledger_setup import FAR, MINUTE, T0, opened_ledger, planned_thread
from tests.helpers.paths import ROOT

PASSES_OVER = re.compile(
    r"SCAN (TABLE )?(accounts|digests|threads|posts|attempts|leases|limits|spending|facts)\b"
    r"(?!.* INDEX posts_open)"
)
# read from its end, by its key, and only as far as asked
NEWEST = "SELECT threads.* FROM threads WHERE 1 ORDER BY number DESC LIMIT 1"
NO_PLAN = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "PRAGMA", "--", "select name from sqlite")


@pytest.fixture
def statements(tmp_path: Path) -> Iterator[tuple[Ledger, list[str]]]:
    """A ledger, and every statement that it runs."""
    run: list[str] = []
    with opened_ledger(tmp_path / "bot.db") as (ledger, _):
        ledger._file.connection.set_trace_callback(run.append)  # type: ignore[union-attr] # a Writer
        yield ledger, run
        ledger._file.connection.set_trace_callback(None)  # type: ignore[union-attr] # a Writer


def a_delivery(ledger: Ledger) -> None:
    number = ledger.plan(planned_thread(digest="another"), T0).number
    ledger.looked(number, T0)
    for position in range(3):
        ledger.begin(number, position, T0)
        ledger.mark_unknown(number, position, "timed out", T0)
        ledger.record_miss(number, position, 1.0, T0)
        ledger.mark_not_sent(number, position, T0)
        ledger.begin(number, position, T0, absent=True)
        ledger.attempt(number, Attempt(T0, "send", position, "sent"))
        ledger.spend(Spending("twitter", T0, "post", Decimal("0.2")))
        ledger.sent(number, position, f"id {position}", "", T0)
    ledger.hold(number, 0, "gone", T0)
    ledger.adopt(number, 0, "id 9", "", T0)
    ledger.limit(StoredLimit("twitter", "posts", FAR, "429"))
    ledger.checked(number, T0)
    ledger.sender("twitter", T0)
    with ledger.sending("mastodon", T0):
        pass


def a_look_around(ledger: Ledger) -> None:
    number = ledger.threads(most=1)[0].number
    ledger.threads("twitter", most=1)
    ledger.threads("twitter", "another")
    ledger.threads(digest="another")
    ledger.threads(unfinished=True)
    ledger.threads("twitter", unfinished=True)
    ledger.attempts(number)
    ledger.last_known("twitter")
    ledger.known_ids("twitter", number, ["id 1"])
    ledger.published_papers("twitter", T0)
    ledger.spent("twitter", T0)
    ledger.limits("twitter", T0)
    ledger.get_fact("twitter", "id")
    ledger.digest_seen("another", "f", "Hot Papers", T0)
    ledger.changed(ledger.refresh(number))


def test_nothing_passes_over_all_rows(statements: tuple[Ledger, list[str]]) -> None:
    ledger, run = statements
    a_delivery(ledger)
    a_look_around(ledger)
    asked = {each for each in run if not each.startswith(NO_PLAN)}
    assert len(asked) > 40
    for sql in asked - {NEWEST}:
        for step in ledger._fetch(f"EXPLAIN QUERY PLAN {sql}"):
            assert not PASSES_OVER.match(step["detail"]), (sql, step["detail"])


def work(path: Path, threads: int) -> int:
    """How many steps SQLite's machine takes, in hundreds, for a delivery after so many threads."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with opened_ledger(path) as (ledger, _):
        for number in range(threads):
            old = ledger.plan(planned_thread(digest=f"old {number}"), T0).number
            for position in range(3):
                ledger.adopt(old, position, f"{number} {position}", "", T0 - MINUTE)
            ledger.attempt(old, Attempt(T0, "send", 0, "sent"))
            ledger.spend(Spending("twitter", T0 - MINUTE, "post", Decimal(1)))
        connection = ledger._file.connection  # type: ignore[union-attr] # a Writer
        connection.set_progress_handler(count, 100)
        a_delivery(ledger)
        a_look_around(ledger)
        connection.set_progress_handler(None, 0)
    return taken


def test_a_long_history_makes_no_delivery_longer(tmp_path: Path) -> None:
    none, many = work(tmp_path / "none.db", 0), work(tmp_path / "many.db", 150)
    assert none > 20
    assert many <= 1.1 * none


def test_the_values_and_the_ledger_load_nothing_heavy() -> None:
    def loaded(module: str) -> set[str]:
        code = f"import sys, {module}; print(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, check=True
        )
        return set(done.stdout.decode().split())

    assert "sqlite3" not in loaded("bot.ledger.rows")
    assert not {"sqlite_utils", "click", "pluggy"} & loaded("bot.ledger.store")


def test_looking_does_not_load_what_only_writing_needs(tmp_path: Path) -> None:
    with opened_ledger(tmp_path / "bot.db"):
        pass
    code = (
        "import sys; from pathlib import Path; from bot.ledger.store import Ledger;"
        f"Ledger.peek(Path({str(tmp_path / 'bot.db')!r})).threads();"
        "sys.exit('sqlite_utils' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, check=False)
    assert done.returncode == 0
