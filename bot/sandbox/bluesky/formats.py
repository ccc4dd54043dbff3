"""Check the protocol's string formats, https://atproto.com/specs/lexicon#string-formats.

Each function tells whether a text has one format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from bot.sandbox.bluesky.cids import Cid
from bot.sandbox.bluesky.tids import LENGTH, LETTERS

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HANDLE = re.compile(rf"(?:{_LABEL}\.)+[A-Za-z](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?")
_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._-]")
_NSID = re.compile(rf"(?!\d)(?:{_LABEL}\.){{2,}}[A-Za-z][A-Za-z0-9]{{0,62}}")
_KEY = re.compile(r"[A-Za-z0-9_~.:-]{1,512}")
_TID = re.compile(f"[{LETTERS[:16]}][{LETTERS}]{{{LENGTH - 1}}}")
_URI = re.compile(r"\w+:(?://)?[^\s/]\S*", re.ASCII)
_AT_URI = re.compile(r"at://([^/]+)(?:/([^/]+)(?:/([^/]+))?)?")
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_MOST = {"handle": 253, "did": 2048, "nsid": 317, "at-uri": 8192, "datetime": 64}

# BCP 47. Its grandfathered tags do not follow the pattern.
_GRANDFATHERED = frozenset(
    [
        "en-GB-oed",
        "i-ami",
        "i-bnn",
        "i-default",
        "i-enochian",
        "i-hak",
        "i-klingon",
        "i-lux",
        "i-mingo",
        "i-navajo",
        "i-pwn",
        "i-tao",
        "i-tay",
        "i-tsu",
        "sgn-BE-FR",
        "sgn-BE-NL",
        "sgn-CH-DE",
        "art-lojban",
        "cel-gaulish",
        "no-bok",
        "no-nyn",
        "zh-guoyu",
        "zh-hakka",
        "zh-min",
        "zh-min-nan",
        "zh-xiang",
    ]
)
_PRIVATE = re.compile("[xX](?:-[A-Za-z0-9]{1,8})+")
_LANGUAGE = re.compile(
    "[a-z]{2,3}(?:-[A-Za-z]{3}){0,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    "(?P<variants>(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*)"
    "(?P<extensions>(?:-[0-9A-WY-Za-wy-z](?:-[A-Za-z0-9]{2,8})+)*)"
    "(?:-[xX](?:-[A-Za-z0-9]{1,8})+)?"
)
_SINGLE = re.compile("-([0-9A-Za-z])(?=-)")


def is_handle(text: str) -> bool:
    """Tell whether the text is a domain name that may be an account's handle."""
    return len(text) <= _MOST["handle"] and _HANDLE.fullmatch(text) is not None


def is_did(text: str) -> bool:
    """Tell whether the text is a decentralised identifier, of any method."""
    return len(text) <= _MOST["did"] and _DID.fullmatch(text) is not None


def is_identifier(text: str) -> bool:
    """Tell whether the text is a handle or a DID."""
    return is_did(text) if text.startswith("did:") else is_handle(text)


def is_nsid(text: str) -> bool:
    """Tell whether the text names a lexicon, such as `app.bsky.feed.post`."""
    return len(text) <= _MOST["nsid"] and _NSID.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Tell whether the text may be the key of a record."""
    return _KEY.fullmatch(text) is not None and text not in {".", ".."}


def is_tid(text: str) -> bool:
    """Tell whether the text is a TID: 13 characters, the first of them one of the lower sixteen."""
    return _TID.fullmatch(text) is not None


def is_at_uri(text: str) -> bool:
    """Tell whether the text is the address of an account, a collection or a record."""
    found = _AT_URI.fullmatch(text) if len(text) <= _MOST["at-uri"] else None
    if found is None:
        return False
    who, collection, key = found.groups()
    named = collection is None or is_nsid(collection)
    return is_identifier(who) and named and (key is None or is_key(key))


def is_cid(text: str) -> bool:
    """Tell whether the text is a content identifier as the protocol makes them."""
    try:
        Cid.parse(text)
    except ValueError:
        return False
    return True


def is_datetime(text: str) -> bool:
    """Tell whether the text is a time with seconds and an offset. -00:00 is not allowed."""
    found = _TIME.fullmatch(text) if len(text) <= _MOST["datetime"] else None
    if found is None or text.endswith("-00:00"):
        return False
    try:
        datetime.fromisoformat(found[1])
    except ValueError:
        return False
    return True


def is_language(text: str) -> bool:
    """Tell whether the text is a language tag of BCP 47, without repeated subtags."""
    if text in _GRANDFATHERED or _PRIVATE.fullmatch(text):
        return True
    found = _LANGUAGE.fullmatch(text)
    if found is None:
        return False
    variants = found["variants"].lower().split("-")[1:]
    return _once(variants) and _once(_SINGLE.findall(found["extensions"].lower()))


def is_uri(text: str) -> bool:
    """Tell whether the text has a scheme and more after it, without white space."""
    return _URI.fullmatch(text) is not None


def _once(names: list[str]) -> bool:
    return len(names) == len(set(names))


FORMATS: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "at-identifier": is_identifier,
        "at-uri": is_at_uri,
        "cid": is_cid,
        "datetime": is_datetime,
        "did": is_did,
        "handle": is_handle,
        "language": is_language,
        "nsid": is_nsid,
        "record-key": is_key,
        "tid": is_tid,
        "uri": is_uri,
    }
)
CALLED: Mapping[str, str] = MappingProxyType(
    {
        "at-identifier": "AT identifier",
        "cid": "CID string",
        "did": "DID",
        "nsid": "NSID",
        "record-key": "record key",
        "tid": "TID string",
    }
)
"""The names of formats in messages, if they differ from the format."""
