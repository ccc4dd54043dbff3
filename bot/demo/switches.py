"""Faults that can be switched on and off, network by network, while a bot is at work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from bot.model import Network
from bot.sandbox import faults
from bot.sandbox.faults import Fault
from bot.sandbox.script import RequestRecord
from bot.sandbox.x.answers import DUPLICATE, NO_CREDITS

_RESET = timedelta(seconds=3)
_X_ONLY = frozenset({Network.TWITTER})


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One thing that can go wrong. `sends` says that it befalls only requests to publish.

    With `once` it befalls the same request only once.
    """

    name: str
    label: str
    hint: str
    fault: Callable[[Network], Fault]
    networks: frozenset[Network] = frozenset(Network)
    sends: bool = False
    once: bool = False


KINDS = (
    FaultKind(
        "limit",
        "429 rate limit",
        "Every request is refused: too many, come back in 3 seconds.",
        lambda network: faults.too_many(network, _RESET),
    ),
    FaultKind(
        "outage",
        "503 outage",
        "Every request gets an error page, and nothing is carried out.",
        lambda _: faults.server_error(503),
    ),
    FaultKind(
        "dropped",
        "Lost answers",
        "Posts are published, but the answer never arrives.",
        lambda _: faults.CLOSED_AFTER,
        sends=True,
    ),
    FaultKind(
        "duplicate",
        "403 duplicate",
        "Each new post is refused once as a duplicate, though it is none.",
        lambda _: faults.refusal("403 duplicate", DUPLICATE),
        _X_ONLY,
        sends=True,
        once=True,
    ),
    FaultKind(
        "credits",
        "402 no credits",
        "Every request is refused until the account is paid for.",
        lambda _: faults.refusal("402 credits", NO_CREDITS),
        _X_ONLY,
    ),
)


class Switches:
    """Which faults are on. The sandbox asks `choose`, and holds its lock around it.

    `flip` is to be called with that lock held, too.
    """

    def __init__(self, creates: dict[Network, str]) -> None:
        """Begin with nothing wrong; `creates` gives the path that posts are sent to."""
        self._creates = creates
        self._on: set[tuple[Network, str]] = set()
        self._seen: set[tuple[Network, str, bytes]] = set()
        self.changes = 0

    def flip(self, network: Network, name: str, *, on: bool) -> None:
        """Switch a fault on or off. KeyError where the network knows no such fault."""
        if network not in self._creates or name not in {kind.name for kind in kinds(network)}:
            raise KeyError(name)
        (self._on.add if on else self._on.discard)((network, name))
        self.changes += 1

    def is_on(self, network: Network, name: str) -> bool:
        """Tell whether a fault is on."""
        return (network, name) in self._on

    def choose(self, record: RequestRecord) -> Fault | None:
        """Return what goes wrong with a request, None where nothing does."""
        network = Network(record.network)
        for kind in kinds(network):
            if self.is_on(network, kind.name) and self._befalls(kind, network, record):
                return kind.fault(network)
        return None

    def _befalls(self, kind: FaultKind, network: Network, record: RequestRecord) -> bool:
        if kind.sends and (record.method, record.path) != ("POST", self._creates[network]):
            return False
        if not kind.once:
            return True
        key = (network, kind.name, record.body)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def kinds(network: Network) -> tuple[FaultKind, ...]:
    """Return the faults that a network can have."""
    return tuple(kind for kind in KINDS if network in kind.networks)
