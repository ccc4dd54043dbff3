"""Posts as Bluesky's records: what a span says is what its bytes say, and nothing is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import DoesNotFit
from bot.formatter.limits import BLUESKY_MAX_BYTES
from bot.formatter.rich import enrich
from bot.model import Card, Network, Span
from bot.posters.bluesky.records import (
    POST,
    Ref,
    filed_under,
    is_cid,
    key_of,
    page_of,
    record,
    seen,
    uri_of,
)
from bot.posters.poster import PostRequest
from bot.sandbox.bluesky.lexicons import LANGUAGE, URI, Invalid
from tests.helpers.bluesky_record_check import check_record
from tests.helpers.paths import SHARED
from tests.helpers.rendered_threads import account, digest, paper, thread

DID = "did:plc:4ylmn73gfraurawqf4wbmsh2"
KEY = "3mfyouuy62222"
CID = "bafyreiemww3as2zw3ntmkfw7n5rtmbjrudfybpuo5j5enyhngfxmle3yti"
NOW = datetime(2026, 3, 1, 12, 0, 0, 123_999, UTC)
PLAIN = PostRequest("Hot papers", KEY, created=NOW)
FAMILY = "👩‍👩‍👧‍👦"
FACET = "app.bsky.richtext.facet"

PIECES = ("https://a.org/é", "http://www.ä.de/x?y=1", "#arXiv", "#日本語", FAMILY, "🇨🇭", "e\u0301")
texts = st.lists(
    st.one_of(
        st.sampled_from((*PIECES, " ", "\n", "שלום", "مرحبا", "\u202e", "a\u0308\u0323", "\x00")),
        st.text(max_size=4),
    ),
    max_size=12,
).map("".join)


def list_at(made: dict[str, object], name: str) -> Sequence[object]:
    found = made.get(name, [])
    assert isinstance(found, list)
    return found


def led(made: dict[str, object]) -> list[tuple[str, str]]:
    """What readers see of each facet, cut out of the text's bytes, and where it leads."""
    data = str(made["text"]).encode()
    found = []
    for facet in list_at(made, "facets"):
        assert isinstance(facet, dict)
        index, (feature,) = facet["index"], facet["features"]
        shown = data[index["byteStart"] : index["byteEnd"]].decode()
        kind = feature["$type"].removeprefix(f"{FACET}#")
        found.append((shown, feature["uri" if kind == "link" else kind]))
    return found


@given(texts)
def test_the_bytes_of_a_facet_say_what_its_span_says(text: str) -> None:
    rich = enrich(text, ("#arXiv", "#日本語"))
    made = record(replace(PLAIN, text=rich.text, spans=rich.spans), None, None)
    spans = [(rich.text[each.start : each.end], each.uri or each.tag) for each in rich.spans]
    assert led(made) == spans
    assert all(shown == f"#{leads}" or leads.startswith("http") for shown, leads in spans)


@given(st.text(), st.data())
def test_the_bytes_of_any_span_are_its_text_s(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    span = Span(start, end, uri="https://a.org")
    made = record(replace(PLAIN, text=text, spans=(span,)), None, None)
    assert led(made) == [(text[start:end], "https://a.org")]


def test_a_record_is_what_the_network_s_own_apps_write() -> None:
    root, parent = Ref(uri_of(DID, KEY), CID), Ref(uri_of(DID, "3mfyouuy62223"), CID)
    text = f"{FAMILY} Émile: #arXiv\narxiv.org/abs/2106.1"
    spans = (Span(15, 21, tag="arXiv"), Span(22, 42, uri="https://arxiv.org/abs/2106.1"))
    card = Card("https://arxiv.org/abs/2106.1", "Title", "It says.")
    post = replace(PLAIN, text=text, spans=spans, card=card, language="pt-BR")
    assert record(post, root, parent) == {
        "$type": "app.bsky.feed.post",
        "text": text,
        "createdAt": "2026-03-01T12:00:00.123Z",
        "langs": ["pt-BR"],
        "reply": {
            "root": {"uri": root.uri, "cid": CID},
            "parent": {"uri": parent.uri, "cid": CID},
        },
        "facets": [
            {
                "index": {"byteStart": 34, "byteEnd": 40},
                "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "arXiv"}],
            },
            {
                "index": {"byteStart": 41, "byteEnd": 61},
                "features": [
                    {
                        "$type": "app.bsky.richtext.facet#link",
                        "uri": "https://arxiv.org/abs/2106.1",
                    }
                ],
            },
        ],
        "embed": {
            "$type": "app.bsky.embed.external",
            "external": {
                "uri": "https://arxiv.org/abs/2106.1",
                "title": "Title",
                "description": "It says.",
            },
        },
    }


def test_a_plain_post_has_nothing_more_than_it_needs() -> None:
    assert [*record(PLAIN, None, None)] == ["$type", "text", "createdAt", "langs"]
    ref = Ref(uri_of(DID, KEY), CID)
    assert "reply" not in record(PLAIN, ref, None)
    assert "reply" not in record(PLAIN, None, ref)


@pytest.mark.parametrize(
    ("created", "written"),
    [
        (NOW, "2026-03-01T12:00:00.123Z"),
        (NOW.replace(microsecond=0), "2026-03-01T12:00:00.000Z"),
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-02-28T23:00:00.000Z"),
        (None, "1970-01-01T00:00:00.000Z"),
    ],
)
def test_its_time_is_in_utc_to_the_millisecond(created: datetime | None, written: str) -> None:
    assert record(replace(PLAIN, created=created), None, None)["createdAt"] == written


@pytest.mark.parametrize(
    ("language", "langs"),
    [
        ("en", ["en"]),
        ("EN", ["en"]),
        ("pt-BR", ["pt-BR"]),
        ("zh-Hant-TW", ["zh-Hant-TW"]),
        ("es-419", ["es-419"]),
        ("de-CH-1996", ["de-CH"]),
        ("en-a", ["en"]),
        ("en-x", ["en"]),
        ("zh-yue-HK", ["zh"]),
        ("en-GB-x-a-b", ["en-GB"]),
        ("", None),
        ("e", None),
        ("not a lang", None),
        ("english", None),
    ],
)
def test_the_language_is_one_that_the_network_takes(language: str, langs: object) -> None:
    assert record(replace(PLAIN, language=language), None, None).get("langs") == langs


@given(st.from_regex(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*", fullmatch=True))
def test_any_language_that_can_be_set_is_made_one_that_is_taken(language: str) -> None:
    (tag,) = list_at(record(replace(PLAIN, language=language), None, None), "langs")
    assert LANGUAGE.fullmatch(str(tag))
    assert str(tag).lower() == language.lower()[: len(str(tag))]


@pytest.mark.parametrize(
    ("span", "kept"),
    [
        (Span(0, 3, uri="https://a.org"), True),
        (Span(0, 3, uri="https://a.org/" + "x" * 8178), True),
        (Span(0, 3, uri="https://a.org/" + "x" * 8179), False),
        (Span(0, 3, uri="https:///x"), False),
        (Span(0, 3, uri="https://a b"), False),
        (Span(0, 3, uri=""), False),
        (Span(0, 3, tag="t" * 64), True),
        (Span(0, 3, tag="t" * 65), False),
        (Span(0, 3, tag="日" * 64), True),
    ],
)
def test_what_the_network_would_not_take_leads_nowhere(span: Span, *, kept: bool) -> None:
    made = record(replace(PLAIN, spans=(span,)), None, None)
    assert ("facets" in made) is kept
    check_record(made)


def test_a_card_of_no_address_is_left_out() -> None:
    assert "embed" not in record(replace(PLAIN, card=Card("arxiv", "", "")), None, None)
    empty = record(replace(PLAIN, card=Card("https://a.org", "", "")), None, None)
    check_record(empty)


# -- against the lexicons --------------------------------------------------------------------------

posts = st.builds(
    PostRequest,
    text=st.text(max_size=200),
    key=st.just(KEY),
    language=st.from_regex(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*", fullmatch=True),
    spans=st.lists(
        st.builds(Span, st.integers(0, 9), st.integers(9, 20), st.text(max_size=20))
        | st.builds(
            Span,
            st.integers(0, 9),
            st.integers(9, 20),
            st.just(""),
            st.text(min_size=1, max_size=90),
        ),
        max_size=4,
    ).map(tuple),
    card=st.none() | st.builds(Card, st.text(max_size=20), st.text(), st.text()),
    created=st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - in UTC
)
"""Posts worse than any that the formatter makes."""


@given(posts)
def test_whatever_a_post_is_its_record_is_one_that_the_lexicon_takes(post: PostRequest) -> None:
    ref = Ref(uri_of(DID, KEY), CID)
    made = record(post, ref, ref)
    check_record(made)
    again = record(replace(post), Ref(ref.uri, CID), ref)
    assert json.dumps(made) == json.dumps(again)


def test_the_check_would_tell() -> None:
    made = record(PLAIN, None, None)
    for wrong in ({"langs": ["not a lang"]}, {"createdAt": "now"}, {"text": "x" * 301}):
        with pytest.raises(Invalid):
            check_record(made | wrong)


@pytest.mark.skipif(
    not (SHARED / "api" / "atproto" / "lexicons").is_dir(),
    reason="the protocol's lexicons are not beside this clone",
)
def test_what_is_written_here_by_hand_is_what_the_lexicons_say() -> None:
    folder = SHARED / "api" / "atproto" / "lexicons" / "app" / "bsky"

    def definition(path: str, name: str) -> dict[str, dict[str, object]]:
        page = json.loads((folder / path).read_text("utf-8"))
        found = page["defs"][name]
        properties: dict[str, dict[str, object]] = found.get("record", found)["properties"]
        return properties

    post = definition("feed/post.json", "main")
    assert (post["text"]["maxLength"], post["text"]["maxGraphemes"]) == (BLUESKY_MAX_BYTES, 300)
    assert post["langs"]["maxLength"] == 3
    assert {*record(PLAIN, None, None)} - {"$type"} <= {*post}
    tag = definition("richtext/facet.json", "tag")["tag"]
    assert (tag["maxGraphemes"], tag["maxLength"]) == (64, 640)
    external = definition("embed/external.json", "external")
    for name in ("title", "description"):
        assert external[name] == {"type": "string"}
    assert external["uri"]["format"] == "uri"


# -- limits that the formatter keeps ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        # 300 graphemes, below 3,000 bytes
        ("日" * 150, True),
        ("日" * 301, False),
        # 25 bytes each: with 121 of them it has some 240 graphemes, and over 3,000 bytes
        (FAMILY * 110, True),
        (FAMILY * 121, False),
    ],
)
def test_neither_graphemes_nor_bytes_are_ever_too_many(
    words: str, tmp_path: Path, *, fits: bool
) -> None:
    template = tmp_path / "default" / "opening.txt.j2"
    template.parent.mkdir()
    template.write_text("{{ digest.title }} " + words, "utf-8")
    if not fits:
        with pytest.raises(DoesNotFit, match="the post 'opening'"):
            thread(digest(paper()), account(Network.BLUESKY), tmp_path)
        return
    for post in thread(digest(paper()), account(Network.BLUESKY), tmp_path).posts:
        made = record(PostRequest(post.text, KEY, spans=post.spans, card=post.card), None, None)
        check_record(made)


def test_a_thread_s_links_and_tags_are_all_there() -> None:
    tagged = account(Network.BLUESKY, hashtags=("arXiv", "ML"))
    source = digest(paper(1), paper(2), url="https://example.org/hot")
    made = [
        record(PostRequest(post.text, KEY, spans=post.spans, card=post.card), None, None)
        for post in thread(source, tagged).posts
    ]
    leads = [led(each) for each in made]
    assert ("#arXiv", "arXiv") in leads[0]
    assert ("arxiv.org/abs/2106.10001", "https://arxiv.org/abs/2106.10001") in leads[1]
    assert [("embed" in each) for each in made] == [False, True, True, False]
    assert all(URI.fullmatch(where) for each in leads for shown, where in each if shown[0] != "#")


# -- and back --------------------------------------------------------------------------------------


def test_an_address_is_ours_or_none() -> None:
    uri = uri_of(DID, KEY)
    assert uri == f"at://{DID}/app.bsky.feed.post/{KEY}"
    assert key_of(uri, DID) == filed_under(uri, DID) == KEY
    assert page_of(uri, "a.b") == f"https://bsky.app/profile/a.b/post/{KEY}"
    odd = uri_of(DID, "self")
    assert (key_of(odd, DID), filed_under(odd, DID)) == ("", "self")
    for other in ("", KEY, f"{uri}/", f"{uri}\n", f"at://did:web:x/{POST}/{KEY}", uri.upper()):
        assert filed_under(other, DID) == ""


@pytest.mark.parametrize(
    ("text", "good"),
    [(CID, True), ("Qm" + "a" * 44, True), ("", False), ("a b", False), ("x", False)],
)
def test_a_hash_is_one_or_none(text: str, *, good: bool) -> None:
    assert is_cid(text) is good


def test_what_was_sent_is_seen_again() -> None:
    ref = Ref(uri_of(DID, "3mfyouuy62223"), CID)
    made = record(PLAIN, ref, ref)
    post = seen({"uri": uri_of(DID, KEY), "cid": CID, "value": made}, DID, "a.b")
    assert post is not None
    assert (post.text, post.parent, post.key, post.media) == ("Hot papers", ref.uri, KEY, 0)
    assert post.created == NOW.replace(microsecond=123_000)


@pytest.mark.parametrize("found", [None, 7, "x", [], {}, {"uri": 7}, {"uri": uri_of(DID, "self")}])
def test_what_is_no_post_is_not_seen(found: object) -> None:
    assert seen(found, DID, "a.b") is None
