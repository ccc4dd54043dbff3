"""The heartbeat: one request a pass, one more at most, and no secret in what is said of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bot.errors import Unreachable
from bot.http.fetch import HOPS
from bot.monitoring import heartbeat as module
from bot.monitoring.heartbeat import Heartbeat, failing
from bot.settings.secret import Secret
from tests.helpers.http_server import HttpServer, Reply, Request, dripping

TOKEN = "4f1b2c3d-0000-4000-8000-1234567890ab"
OK = Reply(b"OK")


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def beat(url: str, *, good: bool = True, seconds: float = 10.0) -> str:
    """The reason, in which no secret ever is."""
    reason = Heartbeat(Secret(url), seconds).beat(good=good)
    for secret in (TOKEN, "secret", url.partition("//")[2].partition("/")[2] or TOKEN):
        assert secret not in reason
    assert "\n" not in reason
    return reason


def paths(server: HttpServer) -> list[str]:
    return [request.path for request in server.requests]


def test_a_good_pass_is_one_get(server: HttpServer) -> None:
    assert not beat(server.route(f"/{TOKEN}", OK))
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("GET", f"/{TOKEN}", b"")
    assert request.headers["user-agent"].startswith("bot/")
    assert "authorization" not in request.headers


def test_a_bad_pass_is_one_get_of_fail(server: HttpServer) -> None:
    url = server.route(f"/{TOKEN}", OK)
    server.route(f"/{TOKEN}/fail", OK)
    assert not beat(url, good=False)
    assert paths(server) == [f"/{TOKEN}/fail"]


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://hc.example/1b2c", "https://hc.example/1b2c/fail"),
        ("https://hc.example/1b2c/", "https://hc.example/1b2c/fail"),
        ("https://hc.example/1b2c//", "https://hc.example/1b2c/fail"),
        ("https://hc.example/1b2c?rid=3", "https://hc.example/1b2c/fail?rid=3"),
        ("https://hc.example/1b2c/?rid=/", "https://hc.example/1b2c/fail?rid=/"),
        ("https://hc.example/1b2c#part", "https://hc.example/1b2c/fail"),
        ("https://hc.example", "https://hc.example/fail"),
        ("https://hc.example:8443/", "https://hc.example:8443/fail"),
        ("https://hc.example/a%2Fb", "https://hc.example/a%2Fb/fail"),
    ],
)
def test_fail_stands_at_the_end_of_the_path(url: str, found: str) -> None:
    assert failing(url) == found


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_good(server: HttpServer, status: int) -> None:
    assert not beat(server.route(f"/{TOKEN}", Reply(status=status)))


@pytest.mark.parametrize("status", [304, 400, 403, 404, 410, 429])
def test_what_is_refused_is_said_and_not_tried_again(server: HttpServer, status: int) -> None:
    reason = beat(server.route(f"/{TOKEN}", Reply(status=status)))
    assert reason == f"127.0.0.1: it answers {status}"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "first", [Reply(status=503), Reply(raw=True, reset=True), Reply(b"x", raw=True)]
)
def test_what_fails_in_passing_is_tried_once_more(server: HttpServer, first: Reply) -> None:
    assert not beat(server.route(f"/{TOKEN}", first, OK))
    assert len(server.requests) == 2


def test_and_never_a_third_time(server: HttpServer) -> None:
    assert beat(server.route(f"/{TOKEN}", Reply(status=500))) == "127.0.0.1: it answers 500"
    assert len(server.requests) == 2


def test_what_the_second_try_says_counts(server: HttpServer) -> None:
    url = server.route(f"/{TOKEN}", Reply(raw=True, reset=True), Reply(status=404))
    assert beat(url) == "127.0.0.1: it answers 404"


def test_nobody_listens() -> None:
    with HttpServer() as gone:
        url = f"{gone.url}/{TOKEN}"
    assert beat(url) == "127.0.0.1: the connection is refused"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"http://hc.example/{TOKEN}", "only https is allowed, and http to this machine itself"),
        (f"ftp://hc.example/{TOKEN}", "only https is allowed, and http to this machine itself"),
        (f"https://me:secret@hc.example/{TOKEN}", "it has a user or password in it"),
        (f"https://hc.example/{TOKEN} x", "it is not a URL"),
    ],
)
def test_what_may_not_be_fetched_is_not(url: str, why: str) -> None:
    assert beat(url) == f"hc.example: {why}"


def test_tls_that_is_none(server: HttpServer) -> None:
    url = f"https://127.0.0.1:{server.port}/{TOKEN}"
    assert "its certificate or its TLS is not accepted" in beat(url)
    assert not server.requests


def test_redirects_are_followed_as_far_as_everywhere(server: HttpServer) -> None:
    for hop in range(HOPS):
        server.route(f"/{hop}", Reply(status=302, headers={"Location": f"/{hop + 1}"}))
    server.route(f"/{HOPS}", OK)
    assert not beat(server.url + "/0")
    server.route("/loop", Reply(status=302, headers={"Location": "/loop?secret"}))
    assert beat(server.url + "/loop") == "127.0.0.1: more than 5 redirects"
    assert len(server.requests) == (1 + HOPS) + 2 * (1 + HOPS)


def test_a_redirect_leads_to_nowhere_unsafe(server: HttpServer) -> None:
    there = {"Location": f"http://hc.example/secret/{TOKEN}"}
    reason = beat(server.route("/x", Reply(status=302, headers=there)))
    assert reason == "127.0.0.1: only https is allowed, and http to this machine itself"


@pytest.mark.parametrize("body", ["body", "head"])
def test_a_server_that_drips_is_left_at_the_deadline(server: HttpServer, body: str) -> None:
    slow = Reply(dripping(b"HTTP/1.1 200 OK\r\nX: y\r\n" if body == "head" else b"x"), raw=True)
    reason = beat(server.route(f"/{TOKEN}", slow), seconds=0.2)
    assert reason.startswith("127.0.0.1: ")


def test_a_server_that_hangs_is_left_at_the_deadline(server: HttpServer) -> None:
    let_go = threading.Event()

    def hang(_: Request) -> Reply:
        let_go.wait(30)
        return OK

    try:
        reason = beat(server.route(f"/{TOKEN}", hang), seconds=0.1)
    finally:
        let_go.set()
    assert reason.startswith("127.0.0.1: no ")
    assert reason.endswith(" seconds")


def doing(fetch: Callable[[str, float], int], seconds: float = 10.0) -> Heartbeat:
    return Heartbeat(Secret(f"https://hc.example/{TOKEN}"), seconds, fetch=fetch)


def test_a_beat_that_cannot_be_ended_is_left_behind_and_the_next_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_GRACE", 0.0)
    let_go, asked = threading.Event(), []

    def hang(url: str, seconds: float) -> int:
        asked.append((url, seconds))
        let_go.wait(30)  # as a search for a host's address does
        return 200

    heartbeat = doing(hang, seconds=0.05)
    assert heartbeat.beat(good=True) == "hc.example: no answer within 0.05 seconds"
    left = heartbeat.beat(good=True)
    assert left == "hc.example: the last beat still hangs, and this one is left out"
    assert len(asked) == 1
    let_go.set()
    for thread in threading.enumerate():
        if thread.name == "heartbeat":
            thread.join()
    slow = doing(hang)
    assert (slow.beat(good=True), slow.beat(good=False)) == ("", "")
    assert [url for url, _ in asked[1:]] == [
        f"https://hc.example/{TOKEN}",
        f"https://hc.example/{TOKEN}/fail",
    ]


def test_the_second_try_has_what_the_first_left_of_the_time() -> None:
    now, given = [100.0], []

    def fetch(_: str, seconds: float) -> int:
        given.append(seconds)
        now[0] += 4
        raise Unreachable(f"https://hc.example/{TOKEN}: the connection broke off")

    for seconds, tries in [(10.0, [10.0, 6.0]), (4.0, [4.0])]:
        given.clear()
        url = Secret(f"https://hc.example/{TOKEN}")
        heartbeat = Heartbeat(url, seconds, fetch=fetch, clock=lambda: now[0])
        assert heartbeat.beat(good=True) == "hc.example: the connection broke off"
        assert given == tries


def test_what_nobody_thought_of_is_a_reason_without_its_words() -> None:
    def fetch(url: str, seconds: float) -> int:
        raise LookupError(url, seconds)

    assert doing(fetch).beat(good=True) == "hc.example: LookupError (a bug in bot)"


def test_without_a_thread_there_is_no_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    reason = doing(lambda _, __: 200).beat(good=True)
    assert reason == "hc.example: no thread could be started"


def test_it_does_not_show_its_address() -> None:
    heartbeat = Heartbeat(Secret(f"https://hc.example/{TOKEN}"), clock=time.monotonic)
    assert TOKEN not in repr(vars(heartbeat))
