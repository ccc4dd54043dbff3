"""From settings to a worker that runs: all is checked and opened here, and closed at the end."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TextIO

from bot import __version__, app
from bot.checks import Level, check
from bot.delivery.identity import reads_for_free
from bot.delivery.terms import Surroundings
from bot.errors import SettingsError
from bot.ledger.store import Ledger
from bot.model import Account
from bot.service import Service
from bot.settings import LogFormat, Settings
from bot.settings.schedule import Schedule
from bot.worker.alerts import Alerts
from bot.worker.asking import Asking
from bot.worker.blot import Blot, blotter
from bot.worker.heartbeat import Heartbeat
from bot.worker.log import Log, capture
from bot.worker.pages import Pages
from bot.worker.passes import Passes
from bot.worker.run import Worker
from bot.worker.signs import Signs
from bot.worker.tick import Rules
from bot.worker.timer import Due, Timer
from bot.worker.watch import Watch

TICK = 30.0
"""Seconds between two signs of life of the timer."""


@contextmanager
def started(
    settings: Settings, accounts: Sequence[Account], environ: Mapping[str, str], stream: TextIO
) -> Iterator[Worker]:
    """A worker for these accounts, ready to run; its log goes to `stream`.

    Raises SettingsError for settings that cannot work, and LedgerError.
    """
    log = _log(settings, stream)
    _refuse(settings, log)
    with ExitStack() as stack:
        stack.enter_context(capture(log))
        ledger = stack.enter_context(Ledger.open(settings.database))
        stop, due = threading.Event(), Due()
        blot = blotter(_secrets(settings))
        watch = Watch(_now, time.monotonic, blot)
        answer = 2 * settings.http_timeout

        def clock() -> datetime:
            watch.sign(answer)  # who asks for the time is alive, and next waits for an answer
            return _now()

        def wait(seconds: float) -> None:
            watch.sign(seconds + answer)
            stop.wait(seconds)

        alerts = _alerts(settings, environ, blot, log)
        signs = Signs(
            log=log,
            watch=watch,
            heartbeat=_heartbeat(settings),
            alerts=alerts,
            ledger=ledger,
            accounts=frozenset(account.name for account in settings.accounts),
            max_age=settings.max_age,
            clock=_now,
            monotonic=time.monotonic,
            stopping=stop.is_set,
        )
        around = Surroundings(clock, time.monotonic, wait, stop.is_set, signs.event)
        service = Service(settings, ledger, around, lambda: secrets.token_hex(16))
        rules = {account.name: _rules(settings, account) for account in accounts}
        asking = Asking(app.source(settings), next(iter(rules.values())), _now)
        timer = Timer(due.ring, _now)
        for line in sorted({account.schedule for account in accounts}):
            names = frozenset(each.name for each in accounts if each.schedule == line)
            timer.every(Schedule(line, settings.timezone), names)
        timer.tick(TICK, signs.tick)
        if settings.port is not None:
            stack.enter_context(Pages(settings.port, watch.snapshot))
        timer.start()
        stack.callback(timer.stop)

        def end() -> None:
            stop.set()
            due.ring()
            if alerts:
                alerts.stop()

        log(
            "worker.started",
            version=__version__,
            accounts=[account.name for account in accounts],
            source=service.settings.digests,
            schedules=sorted({account.schedule for account in accounts}),
            timezone=settings.timezone,
            port=settings.port,
        )
        passes = Passes(service, accounts, asking, rules, signs)
        yield Worker(passes, timer, due, signs, stop.is_set, end)
        log("worker.stopped")


def _log(settings: Settings, stream: TextIO) -> Log:
    asked = settings.log_format
    as_json = asked is LogFormat.JSON or (asked is None and not stream.isatty())
    return Log(stream, json=as_json, clock=_now, secrets=_secrets(settings))


def _secrets(settings: Settings) -> list[str]:
    held = [settings.github_token, settings.notify_urls, settings.heartbeat_url]
    held += [each for one in settings.credentials.values() for each in one.secrets.values()]
    return [each.reveal() for each in held if each]


def _alerts(settings: Settings, environ: Mapping[str, str], blot: Blot, log: Log) -> Alerts | None:
    if settings.notify_urls is None:
        return None
    alerts = Alerts(settings.notify_urls, environ, blot)
    trouble = alerts.check()
    if trouble:
        log("alerts.failed", "warning", reason=trouble)
    return alerts


def _heartbeat(settings: Settings) -> Heartbeat | None:
    url = settings.heartbeat_url
    return Heartbeat(url) if url else None


def _refuse(settings: Settings, log: Log) -> None:
    """End before the first pass where settings, templates or accounts can never work.

    What may mend itself, such as a digest that is malformed today, is a line in the log.
    """
    for finding in check(settings, _now, offline=True):
        if isinstance(finding.error, SettingsError):
            raise finding.error
        if finding.level is not Level.OK:
            said = f"{finding.subject}: {finding.message}"
            log("check.warning", "warning", reason=said, mend=finding.mend)


def _rules(settings: Settings, account: Account) -> Rules:
    return Rules(
        max_age=settings.max_age,
        catch_up=settings.catch_up,
        skip=frozenset(settings.skip),
        checks=reads_for_free(account.network),
    )


def _now() -> datetime:
    return datetime.now(UTC)
