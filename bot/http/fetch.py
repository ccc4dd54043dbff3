"""Fetches a URL: one GET, bounded in time, size and redirects.

What comes from the network is not trusted to end, to be small, or to lead to a safe place. Only
https is fetched, and http from this machine itself, at every hop; a token goes to the host it was
meant for and to no other. `requests` is used for its connections and TLS: redirects, decoding and
deadlines are done here, where they can be bounded.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urljoin

import requests
from requests.auth import AuthBase

from bot import __version__
from bot.errors import Unreachable
from bot.http.deadline import DeadlineAdapter, translate_network_errors
from bot.http.page import FEED_CAP, CacheValidators
from bot.http.streamed_answer import StreamedAnswer
from bot.http.urls import host_of, is_local, is_loopback, is_public, origin, refusal, shown
from bot.redact import Redact

HOPS = 5
_INSTANT = 0.001
_REDIRECTS = (301, 302, 303, 307, 308)
# Their lines hold whole URLs, and a URL's query may be a secret.
_TALKATIVE = ("urllib3.connectionpool", "urllib3.connection")


@dataclass(frozen=True, slots=True)
class Web:
    """How to fetch: `timeout` seconds for an answer to begin and to end, redirects included.

    `clock` counts seconds and never goes back; `cap` is the most bytes of a body, decoded. `own` is
    the host that the settings name, by default that of the URL that is asked for: it alone may be
    in a private network. Whatever else a page or a redirect names must be public, so that nobody
    who writes a feed can send requests into the operator's network.
    """

    timeout: float = 30.0
    clock: Callable[[], float] = time.monotonic
    cap: int = FEED_CAP
    own: str = ""

    def refusal(self, url: str) -> str:
        """Say why `url` must not be fetched, in a few words; empty where it may be."""
        return refusal(url) or _private(url, self.own)

    @contextmanager
    def get(
        self,
        url: str,
        *,
        accept: str = "*/*",
        token: str = "",
        known: CacheValidators | None = None,
    ) -> Iterator[StreamedAnswer]:
        """GET `url`, following redirects; the answer's body can be read inside the `with`.

        With `known`, the answer may be 304. `token` is sent as a Bearer token to the host of `url`
        alone. Raises Unreachable; statuses are the caller's to judge (`StreamedAnswer.insist`).
        """
        ends = self.clock() + self.timeout
        headers = {
            "Accept": accept,
            "Accept-Encoding": "gzip",
            "Connection": "close",  # urllib3 leaves the closing of its pools to the collector
            "User-Agent": f"bot/{__version__} (republishes digests of papers)",
            **_conditions(known or CacheValidators()),
        }
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.ERROR)
        with _NoRedirects() as session:
            own = self.own or host_of(url)
            trip = _Trip(session, headers, token, self.timeout, lambda: ends - self.clock(), own)
            adapter = DeadlineAdapter(trip.left, lambda host: _may_be_private(host, own))
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            with trip.to(url) as response:
                redact = Redact(token)
                yield StreamedAnswer(response.url or url, self.timeout, self.cap, response, redact)


@dataclass(frozen=True, slots=True)
class _Trip:
    """The way from a URL over its redirects to an answer."""

    session: requests.Session
    headers: Mapping[str, str]
    token: str
    timeout: float
    left: Callable[[], float]
    own: str

    def to(self, url: str) -> requests.Response:
        """Follow redirects, each hop under the rules of the first."""
        start, stop, redact = url, shown(url), Redact(self.token)
        for _ in range(HOPS + 1):
            if problem := refusal(url) or _private(url, self.own):
                raise Unreachable(f"{stop}: leads to {redact(shown(url))}: {problem}")
            response = self._hop(url, _Bearer(self.token if origin(url) == origin(start) else ""))
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or not location:
                return response
            response.close()
            url = self._next(stop, url, location)
        raise Unreachable(f"{stop}: more than {HOPS} redirects")

    def _next(self, stop: str, url: str, location: str) -> str:
        try:
            target = urljoin(url, location)
        except ValueError:
            raise Unreachable(f"{stop}: leads to something that is not a URL") from None
        if url.startswith("https:") and target.startswith("http:"):
            there = Redact(self.token)(shown(target))
            raise Unreachable(f"{stop}: leads from https to {there}: only https may follow")
        return target

    def _hop(self, url: str, bearer: _Bearer) -> requests.Response:
        # The environment's proxies are used: some platforms let nothing out but through one. Never
        # for this machine itself, which a proxy would take to be its own.
        self.session.trust_env = not is_local(url)
        with translate_network_errors(Redact(self.token)(shown(url)), self.timeout):
            return self.session.get(
                url,
                headers=self.headers,
                auth=bearer,
                timeout=max(self.left(), _INSTANT),
                allow_redirects=False,
                stream=True,
            )


class _NoRedirects(requests.Session):
    """A session that leaves redirects alone.

    requests reads the whole body of each, and its Location, even where it is not to follow it.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        del resp


class _Bearer(AuthBase):
    """Sends the token, if there is one.

    It is used without a token too: without an `auth`, requests takes a password for the host from
    ~/.netrc, which is not meant for this program.
    """

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _may_be_private(host: str, own: str) -> bool:
    """Tell whether `host` is the source's own, or is this machine, as the source itself is."""
    return host == own or (is_loopback(host) and is_loopback(own))


def _private(url: str, own: str) -> str:
    """Say that `url` leads into a private network where it must not; else empty."""
    host = host_of(url)
    if not own or _may_be_private(host, own) or is_public(host):
        return ""
    return "it leads to this machine or to a private network, and only a public host may be named"


def _conditions(known: CacheValidators) -> Mapping[str, str]:
    asked = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    return {name: value for name, value in asked.items() if value}
