"""`bot login`: the way to an account's tokens, for people who have none."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

from bot.cli.common import ProcessContext, warn
from bot.cli.prompt import ask, ask_unseen, say
from bot.cli.serving import now
from bot.errors import SettingsError
from bot.model import Network
from bot.terminal import setting

if TYPE_CHECKING:
    from bot.posters.login import GrantedTokens, PendingLogin
    from bot.settings.sources import Sources

_TRIES = 3
_VERIFIER_BYTES = 48


@click.command(short_help="Log in as the account, and print its tokens as settings.")
@click.argument("network", type=click.Choice(Network, case_sensitive=False))
@click.option("--base-url", metavar="URL", help="The account's server, not for twitter.")
@click.pass_obj
def login(surroundings: ProcessContext, *, network: Network, base_url: str | None) -> int:
    """Log in to NETWORK as the account that is to post, and print its tokens as settings.

    It says what to do: open an address in a browser, and bring back the code shown there; for
    bluesky, make an app password. Only the settings go to standard output, so that they can go
    where they belong:

        bot login mastodon >> .env

    Without --base-url the server is that of MASTODON_API_BASE_URL, or is asked for; for bluesky,
    that of BLUESKY_SERVICE_URL. For twitter, TWITTER_CONSUMER_KEY and TWITTER_CONSUMER_SECRET must
    be set: those of an app of yours.
    """
    from bot.settings.sources import SECRETS

    granted = _WAYS[network](_sources(surroundings), base_url)
    variables = _variables(network, granted.settings)
    surroundings.redact.add(*(variables[name] for name in SECRETS & variables.keys()))
    say(f"This is {granted.who}." if granted.who else "It is done.")
    for remark in granted.remarks:
        warn(remark)
    _print(variables, surroundings.environ)
    return 0


def _mastodon(sources: Sources, base_url: str | None) -> GrantedTokens:
    from bot.posters.mastodon import login as mastodon_login
    from bot.settings import options

    timeout = sources.get(options.HTTP_TIMEOUT)
    written = base_url or sources.get(options.MASTODON_API_BASE_URL)
    _check(sources)
    server = _address(written or ask("The account's server, such as mastodon.social: "))
    verifier = secrets.token_urlsafe(_VERIFIER_BYTES)
    waiting = mastodon_login.begin(server, timeout, now, verifier)
    say(
        "1. In a browser, log in to the server as the account that is to post.",
        "2. Open this address there, see that it names that account, and allow what it asks for:",
        f"\n{waiting.page}\n",
        "3. Copy the code that the page then shows, and paste it here.",
    )
    return _granted(waiting, "Code: ")


def _twitter(sources: Sources, base_url: str | None) -> GrantedTokens:
    if base_url:
        raise click.UsageError("--base-url is for mastodon and bluesky.")
    from bot.posters.twitter import login as twitter_login
    from bot.settings import options
    from bot.settings.sources import is_set

    names = ("TWITTER_CONSUMER_KEY", "TWITTER_CONSUMER_SECRET")
    key, secret = (sources.secret(name) for name in names)
    option, timeout = options.TWITTER_API_URL, sources.get(options.HTTP_TIMEOUT)
    chosen = sources.has(option.name) or is_set(sources.top.values.get(option.key))
    server = sources.get(option) if chosen else twitter_login.BASE_URL
    _check(sources)
    if not (key and secret):
        raise SettingsError(
            f"{' and '.join(names)} are not both set: X gives tokens to an app of yours only",
            f"At {twitter_login.CONSOLE} make an app, with Read and write in its User "
            "authentication settings; set its API Key and Secret as these two; run bot login "
            "twitter again. The app's owner needs no login: an Access Token and Secret for it can "
            "be made on the same page.",
        )
    waiting = twitter_login.begin(key.reveal(), secret.reveal(), server, timeout, now)
    say(
        "1. In a browser, log in to X as the account that is to post.",
        "2. Open this address there, see that it names that account, and authorize the app:",
        f"\n{waiting.page}\n",
        "3. Type here the PIN that the page then shows.",
    )
    return _granted(waiting, "PIN: ")


def _bluesky(sources: Sources, base_url: str | None) -> GrantedTokens:
    from bot.posters.bluesky import login as bluesky_login
    from bot.settings import options

    timeout = sources.get(options.HTTP_TIMEOUT)
    server = _address(base_url) if base_url else sources.get(options.BLUESKY_SERVICE_URL)
    _check(sources)
    handle = _handle(ask("The account's handle, such as name.bsky.social: "))
    say(
        "1. In Bluesky's app, as that account: Settings, Privacy and security, App passwords.",
        "2. Add one, such as 'bot'. It needs no access to direct messages.",
        "3. Paste it here; it is not shown.",
    )
    return _granted(bluesky_login.begin(handle, server, timeout, now), "App password: ", ask_unseen)


_WAYS: Mapping[Network, Callable[[Sources, str | None], GrantedTokens]] = {
    Network.MASTODON: _mastodon,
    Network.TWITTER: _twitter,
    Network.BLUESKY: _bluesky,
}


def _sources(surroundings: ProcessContext) -> Sources:
    """Open what is set. Only what a login needs is read: the rest may still be wrong."""
    from bot.settings.sources import Sources

    return Sources(surroundings.environ, surroundings.folder, surroundings.redact)


def _check(sources: Sources) -> None:
    """Raise SettingsError where something that was read is wrong."""
    if sources.problems:
        raise SettingsError("\n".join(sources.problems), "Correct it, or take it out.")


def _address(written: str) -> str:
    """Read where a server is, as people write it: an address, a host, a name with its host."""
    from bot.settings.parsers import InvalidValue, base_url
    from bot.settings.sources import shown

    text = written.strip()
    if "://" not in text:
        text = f"https://{text.partition('/')[0].rpartition('@')[2]}"
    try:
        return base_url(text)
    except InvalidValue as wrong:
        message = f"the server's address: {shown(wrong.part)} {wrong.problem}"
        raise SettingsError(message, "Give it with https://, as a browser shows it.") from None


def _handle(written: str) -> str:
    """Read who an account is, as people write it."""
    from bot.settings.parsers import InvalidValue, handle
    from bot.settings.sources import shown

    try:
        return handle(written.strip().rpartition("/")[2])
    except InvalidValue as wrong:
        message = f"the account's handle: {shown(wrong.part)} {wrong.problem}"
        raise SettingsError(message, "Give it whole, such as name.bsky.social.") from None


def _granted(
    waiting: PendingLogin, question: str, poller: Callable[[str], str] = ask
) -> GrantedTokens:
    """Ask for a code until one is taken, three times at most."""
    from bot.posters.login import OtherPage, WrongCode

    for _ in range(_TRIES - 1):
        try:
            return waiting.redeem(poller(question))
        except WrongCode as wrong:
            warn(str(wrong))
        except OtherPage as more:
            waiting = more.login
            warn(str(more))
            say("Open this address as before, and paste the code it shows:", f"\n{waiting.page}\n")
    return waiting.redeem(poller(question))


def _variables(network: Network, settings: Mapping[str, str]) -> Mapping[str, str]:
    """Name what was given by the variables that hold it."""
    from bot.settings.options import TABLE

    names = {option.account: option.name for option in TABLE if option.network is network}
    return {names[role]: value for role, value in settings.items()}


def _print(variables: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Print the settings, and say beside them what they are and where they belong."""
    target = _target()
    if target and target.st_size:
        click.echo()  # a file that does not end its last line would swallow our first
    for name, value in variables.items():
        click.echo(setting(name, value))
    if target:
        say(f"{', '.join(variables)}: written. They are secrets: who has them can post.")
        if target.st_mode & (stat.S_IRGRP | stat.S_IROTH):
            warn("others on this machine may read that file; against that: chmod 600 .env")
    else:
        say(
            "These lines are secrets: who has them can post. They belong into .env, or into the "
            "config vars of your PaaS, and nowhere else."
        )
    others = {name: environ.get(name, "").strip().rstrip("/") for name in variables}
    hidden = [name for name, other in others.items() if other not in {"", variables[name]}]
    if hidden:
        warn(f"{', '.join(hidden)}: set otherwise in the environment, which goes before .env")
    say("Then try them: bot check")


def _target() -> os.stat_result | None:
    """What is known of the file that standard output goes to; None where it is no file."""
    try:
        found = os.fstat(sys.stdout.fileno())
    except OSError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None
