"""What the commands share: their context, common options, printing, exit statuses."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NewType, ParamSpec, TypeVar

import click

from bot.errors import BotError, Locked, NoDigest, SettingsError, Unreachable
from bot.model import Account, Network
from bot.redact import Redact
from bot.terminal import each_text, visible, visible_json

if TYPE_CHECKING:
    from bot.delivery.types import AccountResult
    from bot.digests.result import SourceResult
    from bot.model import Digest
    from bot.settings import Settings

FAILED = 1
USAGE = 2
LATER = 75

T = TypeVar("T", bound=Callable[..., object])
P = ParamSpec("P")
SafeLine = NewType("SafeLine", str)


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """What the program takes from its process. Tests pass their own.

    `asks` says whether a person can answer questions. `redact` collects the secrets that a command
    reads, and removes them from everything the command prints.
    """

    environ: Mapping[str, str]
    folder: Path
    asks: bool = False
    redact: Redact = field(default_factory=Redact, compare=False)


def account_options(command: T) -> T:
    """Add the options --network and --account."""
    network = click.option(
        "--network",
        "networks",
        multiple=True,
        type=click.Choice(Network, case_sensitive=False),
        help="Only accounts on this network. May be repeated.",
    )
    account = click.option(
        "--account", "names", multiple=True, help="Only this account. May be repeated."
    )
    return network(account(command))


def as_json(command: T) -> T:
    """Add the option --json."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object, for programs."
    )(command)


def settings_of(context: ProcessContext) -> Settings:
    """Read the settings. Raises SettingsError."""
    from bot.settings import load

    return load(context.environ, context.folder, context.redact)


def read_digest(
    settings: Settings, wanted: str | None, folder: Path
) -> tuple[Digest, SourceResult]:
    """Read a digest as `plan.read` does, and print the warnings. Raises the source's problem."""
    from bot import plan

    reading = plan.read(settings, wanted, folder)
    for warning in (*settings.warnings, *reading.warnings):
        warn(warning)
    if reading.digest is None:
        raise reading.problem or NoDigest(f"{reading.source}: there is no digest")
    return reading.digest, reading


def ready_accounts(
    settings: Settings, networks: Sequence[Network], names: Sequence[str]
) -> tuple[Account, ...]:
    """Return the chosen accounts of those that can post. Raises SettingsError if there is none."""
    from bot.settings import malformed_token

    known = {account.name for account in settings.accounts}
    for name in names:
        if name not in known:
            missing = ", ".join(settings.incomplete.get(name, ()))
            if missing:
                fix = "Set what is missing. bot login obtains the tokens."
                raise SettingsError(f"account {name!r} is not complete, missing {missing}", fix)
            ready = f"Ready accounts: {', '.join(sorted(known)) or 'none'}."
            raise SettingsError(f"there is no account {name!r}", ready)
    chosen = tuple(
        account
        for account in settings.accounts
        if (not networks or account.network in networks) and (not names or account.name in names)
    )
    if not chosen:
        where = f" on {', '.join(networks)}" if networks else ""
        raise SettingsError(
            f"no account{where} yet",
            "Set one up: bot login mastodon (or twitter, or bluesky)\n"
            "  See what is missing: bot check\n"
            "  Or look first: bot post --dry-run",
        )
    for account in chosen:
        if wrong := malformed_token(account, settings.credentials[account.name]):
            raise wrong
    return chosen


# Printing: everything goes through these functions, except the tokens of `bot login`. ------------


def safe(text: str) -> str:
    """Return `text` without secrets and without control characters."""
    return visible(_redact()(text))


def _redact() -> Redact:
    command = click.get_current_context(silent=True)
    context = command.find_object(ProcessContext) if command else None
    return context.redact if context else Redact()


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text for people, made safe."""
    click.echo(safe(text), err=err, nl=nl)


def warn(message: str) -> None:
    """Print a warning to standard error."""
    click.echo(f"{click.style('Warning:', fg='yellow')} {safe(message)}", err=True)


def confirm(question: str) -> bool:
    """Ask the person a yes-or-no question."""
    return click.confirm(safe(question))


def safe_lines(
    make: Callable[P, Iterator[str]], *args: P.args, **kwargs: P.kwargs
) -> Iterator[SafeLine]:
    """Call `make` with every text in its arguments made safe, and yield its lines.

    The arguments are made safe and not the lines, since the lines contain colour codes. The second
    line of a value is indented, so that it cannot look like a line of the program.
    """
    safe_args, safe_kwargs = each_text(args, safe), each_text(kwargs, safe)
    for line in make(*safe_args, **safe_kwargs):
        yield SafeLine(re.sub(r"\n(?!  )", "\n  ", line))


def show(lines: Iterable[SafeLine], *, err: bool = False) -> None:
    """Print lines as they are made."""
    for line in lines:
        click.echo(line, err=err)


def show_json(value: object) -> None:
    """Print indented JSON. Its texts are exact, except that secrets are removed."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo(visible_json(_redact()(text)))


def width() -> int:
    """Return the columns of the terminal, or 0 if there is none and lines are not wrapped."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if is_terminal else 0


def status_of(error: BotError) -> int:
    """Return the exit status for an error."""
    if isinstance(error, SettingsError):
        return USAGE
    return LATER if isinstance(error, Unreachable | Locked) else FAILED


def worst_status(statuses: Iterator[int]) -> int:
    """Return one exit status for several: 2 before 1 before 75 before 0."""
    found = set(statuses)
    return next((status for status in (USAGE, FAILED, LATER) if status in found), 0)


def status_of_results(results: Sequence[AccountResult]) -> int:
    """Return the exit status for the results of several accounts."""
    from bot.delivery.types import End

    statuses = {End.DONE: 0, End.LATER: LATER, End.WRONG: USAGE}
    return worst_status(statuses.get(result.end, FAILED) for result in results)
