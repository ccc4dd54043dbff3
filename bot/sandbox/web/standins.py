"""The table of the networks that stand in: their rules, how they look, how a bot gets to them.

Another network is another function in `TABLE`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.model import Network
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.service import Service
from bot.sandbox.uploads import Medium
from bot.sandbox.x.rules import XRules

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class StandIn:
    """One network on this machine, and its one account.

    `creates` is the path that posts are sent to, `environ` gives the variables that lead a bot
    there from the address it is served at. `uploads` are the files received, by id.
    """

    network: Network
    rules: Service
    limit: int
    name: str
    handle: str
    bio: str
    creates: str
    environ: Callable[[str], Mapping[str, str]]
    uploads: Mapping[str, Medium]
    badge: str = ""


def stand_ins(clock: Callable[[Network], Clock]) -> tuple[StandIn, ...]:
    """Make every network of the table, each with its own clock."""
    return tuple(make(clock(network)) for network, make in TABLE.items())


def _x(clock: Clock) -> StandIn:
    rules = XRules(clock)
    keys = rules.keys

    def environ(url: str) -> Mapping[str, str]:
        return {
            "TWITTER_API_URL": url,
            "TWITTER_CONSUMER_KEY": keys.consumer_key,
            "TWITTER_CONSUMER_SECRET": keys.consumer_secret,
            "TWITTER_ACCESS_TOKEN": keys.access_token,
            "TWITTER_ACCESS_TOKEN_SECRET": keys.access_token_secret,
        }

    return StandIn(
        Network.TWITTER,
        rules,
        rules.behaviour.max_weight,
        "Paper Digest",
        f"@{rules.username}",
        "A stand-in for X on this machine: nobody else sees this.",
        "/2/tweets",
        environ,
        rules.uploads,
    )


def _mastodon(clock: Clock) -> StandIn:
    rules = MastodonRules(clock)

    def environ(url: str) -> Mapping[str, str]:
        return {"MASTODON_API_BASE_URL": url, "MASTODON_ACCESS_TOKEN": rules.token}

    return StandIn(
        Network.MASTODON,
        rules,
        rules.behaviour.max_characters,
        "Paper Digest",
        f"@{rules.profile.username}@sandbox",
        "A stand-in for a Mastodon server: nobody else sees this.",
        "/api/v1/statuses",
        environ,
        rules.uploads,
        "Automated",
    )


TABLE: Mapping[Network, Callable[[Clock], StandIn]] = {
    Network.TWITTER: _x,
    Network.MASTODON: _mastodon,
}
