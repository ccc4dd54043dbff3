"""What the contract tests of all posters share: a clock, a timeout, and faults by name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.model import Network
from bot.sandbox import faults
from bot.sandbox.bluesky import answers as bluesky_answers
from bot.sandbox.faults import Fault
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.x import answers as x_answers

TIMEOUT = 30.0


class TickingClock:
    """Stands still until it is moved; begins in the middle of a second."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float = 2.0) -> None:
        self.now += timedelta(seconds=seconds)


LATER = timedelta(minutes=5)


def sandbox_faults(network: Network) -> dict[str, Fault]:
    unauthorized = {
        Network.TWITTER: x_answers.UNAUTHORIZED,
        Network.MASTODON: mastodon_answers.UNAUTHORIZED,
        Network.BLUESKY: bluesky_answers.NO_TOKEN,
    }[network]
    refused = faults.refusal("401", unauthorized)
    full = faults.too_many(network, LATER)
    return {
        "lost after": faults.CLOSED_AFTER,
        "lost before": faults.CLOSED_BEFORE,
        "401": refused,
        "401 read": refused,
        "429": full,
        "429 read": full,
        "503 read": faults.server_error(503),
    }
