"""One pass of the worker: the source is asked, and every account that is due is served.

Nothing that goes wrong in a pass ends the worker. What was put off is remembered with its time, and
`Passes.run` says when to come again for whom.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bot import app
from bot.delivery.identity import fingerprint
from bot.delivery.terms import End
from bot.desk import Served, Wishes
from bot.digests.reading import Outcome, Reading
from bot.errors import BotError
from bot.model import Account
from bot.service import Service, side_by_side
from bot.worker.asking import Asking, growing
from bot.worker.had import had, knowing
from bot.worker.outcomes import Done, Turn
from bot.worker.signs import Signs
from bot.worker.tick import Begin, Leave, Resume, Rules, Step, is_begun, tick

EVERYBODY = ""
"""The name under which all accounts are rung for."""

CREDENTIALS_EVERY = timedelta(days=1)
CREDENTIALS_AT_START = timedelta(hours=1)
"""How old the last use of an account's credentials may be; at a start a fresher one is wanted."""

_TRIED = "credentials tried"


@dataclass(slots=True)
class Passes:
    """What is done each time the worker is rung for. Not for two threads at once."""

    service: Service
    accounts: Sequence[Account]
    asking: Asking
    rules: Mapping[str, Rules]
    signs: Signs
    _waits: dict[str, dict[str, datetime]] = field(default_factory=dict, init=False)
    _failures: dict[tuple[str, str], int] = field(default_factory=dict, init=False)
    _started: set[str] = field(default_factory=set, init=False)

    def run(self, names: Collection[str]) -> dict[str, datetime]:
        """Serve the accounts with these names; when to come again, by name, where that is known."""
        due = [each for each in self.accounts if EVERYBODY in names or each.name in names]
        self.signs.begun(due)
        try:
            return self._pass(due)
        except Exception as error:  # noqa: BLE001 - what nobody thought of must not end the worker
            self.signs.failed(_worded(error))
            return {EVERYBODY: self._now() + growing(1)}

    def _pass(self, accounts: Sequence[Account]) -> dict[str, datetime]:
        self.signs.asks()
        reading = self.asking.ask()
        self.signs.asked(reading, self.asking.failing_since)
        if reading.outcome is Outcome.FOUND and reading.digest:
            # so that a change after its publication is known
            digest, ledger = reading.digest, self.service.ledger
            ledger.digest_seen(digest.slug, fingerprint(digest), digest.title, self._now())
        turns = side_by_side(lambda account: self._turn(account, reading), accounts)
        wakes = {turn.account.name: wake for turn in turns if (wake := self._wake(turn))}
        retry = self.asking.retry()
        if retry:
            wakes[EVERYBODY] = retry
        self.signs.ended(reading, self.asking.failing_since, turns)
        return wakes

    # One account ---------------------------------------------------------------------------------

    def _turn(self, account: Account, reading: Reading) -> Turn:
        """Do for an account what there is to do; its troubles are its own."""
        waits = self._waits.setdefault(account.name, {})
        ledger, now = self.service.ledger, self._now()
        known = had(ledger, account.name, now, waits)
        offer = self.asking.offer(reading, known.last and known.last[0])
        known = knowing(known, ledger, account.name, offer)
        todo = tick(known, offer, now, self.rules[account.name])
        done = tuple(self._steps(account, todo.steps))
        if not done and self._is_due(account):
            done = (Done(None, self._tried(account)),)
        self._started.add(account.name)
        if any(each.used for each in done):
            ledger.remember(account.name, _TRIED, now.isoformat())
        return Turn(account, todo, done)

    def _steps(self, account: Account, steps: Sequence[Step]) -> Iterator[Done]:
        for step in steps:
            served = self._guarded(account, step)
            yield Done(step, served)
            waits = served.end not in (End.DONE, End.HELD) and not is_begun(served.thread)
            if served.stops or waits or self.service.around.stopping():
                return  # digests keep their order, and no account is hammered

    def _guarded(self, account: Account, step: Step) -> Served:
        try:
            return self._do(account, step)
        except Exception as error:  # noqa: BLE001 - one account's trouble never stops another's
            return Served(account, End.FAILED, reason=_worded(error))

    def _do(self, account: Account, step: Step) -> Served:
        match step:
            case Resume(thread):
                return self.service.serve(account, lambda desk: desk.resume(thread.number))
            case Leave(thread, reason):
                return self.service.serve(account, lambda desk: desk.hold(thread.number, reason))
            case Begin(digest):
                service = self.service
                threads = app.threads(service.settings, digest, [account], None, service.ledger)
                return service.serve(
                    account, lambda desk: desk.publish(digest, threads[0], Wishes())
                )

    # Its credentials -----------------------------------------------------------------------------

    def _is_due(self, account: Account) -> bool:
        """Whether its credentials were not put to use for long; once more after each start."""
        said = self.service.ledger.fact(account.name, _TRIED)
        longest = CREDENTIALS_EVERY if account.name in self._started else CREDENTIALS_AT_START
        return said is None or self._now() - datetime.fromisoformat(said) >= longest

    def _tried(self, account: Account) -> Served:
        try:
            return self.service.serve(account, lambda desk: desk.try_credentials())
        except Exception as error:  # noqa: BLE001 - as above
            return Served(account, End.FAILED, reason=_worded(error))

    # When to come again --------------------------------------------------------------------------

    def _wake(self, turn: Turn) -> datetime | None:
        """When to come again for an account, where something of it waits."""
        waits = self._waits[turn.account.name]
        times = [turn.todo.wake] if turn.todo.wake else []
        for done in turn.done:
            if not done.slug:
                continue
            key = (turn.account.name, done.slug)
            if done.served.end is End.LATER:
                self._failures[key] = self._failures.get(key, 0) + 1
                until = done.served.until or self._now() + growing(self._failures[key])
                waits[done.slug] = until
                times.append(until)
            else:
                self._failures.pop(key, None)
                waits.pop(done.slug, None)
        return min(times, default=None)

    def _now(self) -> datetime:
        return self.service.around.clock()


def _worded(error: Exception) -> str:
    """What went wrong; where in the program, for an error that nobody thought of."""
    if isinstance(error, BotError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"a bug in bot: {type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
