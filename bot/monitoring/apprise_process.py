"""Send one alert through Apprise, in a process that ends with the alert.

Apprise is used only here. It runs in a process and not in a thread for three reasons. It loads some
140 services, which take 25 MiB that the worker would hold for months. A service may hang where only
a signal ends it, or start threads that delay the end of the program. And a service may write an
address with its token to a log.

    python -P apprise_process.py < ask.json

`ask.json` is an object: `addresses` as BOT_NOTIFY_URLS has them, `title`, `text` and `kind`
(Apprise's word: `warning`, `success`). Without a `text` the addresses are only checked. After
`seconds` the process ends itself. Each line on standard output is a list: the position from 1, the
number of addresses, the scheme, the outcome (one of `OUTCOMES`), and the HTTP status or 0. Nothing
else of an address is printed. The script imports nothing of the project.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import TypedDict

OUTCOMES = ("begun", "told", "refused", "usable", "unusable", "none", "missing")
"""`begun` comes before the result; `none` is no address, `missing` is no Apprise."""

_SCHEME = re.compile(r"\s*([a-z0-9]{1,32})://", re.IGNORECASE)
# a mistyped address, which Apprise takes for the end of the one before it
_SWALLOWED = re.compile(r"[\s,;][a-z0-9]{1,32}:/", re.IGNORECASE)
_STATUS = re.compile(r"error=(\d{3})\b")
_BETWEEN = " \t\r\n,;"


class Ask(TypedDict):
    """The alert and its addresses."""

    addresses: str
    title: str
    text: str
    kind: str
    seconds: float


Line = tuple[int, int, str, str, int]


def serve(ask: Ask, say: Callable[[Line], None]) -> None:
    """Send to all addresses at once, or check each; `say` gets a line for each event."""
    try:
        addresses = _parted(ask["addresses"])
    except ImportError:
        say((0, 0, "", "missing", 0))
        return
    if not addresses:
        say((0, 0, "", "none", 0))
        return
    statuses = _Statuses()

    def one(position: int) -> None:
        address = addresses[position - 1]
        scheme = found[1].lower() if (found := _SCHEME.match(address)) else ""
        if ask["text"]:
            say((position, len(addresses), scheme, "begun", 0))
        outcome = _outcome(address, ask)
        say((position, len(addresses), scheme, outcome, statuses.last()))

    with ThreadPoolExecutor(len(addresses)) as pool:
        list(pool.map(one, range(1, len(addresses) + 1)))


def _parted(text: str) -> list[str]:
    """Addresses hold commas, so Apprise parts them; what it passes over stands as one that fails.

    Raises ImportError without Apprise.
    """
    from apprise.utils.parse import parse_urls

    found: list[str] = parse_urls(text)  # type: ignore[no-untyped-call] # theirs
    before = text[: text.index(found[0])].strip(_BETWEEN) if found else ""
    return [before] * bool(before) + found


def _outcome(address: str, ask: Ask) -> str:
    try:
        return _told(address, ask)
    except Exception:  # noqa: BLE001 - one of 140 services that fails has only itself failed
        return "refused" if ask["text"] else "unusable"


def _told(address: str, ask: Ask) -> str:
    if _SWALLOWED.search(address):
        return "unusable"
    from apprise import Apprise, AppriseAsset, NotifyBase, NotifyFormat, NotifyType, OverflowMode

    # one message, whatever room a service has; an address may say otherwise (?overflow=split)
    NotifyBase.overflow_mode = OverflowMode.TRUNCATE
    asset = AppriseAsset(
        app_id="bot",
        app_desc="bot",
        app_url="",
        async_mode=False,
        # the page that a moved address leads to takes nothing, and answers 200
        http_redirects=False,
        # its own deadline would be kept by a pool of threads: here a signal keeps it
        service_timeout=0,
    )
    services = Apprise(asset=asset)
    # in a list it is parted no further, and no configuration is read from it
    if not services.add([address]):
        return "unusable"
    if not ask["text"]:
        return "usable"
    told = services.notify(
        title=ask["title"],
        body=ask["text"],
        notify_type=NotifyType(ask["kind"]),
        body_format=NotifyFormat.TEXT,
    )
    return "told" if told else "refused"


class _Statuses(logging.Handler):
    """Takes what Apprise logs, and keeps nothing of it but the HTTP status, thread by thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._seen = threading.local()
        logger = logging.getLogger("apprise")
        logger.addHandler(self)
        logger.propagate = False

    def emit(self, record: logging.LogRecord) -> None:
        if found := _STATUS.search(record.getMessage()):
            self._seen.status = int(found[1])

    def last(self) -> int:
        """Return the status that was logged in this thread, once; 0 for none."""
        status: int = self._seen.__dict__.pop("status", 0)
        return status


def _print(line: Line) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asked: Ask = json.load(sys.stdin)
    signal.alarm(ceil(asked["seconds"]))
    serve(asked, _print)
