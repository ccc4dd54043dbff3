"""Check an OAuth 1.0a signature, RFC 5849 section 3, HMAC-SHA1 only."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha1
from urllib.parse import quote, unquote

from bot.sandbox.wire import Pairs, Request


@dataclass(frozen=True, slots=True)
class OAuthKeys:
    """One application and one user of it. `access_token` begins with the user's id, as X's do."""

    consumer_key: str = "sandbox-consumer-key"
    consumer_secret: str = field(default="sandbox-consumer-secret", repr=False)
    access_token: str = "1000000000000000001-sandbox"  # noqa: S105 - opens nothing but the sandbox
    access_token_secret: str = field(default="sandbox-access-token-secret", repr=False)


def signed(request: Request, keys: OAuthKeys, bases: Iterable[str]) -> bool:
    """Tell whether `keys` signed the request for one of the base URLs.

    A client whose address is rewritten to this server still signs for the original address, such as
    `https://api.x.com`.
    """
    header = _header(request.header("authorization"))
    if header.get("oauth_consumer_key") != keys.consumer_key:
        return False
    if header.get("oauth_token", "") != keys.access_token:
        return False
    signature = header.pop("oauth_signature", "").encode()
    params = (*header.items(), *request.params(), *request.form())
    wanted = (signature_of(request.method, base + request.path, params, keys) for base in bases)
    return any(hmac.compare_digest(signature, each.encode()) for each in wanted)


def signature_of(method: str, url: str, params: Pairs, keys: OAuthKeys) -> str:
    """Return a request's signature. `url` has no query, `params` are all but the signature."""
    pairs = sorted((_quote(name), _quote(value)) for name, value in params)
    joined = "&".join(f"{name}={value}" for name, value in pairs)
    base = "&".join(map(_quote, (method.upper(), url, joined)))
    secret = f"{_quote(keys.consumer_secret)}&{_quote(keys.access_token_secret)}"
    return b64encode(hmac.new(secret.encode(), base.encode(), sha1).digest()).decode()


def _header(value: str) -> dict[str, str]:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "oauth":
        return {}
    pairs = (part.strip().partition("=") for part in rest.split(","))
    found: Mapping[str, str] = {name: unquote(text.strip('"')) for name, _, text in pairs}
    return {name: text for name, text in found.items() if name != "realm"}


def _quote(text: str) -> str:
    return quote(text, safe="-._~")
