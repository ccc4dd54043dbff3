"""The environment, `.env` and bot.toml to one `Settings`: typed, checked, no secret in sight.

Nothing here reads `os.environ`; the command line hands it in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bot.errors import SettingsError
from bot.model import Account, Network
from bot.redact import Redact
from bot.settings import options
from bot.settings.accounts import (
    AccountEntry,
    Credentials,
    check,
    malformed_token,
    of_file,
    of_variables,
    one_account,
    preferences,
    same_papers,
)
from bot.settings.options import CatchUp, LogFormat, table
from bot.settings.secret import Secret
from bot.settings.sources import Sources, shown

__all__ = [
    "CatchUp",
    "Credentials",
    "LogFormat",
    "Secret",
    "Settings",
    "load",
    "malformed_token",
    "offered",
    "one_account",
    "same_papers",
    "table",
]

_MEND = "Set what is allowed; a variable that is left empty means its default."


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked.

    `digests` is a path, an address or `github:...`, None for the samples. `http_timeout` and
    `retry_wait` are in seconds. `bind` is the IP address that `port` listens on. `timezone` is that
    of every schedule. `digest_url` has `{slug}` in it. `accounts` are those whose secrets are all
    set, with their `credentials` by name; `incomplete` gives the missing variables of the others by
    name. `drafts` are the incomplete accounts of bot.toml: a dry run shows them, nothing is sent to
    them. `defaults` are each network's account as the general settings make it. `config` is the
    bot.toml that was read. `wiped_by` names the platform whose deploys wipe the ledger, empty where
    none is recognised or it lies elsewhere. `warnings` are for people, a line each.
    `redact` takes every secret that was found out of text, and sessions that are opened later.
    """

    digests: str | None
    templates: Path | None
    database: Path
    top: int
    timezone: str
    max_age: timedelta
    catch_up: CatchUp
    http_timeout: float
    retry_wait: float
    patience: timedelta
    settle: timedelta
    pause: timedelta
    repeat_days: int
    twitter_reads: bool
    skip: tuple[str, ...]
    digest_url: str | None
    github_token: Secret | None
    github_api_url: str
    notify_urls: Secret | None
    log_format: LogFormat | None
    heartbeat_url: Secret | None
    port: int | None
    bind: str
    accounts: tuple[Account, ...]
    credentials: Mapping[str, Credentials]
    incomplete: Mapping[str, tuple[str, ...]]
    drafts: tuple[Account, ...]
    defaults: tuple[Account, ...]
    config: Path | None
    wiped_by: str = ""
    warnings: tuple[str, ...] = ()
    redact: Redact = field(default_factory=Redact, compare=False)


def load(environ: Mapping[str, str], folder: Path, redact: Redact | None = None) -> Settings:
    """Read the settings from `environ`, and from `.env` and bot.toml in `folder`.

    `redact` is told each secret, and becomes that of the settings. Raises SettingsError with all
    that is wrong, a line each; no secret is in it.
    """
    sources = Sources(environ, folder, redact)
    sources.check_network(environ)
    del environ  # a report that prints the locals of this frame must not print it
    for option in options.TABLE:
        sources.get(option)
    sources.check_keys()
    listed = of_file(sources)
    claimed = frozenset[str]().union(*(entry.variables for entry in listed))
    single = of_variables(sources, claimed)
    check(sources, (*single, *listed))
    sources.check_names(claimed)
    if sources.problems:
        raise SettingsError("\n".join(sources.problems), _MEND)
    return _gather(sources, single, listed, folder)


def _gather(
    sources: Sources, single: Sequence[AccountEntry], listed: Sequence[AccountEntry], folder: Path
) -> Settings:
    entries = (*single, *listed)
    database = folder / sources.get(options.DATABASE)
    return Settings(
        digests=sources.get(options.DIGESTS),
        templates=sources.get(options.TEMPLATES),
        database=database,
        top=sources.get(options.TOP),
        timezone=sources.get(options.TIMEZONE),
        max_age=sources.get(options.MAX_AGE),
        catch_up=sources.get(options.CATCH_UP),
        http_timeout=sources.get(options.HTTP_TIMEOUT),
        retry_wait=sources.get(options.RETRY_WAIT),
        patience=sources.get(options.PATIENCE),
        settle=sources.get(options.SETTLE),
        pause=sources.get(options.PAUSE),
        repeat_days=sources.get(options.REPEAT_DAYS),
        twitter_reads=sources.get(options.TWITTER_READ_BACK) is options.OnOff.ON,
        skip=sources.get(options.SKIP),
        digest_url=sources.get(options.DIGEST_URL),
        github_token=sources.get(options.GITHUB_TOKEN),
        github_api_url=sources.get(options.GITHUB_API_URL),
        notify_urls=sources.get(options.NOTIFY_URLS),
        log_format=sources.get(options.LOG_FORMAT),
        heartbeat_url=sources.get(options.HEARTBEAT_URL),
        port=sources.get(options.PORT),
        # whoever sets PORT for a process wants it reached; .env is of a person's own machine
        bind=sources.get(options.BIND)
        or ("0.0.0.0" if sources.is_in_environment("PORT") else "127.0.0.1"),  # noqa: S104
        accounts=tuple(entry.account for entry in entries if entry.credentials),
        credentials={e.account.name: e.credentials for e in entries if e.credentials},
        incomplete={e.account.name: e.missing for e in entries if e.missing},
        drafts=tuple(entry.account for entry in listed if entry.missing),
        defaults=tuple(preferences(sources, network, network.value) for network in Network),
        config=sources.config,
        wiped_by=sources.platform if database.is_relative_to(folder) else "",
        warnings=tuple(sources.warnings),
        redact=sources.redact,
    )


def offered(
    settings: Settings, networks: Collection[Network], names: Collection[str]
) -> tuple[Account, ...]:
    """Choose the accounts whose threads a dry run shows; empty `networks` or `names` mean any.

    These are the configured accounts, drafts too, or without any each network's default account.
    A network asked for that has no account is shown by its default account. Raises SettingsError
    for a name that is not known, and where no account is on the networks asked for.
    """
    pool = settings.accounts + settings.drafts or settings.defaults
    present = {account.network for account in pool}
    begun = settings.incomplete.keys() & {*names} - {account.name for account in pool}
    pool += tuple(
        account
        for account in settings.defaults
        if account.name in begun or account.network in {*networks} - present
    )
    known = {account.name: account for account in pool}
    unknown = ", ".join(shown(name) for name in names if name not in known)
    if unknown:
        raise SettingsError(f"no account has the name {unknown}", f"Known: {', '.join(known)}.")
    chosen = tuple(
        account
        for account in pool
        if (not networks or account.network in networks) and (not names or account.name in names)
    )
    if not chosen:
        where = ", ".join(f"{name} is on {known[name].network}" for name in names)
        raise SettingsError(
            f"no such account on {', '.join(networks)}: {where}", "Leave one of the two out."
        )
    return chosen
