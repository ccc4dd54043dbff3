"""What a remote source names is fetched from public hosts, or from the source's own host."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.source import open_source
from bot.errors import Unreachable
from bot.http.fetch import Web
from bot.http.urls import is_public
from tests.helpers.http_server import HttpServer, Reply
from tests.helpers.sample_pages import rss

PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"),
    *("0.0.0.0/8", "100.64.0.0/10", "224.0.0.0/4", "240.0.0.0/4"),
)
private = st.sampled_from(PRIVATE).flatmap(
    lambda network: st.integers(
        int(ipaddress.IPv4Network(network)[0]), int(ipaddress.IPv4Network(network)[-1])
    )
)


def spellings(number: int) -> Sequence[str]:
    """An IPv4 address in each way that a resolver reads, and inside IPv6 addresses."""
    plain = str(ipaddress.IPv4Address(number))
    one, two, three, four = plain.split(".")
    rest = number & 0xFFFFFF
    high, low = number >> 16, number & 0xFFFF
    return (
        *(
            plain,
            f"{plain}.",
            str(number),
            hex(number),
            f"0x{number:X}",
        ),
        *(f"{one}.{rest}", f"{one}.{two}.{low}", f"{int(one):#o}".replace("0o", "0") + f".{rest}"),
        ".".join(hex(int(part)) for part in (one, two, three, four)),
        plain.translate(str.maketrans("0123456789", "０１２３４５６７８９")),
        *(f"::ffff:{plain}", f"[::ffff:{high:x}:{low:x}]", f"64:ff9b::{plain}", f"::{plain}"),
        f"2002:{high:x}:{low:x}::1",
    )


@given(private)
def test_no_spelling_of_a_private_address_is_public(number: int) -> None:
    for host in spellings(number):
        assert not is_public(host), host


@pytest.mark.parametrize(
    "host",
    [
        "::1",
        "[::1]",
        "fe80::1%eth0",
        "fc00::1",
        "fd12::1",
        "::",
        "ff02::1",
        "2001:db8::1",
        "localhost",
    ],
)
def test_no_private_name_or_ipv6_address_is_public(host: str) -> None:
    assert not is_public(host)
    assert not is_public(host.upper())


@pytest.mark.parametrize(
    "host",
    ["example.org", "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "xn--b-1ga.example"],
)
def test_what_is_public_is_public(host: str) -> None:
    assert is_public(host)


# What is asked ------------------------------------------------------------------------------------


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Make names have the addresses that a test says, one list a lookup, and note the lookups."""

    def script(**answers: Sequence[Sequence[str]]) -> list[str]:
        real, asked = socket.getaddrinfo, list[str]()
        left = {name.replace("_", "."): list(lists) for name, lists in answers.items()}

        def lookup(host: str, port: int, *more: object, **named: object) -> object:
            if host not in left:
                return real(host, port, *more, **named)  # type: ignore[arg-type]
            asked.append(host)
            lists = left[host]
            addresses = lists.pop(0) if len(lists) > 1 else lists[0]
            if not addresses:
                raise socket.gaierror(socket.EAI_NONAME, "no such name")
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                for address in addresses
            ]

        monkeypatch.setattr(socket, "getaddrinfo", lookup)
        return asked

    return script


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["169.254.169.254"]]
)
def test_a_public_name_with_a_private_address_is_not_asked(
    resolver: Callable[..., list[str]], addresses: list[str]
) -> None:
    resolver(rebound_example_org=[addresses])
    web = Web(timeout=5, own="digests.example.org")
    with (
        pytest.raises(Unreachable, match="an address of this machine or of a private network"),
        web.get("https://rebound.example.org/x.md"),
    ):
        pass


def test_an_address_is_used_as_it_was_checked(resolver: Callable[..., list[str]]) -> None:
    """A second look-up, which may give another address, is not made: not even after a failure."""
    for first in (["93.184.215.14"], []):
        asked = resolver(rebound_example_org=[first, ["127.0.0.1"]])
        web = Web(timeout=0.2, own="digests.example.org")
        with pytest.raises(Unreachable), web.get("https://rebound.example.org/x.md"):
            pass
        assert asked == ["rebound.example.org"]


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


ELSEWHERE = (
    *("https://10.0.0.1/x.md", "https://192.168.1.1:8443/x.md", "https://169.254.169.254/x.md"),
    *("https://[fd00::1]/x.md", "https://167772161/x.md", "https://0xa.1/x.md"),
    *("https://wiki/x.md", "https://printer.local/x.md", "https://rebound.example.org/x.md"),
)


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_redirect_into_a_private_network_is_not_followed(
    server: HttpServer, resolver: Callable[..., list[str]], place: str
) -> None:
    resolver(rebound_example_org=[["10.0.0.1"]])
    url = server.route("/moved", Reply(status=302, headers={"location": place}))
    problem = str(open_source(url, timeout=5).latest().problem)
    assert "private network" in problem
    assert [request.path for request in server.requests] == ["/moved"]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_link_of_a_feed_into_a_private_network_is_not_asked(
    server: HttpServer, resolver: Callable[..., list[str]], place: str
) -> None:
    asked = resolver(rebound_example_org=[["10.0.0.1"]])
    link = f'<enclosure url="{place}" type="text/markdown"/>'
    feed = rss(f"<title>Hot Papers 2021-06-22</title>{link}")
    url = server.route("/feed", Reply(feed, headers={"content-type": "text/xml"}))
    problem = str(open_source(url, timeout=5).latest().problem)
    assert "private network" in problem
    assert [request.path for request in server.requests] == ["/feed"]
    assert asked in ([], ["rebound.example.org"])


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:1/x", "https://localhost/x", "https://[::1]/x"]
)
def test_a_remote_source_may_not_name_this_machine(place: str) -> None:
    assert "this machine" in Web(own="feeds.example.org").refusal(place)
    assert not Web(own="127.0.0.1").refusal(place)


def test_a_source_of_an_intranet_may_name_its_own_host() -> None:
    web = Web(own="blog.intranet")
    assert not web.refusal("https://blog.intranet/2021-06-22.md")
    assert web.refusal("https://wiki.intranet/2021-06-22.md")


def test_a_loopback_source_may_name_this_machine(server: HttpServer) -> None:
    server.route("/inside.md", Reply(b"not a digest", headers={"content-type": "text/markdown"}))
    link = f"{server.url}/inside.md"
    server.route("/moved", Reply(status=302, headers={"location": link}))
    source = open_source(f"{server.url}/moved", timeout=5)
    assert "expected" in str(source.latest().problem)
    assert [request.path for request in server.requests] == ["/moved", "/inside.md"]
