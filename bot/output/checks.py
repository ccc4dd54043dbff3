"""Find what is wrong with settings, accounts, templates, source and ledger, for `bot check`."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryFile
from zoneinfo import ZoneInfo

from bot import plan
from bot.delivery.accounts import open_poster
from bot.digests.parse import parse
from bot.errors import BotError, SettingsError, Unreachable
from bot.formatter.select import tidied
from bot.formatter.templates import NAMES, unread
from bot.formatter.tidy import tidy
from bot.http.urls import shown
from bot.model import Account, Digest, Network, Syntax
from bot.posters.poster import CannotRead, Poster
from bot.settings import Settings, malformed_token, one_account, same_papers
from bot.settings.schedule import Schedule


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check, and what to do about it. `error` is set if `level` is ERROR."""

    level: Level
    subject: str
    message: str
    fix: str = ""
    error: BotError | None = None


def check(settings: Settings, clock: Callable[[], datetime], *, offline: bool) -> Iterator[Finding]:
    """Check settings, accounts, templates, source and ledger, and try each account's credentials.

    With `offline` no other machine is asked, so no credentials are tried.
    """
    yield from _settings(settings)
    yield from _accounts(settings)
    yield from _templates(settings)
    yield from _source(settings, offline=offline)
    yield from _schedules(settings, clock())
    yield from _ledger(settings)
    if not offline:
        names: dict[tuple[Network, str], str] = {}
        for account in settings.accounts:
            if malformed_token(account, settings.credentials[account.name]) is None:
                yield from _credentials(settings, account, clock, names)


def broken(error: SettingsError) -> Iterator[Finding]:
    """Return the findings for settings that cannot be read, one for each wrong value."""
    for line in error.message.splitlines():
        yield Finding(Level.ERROR, "settings", line, error=error)


def _settings(settings: Settings) -> Iterator[Finding]:
    config = f", .env and {settings.config}" if settings.config else " and .env"
    yield Finding(Level.OK, "settings", f"read from the environment{config}")
    for warning in settings.warnings:
        yield Finding(Level.WARNING, "settings", warning)


def _accounts(settings: Settings) -> Iterator[Finding]:
    for account in settings.accounts:
        if wrong := malformed_token(account, settings.credentials[account.name]):
            yield _failed(account.name, wrong)
        else:
            yield Finding(Level.OK, account.name, f"on {account.network}, all secrets are set")
    for name, missing in settings.incomplete.items():
        message = f"not used, because these are not set: {', '.join(missing)}"
        yield Finding(Level.WARNING, name, message, _how_to_complete(settings, name))
    if not settings.accounts and not settings.incomplete:
        message = "no account yet. A dry run shows what each network would get"
        fix = "Set one up: bot login mastodon (or twitter, or bluesky)"
        yield Finding(Level.WARNING, "accounts", message, fix)
    for pair in same_papers(settings.accounts):
        yield _failed("accounts", _identical(*pair))


def _how_to_complete(settings: Settings, name: str) -> str:
    """Say how to obtain what an account lacks: an account of a network, or one of bot.toml."""
    drafts = {account.name: account.network for account in settings.drafts}
    login = _LOGINS[Network(drafts.get(name, name))]
    named = " Use the variable names of this message." if name in drafts else ""
    return f"Set all of them, or none. {login}{named}"


_MARKDOWN = frozenset({"snac", "hollo"})
"""Servers that always read posts as Markdown. GoToSocial can be asked not to."""
_LOGINS = {
    Network.TWITTER: "bot login twitter says how to make an app, and obtains the access token.",
    Network.MASTODON: "bot login mastodon obtains the access token.",
    Network.BLUESKY: "bot login bluesky says how to make an app password, and tries it.",
}


def _identical(one: str, other: str) -> SettingsError:
    return SettingsError(
        f"{one} and {other} would publish the same papers, but X forbids identical posts from "
        "several accounts",
        "Give each account its own `categories` in bot.toml.",
    )


def _templates(settings: Settings) -> Iterator[Finding]:
    """Render the samples for every account, so that a broken template is found here."""
    samples = [parse(path.read_bytes(), path.name)[0] for path in sorted(plan.SAMPLES.glob("*.md"))]
    for account in (*settings.accounts, *settings.drafts) or settings.defaults:
        if account.picture:
            yield from _pictures(account, samples)
        every = replace(account, categories=(), exclude=())
        try:
            for sample in samples:
                plan.threads(settings, sample, [every], top=0)
        except BotError as error:
            yield _failed(account.name, error)
        else:
            where = account.templates or "the package's own"
            yield Finding(Level.OK, account.name, f"templates render ({where})")
        if account.templates:
            for path in unread(account.templates):
                message = (
                    f"{path} is not used, since no template has this name and none includes it"
                )
                fix = (
                    f"Name it default/NAME.txt.j2 or NETWORK/NAME.txt.j2. NAME is one of "
                    f"{', '.join(NAMES)}."
                )
                yield Finding(Level.WARNING, account.name, message, fix)


def _pictures(account: Account, samples: Sequence[Digest]) -> Iterator[Finding]:
    """Draw the samples, so that a missing library or font is found here."""
    from bot.picture.draw import check as draw
    from bot.picture.faces import CannotDraw

    try:
        for sample in samples:
            draw(tidied(sample), account.top)
    except CannotDraw as error:
        yield _failed(account.name, SettingsError(f"BOT_PICTURE: {error.message}", error.fix))
    else:
        yield Finding(Level.OK, account.name, "pictures can be drawn")


def _source(settings: Settings, *, offline: bool) -> Iterator[Finding]:
    if settings.digests is None:
        fix = (
            "Set BOT_DIGESTS to huggingface, or to the place of your digests: a folder, a file, an "
            "address, github:owner/repo/folder, or arxiv:cs.CL+cs.LG."
        )
        yield Finding(Level.WARNING, "source", "BOT_DIGESTS is not set", fix)
        return
    far = re.match(r"huggingface$|arxiv:|github:|.*://", settings.digests)
    if offline and far:
        message = f"{shown(settings.digests)} (not asked: --offline)"
        yield Finding(Level.OK, "source", message)
        return
    reading = plan.source(settings).latest()
    for warning in reading.warnings:
        yield Finding(Level.WARNING, "source", warning)
    if reading.problem:
        yield _failed("source", reading.problem)
    elif reading.digest:
        size = len(reading.digest.papers)
        day = reading.digest.last_day
        message = (
            f"reached, {size} papers of {day}: {tidy(reading.digest.title)} ({reading.source})"
        )
        yield Finding(Level.OK, "source", message)


def _schedules(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Say when the worker would look for a new digest."""
    for line in sorted({account.schedule for account in settings.accounts}):
        schedule = Schedule(line, settings.timezone)
        following = schedule.after(now).astimezone(ZoneInfo(settings.timezone))
        message = (
            f"the worker runs at {line} ({settings.timezone}), next {following:%a %d %b %H:%M}"
        )
        yield Finding(Level.OK, "schedule", message)


def _ledger(settings: Settings) -> Iterator[Finding]:
    path = settings.database
    blind = [a.name for a in settings.accounts if a.network is Network.TWITTER]
    if blind and not settings.twitter_reads:
        yield Finding(
            Level.WARNING,
            "ledger",
            f"{', '.join(blind)} may not be read (TWITTER_READ_BACK=off). With a new ledger the "
            "first thread is held, and so is each post whose outcome is not known",
            "Look at the account. If nothing of the thread is published: bot post --assume-unsent",
        )
    if settings.wiped_by:
        yield Finding(
            Level.WARNING,
            "ledger",
            f"{path} is on a disk that {settings.wiped_by} wipes at every deploy. Published posts "
            "are then found on the networks, but a retracted thread would be published again",
            "Put BOT_DATABASE on a volume, and add the slugs that bot retract prints to BOT_SKIP.",
        )
    if wrong := _unwritable(path):
        yield _failed("ledger", wrong)
        return
    if not path.exists():
        yield Finding(Level.OK, "ledger", f"{path} is created when the first thread is planned")
        return
    from bot.ledger.store import Ledger

    try:
        ledger = Ledger.peek(path)
        if ledger is not None:
            ledger.close()
    except BotError as error:
        yield _failed("ledger", error)
    else:
        yield Finding(Level.OK, "ledger", f"{path} can be read")
        if path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            message = f"{path} can be read by other users of this machine, and contains sessions"
            yield Finding(Level.WARNING, "ledger", message, f"chmod 600 {path}")


def _unwritable(path: Path) -> BotError | None:
    """Write a temporary file into the ledger's folder, or into the first parent that exists."""
    folder = next(each for each in path.absolute().parents if each.exists())
    try:
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM))
            file.flush()
        if path.exists():
            path.open("r+b").close()
    except OSError as error:
        why = f"cannot write the ledger {path} ({error.strerror})"
        return SettingsError(why, "Set BOT_DATABASE to a file in a folder that you can write to.")
    return None


_ROOM = 1_000_000  # bytes: far more than a thread takes


def _credentials(
    settings: Settings,
    account: Account,
    clock: Callable[[], datetime],
    names: dict[tuple[Network, str], str],
) -> Iterator[Finding]:
    """Try the credentials, and say what the network's users expect of a bot.

    `names` holds the names of the accounts tried so far, by network and identity there.
    """
    credentials = settings.credentials[account.name]
    poster = open_poster(account, credentials, settings.http_timeout, clock, redact=settings.redact)
    try:
        profile = poster.profile()
        blind = _blind(poster, account, clock())
    except CannotRead as error:
        wrong = SettingsError if error.final else Unreachable
        yield _failed(account.name, wrong(error.message, error.fix))
        return
    finally:
        poster.close()
    identity = f"{profile.handle} ({profile.url})"
    yield Finding(Level.OK, account.name, f"posts as {identity}")
    first = names.setdefault((account.network, profile.who), account.name)
    if profile.who and first != account.name:
        yield _failed(account.name, one_account(account, first, identity))
    if profile.limit is None and account.network is Network.MASTODON:
        message = "the server does not say how long a post may be, so the limit is not checked"
        fix = "Set MASTODON_MAX_CHARACTERS to the server's limit."
        yield Finding(Level.WARNING, account.name, message, fix)
    if profile.limit is not None and profile.limit < account.max_characters:
        message = (
            f"the server accepts {profile.limit} characters, but posts may have "
            f"{account.max_characters}"
        )
        fix = f"Set MASTODON_MAX_CHARACTERS={profile.limit}."
        yield _failed(account.name, SettingsError(message, fix))
    if profile.server in _MARKDOWN and account.dialect is Syntax.PLAIN:
        message = (
            f"{profile.server} reads posts as Markdown, so ranks, signs and line breaks get lost"
        )
        fix = "Set MASTODON_DIALECT=markdown. bot post --dry-run shows what that changes."
        yield Finding(Level.WARNING, account.name, message, fix)
    if blind:
        yield Finding(Level.WARNING, account.name, blind.message, blind.fix)
    for advice in profile.advice:
        yield Finding(Level.WARNING, account.name, advice)


def _blind(poster: Poster, account: Account, now: datetime) -> CannotRead | None:
    """Return why an account with private posts cannot be read, or None if it can."""
    if account.network is not Network.MASTODON or not account.visibility.is_private:
        return None
    try:
        poster.look(now)
    except CannotRead as error:
        if not error.blind:
            raise
        return error
    return None


def _failed(subject: str, error: BotError) -> Finding:
    return Finding(Level.ERROR, subject, error.message, error.fix, error)
