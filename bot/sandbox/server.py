"""Serve the rules of networks over HTTP/1.1 on loopback, with the faults of a script."""

from __future__ import annotations

import math
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Self

from bot.sandbox.connection import REQUEST_SECONDS, Connection
from bot.sandbox.faults import NONE, Commit, Ending, Fault, Hang
from bot.sandbox.listener import HOST, MOST_CLIENTS, Listener
from bot.sandbox.script import Decider, RequestRecord, Stage
from bot.sandbox.service import NetworkService
from bot.sandbox.wire import Request


class Sandbox:
    """Servers for the given networks, a context manager.

    `rules` holds the rules of each network by its name, or by any name if a network has two
    accounts. Each answer comes after `latency` seconds of `sleep`. `ports` fixes a network's port.
    A client has `seconds` for a request, and at most `most` clients are connected at once. The
    server holds `lock` while it uses the rules. Hold it to read them while clients are connected.
    """

    def __init__(  # noqa: PLR0913 - two are limits
        self,
        rules: Mapping[str, NetworkService],
        *,
        latency: float = 0.0,
        sleep: Callable[[float], None] = time.sleep,
        ports: Mapping[str, int] | None = None,
        seconds: float = REQUEST_SECONDS,
        most: int = MOST_CLIENTS,
    ) -> None:
        self.lock = threading.RLock()
        self._rules = dict(rules)
        self._latency = latency
        self._sleep = sleep
        self._ports = dict(ports or {})
        self._seconds = seconds
        self._most = most
        self._changed = threading.Condition(self.lock)
        self._deciders: list[Decider] = []
        self._lines: list[Decider] = []
        self._log: list[RequestRecord] = []
        self._counts: Counter[str] = Counter()
        self._held: set[socket.socket] = set()
        self._listeners: dict[str, Listener] = {}
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            for name in self._rules:
                attend = partial(self._attend, name)
                listener = Listener(self._ports.get(name, 0), attend, self._seconds, self._most)
                opened.callback(listener.close)
                self._listeners[name] = listener
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def url(self, network: str) -> str:
        """Return the URL of a network, without a slash at the end."""
        return f"http://{HOST}:{self._listeners[network].port}"

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """Every request so far, of all networks, in order of arrival."""
        with self.lock:
            return tuple(self._log)

    def connections(self, network: str) -> int:
        """Return how many connections clients have made to a network."""
        return self._listeners[network].opened

    def script(
        self,
        fault: Fault,
        *,
        network: str | None = None,
        at: int | None = None,
        when: Callable[[Request], bool] | None = None,
        times: int | None = 1,
    ) -> None:
        """Let requests fail: the N-th (`at`) of a network, those that `when` accepts, or the next.

        With `times` None every request that meets the conditions fails. Earlier lines come first.
        """
        left = math.inf if times is None else times

        def line(record: RequestRecord) -> Fault | None:
            nonlocal left
            fits = (
                left > 0
                and network in (None, record.network)
                and at in (None, record.number)
                and (when is None or when(record.request))
            )
            left -= fits
            return fault if fits else None

        with self.lock:
            self._lines.append(line)

    def decide(self, decider: Decider) -> None:
        """Call `decider` for each request before the script. It returns a fault or None.

        It is called with the lock held, so it must not wait. It may return a fault that hangs.
        """
        with self.lock:
            self._deciders.append(decider)

    def fix(self) -> None:
        """Clear the script, so that no request fails any more."""
        with self.lock:
            self._deciders.clear()
            self._lines.clear()

    def release(self) -> None:
        """Let every held request go on."""
        with self.lock:
            for held in self._held:
                held.send(b".")

    def wait(self, fits: Callable[[Sequence[RequestRecord]], bool], timeout: float = 30.0) -> bool:
        """Wait until `fits` accepts the log. Return False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: fits(self._log), timeout)

    @contextmanager
    def down(self, network: str) -> Iterator[None]:
        """Take a network down for the `with` block: close its connections, refuse new ones."""
        self._listeners[network].close()
        try:
            yield
        finally:
            self._listeners[network].open()

    def _attend(self, network: str, number: int, client: Connection) -> None:
        while client.keep and (request := client.receive()):
            ending = self._exchange(network, number, client, request)
            if ending is not Ending.KEEP:
                client.close(reset=ending is Ending.RESET)
                return
            if self._rules[network].hangs_up and client.keep:
                client.close(reset=client.receive() is not None)
                return

    def _exchange(self, network: str, number: int, client: Connection, request: Request) -> Ending:
        rules = self._rules[network]
        with self._changed:
            self._counts[network] += 1
            record = RequestRecord(self._counts[network], network, number, request)
            chosen = (each(record) for each in (*self._deciders, *self._lines))
            fault = next(filter(None, chosen), NONE)
            index = len(self._log)
            self._log.append(replace(record, fault=fault.name))
            self._changed.notify_all()
        if delay := self._latency + fault.delay:
            self._sleep(delay)
        if fault.hang is Hang.BEFORE and self._hold(index, client):
            return Ending.CLOSE
        own = None
        with self._changed:
            if fault.commit is Commit.LATER:
                rules.defer(request, fault.late)
            if fault.commit is Commit.NOW:
                before = rules.settle()
                own = rules.answer(request)
                self._note(index, committed=rules.settle() > before)
        if fault.hang is Hang.AFTER and self._hold(index, client):
            return Ending.CLOSE
        response = fault.answer(request, own, rules.now())
        data = fault.cut(*client.bytes_of(response))
        # Noted first, so that the log has the request when the client has its answer.
        self._note(index, stage=Stage.DONE, status=response.status if data else None)
        client.send(data, last=fault.ending is Ending.CLOSE)
        return fault.ending

    def _hold(self, index: int, client: Connection) -> bool:
        """Hold a request until it is released. Return True if its client leaves first."""
        released, release = socket.socketpair()
        with released, release:
            with self.lock:
                self._held.add(release)
                self._note(index, stage=Stage.HELD)
            left = client.left(released)
            with self.lock:
                self._held.remove(release)
                self._note(index, stage=Stage.DONE if left else Stage.ARRIVED)
        return left

    def _note(self, index: int, **changes: object) -> None:
        with self._changed:
            self._log[index] = replace(self._log[index], **changes)  # type: ignore[arg-type]
            self._changed.notify_all()
