"""Choose the fault of each request, by a script, and record the requests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bot.sandbox.faults import NONE, Fault
from bot.sandbox.wire import Request


class Stage(StrEnum):
    """How far a request has come: it was read, is held on purpose, or is done."""

    ARRIVED = "arrived"
    HELD = "held"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One request and its result.

    `number` counts the requests of one network from 1, `connection` its connections. `status` is
    that of the answer that was sent, complete or cut. It is None before the answer, and if no byte
    was sent. `committed` tells that this request made or deleted a post. A replay does neither.
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
    """One line of a script: `fault` for the requests that meet all conditions, `times` of them."""

    fault: Fault
    network: str | None
    at: int | None
    when: Callable[[Request], bool] | None
    times: int | None

    def fits(self, record: RequestRecord) -> bool:
        """Tell whether this request meets the conditions."""
        return (
            self.network in (None, record.network)
            and self.at in (None, record.number)
            and (self.when is None or self.when(record.request))
        )


class Script:
    """Lines that are used up one by one, and functions that decide about every request."""

    def __init__(self) -> None:
        self._lines: list[tuple[ScriptLine, int]] = []
        self._deciders: list[Decider] = []

    def add(self, line: ScriptLine) -> None:
        """Add a line at the end."""
        self._lines.append((line, 0))

    def ask(self, decider: Decider) -> None:
        """Add a function that is called before the lines are used."""
        self._deciders.append(decider)

    def clear(self) -> None:
        """Remove all lines and functions, so that no request fails any more."""
        self._lines.clear()
        self._deciders.clear()

    def choose(self, record: RequestRecord) -> Fault:
        """Return the fault of a request, and use up the line that it comes from."""
        for decide in self._deciders:
            if fault := decide(record):
                return fault
        for index, (line, used) in enumerate(self._lines):
            if (line.times is None or used < line.times) and line.fits(record):
                self._lines[index] = (line, used + 1)
                return line.fault
        return NONE
