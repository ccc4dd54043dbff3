"""`bot login`: obtain an account's tokens, and print them as settings."""

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
@click.option("--base-url", metavar="URL", help="The account's server. Not for twitter.")
@click.pass_obj
def login(context: ProcessContext, *, network: Network, base_url: str | None) -> int:
    """Log in to NETWORK as the account that will post, and print its tokens as settings.

    The command tells you each step: open an address in a browser and paste the code shown there,
    or, for bluesky, make an app password. Only the settings go to standard output, so you can
    append them to .env:

        bot login mastodon >> .env

    Without --base-url, mastodon uses MASTODON_API_BASE_URL or asks for the server, and bluesky
    uses BLUESKY_SERVICE_URL. For twitter, first set TWITTER_CONSUMER_KEY and
    TWITTER_CONSUMER_SECRET, the keys of your own app.
    """
    from bot.settings.sources import SECRETS

    granted = _LOGINS[network](_sources(context), base_url)
    variables = _variables(network, granted.settings)
    context.redact.add(*(variables[name] for name in SECRETS & variables.keys()))
    say(f"Logged in as {granted.who}." if granted.who else "Logged in.")
    for remark in granted.remarks:
        warn(remark)
    _print(variables, context.environ)
    return 0


def _mastodon(sources: Sources, base_url: str | None) -> GrantedTokens:
    from bot.posters.mastodon import login as mastodon_login
    from bot.settings import options

    timeout = sources.get(options.HTTP_TIMEOUT)
    chosen = base_url or sources.get(options.MASTODON_API_BASE_URL)
    _check(sources)
    server = _address(chosen or ask("The account's server, such as mastodon.social: "))
    verifier = secrets.token_urlsafe(_VERIFIER_BYTES)
    pending = mastodon_login.begin(server, timeout, now, verifier)
    say(
        "1. In a browser, log in to the server as the account that will post.",
        "2. Open this address there, check that it names this account, and authorize the app:",
        f"\n{pending.page}\n",
        "3. Copy the code that the page then shows, and paste it here.",
    )
    return _granted(pending, "Code: ")


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
            f"{' and '.join(names)} must be set, since X gives tokens only to your own app",
            f"Make an app at {twitter_login.CONSOLE} and choose Read and write in its User "
            "authentication settings. Set its API Key and Secret as these two variables, and run "
            "bot login twitter again. The owner of the app needs no login, since the same page "
            "makes an Access Token and Secret for the owner's account.",
        )
    pending = twitter_login.begin(key.reveal(), secret.reveal(), server, timeout, now)
    say(
        "1. In a browser, log in to X as the account that will post.",
        "2. Open this address there, check that it names this account, and authorize the app:",
        f"\n{pending.page}\n",
        "3. Type here the PIN that the page then shows.",
    )
    return _granted(pending, "PIN: ")


def _bluesky(sources: Sources, base_url: str | None) -> GrantedTokens:
    from bot.posters.bluesky import login as bluesky_login
    from bot.settings import options

    timeout = sources.get(options.HTTP_TIMEOUT)
    server = _address(base_url) if base_url else sources.get(options.BLUESKY_SERVICE_URL)
    _check(sources)
    handle = _handle(ask("The account's handle, such as name.bsky.social: "))
    say(
        "1. In Bluesky's app, as that account, open Settings, Privacy and security, App passwords.",
        "2. Add an app password, such as 'bot'. It needs no access to direct messages.",
        "3. Paste it here. It is not shown while you type.",
    )
    return _granted(bluesky_login.begin(handle, server, timeout, now), "App password: ", ask_unseen)


_LOGINS: Mapping[Network, Callable[[Sources, str | None], GrantedTokens]] = {
    Network.MASTODON: _mastodon,
    Network.TWITTER: _twitter,
    Network.BLUESKY: _bluesky,
}


def _sources(context: ProcessContext) -> Sources:
    """Open the settings. A login reads only a few of them, so the others may still be wrong."""
    from bot.settings.sources import Sources

    return Sources(context.environ, context.folder, context.redact)


def _check(sources: Sources) -> None:
    """Raise SettingsError if a setting that was read is wrong."""
    if sources.problems:
        raise SettingsError("\n".join(sources.problems), "Correct the value, or remove it.")


def _address(written: str) -> str:
    """Return the server's URL. People write it as a URL, as a host or as name@host."""
    from bot.settings.parsers import InvalidValue, base_url
    from bot.settings.sources import shown

    text = written.strip()
    if "://" not in text:
        text = f"https://{text.partition('/')[0].rpartition('@')[2]}"
    try:
        return base_url(text)
    except InvalidValue as wrong:
        message = f"the server's address is not valid: {shown(wrong.part)} {wrong.problem}"
        raise SettingsError(message, "Write it with https://, as a browser shows it.") from None


def _handle(written: str) -> str:
    """Return the account's handle. People write it as a handle or as the profile's URL."""
    from bot.settings.parsers import InvalidValue, handle
    from bot.settings.sources import shown

    try:
        return handle(written.strip().rpartition("/")[2])
    except InvalidValue as wrong:
        message = f"the account's handle is not valid: {shown(wrong.part)} {wrong.problem}"
        raise SettingsError(message, "Write the full handle, such as name.bsky.social.") from None


def _granted(
    pending: PendingLogin, question: str, answer: Callable[[str], str] = ask
) -> GrantedTokens:
    """Ask for a code until the server accepts it, three times at most."""
    from bot.posters.login import OtherPage, WrongCode

    for _ in range(_TRIES - 1):
        try:
            return pending.redeem(answer(question))
        except WrongCode as wrong:
            warn(str(wrong))
        except OtherPage as other:
            pending = other.login
            warn(str(other))
            say("Open this address as before, and paste the code it shows:", f"\n{pending.page}\n")
    return pending.redeem(answer(question))


def _variables(network: Network, settings: Mapping[str, str]) -> Mapping[str, str]:
    """Return the granted tokens by the names of their variables."""
    from bot.settings.options import TABLE

    names = {option.account: option.name for option in TABLE if option.network is network}
    return {names[role]: value for role, value in settings.items()}


def _print(variables: Mapping[str, str], environ: Mapping[str, str]) -> None:
    """Print the settings to standard output, and explain them on standard error."""
    target = _target()
    if target and target.st_size:
        click.echo()  # the last line of the file may have no end
    for name, value in variables.items():
        click.echo(setting(name, value))
    if target:
        say(f"Written: {', '.join(variables)}. They are secrets. Anyone who has them can post.")
        if target.st_mode & (stat.S_IRGRP | stat.S_IROTH):
            warn("other users of this machine can read that file. To prevent it: chmod 600 .env")
    else:
        say(
            "These lines are secrets. Anyone who has them can post. Put them only into .env, or "
            "into the config vars of your platform."
        )
    others = {name: environ.get(name, "").strip().rstrip("/") for name in variables}
    hidden = [name for name, other in others.items() if other not in {"", variables[name]}]
    if hidden:
        warn(f"the environment has other values, which are used before .env: {', '.join(hidden)}")
    say("Next step: bot check")


def _target() -> os.stat_result | None:
    """Return the status of the file that standard output goes to, or None if it is no file."""
    try:
        status = os.fstat(sys.stdout.fileno())
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None
