"""From settings to a worker that runs: all is checked and opened here, and closed at the end."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TextIO

from bot import __version__, plan
from bot.delivery.accounts import Publisher
from bot.delivery.identity import reads_for_free
from bot.delivery.types import RunTools
from bot.errors import SettingsError
from bot.http.urls import shown
from bot.ledger.store import Ledger
from bot.model import Account
from bot.monitoring.alerts import Alerts
from bot.monitoring.heartbeat import Heartbeat
from bot.monitoring.http_server import HttpServer
from bot.monitoring.log import Log, capture
from bot.monitoring.worker_state import WorkerState
from bot.output.checks import Level, check
from bot.posters.poster import MOST_ANSWERS
from bot.scheduler.decide import PassRules
from bot.scheduler.loop import Worker
from bot.scheduler.poll_source import SourcePoller
from bot.scheduler.reporter import Reporter
from bot.scheduler.run_once import Runner
from bot.scheduler.timer import Due, Timer
from bot.settings import LogFormat, Settings
from bot.settings.schedule import Schedule

_LATEST = 20.0  # seconds
TICK = 30.0
"""Seconds between two signs of life of the timer."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """The wall clock's time (aware, UTC), seconds that only grow, and a process's own chance."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    seed: Callable[[], str] = lambda: secrets.token_hex(8)


@contextmanager
def started(
    settings: Settings,
    accounts: Sequence[Account],
    environ: Mapping[str, str],
    stream: TextIO | None,
    clocks: Clocks = Clocks(),
) -> Iterator[Worker]:
    """A worker for these accounts, ready to run; its log goes to `stream`.

    Raises SettingsError for settings that cannot work, and LedgerError.
    """
    log = _log(settings, stream, clocks)
    _refuse(settings, log, clocks)
    with ExitStack() as stack:
        stack.enter_context(capture(log))
        ledger = stack.enter_context(Ledger.open(settings.database))
        stop, due = threading.Event(), Due()
        watch = WorkerState(clocks.now, clocks.monotonic, settings.redact)
        alerts = _alerts(settings, environ, log)
        reporter = Reporter(
            log=log,
            watch=watch,
            heartbeat=Heartbeat(settings.heartbeat_url) if settings.heartbeat_url else None,
            alerts=alerts,
            ledger=ledger,
            accounts=frozenset(account.name for account in settings.accounts),
            max_age=settings.max_age,
            clock=clocks.now,
            monotonic=clocks.monotonic,
            stopping=stop.is_set,
        )
        around = _around(settings, clocks, watch, stop, reporter)
        service = Publisher(settings, ledger, around)
        rules = {account.name: _rules(settings, account) for account in accounts}
        poller = SourcePoller(plan.source(settings), next(iter(rules.values())), clocks.now)
        port = None
        if settings.port is not None:
            port = stack.enter_context(
                HttpServer(settings.port, watch.snapshot, settings.bind)
            ).port
        timer = _timer(settings, accounts, due, reporter, clocks)
        timer.start()
        stack.callback(timer.stop)

        def end() -> None:
            stop.set()
            due.ring()
            if alerts:
                alerts.stop()

        _tell_start(settings, accounts, port, log)

        def leave() -> None:
            log("worker.left", "warning", reason="a request did not end in time")

        passes = Runner(service, accounts, poller, rules, reporter)
        yield Worker(passes, timer, due, reporter, stop.is_set, end, leave)
        log("worker.stopped")


def _around(
    settings: Settings,
    clocks: Clocks,
    watch: WorkerState,
    stop: threading.Event,
    reporter: Reporter,
) -> RunTools:
    """What deliveries take from outside; who asks for the time, or waits, is alive."""
    most = max((MOST_ANSWERS[account.network] for account in settings.accounts), default=1)
    answer = most * settings.http_timeout

    def now() -> datetime:
        watch.sign(answer)  # what comes next may be an answer to wait for
        return clocks.now()

    def wait(seconds: float) -> None:
        watch.sign(seconds + answer)
        stop.wait(seconds)

    return RunTools(now, clocks.monotonic, wait, stop.is_set, reporter.event)


def _timer(
    settings: Settings, accounts: Sequence[Account], due: Due, reporter: Reporter, clocks: Clocks
) -> Timer:
    """Rings for the accounts of each schedule together."""
    timer = Timer(due.ring, clocks.now, spread(clocks.seed()))
    for line in sorted({account.schedule for account in accounts}):
        names = frozenset(each.name for each in accounts if each.schedule == line)
        timer.every(Schedule(line, settings.timezone), names)
    timer.tick(TICK, reporter.tick)
    return timer


def spread(seed: str) -> Callable[[datetime], float]:
    """Say by how many seconds, up to 20, a pass is late: two workers must not send together.

    It is the same for all accounts that are due at one time, so that one pass serves them.
    """

    def late(due: datetime) -> float:
        return Random(f"{seed} {due.isoformat()}").uniform(0, _LATEST)  # noqa: S311 - no secret

    return late


def _tell_start(
    settings: Settings, accounts: Sequence[Account], port: int | None, log: Log
) -> None:
    log(
        "worker.started",
        version=__version__,
        accounts=[account.name for account in accounts],
        source=shown(settings.digests or ""),
        schedules=sorted({account.schedule for account in accounts}),
        timezone=settings.timezone,
        port=port,
        bind=None if port is None else settings.bind,
    )


def _log(settings: Settings, stream: TextIO | None, clocks: Clocks) -> Log:
    asked = settings.log_format
    as_json = asked is LogFormat.JSON or (asked is None and not (stream and stream.isatty()))
    return Log(stream, json=as_json, clock=clocks.now, redact=settings.redact)


def _alerts(settings: Settings, environ: Mapping[str, str], log: Log) -> Alerts | None:
    if settings.notify_urls is None:
        return None
    alerts = Alerts(settings.notify_urls, environ, settings.redact)
    problem = alerts.check()
    if problem:
        log("alerts.failed", "warning", reason=problem)
    return alerts


def _refuse(settings: Settings, log: Log, clocks: Clocks) -> None:
    """End before the first pass where settings, templates or accounts can never work.

    What may mend itself, such as a digest that is malformed today, is a line in the log.
    """
    for finding in check(settings, clocks.now, offline=True):
        if isinstance(finding.error, SettingsError):
            raise finding.error
        if finding.level is not Level.OK:
            said = f"{finding.subject}: {finding.message}"
            log("check.warning", "warning", reason=said, mend=finding.fix)


def _rules(settings: Settings, account: Account) -> PassRules:
    return PassRules(
        max_age=settings.max_age,
        catch_up=settings.catch_up,
        skip=frozenset(settings.skip),
        checks=reads_for_free(account.network),
    )
