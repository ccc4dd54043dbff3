"""Convert between JSON and the protocol's data model: `{"$link": ...}` and `{"$bytes": ...}`."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence

from bot.sandbox.bluesky.cbor import Data, order
from bot.sandbox.bluesky.cids import Cid, Codec
from bot.sandbox.wire import Json

_LINK, _BYTES, _TYPE = "$link", "$bytes", "$type"
_BLOB = {_TYPE, "ref", "mimeType", "size"}
_LEGACY = {"cid", "mimeType"}
_DEEPEST = 100  # records are not nearly as deep, and the code below is recursive


class NotJson(Exception):
    """Raised for bytes that are not JSON."""


class NotData(Exception):
    """Raised for JSON with a fraction, which the data model does not have. Names the place."""


def read(body: bytes) -> Data:
    """Return the value of a JSON body.

    Raises NotJson if it is no JSON or nested too deeply, and NotData if a number is not whole. A
    map that only looks like a link or like bytes stays a map, as with real servers.
    """
    try:
        value: object = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error
    return _data(value, "$")


def shown(value: Data) -> Json:
    """Return the value in JSON as a server does, with the keys in stored order."""
    if isinstance(value, Cid):
        return {_LINK: str(value)}
    if isinstance(value, bytes):
        return {_BYTES: b64encode(value).decode().rstrip("=")}
    if isinstance(value, Mapping):
        return {key: shown(value[key]) for key in sorted(value, key=order)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [shown(each) for each in value]
    return value


def step(path: str, key: str | int) -> str:
    """Return the path of `key`, as error messages write it: `$.facets[0]`."""
    return f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"


def blob_of(value: Data) -> tuple[Cid, str, int] | None:
    """Return a file's identifier, type and size if the value refers to a file, or None."""
    if not isinstance(value, Mapping) or value.get(_TYPE) != "blob" or set(value) != _BLOB:
        return None
    cid, mime, size = value["ref"], value["mimeType"], value["size"]
    named = isinstance(mime, str) and "/" in mime
    sized = isinstance(size, int) and not isinstance(size, bool) and size >= 0
    if isinstance(cid, Cid) and cid.codec is Codec.RAW and named and sized:
        return cid, str(mime), int(str(size))
    return None


def legacy_of(value: Data) -> Cid | None:
    """Return a file's identifier if the value refers to it in the form used before 2023."""
    if not isinstance(value, Mapping) or set(value) != _LEGACY:
        return None
    return _cid(value["cid"]) if isinstance(value["mimeType"], str) else None


def inside(value: Data) -> Iterator[Data]:
    """Yield the value and every value in it."""
    yield value
    below: Sequence[Data] = ()
    if isinstance(value, Mapping):
        below = list(value.values())
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        below = value
    for each in below:
        yield from inside(each)


def _data(value: object, path: str, depth: int = 0) -> Data:
    if depth > _DEEPEST:
        raise NotJson("it is nested too deeply")
    if isinstance(value, dict):
        pairs = {
            _whole(key): _data(each, step(path, key), depth + 1) for key, each in value.items()
        }
        return _special(pairs)
    if isinstance(value, list):
        return [_data(each, step(path, index), depth + 1) for index, each in enumerate(value)]
    if isinstance(value, str):
        return _whole(value)
    if isinstance(value, float):
        return _integer(value, path)
    assert value is None or isinstance(value, bool | int)  # noqa: S101 - JSON has no other
    return value


def _special(pairs: dict[str, Data]) -> Data:
    if pairs.keys() == {_LINK}:
        return _cid(pairs[_LINK]) or pairs
    if pairs.keys() == {_BYTES}:
        data = _decoded(pairs[_BYTES])
        return pairs if data is None else data
    return pairs


def _cid(value: Data) -> Cid | None:
    try:
        return Cid.parse(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _decoded(value: Data) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return b64decode(value + "=" * (-len(value) % 4), validate=True)
    except ValueError:
        return None


def _integer(number: float, path: str) -> int:
    if number.is_integer():
        return int(number)
    kinds = "null, boolean, integer, string, cid, bytes, array or object"
    raise NotData(f"Expected one of {kinds} value type (got {number:g}) at {path}")


def _whole(text: str) -> str:
    """Return the text with U+FFFD for lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _refuse(name: str) -> Data:
    raise ValueError(name)
