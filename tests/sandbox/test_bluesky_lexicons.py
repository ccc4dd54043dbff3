"""The stand-in beside the protocol's lexicons and test files: what it takes, what it answers.

They are not part of a clone; what each test here holds is also held, in our own cases, elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.bluesky.calls import METHODS
from bot.sandbox.bluesky.calls import SCHEMA as CALLS
from bot.sandbox.bluesky.cbor import Data
from bot.sandbox.bluesky.data import read, shown
from bot.sandbox.bluesky.formats import FORMATS, is_datetime, is_language
from bot.sandbox.bluesky.kinds import (
    AnyOf,
    Anything,
    BlobKind,
    Fields,
    Flag,
    Kind,
    Many,
    Named,
    Text,
    Whole,
)
from bot.sandbox.bluesky.lexicons import POST, PROFILE, SCHEMA
from bot.sandbox.bluesky.schema import Invalid
from tests.helpers.bluesky_posts import CID, HELLO, TAKEN, URI, labelled
from tests.helpers.paths import SHARED
from tests.helpers.sandbox_clients import BlueskyClient, bluesky_client

LEXICONS = SHARED / "api" / "atproto" / "lexicons"
INTEROP = SHARED / "api" / "atproto" / "interop" / "syntax"
pytestmark = pytest.mark.skipif(
    not LEXICONS.is_dir(), reason="the protocol's lexicons are not beside this clone"
)


def lines(name: str) -> list[str]:
    text = (INTEROP / f"{name}.txt").read_text("utf-8")
    return [line for line in text.split("\n") if line and not line.startswith("#")]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("at-uri", "aturi"),
        ("datetime", "datetime"),
        ("language", "language"),
        ("record-key", "recordkey"),
        ("tid", "tid"),
    ],
)
def test_formats_are_those_of_the_protocols_own_files(name: str, file: str) -> None:
    assert [text for text in lines(f"{file}_syntax_valid") if not FORMATS[name](text)] == []
    assert [text for text in lines(f"{file}_syntax_invalid") if FORMATS[name](text)] == []


def test_what_is_well_formed_may_still_mean_nothing() -> None:
    assert not any(map(is_datetime, lines("datetime_parse_invalid")))
    assert not any(map(is_language, lines("language_parse_invalid")))


# -- the lexicons themselves -----------------------------------------------------------------------


Found = Mapping[str, object]


def definition(name: str) -> Found:
    """A definition in the lexicons, by its full name."""
    nsid, _, part = name.partition("#")
    page: object = json.loads((LEXICONS / Path(*nsid.split("."))).with_suffix(".json").read_text())
    assert isinstance(page, dict)
    return part_of(part_of(page, "defs"), part or "main")


def kind_of(found: Found, nsid: str) -> Kind:
    """A definition as the stand-in would write it down."""
    if found["type"] == "record":
        return kind_of(part_of(found, "record"), nsid)
    return KINDS[str(found["type"])](found, nsid)


def part_of(found: Found, name: str) -> Found:
    part = found.get(name, {})
    assert isinstance(part, dict)
    return part


def list_of(found: Found, name: str) -> list[object]:
    part = found.get(name, [])
    assert isinstance(part, list)
    return part


def number_of(found: Found, name: str) -> int | None:
    number = found.get(name)
    assert number is None or isinstance(number, int)
    return number


def full(name: object, nsid: str) -> str:
    return f"{nsid}{name}" if str(name).startswith("#") else str(name)


def text_of(found: Found, _: str) -> Kind:
    most, graphemes = number_of(found, "maxLength"), number_of(found, "maxGraphemes")
    return Text(str(found.get("format", "")), most, graphemes)


def whole_of(found: Found, _: str) -> Kind:
    least, most = number_of(found, "minimum"), number_of(found, "maximum")
    return Whole(Whole().least if least is None else least, Whole().most if most is None else most)


def file_of(found: Found, _: str) -> Kind:
    accept = tuple(map(str, list_of(found, "accept")))
    return BlobKind(accept, number_of(found, "maxSize"))


def many_of(found: Found, nsid: str) -> Kind:
    return Many(kind_of(part_of(found, "items"), nsid), number_of(found, "maxLength"))


def any_of(found: Found, nsid: str) -> Kind:
    names = tuple(full(ref, nsid) for ref in list_of(found, "refs"))
    return AnyOf(names, closed=found.get("closed") is True)


def fields_of(found: Found, nsid: str) -> Fields:
    kinds = {name: kind_of(each, nsid) for name, each in part_of(found, "properties").items()}  # type: ignore[arg-type]
    required = tuple(name for name in kinds if name in list_of(found, "required"))
    return Fields(kinds, required, tuple(map(str, list_of(found, "nullable"))))


KINDS: Mapping[str, Callable[[Found, str], Kind]] = {
    "string": text_of,
    "integer": whole_of,
    "boolean": lambda _, __: Flag(),
    "unknown": lambda _, __: Anything(),
    "blob": file_of,
    "array": many_of,
    "ref": lambda found, nsid: Named(full(found["ref"], nsid)),
    "union": any_of,
    "object": fields_of,
}


def ordered(kind: Kind) -> Kind:
    """Fields with their required ones in the order of all: the lexicons list them at random."""
    if not isinstance(kind, Fields):
        return kind
    return replace(kind, required=tuple(name for name in kind.kinds if name in kind.required))


@pytest.mark.parametrize("name", SCHEMA.definitions)
def test_records_are_what_the_lexicons_say(name: str) -> None:
    ours, theirs = SCHEMA.definitions[name], kind_of(definition(name), name.partition("#")[0])
    assert ordered(ours) == theirs
    if isinstance(ours, Fields) and isinstance(theirs, Fields):
        assert list(ours.kinds) == list(theirs.kinds)


IN_LEXICONS = sorted(name for name in METHODS if not name.startswith("com.atproto.sync."))


@pytest.mark.parametrize("name", IN_LEXICONS)
def test_calls_take_what_the_lexicons_say(name: str) -> None:
    ours, theirs = METHODS[name], definition(name)
    assert {"GET": "query", "POST": "procedure"}[ours.verb] == theirs["type"]
    wanted, given = part_of(theirs, "parameters"), part_of(theirs, "input")
    assert loose(ours.params) == loose(fields_of(wanted, name))
    assert ours.encoding == given.get("encoding", "")
    body = fields_of(part_of(given, "schema"), name)
    assert loose(ours.body or Fields({})) == loose(body)
    for part in ("create", "update", "delete") if name.endswith("applyWrites") else ():
        written = kind_of(definition(f"{name}#{part}"), name)
        assert loose(CALLS.definitions[f"{name}#{part}"]) == loose(written)


def loose(kind: Kind) -> object:
    """Fields without their order, and keys without the length that their format has anyway."""
    assert isinstance(kind, Fields)
    kinds = {
        name: Text("record-key") if each == Text("record-key", 512) else each
        for name, each in kind.kinds.items()
    }
    return kinds, sorted(kind.required), kind.nullable


# -- answers ---------------------------------------------------------------------------------------


def faulty(value: object, found: Found, nsid: str, where: str = "$") -> Iterator[str]:
    """What in a value is not as a definition wants it; written apart from the stand-in's check."""
    kind = str(found["type"])
    classes: Mapping[str, type] = {"string": str, "integer": int, "boolean": bool, "array": list}
    if kind == "ref":
        yield from referred(value, full(found["ref"], nsid), where)
    elif kind == "union":
        yield from united(value, found, nsid, where)
    elif not isinstance(value, classes.get(kind, dict)) or (value is True and kind == "integer"):
        yield f"{where} is no {kind}"
    elif isinstance(value, str):
        yield from misworded(value, found, where)
    elif isinstance(value, list):
        yield from misfilled(value, found, nsid, where)
    elif isinstance(value, dict) and kind == "object":
        yield from incomplete(value, found, nsid, where)
    elif isinstance(value, int):
        least = number_of(found, "minimum")
        if (least is not None and value < least) or abs(value) >= 2**53:
            yield f"{where} is out of bounds"


def referred(value: object, name: str, where: str) -> Iterator[str]:
    if isinstance(value, dict) and value.get("$type", name) != name:
        yield f"{where} is a {value['$type']}"
    yield from faulty(value, definition(name), name.partition("#")[0], where)


def united(value: object, found: Found, nsid: str, where: str) -> Iterator[str]:
    name = value.get("$type") if isinstance(value, dict) else None
    known = {full(ref, nsid) for ref in list_of(found, "refs")}
    if not isinstance(name, str) or (found.get("closed") and name not in known):
        yield f"{where} is of no type"
    elif name in known:
        yield from referred(value, name, where)


def misworded(value: str, found: Found, where: str) -> Iterator[str]:
    most = number_of(found, "maxLength")
    if most is not None and len(value.encode()) > most:
        yield f"{where} has too many bytes"
    if "format" in found and not FORMATS[str(found["format"])](value):
        yield f"{where} is no {found['format']}"


def misfilled(value: list[object], found: Found, nsid: str, where: str) -> Iterator[str]:
    most = number_of(found, "maxLength")
    if most is not None and len(value) > most:
        yield f"{where} is too long"
    for index, each in enumerate(value):
        yield from faulty(each, part_of(found, "items"), nsid, f"{where}[{index}]")


def incomplete(value: Found, found: Found, nsid: str, where: str) -> Iterator[str]:
    required, properties = list_of(found, "required"), part_of(found, "properties")
    yield from (f"{where}.{name} is missing" for name in required if name not in value)
    for name in value.keys() & properties.keys():
        if value[name] is not None or name not in list_of(found, "nullable"):
            yield from faulty(value[name], part_of(properties, name), nsid, f"{where}.{name}")


@pytest.fixture
def it() -> Iterator[BlueskyClient]:
    with bluesky_client() as started:
        yield started


def output_of(name: str) -> Found:
    return part_of(part_of(definition(name), "output"), "schema")


def asked(it: BlueskyClient) -> dict[str, dict[str, object]]:
    """For each call what to ask, where it is not nothing."""
    repo: dict[str, object] = {"repo": it.rules.account, "collection": POST}
    record = {**HELLO, "labels": labelled({"val": "a"})["labels"]}
    key = {**repo, "rkey": "3jui7kd54zh2y"}
    write = {"$type": "com.atproto.repo.applyWrites#", "collection": POST, "rkey": "3jui7kd54zh22"}
    writes = [
        {**write, "$type": f"{write['$type']}{name}", "value": {**HELLO, "text": name}}
        for name in ("create", "update", "delete")
    ]
    return {
        "com.atproto.server.createSession": {
            "identifier": it.rules.handle,
            "password": it.rules.pds.password,
        },
        "com.atproto.repo.createRecord": {**repo, "record": record},
        "com.atproto.repo.putRecord": {**key, "record": record, "swapRecord": None},
        "com.atproto.repo.getRecord": key,
        "com.atproto.repo.listRecords": {**repo, "limit": 2},
        "com.atproto.repo.applyWrites": {"repo": it.rules.account, "writes": writes},
        "com.atproto.repo.deleteRecord": key,
        "com.atproto.identity.resolveHandle": {"handle": it.rules.handle},
        "app.bsky.actor.getProfile": {"actor": it.rules.handle},
    }


@pytest.mark.parametrize("name", [name for name in IN_LEXICONS if "delete" not in name])
def test_answers_are_what_the_lexicons_say(it: BlueskyClient, name: str) -> None:
    it.rules.place(
        PROFILE, "self", {"$type": PROFILE, **labelled({"val": "bot"}), "displayName": "B"}
    )
    it.put("3jui7kd54zh2y", {**HELLO, "text": "first"}).raise_for_status()
    wanted = asked(it)
    if name.endswith("putRecord"):
        wanted[name]["rkey"] = "3jui7kd54zh23"
    if name.endswith("uploadBlob"):
        answer = it.send(name, b"\x89PNG\r\n\x1a\n", "image/png")
    elif name.endswith("refreshSession"):
        answer = it.send(name, b"", token=it.tokens["refresh"])
    else:
        answer = it.call(name, wanted.get(name))
    assert answer.status_code == 200, answer.text
    schema = output_of(name)
    assert list(faulty(answer.json(), schema, name)) == []


def test_a_deletion_answers_what_the_lexicon_says(it: BlueskyClient) -> None:
    it.put("3jui7kd54zh2y", HELLO).raise_for_status()
    name = "com.atproto.repo.deleteRecord"
    schema = output_of(name)
    for _ in range(2):
        answer = it.call(name, asked(it)[name])
        assert (answer.status_code, list(faulty(answer.json(), schema, name))) == (200, [])


def test_errors_are_those_that_the_lexicons_name(it: BlueskyClient) -> None:
    it.put("3jui7kd54zh2y", {**HELLO, "text": "first"}).raise_for_status()
    for name, answer in (
        ("com.atproto.repo.putRecord", it.put("3jui7kd54zh2y", HELLO, swapRecord=None)),
        (
            "com.atproto.repo.getRecord",
            it.call(
                "com.atproto.repo.getRecord",
                {"repo": it.rules.account, "collection": POST, "rkey": "3jui7kd54zh22"},
            ),
        ),
        (
            "com.atproto.identity.resolveHandle",
            it.call("com.atproto.identity.resolveHandle", {"handle": "a.example.org"}),
        ),
        (
            "com.atproto.server.refreshSession",
            it.send("com.atproto.server.refreshSession", b"", token=it.tokens["access"]),
        ),
    ):
        named = json.dumps(list_of(definition(name), "errors"))
        assert answer.status_code == 400
        assert json.dumps({"name": answer.json()["error"]})[1:-1] in named


# -- the two checks agree --------------------------------------------------------------------------

ODD: st.SearchStrategy[Data] = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        2**53,
        "",
        "en",
        "x" * 301,
        "did:plc:abc",
        "https://a.b",
        URI,
        CID,
        "a" * 3001,
        [],
        {},
        {"$type": "x.y.z"},
        HELLO["createdAt"],
    ]
)
PLAUSIBLE = st.sampled_from([{**HELLO, **changes} for changes in TAKEN])


@st.composite
def nearly(draw: st.DrawFn) -> Data:
    """A post that was let through, with something in it exchanged for something odd, or lost."""
    value: Data = draw(PLAUSIBLE)
    fresh = json.loads(json.dumps(shown(value)))
    target = fresh
    while True:
        keys = list(target) if isinstance(target, dict) else list(range(len(target)))
        if not keys:
            break
        key = draw(st.sampled_from(keys))
        below = target[key]
        if isinstance(below, dict | list) and "$link" not in below and draw(st.booleans()):
            target = below
            continue
        if isinstance(target, dict) and draw(st.booleans()):
            del target[key]
        else:
            target[key] = draw(ODD)
        break
    return read(json.dumps(fresh).encode())


@given(nearly())
def test_both_checks_refuse_the_same_posts(value: Data) -> None:
    record = part_of(definition(POST), "record")
    try:
        SCHEMA.check(value, SCHEMA.definitions[POST])
    except Invalid as error:
        if "grapheme" in str(error) or "blob" in str(error) or "mimeType" in str(error):
            return  # the check above knows neither
        assert list(faulty(value, record, POST)) != []
    else:
        assert list(faulty(value, record, POST)) == []
