"""Read the environment, `.env` and bot.toml into one `Settings`: typed, checked, secrets hidden.

No code here reads `os.environ`; the command line passes it in.
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

_FIX = "Correct the value, or leave it empty for the default."


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked.

    `digests` is a path, an address or `github:...`, None for the samples. `http_timeout` and
    `retry_wait` are in seconds. `bind` is the IP address that `port` listens on. `timezone` is the
    zone of every schedule. `digest_url` has `{slug}` in it. `accounts` are the accounts whose
    secrets are all set, with their `credentials` by name; `incomplete` has the missing variables of
    the others by name. `drafts` are the incomplete accounts of bot.toml: a dry run shows them, and
    no post is sent to them. `defaults` has one account for each network, made from the general
    settings. `config` is the bot.toml that was read. `wiped_by` names the platform whose deploys
    wipe the ledger, empty if no platform is recognised or the ledger is elsewhere. `warnings` are
    for people, one line each. `redact` removes every secret from a text, also those of sessions
    that are opened later.
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
    huggingface_url: str
    arxiv_rss_url: str
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

    `redact` gets each secret, and becomes `Settings.redact`. Raises SettingsError with one line for
    each mistake; no line has a secret.
    """
    sources = Sources(environ, folder, redact)
    sources.check_network(environ)
    del environ  # a traceback with the locals of this frame must not show it
    for option in options.TABLE:
        sources.get(option)
    sources.check_keys()
    listed = of_file(sources)
    claimed = frozenset[str]().union(*(entry.variables for entry in listed))
    single = of_variables(sources, claimed)
    check(sources, (*single, *listed))
    sources.check_names(claimed)
    if sources.problems:
        raise SettingsError("\n".join(sources.problems), _FIX)
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
        twitter_reads=sources.get(options.TWITTER_READ_BACK),
        skip=sources.get(options.SKIP),
        digest_url=sources.get(options.DIGEST_URL),
        github_token=sources.get(options.GITHUB_TOKEN),
        github_api_url=sources.get(options.GITHUB_API_URL),
        huggingface_url=sources.get(options.HUGGINGFACE_URL),
        arxiv_rss_url=sources.get(options.ARXIV_RSS_URL),
        notify_urls=sources.get(options.NOTIFY_URLS),
        log_format=sources.get(options.LOG_FORMAT),
        heartbeat_url=sources.get(options.HEARTBEAT_URL),
        port=sources.get(options.PORT),
        # a platform sets PORT in the environment, to reach it; .env is on a person's own machine
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
    """Return the accounts whose threads a dry run shows; empty `networks` or `names` mean all.

    These are the configured accounts with the drafts, or, if there are none, each network's default
    account. A network in `networks` without an account is shown by its default account. Raises
    SettingsError for an unknown name, and if no account is on the given networks.
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
        raise SettingsError(
            f"no account has the name {unknown}", f"Known accounts: {', '.join(known)}."
        )
    chosen = tuple(
        account
        for account in pool
        if (not networks or account.network in networks) and (not names or account.name in names)
    )
    if not chosen:
        where = ", ".join(f"{name} is on {known[name].network}" for name in names)
        raise SettingsError(
            f"{where}, not on {' or '.join(networks)}", "Leave out the account or the network."
        )
    return chosen
