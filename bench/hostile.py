"""Whether a hostile digest and a hostile server slow the thread of another account down.

`bot post` serves two Mastodon accounts of one digest side by side, 100 ms an answer. In one round
both servers and the digest are as usual. In the other, each paper of the digest carries text that
is slow to read for careless code, and the second account's server answers every read with 2 MB of
such text and every post with a 502 of 18 MB. What is timed is from the start of `bot post` to the
last post of the first account; then the process is ended.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from delivery import LATENCY, PATHS, POSTS, written
from measure import Figure, in_turn, show

from bot.sandbox.faults import Commit, Fault
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.script import RequestRecord
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Json, Request, Response, reply

ROUNDS = 5
BUDGET = 1.2
_ACCOUNTS = ("good", "other")
_PIECES = ("@", "#a.", "{", "$\\", "](", "<b>", "&#", "a.com", " ", "https://", "(@", "\u0301")
_LINE, _STATUS = 60_000, 40_000
_NUMBERS = count(1)


def hostile_text(size: int) -> str:
    """`size` characters: runs of every piece, one after the other."""
    run = size // len(_PIECES)
    return "".join((piece * run)[:run] for piece in _PIECES)


def hostile(digest: str) -> str:
    """Return the digest with a line of such text before the end of each paper: 1.3 MB in all."""
    before, *papers = digest.split("\n# ")
    return "\n# ".join([before, *(f"{paper}\n\n{hostile_text(_LINE)}\n" for paper in papers)])


def refuse(record: RequestRecord) -> Fault | None:
    """Have the second account's server answer as slowly to read as it can."""
    if record.network != "other" or ("/accounts/" not in record.path and record.method != "POST"):
        return None
    return Fault("hostile", Commit.NOW, make=_answer)


def _answer(request: Request, own: Response | None, now: datetime) -> Response:
    del now
    if request.method == "POST":
        page = f"<html><p>{'<' * 18_000_000}".encode()
        return Response(502, page, (("content-type", "text/html"),))
    if own is None or not request.path.endswith("/statuses"):
        return own or Response(504)
    before = int(dict(request.params()).get("max_id", 10**17))
    text = hostile_text(_STATUS)
    statuses: list[Json] = [
        {
            "id": str(before - number),
            "created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.000Z}",
            "content": text,
            "visibility": "public",
        }
        for number in range(1, 41)
    ]
    return reply(200, statuses)


def deliver(folder: Path, *, is_hostile: bool) -> float:
    """Return the seconds until the first account's thread is out."""
    digest = folder / f"{next(_NUMBERS)}.md"
    text = written(digest.stem)
    digest.write_text(hostile(text) if is_hostile else text, "utf-8")
    rules = {name: MastodonRules(lambda: datetime.now().astimezone()) for name in _ACCOUNTS}
    with Sandbox(rules, latency=LATENCY) as sandbox:
        if is_hostile:
            sandbox.decide(refuse)
        environ = {
            "HOME": str(folder),
            "BOT_PAUSE": "0s",
            "BOT_SETTLE": "2s",
            "BOT_RETRY_WAIT": "1",
        }
        tables = []
        for name in _ACCOUNTS:
            variable = f"{name.upper()}_TOKEN"
            environ[variable] = rules[name].token
            tables.append(
                f'[[accounts]]\nname = "{name}"\nnetwork = "mastodon"\n'
                f'base_url = "{sandbox.url(name)}"\naccess_token = "{variable}"\n'
            )
        (folder / "bot.toml").write_text("".join(tables), "utf-8")
        (folder / "state" / "bot.db").unlink(missing_ok=True)
        start = time.perf_counter()
        command = [sys.executable, "-m", "bot", "post", str(digest), "--top", "0"]
        with subprocess.Popen(command, cwd=folder, env=environ, stdout=-3, stderr=-1) as process:
            arrived = sandbox.wait(lambda records: posts(records) == POSTS, 120)
            seconds = time.perf_counter() - start
            process.kill()
            assert arrived, process.communicate()[1].decode()
    return seconds


def posts(records: object) -> int:
    """Count the first account's posts that are out."""
    assert isinstance(records, list)
    return sum(
        record.network == "good" and record.path == PATHS["mastodon"] and record.committed
        for record in records
    )


def figures() -> Iterator[Figure]:
    """Give the time beside hostile neighbours as a multiple of the usual one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spent = in_turn(
            ROUNDS,
            lambda: deliver(folder, is_hostile=True),
            lambda: deliver(folder, is_hostile=False),
        )
    spans = [f"{min(each):.2f} to {max(each):.2f} s" for each in zip(*spent, strict=True)]
    yield Figure(
        f"{POSTS} posts beside a hostile digest and server / as usual",
        [beside / usual for beside, usual in spent],
        "x",
        BUDGET,
        f"from the start of bot post to the last post {spans[0]}, {spans[1]}",
    )


if __name__ == "__main__":
    show(figures())
