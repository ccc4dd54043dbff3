"""`bot run`: the worker that runs all the time."""

from __future__ import annotations

import os
import sys

import click

from bot.cli.common import ProcessContext, account_options, ready_accounts, settings_of
from bot.cli.signals import worker_signals
from bot.errors import SettingsError
from bot.model import Network


@click.command(short_help="Run all the time, and publish each new digest.")
@account_options
@click.pass_obj
def run(context: ProcessContext, *, networks: tuple[Network, ...], names: tuple[str, ...]) -> int:
    """Run all the time, and publish each new digest.

    The worker looks for a digest at the start, and then at each time of BOT_SCHEDULE. SIGTERM or
    Ctrl-C stops it after the current request. A failure does not stop the worker: it tries again.
    It reports failures in its log, at /healthz on PORT, and to BOT_NOTIFY_URLS.
    """
    settings = settings_of(context)
    accounts = ready_accounts(settings, networks, names)
    if settings.digests is None:
        raise SettingsError(
            "BOT_DIGESTS is not set", "Set it to the folder or address of your digests."
        )
    from bot.scheduler.start import started

    with worker_signals() as signals:
        while True:
            worker = started(settings, accounts, context.environ, sys.stdout)
            with worker as running, signals.calling(running.stop, running.leave):
                running.run()
            if running.stopping():
                break  # otherwise the ledger's file was replaced, and the worker opens the new one
    _flush_log()
    return 0


def _flush_log() -> None:
    """Flush the log. If nothing reads it any more, that is no error."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
