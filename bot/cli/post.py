"""`bot post`: plan the threads of one digest, and publish or show them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import click

from bot.cli.common import (
    ProcessContext,
    account_options,
    as_json,
    confirm,
    echo,
    ready_accounts,
    safe_lines,
    settings_of,
    show,
    show_json,
    status_of_results,
    warn,
    width,
)
from bot.cli.serving import now, open_ledger_readonly, open_publisher
from bot.errors import SettingsError
from bot.model import Account, Digest, Network, Thread

if TYPE_CHECKING:
    from bot.digests.result import SourceResult
    from bot.ledger.store import Ledger
    from bot.settings import Settings


@click.command(short_help="Publish the threads of one digest, or show them.")
@click.argument("digest", required=False)
@click.option("--dry-run", is_flag=True, help="Print every post, and send nothing.")
@account_options
@click.option("--top", type=click.IntRange(min=0), help="Papers in a thread, 0 for all.")
@click.option("--again", is_flag=True, help="Publish a retracted digest again.")
@click.option(
    "--assume-unsent", is_flag=True, help="I have looked: no post of this thread is published."
)
@click.option(
    "-y", "--yes", is_flag=True, help="Do not ask before a first thread or an old digest."
)
@as_json
@click.option("-v", "--verbose", is_flag=True, help="Print more about each post.")
@click.pass_obj
def post(  # noqa: PLR0913 - an option each
    context: ProcessContext,
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
    """Publish the threads of one digest, one thread for each account.

    DIGEST is a date (2021-06-22), a slug, a file or a URL. Without it, the newest digest of
    BOT_DIGESTS is used. If BOT_DIGESTS is not set, a dry run uses the samples in the package.

    Posts that are already published are found and not sent again. If the command stops, run it
    again: it continues where it stopped.
    """
    from bot import plan
    from bot.settings import offered

    settings = settings_of(context)
    choose = offered if dry_run else ready_accounts
    accounts = choose(settings, networks, names)
    needs_source = digest is None or not plan.is_place(digest, context.folder)
    if needs_source and not dry_run and settings.digests is None:
        raise SettingsError(
            "BOT_DIGESTS is not set", "Set it to the folder or address of your digests."
        )
    reading = plan.read(settings, digest, context.folder)
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
    if context.asks and not yes:
        question = _question(settings, reading.digest, accounts)
        if question and not confirm(f"{question} Publish it now?"):
            echo("Nothing was sent.")
            return 0
    with open_publisher(settings, progress=not as_json, verbose=verbose) as publisher:
        from bot.delivery.publish import PublishOptions

        threads = plan.threads(settings, reading.digest, accounts, top, publisher.ledger, warn)
        options = PublishOptions(again, assume_unsent)
        reorder = partial(plan.in_order, settings, reading.digest)
        results = publisher.publish(reading.digest, threads, options, reorder)
    from bot.output import data, progress

    if as_json:
        stored = {result.account.name: result.thread for result in results}
        show_json(data.plan(reading.digest, reading.source, threads, stored))
    show(safe_lines(progress.outcome, results), err=as_json)
    return status_of_results(results)


def _without_digest(reading: SourceResult, *, json: bool) -> int:
    """Print the empty plan. Raises the source's problem, if it had one."""
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
    """Print the plan, and which of its posts are already sent."""
    from bot.output import data, lines

    digest, source = reading.digest, reading.source
    assert digest is not None  # noqa: S101 - without a digest the command has ended
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
        columns = width()
        show(
            safe_lines(
                lines.dry_run, digest, source, threads, stored, width=columns, verbose=verbose
            )
        )
    return 0


def _question(settings: Settings, digest: Digest, accounts: Sequence[Account]) -> str:
    """Return what a person should know before this digest is published, in sentences, or "".

    That is that the digest is old, or that an account of a real network has posted nothing yet.
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
    sentences = []
    if new and age > settings.max_age:
        sentences.append(f"{title} was published {age.days} days ago.")
    if first:
        sentences.append(f"{title} is the first thread of {', '.join(first)}.")
    return " ".join(sentences)
