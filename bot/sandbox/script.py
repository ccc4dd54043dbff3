"""Which request goes wrong and how: the plan of a sandbox, and the log of what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bot.sandbox.faults import NONE, Fault
from bot.sandbox.wire import Request


class Stage(StrEnum):
    """How far a request has come: read, held on purpose, or over with."""

    ARRIVED = "arrived"
    HELD = "held"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request and what came of it.

    `number` counts the requests of one network from 1, `connection` its connections. `status` is
    that of the answer put on the wire, whole or cut; None while there is none, and where not a byte
    was sent. `committed` tells that it made or deleted a post, then and there: a replay does not.
    """

    number: int
    network: str
    connection: int
    request: Request
    fault: str = NONE.name
    stage: Stage = Stage.ARRIVED
    status: int | None = None
    committed: bool = False

    @property
    def method(self) -> str:
        """The request's method."""
        return self.request.method

    @property
    def path(self) -> str:
        """The request's path, without its query."""
        return self.request.path

    @property
    def body(self) -> bytes:
        """The request's body."""
        return self.request.body


Decider = Callable[[RequestRecord], Fault | None]


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """One line of the plan: `fault` for the requests that all conditions fit, `times` of them."""

    fault: Fault
    network: str | None
    at: int | None
    when: Callable[[Request], bool] | None
    times: int | None

    def fits(self, record: RequestRecord) -> bool:
        """Tell whether the line speaks of this request."""
        return (
            self.network in (None, record.network)
            and self.at in (None, record.number)
            and (self.when is None or self.when(record.request))
        )


class Script:
    """The plan: lines that are used up, and functions that are asked about every request."""

    def __init__(self) -> None:
        self._lines: list[tuple[ScriptLine, int]] = []
        self._deciders: list[Decider] = []

    def add(self, line: ScriptLine) -> None:
        """Add a line after those that are there."""
        self._lines.append((line, 0))

    def ask(self, decider: Decider) -> None:
        """Add a function that is asked first."""
        self._deciders.append(decider)

    def clear(self) -> None:
        """Forget the plan: from here on nothing goes wrong."""
        self._lines.clear()
        self._deciders.clear()

    def choose(self, record: RequestRecord) -> Fault:
        """Return what goes wrong with a request, using up the line that says so."""
        for decide in self._deciders:
            if fault := decide(record):
                return fault
        for index, (line, used) in enumerate(self._lines):
            if (line.times is None or used < line.times) and line.fits(record):
                self._lines[index] = (line, used + 1)
                return line.fault
        return NONE
