"""`bot run`: the always-on worker."""

from __future__ import annotations

import os
import sys

import click

from bot.cli.common import ProcessContext, choosing, ready_accounts, settings_of
from bot.cli.signals import worker_signals
from bot.errors import SettingsError
from bot.model import Network


@click.command(short_help="Post each new digest, for ever: the always-on worker.")
@choosing
@click.pass_obj
def run(
    surroundings: ProcessContext, *, networks: tuple[Network, ...], names: tuple[str, ...]
) -> int:
    """Find each new digest and deliver it, until it is stopped.

    One pass is made at once, then one at each time of BOT_SCHEDULE. SIGTERM or Ctrl-C lets the
    request in flight end. What goes wrong is said in the log, at /healthz on PORT, and where
    BOT_NOTIFY_URLS says; it is tried again and does not end the worker.
    """
    settings = settings_of(surroundings)
    accounts = ready_accounts(settings, networks, names)
    if settings.digests is None:
        raise SettingsError("BOT_DIGESTS is not set", "Set it to where digests are.")
    from bot.scheduler.start import started

    with worker_signals() as ears:
        while True:
            worker = started(settings, accounts, surroundings.environ, sys.stdout)
            with worker as running, ears.hearing_for(running.stop, running.leave):
                running.run()
            if running.stopping():
                break  # else its ledger was replaced under it, and it begins with the new one
    _let_go_of_the_log()
    return 0


def _let_go_of_the_log() -> None:
    """Whoever read the log may have gone: no reason to end badly."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
