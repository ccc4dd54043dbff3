"""`bot status` and `bot check`: what is known, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bot.cli.common import (
    ProcessContext,
    as_json,
    choosing,
    gravest,
    settings_of,
    show,
    show_json,
    status_of,
    worded,
)
from bot.cli.serving import looked_up, now
from bot.errors import SettingsError
from bot.model import Network

if TYPE_CHECKING:
    from bot.checks import Finding
    from bot.settings import Settings

_MOST_THREADS = 10


@click.command(short_help="Show accounts and threads, and what needs a hand.")
@click.argument("digest", required=False)
@choosing
@as_json
@click.pass_obj
def status(
    surroundings: ProcessContext,
    *,
    digest: str | None,
    networks: tuple[Network, ...],
    names: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show accounts and threads, and what is pending, unknown or held and why.

    DIGEST, a date or a slug, shows every post of that one.
    """
    from bot.reports import report, worker  # noqa: PLC0415 - loads at first use
    from bot.show import status as shown  # noqa: PLC0415 - loads at first use

    settings = settings_of(surroundings)
    with looked_up(settings) as ledger:
        accounts, threads = report(settings, ledger, now(), digest, networks, names)
        noted = worker(ledger)
    if as_json:
        show_json(shown.data(accounts, threads))
    else:
        whole = digest is not None
        show(worded(shown.lines, accounts, threads, now(), whole=whole, worker=noted))
    return 0


@click.command(short_help="Look at settings, templates, source and accounts.")
@click.option("--offline", is_flag=True, help="Ask no other machine.")
@as_json
@click.pass_obj
def check(surroundings: ProcessContext, *, offline: bool, as_json: bool) -> int:
    """Look at settings, accounts, templates, source and ledger; say how to correct what is wrong.

    Unless --offline, each account's credentials are tried (on X that costs $0.01).
    """
    from bot.show import data, lines  # noqa: PLC0415 - loads at first use

    found = []
    for finding in _findings(surroundings, offline=offline):
        found.append(finding)
        if not as_json:
            said = finding.subject, finding.message, finding.mend
            show(worded(lines.finding, finding.level, *said))
    if as_json:
        show_json(data.findings(found))
    return gravest(status_of(finding.error) for finding in found if finding.error)


def _findings(surroundings: ProcessContext, *, offline: bool) -> Iterator[Finding]:
    from bot import checks  # noqa: PLC0415 - loads at first use

    try:
        settings = settings_of(surroundings)
    except SettingsError as error:
        yield from checks.broken(error)
    else:
        yield from checks.check(settings, now, offline=offline)
        yield from _alerts(settings, surroundings)


def _alerts(settings: Settings, surroundings: ProcessContext) -> Iterator[Finding]:
    """Whether the addresses of BOT_NOTIFY_URLS can be used; nothing is sent there."""
    from bot.checks import Finding, Level  # noqa: PLC0415 - loads at first use
    from bot.worker.alarm.alerts import Alerts  # noqa: PLC0415 - loads at first use

    if settings.notify_urls is None:
        return
    try:
        hitch = Alerts(settings.notify_urls, surroundings.environ, settings.redact).check()
    except SettingsError as error:
        yield Finding(Level.ERROR, "alerts", error.message, error.mend, error)
        return
    usable = "the addresses of BOT_NOTIFY_URLS can be used"
    yield Finding(Level.WARNING if hitch else Level.OK, "alerts", hitch or usable)
