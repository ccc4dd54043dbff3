"""What the commands share: surroundings, options, printing, exit statuses."""

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

from bot.errors import BotError, Locked, SettingsError, Unreachable
from bot.model import Account, Network
from bot.redact import Redact
from bot.terminal import each_text, visible, visible_json

if TYPE_CHECKING:
    from bot.delivery.publish import AccountResult
    from bot.settings import Settings

FAILED = 1
USAGE = 2
LATER = 75

T = TypeVar("T", bound=Callable[..., object])
P = ParamSpec("P")
SafeLine = NewType("SafeLine", str)


@dataclass(frozen=True, slots=True)
class ProcessContext:
    """What the program takes from the process it runs in; tests pass their own.

    `asks` says whether a person is there to answer a question. `redact` knows the secrets that a
    command has met: nothing that it prints shows them.
    """

    environ: Mapping[str, str]
    folder: Path
    asks: bool = False
    redact: Redact = field(default_factory=Redact, compare=False)


def choosing(command: T) -> T:
    """Add the options that choose accounts."""
    network = click.option(
        "--network",
        "networks",
        multiple=True,
        type=click.Choice(Network, case_sensitive=False),
        help="Only accounts on this network; may be repeated.",
    )
    account = click.option(
        "--account", "names", multiple=True, help="Only this account; may be repeated."
    )
    return network(account(command))


def as_json(command: T) -> T:
    """Add the option to print JSON."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON object, for programs."
    )(command)


def settings_of(surroundings: ProcessContext) -> Settings:
    """Read the settings. Raises SettingsError."""
    from bot.settings import load

    return load(surroundings.environ, surroundings.folder, surroundings.redact)


def ready_accounts(
    settings: Settings, networks: Sequence[Network], names: Sequence[str]
) -> tuple[Account, ...]:
    """The accounts chosen among those that can post. Raises SettingsError where there is none."""
    from bot.settings import malformed_token

    known = {account.name for account in settings.accounts}
    for name in names:
        if name not in known:
            missing = ", ".join(settings.incomplete.get(name, ()))
            message = f"no account {name!r} is set up" + (f": {missing} not set" if missing else "")
            raise SettingsError(message, f"Set up: {', '.join(sorted(known)) or 'none'}.")
    chosen = tuple(
        account
        for account in settings.accounts
        if (not networks or account.network in networks) and (not names or account.name in names)
    )
    if not chosen:
        where = f" on {', '.join(networks)}" if networks else ""
        raise SettingsError(
            f"no account is set up to post with{where}",
            "bot login mastodon, twitter or bluesky leads to what an account needs, bot check says "
            "what is missing, and --dry-run shows the plan without any.",
        )
    for account in chosen:
        if wrong := malformed_token(account, settings.credentials[account.name]):
            raise wrong
    return chosen


# Printing: all that a command prints goes through here, but for the tokens of `bot login`. --------


def safe(text: str) -> str:
    """Return `text` without secrets, and with nothing in it that a terminal obeys."""
    return visible(_redact()(text))


def _redact() -> Redact:
    context = click.get_current_context(silent=True)
    surroundings = context.find_object(ProcessContext) if context else None
    return surroundings.redact if surroundings else Redact()


def echo(text: str = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text for people."""
    click.echo(safe(text), err=err, nl=nl)


def warn(message: str) -> None:
    """Print a warning for people, beside the output."""
    click.echo(f"{click.style('Warning:', fg='yellow')} {safe(message)}", err=True)


def confirm(question: str) -> bool:
    """Ask the person whether to go on."""
    return click.confirm(safe(question))


def worded(
    words: Callable[P, Iterator[str]], *args: P.args, **kwargs: P.kwargs
) -> Iterator[SafeLine]:
    """Call `words` with every text in its arguments made safe.

    Before it words them, since its lines hold a terminal's codes for colours. What breaks a line is
    indented, so that no value passes for a line of ours.
    """
    given, named = each_text(args, safe), each_text(kwargs, safe)
    for line in words(*given, **named):
        yield SafeLine(re.sub(r"\n(?!  )", "\n  ", line))


def show(lines: Iterable[SafeLine], *, err: bool = False) -> None:
    """Print lines, each as it comes."""
    for line in lines:
        click.echo(line, err=err)


def show_json(value: object) -> None:
    """Print JSON that a person can read too; its texts are exact but for secrets."""
    written = json.dumps(value, ensure_ascii=False, indent=2)
    click.echo(visible_json(_redact()(written)))


def width() -> int:
    """Columns of the terminal; 0 where there is none, and lines are left whole."""
    is_terminal = sys.stdout is not None and sys.stdout.isatty()
    return shutil.get_terminal_size().columns if is_terminal else 0


def status_of(error: BotError) -> int:
    """The exit status for an error."""
    if isinstance(error, SettingsError):
        return USAGE
    return LATER if isinstance(error, Unreachable | Locked) else FAILED


def gravest(statuses: Iterator[int]) -> int:
    """The status for several: 2, then 1, then 75."""
    found = set(statuses)
    return next((status for status in (USAGE, FAILED, LATER) if status in found), 0)


def status_of_served(served: Sequence[AccountResult]) -> int:
    """The exit status for what became of several accounts."""
    from bot.delivery.types import End

    statuses = {End.DONE: 0, End.LATER: LATER, End.WRONG: USAGE}
    return gravest(statuses.get(one.end, FAILED) for one in served)
