"""What can be set: one table of all settings, each with its variable, default, kind and meaning.

Parsing, error messages, the table in docs/settings.md and the search for typing errors read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Generic, TypeVar

from bot.formatter.limits import LIMITS
from bot.model import EVERY_HALF_HOUR, Links, Network, ReplyListing, Style, Syntax, Visibility
from bot.settings import parsers
from bot.settings.parsers import ValueKind
from bot.settings.secret import Secret

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Option(Generic[T_co]):
    """One setting.

    `name` is its variable, empty for what only an account in bot.toml can have. `written` is the
    default as docs/settings.md shows it. `account` is its key in `[[accounts]]`, empty where it has
    none.
    """

    name: str
    kind: ValueKind[T_co]
    default: T_co
    written: str
    meaning: str
    account: str = ""

    @property
    def key(self) -> str:
        """Its key at the top of bot.toml; empty for what cannot stand there."""
        barred = self.kind.secret or self.name in {"BOT_CONFIG", "PORT"}
        return "" if barred else key_of(self.name)

    @property
    def network(self) -> Network | None:
        """The network it is about, by the variable's prefix; None for every network."""
        prefix = self.name.partition("_")[0].lower()
        return next((network for network in Network if network == prefix), None)


class OnOff(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


class CatchUp(StrEnum):
    """What the worker does about digests it missed: only the latest, or all of them."""

    LATEST = "latest"
    ALL = "all"


class LogFormat(StrEnum):
    """How a line of the worker's log is written."""

    TEXT = "text"
    JSON = "json"


def key_of(name: str) -> str:
    """Turn a variable's name into its key at the top of bot.toml."""
    return name.lower().removeprefix("bot_")


def _token(name: str, meaning: str) -> Option[Secret | None]:
    role = "" if name.startswith("GITHUB_") else name.partition("_")[2].lower()
    return Option(name, SECRET, None, "none", meaning, role)


SECRET = parsers.text("printable ASCII without white space", parsers.secret, secret=True)
_URL = parsers.text(
    "an https:// address without user, password and query (http:// to this machine only)",
    parsers.base_url,
)
_DIGESTS = (
    "a folder, a file, an https:// address without user and password (http:// to this machine "
    "only), or github:owner/repo/folder[@ref]"
)
_PAGE = "an https:// address with {slug} in it (http:// to this machine only)"

DIGESTS: Option[str | None] = Option(
    "BOT_DIGESTS",
    parsers.located(_DIGESTS, parsers.source),
    None,
    "none: `--dry-run` and `preview` use the samples in the package",
    "where digests are: a directory, a file, `https://.../x.md`, an RSS or Atom feed's URL, or "
    "`github:owner/repo/folder[@ref]`",
)
CONFIG: Option[Path | None] = Option(
    "BOT_CONFIG",
    parsers.located("a file that exists", parsers.path),
    None,
    "`bot.toml`, where there is one",
    "the file of accounts and taste",
)
DATABASE = Option(
    "BOT_DATABASE",
    parsers.located("the path of a file", parsers.path),
    Path("state/bot.db"),
    "`state/bot.db`",
    "the ledger",
)
TEMPLATES: Option[Path | None] = Option(
    "BOT_TEMPLATES",
    parsers.located("a folder that exists", parsers.folder),
    None,
    "the package's own",
    "a folder that may override any template",
    "templates",
)
TOP = Option(
    "BOT_TOP",
    parsers.whole(0, 1_000_000, "0 (all) or more"),
    10,
    "10",
    "papers in a thread; 0 for all",
    "top",
)
SCHEDULE = Option(
    "BOT_SCHEDULE",
    parsers.text("five fields of cron, such as */30 * * * * or 0 9 * * 1-5", parsers.cron),
    EVERY_HALF_HOUR,
    f"`{EVERY_HALF_HOUR}`",
    "cron line: when the worker looks for a new digest",
    "schedule",
)
TIMEZONE = Option(
    "BOT_TIMEZONE",
    parsers.text("a time zone's name, such as UTC or Europe/Berlin", parsers.zone),
    "UTC",
    "UTC",
    "of the schedule",
)
CATCH_UP = Option(
    "BOT_CATCH_UP",
    parsers.choice(CatchUp),
    CatchUp.LATEST,
    "`latest`",
    "or `all`: every digest since the last one sent, oldest first, `BOT_MAX_AGE` aside",
)
PICTURE = Option(
    "BOT_PICTURE",
    parsers.choice(OnOff),
    OnOff.OFF,
    "`off`",
    "`on` puts a picture of the ranking into the opening post (needs "
    "`pip install resvg-py`); on X its description costs $0.005",
    "picture",
)
NOTIFY_URLS: Option[Secret | None] = Option(
    "BOT_NOTIFY_URLS",
    parsers.text("addresses as Apprise writes them", Secret, secret=True),
    None,
    "none",
    "where the worker's alerts go, through [Apprise](https://github.com/caronc/apprise) (the "
    "extra `notify`)",
)
LOG_FORMAT: Option[LogFormat | None] = Option(
    "BOT_LOG_FORMAT",
    parsers.choice(LogFormat),
    None,
    "`text` on a terminal, else `json`",
    "how the worker writes its log",
)
HEARTBEAT_URL: Option[Secret | None] = Option(
    "BOT_HEARTBEAT_URL",
    parsers.text(
        "an https:// address (http:// to this machine only)",
        lambda written: Secret(parsers.address(written)),
        secret=True,
    ),
    None,
    "none",
    "fetched after each good pass of the worker, with `/fail` at its end after a bad one",
)
PORT: Option[int | None] = Option(
    "PORT",
    parsers.whole(0, 65_535, "the number of a port, 0 to 65535"),
    None,
    "none",
    "where the worker answers `/healthz` and `/metrics`",
)
BIND: Option[str | None] = Option(
    "BOT_BIND",
    parsers.text(
        "an IP address of this machine, such as 127.0.0.1, 0.0.0.0, ::1 or ::", parsers.ip
    ),
    None,
    "`0.0.0.0` where `PORT` is in the process's environment, `127.0.0.1` where it is in `.env`",
    "the address that `PORT` listens on; `0.0.0.0` is every IPv4 address of this machine, `::` "
    "every address",
)
MAX_AGE = Option(
    "BOT_MAX_AGE",
    parsers.duration(),
    timedelta(days=3),
    "3d",
    "the worker leaves an older digest alone; `bot post` does not",
)
HTTP_TIMEOUT = Option(
    "BOT_HTTP_TIMEOUT",
    parsers.text("more than 0 seconds, up to 600, such as 30 or 2.5", parsers.seconds),
    30.0,
    "30",
    "seconds for one answer",
)
_WAITING = parsers.text("more than 0 seconds, up to 600, such as 2 or 0.5", parsers.seconds)
RETRY_WAIT = Option(
    "BOT_RETRY_WAIT",
    _WAITING,
    2.0,
    "2",
    "seconds before a failed request is tried again; the wait doubles up to 60 seconds, for a "
    "post that is surely not published up to an hour",
)
PATIENCE = Option(
    "BOT_PATIENCE",
    parsers.duration(zero=True),
    timedelta(minutes=15),
    "15m",
    "the longest one run waits in all before it stops with 75",
)
SETTLE = Option(
    "BOT_SETTLE",
    parsers.duration(zero=True),
    timedelta(minutes=2),
    "2m",
    "how long after a try a post must stay unseen before it counts as absent",
)
PAUSE = Option(
    "BOT_PAUSE",
    parsers.duration(zero=True),
    timedelta(seconds=2),
    "2s",
    "between two posts of a thread, for readers' timelines and spam filters",
)
REPEAT_DAYS = Option(
    "BOT_REPEAT_DAYS",
    parsers.whole(0, 3650, "0 (never mind) or more days"),
    0,
    "0",
    "leave out papers that went out in a thread of the last N days",
)
_SLUG = parsers.matching(r"[^\s/]+", "is not a slug")
SKIP: Option[tuple[str, ...]] = Option(
    "BOT_SKIP",
    parsers.several("slugs, comma-separated", _SLUG, commas=True),
    (),
    "none",
    "slugs never to be published, comma-separated (survives a wiped disk)",
)
DIGEST_URL: Option[str | None] = Option(
    "BOT_DIGEST_URL",
    parsers.text(_PAGE, parsers.page),
    None,
    "none",
    "the address of a digest's page for readers, with `{slug}` in it: the closing post's link "
    "where the source itself gives no page",
)
GITHUB_TOKEN = _token("GITHUB_TOKEN", "for a `github:` source: private folders, a higher limit")
GITHUB_API_URL = Option(
    "BOT_GITHUB_API_URL",
    _URL,
    "https://api.github.com",
    "`https://api.github.com`",
    "another base URL, for GitHub Enterprise and tests",
)

TWITTER_API_URL = Option(
    "TWITTER_API_URL",
    _URL,
    "https://api.x.com",
    "`https://api.x.com`",
    "another base URL, for tests and gateways",
    "api_url",
)
TWITTER_STYLE = Option(
    "TWITTER_STYLE",
    parsers.choice(Style),
    Style.THREAD,
    "`thread`",
    "or `single`: one packed post, the cheap way",
    "style",
)
TWITTER_LINKS = Option(
    "TWITTER_LINKS",
    parsers.choice(Links),
    Links.EVERY,
    "`every`",
    "or `closing`, `none`: X bills a post with a URL 13 times a post without; without a link the "
    "arXiv id stands in its place",
    "links",
)
TWITTER_MONTHLY_BUDGET: Option[Decimal | None] = Option(
    "TWITTER_MONTHLY_BUDGET",
    parsers.text("0 or more US dollars, such as 25 or 7.50", parsers.money),
    None,
    "none",
    "US dollars; a thread that would pass it is not begun",
    "monthly_budget",
)
TWITTER_READ_BACK = Option(
    "TWITTER_READ_BACK",
    parsers.choice(OnOff),
    OnOff.ON,
    "`on`",
    "`off` for plans that cannot read: what cannot be settled is then held",
)
MASTODON_API_BASE_URL: Option[str | None] = Option(
    "MASTODON_API_BASE_URL",
    _URL,
    None,
    "none",
    "the server's address, such as `https://mastodon.social`",
    "base_url",
)
MASTODON_VISIBILITY = Option(
    "MASTODON_VISIBILITY",
    parsers.choice(Visibility),
    Visibility.PUBLIC,
    "`public`",
    "of the first post, or `unlisted`, `private`, `direct`",
    "visibility",
)
MASTODON_REPLIES = Option(
    "MASTODON_REPLIES",
    parsers.choice(ReplyListing),
    ReplyListing.UNLISTED,
    "`unlisted`",
    "or `public`: how the replies of a public thread are listed. Some servers hide unlisted posts "
    "from readers without an account (`bot check` says so)",
    "replies",
)
MASTODON_MAX_CHARACTERS = Option(
    "MASTODON_MAX_CHARACTERS",
    parsers.whole(100, 100_000, "100 to 100000"),
    LIMITS[Network.MASTODON],
    str(LIMITS[Network.MASTODON]),
    "what threads are rendered to; a link counts in full, and as 23 where it is shorter",
    "max_characters",
)
MASTODON_DIALECT = Option(
    "MASTODON_DIALECT",
    parsers.choice(Syntax),
    Syntax.PLAIN,
    "`plain`",
    "or `markdown`, for servers that read posts as Markdown (`bot check` says which): ranks and "
    "signs are written so that they survive",
    "dialect",
)
BLUESKY_HANDLE: Option[str | None] = Option(
    "BLUESKY_HANDLE",
    parsers.text("a handle such as name.bsky.social, or a DID", parsers.handle),
    None,
    "none",
    "the account's handle, such as `name.bsky.social`",
    "handle",
)
BLUESKY_SERVICE_URL = Option(
    "BLUESKY_SERVICE_URL",
    _URL,
    "https://bsky.social",
    "`https://bsky.social`",
    "the server that holds the account",
    "service_url",
)

TABLE: tuple[Option[object], ...] = (
    *(DIGESTS, DATABASE, CONFIG, TEMPLATES, TOP, SCHEDULE, TIMEZONE, MAX_AGE, CATCH_UP),
    *(HTTP_TIMEOUT, RETRY_WAIT, PATIENCE, SETTLE, PAUSE, SKIP, REPEAT_DAYS, DIGEST_URL, PICTURE),
    *(NOTIFY_URLS, LOG_FORMAT, HEARTBEAT_URL, PORT, BIND),
    *(GITHUB_TOKEN, GITHUB_API_URL),
    _token("TWITTER_CONSUMER_KEY", "OAuth 1.0a user context: the app's key"),
    _token("TWITTER_CONSUMER_SECRET", "the app's secret"),
    _token("TWITTER_ACCESS_TOKEN", "the account's token; `bot login twitter` obtains it"),
    _token("TWITTER_ACCESS_TOKEN_SECRET", "the token's secret"),
    *(TWITTER_API_URL, TWITTER_STYLE, TWITTER_LINKS, TWITTER_MONTHLY_BUDGET),
    TWITTER_READ_BACK,
    MASTODON_API_BASE_URL,
    _token("MASTODON_ACCESS_TOKEN", "the account's token; `bot login mastodon` obtains it"),
    *(MASTODON_VISIBILITY, MASTODON_REPLIES, MASTODON_DIALECT, MASTODON_MAX_CHARACTERS),
    BLUESKY_HANDLE,
    _token("BLUESKY_APP_PASSWORD", "an app password, never the account's own"),
    BLUESKY_SERVICE_URL,
)

# Only an account of bot.toml has these: they tell its thread from those of other accounts.
CATEGORIES: Option[tuple[str, ...]] = Option(
    "",
    parsers.several("a list of arXiv categories, such as cs.CL", parsers.category),
    (),
    "all",
    "only papers in these",
    "categories",
)
EXCLUDE: Option[tuple[str, ...]] = Option(
    "",
    parsers.several("a list of arXiv ids, authors and words", str),
    (),
    "none",
    "papers that are left out",
    "exclude",
)
_TAG = parsers.matching(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*", "is not a language tag")
LANGUAGE = Option(
    "",
    parsers.text("a language tag such as en or pt-BR", _TAG),
    "en",
    "`en`",
    "of the posts",
    "language",
)
_HASHTAG = parsers.matching(r"(?!\d+$)\w{1,100}", "is not a hashtag")
HASHTAGS: Option[tuple[str, ...] | None] = Option(
    "",
    parsers.several("a list of words of letters, digits and _, without #", _HASHTAG),
    None,
    "the digest's tags",
    "of the opening post",
    "hashtags",
)
TASTE: tuple[Option[object], ...] = (CATEGORIES, EXCLUDE, LANGUAGE, HASHTAGS)


def table() -> str:
    """Give the table of docs/settings.md, in Markdown: variable, default, meaning."""
    rows = [("variable", "default", "meaning"), ("---", "---", "---")]
    rows += [(f"`{option.name}`", option.written, option.meaning) for option in TABLE]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
