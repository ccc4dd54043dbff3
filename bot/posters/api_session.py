"""A session for an SDK: it sends the SDK's requests to one network and records each result.

It adds what the SDKs lack: another base URL, one deadline for a whole answer, no redirects, no
second request within a call, and the answer as the server sent it. requests and urllib3 repeat
nothing by themselves (retries 0). A kept connection that the server has closed is replaced before
the request is written. If a connection breaks later, it is unknown what the server did.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolManager

from bot.http.error_messages import TooLarge, chain, is_broken, words
from bot.http.urls import is_local
from bot.http.watched_pool import RequestWatch, pools
from bot.posters.answers import Exchange, Reply, TransportResult
from bot.redact import Redact

_CAP = 2_000_000
_CAP_OF_REFUSAL = 65_536
"""Bytes of an answer, decoded, and of a refusal, whose beginning says enough."""
_TALKATIVE = (
    "oauthlib.oauth1.rfc5849",
    "oauthlib.oauth1.rfc5849.signature",
    "requests_oauthlib.oauth1_auth",
    "requests_oauthlib.oauth1_session",
    "tweepy.client",
    "urllib3.connection",
    "urllib3.connectionpool",
    "urllib3.util.retry",
)


@dataclass(frozen=True, slots=True)
class BaseUrlRewrite:
    """The address that an SDK has built in, and the address that its requests are signed for."""

    built_in: str
    signed: str


class ApiSession:
    """A requests session for an SDK. It sends to `base` only, and watches every call.

    `timeout` is in seconds, from the request to the last byte of the answer. `secrets` and what
    `redact` knows are removed from every answer, since a server may repeat them. Not for two
    threads at once.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - where to, how long, and what is not to be seen
        self,
        base: str,
        timeout: float,
        secrets: Sequence[str] = (),
        detour: BaseUrlRewrite | None = None,
        clock: Callable[[], float] = time.monotonic,
        redact: Redact | None = None,
    ) -> None:
        redact = redact or Redact()
        redact.add(*secrets)
        self._adapter = _Adapter(timeout, redact, clock)
        self.session: requests.Session = _SdkSession(base, detour)
        self.session.mount("https://", self._adapter)
        self.session.mount("http://", self._adapter)

    def send_once(self, ask: Callable[[], object], *, fresh: bool = False) -> Exchange:
        """Call `ask`, which makes one request with the session, and return its result.

        What `ask` returns is ignored, and what it raises counts only if there is no answer. With
        `fresh` the request gets a new connection: servers close a kept one without notice, and
        then a request on it may have been carried out.
        """
        if fresh:
            self._adapter.disconnect()
        for name in _TALKATIVE:
            logging.getLogger(name).addFilter(_discreet)
        self._adapter.start()
        unmade = _unmade(None)
        try:
            ask()
        except Exception as error:  # noqa: BLE001 - nothing an SDK may raise undoes an answer
            unmade = _unmade(error)
        return self._adapter.exchange() or unmade

    def send_repeatable(self, ask: Callable[[], object]) -> Exchange:
        """See `send_once`. A request that is safe to repeat is repeated if a connection broke.

        The second request gets a connection of its own.
        """
        exchange = self.send_once(ask)
        return self.send_once(ask, fresh=True) if exchange.broke else exchange

    def close(self) -> None:
        """Close the connection."""
        self.session.close()


def _discreet(record: logging.LogRecord) -> bool:
    """Drop the lines in which these loggers write headers, which contain tokens.

    Their warnings quote what a server sent, which may repeat tokens. This is a filter and not a
    level, so that it works with every level that anyone sets.
    """
    return record.levelno > logging.WARNING


class _SdkSession(requests.Session):
    """Rewrites the base URL. It would follow redirects, but the adapter sends no second request."""

    def __init__(self, base: str, detour: BaseUrlRewrite | None) -> None:
        super().__init__()
        self._base = base
        self._detour = detour
        # A proxy of the environment is not for this machine itself.
        self.trust_env = not is_local(base)

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        detour = self._detour
        if detour is None:
            return super().prepare_request(request)
        request.url = request.url.replace(detour.built_in, detour.signed, 1)
        prepared = super().prepare_request(request)
        prepared.url = (prepared.url or "").replace(detour.signed, self._base, 1)
        return prepared


class _Adapter(HTTPAdapter):
    """Sends one request for each call, and reads its whole answer."""

    def __init__(self, timeout: float, redact: Redact, clock: Callable[[], float]) -> None:
        self._timeout = timeout
        self._redact = redact
        self._watch = RequestWatch(clock)
        self._pools = pools(self._watch)
        self.start()
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False) -> None:  # type: ignore[override]  # noqa: FBT001, FBT002 - requests calls it so
        self.poolmanager = PoolManager(connections, maxsize=maxsize, block=block)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str) -> PoolManager:  # type: ignore[override]
        manager: PoolManager = super().proxy_manager_for(proxy)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def start(self) -> None:
        """Begin a call, which may send one request."""
        self._watch.start(self._timeout)
        self._sends = 0
        self._reply: Reply | None = None
        self._problem = ""
        self._broke = False

    def exchange(self) -> Exchange | None:
        """Return the result of the call; None where it made no request."""
        if self._reply is not None:
            return Exchange(TransportResult.ANSWERED, self._reply)
        if not self._sends:
            return None
        fate = TransportResult.LOST if self._watch.began else TransportResult.UNSENT
        return Exchange(fate, None, self._problem, broke=self._broke)

    def disconnect(self) -> None:
        """Close the kept connections; the next request opens another."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it is no mapping to iterate over
                manager.pools[key].close()
            manager.clear()

    def close(self) -> None:
        """Close the connections; urllib3 by itself leaves that to the garbage collector."""
        self.disconnect()
        super().close()

    def send(  # noqa: PLR0913, PLR0917 - requests calls it so
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002 - (the same)
        timeout: object = None,  # noqa: ARG002 - the SDKs give none, or one of their own
        verify: bool | str = True,  # noqa: FBT001, FBT002 - requests calls it so
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        self._sends += 1
        if self._sends > 1:
            raise requests.RequestException("only one request belongs to one call")
        bound = (self._timeout, self._timeout)
        try:
            response = super().send(request, True, bound, verify, cert, proxies)  # noqa: FBT003
            with response:
                self._reply = self._whole(response)
        except Exception as error:
            # Only its words: the error itself would keep the connection.
            self._problem = words(error, self._timeout)
            self._broke = is_broken(error)
            raise
        # The SDK would parse the body again into objects that are not used. That takes 2.4 ms for
        # each post, so after a success the SDK gets an empty body.
        body = io.BytesIO(b"{}" if self._reply.ok else self._reply.body)
        response.raw = urllib3.HTTPResponse(body, preload_content=False)
        return response

    def _whole(self, response: requests.Response) -> Reply:
        if response.ok:
            body: bytes = response.raw.read(_CAP + 1, decode_content=True)
        else:
            body = response.raw.read(_CAP_OF_REFUSAL, decode_content=True)
        if len(body) > _CAP:
            raise TooLarge
        return redacted(Reply(response.status_code, dict(response.headers), body), self._redact)


def redacted(reply: Reply, redact: Redact) -> Reply:
    """Return the answer without secrets; its headers' names in lower case."""
    headers = {name.lower(): value for name, value in reply.headers.items()}
    joined = "\0".join(map(": ".join, headers.items()))
    if redact(joined) != joined:  # seldom: one search of all headers is faster than one of each
        headers = {redact(name): redact(value) for name, value in headers.items()}
    return Reply(reply.status, headers, redact.data(reply.body))


def _unmade(error: Exception | None) -> Exchange:
    """Return the result of a call that made no request, which no SDK should do."""
    if any(isinstance(link, UnicodeError) for link in chain(error)):
        return Exchange(TransportResult.UNFIT, None, "its text cannot be encoded")
    return Exchange(TransportResult.LOST, None, f"no request was made ({type(error).__name__})")
