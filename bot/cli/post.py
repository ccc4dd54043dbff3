"""`bot post`: plan the threads of one digest, and deliver them or show them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from bot.cli.common import (
    ProcessContext,
    as_json,
    choosing,
    confirm,
    echo,
    ready_accounts,
    settings_of,
    show,
    show_json,
    status_of_served,
    warn,
    width,
    worded,
)
from bot.cli.serving import now, open_ledger_readonly, serving
from bot.errors import SettingsError
from bot.model import Account, Digest, Network, Thread

if TYPE_CHECKING:
    from bot.digests.result import SourceResult
    from bot.ledger.store import Ledger
    from bot.settings import Settings


@click.command(short_help="Plan the threads of one digest, and deliver them.")
@click.argument("digest", required=False)
@click.option("--dry-run", is_flag=True, help="Print every post of the plan; send nothing.")
@choosing
@click.option("--top", type=click.IntRange(min=0), help="Papers in a thread; 0 for all.")
@click.option("--again", is_flag=True, help="Publish a retracted digest again.")
@click.option("--assume-unsent", is_flag=True, help="Nothing of it is out: I have looked.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before a first post or an old digest.")
@as_json
@click.option("-v", "--verbose", is_flag=True, help="Say more of each post.")
@click.pass_obj
def post(  # noqa: PLR0913 - an option each
    surroundings: ProcessContext,
    *,
    digest: str | None,
    dry_run: bool,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
    top: int | None,
    again: bool,
    assume_unsent: bool,
    yes: bool,
    as_json: bool,
    verbose: bool,
) -> int:
    """Plan the threads of one digest, and deliver them.

    DIGEST is a date (2021-06-22), a slug, a file or a URL; without it, the latest at the source is
    taken. The source is BOT_DIGESTS; without it, a dry run takes the samples in the package.

    What is out already is found and not sent again. Run it again to go on where it stopped.
    """
    from bot import plan
    from bot.settings import offered

    settings = settings_of(surroundings)
    choose = offered if dry_run else ready_accounts
    accounts = choose(settings, networks, names)
    needs_source = digest is None or not plan.is_place(digest, surroundings.folder)
    if needs_source and not dry_run and settings.digests is None:
        raise SettingsError("BOT_DIGESTS is not set", "Set it to where digests are.")
    reading = plan.read(settings, digest, surroundings.folder)
    for warning in (*settings.warnings, *reading.warnings):
        warn(warning)
    if reading.digest is None:
        return _without_digest(reading, json=as_json)
    reason = plan.reason_to_wait(reading, settings, now())
    if reason:
        echo(reason, err=True)
    if reason or dry_run:
        with open_ledger_readonly(settings) as ledger:
            threads = (
                () if reason else plan.threads(settings, reading.digest, accounts, top, ledger)
            )
            return _show(reading, threads, ledger, json=as_json, verbose=verbose)
    if surroundings.asks and not yes:
        question = _question(settings, reading.digest, accounts)
        if question and not confirm(f"{question} Publish it now?"):
            echo("Nothing was sent.")
            return 0
    with serving(settings, told=not as_json, verbose=verbose) as service:
        from bot.delivery.publish import PublishOptions

        digest_of, ledger = reading.digest, service.ledger
        threads = plan.threads(settings, digest_of, accounts, top, ledger, warn)
        options = PublishOptions(again, assume_unsent)
        reorder = partial(plan.in_order, settings, digest_of)
        served = service.publish(digest_of, threads, options, reorder)
    from bot.output import data, progress

    if as_json:
        stored = {one.account.name: one.thread for one in served}
        show_json(data.plan(reading.digest, reading.source, threads, stored))
    show(worded(progress.outcome, served), err=as_json)
    return status_of_served(served)


def _without_digest(reading: SourceResult, *, json: bool) -> int:
    """Say why there is no digest; what went wrong is raised."""
    if json:
        from bot.output import data

        show_json(data.plan(None, reading.source, (), {}))
    if reading.problem:
        raise reading.problem
    return 0


def _show(
    reading: SourceResult,
    threads: Sequence[Thread],
    ledger: Ledger | None,
    *,
    json: bool,
    verbose: bool,
) -> int:
    """Print the plan, and what of it is sent already."""
    from bot.output import data, lines

    digest, source = reading.digest, reading.source
    assert digest is not None  # noqa: S101 - a digest that cannot be had ended the command
    stored = {}
    if ledger:
        from bot.delivery.identity import SAME, find_alike

        for thread in threads:
            name, (alike, share) = thread.account.name, find_alike(ledger, digest.day, thread)
            same = alike if share >= SAME else None
            stored[name] = ledger.thread(name, digest.slug) or same
    if json:
        show_json(data.plan(digest, source, threads, stored))
    elif threads:
        show(worded(lines.dry_run, digest, source, threads, stored, width=width(), verbose=verbose))
    return 0


def _question(settings: Settings, digest: Digest, accounts: Sequence[Account]) -> str:
    """What a person should know before the digest goes out, in sentences; empty for nothing.

    That is an old digest, and an account of a real network that has posted nothing yet.
    """
    from bot.formatter.tidy import tidy
    from bot.http.urls import is_local

    with open_ledger_readonly(settings) as ledger:
        new = [
            account
            for account in accounts
            if ledger is None or not ledger.thread(account.name, digest.slug)
        ]
        first = [
            account.name
            for account in new
            if (ledger is None or ledger.last_known(account.name) is None)
            and not is_local(settings.credentials[account.name].base_url)
        ]
    age, title = now() - digest.published, tidy(digest.title)
    told = []
    if new and age > settings.max_age:
        told.append(f"{title} was published {age.days} days ago.")
    if first:
        told.append(f"{title} is the first thread of {', '.join(first)}.")
    return " ".join(told)
