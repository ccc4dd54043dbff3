"""The table of simulated networks: their rules, their profile on the page, a bot's settings.

To add a network, add a function to `TABLE`.
"""

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

Clock = Callable[[], datetime]

# The same for all, so that the columns of the page stand in line in any font.
_BIO = "A simulation. Only you see these posts."


def _no_details(post: Stored) -> RecordDetails:
    del post
    return RecordDetails()


@dataclass(frozen=True, slots=True)
class StandIn:
    """One simulated network, and its one account.

    `creates` is the path that posts are sent to. `environ` returns the settings that make a bot
    post here, given the network's URL. `upload` returns an uploaded file by its id. `details`
    returns what a post holds beside its text, for a network that finds no links by itself.
    """

    network: Network
    rules: NetworkService
    limit: int
    name: str
    handle: str
    bio: str
    creates: str
    environ: Callable[[str], Mapping[str, str]]
    upload: Callable[[str], Medium | None]
    details: Callable[[Stored], RecordDetails] = _no_details
    badge: str = ""


def stand_ins(clock: Callable[[Network], Clock]) -> tuple[StandIn, ...]:
    """Return every network of the table, each with its own clock."""
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
        _BIO,
        "/2/tweets",
        environ,
        rules.uploads.get,
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
        _BIO,
        "/api/v1/statuses",
        environ,
        rules.uploads.get,
        badge="Automated",
    )


def _bluesky(clock: Clock) -> StandIn:
    rules = BlueskyRules(clock)

    def environ(url: str) -> Mapping[str, str]:
        return {
            "BLUESKY_HANDLE": rules.handle,
            "BLUESKY_APP_PASSWORD": APP_PASSWORD,
            "BLUESKY_SERVICE_URL": url,
        }

    def upload(media_id: str) -> Medium | None:
        blob = rules.blobs.get(media_id)
        return Medium(media_id, blob.data, blob.mime, blob.uploaded) if blob else None

    def details(post: Stored) -> RecordDetails:
        record = rules.record(post.id)
        return details_of(record.value) if record else RecordDetails()

    return StandIn(
        Network.BLUESKY,
        rules,
        LIMITS[Network.BLUESKY],
        "Paper Digest",
        f"@{rules.handle}",
        _BIO,
        "/xrpc/com.atproto.repo.putRecord",
        environ,
        upload,
        details,
    )


TABLE: Mapping[Network, Callable[[Clock], StandIn]] = {
    Network.TWITTER: _x,
    Network.MASTODON: _mastodon,
    Network.BLUESKY: _bluesky,
}
