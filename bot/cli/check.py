"""`bot check`: looks at everything that a thread needs before a thread needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bot.cli.common import (
    ProcessContext,
    as_json,
    gravest,
    settings_of,
    show,
    show_json,
    status_of,
    worded,
)
from bot.cli.serving import now
from bot.errors import SettingsError

if TYPE_CHECKING:
    from bot.output.checks import Finding
    from bot.settings import Settings


@click.command(short_help="Look at settings, templates, source and accounts.")
@click.option("--offline", is_flag=True, help="Ask no other machine.")
@as_json
@click.pass_obj
def check(surroundings: ProcessContext, *, offline: bool, as_json: bool) -> int:
    """Look at settings, accounts, templates, source and ledger; say how to correct what is wrong.

    Unless --offline, each account's credentials are tried (on X that costs $0.01).
    """
    from bot.output import data, lines

    found = []
    for finding in _findings(surroundings, offline=offline):
        found.append(finding)
        if not as_json:
            said = finding.subject, finding.message, finding.fix
            show(worded(lines.finding, finding.level, *said))
    if as_json:
        show_json(data.findings(found))
    return gravest(status_of(finding.error) for finding in found if finding.error)


def _findings(surroundings: ProcessContext, *, offline: bool) -> Iterator[Finding]:
    from bot.output import checks

    try:
        settings = settings_of(surroundings)
    except SettingsError as error:
        yield from checks.broken(error)
    else:
        yield from checks.check(settings, now, offline=offline)
        yield from _alerts(settings, surroundings)


def _alerts(settings: Settings, surroundings: ProcessContext) -> Iterator[Finding]:
    """Whether the addresses of BOT_NOTIFY_URLS can be used; nothing is sent there."""
    from bot.monitoring.alerts import Alerts
    from bot.output.checks import Finding, Level

    if settings.notify_urls is None:
        return
    try:
        hitch = Alerts(settings.notify_urls, surroundings.environ, settings.redact).check()
    except SettingsError as error:
        yield Finding(Level.ERROR, "alerts", error.message, error.fix, error)
        return
    usable = "the addresses of BOT_NOTIFY_URLS can be used"
    yield Finding(Level.WARNING if hitch else Level.OK, "alerts", hitch or usable)
