"""Switch faults on and off, for each network, while a bot posts."""

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
    """One kind of fault. `sends` limits it to requests that publish a post.

    With `once` it happens only once to the same request.
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
        "Every request is refused as one too many, for 3 seconds.",
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
        "Each new post is refused once as a duplicate, although it is new.",
        lambda _: faults.refusal("403 duplicate", DUPLICATE),
        _X_ONLY,
        sends=True,
        once=True,
    ),
    FaultKind(
        "credits",
        "402 no credits",
        "Every request is refused until the account has credits.",
        lambda _: faults.refusal("402 credits", NO_CREDITS),
        _X_ONLY,
    ),
)


class Switches:
    """The faults that are on. The sandbox calls `choose` with its lock held.

    Call `flip` with that lock held too.
    """

    def __init__(self, creates: dict[Network, str]) -> None:
        """Begin with no fault. `creates` holds, by network, the path that posts are sent to."""
        self._creates = creates
        self._on: set[tuple[Network, str]] = set()
        self._seen: set[tuple[Network, str, bytes]] = set()
        self.changes = 0

    def flip(self, network: Network, name: str, *, on: bool) -> None:
        """Switch a fault on or off. Raises KeyError if the network has no such fault."""
        if network not in self._creates or name not in {kind.name for kind in kinds(network)}:
            raise KeyError(name)
        (self._on.add if on else self._on.discard)((network, name))
        self.changes += 1

    def is_on(self, network: Network, name: str) -> bool:
        """Tell whether a fault is on."""
        return (network, name) in self._on

    def choose(self, record: RequestRecord) -> Fault | None:
        """Return the fault for a request, or None."""
        network = Network(record.network)
        sends = (record.method, record.path) == ("POST", self._creates[network])
        for kind in kinds(network):
            key = (network, kind.name, record.body)
            if not self.is_on(network, kind.name) or (kind.sends and not sends):
                continue
            if not kind.once or key not in self._seen:
                self._seen |= {key} if kind.once else set()
                return kind.fault(network)
        return None


def kinds(network: Network) -> tuple[FaultKind, ...]:
    """Return the kinds of faults that a network can have."""
    return tuple(kind for kind in KINDS if network in kind.networks)
