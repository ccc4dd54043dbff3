"""Wiring: settings to a source, a source to a digest, a digest to threads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import SettingsError
from bot.formatter.render import render
from bot.formatter.select import tidied
from bot.formatter.templates import Templates
from bot.model import Account, Digest, Thread
from bot.settings import Settings

if TYPE_CHECKING:
    from bot.digests.reading import Reading, Source

SAMPLES = Path(__file__).resolve().parent / "samples"

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}$")


def source(settings: Settings) -> Source:
    """The source that BOT_DIGESTS names, by default the samples. Raises SettingsError."""
    from bot.digests.source import open_source  # noqa: PLC0415 - loads at first use

    token = settings.github_token
    return open_source(
        settings.digests or str(SAMPLES),
        timeout=settings.http_timeout,
        github_token=token.reveal() if token else "",
        github_api_url=settings.github_api_url,
    )


def read(settings: Settings, wanted: str | None, folder: Path) -> Reading:
    """Look for a digest: a date, a slug, an address or a file (in `folder`); None for the latest.

    Raises SettingsError for what can be none of these.
    """
    from bot.digests.source import read_file, read_url  # noqa: PLC0415 - loads at first use

    if wanted is None:
        return source(settings).latest()
    if "://" in wanted:
        return read_url(wanted, timeout=settings.http_timeout)
    if wanted.endswith((".md", ".markdown")) or (folder / wanted).is_file():
        return read_file(folder / wanted)
    return source(settings).find(_day(wanted) or wanted)


def threads(
    settings: Settings, digest: Digest, accounts: Sequence[Account], top: int | None = None
) -> tuple[Thread, ...]:
    """Word the digest's thread for each account. `top` is put before each account's own."""
    page = settings.digest_url
    if page and not digest.url:
        digest = replace(digest, url=page.replace("{slug}", digest.slug))
    ready = tidied(digest)
    chosen = accounts if top is None else [replace(account, top=top) for account in accounts]
    return tuple(
        render(ready, account, Templates(account.network, account.templates)) for account in chosen
    )


def reason_to_wait(reading: Reading, settings: Settings) -> str:
    """Why the digest that was found is not to be published, in a sentence; empty if it may be."""
    digest = reading.digest
    if digest is None:
        return f"{reading.source} did not change."
    if digest.draft:
        return f"{reading.source} is a draft: nothing is posted before it is published."
    if not digest.papers:
        return f"{reading.source} holds no papers: there is nothing to post."
    if digest.slug in settings.skip:
        return f"{digest.slug} is in BOT_SKIP: it is never posted."
    return ""


def _day(wanted: str) -> date | None:
    try:
        return date.fromisoformat(wanted) if _DAY.match(wanted) else None
    except ValueError as error:
        message = f"{wanted} is no day of the calendar"
        mend = "Give a date like 2021-06-22, a slug, a file or a URL."
        raise SettingsError(message, mend) from error
