"""Runs the commands of `bot` in the test's process against simulated networks, without waits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.cli import ProcessContext, run
from bot.ledger.store import Ledger
from bot.model import Digest, Network
from bot.sandbox.mastodon.rules import TOKEN, MastodonRules
from bot.sandbox.server import Sandbox
from bot.sandbox.service import Stored
from bot.sandbox.x.behaviour import XBehaviour
from bot.sandbox.x.oauth1 import OAuthKeys
from bot.sandbox.x.rules import XRules
from tests.helpers.digest_writer import write
from tests.helpers.fake_world import digest as day_of
from tests.helpers.fake_world import paper

DAY = date(2026, 2, 28)
SLUG = f"hot-papers-{DAY}"
FAST_SETTINGS = {
    "BOT_PAUSE": "0",
    "BOT_SETTLE": "0",
    "BOT_RETRY_WAIT": "0.01",
    "BOT_PATIENCE": "1s",
    "BOT_HTTP_TIMEOUT": "30",
}


def now() -> datetime:
    return datetime.now(UTC)


def recent_digest(
    papers: int = 2, day: date = DAY, first: int = 1, age_days: float = 0.1
) -> Digest:
    """A digest that was published so many days ago."""
    published = (now() - timedelta(days=age_days)).replace(microsecond=0)
    ranked = tuple(replace(paper(first + n), rank=n + 1) for n in range(papers))
    return replace(day_of(0, day), papers=ranked, published=published)


@dataclass
class CliWorld:
    """A folder with digests, two simulated networks, and a call that runs `bot`."""

    folder: Path
    sandbox: Sandbox
    x: XRules
    mastodon: MastodonRules
    screen: pytest.CaptureFixture[str]

    def environ(self, networks: Sequence[Network] = ()) -> dict[str, str]:
        chosen = networks or (Network.TWITTER, Network.MASTODON)
        keys = self.x.keys
        given = {
            Network.TWITTER: {
                "TWITTER_CONSUMER_KEY": keys.consumer_key,
                "TWITTER_CONSUMER_SECRET": keys.consumer_secret,
                "TWITTER_ACCESS_TOKEN": keys.access_token,
                "TWITTER_ACCESS_TOKEN_SECRET": keys.access_token_secret,
                "TWITTER_API_URL": self.sandbox.url("twitter"),
            },
            Network.MASTODON: {
                "MASTODON_API_BASE_URL": self.sandbox.url("mastodon"),
                "MASTODON_ACCESS_TOKEN": self.mastodon.token,
            },
        }
        environ = FAST_SETTINGS | {"BOT_DIGESTS": str(self.folder / "digests")}
        for network in chosen:
            environ |= given[network]
        return environ

    def __call__(
        self,
        *arguments: str,
        networks: Sequence[Network] = (),
        asks: bool = False,
        **more: str,
    ) -> tuple[int, str, str]:
        environ = self.environ(networks) | more
        status = run(arguments, ProcessContext(environ, self.folder, asks))
        out, err = self.screen.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    def json(
        self, *arguments: str, expected: int = 0, networks: Sequence[Network] = (), **more: str
    ) -> dict[str, list[dict[str, object]]]:
        status, out, err = self(*arguments, "--json", networks=networks, asks=False, **more)
        assert status == expected, err
        return json.loads(out)  # type: ignore[no-any-return] # the tests look at its shape

    def publish(self, digest: Digest) -> Digest:
        """Put a digest where the program reads."""
        folder = self.folder / "digests"
        folder.mkdir(exist_ok=True)
        path = folder / f"{digest.day}---Hot-Papers.md"
        path.write_text(write(digest), encoding="utf-8")
        return digest

    @property
    def database(self) -> Path:
        return self.folder / "state" / "bot.db"

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        with Ledger.open(self.database) as ledger:
            yield ledger

    def live(self, network: Network) -> list[Stored]:
        rules = self.x if network is Network.TWITTER else self.mastodon
        return [post for post in rules.live() if post.author == rules.account]


@contextmanager
def cli_world(
    folder: Path,
    screen: pytest.CaptureFixture[str],
    x: XBehaviour | None = None,
    keys: OAuthKeys | None = None,
    token: str = TOKEN,
) -> Iterator[CliWorld]:
    rules, server = XRules(now, x, keys), MastodonRules(now, token=token)
    with Sandbox({"twitter": rules, "mastodon": server}) as sandbox:
        made = CliWorld(folder, sandbox, rules, server, screen)
        made.publish(recent_digest())
        yield made
