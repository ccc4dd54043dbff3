"""Clients that mean no good, at each stand-in and at the page: sizes, numbers and times end."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.demo.board import Board
from bot.demo.serve import listen, served
from bot.demo.standins import stand_ins
from bot.model import Network
from bot.sandbox.bluesky.rules import BlueskyRules
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.multipart import parts
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import RefusedRequest, Request
from bot.sandbox.x.rules import XRules
from tests.helpers.health_checks import SHARED_FIXTURE
from tests.helpers.sandbox_clients import StillClock

PATIENT = 60.0  # a client's time where a test is not about it
NETWORKS = [network.value for network in Network]
PATHS = {
    "twitter": "/2/tweets",
    "mastodon": "/api/v1/statuses",
    "bluesky": "/xrpc/com.atproto.server.createSession",
}
JSON = b"Content-Type: application/json\r\n"


def sandbox_of(seconds: float = PATIENT, most: int = 256) -> Sandbox:
    clock = StillClock()
    rules = {
        "twitter": XRules(clock),
        "mastodon": MastodonRules(clock),
        "bluesky": BlueskyRules(clock),
    }
    return Sandbox(rules, seconds=seconds, most=most)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with sandbox_of() as started:
        yield started


@contextmanager
def client(sandbox: Sandbox, network: str) -> Iterator[socket.socket]:
    port = int(sandbox.url(network).rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENT) as sock:
        yield sock


def told(sock: socket.socket) -> bytes:
    """All that is answered, up to the end of the connection, however it ends."""
    answer = b""
    with suppress(ConnectionError):
        while piece := sock.recv(65_536):
            answer += piece
    return answer


def asked(sandbox: Sandbox, network: str, request: bytes) -> bytes:
    with client(sandbox, network) as sock:
        with suppress(ConnectionError):
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
        return told(sock)


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.1 (\d{3}) ", answer)
    return int(found[1]) if found else 0


def check_well(sandbox: Sandbox, network: str) -> None:
    """The stand-in answers whoever asks properly."""
    assert status(asked(sandbox, network, b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")) in (
        *(401, 404, 501),
    )


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\nHost: h\r\n" + headers + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"
REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "long request line": (b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\n\r\n", 431),
    "request line without end": (b"GET /" + b"y" * 1_000_000, 431),
    "long header": (b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", 431),
    "header without end": (b"GET / HTTP/1.1\r\nX: " + b"y" * 1_000_000, 431),
    "no colon": (b"GET / HTTP/1.1\r\nHost\r\n\r\n", 400),
    "space before the colon": (post(b"Content-Length : 1\r\n", b"x"), 400),
    "folded header": (b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    "large body": (post(b"Content-Length: 99999999\r\n"), 413),
    "larger body": (post(b"Content-Length: 99999999999999999999\r\n"), 413),
    "large form": (
        post(b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000001\r\n"),
        413,
    ),
    "negative length": (post(b"Content-Length: -1\r\n"), 400),
    "length with a sign": (post(b"Content-Length: +1\r\n", b"x"), 400),
    "length in other digits": (post(b"Content-Length: \xb2\r\n", b"xx"), 400),
    "no length": (post(b"Content-Length: \r\n"), 400),
    "two lengths": (post(b"Content-Length: 1\r\nContent-Length: 2\r\n", b"xx"), 400),
    "chunks without end": (post(CHUNKED, (b"100000\r\n" + b"x" * 0x100000 + b"\r\n") * 18), 413),
    "no chunk": (post(CHUNKED, b"x\r\n"), 400),
    "negative chunk": (post(CHUNKED, b"-1\r\n"), 400),
    "chunk longer than it says": (post(CHUNKED, b"1\r\nxyz\r\n0\r\n\r\n"), 400),
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("how", REFUSED)
def test_what_is_too_large_or_no_http_is_refused(how: str, network: str, sandbox: Sandbox) -> None:
    request, expected = REFUSED[how]
    before = len(sandbox.requests)
    answer = asked(sandbox, network, request)
    assert status(answer) == expected
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert len(sandbox.requests) == before
    check_well(sandbox, network)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_chunked_body_is_read_as_any_other(network: str, sandbox: Sandbox) -> None:
    head = f"POST {PATHS[network]} HTTP/1.1\r\nHost: h\r\n".encode() + JSON
    body = b'{"identifier":"a","password":"b"}'
    plain = asked(sandbox, network, head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    chunks = b"5;a=b\r\n" + body[:5] + b"\r\n" + b"%X\r\n" % (len(body) - 5) + body[5:]
    chunked = asked(sandbox, network, head + CHUNKED + b"\r\n" + chunks + b"\r\n0\r\nX: y\r\n\r\n")
    assert status(plain) == status(chunked) > 0
    first, second = (each.body for each in sandbox.requests[-2:])
    assert first == second == body


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "body", [b"[" * 1_000_000, b'{"a":' * 500 + b"1" + b"}" * 500, b"1" * 5_000, b'"\\ud800"']
)
def test_json_that_cannot_be_read_harms_nobody(body: bytes, network: str, sandbox: Sandbox) -> None:
    head = f"POST {PATHS[network]} HTTP/1.1\r\nHost: h\r\n".encode() + JSON
    assert (
        400
        <= status(asked(sandbox, network, head + b"Content-Length: %d\r\n\r\n" % len(body) + body))
        < 500
    )
    check_well(sandbox, network)


@pytest.mark.parametrize("network", NETWORKS)
@given(garbage=st.binary(max_size=300))
@example(garbage=b"GET / HTTP/1.1\r\nA: b")
@settings(max_examples=30, suppress_health_check=SHARED_FIXTURE)
def test_garbage_gets_one_answer_of_http_or_none(
    network: str, sandbox: Sandbox, garbage: bytes
) -> None:
    answer = asked(sandbox, network, garbage)
    assert not answer or status(answer)
    check_well(sandbox, network)


def test_a_form_may_have_so_many_parts_and_no_more() -> None:
    def form(count: int) -> Request:
        part = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\ny\r\n'
        kind = {"content-type": "multipart/form-data; boundary=x"}
        return Request("POST", "/", "", kind, (part * count + "--x--\r\n").encode())

    assert parts(form(100))["a"].text == "y"
    for wrong in (form(101), form(1_000_000)):
        with pytest.raises(RefusedRequest) as caught:
            parts(wrong)
        assert caught.value.response.status == 413


# -- Time and number -------------------------------------------------------------------------------

BEGUN = {
    "says nothing": b"",
    "stops in the first line": b"GET /heal",
    "stops in the headers": b"GET / HTTP/1.1\r\nHost: x\r\n",
    "stops in the body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx",
    "stops in a chunk": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nx",
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("how", BEGUN)
def test_a_client_has_only_so_much_time(how: str, network: str) -> None:
    with sandbox_of(seconds=0.05) as sandbox, client(sandbox, network) as sock:
        sock.sendall(BEGUN[how])
        assert told(sock) == b""  # which ends
        assert sandbox.requests == ()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_client_that_drips_has_no_more_time_than_others(network: str) -> None:
    with sandbox_of(seconds=0.1) as sandbox, client(sandbox, network) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nX: ")
        sock.settimeout(0.005)
        with suppress(ConnectionError):
            while True:  # which ends
                sock.sendall(b"y")
                with suppress(TimeoutError):
                    if not sock.recv(1):
                        break
        assert sandbox.requests == ()


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_a_client_that_does_not_read_has_only_so_much_time(network: str) -> None:
    with sandbox_of(seconds=0.2) as sandbox, client(sandbox, network) as sock:
        ask = b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n"
        with pytest.raises(OSError):  # noqa: PT011, PT012 - it is cut off, in whatever words
            while True:
                sock.sendall(ask * 1_000)


@pytest.mark.slow
@pytest.mark.parametrize("how", BEGUN)
def test_many_clients_at_once_take_few_threads_and_keep_nobody_out(how: str) -> None:
    before = threading.active_count()
    with sandbox_of(most=10) as sandbox, ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(client(sandbox, "mastodon")).sendall(BEGUN[how])
        for network in NETWORKS:
            check_well(sandbox, network)
        assert threading.active_count() <= before + 3 * 11  # one of each network accepts


# -- The page --------------------------------------------------------------------------------------


@contextmanager
def page(seconds: float = PATIENT, early: bytes = b"") -> Iterator[tuple[int, socket.socket]]:
    """The page's port, and a client that has sent `early` before the page was there."""
    made = stand_ins(lambda _: lambda: datetime(2026, 3, 1, tzinfo=UTC))
    with Sandbox({each.network: each.rules for each in made}) as sandbox, listen(0) as door:
        board = Board(sandbox, made, "Sandbox", "Title", "Lead.", shows_variables=True)
        port = door.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENT) as client:
            client.sendall(early.replace(b"PORT", b"%d" % port))
            with served(board, door, seconds):
                yield port, client


def to_page(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENT) as sock:
        with suppress(ConnectionError):
            sock.sendall(request)
        return told(sock)


def test_the_page_refuses_what_is_too_large_or_no_http() -> None:
    with page() as (port, _):
        host = f"Host: 127.0.0.1:{port}\r\n".encode()
        asks = {
            b"hello\r\n\r\n": 400,
            b"GET /" + b"y" * 100_000: 400,
            b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000: 400,
            b"GET / HTTP/1.1\r\n" + host + b"X: y\r\n" * 20_000: 400,
            b"POST /fault HTTP/1.1\r\n" + host + b"Content-Length: x\r\n\r\n": 400,
            b"POST /fault HTTP/1.1\r\n"
            + host
            + b"Content-Length: 20000\r\n\r\n"
            + b"x" * 20_000: 413,
            b"POST /next HTTP/1.1\r\n"
            + host
            + CHUNKED
            + b"\r\n"
            + b"4E20\r\n"
            + b"x" * 20_000: 413,
            b"GET / HTTP/1.1\r\n" + host + b"\r\n": 200,
        }
        for request, expected in asks.items():
            assert status(to_page(port, request)) == expected, request[:80]


@pytest.mark.slow
@pytest.mark.parametrize("how", BEGUN)
def test_a_client_of_the_page_has_only_so_much_time(how: str) -> None:
    begun = BEGUN[how].replace(b"POST / ", b"POST /next ")
    begun = begun.replace(b"Host: x", b"Host: localhost:PORT")
    with page(0.1, begun) as (_, client):
        assert told(client) == b""  # which ends


def test_events_go_on_for_longer() -> None:
    ask = b"GET /events HTTP/1.1\r\nHost: localhost:PORT\r\n\r\n"
    with page(0.1, ask) as (port, events):
        assert status(events.recv(65_536)) == 200
        assert to_page(port, b"") == b""  # its time is over, and that of the events was so before
        events.settimeout(0.2)
        with pytest.raises(TimeoutError):  # noqa: PT012 - it is neither answered to its end nor cut
            while events.recv(65_536):
                pass
