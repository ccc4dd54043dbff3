"""The alarm clock: APScheduler's thread rings, the main thread waits to be rung for.

What rings is only a name put where the main thread finds it, so that nothing here takes long and
nothing that takes long stops the clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Protocol

LONGEST_SLEEP = 60.0
"""The scheduler looks at the clock at least every so many seconds: it may have been set."""

LONGEST_STEP = timedelta(minutes=15)
"""A clock set back by no more rings nothing twice; set back further, it counts anew."""


class Due:
    """The names that were rung for, until they are fetched; any thread may ring.

    A signal's handler may, too: a SimpleQueue can be put into while it is being read.
    """

    def __init__(self) -> None:
        self._rings: SimpleQueue[tuple[str, ...]] = SimpleQueue()

    def ring(self, *names: str) -> None:
        """Ring for these names, in one; without any, whoever waits only wakes."""
        self._rings.put(names)

    def wait(self, timeout: float | None = None) -> frozenset[str]:
        """Wait to be rung, at most `timeout` seconds; return all names since the last wait."""
        names: set[str] = set()
        try:
            names.update(self._rings.get(timeout=timeout))
            while True:
                names.update(self._rings.get_nowait())
        except Empty:
            return frozenset(names)


class Rhythm(Protocol):
    """When to ring, again and again: a Schedule."""

    def after(self, moment: datetime) -> datetime:
        """Return the first time strictly after `moment`."""


class Ring(Protocol):
    """What is called with the names that are due."""

    def __call__(self, *names: str) -> None:
        """Return at once."""


class Timer:
    """Rings for names: at the times of schedules, and once at moments asked for.

    `ring` is called on the scheduler's thread, once for all that is due together. However late it
    is, what was missed rings once. `clock` may be set: forward, what was passed over rings within a
    minute; back by more than `LONGEST_STEP`, the schedules count anew, and what was asked for once
    rings within a minute, since its moment was reckoned by a clock that was wrong. `late` says by
    how many seconds it rings after a time of a schedule: two workers must not do so together.
    """

    def __init__(
        self,
        ring: Ring,
        clock: Callable[[], datetime],
        late: Callable[[datetime], float] = lambda _: 0.0,
    ) -> None:
        self._ring = ring
        self._clock = clock
        self._late = late
        self._sign: tuple[float, Callable[[], None]] = (LONGEST_SLEEP, lambda: None)
        self._lock = Lock()
        self._due: set[str] = set()
        self._latest = clock()
        self._zone = _Zone(clock)
        self._scheduler = _scheduler(self._zone, self._round)

    def every(self, schedule: Rhythm, names: frozenset[str]) -> None:
        """Ring for these names whenever the schedule says."""
        trigger = _Again(schedule, self._zone, self._late)
        first = trigger.get_next_fire_time(None, self._clock())
        self._scheduler.add_job(self._is_due, trigger, args=(names,), next_run_time=first)

    def at(self, moment: datetime, name: str) -> None:
        """Ring for a name once; of several moments asked for the same name, only the earliest."""
        moment, key = self._zone.mark(moment), f"at {name}"
        with self._lock:
            job = self._scheduler.get_job(key)
            if job is None:
                self._scheduler.add_job(
                    self._is_due, _Once(), args=({name},), id=key, next_run_time=moment
                )
            elif moment < job.next_run_time:
                self._scheduler.modify_job(key, next_run_time=moment)

    def tick(self, seconds: float, call: Callable[[], None]) -> None:
        """Call, as a sign of life, each time the scheduler has looked: at least every `seconds`.

        It is called on the scheduler's thread, and returns at once.
        """
        self._sign = (seconds, call)
        if self._scheduler.running:
            self._scheduler.wakeup()

    def next_run(self) -> datetime | None:
        """When it rings next, by the clock as it is now; None where nothing is to ring."""
        times = [job.next_run_time.replace(tzinfo=UTC) for job in self._scheduler.get_jobs()]
        return min(times, default=None)

    def start(self) -> None:
        """Begin to ring; what became due before rings at once."""
        self._scheduler.start()

    def stop(self) -> None:
        """Ring no more, from this on; all that was asked for is forgotten."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    # On the scheduler's thread -------------------------------------------------------------------

    def _round(self, look: Callable[[], float | None]) -> float:
        """Let the scheduler look for what is due, and ring; return how many seconds to sleep."""
        seconds, call = self._sign
        with self._lock:
            self._mind_the_clock()
            wait = look()
            names, self._due = self._due, set()
        if names:
            self._ring(*sorted(names))
        call()
        longest = min(seconds, LONGEST_SLEEP)
        return longest if wait is None else min(wait, longest)

    def _mind_the_clock(self) -> None:
        """Reckon every next time anew where the clock was set back: it would be long in coming."""
        now = self._clock()
        if self._latest - now > LONGEST_STEP:
            for job in self._scheduler.get_jobs():
                self._scheduler.reschedule_job(job.id, trigger=job.trigger)
            self._latest = now
        self._latest = max(self._latest, now)

    def _is_due(self, names: Collection[str]) -> None:
        self._due.update(names)


# What APScheduler is made to do ------------------------------------------------------------------


class _Zone(tzinfo):
    """UTC, where it is as late as the worker's clock says.

    APScheduler has no place for a clock: it asks its time zone what time it is now, by `fromutc`.
    Moments that are in this zone already are left as they are.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def mark(self, moment: datetime) -> datetime:
        return moment.astimezone(UTC).replace(tzinfo=self)

    def fromutc(self, _moment: datetime) -> datetime:
        return self.mark(self._clock())

    def utcoffset(self, _moment: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, _moment: datetime | None) -> None:
        return None

    def tzname(self, _moment: datetime | None) -> str:
        return "UTC"


class _Trigger(Protocol):
    """APScheduler's BaseTrigger: https://apscheduler.readthedocs.io/en/3.x/extending.html ."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """Return when to fire after `previous`; None for never again."""


@dataclass(frozen=True, slots=True)
class _Again:
    """Fires at the times of a schedule that are still to come: what was missed is not made up."""

    schedule: Rhythm
    zone: _Zone
    late: Callable[[datetime], float]

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        following = self.schedule.after(now.replace(tzinfo=UTC))
        return self.zone.mark(following + timedelta(seconds=self.late(following)))


@dataclass(frozen=True, slots=True)
class _Once:
    """Fires once: at the time the job was given, or now if it is asked anew."""

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        return now if previous is None else None


class _Job(Protocol):
    """What is used of APScheduler's Job."""

    id: str
    trigger: _Trigger
    next_run_time: datetime


class _Scheduler(Protocol):
    """What is used of APScheduler's BackgroundScheduler, which has no types."""

    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def shutdown(self, wait: bool) -> None: ...  # noqa: FBT001 - theirs
    def wakeup(self) -> None: ...
    def add_job(
        self, func: Callable[[Collection[str]], None], trigger: _Trigger, **options: object
    ) -> _Job: ...
    def get_job(self, job_id: str) -> _Job | None: ...
    def get_jobs(self) -> Sequence[_Job]: ...
    def modify_job(self, job_id: str, *, next_run_time: datetime) -> _Job: ...
    def reschedule_job(self, job_id: str, *, trigger: _Trigger) -> _Job: ...


def _scheduler(zone: _Zone, around: Callable[[Callable[[], float | None]], float]) -> _Scheduler:
    """Make a scheduler of which every round is made by `around`, and that runs jobs at once."""
    # It loads at first use; so do the types it does not have.
    from apscheduler.executors.debug import DebugExecutor  # type: ignore[import-untyped]
    from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
    from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

    class Scheduler(BackgroundScheduler):  # type: ignore[misc] # theirs has no types
        """One that never sleeps longer than it is told to."""

        def _process_jobs(self) -> float:
            return around(super()._process_jobs)

    for trigger in (_Again, _Once):
        BaseTrigger.register(trigger)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)  # else a line for each ring
    scheduler: _Scheduler = Scheduler(
        timezone=zone,
        executors={"default": DebugExecutor()},
        job_defaults={"misfire_grace_time": None, "coalesce": True},
    )
    return scheduler
