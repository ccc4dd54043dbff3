"""The record of a request, and of what became of it."""

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
"""Chooses the fault of a request, or None for no fault of its own."""
