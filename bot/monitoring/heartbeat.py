"""BOT_HEARTBEAT_URL: tells a service that watches from outside that a pass is over, and how.

The service raises its hand when nothing comes, or `/fail` does (healthchecks.io and its like). The
URL is a secret: whoever has it can keep the service quiet for ever.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

from bot.errors import Unreachable
from bot.settings.secret import Secret

SECONDS = 5.0
"""What a heartbeat may take, the second try included: the end of the program waits for it."""

Fetch = Callable[[str, float], int]
"""GETs a URL within so many seconds, and returns the status. Raises Unreachable."""

_TRIES = 2
_GRACE = 1.0


class Heartbeat:
    """Fetches `url` after a good pass, and `url`/fail after a bad one.

    Goes by the rules of all fetching here (`bot/http/fetch.py`): https, and http to this machine
    only, at every redirect. `seconds` bounds all of a beat, whatever hangs: the system's search for
    a host's address knows no deadline, so that a beat is a thread, which is left behind.
    """

    def __init__(
        self,
        url: Secret,
        seconds: float = SECONDS,
        *,
        fetch: Fetch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._seconds = seconds
        self._fetch = fetch or _fetched
        self._clock = clock
        self._left: queue.SimpleQueue[str] | None = None

    def beat(self, *, good: bool) -> str:
        """Tell that a pass is over; why that failed, empty if it did not. Never raises.

        What failed in passing is tried once more. The reason names the host and nothing more of
        the URL.
        """
        if self._left and self._left.empty():
            return self._worded("the last beat still hangs, and this one is left out")
        answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        url = self._url.reveal() if good else failing(self._url.reveal())
        work = threading.Thread(
            target=lambda: answers.put(self._told(url)), name="heartbeat", daemon=True
        )
        self._left = None
        try:
            work.start()
            reason = answers.get(timeout=self._seconds + _GRACE)
        except queue.Empty:
            reason, self._left = self._late(), answers
        except RuntimeError:  # the system gives no thread
            reason = "no thread could be started"
        return self._worded(reason) if reason else ""

    def _told(self, url: str) -> str:
        """Fetch, and once more where that may help; why it failed."""
        ends, reason = self._clock() + self._seconds, self._late()
        for _ in range(_TRIES):
            left = ends - self._clock()
            if left <= 0:
                break
            try:
                status = self._fetch(url, left)
            except Unreachable as error:
                reason = _without_url(error)
                continue
            except Exception as error:  # noqa: BLE001 - a heartbeat must not end what it tells of
                return f"{type(error).__name__} (a bug in bot)"
            reason = "" if HTTPStatus(200) <= status < HTTPStatus(300) else f"it answers {status}"
            if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
        return reason

    def _late(self) -> str:
        return f"no answer within {self._seconds:g} seconds"

    def _worded(self, reason: str) -> str:
        return f"{urlsplit(self._url.reveal()).hostname}: {reason}"


def failing(url: str) -> str:
    """Give the address that tells of a bad pass: `/fail` at the end of the path.

    >>> failing("https://hc.example/1b2c/?rid=3")
    'https://hc.example/1b2c/fail?rid=3'
    """
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail", fragment=""))


def _fetched(url: str, seconds: float) -> int:
    from bot.http.fetch import Web

    with Web(timeout=seconds).get(url) as answer:
        return answer.status


def _without_url(error: Unreachable) -> str:
    """Give the reason alone: these errors begin with what they are about, which is the URL."""
    return error.message.rpartition(": ")[2]
