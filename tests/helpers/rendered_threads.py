"""Sample digests and papers, and the threads that the formatter makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from bot.digests.parse import parse
from bot.formatter.render import render
from bot.formatter.select import tidied
from bot.formatter.templates import Templates
from bot.model import Account, Digest, Network, Paper, Thread
from tests.helpers.digest_writer import tweeted
from tests.helpers.paths import ROOT, SAMPLES

GOLDEN = ROOT / "tests" / "golden"
LIMITS = {Network.TWITTER: 280, Network.MASTODON: 500, Network.BLUESKY: 300}
TEMPLATES = {network: Templates(network) for network in Network}


def account(network: Network = Network.TWITTER, **taste: object) -> Account:
    base = Account(network.value, network, max_characters=LIMITS[network])
    return replace(base, **taste)  # type: ignore[arg-type] # the fields are checked by each test


def thread(digest: Digest, to: Account, folder: Path | None = None) -> Thread:
    templates = Templates(to.network, folder) if folder else TEMPLATES[to.network]
    return render(tidied(digest), to, templates)


def paper(rank: int = 1, **fields: object) -> Paper:
    base = Paper(
        rank=rank,
        title=f"Title number {rank}",
        authors=("Ada Lovelace", "Grace Hopper"),
        metrics=tweeted(1234, 56, datetime(2021, 6, 23, 10, 32, tzinfo=UTC)),
        arxiv_id=f"2106.1{rank:04}",
        abs_url=f"https://arxiv.org/abs/2106.1{rank:04}",
        categories=("cs.LG", "cs.AI"),
        abstract="We show one thing. It has consequences.",
    )
    return replace(base, **fields)  # type: ignore[arg-type] # the fields are checked by each test


def digest(*papers: Paper, **fields: object) -> Digest:
    base = Digest(
        slug="hot-papers-2021-06-22",
        title="Hot Papers 2021-06-22",
        day=date(2021, 6, 22),
        last_day=date(2021, 6, 22),
        published=datetime(2021, 6, 23, 10, 32, 4, tzinfo=UTC),
        papers=papers,
        tags=("arXiv", "Twitter", "Machine Learning", "computer science", "more"),
        ranked_by="retweets and likes on Twitter",
    )
    return replace(base, **fields)  # type: ignore[arg-type] # the fields are checked by each test


def sample(day: str) -> Digest:
    (path,) = SAMPLES.glob(f"{day}*.md")
    return parse(path.read_bytes(), path.name)[0]


def shown(made: Thread) -> str:
    posts = [f"--- {post.position} ({post.length})\n{post.text}\n" for post in made.posts]
    return "\n".join(posts)
