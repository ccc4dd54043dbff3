"""Look up settings in the environment, `.env` and bot.toml, in this order of precedence.

A wrong value is noted and replaced by its default, so that one run of the program names every
mistake. No note has the text of a secret, or of a line that may be one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from bot.errors import SettingsError
from bot.redact import Redact
from bot.settings.files import parse_dotenv, parse_toml, read_file
from bot.settings.options import CONFIG, SECRET, TABLE, Option, key_of
from bot.settings.parsers import InvalidValue, Raw
from bot.settings.secret import Secret

T = TypeVar("T")

_LONGEST_SHOWN = 200
_LARGEST_NUMBER = 10**18
_ALL = re.DOTALL | re.IGNORECASE
_PREFIXES = ("BOT_", "TWITTER_", "MASTODON_", "BLUESKY_")
_KEYS = frozenset(option.key for option in TABLE if option.key)
# The names that X's console uses.
_ALIASES = {
    "TWITTER_API_KEY": "TWITTER_CONSUMER_KEY",
    "TWITTER_API_SECRET": "TWITTER_CONSUMER_SECRET",
}
SECRETS = frozenset({*_ALIASES, *(option.name for option in TABLE if option.kind.secret)})
_CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_LOWER_PROXIES = tuple(map(str.lower, _PROXIES))


@dataclass(frozen=True, slots=True)
class Table:
    """A table of bot.toml: its values, its name in errors, and the folder its paths start from."""

    values: Mapping[str, object]
    where: str
    base: Path


@dataclass(frozen=True, slots=True)
class FoundValue:
    """A value as it was written, its place in words, and the folder that its paths start from."""

    raw: object
    where: str
    base: Path


# Variables that these platforms set; each platform replaces the program's folder at every deploy.
_WIPERS = {
    "DYNO": "Heroku",
    "FLY_APP_NAME": "Fly.io",
    "RAILWAY_ENVIRONMENT": "Railway",
    "RENDER": "Render",
}


class Sources:
    """Reads options from all sources; reading adds to `problems` and `warnings`.

    `redact` gets each secret that is found.
    """

    def __init__(
        self, environ: Mapping[str, str], folder: Path, redact: Redact | None = None
    ) -> None:
        self.redact = redact or Redact()
        self.problems: dict[str, None] = {}
        self.warnings: dict[str, None] = {}
        self.top = Table({}, "", folder)
        self.config: Path | None = None
        self.platform = next((name for sign, name in _WIPERS.items() if environ.get(sign)), "")
        self._folder = folder
        self._variables = self._dotenv(folder / ".env")
        trimmed = {name: text.strip() for name, text in environ.items()}
        own = {name: (text, "") for name, text in trimmed.items() if name and text}
        self._in_environment = own.keys()
        self._variables |= own
        for alias, name in _ALIASES.items():
            if alias in self._variables and name not in self._variables:
                self._variables[name] = (self._variables[alias][0], f" (set as {alias})")
        for name in (*_PROXIES, *_LOWER_PROXIES):
            login = self._variables.get(name, ("", ""))[0].rpartition("@")[0]
            self.redact.add(login.partition("://")[2].partition(":")[2])
        self._hide(SECRETS)
        self._read_config(self.get(CONFIG))

    def get(self, option: Option[T], table: Table | None = None) -> T:
        """Return an option's value, from an account's `table` first; the default if it is wrong."""
        found = self._find(option, table)
        if found is None:
            return option.default
        try:
            return option.kind.read(_raw(found.raw), found.base)
        except InvalidValue as wrong:
            part = "the value (not shown)" if option.kind.secret else self.quote(wrong.part)
            if wrong.part and wrong.problem:
                reason = f"; {part} {wrong.problem}"
            else:
                reason = f", not {wrong.problem or part}"
            self.note(f"{found.where} must be {option.kind.allowed}{reason}")
            return option.default

    def secret(self, variable: str) -> Secret | None:
        """Return the secret in the variable of this name; None if it is not set."""
        option: Option[Secret | None] = Option(variable, SECRET, None, "", "")
        return self.get(option)

    def has(self, variable: str) -> bool:
        """Tell whether a variable is set, to a correct value or not."""
        return variable in self._variables

    def is_in_environment(self, variable: str) -> bool:
        """Tell whether a variable is set in the process's environment, and not only in `.env`."""
        return variable in self._in_environment

    def note(self, problem: str) -> None:
        """Record a problem, once; `load` raises SettingsError if there is any."""
        self.problems[problem] = None

    def warn(self, warning: str) -> None:
        """Record a warning, once."""
        self.warnings[warning] = None

    def quote(self, text: str) -> str:
        """Quote a value for a problem or a warning; a secret in the wrong place is not shown."""
        return shown(self.redact(text))

    def check_names(self, claimed: Iterable[str]) -> None:
        """Warn of variables that look like settings and are not; bot.toml names the `claimed`."""
        known = {option.name for option in TABLE} | {*claimed, *_ALIASES}
        for name in sorted(self._variables):
            prefix = next((start for start in _PREFIXES if name.upper().startswith(start)), "")
            if prefix and name not in known:
                meant = did_you_mean(name.upper(), known, prefix)
                self.warn(f"{self.quote(name)} is not a setting{meant}")

    def check_network(self, environ: Mapping[str, str]) -> None:
        """Note the variables that the library requests would read and could not use."""
        for name in _CERTIFICATES:
            path = environ.get(name, "")
            if path and not _exists(Path(path)):
                self.note(
                    f"{name} must be a file of certificates, but {self.quote(path)} is missing"
                )
        for name in (*_PROXIES, *_LOWER_PROXIES):
            written = environ.get(name, "").strip()
            try:
                # requests reads the text before a colon as a scheme, unless it has a dot
                has_dot = "." in written.partition(":")[0] and "://" not in written
                parts = urlsplit(f"http://{written}" if has_dot else written)
                fine = parts.scheme in _PROXY_SCHEMES and parts.hostname and parts.port != 0
            except ValueError:
                fine = False
            fine = fine and not re.search(r"\s", written)
            if written and not fine:
                self.note(
                    f"{name} must be a proxy such as http://host:3128, not {self.quote(written)}"
                )
            elif written and parts.scheme.startswith("socks") and find_spec("socks") is None:
                self.note(
                    f"{name} names a SOCKS proxy, which needs PySocks; install it with pip install "
                    "pysocks"
                )

    def check_keys(self) -> None:
        """Note secrets and unknown keys at the top of bot.toml."""
        known = _KEYS | {"accounts"}
        for key in self.top.values:
            if key.upper() in SECRETS:
                self.note(
                    f"{self.top.where}: {key} is a secret and does not belong in this file; put "
                    f"{key.upper()} into the environment or .env"
                )
            elif key not in known:
                meant = did_you_mean(key_of(key), known)
                self.note(f"{self.top.where}: {self.quote(key)} is not a setting{meant}")

    def _hide(self, names: Iterable[str]) -> None:
        self.redact.add(*(self._variables[name][0] for name in names if self.has(name)))

    def _find(self, option: Option[T], table: Table | None) -> FoundValue | None:
        if table and is_set(table.values.get(option.account)):
            where = f"{table.where}: {option.account}"
            return FoundValue(table.values[option.account], where, table.base)
        if option.name in self._variables:
            text, place = self._variables[option.name]
            return FoundValue(text, f"{option.name}{place}", self._folder)
        if option.key and is_set(self.top.values.get(option.key)):
            where = f"{self.top.where}: {option.key}"
            return FoundValue(self.top.values[option.key], where, self.top.base)
        return None

    def _dotenv(self, path: Path) -> dict[str, tuple[str, str]]:
        try:
            text = read_file(path)
        except SettingsError as error:
            self.note(error.message)
            return {}
        values, bad = parse_dotenv(text) if text else ({}, ())
        for line in bad:
            self.note(
                f"{path}:{line}: this line is not NAME=value (it is not shown, since it may hold a "
                "secret)"
            )
        return {name: (value, f" in {path}") for name, value in values.items()}

    def _read_config(self, named: Path | None) -> None:
        path = named or self._folder / "bot.toml"
        prefix = f"{CONFIG.name}: " if named else ""
        try:
            text = read_file(path)
            values = {} if text is None else parse_toml(text, path)
        except SettingsError as error:
            self.note(prefix + error.message)
            return
        if text is not None:
            self.top = Table(values, str(path), path.parent)
            self.config = path
            # The variables that accounts name are secrets, before the first value is quoted.
            self._hide(_texts(values.get("accounts")))
        elif named:
            self.note(f"{CONFIG.name} must be {CONFIG.kind.allowed}, not {self.quote(str(path))}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the name is too long, or the folder above it cannot be entered
        return False


def is_set(raw: object) -> bool:
    """Tell whether a value of bot.toml is set: an empty text means the default, like no value."""
    return raw is not None and not (isinstance(raw, str) and not raw.strip())


def shown(text: str) -> str:
    """Quote a value for an error: printable, shortened, without the parts that may be secret."""
    if ":" in text:
        text = re.sub(r"^([a-z][a-z0-9+.-]*://)?.*@", r"\1***@", text, flags=_ALL)
        text = re.sub(r"^([a-z][a-z0-9+.-]*://[^?#]*[?#]).*", r"\1***", text, flags=_ALL)
    text = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return f'"{"".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)}"'


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Return the suggestion that ends a message about an unknown name; empty if no name is near.

    Only names with the `prefix` count, and only the text after it is compared.
    """
    from difflib import get_close_matches

    rests = sorted(name.removeprefix(prefix) for name in known if name.startswith(prefix))
    near = get_close_matches(word.removeprefix(prefix)[:60], rests, n=1, cutoff=0.55)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


def _texts(accounts: object) -> Iterator[str]:
    for table in accounts if isinstance(accounts, list) else ():
        if isinstance(table, dict):
            yield from (value.strip() for value in table.values() if isinstance(value, str))


def _raw(value: object) -> Raw:
    match value:
        case bool():
            return value
        case str():
            return value.strip()
        case int() | float():
            if not abs(value) < _LARGEST_NUMBER:
                raise InvalidValue("", "a number that large")
            return str(value)
        case list() if all(isinstance(item, str) for item in value):
            return tuple(value)
        case list():
            raise InvalidValue("", "a list with values other than text")
        case _:
            raise InvalidValue("", "a table or a date")
