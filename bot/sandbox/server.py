"""Serve the rules of networks over HTTP/1.1 on loopback, with the faults of a script."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self

from bot.sandbox.connection import REQUEST_SECONDS, Connection, head_of
from bot.sandbox.faults import Commit, Ending, Fault, Hang
from bot.sandbox.listener import HOST, MOST_CLIENTS, Listener
from bot.sandbox.script import Decider, RequestRecord, Script, ScriptLine, Stage
from bot.sandbox.wire import NetworkRules, Request, Response


class Sandbox:
    """Servers for the given networks, a context manager.

    `rules` holds the rules of each network by its name, or by any name if a network has two
    accounts. Each answer comes after `latency` seconds of `sleep`. `ports` fixes a network's port.
    A client has `seconds` for a request, and at most `most` clients are connected at once. The
    server holds `lock` while it uses the rules. Hold it to read them while clients are connected.
    """

    def __init__(  # noqa: PLR0913 - two are limits
        self,
        rules: Mapping[str, NetworkRules],
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
        self._limits = seconds, most
        self._changed = threading.Condition(self.lock)
        self._script = Script()
        self._log: list[RequestRecord] = []
        self._counts: Counter[str] = Counter()
        self._held: set[socket.socket] = set()

    def __enter__(self) -> Self:
        seconds, most = self._limits
        self._listener = Listener(
            self._rules, self._ports, self._attend, seconds=seconds, most=most
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def url(self, network: str) -> str:
        """Return the URL of a network, without a slash at the end."""
        return f"http://{HOST}:{self._listener.port(network)}"

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """Every request so far, of all networks, in order of arrival."""
        with self.lock:
            return tuple(self._log)

    def connections(self, network: str) -> int:
        """Return how many connections clients have made to a network."""
        return self._listener.opened(network)

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
        with self.lock:
            self._script.add(ScriptLine(fault, network, at, when, times))

    def decide(self, decider: Decider) -> None:
        """Call `decider` for each request before the script. It returns a fault or None.

        It is called with the lock held, so it must not wait. It may return a fault that hangs.
        """
        with self.lock:
            self._script.ask(decider)

    def fix(self) -> None:
        """Clear the script, so that no request fails any more."""
        with self.lock:
            self._script.clear()

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
        self._listener.shut(network)
        try:
            yield
        finally:
            self._listener.reopen(network)

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
        index, fault = self._arrive(network, number, request)
        if delay := self._latency + fault.delay:
            self._sleep(delay)
        if fault.hang is Hang.BEFORE and self._hold(index, client):
            return Ending.CLOSE
        own = self._carry_out(index, network, request, fault)
        if fault.hang is Hang.AFTER and self._hold(index, client):
            return Ending.CLOSE
        response = fault.answer(request, own, self._rules[network].now())
        data = fault.cut(head_of(response, keep=client.keep), response.body)
        # Noted first, so that the log has the request when the client has its answer.
        self._note(index, stage=Stage.DONE, status=response.status if data else None)
        client.send(data, last=fault.ending is Ending.CLOSE)
        return fault.ending

    def _arrive(self, network: str, connection: int, request: Request) -> tuple[int, Fault]:
        with self._changed:
            self._counts[network] += 1
            record = RequestRecord(self._counts[network], network, connection, request)
            fault = self._script.choose(record)
            self._log.append(replace(record, fault=fault.name))
            self._changed.notify_all()
            return len(self._log) - 1, fault

    def _carry_out(
        self, index: int, network: str, request: Request, fault: Fault
    ) -> Response | None:
        rules = self._rules[network]
        with self.lock:
            if fault.commit is Commit.LATER:
                rules.defer(request, fault.late)
            if fault.commit is not Commit.NOW:
                return None
            before = rules.settle()
            response = rules.answer(request)
            self._note(index, committed=rules.settle() > before)
            return response

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

    def _note(
        self,
        index: int,
        *,
        stage: Stage | None = None,
        status: int | None = None,
        committed: bool = False,
    ) -> None:
        with self._changed:
            known = self._log[index]
            self._log[index] = replace(
                known,
                stage=stage or known.stage,
                status=status,
                committed=known.committed or committed,
            )
            self._changed.notify_all()
