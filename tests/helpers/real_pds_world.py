"""Fault scenarios with a real Bluesky server in the place of the simulated one.

The sandbox passes each request on to the server of `real_pds`, unless its script says otherwise.
The clock is the fake one of `fake_world`; the server keeps its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from bot.ledger.rows import StoredThread
from bot.ledger.store import Ledger
from bot.model import Network
from bot.posters.bluesky.tids import tid
from bot.sandbox import script
from bot.sandbox.bluesky.records import StoredRecord, stored
from bot.sandbox.bluesky.rules import BlueskyRules
from bot.sandbox.faults import Fault
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.server import Sandbox
from bot.sandbox.service import Stored
from bot.sandbox.wire import Json, Request, Response
from bot.sandbox.x.rules import XRules
from bot.settings import load
from tests.helpers import bluesky_rules
from tests.helpers.fake_world import FakeClock, FakeWorld, digest
from tests.helpers.fault_scenarios import TROUBLES, FaultRow, FaultScenario
from tests.helpers.paths import ROOT
from tests.helpers.process_world import CHILD, HANG_SECONDS, RealClock
from tests.helpers.real_pds import (
    POSTS,
    TIMEOUT,
    Account,
    JsonObject,
    RealPds,
    json_of,
    running_pds,
)

SKY = Network.BLUESKY
SAMPLE = "2021-06-22"
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
_DAYS = count(1)
NO_PICTURES: Mapping[int, bytes] = {}
INSTALLED = (ROOT / "build" / "pds" / "installed").is_file()


class RealPdsRules(BlueskyRules):
    """What a real server says; `day` is that of the digest whose posts are looked at."""

    def __init__(self, clock: FakeClock, pds: RealPds, account: Account, day: date) -> None:
        super().__init__(
            clock, handle=account.handle, app_password=account.app_password, account=account.did
        )
        self._server, self._day = pds, day
        self._session = requests.Session()
        self._commits = 0

    def settle(self) -> int:
        self._catch_up()
        return self._commits

    def every(self) -> tuple[Stored, ...]:
        return tuple(stored(each) for each in self.records())

    def record(self, post_id: str) -> StoredRecord | None:
        return next((each for each in self.records() if each.uri == post_id), None)

    def records(self) -> list[StoredRecord]:
        """The posts of the day as the server has them now, in the order they were written in."""
        self._catch_up()
        start = datetime(self._day.year, self._day.month, self._day.day, tzinfo=UTC)
        end = tid(start + timedelta(days=1))
        where = {"repo": self.account, "collection": POSTS, "limit": "100", "cursor": end}
        page = json_of(self._server.get("com.atproto.repo.listRecords", "", **where))
        found = [record_of(each) for each in _listed(page)]
        there = [each for each in found if each.rkey >= tid(start)]
        return sorted(there, key=lambda each: each.made)

    def close(self) -> None:
        self._session.close()

    def _serve(self, request: Request, now: datetime) -> Response:
        del now
        headers = {name: value for name, value in request.headers.items() if name not in _HOP}
        query = f"?{request.query}" if request.query else ""
        got = self._session.request(
            request.method,
            f"{self._server.url}{request.path}{query}",
            headers=headers | {"accept-encoding": "identity"},
            data=request.body,
            timeout=TIMEOUT,
            allow_redirects=False,
        )
        self._commits += got.ok and b'"commit":' in got.content
        kept = tuple(pair for pair in got.headers.items() if pair[0].lower() not in _HOP)
        return Response(got.status_code, got.content, kept)

    def _serve_late(self, request: Request, due: datetime) -> None:
        self._serve(request, due)

    def defer(self, request: Request, seconds: float) -> None:
        due = self._catch_up() + timedelta(seconds=seconds)
        self._waiting = sorted([*self._waiting, (due, request)], key=lambda pair: pair[0])


def record_of(found: Mapping[str, object]) -> StoredRecord:
    """A record as the server gives it."""
    value = found["value"]
    assert isinstance(value, dict)
    made = datetime.fromisoformat(value["createdAt"])
    return StoredRecord(str(found["uri"]), str(found["cid"]), value, made)


def _listed(page: JsonObject) -> list[JsonObject]:
    records = page["records"]
    assert isinstance(records, list)
    return records


@contextmanager
def real_pds_scenario(
    pds: RealPds, account: Account, papers: int = 1, **more: str
) -> Iterator[FaultScenario]:
    """A scenario on the real server, with a day of its own, before all others of the account."""
    clock, day = FakeClock(), date(2026, 2, 28) - timedelta(days=3 * next(_DAYS))
    with TemporaryDirectory() as folder:
        sky = RealPdsRules(clock, pds, account, day)
        x, mastodon = XRules(clock), MastodonRules(clock)
        with Sandbox({"bluesky": sky}, sleep=clock.sleep) as sandbox:
            case = FakeWorld(Path(folder), clock, sandbox, x, mastodon, sky)
            yield FaultScenario(case, SKY, digest(papers, day), more)
        sky.close()


# As a process of its own --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RealPdsProcess:
    """`bot` as a real process that posts the sample of 22 papers, through the sandbox's doors."""

    folder: Path
    pds: RealPds
    account: Account
    sandbox: Sandbox
    environ: dict[str, str]

    @contextmanager
    def start(
        self, *arguments: object, how: tuple[object, ...] = ()
    ) -> Iterator[subprocess.Popen[str]]:
        """Begin `bot ...`, by default `bot post` of the sample; `how` is for crash_child.py."""
        begun = [str(CHILD), *map(str, how)] if how else ["-m", "bot"]
        with subprocess.Popen(
            [sys.executable, *begun, *map(str, arguments or ("post", SAMPLE))],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def __call__(self, *arguments: object, how: tuple[object, ...] = ()) -> tuple[int, str]:
        """Let it come to its end; its status and all it said."""
        with self.start(*arguments, how=how) as process:
            said, complained = process.communicate(timeout=HANG_SECONDS)
        return process.returncode, said + complained

    def killed_at_request(self, number: int, hold: Fault) -> None:
        """SIGKILL while the `number`-th request from now is held."""
        at = len(self.asked) + number
        self.sandbox.script(hold, network="bluesky", at=at)
        held = script.Stage.HELD
        with self.start() as process:
            assert self.sandbox.wait(
                lambda log: any((each.number, each.stage) == (at, held) for each in log),
                HANG_SECONDS,
            )
            process.kill()
            process.communicate()
        over = script.Stage.DONE
        assert self.sandbox.wait(lambda log: all(each.stage is over for each in log), HANG_SECONDS)

    def killed_at_commit(self, number: int, when: str) -> None:
        """SIGKILL `before` or `after` a commit to the ledger."""
        status, said = self(how=(when, number))
        assert status == -signal.SIGKILL, said

    @property
    def asked(self) -> tuple[script.RequestRecord, ...]:
        """Every request so far."""
        return self.sandbox.requests

    def count(self, method: str) -> int:
        """How many requests there were of an XRPC method, by the last part of its name."""
        return sum(each.path.endswith(f".{method}") for each in self.asked)

    def lose_ledger(self) -> None:
        """A deploy wipes the disk."""
        for path in (self.folder / "state").iterdir():
            path.unlink()

    def ledger(self) -> Ledger:
        return Ledger.open(self.folder / "state" / "bot.db")

    def thread(self) -> StoredThread:
        """The plan, and what became of it."""
        with self.ledger() as ledger:
            thread, *_ = sorted(ledger.threads(), key=lambda each: -each.generation)
        return thread

    def rev(self) -> str:
        """The revision of the repository, which every commit changes."""
        answer = self.pds.get("com.atproto.sync.getLatestCommit", did=self.account.did)
        return str(json_of(answer)["rev"])

    def records(self) -> dict[str, StoredRecord]:
        """All posts of the account, by their keys."""
        found = self.pds.records(self.account)
        return {key: record_of(each) for key, each in found.items()}

    def post_elsewhere(self, key: str, value: Mapping[str, Json]) -> JsonObject:
        """What another app of the person's own writes."""
        told = {"repo": self.account.did, "collection": POSTS, "rkey": key, "record": value}
        token = self.pds.log_in(self.account).access
        return json_of(self.pds.post("com.atproto.repo.putRecord", told, token))

    def remove(self, key: str) -> None:
        """What a person deletes."""
        told = {"repo": self.account.did, "collection": POSTS, "rkey": key}
        token = self.pds.log_in(self.account).access
        json_of(self.pds.post("com.atproto.repo.deleteRecord", told, token))


@contextmanager
def real_pds_process(
    pds: RealPds, account: Account, folder: Path, **more: str
) -> Iterator[RealPdsProcess]:
    """Set it up in an empty folder."""
    rules = RealPdsRules(RealClock(), pds, account, date.fromisoformat(SAMPLE))
    with Sandbox({"bluesky": rules}) as sandbox:
        environ = {
            "BLUESKY_HANDLE": account.handle,
            "BLUESKY_APP_PASSWORD": account.app_password,
            "BLUESKY_SERVICE_URL": sandbox.url("bluesky"),
            "BOT_DIGESTS": str(ROOT / "bot" / "samples"),
            "BOT_TOP": "22",
            "BOT_PAUSE": "0s",
            "BOT_SETTLE": "1s",
            "BOT_RETRY_WAIT": "0.2",
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT),
            **more,
        }
        load(environ, folder)
        yield RealPdsProcess(folder, pds, account, sandbox, environ)
    rules.close()


def check_against_plan(
    at: RealPdsProcess,
    posts: int = 23,
    besides: int = 0,
    pictures: Mapping[int, bytes] = NO_PICTURES,
) -> str:
    """Every record is the ledger's plan, byte by byte; what was compared, in a line.

    `pictures` are the bytes of them by position, as the ledger had them before they were out.
    """
    thread, there = at.thread(), at.records()
    assert len(thread.posts) == posts
    assert len(there) == posts + besides
    size, refs = 0, list[Mapping[str, Json]]()
    for post in thread.posts:
        record = there[post.key]
        assert (post.id, post.state) == (record.uri, "sent")
        data = pictures.get(post.position, b"")
        planned = replace(post, media=tuple(replace(each, data=data) for each in post.media))
        wanted = bluesky_rules.wanted(planned, thread.language, refs)
        wanted["createdAt"] = bluesky_rules.written_at(thread, post.position)
        assert bluesky_rules.canonical(record.value) == bluesky_rules.canonical(wanted)
        refs.append({"uri": record.uri, "cid": record.cid})
        size += len(bluesky_rules.canonical(wanted))
    return f"{posts} records, {size} bytes of canonical JSON are the plan's"


# The table ----------------------------------------------------------------------------------------


def real_pds_table(every: int) -> Iterator[FaultRow]:
    """What the stand-in is tried with, tried on the real server; nothing where that is not here.

    Of each row only each `every`th trial is run, so that a sample is spread over all requests.
    """
    if not INSTALLED:
        return
    with running_pds() as pds:
        account = pds.new_account()
        for kind in TROUBLES:
            name, problems = kind(SKY)
            row = FaultRow(f"{name}, a real PDS")
            for prepare in islice(problems, None, None, every):
                with real_pds_scenario(pds, account) as case:
                    row.count(case, case.run_until_settled(prepare(case)))
            yield row
