"""The calls of a server, their parameters and bodies, and the reading of a request as a call.

https://atproto.com/specs/xrpc: queries are GET with parameters, procedures POST with a body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from bot.sandbox.bluesky import answers
from bot.sandbox.bluesky.cbor import Data
from bot.sandbox.bluesky.data import NotData, NotJson, read
from bot.sandbox.bluesky.kinds import AnyOf, Anything, Fields, Flag, Kind, Many, Text, Whole
from bot.sandbox.bluesky.schema import Invalid, Schema
from bot.sandbox.wire import RefusedRequest, Request

JSON = "application/json"
ANY = "*/*"
_WRITES = "com.atproto.repo.applyWrites"
_REPO, _NSID, _KEY = Text("at-identifier"), Text("nsid"), Text("record-key", most=512)
_CID, _DID, _HANDLE = Text("cid"), Text("did"), Text("handle")
_WHOLE = re.compile(r"-?\d+", re.ASCII)
_FLAGS: Mapping[str, bool] = {"true": True, "false": False}


class Auth(StrEnum):
    """The token that a call needs."""

    NONE = "none"
    ACCESS = "access"
    REFRESH = "refresh"
    REFRESH_LATE = "refresh, even if expired"


@dataclass(frozen=True, slots=True)
class Method:
    """A call: its HTTP method, its token, its parameters, and its body's encoding and fields."""

    verb: str
    auth: Auth = Auth.NONE
    params: Fields = field(default_factory=lambda: Fields({}))
    encoding: str = ""
    body: Fields | None = None


def _fields(required: str, optional: str = "", nullable: tuple[str, ...] = ()) -> Fields:
    names = (*required.split(), *optional.split())
    return Fields({name: _KINDS[name] for name in names}, tuple(required.split()), nullable)


_KINDS: Mapping[str, Kind] = {
    "identifier": Text(),
    "password": Text(),
    "authFactorToken": Text(),
    "allowTakendown": Flag(),
    "repo": _REPO,
    "actor": _REPO,
    "collection": _NSID,
    "rkey": _KEY,
    "validate": Flag(),
    "record": Anything(),
    "value": Anything(),
    "swapRecord": _CID,
    "swapCommit": _CID,
    "writes": Many(
        AnyOf(tuple(f"{_WRITES}#{name}" for name in ("create", "update", "delete")), closed=True)
    ),
    "cid": _CID,
    "did": _DID,
    "handle": _HANDLE,
    "limit": Whole(1, 100),
    "cursor": Text(),
    "reverse": Flag(),
}
SCHEMA = Schema(
    MappingProxyType(
        {
            f"{_WRITES}#create": _fields("collection value", "rkey"),
            f"{_WRITES}#update": _fields("collection rkey value"),
            f"{_WRITES}#delete": _fields("collection rkey"),
        }
    )
)


def _query(required: str = "", optional: str = "", auth: Auth = Auth.NONE) -> Method:
    return Method("GET", auth, _fields(required, optional))


def _procedure(
    required: str, optional: str = "", auth: Auth = Auth.ACCESS, nullable: tuple[str, ...] = ()
) -> Method:
    return Method("POST", auth, encoding=JSON, body=_fields(required, optional, nullable))


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "com.atproto.server.createSession": _procedure(
            "identifier password", "authFactorToken allowTakendown", Auth.NONE
        ),
        "com.atproto.server.refreshSession": Method("POST", Auth.REFRESH),
        "com.atproto.server.deleteSession": Method("POST", Auth.REFRESH_LATE),
        "com.atproto.server.getSession": _query(auth=Auth.ACCESS),
        "com.atproto.server.describeServer": _query(),
        "com.atproto.repo.createRecord": _procedure(
            "repo collection record", "rkey validate swapCommit"
        ),
        "com.atproto.repo.putRecord": _procedure(
            "repo collection rkey record",
            "validate swapRecord swapCommit",
            nullable=("swapRecord",),  # null requires that no record exists
        ),
        "com.atproto.repo.deleteRecord": _procedure(
            "repo collection rkey", "swapRecord swapCommit"
        ),
        _WRITES: _procedure("repo writes", "validate swapCommit"),
        "com.atproto.repo.uploadBlob": Method("POST", Auth.ACCESS, encoding=ANY),
        "com.atproto.repo.getRecord": _query("repo collection rkey", "cid"),
        "com.atproto.repo.listRecords": _query("repo collection", "limit cursor reverse"),
        "com.atproto.sync.getBlob": _query("did cid"),
        "com.atproto.identity.resolveHandle": _query("handle"),
        "app.bsky.actor.getProfile": _query("actor", auth=Auth.ACCESS),
    }
)


@dataclass(frozen=True, slots=True)
class Call:
    """A checked request. `values` are its parameters or the fields of its body.

    `session` is the id in a refresh token, `mime` the type of the body.
    """

    name: str
    request: Request
    now: datetime
    values: Mapping[str, Data] = field(default_factory=dict)
    session: str = ""
    mime: str = ""

    def text(self, name: str) -> str:
        """Return the value of a string, empty if it is missing."""
        value = self.values.get(name)
        return value if isinstance(value, str) else ""

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return the value of a flag, or `default` if it is missing."""
        value = self.values.get(name)
        return value if isinstance(value, bool) else default


def params(request: Request, name: str, method: Method) -> Mapping[str, Data]:
    """Return a query's parameters. Raises RefusedRequest if they do not follow the lexicon."""
    found: dict[str, Data] = {}
    try:
        for key, text in request.params():
            if text:  # an empty parameter counts as missing
                value = _param(text, method.params.kinds.get(key))
                found[key] = [found[key], value] if key in found else value
        SCHEMA.check(found, method.params)
    except Invalid as error:
        raise RefusedRequest(answers.invalid(f"Invalid {name} params: {error.reason}")) from None
    return found


def body(request: Request, method: Method, most_json: int, most_blob: int) -> Mapping[str, Data]:
    """Return the fields of a JSON body, or nothing for another body.

    Raises RefusedRequest if the body is too large or not as the call needs it.
    """
    if not method.encoding:
        if request.body:
            raise RefusedRequest(
                answers.invalid("A request body was provided when none was expected")
            )
        return {}
    _check_encoding(mime_of(request), method.encoding)
    if len(request.body) > (most_blob if method.body is None else most_json):
        raise RefusedRequest(answers.TOO_LARGE)
    return {} if method.body is None else _fields_of(request.body, method.body)


def mime_of(request: Request) -> str:
    """Return the type of a request's body without its parameters, or empty."""
    mime = request.header("content-type").partition(";")[0].strip().lower()
    return mime if "/" in mime else ""


def _param(text: str, kind: Kind | None) -> Data:
    if isinstance(kind, Whole) and _WHOLE.fullmatch(text):
        return int(text)
    return _FLAGS.get(text, text) if isinstance(kind, Flag) else text


def _check_encoding(mime: str, wanted: str) -> None:
    if not mime:
        message = "Request encoding (Content-Type) required but not provided"
        raise RefusedRequest(answers.invalid(message))
    if wanted not in (mime, ANY):
        raise RefusedRequest(answers.invalid(f"Wrong request encoding (Content-Type): {mime}"))


def _fields_of(data: bytes, kind: Fields) -> Mapping[str, Data]:
    try:
        value = read(data)
        SCHEMA.check(value, kind)
    except (NotData, Invalid) as error:
        raise RefusedRequest(answers.invalid(str(error))) from None
    except NotJson as error:
        raise RefusedRequest(answers.error(400, "SyntaxError", str(error))) from None
    assert isinstance(value, Mapping)  # noqa: S101 - checked just now
    return value
