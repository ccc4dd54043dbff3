"""The pages on PORT: to whoever asks, however slowly, in masses, or with garbage."""

from __future__ import annotations

import errno
import http.client
import json
import logging
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import SettingsError
from bot.monitoring import http_server as module
from bot.monitoring.http_server import MOST_CLIENTS, HttpServer, page
from bot.monitoring.worker_state import Snapshot
from tests.helpers.health_checks import SHARED_FIXTURE
from tests.helpers.watched_worker import WatchedWorker

GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
PATIENT = 60.0  # a client's time where a test is not about it


@pytest.fixture
def worker() -> WatchedWorker:
    return WatchedWorker()


@pytest.fixture
def served(worker: WatchedWorker) -> Iterator[HttpServer]:
    with HttpServer(0, worker.watch.snapshot, seconds=PATIENT) as pages:
        yield pages


@contextmanager
def client(pages: HttpServer, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.create_connection((host, pages.port), timeout=PATIENT) as sock:
        yield sock


def told(sock: socket.socket) -> bytes:
    """All that is answered, up to the end of the connection, however it ends."""
    answer = b""
    with suppress(ConnectionError):
        while piece := sock.recv(65_536):
            answer += piece
    return answer


def asked(pages: HttpServer, request: bytes, host: str = "127.0.0.1") -> bytes:
    with client(pages, host) as sock:
        with suppress(ConnectionError):
            sock.sendall(request)
        return told(sock)


def status(pages: HttpServer, request: bytes = GET) -> int:
    return int(asked(pages, request).split()[1])


def got(
    pages: HttpServer, path: str, method: str = "GET"
) -> tuple[int, http.client.HTTPMessage, str]:
    connection = http.client.HTTPConnection("127.0.0.1", pages.port, timeout=PATIENT)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


# What is there


def test_healthz_is_json_and_says_whether_a_restart_helps(
    served: HttpServer, worker: WatchedWorker
) -> None:
    status, headers, text = got(served, "/healthz")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(text)["status"] == "ok"
    worker.advance(5, ticking=False)
    status, _, text = got(served, "/healthz")
    assert (status, json.loads(text)["status"]) == (503, "stuck")
    worker.watch.ticked()
    assert got(served, "/healthz")[0] == 200


def test_a_real_wedge_is_503_and_a_revoked_token_is_not(
    served: HttpServer, worker: WatchedWorker
) -> None:
    worker.run_pass(good=False, reason="refused: 401, the token was revoked")
    worker.watch.source("unreachable", ok=False)
    assert got(served, "/healthz")[0] == 200
    worker.watch.begun(["twitter"])
    worker.advance(5)
    status, _, text = got(served, "/healthz")
    assert status == 503
    assert "the pass that began at" in json.loads(text)["reasons"][0]


def test_metrics_are_for_prometheus(served: HttpServer, worker: WatchedWorker) -> None:
    worker.watch.count("sent", "twitter")
    status, headers, text = got(served, "/metrics")
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    samples = {s.name: s.value for f in text_string_to_metric_families(text) for s in f.samples}
    assert samples["bot_events_total"] == 1


def test_the_root_names_both(served: HttpServer) -> None:
    status, headers, text = got(served, "/")
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    assert "/healthz" in text
    assert "/metrics" in text
    assert text.count("\n") == 1


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/", "/favicon.ico"])
def test_head_is_get_without_a_body(served: HttpServer, path: str) -> None:
    status, headers, text = got(served, path)
    headed = got(served, path, "HEAD")
    assert (headed[0], headed[2]) == (status, "")
    for name in ("Content-Type", "Content-Length", "Cache-Control"):
        assert headed[1][name] == headers[name]
    assert int(headers["Content-Length"]) == len(text.encode())
    assert asked(served, f"HEAD {path} HTTP/1.1\r\n\r\n".encode()).endswith(b"\r\n\r\n")


def test_the_headers_say_what_they_must_and_no_more(served: HttpServer) -> None:
    _, headers, _ = got(served, "/healthz")
    assert dict(headers.items()) == {
        "Date": "Fri, 20 Nov 2026 12:00:00 GMT",
        "Content-Type": "application/json",
        "Content-Length": headers["Content-Length"],
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
    }


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/healthz?from=platform", 200),
        ("/healthz#x", 200),
        ("http://worker.example/healthz", 200),
        ("/healthz/", 404),
        ("//healthz", 404),
        ("/HEALTHZ", 404),
        ("/../healthz", 404),
        ("/%68ealthz", 404),
        ("*", 404),
        ("http://[/healthz", 400),
    ],
)
def test_every_other_path_is_404(served: HttpServer, target: str, found: int) -> None:
    assert status(served, f"GET {target} HTTP/1.1\r\n\r\n".encode()) == found


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get"])
@pytest.mark.parametrize("path", ["/healthz", "/nowhere"])
def test_every_other_method_is_405(served: HttpServer, method: str, path: str) -> None:
    found, headers, _ = got(served, path, method)
    assert (found, headers["Allow"]) == (405, "GET, HEAD")


def test_whoever_sends_a_body_still_gets_the_answer(served: HttpServer) -> None:
    with client(served) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 60000\r\n\r\n")
        assert told(sock).startswith(b"HTTP/1.1 405 ")
        for _ in range(100):  # none of which meets a connection that is reset
            sock.sendall(b"x" * 600)


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\n\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 98 + b"\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
        (b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 5_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 100_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /healthz HTTP/2.0\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"GET /healthz\r\n\r\n", 400),
        (b"GET  / healthz HTTP/1.1\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        ("GET /héalthz HTTP/1.1\r\n\r\n".encode(), 400),
    ],
)
def test_what_is_http_and_what_is_not(served: HttpServer, request_: bytes, found: int) -> None:
    assert status(served, request_) == found


@given(garbage=st.binary(max_size=300))
@example(garbage=b"GET /healthz HTTP/1.1\r\nA: b")
@settings(max_examples=50, suppress_health_check=SHARED_FIXTURE)
def test_garbage_gets_one_answer_of_http_and_no_more(served: HttpServer, garbage: bytes) -> None:
    with client(served) as sock:
        with suppress(ConnectionError):
            sock.sendall(garbage)
            sock.shutdown(socket.SHUT_WR)
        answer = told(sock)
    if answer:
        assert re.match(rb"HTTP/1\.1 [2-5]\d\d [A-Z]", answer)
        assert answer.count(b"HTTP/1.1 ") == 1
    assert status(served) == 200


def has_ipv6() -> bool:
    with suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


PORTS = 3
needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize(
    ("bound", "there", "not_there"),
    [
        ("127.0.0.1", ["127.0.0.1"], ["127.0.0.2", "::1"]),
        ("0.0.0.0", ["127.0.0.1", "127.0.0.2"], ["::1"]),  # noqa: S104 - it is what is tested
        pytest.param("::1", ["::1"], ["127.0.0.1"], marks=needs_ipv6),
        pytest.param("::", ["127.0.0.1", "127.0.0.2", "::1"], [], marks=needs_ipv6),
    ],
)
def test_it_listens_at_its_address_and_nowhere_else(
    bound: str, there: list[str], not_there: list[str], worker: WatchedWorker
) -> None:
    found = not_there
    for _ in range(PORTS):  # another program may have the same port at an address that is not ours
        with HttpServer(0, worker.watch.snapshot, bound) as pages:
            for host in there:
                assert asked(pages, GET, host).startswith(b"HTTP/1.1 200 ")
            found = [host for host in not_there if is_open(pages, host)]
        if not found:
            break
    assert found == [], "the server listens there"


def is_open(pages: HttpServer, host: str) -> bool:
    try:
        with client(pages, host):
            return True
    except OSError:
        return False


def test_a_page_that_cannot_be_made_is_500_and_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture, worker: WatchedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Snapshot) -> str:
        raise LookupError("no metrics today")

    monkeypatch.setattr(module, "metrics", fail)
    with HttpServer(0, worker.watch.snapshot) as pages:
        assert status(pages, b"GET /metrics HTTP/1.1\r\n\r\n") == 500
        assert status(pages) == 200
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "/metrics could not be made")


def test_a_page_is_made_of_a_path_and_what_is_known(worker: WatchedWorker) -> None:
    known = worker.watch.snapshot()
    assert page("/nowhere", known).text == "404 Not Found\n"
    assert page("/healthz", known) == page("/healthz", known)


# Clients that mean no good


def hasty(request: bytes) -> Callable[[socket.socket], None]:
    def act(sock: socket.socket) -> None:
        sock.sendall(request)

    return act


def reset(sock: socket.socket) -> None:
    sock.sendall(b"GET /metrics HTTP/1.1\r\n")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


HOSTILE: dict[str, Callable[[socket.socket], None]] = {
    "says nothing": lambda _: None,
    "stops in the first line": hasty(b"GET /heal"),
    "stops in the headers": hasty(b"GET /healthz HTTP/1.1\r\nHost: x\r\n"),
    "does not take the answer": hasty(GET),
    "sends a body for ever": hasty(b"POST / HTTP/1.1\r\n\r\n" + b"x" * 10_000),
    "half open": lambda sock: sock.shutdown(socket.SHUT_RD),
    "goes away": lambda sock: sock.close(),
    "breaks off": reset,
}


@pytest.mark.slow
@pytest.mark.parametrize("how", HOSTILE)
@pytest.mark.parametrize("most", [50, MOST_CLIENTS])
def test_two_hundred_bad_clients_at_once_keep_nobody_out(
    how: str, most: int, worker: WatchedWorker
) -> None:
    with HttpServer(0, worker.watch.snapshot, seconds=PATIENT, most=most) as pages:
        threads = threading.active_count()
        with ExitStack() as stack:
            for _ in range(200):
                HOSTILE[how](stack.enter_context(client(pages)))
            assert status(pages) == 200
            assert threading.active_count() == threads
        worker.advance(5, ticking=False)
        assert status(pages) == 503


def flood(sock: socket.socket) -> None:
    for _ in range(10_000):
        sock.sendall(b"x" * 65_536)


def test_whoever_sends_more_than_anybody_reads_is_hung_up_on(served: HttpServer) -> None:
    with client(served) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\n\r\n")
        with pytest.raises(ConnectionError):
            flood(sock)
    assert status(served) == 200


def test_too_many_clients_and_the_oldest_must_go(worker: WatchedWorker) -> None:
    with (
        HttpServer(0, worker.watch.snapshot, seconds=PATIENT, most=3) as pages,
        ExitStack() as stack,
    ):
        first, *others = [stack.enter_context(client(pages)) for _ in range(4)]
        assert not told(first)
        for sock in others[1:]:
            sock.sendall(GET)
            assert told(sock).startswith(b"HTTP/1.1 200 ")


def drip(sock: socket.socket) -> None:
    """Send a byte of a header every now and then, until the other side has enough."""
    sock.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
    sock.settimeout(0.005)
    with suppress(ConnectionError):
        while True:
            sock.sendall(b"y")
            with suppress(TimeoutError):
                if not sock.recv(1):
                    return


SLOW = ("says nothing", "stops in the headers", "does not take the answer")


@pytest.mark.parametrize("how", SLOW)
def test_a_client_has_only_so_much_time(how: str, worker: WatchedWorker) -> None:
    with HttpServer(0, worker.watch.snapshot, seconds=0.05) as pages, client(pages) as sock:
        HOSTILE[how](sock)
        told(sock)  # which ends
        assert status(pages) == 200


def test_a_client_that_drips_has_no_more_time_than_others(worker: WatchedWorker) -> None:
    with HttpServer(0, worker.watch.snapshot, seconds=0.1) as pages, client(pages) as sock:
        drip(sock)  # which ends
        assert status(pages) == 200


def test_the_worker_goes_on_while_pages_are_asked_for(
    served: HttpServer, worker: WatchedWorker
) -> None:
    poller = [threading.Thread(target=status, args=(served,)) for _ in range(8)]
    for thread in poller:
        thread.start()
    for _ in range(200):
        worker.watch.count("sent", "twitter")
    for thread in poller:
        thread.join()
    assert worker.watch.snapshot().counts == (("sent", "twitter", 200),)


# Begin and end


def test_a_port_that_is_taken_is_said() -> None:
    worker = WatchedWorker()
    with HttpServer(0, worker.watch.snapshot) as pages, pytest.raises(SettingsError) as caught:
        HttpServer(pages.port, worker.watch.snapshot)
    assert caught.value.message == (
        f"PORT: {pages.port} cannot be used: another program listens there, perhaps another worker"
    )
    assert caught.value.fix.startswith("Set another port")


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EACCES, "this user may not listen there"),
        (errno.ENOBUFS, "no buffers"),
        (None, "whatever"),
    ],
)
def test_a_port_that_may_not_be_had_is_said(
    number: int | None, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> socket.socket:
        raise OSError("whatever") if number is None else OSError(number, "no buffers")

    monkeypatch.setattr(socket, "create_server", refused)
    with pytest.raises(SettingsError, match=f"PORT: 80 cannot be used: {why}"):
        HttpServer(80, WatchedWorker().watch.snapshot)


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_an_address_of_another_machine_is_said(host: str) -> None:
    with pytest.raises(SettingsError) as caught:
        HttpServer(0, WatchedWorker().watch.snapshot, host)
    assert caught.value.message == (
        f"BOT_BIND: {host} cannot be used: this machine has no such address"
    )
    assert "127.0.0.1" in caught.value.fix


def test_a_system_without_ipv6_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_four(*_: object, **__: object) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, "no IPv6")

    monkeypatch.setattr(socket, "create_server", only_four)
    for dual in (True, False):
        monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda dual=dual: dual)
        with pytest.raises(SettingsError, match="BOT_BIND: :: cannot be used"):
            HttpServer(0, WatchedWorker().watch.snapshot, "::")


def descriptors() -> int:
    """How many files and sockets this process has open, where the system tells."""
    open_ = Path("/proc/self/fd")
    return len([*open_.iterdir()]) if open_.is_dir() else 0


def test_the_end_is_prompt_whoever_is_there_and_gives_everything_back() -> None:
    worker = WatchedWorker()
    before = descriptors()
    threads = threading.active_count()
    with ExitStack() as stack:
        pages = HttpServer(0, worker.watch.snapshot, seconds=PATIENT)
        for how in SLOW:
            HOSTILE[how](stack.enter_context(client(pages)))
        assert status(pages) == 200
        pages.stop()
        pages.stop()
        with pytest.raises(OSError, match="refused"):
            stack.enter_context(client(pages))
    assert threading.active_count() == threads
    assert descriptors() == before


def test_the_port_is_free_again_at_once() -> None:
    worker = WatchedWorker()
    with HttpServer(0, worker.watch.snapshot) as pages:
        port = pages.port
        assert status(pages) == 200
    with HttpServer(port, worker.watch.snapshot) as pages:
        assert status(pages) == 200
