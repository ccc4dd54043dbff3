from __future__ import annotations

import gzip
import logging
import socket
import threading
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import BotError, Malformed, NoDigest, Unreachable
from bot.http.dates import moment
from bot.http.deadline import _Until, translate_network_errors
from bot.http.fetch import Web, _Bearer, _Trip
from bot.http.page import CacheValidators
from bot.http.urls import is_loopback, refusal, shown
from tests.helpers.http_server import Body, HttpServer, Reply, Request, dripping, endless


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def body(url: str, web: Web | None = None, token: str = "") -> bytes:
    with (web or Web(timeout=30)).get(url, token=token) as answer:
        answer.raise_for_status()
        return answer.whole()


def after(first: bytes, then: Body) -> Body:
    def pieces(closing: threading.Event) -> Iterable[bytes]:
        yield first
        assert not isinstance(then, bytes)
        yield from then(closing)

    return pieces


def test_gives_status_headers_type_and_body(server: HttpServer) -> None:
    headers = {"Content-Type": "Text/Markdown; charset=utf-8", "ETag": '"a"', "Last-Modified": "x"}
    url = server.route("/x.md", Reply(b"hello", headers=headers))
    with Web().get(url + "?key=secret", accept="text/markdown") as answer:
        assert (answer.status, answer.type, answer.whole()) == (200, "text/markdown", b"hello")
        assert answer.validators == CacheValidators('"a"', "x")
        assert answer.where == url
    sent = server.requests[0].headers
    assert sent["accept"] == "text/markdown"
    assert sent["user-agent"].startswith("bot/")
    assert not {"authorization", "if-none-match", "if-modified-since", "cookie"} & set(sent)


def test_asks_with_what_it_knows(server: HttpServer) -> None:
    url = server.route("/x", Reply(status=304))
    with Web().get(url, known=CacheValidators('"a"', "Wed, 23 Jun 2021 10:32:04 GMT")) as answer:
        assert answer.status == 304
    assert server.requests[0].headers["if-none-match"] == '"a"'
    assert server.requests[0].headers["if-modified-since"] == "Wed, 23 Jun 2021 10:32:04 GMT"


@pytest.mark.parametrize(
    ("modified", "kept"),
    [
        ("Wed, 23 Jun 2021 10:32:03 GMT", True),
        ("Wed, 23 Jun 2021 10:32:04 GMT", False),
        ("Wed, 23 Jun 2021 10:32:05 GMT", False),
        ("", True),
        ("lately", True),
    ],
)
def test_what_was_written_in_the_second_it_was_sent_in_is_not_remembered(
    server: HttpServer, modified: str, *, kept: bool
) -> None:
    last = f"Last-Modified: {modified}\r\n" if modified else ""
    head = f'HTTP/1.1 200 OK\r\nDate: Wed, 23 Jun 2021 10:32:04 GMT\r\n{last}ETag: "a"\r\n\r\n'
    url = server.route("/x", Reply(head.encode(), raw=True))
    with Web(timeout=30).get(url) as answer:
        assert answer.validators == (
            CacheValidators('"a"', modified) if kept else CacheValidators()
        )


@pytest.mark.parametrize("status", [404, 410])
def test_nothing_there(server: HttpServer, status: int) -> None:
    url = server.route("/x", Reply(b"gone", status))
    with pytest.raises(NoDigest, match=f"/x: there is nothing \\({status}\\)"):
        body(url)


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (500, {}, "answers 500$"),
        (429, {"Retry-After": "120"}, "answers 429, and asks to wait 120 seconds$"),
        (503, {"Retry-After": "Wed, 23 Jun 2021 10:32:04 GMT"}, "wait until 2021-06-23 10:32:04"),
        (503, {"Retry-After": "soon"}, "answers 503$"),
        (401, {}, "answers 401$"),
        (204, {}, "answers 204$"),
        (302, {}, "answers 302$"),
        (304, {}, "answers 304$"),
    ],
)
def test_statuses_that_may_pass(
    server: HttpServer, status: int, headers: dict[str, str], said: str
) -> None:
    with pytest.raises(Unreachable, match=said):
        body(server.route("/x", Reply(status=status, headers=headers)))


def test_nobody_listens(server: HttpServer) -> None:
    url = server.url
    server.close()
    with pytest.raises(Unreachable, match=r"^http://127\.0\.0\.1:\d+/x: the connection is refused"):
        body(f"{url}/x?key=secret")


def test_the_cause_that_is_chained_does_not_quote_the_url(server: HttpServer) -> None:
    url = server.url
    server.close()
    with pytest.raises(Unreachable) as caught:
        body(f"{url}/x?key=secret")
    assert isinstance(caught.value.__cause__, ConnectionRefusedError)
    assert "secret" not in str(caught.value.__cause__)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(dripping(b"x")),
        Reply(after(b"HTTP/1.1 200 OK\r\n", dripping(b"X-Filler: 1\r\n")), raw=True),
        Reply(after(b"HTTP/1.1 200 OK\r\nX-Filler: ", dripping(b"x")), raw=True),
        Reply(dripping(b"5\r\nabcde\r\n"), headers={"Transfer-Encoding": "chunked"}),
        Reply(dripping(b"")),
    ],
    ids=["body", "headers", "header", "chunks", "silence"],
)
def test_a_slow_answer_ends_at_the_deadline(server: HttpServer, reply: Reply) -> None:
    with pytest.raises(Unreachable, match=r"no whole answer within 0\.2 seconds"):
        body(server.route("/x", reply), Web(timeout=0.2))


def test_the_deadline_is_by_the_clock_that_was_passed_in(server: HttpServer) -> None:
    times = iter([0.0, *[1.0] * 3, *[99.0] * 99])
    url = server.route("/x", Reply(b"x" * 1_000_000))
    with pytest.raises(Unreachable, match="no whole answer within 30 seconds"):
        body(url, Web(timeout=30, clock=lambda: next(times)))


def test_each_read_gets_what_is_left_of_the_time() -> None:
    ours, theirs = socket.socketpair()
    left = iter([7.0, 0.0])
    with ours, theirs, ours.makefile("rb", buffering=0) as raw:
        reader = _Until(raw, ours, lambda: next(left))
        theirs.sendall(b"x")
        assert reader.readinto(bytearray(1)) == 1
        assert ours.gettimeout() == 7.0
        with pytest.raises(TimeoutError):
            reader.readinto(bytearray(1))


def test_an_endless_body_ends_at_the_cap(server: HttpServer) -> None:
    url = server.route("/x", Reply(endless(b"x" * 60_000)))
    with pytest.raises(Malformed, match=r"/x:1: expected at most 1 MB, and there is more"):
        body(url, Web(timeout=30, cap=1_000_000))


def test_the_cap_itself_still_fits(server: HttpServer) -> None:
    url = server.route("/x", Reply(b"x" * 1000))
    assert len(body(url, Web(cap=1000))) == 1000
    with pytest.raises(Malformed):
        body(url, Web(cap=999))


def test_gzip_is_decoded_however_it_is_cut(server: HttpServer) -> None:
    text = b"digest " * 20_000
    packed = gzip.compress(text[:70_000]) + gzip.compress(text[70_000:])
    headers = {"Content-Encoding": "gzip"}
    assert body(server.route("/whole", Reply(packed, headers=headers))) == text

    def pieces(_: threading.Event) -> Iterable[bytes]:
        yield from (packed[n : n + 7] for n in range(0, len(packed), 7))

    assert body(server.route("/pieces", Reply(pieces, headers=headers))) == text


def test_a_gzip_bomb_ends_at_the_cap(server: HttpServer) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    url = server.route("/x", Reply(bomb, headers={"Content-Encoding": "gzip"}))
    tracemalloc.start()
    with pytest.raises(Malformed, match=r"at most 0\.9 MB"):
        body(url, Web(cap=900_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000


@pytest.mark.parametrize(
    ("encoding", "sent", "said"),
    [
        ("gzip", b"no gzip", "expected gzip, found something else"),
        ("br", b"x", "expected plain text or gzip, found the encoding 'br'"),
    ],
)
def test_bodies_that_cannot_be_decoded(
    server: HttpServer, encoding: str, sent: bytes, said: str
) -> None:
    url = server.route("/x", Reply(sent, headers={"Content-Encoding": encoding}))
    with pytest.raises(Malformed, match=said):
        body(url)


def chunked(*pieces: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


def test_chunks_are_read(server: HttpServer) -> None:
    whole = chunked(b"hel", b"lo", b"")
    assert body(server.route("/x", Reply(whole, raw=True))) == b"hello"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"half", headers={"Content-Length": "1000"}),
        Reply(gzip.compress(b"digest" * 100)[:-9], headers={"Content-Encoding": "gzip"}),
        Reply(chunked(b"hel")[:-5], raw=True),
        Reply(b"half", headers={"Content-Length": "1000"}, reset=True),
    ],
    ids=["length", "gzip", "chunked", "reset"],
)
def test_half_a_body_is_no_body(server: HttpServer, reply: Reply) -> None:
    with pytest.raises(Unreachable, match="broke off"):
        body(server.route("/x", reply))


@pytest.mark.parametrize(
    ("sent", "said"),
    [(b"", "the connection broke off"), (b"SSH-2.0-x\r\n", "the answer is not HTTP")],
)
def test_what_is_no_http(server: HttpServer, sent: bytes, said: str) -> None:
    def pieces(_: threading.Event) -> Iterable[bytes]:
        yield sent

    url = server.route("/x", Reply(pieces, raw=True, reset=not sent))
    with pytest.raises(Unreachable, match=said):
        body(url)


def test_tls_that_is_none(server: HttpServer) -> None:
    with pytest.raises(Unreachable, match="no secure connection"):
        body(server.url.replace("http:", "https:"))


def test_a_host_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(Unreachable, match="no address is known for its host"):
        body("https://digests.invalid/")


def test_failures_that_nobody_named() -> None:
    with (
        pytest.raises(Unreachable, match="here: the connection failed"),
        translate_network_errors("here", 1),
    ):
        raise requests.RequestException


# Redirects


def redirect(location: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": location})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: HttpServer, status: int) -> None:
    server.route("/b/c", Reply(b"there"))
    url = server.route("/b/a", redirect("c?x=1", status))
    with Web().get(url) as answer:
        assert (answer.whole(), answer.url) == (b"there", f"{server.url}/b/c?x=1")


def test_five_redirects_and_no_more(server: HttpServer) -> None:
    for n in range(6):
        server.route(f"/{n}", redirect(f"/{n + 1}"))
    server.route("/6", Reply(b"there"))
    assert body(f"{server.url}/1") == b"there"
    with pytest.raises(Unreachable, match="/0: more than 5 redirects"):
        body(f"{server.url}/0")


def test_a_redirect_loop_ends(server: HttpServer) -> None:
    url = server.route("/x", redirect("/x"))
    with pytest.raises(Unreachable, match="more than 5 redirects"):
        body(url)
    assert len(server.requests) == 6


def test_the_body_of_a_redirect_is_not_read(server: HttpServer) -> None:
    server.route("/there", Reply(b"there"))
    headers = {"Location": "/there"}
    url = server.route("/x", Reply(endless(b"x" * 60_000), 302, headers))
    assert body(url) == b"there"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/passwd", "leads to file:///etc/passwd: only https is allowed"),
        ("http://example.org/x?key=1", "leads to http://example.org/x: only https is allowed"),
        ("ftp://127.0.0.1/x", "only https is allowed"),
        ("https://user:secret@example.org/", "leads to https://example.org/: it has a user"),
        ("http://[x/", "leads to something that is not a URL"),
        ("https:///x", "it is not a URL"),
        ("javascript:x", "only https is allowed"),
    ],
)
def test_redirects_that_are_not_followed(server: HttpServer, location: str, said: str) -> None:
    url = server.route("/x", redirect(location))
    with pytest.raises(Unreachable, match=said) as caught:
        body(url)
    assert "secret" not in str(caught.value)


def test_https_never_leads_to_http() -> None:
    with requests.Session() as session:
        trip = _Trip(session, {}, "", 1, lambda: 1, "example.org")
        with pytest.raises(Unreachable, match=r"from https to http://127.0.0.1/x: only https may"):
            trip._next("https://example.org/", "https://example.org/", "http://127.0.0.1/x?y")
        assert trip._next("", "https://a.org/b", "//c.org/d") == "https://c.org/d"


def test_a_token_goes_to_the_host_it_is_for_and_no_other(server: HttpServer) -> None:
    with HttpServer() as other:
        other.route("/there", redirect(f"{server.url}/back"))
        server.route("/here", redirect("/again"))
        server.route("/again", redirect(f"{other.url}/there"))
        server.route("/back", Reply(b"done"))
        assert body(f"{server.url}/here", token="t0k3n") == b"done"
        assert "authorization" not in other.requests[0].headers
    sent = [request.headers.get("authorization") for request in server.requests]
    assert sent == ["Bearer t0k3n"] * 3


# What surrounds us


def test_no_password_is_taken_from_netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine example.org login ada password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with requests.Session() as session:
        plain = session.prepare_request(requests.Request("GET", "https://example.org/"))
        ours = session.prepare_request(
            requests.Request("GET", "https://example.org/", auth=_Bearer(""))
        )
    assert "Authorization" in plain.headers
    assert "Authorization" not in ours.headers


def test_this_machine_is_not_asked_through_a_proxy(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert body(server.route("/x", Reply(b"direct"))) == b"direct"


def test_other_hosts_are_asked_through_the_proxy(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", server.url)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(Unreachable, match="the proxy does not let us through"):
        body("https://digests.invalid/x")


def test_urls_are_not_logged(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    broken = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nno header\r\n\r\nx"
    url = server.route("/x", Reply(b"x"), Reply(broken, raw=True))
    with caplog.at_level(logging.DEBUG):
        body(f"{url}?key=secret")
        body(f"{url}?key=secret", token="t0k3n")
    assert "secret" not in caplog.text
    assert "t0k3n" not in caplog.text


# Rules about URLs


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/x.md",
        "HTTPS://EXAMPLE.org",
        "http://localhost:8000/x",
        "http://127.9.8.7/",
        "http://[::1]:80/",
    ],
)
def test_urls_that_may_be_fetched(url: str) -> None:
    assert refusal(url) == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.org/", "only https"),
        ("http://127.0.0.1.example.org/", "only https"),
        ("http://2130706433/", "only https"),
        ("ftp://example.org/", "only https"),
        ("file:///etc/passwd", "only https"),
        ("file://localhost/etc/passwd", "only https"),
        ("https://", "not a URL"),
        ("https://exa mple.org/", "not a URL"),
        ("https://example.org\\@evil.org/", "not a URL"),
        ("https://example.org:99999/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://ada@example.org/", "a user or password"),
        ("https://:x@example.org/", "a user or password"),
    ],
)
def test_urls_that_may_not(url: str, why: str) -> None:
    assert why in refusal(url)


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://a.org/x?key=secret#part", "https://a.org/x"),
        ("https://a.org/@ada/x", "https://a.org/@ada/x"),
        ("https://ada:secret@a.org/x", "https://a.org/x"),
        ("https://ada:se/cr?et@a.org/x", "https://a.org/x"),
        ("https://[secret@a.org/x", "https://a.org/x"),
        ("https://a.org/\x1b[31m\nx\u2028", "https://a.org/?[31m?x?"),
    ],
)
def test_urls_are_shown_without_secrets(url: str, plain: str) -> None:
    assert shown(url) == plain


@given(st.text())
def test_any_text_may_stand_for_a_url(text: str) -> None:
    refusal(text)
    shown(text)
    is_loopback(text)


@pytest.mark.parametrize("host", ["a" * 70 + ".invalid", "a..b", "xn--a", "é.invalid", "*"])
def test_odd_hosts_are_unreachable(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(name: str, *_: object, **__: object) -> list[object]:
        name.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(BotError):
        body(f"https://{host}/")


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Wed, 23 Jun 2021 10:32:04 GMT", "2021-06-23T10:32:04+00:00"),
        ("Wed, 23 Jun 2021 10:32:04 +0200", "2021-06-23T08:32:04+00:00"),
        ("23 Jun 2021 10:32 -0000", "2021-06-23T10:32:00+00:00"),
        (" 2021-06-23T10:32:04.Z ", "2021-06-23T10:32:04+00:00"),
        ("2021-06-23T10:32:04+02:00", "2021-06-23T08:32:04+00:00"),
        ("2021-06-23", "2021-06-23T00:00:00+00:00"),
    ],
)
def test_moments(text: str, read: str) -> None:
    found = moment(text)
    assert found is not None
    assert found.isoformat() == read


@pytest.mark.parametrize("text", ["", "soon", "2021-99-99", "0001-01-01T00:00:00+14:00"])
def test_no_moments(text: str) -> None:
    assert moment(text) is None


@given(st.text())
def test_any_text_may_stand_for_a_moment(text: str) -> None:
    moment(text)


def test_a_reply_can_look_at_its_request(server: HttpServer) -> None:
    def echo(request: Request) -> Reply:
        return Reply(request.path.encode())

    assert body(server.route("/x", echo) + "?a=1") == b"/x?a=1"
