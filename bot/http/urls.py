"""Which URLs are fetched, and how one is shown."""

from __future__ import annotations

import ipaddress
import re
import socket
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

_SAFE = "/%=&+,;~._-!*"
_LONGEST = 2_000
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+|localhost", re.IGNORECASE)
_PRIVATE_DOMAINS = {"localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa"}
# IPv6 networks whose addresses hold one of IPv4, and where in them it is: mapped, NAT64, 6to4
_WITH_IPV4: Mapping[ipaddress.IPv6Network, int] = {
    ipaddress.IPv6Network("::/96"): 0,
    ipaddress.IPv6Network("::ffff:0:0/96"): 0,
    ipaddress.IPv6Network("64:ff9b::/96"): 0,
    ipaddress.IPv6Network("2002::/16"): 80,
}
_RULE = "only https is allowed, and http to this machine itself"


def shown(url: str) -> str:
    """`url` as it may be shown: without user, password, query and fragment."""
    try:
        parts = urlsplit(url)
        _ = parts.port
        mark_maybe_sent = parts.username is not None
    except ValueError:
        mark_maybe_sent = True  # it may be a password that makes it none
    plain = re.sub(r"//.*@", "//", url, flags=re.DOTALL) if mark_maybe_sent else url
    return printable(re.split(r"[?#]", plain, maxsplit=1)[0])


def refusal(url: str) -> str:
    """Why `url` must not be fetched, in a few words; empty where it may be."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "it is not a URL"
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https"):
        return _RULE
    if not host or re.search(r"[\s\\\x00-\x1f\x7f]", url):
        return "it is not a URL"
    if parts.username is not None or parts.password is not None:
        return "it has a user or password in it"
    return "" if parts.scheme == "https" or is_loopback(host) else _RULE


def page_address(url: str) -> str:
    """`url` as the address of a page that a post may hold; empty where it is none.

    It is http or https to a host, without a user, and one word in which no network sees a second
    link, a mention or a tag: what is no part of an address is quoted.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host) or "@" in parts.netloc:
        return ""
    netloc = f"{host}:{port}" if port else host
    path, query, fragment = map(_quoted, (parts.path, parts.query, parts.fragment))
    address = urlunsplit((parts.scheme, netloc, path, query, fragment))
    return address if len(address) <= _LONGEST else ""


def _quoted(part: str) -> str:
    """Quote what is no part of an address, and a sign at the end, which networks take for text."""
    quoted = quote(part, safe=_SAFE)
    if quoted and not re.fullmatch(r"[\w/=-]", quoted[-1]):
        return f"{quoted[:-1]}%{ord(quoted[-1]):02X}"
    return quoted


def slug_of(text: str) -> str:
    """`text` as a slug: letters, digits and `._~-` of ASCII, at most 200; empty where none is."""
    plain = unicodedata.normalize("NFKD", text[:_LONGEST]).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9._~-]+", "-", plain).strip("-")[:200]


def is_public(host: str) -> bool:
    """Tell whether a name or an IP address can lead to the public internet.

    False for an address of this machine or of a private network, however it is spelled and also
    inside an IPv6 address, and for a name that only a private network knows. Another name may still
    have such an address: who connects checks each of its addresses.
    """
    host = unicodedata.normalize("NFKC", host).lower().strip("[]").rstrip(".")
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))  # 127.1, 0x7f000001, 0177.0.0.1
        except (OSError, ValueError):
            return "." in host and host.rpartition(".")[2] not in _PRIVATE_DOMAINS
    if isinstance(address, ipaddress.IPv6Address):
        number = int(address)
        for network, shift in _WITH_IPV4.items():
            if address in network:
                address = ipaddress.IPv4Address(number >> shift & 0xFFFFFFFF)
                break
    return address.is_global and not address.is_multicast


def host_of(url: str) -> str:
    """Return the host of `url` in lower case, without a final dot; empty where there is none."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_local(url: str) -> bool:
    """Whether `url` leads to this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine: localhost, 127.0.0.0/8 or ::1."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port: what a secret is meant for."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def printable(text: str) -> str:
    """`text` without what could command a terminal or begin a new line in a log."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", text)
