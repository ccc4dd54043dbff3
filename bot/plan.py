"""Opens the source of the settings, reads digests from it, and makes threads of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import BotError, NoDigest, SettingsError
from bot.formatter.render import render
from bot.formatter.select import selected, tidied
from bot.formatter.templates import Templates
from bot.model import Account, Digest, Media, State, Thread
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.digests.result import Source, SourceResult
    from bot.ledger.store import Ledger

SAMPLES = Path(__file__).resolve().parent / "samples"

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}$")


def source(settings: Settings) -> Source:
    """Open the source that BOT_DIGESTS names, by default the samples. Raises SettingsError."""
    from bot.digests.source import open_source

    token = settings.github_token
    return open_source(
        settings.digests or str(SAMPLES),
        timeout=settings.http_timeout,
        github_token=token.reveal() if token else "",
        github_api_url=settings.github_api_url,
    )


def read(settings: Settings, wanted: str | None, folder: Path) -> SourceResult:
    """Look for a digest: a date, a slug, a URL or a file (in `folder`); None for the latest.

    Raises SettingsError for a text that is none of these.
    """
    from bot.digests.source import read_file, read_url

    if wanted is None:
        return source(settings).latest()
    if "://" in wanted:
        return read_url(wanted, timeout=settings.http_timeout)
    if is_place(wanted, folder):
        return read_file(folder / wanted)
    return source(settings).find(_day(wanted) or wanted)


def is_place(wanted: str, folder: Path) -> bool:
    """Tell whether `wanted` is a URL or a file, which is read without a source."""
    is_file = wanted.endswith((".md", ".markdown")) or (folder / wanted).is_file()
    return is_file or "://" in wanted


def threads(  # noqa: PLR0913, PLR0917 - what a thread is made of
    settings: Settings,
    digest: Digest,
    accounts: Sequence[Account],
    top: int | None = None,
    ledger: Ledger | None = None,
    undrawn: Callable[[str], None] | None = None,
) -> tuple[Thread, ...]:
    """Make the digest's thread for each account; without papers for the account it has no posts.

    `top` replaces each account's own. With a ledger, papers that were published in the last
    BOT_REPEAT_DAYS are left out, except those in this digest's own thread. With `undrawn`, pictures
    are drawn; it is called with a message for each thread whose picture cannot be drawn.
    """
    ready = _ready(settings, digest)
    chosen = accounts if top is None else [replace(account, top=top) for account in accounts]
    made = []
    for account in chosen:
        own = _without_repeats(ready, account, settings, ledger)
        thread = render(own, account, Templates(account.network, account.templates))
        every = selected(ready, account).papers[: account.top or None]
        thread = replace(thread, papers=tuple(paper.key for paper in every))
        if account.picture and thread.posts:
            planned = ledger is not None and _is_planned(ledger, account, digest)
            # a planned thread has its picture in the ledger, or published it
            thread = _illustrated(thread, selected(own, account), None if planned else undrawn)
        made.append(thread)
    return tuple(made)


def _ready(settings: Settings, digest: Digest) -> Digest:
    """Return the digest tidied, with the URL of its page."""
    page = settings.digest_url
    if page and not digest.url:
        digest = replace(digest, url=page.replace("{slug}", digest.slug))
    return tidied(digest)


def in_order(
    settings: Settings, digest: Digest, account: Account, order: Sequence[str | None]
) -> Thread:
    """Make the digest's thread with its papers in this order, each ranked by its place.

    None is a published paper that the digest does not contain: no post has its rank.
    """
    ready = _ready(settings, digest)
    papers = {paper.key: paper for paper in ready.papers}
    placed = tuple(
        replace(papers[each], rank=rank) for rank, each in enumerate(order, 1) if each in papers
    )
    every = replace(account, top=0, categories=(), exclude=())
    thread = render(
        replace(ready, papers=placed), every, Templates(account.network, account.templates)
    )
    return replace(thread, account=account, papers=tuple(paper.key for paper in placed))


def _is_planned(ledger: Ledger, account: Account, digest: Digest) -> bool:
    stored = ledger.thread(account.name, digest.slug)
    return stored is not None and any(post.state is not State.RETRACTED for post in stored.posts)


def _illustrated(thread: Thread, digest: Digest, undrawn: Callable[[str], None] | None) -> Thread:
    """Add the digest's picture to the opening post; its bytes are drawn only with `undrawn`."""
    from bot.picture.draw import describe, draw
    from bot.picture.faces import CannotDraw

    top, data = thread.account.top, b""
    if undrawn is not None:
        try:
            data = draw(digest, top).data
        except CannotDraw as error:
            undrawn(f"{thread.account.name}: the thread gets no picture: {error}")
            return thread
    opening = thread.posts[0]
    media = (Media(describe(digest, top), "image/png", data),)
    return replace(thread, posts=(replace(opening, media=media), *thread.posts[1:]))


def _without_repeats(
    digest: Digest, account: Account, settings: Settings, ledger: Ledger | None
) -> Digest:
    if ledger is None or not settings.repeat_days:
        return digest
    since = digest.published - timedelta(days=settings.repeat_days)
    known = ledger.published_papers(account.name, since)
    own = ledger.thread(account.name, digest.slug)
    known -= {post.part for post in own.posts} if own else set()
    papers = tuple(paper for paper in digest.papers if paper.key not in known)
    ranked = tuple(replace(paper, rank=rank) for rank, paper in enumerate(papers, 1))
    return replace(digest, papers=ranked) if len(papers) < len(digest.papers) else digest


def resolve_digest(
    settings: Settings, ledger: Ledger, wanted: str, folder: Path
) -> tuple[str, Digest | None]:
    """Return the slug of a digest, and the digest itself where the source or a file has it.

    Raises the source's error where neither the source nor the ledger has the digest.
    """
    from bot.ledger.find import find_threads

    slugs = {thread.digest for thread in find_threads(ledger, wanted)}
    problem: BotError | None = None
    if settings.digests or is_place(wanted, folder):
        reading = read(settings, wanted, folder)
        if reading.digest is not None:
            return reading.digest.slug, reading.digest
        problem = reading.problem
    if len(slugs) == 1:
        return slugs.pop(), None
    fix = "List the threads with bot status."
    raise problem or NoDigest(f"the ledger has no thread of {wanted}", fix)


def reason_to_wait(reading: SourceResult, settings: Settings, now: datetime) -> str:
    """Say in a sentence why a digest may not be published; empty where it may.

    An old digest may be published: a person names it or confirms it.
    """
    from bot.digests.source import SourceOutcome, judge

    outcome = judge(reading, now, None).outcome
    if outcome is SourceOutcome.DRAFT:
        return f"{reading.source} is a draft, so it is not posted."
    if outcome is SourceOutcome.EMPTY:
        return f"{reading.source} has no papers, so there is nothing to post."
    if reading.digest and reading.digest.slug in settings.skip:
        return f"{reading.digest.slug} is in BOT_SKIP, so it is not posted."
    return ""


def _day(wanted: str) -> date | None:
    try:
        return date.fromisoformat(wanted) if _DAY.match(wanted) else None
    except ValueError as error:
        message = f"{wanted} is not a day of the calendar"
        fix = "Give a date like 2021-06-22, a slug, a file or a URL."
        raise SettingsError(message, fix) from error
