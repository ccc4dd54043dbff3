"""Define all settings in one table: variable, default, kind and meaning of each.

The parser, the error messages, the table in docs/settings.md and the suggestions for misspelt names
use this table.
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

    `name` is its variable, empty for a setting that only an account in bot.toml can have. `written`
    is the default as docs/settings.md shows it. `account` is its key in `[[accounts]]`, empty if it
    has none.
    """

    name: str
    kind: ValueKind[T_co]
    default: T_co
    written: str
    meaning: str
    account: str = ""

    @property
    def key(self) -> str:
        """Return its key at the top of bot.toml; empty if it is not allowed there."""
        barred = self.kind.secret or self.name in {"BOT_CONFIG", "PORT"}
        return "" if barred else key_of(self.name)

    @property
    def network(self) -> Network | None:
        """Return the network that the variable's prefix names; None for every network."""
        prefix = self.name.partition("_")[0].lower()
        return next((network for network in Network if network == prefix), None)


class CatchUp(StrEnum):
    """Which of the digests that it missed the worker publishes: only the latest, or all."""

    LATEST = "latest"
    ALL = "all"


class LogFormat(StrEnum):
    """The format of the worker's log."""

    TEXT = "text"
    JSON = "json"


def key_of(name: str) -> str:
    """Return the key of a variable at the top of bot.toml."""
    return name.lower().removeprefix("bot_")


def _token(name: str, meaning: str) -> Option[Secret | None]:
    role = "" if name.startswith("GITHUB_") else name.partition("_")[2].lower()
    return Option(name, SECRET, None, "none", meaning, role)


SECRET = parsers.text("printable ASCII without white space", parsers.secret, secret=True)
_URL = parsers.text(
    "an https:// address without user, password or query (http:// only for this machine)",
    parsers.base_url,
)
_DIGESTS = (
    "a folder, a file, an https:// address without user or password (http:// only for this "
    "machine), github:owner/repo/folder[@ref], huggingface, or arxiv:cs.CL+cs.LG"
)
_PAGE = "an https:// address with {slug} in it (http:// only for this machine)"

DIGESTS: Option[str | None] = Option(
    "BOT_DIGESTS",
    parsers.located(_DIGESTS, parsers.source),
    None,
    "none: `--dry-run` and `preview` use the samples in the package",
    "where digests are: a folder, a file, `https://.../x.md`, the URL of an RSS or Atom feed, "
    "`github:owner/repo/folder[@ref]`, `huggingface`, or `arxiv:cs.CL+cs.LG`",
)
CONFIG: Option[Path | None] = Option(
    "BOT_CONFIG",
    parsers.located("a file that exists", parsers.path),
    None,
    "`bot.toml`, if it exists",
    "the file with more accounts and settings",
)
DATABASE = Option(
    "BOT_DATABASE",
    parsers.located("the path of a file", parsers.path),
    Path("state/bot.db"),
    "`state/bot.db`",
    "the file of the ledger",
)
TEMPLATES: Option[Path | None] = Option(
    "BOT_TEMPLATES",
    parsers.located("a folder that exists", parsers.folder),
    None,
    "the package's own",
    "a folder whose templates replace the package's",
    "templates",
)
TOP = Option(
    "BOT_TOP",
    parsers.whole(0, 1_000_000, "all papers"),
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
    "when the worker looks for a new digest, as a cron line",
    "schedule",
)
TIMEZONE = Option(
    "BOT_TIMEZONE",
    parsers.text("a time zone such as UTC or Europe/Berlin", parsers.zone),
    "UTC",
    "UTC",
    "the time zone of the schedule",
)
CATCH_UP = Option(
    "BOT_CATCH_UP",
    parsers.choice(CatchUp),
    CatchUp.LATEST,
    "`latest`",
    "the digests that the worker publishes after a break: only the `latest`, or `all` since the "
    "last one sent, oldest first, whatever `BOT_MAX_AGE` says",
)
PICTURE = Option(
    "BOT_PICTURE",
    parsers.switch(),
    default=False,
    written="`off`",
    meaning="`on` adds a picture of the ranking to the opening post (needs "
    "`pip install resvg-py`); on X its description costs $0.005",
    account="picture",
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
        "an https:// address (http:// only for this machine)",
        lambda written: Secret(parsers.address(written)),
        secret=True,
    ),
    None,
    "none",
    "an address that the worker requests after each successful pass, with `/fail` added after a "
    "failed one",
)
PORT: Option[int | None] = Option(
    "PORT",
    parsers.whole(0, 65_535),
    None,
    "none",
    "the port where the worker answers `/healthz` and `/metrics`",
)
BIND: Option[str | None] = Option(
    "BOT_BIND",
    parsers.text(
        "an IP address of this machine, such as 127.0.0.1, 0.0.0.0, ::1 or ::", parsers.ip
    ),
    None,
    "`0.0.0.0` if `PORT` is in the process's environment, `127.0.0.1` if it is in `.env`",
    "the address that `PORT` listens on; `0.0.0.0` is every IPv4 address of this machine, `::` "
    "every address",
)
MAX_AGE = Option(
    "BOT_MAX_AGE",
    parsers.duration(),
    timedelta(days=3),
    "3d",
    "the worker ignores older digests; `bot post` does not",
)
HTTP_TIMEOUT = Option(
    "BOT_HTTP_TIMEOUT",
    parsers.text("a number of seconds above 0, up to 600, such as 30 or 2.5", parsers.seconds),
    30.0,
    "30",
    "the most seconds that one answer may take",
)
_WAITING = parsers.text("a number of seconds above 0, up to 600, such as 2 or 0.5", parsers.seconds)
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
    "the longest time that one run waits in total before it stops with exit status 75",
)
SETTLE = Option(
    "BOT_SETTLE",
    parsers.duration(zero=True),
    timedelta(minutes=2),
    "2m",
    "how long after an attempt a post must be missing before it counts as not published",
)
PAUSE = Option(
    "BOT_PAUSE",
    parsers.duration(zero=True),
    timedelta(seconds=2),
    "2s",
    "the pause between two posts of a thread, for readers' timelines and spam filters",
)
REPEAT_DAYS = Option(
    "BOT_REPEAT_DAYS",
    parsers.whole(0, 3650, "no limit"),
    0,
    "0",
    "papers of a thread of the last N days are left out; 0 for none",
)
_SLUG = parsers.matching(r"[^\s/]+", "is not a slug")
SKIP: Option[tuple[str, ...]] = Option(
    "BOT_SKIP",
    parsers.several("slugs with commas between them", _SLUG, commas=True),
    (),
    "none",
    "slugs that are never published, with commas between them (works even after the disk is wiped)",
)
DIGEST_URL: Option[str | None] = Option(
    "BOT_DIGEST_URL",
    parsers.text(_PAGE, parsers.page),
    None,
    "none",
    "the address of a digest's page for readers, with `{slug}` in it: the closing post links it "
    "if the source gives no page",
)
ARXIV_RSS_URL = Option(
    "BOT_ARXIV_RSS_URL",
    _URL,
    "https://rss.arxiv.org",
    "`https://rss.arxiv.org`",
    "another base URL of the source `arxiv:...`, for mirrors and tests",
)
GITHUB_TOKEN = _token(
    "GITHUB_TOKEN", "for a `github:` source: allows private folders and more requests"
)
GITHUB_API_URL = Option(
    "BOT_GITHUB_API_URL",
    _URL,
    "https://api.github.com",
    "`https://api.github.com`",
    "another base URL, for GitHub Enterprise and tests",
)
HUGGINGFACE_URL = Option(
    "BOT_HUGGINGFACE_URL",
    _URL,
    "https://huggingface.co",
    "`https://huggingface.co`",
    "another base URL of the source `huggingface`, for mirrors and tests",
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
    "or `single`: one post with as many papers as fit, which is cheaper",
    "style",
)
TWITTER_LINKS = Option(
    "TWITTER_LINKS",
    parsers.choice(Links),
    Links.EVERY,
    "`every`",
    "the posts that have links: `every`, only the `closing` or `none`. X bills a post with a URL "
    "13 times a post without; a paper without a link shows its arXiv id",
    "links",
)
TWITTER_MONTHLY_BUDGET: Option[Decimal | None] = Option(
    "TWITTER_MONTHLY_BUDGET",
    parsers.text("0 or more US dollars, such as 25 or 7.50", parsers.money),
    None,
    "none",
    "US dollars; a thread that would exceed them is not started",
    "monthly_budget",
)
TWITTER_READ_BACK = Option(
    "TWITTER_READ_BACK",
    parsers.switch(),
    default=True,
    written="`on`",
    meaning="`off` for plans that cannot read posts: a post whose outcome is unknown is then held",
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
    "the visibility of the first post: `public`, `unlisted`, `private` or `direct`",
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
    parsers.whole(100, 100_000),
    LIMITS[Network.MASTODON],
    str(LIMITS[Network.MASTODON]),
    "the longest post in characters; a link counts in full, and at least 23",
    "max_characters",
)
MASTODON_DIALECT = Option(
    "MASTODON_DIALECT",
    parsers.choice(Syntax),
    Syntax.PLAIN,
    "`plain`",
    "or `markdown`, for servers that read posts as Markdown (`bot check` says so): ranks and "
    "signs are written so that Markdown does not change them",
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
    *(GITHUB_TOKEN, GITHUB_API_URL, HUGGINGFACE_URL, ARXIV_RSS_URL),
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

# Only an account in bot.toml has these: they make its thread differ from other accounts' threads.
CATEGORIES: Option[tuple[str, ...]] = Option(
    "",
    parsers.several('a list of arXiv categories, such as ["cs.CL"]', parsers.category),
    (),
    "all",
    "only papers in these are published",
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
_TAG = parsers.matching(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*")
LANGUAGE = Option(
    "",
    parsers.text("a language tag such as en or pt-BR", _TAG),
    "en",
    "`en`",
    "the language of the posts",
    "language",
)
_HASHTAG = parsers.matching(r"(?!\d+$)\w{1,100}", "is not a hashtag")
HASHTAGS: Option[tuple[str, ...] | None] = Option(
    "",
    parsers.several("a list of words of letters, digits and _, without #", _HASHTAG),
    None,
    "the digest's tags",
    "the hashtags of the opening post",
    "hashtags",
)
TASTE: tuple[Option[object], ...] = (CATEGORIES, EXCLUDE, LANGUAGE, HASHTAGS)


def table() -> str:
    """Return the table of docs/settings.md in Markdown: variable, default, meaning."""
    rows = [("variable", "default", "meaning"), ("---", "---", "---")]
    rows += [(f"`{option.name}`", option.written, option.meaning) for option in TABLE]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
