"""The simulated networks: their rules, their profile on the page, a bot's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bot.demo.records import RecordDetails, details_of
from bot.formatter.limits import LIMITS
from bot.model import Network
from bot.sandbox.bluesky.rules import APP_PASSWORD, BlueskyRules
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.service import NetworkService, Stored
from bot.sandbox.uploads import Medium
from bot.sandbox.x.rules import XRules

NAME = "Paper Digest"
# The same for all, so that the columns of the page stand in line in any font.
BIO = "A simulation. Only you see these posts."


@dataclass(frozen=True, slots=True)
class StandIn:
    """One simulated network, and its one account.

    `creates` is the path that posts are sent to. `upload` returns an uploaded file by its id.
    `settings` make a bot post here. An empty one stands for the network's URL.
    """

    network: Network
    rules: NetworkService
    limit: int
    handle: str
    creates: str
    settings: Mapping[str, str]
    upload: Callable[[str], Medium | None]
    badge: str = ""

    def environ(self, url: str) -> Mapping[str, str]:
        """Return the settings that make a bot post here, given the network's URL."""
        return {name: value or url for name, value in self.settings.items()}

    def details(self, post: Stored) -> RecordDetails:
        """Return what a post holds beside its text, if the network finds no links by itself."""
        record = self.rules.record(post.id) if isinstance(self.rules, BlueskyRules) else None
        return details_of(record.value) if record else RecordDetails()


def stand_ins(clock: Callable[[Network], Callable[[], datetime]]) -> tuple[StandIn, ...]:
    """Return every network, each with its own clock."""
    x, mastodon = XRules(clock(Network.TWITTER)), MastodonRules(clock(Network.MASTODON))
    bluesky = BlueskyRules(clock(Network.BLUESKY))

    def blob(cid: str) -> Medium | None:
        found = bluesky.blobs.get(cid)
        return Medium(cid, found.data, found.mime, found.uploaded) if found else None

    return (
        StandIn(
            Network.TWITTER,
            x,
            x.behaviour.max_weight,
            f"@{x.username}",
            "/2/tweets",
            {
                "TWITTER_API_URL": "",
                "TWITTER_CONSUMER_KEY": x.keys.consumer_key,
                "TWITTER_CONSUMER_SECRET": x.keys.consumer_secret,
                "TWITTER_ACCESS_TOKEN": x.keys.access_token,
                "TWITTER_ACCESS_TOKEN_SECRET": x.keys.access_token_secret,
            },
            x.uploads.get,
        ),
        StandIn(
            Network.MASTODON,
            mastodon,
            mastodon.behaviour.max_characters,
            f"@{mastodon.profile.username}@sandbox",
            "/api/v1/statuses",
            {"MASTODON_API_BASE_URL": "", "MASTODON_ACCESS_TOKEN": mastodon.token},
            mastodon.uploads.get,
            badge="Automated",
        ),
        StandIn(
            Network.BLUESKY,
            bluesky,
            LIMITS[Network.BLUESKY],
            f"@{bluesky.handle}",
            "/xrpc/com.atproto.repo.putRecord",
            {
                "BLUESKY_HANDLE": bluesky.handle,
                "BLUESKY_APP_PASSWORD": APP_PASSWORD,
                "BLUESKY_SERVICE_URL": "",
            },
            blob,
        ),
    )
