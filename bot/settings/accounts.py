"""Read the accounts: from each network's variables, and from `[[accounts]]` in bot.toml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

from bot.errors import SettingsError
from bot.formatter.limits import LIMITS
from bot.model import Account, Network
from bot.settings import parsers
from bot.settings.options import (
    BLUESKY_HANDLE,
    BLUESKY_SERVICE_URL,
    CATEGORIES,
    EXCLUDE,
    HASHTAGS,
    LANGUAGE,
    MASTODON_API_BASE_URL,
    MASTODON_DIALECT,
    MASTODON_MAX_CHARACTERS,
    MASTODON_REPLIES,
    MASTODON_VISIBILITY,
    PICTURE,
    SCHEDULE,
    TABLE,
    TASTE,
    TEMPLATES,
    TOP,
    TWITTER_API_URL,
    TWITTER_LINKS,
    TWITTER_MONTHLY_BUDGET,
    TWITTER_STYLE,
    Option,
)
from bot.settings.secret import Secret
from bot.settings.sources import Sources, Table, did_you_mean, is_set

T = TypeVar("T")

# A variable's name has no lower case and no long part without an underscore; a token has either.
_VARIABLE = re.compile(r"(?=.{1,100}$)[A-Z][A-Z0-9]{0,19}(?:_[A-Z0-9]{1,20})*")
_NAME = Option(
    "",
    parsers.text(
        "1 to 40 characters of a to z, 0 to 9 and -", parsers.matching(r"[a-z0-9-]{1,40}")
    ),
    "",
    "none",
    "the account's name in options and reports",
    "name",
)
_NETWORK: Option[Network | None] = Option(
    "", parsers.choice(Network), None, "none", "the account's network", "network"
)
_KEYS = {
    network: {o.account: o for o in TABLE + TASTE if o.account and o.network in {None, network}}
    for network in Network
}
_SECRETS = {
    network: {role: option.name for role, option in options.items() if option.kind.secret}
    for network, options in _KEYS.items()
}
_URLS: Mapping[Network, Option[str] | Option[str | None]] = {
    Network.TWITTER: TWITTER_API_URL,
    Network.MASTODON: MASTODON_API_BASE_URL,
    Network.BLUESKY: BLUESKY_SERVICE_URL,
}
# The setting that an account needs and that is not a secret.
_PLAIN = {Network.MASTODON: MASTODON_API_BASE_URL, Network.BLUESKY: BLUESKY_HANDLE}
# The secret that belongs to one account only; a consumer key serves all accounts of an app.
_OWN = {
    Network.TWITTER: "access_token",
    Network.MASTODON: "access_token",
    Network.BLUESKY: "app_password",
}
# Options that belong to one account only must be written together, or not at all.
_TOGETHER = {
    Network.TWITTER: ("access_token", "access_token_secret"),
    Network.MASTODON: (),
    Network.BLUESKY: ("handle", "app_password"),
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a poster needs to log in: `secrets` by role, such as `access_token`.

    `base_url` has no slash at its end. `handle` is the account's handle on Bluesky, without `@`,
    and empty on other networks.
    """

    network: Network
    secrets: Mapping[str, Secret]
    base_url: str
    handle: str = ""


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account as it was written, and the `variables` that hold its credentials.

    `credentials` is None if some variables are `missing`. `identity` is equal for two entries that
    are the same account of a network.
    """

    account: Account
    credentials: Credentials | None
    missing: tuple[str, ...]
    variables: frozenset[str]
    identity: tuple[object, ...]


def preferences(
    sources: Sources, network: Network, name: str, table: Table | None = None
) -> Account:
    """Read an account's options: from its `table`, else from the general settings."""

    def pick(option: Option[T]) -> T:
        return sources.get(option, table)

    common = Account(
        name,
        network,
        top=pick(TOP),
        templates=pick(TEMPLATES),
        categories=pick(CATEGORIES),
        exclude=pick(EXCLUDE),
        language=pick(LANGUAGE),
        hashtags=pick(HASHTAGS),
        schedule=pick(SCHEDULE),
        picture=pick(PICTURE),
    )
    if network is Network.TWITTER:
        return replace(
            common,
            max_characters=LIMITS[Network.TWITTER],
            style=pick(TWITTER_STYLE),
            links=pick(TWITTER_LINKS),
            monthly_budget=pick(TWITTER_MONTHLY_BUDGET),
        )
    if network is Network.MASTODON:
        return replace(
            common,
            max_characters=pick(MASTODON_MAX_CHARACTERS),
            visibility=pick(MASTODON_VISIBILITY),
            replies=pick(MASTODON_REPLIES),
            dialect=pick(MASTODON_DIALECT),
        )
    return replace(common, max_characters=LIMITS[Network.BLUESKY])


def of_file(sources: Sources) -> tuple[AccountEntry, ...]:
    """Read the accounts that bot.toml lists."""
    written = sources.top.values.get("accounts", [])
    if not (isinstance(written, list) and all(isinstance(values, dict) for values in written)):
        sources.note(
            f"{sources.top.where}: accounts must be tables; write [[accounts]] for each account"
        )
        return ()
    tables = [replace(sources.top, values=values) for values in written]
    return tuple(_listed(sources, tables))


def of_variables(sources: Sources, claimed: AbstractSet[str]) -> tuple[AccountEntry, ...]:
    """Read the account that each network's own variables define.

    Variables that accounts of bot.toml use (`claimed`) define no account here: a network has none
    if its own secret is claimed, or if all the variables that are set are claimed.
    """
    return tuple(
        _entry(sources, preferences(sources, network, network.value))
        for network in Network
        if _SECRETS[network][_OWN[network]] not in claimed
        and any(sources.has(name) for name in _needed(network) if name not in claimed)
    )


def _needed(network: Network) -> tuple[str, ...]:
    plain = _PLAIN.get(network)
    return (*((plain.name,) if plain else ()), *_SECRETS[network].values())


def check(sources: Sources, entries: Sequence[AccountEntry]) -> None:
    """Note accounts with the same name, and accounts that would publish everything twice."""
    for one, other in combinations(entries, 2):
        first, second = one.account, other.account
        if first.name == second.name:
            sources.note(f'{sources.top.where}: two accounts have the name "{first.name}"')
        elif one.identity == other.identity:
            sources.note(
                f'{sources.top.where}: accounts "{first.name}" and "{second.name}" are the same '
                f"account on {first.network}, and would publish everything twice; give each its "
                "own secrets"
            )


def one_account(account: Account, twin: str, who: str) -> SettingsError:
    """Return the error for two accounts that are the same account, named `who`, on a network."""
    return SettingsError(
        f"accounts {twin} and {account.name} are the same account on {account.network} ({who}), "
        "which would get everything twice",
        "Remove one of them from bot.toml, or unset its variables.",
    )


def same_papers(accounts: Sequence[Account]) -> tuple[tuple[str, str], ...]:
    """Return the pairs of X accounts that may publish the same papers, which X forbids.

    Two accounts certainly differ only if both are limited to categories and share none. Their
    `exclude` does not matter: they still share the papers that neither excludes.
    """
    return tuple(
        (one.name, other.name)
        for one, other in combinations(accounts, 2)
        if one.network is other.network is Network.TWITTER
        and (
            not (one.categories and other.categories)
            or not set(one.categories).isdisjoint(other.categories)
        )
    )


def _listed(sources: Sources, tables: Sequence[Table]) -> Iterator[AccountEntry]:
    for number, table in enumerate(tables, 1):
        head = replace(table, where=f"{table.where}, account {number}")
        for option in (_NAME, _NETWORK):
            if not is_set(table.values.get(option.account)):
                sources.note(f"{head.where}: {option.account} is missing")
        name, network = sources.get(_NAME, head), sources.get(_NETWORK, head)
        if name and network:
            named = replace(table, where=f'{table.where}, account "{name}"')
            _check_table(sources, named, name, network)
            yield _entry(sources, preferences(sources, network, name, named), named)


def _check_table(sources: Sources, table: Table, name: str, network: Network) -> None:
    if name in {*Network} - {network}:
        sources.note(f"{table.where}: the name is the name of another network; choose another name")
    together = [key for key in _TOGETHER[network] if is_set(table.values.get(key))]
    if len(together) == 1:
        sources.note(
            f"{table.where}: {' and '.join(_TOGETHER[network])} belong together; write both or "
            "neither"
        )
    known = {*_KEYS[network], _NAME.account, _NETWORK.account}
    for key in table.values:
        elsewhere = [other for other in Network if key in _KEYS[other]]
        if elsewhere and key not in known:
            sources.note(
                f"{table.where}: {key} is an option of {elsewhere[0]}, but this account is on "
                f"{network}"
            )
        elif key not in known:
            meant = did_you_mean(key, known)
            sources.note(
                f"{table.where}: {sources.quote(key)} is not an option of an account{meant}"
            )


def _entry(sources: Sources, account: Account, table: Table | None = None) -> AccountEntry:
    network = account.network
    variables = {
        role: _variable(sources, role, standard, table)
        for role, standard in _SECRETS[network].items()
    }
    found = {role: sources.secret(variable) for role, variable in variables.items()}
    url = sources.get(_URLS[network], table)
    handle = sources.get(BLUESKY_HANDLE, table) if network is Network.BLUESKY else ""
    missing = [_PLAIN[network].name] if url is None or handle is None else []
    missing += [variables[role] for role, secret in found.items() if not secret]
    secrets = {role: secret for role, secret in found.items() if secret}
    own = secrets.get(_OWN[network])
    return AccountEntry(
        account,
        None if missing else Credentials(network, secrets, url or "", handle or ""),
        tuple(missing),
        frozenset(variables.values()) | _borrowed(network, table),
        (network, url, handle or (_acts_as(network, own) if own else variables[_OWN[network]])),
    )


def _acts_as(network: Network, secret: Secret) -> Secret:
    """Return the part of a token that identifies the account: X's tokens begin with its id."""
    is_user = network is Network.TWITTER and _names_user(secret)
    return Secret(secret.reveal().partition("-")[0]) if is_user else secret


def malformed_token(account: Account, credentials: Credentials) -> SettingsError | None:
    """Return the error for an account's token with the wrong form; None if the form is right."""
    if account.network is not Network.TWITTER or _names_user(credentials.secrets["access_token"]):
        return None
    return SettingsError(
        f"{account.name}: the access token (not shown) does not begin with the account's id and a "
        "dash, as X's tokens do",
        "Set TWITTER_ACCESS_TOKEN, or the variable that bot.toml names instead, to an OAuth 1.0a "
        "access token; bot login twitter obtains one.",
    )


def _names_user(secret: Secret) -> bool:
    """Tell whether a token begins with a user's id, as X's tokens do."""
    return re.match(r"[0-9]{1,20}-", secret.reveal()) is not None


def _borrowed(network: Network, table: Table | None) -> AbstractSet[str]:
    plain = _PLAIN.get(network)
    own = table and plain and is_set(table.values.get(plain.account))
    return frozenset() if own or not plain else frozenset({plain.name})


def _variable(sources: Sources, role: str, standard: str, table: Table | None) -> str:
    written = table.values.get(role) if table else None
    if not table or not is_set(written):
        return standard
    if isinstance(written, str) and _VARIABLE.fullmatch(written.strip()):
        return written.strip()
    sources.note(
        f"{table.where}: {role} must be the name, in capitals, of the variable that holds the "
        f"secret, such as SCIENCE_{standard} (the value is not shown, since it may be a secret)"
    )
    return standard
