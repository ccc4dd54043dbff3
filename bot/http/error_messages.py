"""Why a request came to nothing, in words of our own.

Foreign messages are not passed on: they may quote a header or a URL, and so a token.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping

import requests
import urllib3


class TooLarge(requests.RequestException):
    """An answer that is larger than anything a network has to say."""


class NotPublic(OSError):
    """A host that must be public has an address of this machine or of a private network."""


class NoTime(TimeoutError):
    """No time is left for an answer, so the request does not leave."""


def words(error: BaseException | None, timeout: float) -> str:
    """Return what went wrong, in words of our own: foreign ones may quote what they were given."""
    links = [*chain(error)]
    for kind, text in _WORDS.items():
        if any(isinstance(link, kind) for link in links):
            return text.format(timeout=timeout)
    return f"something that was not foreseen ({type(error).__name__})"


def is_broken(error: BaseException) -> bool:
    """Tell whether a connection that was there ended before its answer, and not for want of time.

    urllib3 tells of an end before the first byte as of one of http.client's.
    """
    links = [*chain(error)]
    late = any(isinstance(link, TimeoutError | requests.Timeout) for link in links)
    ended = (ConnectionResetError, BrokenPipeError, http.client.RemoteDisconnected)
    return not late and any(isinstance(link, ended) for link in links)


_NO_ADDRESS = "no address is known for its host"
_NO_TLS = "no secure connection: its certificate or its TLS is not accepted"
# Looked for in this order in an error and its causes.
_WORDS: Mapping[type[BaseException], str] = {
    NotPublic: "its host has an address of this machine or of a private network",
    socket.gaierror: _NO_ADDRESS,
    urllib3.exceptions.NameResolutionError: _NO_ADDRESS,
    UnicodeError: _NO_ADDRESS,  # a name that cannot be encoded
    ConnectionRefusedError: "the connection is refused",
    NoTime: "no time was left for an answer",
    urllib3.exceptions.ConnectTimeoutError: "no connection within {timeout:g} seconds",
    requests.ConnectTimeout: "no connection within {timeout:g} seconds",
    TimeoutError: "no whole answer within {timeout:g} seconds",
    urllib3.exceptions.TimeoutError: "no whole answer within {timeout:g} seconds",
    requests.Timeout: "no whole answer within {timeout:g} seconds",
    ssl.SSLError: _NO_TLS,
    requests.exceptions.SSLError: _NO_TLS,
    requests.exceptions.ProxyError: "the proxy does not let us through",
    http.client.IncompleteRead: "the answer broke off before its end",
    ConnectionError: "the connection broke off",
    http.client.HTTPException: "the answer is not HTTP",
    urllib3.exceptions.DecodeError: "the answer cannot be decoded",
    TooLarge: "the answer is too large",
    OSError: "the connection failed",
    urllib3.exceptions.HTTPError: "the connection failed",
}


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and what it came of, without going round in a circle."""
    met: list[BaseException] = []
    while error is not None and error not in met:
        met.append(error)
        yield error
        error = error.__cause__ or error.__context__
