"""`bot check`: check everything that publishing needs, before it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bot.cli.common import (
    ProcessContext,
    as_json,
    safe_lines,
    settings_of,
    show,
    show_json,
    status_of,
    worst_status,
)
from bot.cli.serving import now
from bot.errors import SettingsError

if TYPE_CHECKING:
    from bot.output.checks import Finding
    from bot.settings import Settings


@click.command(short_help="Check settings, templates, source and accounts.")
@click.option("--offline", is_flag=True, help="Do not use the network.")
@as_json
@click.pass_obj
def check(context: ProcessContext, *, offline: bool, as_json: bool) -> int:
    """Check settings, accounts, templates, source and ledger, and say how to correct them.

    Without --offline, it also tries the credentials of each account. On X that costs $0.01.
    """
    from bot.output import data, lines

    found = []
    for finding in _findings(context, offline=offline):
        found.append(finding)
        if not as_json:
            texts = finding.subject, finding.message, finding.fix
            show(safe_lines(lines.finding, finding.level, *texts))
    if as_json:
        show_json(data.findings(found))
    return worst_status(status_of(finding.error) for finding in found if finding.error)


def _findings(context: ProcessContext, *, offline: bool) -> Iterator[Finding]:
    from bot.output import checks

    try:
        settings = settings_of(context)
    except SettingsError as error:
        yield from checks.broken(error)
    else:
        yield from checks.check(settings, now, offline=offline)
        yield from _alerts(settings, context)


def _alerts(settings: Settings, context: ProcessContext) -> Iterator[Finding]:
    """Tell whether alerts can be sent to BOT_NOTIFY_URLS. Nothing is sent."""
    from bot.monitoring.alerts import Alerts
    from bot.output.checks import Finding, Level

    if settings.notify_urls is None:
        return
    try:
        warning = Alerts(settings.notify_urls, context.environ, settings.redact).check()
    except SettingsError as error:
        yield Finding(Level.ERROR, "alerts", error.message, error.fix, error)
        return
    usable = "the addresses of BOT_NOTIFY_URLS are valid"
    yield Finding(Level.WARNING if warning else Level.OK, "alerts", warning or usable)
