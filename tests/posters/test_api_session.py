"""What carries the SDKs' requests: one request a call, and the truth about what became of it."""

from __future__ import annotations

import gzip
import http.client
import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import urllib3
from requests_oauthlib import OAuth1  # type: ignore[import-untyped]

from bot.http.error_messages import TooLarge, words
from bot.posters.answers import Exchange, TransportResult
from bot.posters.api_session import ApiSession, BaseUrlRewrite
from bot.sandbox.wire import Request as Signed
from bot.sandbox.x.oauth1 import OAuthKeys, signed
from tests.helpers.http_server import HttpServer, Reply, Request, dripping, endless

SOON = 0.3
BUILT_IN = "https://api.twitter.com"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


@pytest.fixture
def opened() -> Iterator[Callable[..., ApiSession]]:
    lines: list[ApiSession] = []

    def line(base: str, timeout: float = 10.0, *secrets: str) -> ApiSession:
        lines.append(ApiSession(base, timeout, secrets))
        return lines[-1]

    yield line
    for each in lines:
        each.close()


def post(line: ApiSession, url: str) -> Exchange:
    return line.send_once(lambda: line.session.post(url, data={"status": "x"}))


def test_an_answer_is_kept_whole_and_the_sdk_has_nothing_to_work_through(
    server: HttpServer, opened: Callable[..., ApiSession]
) -> None:
    url = server.route("/", Reply(b'{"id": "1"}', 201, {"X-Limit": "7"}))
    line = opened(server.url)
    read: list[object] = []
    exchange = line.send_once(lambda: read.append(line.session.post(url).json()))
    assert exchange.fate is TransportResult.ANSWERED
    assert exchange.reply is not None
    assert (exchange.reply.status, exchange.reply.value()) == (201, {"id": "1"})
    assert exchange.reply.headers["x-limit"] == "7"
    assert read == [{}]
    assert "id" not in repr(exchange)  # a body may hold anything


def test_a_body_in_gzip_is_read(server: HttpServer, opened: Callable[..., ApiSession]) -> None:
    body = gzip.compress(b'{"id": "1"}')
    url = server.route("/", Reply(body, headers={"Content-Encoding": "gzip"}))
    reply = post(opened(server.url), url).reply
    assert reply is not None
    assert reply.value() == {"id": "1"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(
    server: HttpServer, opened: Callable[..., ApiSession], status: int
) -> None:
    url = server.route("/", Reply(b"", status, {"Location": "/elsewhere"}))
    exchange = post(opened(server.url), url)
    assert exchange.reply is not None
    assert exchange.reply.status == status
    assert [request.path for request in server.requests] == ["/"]


def test_one_call_makes_one_request(server: HttpServer, opened: Callable[..., ApiSession]) -> None:
    url = server.route("/", Reply(b"{}"))
    line = opened(server.url)

    def twice() -> None:
        for _ in range(2):
            line.session.post(url)

    assert line.send_once(twice).fate is TransportResult.ANSWERED
    assert len(server.requests) == 1
    assert line.send_once(twice).fate is TransportResult.ANSWERED
    assert len(server.requests) == 2


def test_an_sdk_that_tries_again_by_itself_does_not_get_through(
    server: HttpServer, opened: Callable[..., ApiSession]
) -> None:
    url = server.route("/", Reply(b"", raw=True), Reply(b"{}"))
    line = opened(server.url)

    def stubborn() -> None:
        try:
            line.session.post(url)
        except requests.ConnectionError:
            line.session.post(url)

    assert line.send_once(stubborn).fate is TransportResult.LOST
    assert len(server.requests) == 1


def test_what_an_sdk_raises_over_an_answer_does_not_undo_it(
    server: HttpServer, opened: Callable[..., ApiSession]
) -> None:
    url = server.route("/", Reply(b"{}"))
    line = opened(server.url)

    def clumsy() -> None:
        line.session.post(url)
        raise TypeError("cannot read the headers")

    assert line.send_once(clumsy).fate is TransportResult.ANSWERED


def test_no_cookie_is_kept(server: HttpServer, opened: Callable[..., ApiSession]) -> None:
    url = server.route("/", Reply(b"{}", headers={"Set-Cookie": "tracked=1; Path=/"}))
    line = opened(server.url)
    post(line, url)
    post(line, url)
    assert "cookie" not in server.requests[1].headers


# -- what surely was not sent ----------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_a_refused_connection_is_unsent(opened: Callable[..., ApiSession]) -> None:
    base = f"http://127.0.0.1:{free_port()}"
    exchange = post(opened(base), base)
    assert exchange == Exchange(TransportResult.UNSENT, None, "the connection is refused")


def test_a_host_without_address_is_unsent(opened: Callable[..., ApiSession]) -> None:
    base = "http://nowhere.invalid"
    exchange = post(opened(base), base)
    assert exchange == Exchange(TransportResult.UNSENT, None, "no address is known for its host")


def test_tls_that_fails_is_unsent(server: HttpServer, opened: Callable[..., ApiSession]) -> None:
    base = f"https://127.0.0.1:{server.port}"
    exchange = post(opened(base), base)
    assert exchange.fate is TransportResult.UNSENT
    assert "TLS" in exchange.problem
    assert server.requests == []


def test_a_connection_that_is_not_made_in_time_is_unsent(opened: Callable[..., ApiSession]) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(8)]  # more than it takes before it is full
        try:
            for each in waiting:
                each.setblocking(False)  # noqa: FBT003 - its name is the method's
                each.connect_ex(listener.getsockname())
            base = f"http://127.0.0.1:{listener.getsockname()[1]}"
            exchange = post(opened(base, SOON), base)
        finally:
            for each in waiting:
                each.close()
    assert exchange == Exchange(TransportResult.UNSENT, None, "no connection within 0.3 seconds")


def test_a_proxy_that_makes_no_tunnel_is_unsent(
    server: HttpServer, opened: Callable[..., ApiSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    exchange = post(opened("https://nowhere.invalid"), "https://nowhere.invalid/2/tweets")
    assert exchange == Exchange(TransportResult.UNSENT, None, "the proxy does not let us through")


def test_a_proxy_carries_what_is_not_for_this_machine(
    server: HttpServer, opened: Callable[..., ApiSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url)
    exchange = post(opened("http://nowhere.invalid"), "http://nowhere.invalid/x")
    assert exchange.fate is TransportResult.ANSWERED
    assert [request.path for request in server.requests] == ["http://nowhere.invalid/x"]


def test_a_proxy_is_not_asked_for_this_machine(
    server: HttpServer, opened: Callable[..., ApiSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    url = server.route("/", Reply(b"{}"))
    assert post(opened(server.url), url).fate is TransportResult.ANSWERED


def test_text_that_cannot_be_encoded_is_unfit(
    server: HttpServer, opened: Callable[..., ApiSession]
) -> None:
    line = opened(server.url)
    exchange = line.send_once(lambda: line.session.post(server.url, data={"status": "\ud800"}))
    assert exchange == Exchange(TransportResult.UNFIT, None, "its text cannot be encoded")
    assert server.requests == []


def test_a_call_that_makes_no_request_is_not_understood(opened: Callable[..., ApiSession]) -> None:
    line = opened("http://127.0.0.1")

    def confused() -> None:
        raise ValueError("Invalid visibility value!")

    assert line.send_once(confused) == Exchange(
        TransportResult.LOST, None, "no request was made (ValueError)"
    )
    assert line.send_once(lambda: None).fate is TransportResult.LOST


# -- what may have been sent -----------------------------------------------------------------------

LOST: dict[str, tuple[Reply, str]] = {
    "closed": (Reply(b"", raw=True), "the connection broke off"),
    "reset": (Reply(b"", raw=True, reset=True), "the connection broke off"),
    "head cut": (Reply(b"HTTP/1.1 20", raw=True), ""),
    "not HTTP": (Reply(b"220 mail.example ESMTP\r\n", raw=True), "not HTTP"),
    "body cut": (
        Reply(b'{"id"', headers={"Content-Length": "11"}),
        "the answer broke off before its end",
    ),
    "chunk cut": (
        Reply(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", raw=True),
        "the answer broke off before its end",
    ),
    "no gzip": (Reply(b"oh no", headers={"Content-Encoding": "gzip"}), "cannot be decoded"),
    "endless": (Reply(endless(b"x" * 65_536)), "the answer is too large"),
    "dripping": (Reply(dripping(b" ")), "no whole answer within 0.3 seconds"),
    "dripping headers": (
        Reply(dripping(b"HTTP/1.1 200 OK\r\nX: y\r\n"), raw=True),
        "no whole answer within 0.3 seconds",
    ),
    "silent": (Reply(dripping(b""), raw=True), "no whole answer within 0.3 seconds"),
}


@pytest.mark.parametrize("case", LOST)
def test_what_breaks_after_the_first_byte_is_lost(
    server: HttpServer, opened: Callable[..., ApiSession], case: str
) -> None:
    reply, said = LOST[case]
    timeout = SOON if "0.3" in said else 10.0
    url = server.route("/", reply)
    exchange = post(opened(server.url, timeout), url)
    assert (exchange.fate, exchange.reply) == (TransportResult.LOST, None)
    assert said in exchange.problem
    assert len(server.requests) == 1


def test_an_answer_is_overdue_by_the_clock_not_by_the_byte(server: HttpServer) -> None:
    url = server.route("/", Reply(b"{}"))
    # made, asked, twice while it connects, sent; and from then on it is late
    times = iter([0.0] * 5)
    line = ApiSession(server.url, 10.0, clock=lambda: next(times, 10.0))
    exchange = post(line, url)
    assert exchange == Exchange(TransportResult.LOST, None, "no whole answer within 10 seconds")
    line.close()


def test_a_kept_connection_that_dies_under_a_request_leaves_its_fate_open(
    server: HttpServer, opened: Callable[..., ApiSession]
) -> None:
    url = server.route("/", Reply(b"{}"), Reply(b"", raw=True, reset=True))
    line = opened(server.url)
    assert post(line, url).fate is TransportResult.ANSWERED
    assert post(line, url).fate is TransportResult.LOST
    assert len(server.requests) == 2


def ask_twice(line: ApiSession, url: str) -> Exchange:
    return line.send_repeatable(lambda: line.session.get(url))


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("case", ["closed", "reset"])
def test_what_may_be_carried_out_twice_is_asked_again_where_a_connection_broke(
    server: HttpServer,
    opened: Callable[..., ApiSession],
    case: str,
    kept: bool,  # noqa: FBT001 - pytest calls it
) -> None:
    line, well = opened(server.url), Reply(b'{"id": "1"}')
    url = server.route("/", *([well] if kept else []), LOST[case][0], well)
    if kept:
        assert ask_twice(line, url).fate is TransportResult.ANSWERED
    exchange = ask_twice(line, url)
    assert exchange.reply is not None
    assert exchange.reply.value() == {"id": "1"}
    assert len(server.requests) == 2 + kept


def test_a_connection_that_breaks_twice_is_not_asked_a_third_time(
    server: HttpServer, opened: Callable[..., ApiSession]
) -> None:
    url = server.route("/", LOST["closed"][0])
    exchange = ask_twice(opened(server.url), url)
    assert exchange == Exchange(TransportResult.LOST, None, "the connection broke off", broke=True)
    assert len(server.requests) == 2


@pytest.mark.parametrize("case", [case for case in LOST if case not in {"closed", "reset"}])
def test_an_answer_that_began_or_took_too_long_is_not_asked_for_again(
    server: HttpServer, opened: Callable[..., ApiSession], case: str
) -> None:
    reply, said = LOST[case]
    url = server.route("/", reply)
    line = opened(server.url, SOON if "0.3" in said else 10.0)
    asks = []

    def ask() -> None:
        asks.append(url)
        line.session.get(url)

    exchange = line.send_repeatable(ask)
    assert (exchange.reply, exchange.broke) == (None, False)
    assert len(asks) == 1


# -- a host of several addresses -------------------------------------------------------------------


HOST = "several.example"
DEAD = "127.0.0.2"  # this machine, and nothing listens there


class Addresses:
    """Stands in for finding and connecting to the addresses of HOST; other hosts are as they are.

    `found` are its addresses, and finding them takes `search` seconds of its own clock. An address
    in `swallows` takes no connection and says nothing, for as long as one waits; the others are
    connected to. `waits` are the seconds that each address was given.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *found: str) -> None:
        self.found = list(found)
        self.swallows: set[str] = set()
        self.search = 0.0
        self.now = 0.0
        self.waits: list[tuple[str, float]] = []
        self._find = socket.getaddrinfo
        self._connect = urllib3.util.connection.create_connection
        monkeypatch.setattr(socket, "getaddrinfo", self.find)
        monkeypatch.setattr(urllib3.util.connection, "create_connection", self.connect)

    def find(self, host: str, port: int, *asked: int, **named: int) -> list[object]:
        if host != HOST:
            return [*self._find(host, port, *asked, **named)]
        self.now += self.search
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (address, port)) for address in self.found]

    def connect(self, address: tuple[str, int], timeout: float, **named: object) -> socket.socket:
        self.waits.append((address[0], round(timeout, 6)))
        if address[0] in self.swallows:
            self.now += timeout
            raise TimeoutError("timed out")
        return self._connect(address, 10.0, **named)  # type: ignore[arg-type]

    def line(self, server: HttpServer, timeout: float) -> tuple[ApiSession, str]:
        base = f"http://{HOST}:{server.port}"
        return ApiSession(base, timeout, clock=lambda: self.now), base


def test_a_host_is_reached_though_its_first_address_is_dead(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.route("/", Reply(b"{}"))
    addresses = Addresses(monkeypatch, DEAD, "127.0.0.1")
    line, base = addresses.line(server, 10.0)
    assert post(line, base).fate is TransportResult.ANSWERED
    assert post(line, base).fate is TransportResult.ANSWERED
    assert addresses.waits == [(DEAD, 2.5), ("127.0.0.1", 5.0)]
    assert [each.headers["host"] for each in server.requests] == [f"{HOST}:{server.port}"] * 2
    line.close()


GONE, SILENT, HERE = DEAD, "192.0.2.1", "127.0.0.1"


@pytest.mark.parametrize(
    ("found", "waits"),
    [
        ([HERE], [30.0]),
        ([HERE, SILENT], [15.0]),
        ([SILENT, HERE], [15.0, 15.0]),
        ([SILENT, "192.0.2.2", HERE], [10.0, 10.0, 10.0]),
        # what one that refuses at once has left is for the others
        ([GONE, HERE], [15.0, 30.0]),
        ([GONE, SILENT, HERE], [10.0, 15.0, 15.0]),
        ([SILENT, GONE, HERE], [10.0, 10.0, 20.0]),
        # one that is named twice is one
        ([SILENT, SILENT, HERE, HERE], [15.0, 15.0]),
    ],
)
def test_the_addresses_of_a_host_share_half_the_time(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch, found: list[str], waits: list[float]
) -> None:
    """One that swallows connections leaves time for the next, and all leave half for the answer."""
    server.route("/", Reply(b"{}"))
    addresses = Addresses(monkeypatch, *found)
    addresses.swallows = {SILENT, "192.0.2.2"}
    line, base = addresses.line(server, 60.0)
    assert post(line, base).fate is TransportResult.ANSWERED
    assert [each for _, each in addresses.waits] == waits
    assert addresses.now <= 30.0
    line.close()


def test_a_host_whose_every_address_is_silent_is_left_in_half_the_time(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = Addresses(monkeypatch, SILENT, "192.0.2.2")
    addresses.swallows = {*addresses.found}
    line, base = addresses.line(server, 12.0)
    assert post(line, base) == Exchange(
        TransportResult.UNSENT, None, "no connection within 12 seconds"
    )
    assert addresses.now == pytest.approx(6.0)
    line.close()


def test_the_last_address_says_why_there_is_no_connection(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = Addresses(monkeypatch, SILENT, DEAD)
    addresses.swallows = {SILENT}
    line, base = addresses.line(server, 12.0)
    assert post(line, base) == Exchange(TransportResult.UNSENT, None, "the connection is refused")
    line.close()


def test_no_address_is_left_out_however_many_there_are(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = [f"192.0.2.{number}" for number in range(400)]
    server.route("/", Reply(b"{}"))
    addresses = Addresses(monkeypatch, *silent, HERE)
    addresses.swallows = {*silent}
    line, base = addresses.line(server, 60.0)
    assert post(line, base).fate is TransportResult.ANSWERED
    assert [each for _, each in addresses.waits] == [0.1] * 401
    line.close()


@pytest.mark.parametrize("search", [60.0, 600.0])
def test_no_request_leaves_when_no_time_is_left_for_its_answer(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch, search: float
) -> None:
    """Else it might be carried out, and nobody would know."""
    server.route("/", Reply(b"{}"))
    addresses = Addresses(monkeypatch, HERE)
    addresses.search = search
    line, base = addresses.line(server, 60.0)
    exchange = post(line, base)
    assert (exchange.fate, exchange.reply) == (TransportResult.UNSENT, None)
    assert "no time was left" in exchange.problem
    assert server.requests == []
    addresses.search = 30.0
    assert post(line, base).fate is TransportResult.ANSWERED
    line.close()


def test_no_request_leaves_late_on_a_connection_that_was_kept(server: HttpServer) -> None:
    url, now = server.route("/", Reply(b"{}")), [0.0]
    line = ApiSession(server.url, 12.0, clock=lambda: now[0])
    assert post(line, url).fate is TransportResult.ANSWERED

    def slow() -> None:
        now[0] += 12.0
        line.session.post(url)

    assert line.send_once(slow).fate is TransportResult.UNSENT
    assert post(line, url).fate is TransportResult.ANSWERED
    assert len(server.requests) == 2
    line.close()


# -- where it goes, and as whom --------------------------------------------------------------------


def oauth(keys: OAuthKeys) -> OAuth1:
    return OAuth1(
        keys.consumer_key, keys.consumer_secret, keys.access_token, keys.access_token_secret
    )


@pytest.mark.parametrize(
    ("base", "sign"),
    [
        ("https://api.x.com", "https://api.x.com"),
        ("https://api.twitter.com", "https://api.twitter.com"),
        ("https://gate.example/x", "https://api.x.com"),
    ],
)
def test_a_detour_is_signed_for_one_address_and_goes_to_another(base: str, sign: str) -> None:
    line = ApiSession(base, 1.0, detour=BaseUrlRewrite(BUILT_IN, sign))
    keys = OAuthKeys()
    url = f"{BUILT_IN}/2/tweets/1?a=b"
    prepared = line.session.prepare_request(requests.Request("GET", url, auth=oauth(keys)))
    assert prepared.url == f"{base}/2/tweets/1?a=b"
    sent: str | bytes = prepared.headers["Authorization"]
    headers = {"authorization": sent if isinstance(sent, str) else sent.decode()}
    request = Signed("GET", "/2/tweets/1", "a=b", headers)
    every = ["https://api.x.com", BUILT_IN, "https://gate.example/x"]
    assert [each for each in every if signed(request, keys, [each])] == [sign]
    line.close()


def test_a_netrc_changes_nothing(
    server: HttpServer,
    opened: Callable[..., ApiSession],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login intruder password hunter2\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    url = server.route("/", Reply(b"{}"))
    line = opened(server.url)
    line.send_once(lambda: line.session.post(url, headers={"Authorization": "Bearer token"}))
    assert server.requests[0].headers["authorization"] == "Bearer token"


def test_secrets_are_blotted_out_of_answers(
    server: HttpServer, opened: Callable[..., ApiSession]
) -> None:
    def echo(request: Request) -> Reply:
        return Reply(b'{"you_sent": "' + request.headers["authorization"].encode() + b'"}')

    secret = "s3cret-token-of-some-length"
    url = server.route("/", echo)
    line = opened(server.url, 10.0, secret, "")
    exchange = line.send_once(
        lambda: line.session.post(url, headers={"Authorization": f"Bearer {secret}"})
    )
    assert exchange.reply is not None
    assert exchange.reply.value() == {"you_sent": "Bearer ***"}


def test_a_log_at_debug_stays_silent_whatever_its_level(
    server: HttpServer, opened: Callable[..., ApiSession], caplog: pytest.LogCaptureFixture
) -> None:
    line = opened(server.url)
    for name in ("urllib3.connectionpool", "requests_oauthlib.oauth1_auth", "oauthlib"):
        caplog.set_level(logging.DEBUG, name)
    caplog.set_level(logging.DEBUG)
    line.send_once(lambda: line.session.post(server.url, auth=oauth(OAuthKeys())))
    line.send_once(lambda: line.session.post(server.url, auth=oauth(OAuthKeys())))
    assert caplog.text == ""


# -- words -----------------------------------------------------------------------------------------


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (requests.ConnectTimeout(), "no connection within 9 seconds"),
        (requests.ReadTimeout(), "no whole answer within 9 seconds"),
        (TimeoutError(), "no whole answer within 9 seconds"),
        (caused(OSError("outer"), TimeoutError()), "no whole answer within 9 seconds"),
        (ssl.SSLError(1, "bad"), "no secure connection"),
        (requests.exceptions.SSLError(), "no secure connection"),
        (requests.exceptions.ProxyError(), "the proxy does not let us through"),
        (socket.gaierror(), "no address is known for its host"),
        (ConnectionRefusedError(), "the connection is refused"),
        (ConnectionResetError(), "the connection broke off"),
        (BrokenPipeError(), "the connection broke off"),
        (http.client.RemoteDisconnected("x"), "the connection broke off"),
        (http.client.BadStatusLine("x"), "the answer is not HTTP"),
        (http.client.IncompleteRead(b""), "the answer broke off before its end"),
        (urllib3.exceptions.DecodeError(), "the answer cannot be decoded"),
        (TooLarge(), "the answer is too large"),
        (requests.ConnectionError(), "the connection failed"),
        (urllib3.exceptions.ProtocolError(), "the connection failed"),
        (KeyError("secret"), "something that was not foreseen (KeyError)"),
        (None, "something that was not foreseen (NoneType)"),
    ],
)
def test_every_error_has_words_of_our_own(error: Exception | None, said: str) -> None:
    assert words(error, 9.0).startswith(said)


def test_errors_that_cause_each_other_come_to_an_end() -> None:
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    assert words(one, 9.0) == "something that was not foreseen (ValueError)"
