"""The stand-in's own DAG-CBOR, identifiers and keys: as a real PDS computes them, and by law."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.bluesky.blobs import mime_of
from bot.sandbox.bluesky.cbor import MOST, Data, cid_of, encode
from bot.sandbox.bluesky.cids import Cid, Codec
from bot.sandbox.bluesky.data import NotData, NotJson, blob_of, inside, legacy_of, read, shown
from bot.sandbox.bluesky.formats import is_tid
from bot.sandbox.bluesky.schema import _word
from bot.sandbox.bluesky.tids import tid, tids

HELLO = {
    "$type": "app.bsky.feed.post",
    "text": "hello",
    "createdAt": "2026-03-01T12:00:00.000Z",
}
FACET = {
    "index": {"byteStart": 0, "byteEnd": 5},
    "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://example.org/"}],
}
LINK = "bafyreidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a"
RAW = "bafkreibnoelefnzgwbcacyt4vh52ymxvzbjq7mmqhtcnwarfq4lzegsiqe"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

# What @atproto/pds 0.5.35 answered when these were put, on 2026-11-20.
RECORDED: list[tuple[Mapping[str, object], str]] = [
    (HELLO, "bafyreicxtgdm5pju5a3hz7tcjypk6vowe3makfnq62o7tlc24tewhihl3a"),
    ({**HELLO, "text": "third"}, "bafyreidkit73ww2wkmkmg3inq24omxu6g5fioubfrd5r4ogibybe2p2su4"),
    ({**HELLO, "text": ""}, "bafyreibnq7xedbx56rooddgbdu7cr5riabl2e3nix5dtnsngydlkl4udue"),
    ({**HELLO, "float": 1.0}, "bafyreibshxgtxztydtnhaqqkgv7vvff2heerpdd3tt3airhm4tui6b3k3a"),
    ({**HELLO, "big": MOST}, "bafyreifibvtse4r66hjrzehgmwmcl23737hvtbyccuht33bvda6xbhgxpe"),
    ({**HELLO, "nul": None}, "bafyreibwpadvsdblzzd7mqpxn3yuh3e3ig4m4saj7n5ml2j2cb4sig2xhu"),
    (
        {**HELLO, "nonsense": {"a": 1}},
        "bafyreieyxvuqbl5zvane6fenas7xok3lcfx6h2wgrivu3gjxe4f4s54tqq",
    ),
    ({**HELLO, "facets": [FACET]}, "bafyreig357yploahcy47jqa64bpg2dvqfovaikqm5k5zrb4g2te4v7hai4"),
    (
        {**HELLO, "cidlink": {"$link": LINK}, "by": {"$bytes": "AQID"}},
        "bafyreiamoshalofqeggiw3ssaxcwv4saccqu44dqmrfz3ozu5noke6f2fq",
    ),
    (
        {**HELLO, "cidlink": {"$link": "x"}},
        "bafyreicmocglpk7sts4nrkahk2fnrswljwqoxgn3jqpw6drelkq7bevq2m",
    ),
    (
        {**HELLO, "by": {"$bytes": "!!"}},
        "bafyreicpv3jeezqgvurlkdbqctcvyejfpl2sfbtdnll4icikztaxphwx2y",
    ),
    (
        {"$type": "com.example.foo", "a": 1},
        "bafyreifguwgocquc3hwz5yqgzilsgldyede3tephw4xsctehzswom2tzva",
    ),
]


@pytest.mark.parametrize(("record", "cid"), RECORDED, ids=lambda each: str(each)[-40:])
def test_records_have_the_identifiers_a_pds_gave_them(
    record: Mapping[str, object], cid: str
) -> None:
    assert str(cid_of(read(json.dumps(record).encode()))) == cid


@pytest.mark.parametrize(
    ("data", "cid"),
    [(b"x", RAW), (b"", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")],
)
def test_files_have_the_identifiers_a_pds_gave_them(data: bytes, cid: str) -> None:
    assert str(Cid.of(data, Codec.RAW)) == cid
    assert Cid.parse(cid) == Cid.of(data, Codec.RAW)


# RFC 8949, appendix A, of what the protocol has a place for; and the link of DAG-CBOR.
ENCODED: list[tuple[Data, str]] = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (255, "18ff"),
    (256, "190100"),
    (65_535, "19ffff"),
    (65_536, "1a00010000"),
    (2**32 - 1, "1affffffff"),
    (2**32, "1b0000000100000000"),
    (MOST, "1b001fffffffffffff"),
    (-1, "20"),
    (-24, "37"),
    (-25, "3818"),
    (-MOST, "3b001ffffffffffffe"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("IETF", "6449455446"),
    ("\u6c34", "63e6b0b4"),
    ([], "80"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
    ({}, "a0"),
    ({"b": 1, "a": 2, "aa": 3}, "a3616102616201626161" + "03"),
    ("x" * 24, "7818" + "78" * 24),
    (Cid.parse(LINK), "d82a5825" + "00" + bytes(Cid.parse(LINK)).hex()),
]


@pytest.mark.parametrize(("value", "written"), ENCODED, ids=lambda each: str(each)[:20])
def test_there_is_one_way_to_write_a_value(value: Data, written: str) -> None:
    assert encode(value).hex() == written
    assert decode(encode(value)) == value


@pytest.mark.parametrize("number", [MOST + 1, -MOST - 1])
def test_an_integer_that_readers_would_round_is_not_written(number: int) -> None:
    with pytest.raises(ValueError, match=str(number)):
        encode([number])


def decode(data: bytes) -> object:
    """Read DAG-CBOR back, in another manner than it is written."""
    value, rest = _decode(data)
    assert rest == b""
    return value


def _decode(data: bytes) -> tuple[object, bytes]:
    major, low, data = data[0] >> 5, data[0] & 31, data[1:]
    if major == 7:
        return {20: False, 21: True, 22: None}[low], data
    if low >= 24:
        width = {24: 1, 25: 2, 26: 4, 27: 8}[low]
        low, data = int.from_bytes(data[:width], "big"), data[width:]
    if major in (0, 1):
        return (low if major == 0 else -1 - low), data
    if major in (2, 3):
        part = data[:low]
        return (part if major == 2 else part.decode()), data[low:]
    if major == 6:
        link, data = _decode(data)
        assert isinstance(link, bytes)
        assert (low, link[:5]) == (42, bytes((0, 1, link[2], 0x12, 0x20)))
        return Cid(Codec(link[2]), link[5:]), data
    parts = []
    for _ in range(low * (major - 3)):
        each, data = _decode(data)
        parts.append(each)
    return (parts if major == 4 else dict(zip(parts[::2], parts[1::2], strict=True))), data


CIDS = st.builds(Cid, st.sampled_from(Codec), st.binary(min_size=32, max_size=32))
WORDS = st.text(st.characters(codec="utf-8"), max_size=30)
SCALARS = st.none() | st.booleans() | st.integers(-MOST, MOST) | WORDS | st.binary() | CIDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=20
)


@given(VALUES)
def test_what_is_written_can_be_read(value: Data) -> None:
    assert decode(encode(value)) == value


@given(st.dictionaries(WORDS, SCALARS), st.randoms(use_true_random=False))
def test_the_order_in_which_a_map_was_filled_does_not_show(
    value: dict[str, Data], random: object
) -> None:
    pairs = list(value.items())
    random.shuffle(pairs)  # type: ignore[attr-defined]
    assert encode(dict(pairs)) == encode(value)
    keys = [key.encode() for key in decode(encode(value))]  # type: ignore[attr-defined]
    assert keys == sorted(keys, key=lambda key: (len(key), key))


# libipld takes bytes that look like an identifier for one, and gives identifiers as bytes.
SHORT = st.none() | st.booleans() | st.integers(-MOST, MOST) | WORDS | st.binary(max_size=9) | CIDS


@given(
    st.recursive(SHORT, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=9)
)
def test_libipld_writes_the_same(value: Data) -> None:
    libipld = pytest.importorskip("libipld", reason="libipld, a second opinion, is not installed")
    assert libipld.encode_dag_cbor(plain(value)) == encode(value)
    assert libipld.decode_dag_cbor(encode(value)) == plain(value)
    cid = cid_of(value)
    assert (libipld.encode_cid(bytes(cid)), libipld.decode_cid(str(cid))["codec"]) == (
        str(cid),
        Codec.DAG_CBOR,
    )


def plain(value: Data) -> object:
    """The value as libipld has it."""
    if isinstance(value, Cid):
        return bytes(value)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


# -- identifiers -----------------------------------------------------------------------------------


@given(CIDS)
def test_an_identifier_is_read_as_it_is_written(cid: Cid) -> None:
    assert Cid.parse(str(cid)) == cid
    assert len(str(cid)) == 59


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        "x",
        LINK.upper(),
        LINK[:-1],
        f"{LINK}a",
        f"z{LINK[1:]}",
        LINK.replace("a", "1", 1),
        "bafybeidfayvfuwqa7qlnopdjiqrxzs6blmoeu4rujcjtnci5beludirz2a",  # dag-pb
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
        f"{LINK[:-1]}b",  # the same bytes, with bits left over
    ],
)
def test_what_the_protocol_does_not_make_is_no_identifier(text: str) -> None:
    with pytest.raises(ValueError, match=text or "^$"):
        Cid.parse(text)


# -- keys ------------------------------------------------------------------------------------------


def test_the_keys_of_a_time_are_those_of_the_specification() -> None:
    assert tid(0) == "2222222222222"
    assert tid(1) == "2222222222322"
    assert tid(2**53 - 1, 1023) == "bzzzzzzzzzzzz"
    assert tid(1_688_137_381_887_007, 24) == "3jzfcijpj2z2s"
    make = tids(24)
    when = datetime(2023, 6, 30, 15, 3, 1, 887_007, UTC)
    assert [make(when), make(when)] == ["3jzfcijpj2z2s", tid(1_688_137_381_887_008, 24)]


@given(st.lists(st.integers(-10, 10), max_size=20), st.integers(0, 1023))
def test_keys_grow_whatever_the_clock_does(steps: list[int], clock: int) -> None:
    make, now = tids(clock), NOW
    made = []
    for step in steps:
        now += timedelta(microseconds=step)
        made.append(make(now))
    assert made == sorted(set(made))
    assert all(map(is_tid, made))


# -- JSON ------------------------------------------------------------------------------------------


@given(VALUES)
def test_json_carries_every_value(value: Data) -> None:
    assert read(json.dumps(shown(value)).encode()) == value


def test_what_only_looks_like_a_link_stays_a_map() -> None:
    for odd in ({"$link": "x"}, {"$link": 1}, {"$bytes": "!"}, {"$bytes": 1}, {"$bytes": "a"}):
        assert read(json.dumps(odd).encode()) == odd
    more = {"$link": LINK, "$bytes": "AQID"}
    assert read(json.dumps(more).encode()) == more
    assert read(b'{"$bytes": "AQID"}') == b"\1\2\3"
    assert read(b'{"$bytes": "AQ=="}') == b"\1"


def test_the_keys_of_a_map_are_shown_as_they_are_stored() -> None:
    assert json.dumps(shown({"createdAt": 1, "text": [{"b": 2, "a": 3}], "$type": b"\1"})) == (
        '{"text": [{"a": 3, "b": 2}], "$type": {"$bytes": "AQ"}, "createdAt": 1}'
    )


@pytest.mark.parametrize("body", [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_not_read(body: bytes) -> None:
    with pytest.raises(NotJson):
        read(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a": [0, 1.5]}', "(got 1.5) at $.a[1]"),
        (b"1e400", "(got inf) at $"),
    ],
)
def test_a_fraction_has_no_place_in_the_data_model(body: bytes, message: str) -> None:
    with pytest.raises(NotData) as caught:
        read(body)
    assert str(caught.value) == (
        "Expected one of null, boolean, integer, string, cid, bytes, array or object value type "
        + message
    )
    assert read(b"[1.0, -2e3]") == [1, -2000]


def test_half_a_character_is_none() -> None:
    assert read(b'{"\\ud83d": "\\ud83d\\ude00 \\ude00"}') == {"\ufffd": "\U0001f600 \ufffd"}


# -- files -----------------------------------------------------------------------------------------

FILE: dict[str, Data] = {
    "$type": "blob",
    "ref": Cid.parse(RAW),
    "mimeType": "image/png",
    "size": 1,
}


@pytest.mark.parametrize(
    "odd",
    [
        {"$type": "blub"},
        {"ref": RAW},
        {"ref": Cid.parse(LINK)},
        {"mimeType": "png"},
        {"mimeType": 1},
        {"size": "1"},
        {"size": True},
        {"size": -1},
        {"more": 1},
    ],
    ids=str,
)
def test_a_reference_to_a_file_has_four_fields_and_no_more(odd: dict[str, Data]) -> None:
    assert blob_of(FILE) == (Cid.parse(RAW), "image/png", 1)
    assert blob_of({**FILE, **odd}) is None
    assert blob_of([FILE]) is None
    assert blob_of({**FILE, "size": 0}) == (Cid.parse(RAW), "image/png", 0)
    assert list(inside([{"a": FILE}])).count(FILE) == 1


def test_a_reference_of_the_old_kind_is_known() -> None:
    assert legacy_of({"cid": RAW, "mimeType": "image/png"}) == Cid.parse(RAW)
    assert legacy_of({"cid": "x", "mimeType": "image/png"}) is None
    assert legacy_of({"cid": RAW, "mimeType": 1}) is None
    assert legacy_of({"cid": RAW}) is None


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", "text/plain"),
        (b"", "text/plain"),
    ],
)
def test_a_file_is_what_its_first_bytes_say(data: bytes, mime: str) -> None:
    assert mime_of(data, "text/plain") == mime


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("é", '"é"'),
        ("x" * 255, f'"{"x" * 255}"'),
        ("x" * 256, f'"{"x" * 255}…"'),
        (True, "true"),
        (None, "null"),
        (5, "5"),
        (Cid.parse(LINK), "cid"),
        (b"x", "object"),
        ({"a": 1, "b": 2}, '{"a": ..., "b": ...}'),
        ({"a": 1, "b": 2, "c": 3}, '{"a": ..., "b": ..., ...}'),
        ([1, "a", 2], '[1, "a", ...]'),
        ([], "[]"),
    ],
    ids=str,
)
def test_values_are_shown_short_in_messages(value: Data, word: str) -> None:
    assert _word(value) == word
