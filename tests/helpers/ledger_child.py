"""A script that uses a ledger in a process of its own, for tests that kill it or run several.

python ledger_child.py PATH deliver STATEMENT    end itself before the n-th statement
python ledger_child.py PATH take ROUNDS          take turns at the lock with others
python ledger_child.py PATH open                 open it, and say which thread was planned
"""

# ruff: noqa: T201 - what it prints is how a test follows it
from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from bot.ledger.errors import Busy
from bot.ledger.rows import Attempt
from bot.ledger.store import Ledger
from tests.helpers.ledger_setup import T0, planned_thread


def deliver(path: Path, fatal: int) -> None:
    """Plan and send two posts; say what is done once it is done."""
    count = 0

    def count_down(_: str) -> None:
        nonlocal count
        count += 1
        if count == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    with Ledger.open(path) as ledger:
        ledger._file.connection.set_trace_callback(count_down)  # type: ignore[union-attr] # a Writer
        thread = ledger.plan(planned_thread(2), T0)
        print("planned", flush=True)
        with ledger.sending("twitter", T0):
            print("locked", flush=True)
            for position in range(2):
                ledger.begin(thread.number, position, T0)
                print("sending", position, flush=True)
                with ledger.together():
                    ledger.attempt(thread.number, Attempt(T0, "send", position, "sent"))
                    ledger.sent(thread.number, position, str(position + 1), "", T0)
                print("sent", position, flush=True)
    print("statements", count, flush=True)


def take(path: Path, rounds: int) -> None:
    """Take the lock, look that nobody else has it, and give it back, over and over."""
    marker = path.with_name("taken")
    won = 0
    with Ledger.open(path) as ledger:
        while won < rounds:
            with suppress(Busy), ledger.sending("twitter", T0):
                # fails if the file is there: two would have the lock at once
                marker.touch(exist_ok=False)
                marker.unlink()
                won += 1
    print("won", won, flush=True)


if __name__ == "__main__":
    where, what, *rest = sys.argv[1:]
    if what == "deliver":
        deliver(Path(where), int(rest[0]))
    elif what == "take":
        take(Path(where), int(rest[0]))
    else:
        with Ledger.open(Path(where)) as opened:
            print(
                "planned",
                opened.plan(planned_thread(2, text=rest[0]), T0).posts[0].text,
                flush=True,
            )
