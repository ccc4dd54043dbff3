"""Being told to stop: what counts once, what counts twice, and when the process ends at once."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import cast

import pytest

from bot.cli import signals
from bot.cli.signals import LONGEST_STOP
from bot.model import Network
from bot.sandbox.faults import server_error
from bot.sandbox.wire import Request
from tests.helpers.cli_world import CliWorld, cli_world

SECONDS = 120.0  # what hangs fails then
TERM, INT = signal.SIGTERM, signal.SIGINT
Rings = Sequence[tuple[float, signal.Signals]]
"""Signals as they come: after how many seconds, and which."""

TOGETHER: Sequence[Rings] = (
    [(0.0, TERM)],
    [(0.0, TERM), (0.0, TERM)],
    [(0.0, TERM), (1.0, TERM), (1.9, TERM)],
    [(0.0, INT)],
    [(0.0, TERM), (0.1, INT)],
    [(0.0, INT), (0.1, TERM), (2.0, TERM)],
)
"""The process is asked to stop, and ends by itself."""
ONE_BY_ONE: Sequence[tuple[Rings, signal.Signals]] = (
    ([(0.0, TERM), (2.1, TERM)], TERM),
    ([(0.0, TERM), (1.9, TERM), (2.5, TERM)], TERM),
    ([(0.0, INT), (0.0, INT)], INT),
    ([(0.0, TERM), (0.1, INT), (0.2, INT)], INT),
    ([(0.0, INT), (0.1, TERM), (2.2, TERM)], TERM),
)
"""The last signal of these ends it at once."""


class EndedAtOnce(BaseException):
    """Stands for the end of the process, by the number of a signal or with a status."""

    def __init__(self, how: int) -> None:
        super().__init__(how)
        self.how = how


@dataclass
class FakeTime:
    """The monotonic clock of a module, which a test sets."""

    seconds: float = 0.0

    def monotonic(self) -> float:
        return self.seconds


Handler = Callable[[int, FrameType | None], object]


@dataclass
class FakeSignals:
    """Python's module `signal`, for a process whose default for every signal is to end."""

    SIGINT: signal.Signals = INT
    SIGTERM: signal.Signals = TERM
    SIG_DFL: signal.Handlers = signal.SIG_DFL
    handlers: dict[int, Handler | signal.Handlers] = field(default_factory=dict)

    def getsignal(self, number: int) -> Handler | signal.Handlers:
        return self.handlers.get(number, self.SIG_DFL)

    def signal(self, number: int, handler: Handler | signal.Handlers) -> Handler | signal.Handlers:
        before = self.getsignal(number)
        self.handlers[number] = handler
        return before

    def raise_signal(self, number: int) -> None:
        handler = self.getsignal(number)
        if isinstance(handler, signal.Handlers):
            raise EndedAtOnce(number)
        handler(number, None)


# bot post ----------------------------------------------------------------------------------------


def told(monkeypatch: pytest.MonkeyPatch, rings: Rings) -> bool:
    """Let a command hear these signals; whether it is to stop. Raises EndedAtOnce."""
    clock, fakes, stop = FakeTime(), FakeSignals(), threading.Event()
    monkeypatch.setattr(signals, "time", clock)
    monkeypatch.setattr(signals, "signal", fakes)
    try:
        with signals.stop_on_signal(stop):
            for seconds, number in rings:
                clock.seconds = 1000.0 + seconds
                fakes.raise_signal(number)
            assert stop.wait(SECONDS), "it was not told"
    finally:
        assert set(fakes.handlers.values()) == {signal.SIG_DFL}, "handlers are left behind"
        for each in threading.enumerate():
            if each.name == "stopper":  # it ends once it has passed a signal on
                each.join(SECONDS)
    return stop.is_set()


@pytest.mark.parametrize("rings", TOGETHER, ids=str)
def test_what_comes_together_stops_a_command_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], rings: Rings
) -> None:
    assert told(monkeypatch, rings)
    assert capsys.readouterr().err == "Stopping after the current request.\n"


@pytest.mark.parametrize(("rings", "by"), ONE_BY_ONE, ids=str)
def test_a_second_one_ends_a_command_at_once(
    monkeypatch: pytest.MonkeyPatch, rings: Rings, by: signal.Signals
) -> None:
    with pytest.raises(EndedAtOnce) as ended:
        told(monkeypatch, rings)
    assert ended.value.how == by


@pytest.fixture
def bot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[CliWorld]:
    with cli_world(tmp_path, capsys) as made:
        yield made


def test_two_sigterms_in_the_middle_of_a_thread_lose_no_post(
    bot: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As platforms send them: one to the process, and one to its group."""
    monkeypatch.setattr(signals, "time", FakeTime(1000.0))

    def press(request: Request) -> bool:
        if request.method == "POST" and b"2602.10002" in request.body:
            stoppers = [each for each in threading.enumerate() if each.name == "stopper"]
            for _ in range(2):
                os.kill(os.getpid(), TERM)
            for each in stoppers:  # it ends once it has passed the signal on
                each.join(SECONDS)
        return False

    bot.sandbox.script(server_error(500), network="mastodon", when=press)
    status, out, err = bot("post", networks=[Network.MASTODON])
    assert (status, err) == (75, "Stopping after the current request.\n")
    assert "Stopped before the thread was finished" in out
    assert len(bot.live(Network.MASTODON)) == 3, "the request in flight was not let end"
    assert bot("post", networks=[Network.MASTODON])[0] == 0
    assert len(bot.live(Network.MASTODON)) == 4


# bot run -----------------------------------------------------------------------------------------


@dataclass
class FakeWire:
    """The socket by which the worker hears signals: each comes in its time, then it is closed."""

    clock: FakeTime
    rings: Rings
    patience: float | None = None

    def __post_init__(self) -> None:
        self._left = list(self.rings)

    def settimeout(self, seconds: float | None) -> None:
        self.patience = seconds

    def recv(self, _: int) -> bytes:
        if not self._left:
            return b""
        at, number = self._left[0]
        if self.patience is not None and self.clock.seconds + self.patience < 1000.0 + at:
            self.clock.seconds += self.patience
            raise TimeoutError
        self._left.pop(0)
        self.clock.seconds = 1000.0 + at
        return bytes([number])


def heard(monkeypatch: pytest.MonkeyPatch, rings: Rings) -> list[str]:
    """Let the worker hear these signals; what it was told. Raises EndedAtOnce."""

    def leave_at_once(status: int) -> None:
        raise EndedAtOnce(status)

    clock = FakeTime(1000.0)
    monkeypatch.setattr(signals, "time", clock)
    monkeypatch.setattr(signals, "os", SimpleNamespace(_exit=leave_at_once))
    received = signals.WorkerSignals(cast("socket.socket", FakeWire(clock, rings)))
    said: list[str] = []
    with received.calling(lambda: said.append("stop"), lambda: said.append("leave")):
        received.listen()
    return said


@pytest.mark.parametrize("rings", TOGETHER, ids=str)
def test_what_comes_together_stops_the_worker_once(
    monkeypatch: pytest.MonkeyPatch, rings: Rings
) -> None:
    assert heard(monkeypatch, rings) == ["stop"]


@pytest.mark.parametrize(("rings", "by"), ONE_BY_ONE, ids=str)
def test_a_second_one_ends_the_worker_at_once(
    monkeypatch: pytest.MonkeyPatch, rings: Rings, by: signal.Signals
) -> None:
    with pytest.raises(EndedAtOnce) as ended:
        heard(monkeypatch, rings)
    assert ended.value.how == 128 + by


@pytest.mark.parametrize("number", [TERM, INT])
def test_a_worker_that_does_not_end_in_time_leaves(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The time counts from the first signal, however many follow."""
    rings: Rings = [(0.0, number), (1.9, TERM), (LONGEST_STOP + 0.1, INT)]
    rings = rings if number == TERM else [rings[0], rings[2]]
    with pytest.raises(EndedAtOnce) as ended:
        heard(monkeypatch, rings)
    assert ended.value.how == 0
