"""X's entities: cases and laws of our own, and X's conformance suite where it is at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bot.formatter.x.entities import (
    Entity,
    EntityKind,
    cashtags,
    entities,
    hashtags,
    mentions,
    urls,
)
from bot.formatter.x.patterns import ascii_tlds
from tests.helpers.paths import SHARED

SUITE = SHARED / "api" / "x" / "twitter-text"
suite_only = pytest.mark.skipif(
    not SUITE.is_dir(), reason="X's conformance suite is not beside this clone"
)

LONG = "a" * 63


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # Areas of arXiv: some end in a top-level domain.
        ("in cs.AI and cs.CV", "cs.AI cs.CV"),
        ("stat.ML, math.CO; cs.SE.", "stat.ML math.CO cs.SE"),
        ("cs.LG", ""),
        ("q-bio.NC (quant-ph)", "q-bio.NC"),
        ("cs.AIR", ""),
        ("cs.AI-based", ""),
        ("cs.AI_based", "cs.AI"),
        ("cs.AI+cs.CL", "cs.CL"),
        # Titles and abstracts.
        ("Node.js and Three.js", ""),
        ("Booking.com Data", "Booking.com"),
        ("large models.In this work", "models.In"),
        ("Ada et al.", ""),
        ("v1.0 of 2.5D, e.g. i.e. U.S. Fig.3", ""),
        ("train.py setup.sh notes.md main.rs", "train.py setup.sh notes.md main.rs"),
        ("data.tar.gz", ""),
        ("S$^2$-MLP", ""),
        # Links as we write them.
        ("arXiv:2106.10934", ""),
        ("https://arxiv.org/abs/2106.10934", "https://arxiv.org/abs/2106.10934"),
        ("https://arxiv.org/abs/2106.10934.", "https://arxiv.org/abs/2106.10934"),
        ("(https://arxiv.org/abs/2106.10934v2)", "https://arxiv.org/abs/2106.10934v2"),
        ("see arxiv.org/abs/2106.10934, please", "arxiv.org/abs/2106.10934"),
        ("HTTPS://ARXIV.ORG/ABS/1", "HTTPS://ARXIV.ORG/ABS/1"),
        ("https://a.com/x_(y)_(z(1)).", "https://a.com/x_(y)_(z(1))"),
        ("https://a.com/x_(y and more", "https://a.com/x_"),
        ("https://a.com/()", "https://a.com/"),
        ("https://a.com:8080/x?y=1&z=2#top!", "https://a.com:8080/x?y=1&z=2#top"),
        ("https://a.com?x=1.", "https://a.com?x=1"),
        ("https://a.com?...", "https://a.com"),
        ("a.com?x=1 a.com:80", "a.com a.com"),
        ("a.com:80/x?y=1", "a.com:80/x?y=1"),
        ("ftp://a.com gopher://a.com", ""),
        ("xhttps://a.com", ""),
        ("https://localhost/x http://127.0.0.1/", ""),
        ("a.com/x/https://b.com", "a.com/x/https://b.com"),
        ("<https://a.com/x>", "https://a.com/x"),
        ("\u201ca.com\u201d \u2014b.com", "a.com b.com"),
        ("~/a.com -a.com _a.com .a.com /a.com", ""),
        # Mail addresses.
        ("ada@uni.edu ada.quill@mail.co.uk", ""),
        ("ada.quill+x@mail.co.uk", ""),
        # Hosts.
        ("a_b.com", ""),
        ("a_b.c.com http://a_b.c.com", "a_b.c.com http://a_b.c.com"),
        ("c.com.a_b.net", "c.com"),
        ("a-.com http://-a.com", ""),
        (f"{LONG}.com {LONG}a.com", f"{LONG}.com"),
        (f"https://{'日' * 40}.com https://{'日' * 60}.com", f"https://{'日' * 40}.com"),
        ("a." * 200 + "com", ""),
        ("http://xn--p1ai.xn--p1ai http://xn--日.com", "http://xn--p1ai.xn--p1ai"),
        ("https://пример.рф/x Пример.РФ", "https://пример.рф/x"),
        ("https://пример.рфa a.рф@b", "@b"),
        ("a.vermögensberatung", "a.vermögensberatung"),
        ("见arxiv.org/abs/1的论文, 見a.comと", "arxiv.org/abs/1 a.com"),
        ("https://日本.com/x日本", "https://日本.com/x"),
        ("Zoë.com zoe\u0308.com", "Zoë.com zoe\u0308.com"),
        ("a.onion", "a.onion"),
        # Links of X's own.
        ("https://t.co/aB3-x https://t.co/aB3?a=1.", "https://t.co/aB3 https://t.co/aB3?a=1"),
        (f"https://t.co/{'a' * 41} https://t.co/{'a' * 40}", f"https://t.co/{'a' * 40}"),
        (f"https://a.com/{'a' * 4082}", f"https://a.com/{'a' * 4082}"),
        (f"https://a.com/{'a' * 4083}", ""),
        # Mentions.
        ("It's @handle", "@handle"),
        ("@handle's .@handle: (@handle) 你@handle好", "@handle @handle @handle @handle"),
        ("F1@10 R@1 recall@k", ""),
        ("mAP @50 of x", "@50"),
        ("full\uff20width \uff20handle", "\uff20handle"),
        ("@user@host.org @@user @é @useré", ""),
        ("RT@user rt:@user start@user", "@user @user"),
        ("@user/list-1 @user/1list", "@user/list-1 @user"),
        ("@a_23456789012345678901", "@a_234567890123456789"),
        (
            "https://a.com/@user/ https://a.com/x?@user",
            "https://a.com/@user/ https://a.com/x?@user",
        ),
        # Hashtags.
        ("C# F# #1 #2021 # x", ""),
        ("#1st #MachineLearning, #日本語。 \uff03tag", "#1st #MachineLearning #日本語 \uff03tag"),
        ("#cafe\u0301 #naïve_x", "#cafe\u0301 #naïve_x"),
        ("a#b &#39; &#x27; #a#b #a://", ""),
        ("\u270c\ufe0f#tag #\ufe0f\u20e3 #\u20e3", "#tag"),
        ("#a\ufe0f#b", ""),
        ("#1#a #1\ufe0f", "#1\ufe0f"),
        ("https://a.com/#tag #a.com", "https://a.com/#tag #a"),
        # Cashtags.
        ("$AAPL, $BRK.A. $a_b ($X) x$Y", "$AAPL $BRK.A $a_b"),
        ("5$ million, $5, US$ $TOOLONGS $A1", ""),
        ("cost $O$ and $x_i$ but \\$n$", "$O $x_i"),
        # Emoji alone are none of it.
        ("1️⃣ 🇩🇪 👩🏽‍🚀 🏳️‍🌈", ""),
        # Text nobody should send.
        ("\ud800.com \ud800@\udfff #\ud800", ""),
        ("https://\ud800.com", "https://\ud800.com"),
        ("\x00a.com\x00", "a.com"),
        ("\ufeffa.com", ""),
        ("\u200ea.com\u200f", "a.com"),
        (".", ""),
        ("", ""),
    ],
)
def test_what_x_links(text: str, found: str) -> None:
    assert [entity.text for entity in entities(text)] == found.split()


@pytest.mark.parametrize(
    ("text", "entity"),
    [
        ("see https://a.com/x now", Entity(EntityKind.URL, 4, 19, "https://a.com/x")),
        ("🦒 @user", Entity(EntityKind.MENTION, 2, 7, "@user")),
        ("日本 \uff03タグ", Entity(EntityKind.HASHTAG, 3, 6, "\uff03タグ")),
        ("x $AAPL", Entity(EntityKind.CASHTAG, 2, 7, "$AAPL")),
    ],
)
def test_an_entity_has_its_kind_and_place(text: str, entity: Entity) -> None:
    assert entities(text) == (entity,)


def test_entities_come_in_the_order_of_the_text() -> None:
    kinds = [entity.kind for entity in entities("$A #b @c d.com @e #f $G")]
    assert kinds == [
        EntityKind.CASHTAG,
        EntityKind.HASHTAG,
        EntityKind.MENTION,
        EntityKind.URL,
        EntityKind.MENTION,
        EntityKind.HASHTAG,
        EntityKind.CASHTAG,
    ]


def test_a_tag_in_a_link_is_found_only_when_asked_for_alone() -> None:
    text = "https://a.com/#tag"
    assert [tag.text for tag in hashtags(text)] == ["#tag"]
    assert [entity.kind for entity in entities(text)] == [EntityKind.URL]


@pytest.mark.parametrize(
    "piece", ["a.", "a_.", "a_b.com.", "é.", "http://", "(x", "@a ", " #a", "#1", "日.", "$"]
)
def test_long_hostile_text_is_read_to_its_end(piece: str) -> None:
    text = "https://a.com/x " + piece * 300 + " https://b.com/y"
    found = [url.text for url in urls(text)]
    assert found[0] == "https://a.com/x"
    assert found[-1] == "https://b.com/y"


PIECES = [
    *"abcéß日タ1.,:;!?()[]/@#$&_-\uff20\uff03\u0301\u200d\ufe0f\u202a\ufeff \n",
    *("https://", "http://t.co/", "a.com", "cs.AI", "@user", "#tag", "$AAPL", "rt", "/x", "?q=1"),
]
texts = st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=()), max_size=14).map(
    "".join
)


@given(texts)
def test_entities_lie_in_the_text_and_never_overlap(text: str) -> None:
    end = 0
    for entity in entities(text):
        assert end <= entity.start < entity.end <= len(text)
        assert text[entity.start : entity.end] == entity.text
        end = entity.end


@given(texts)
def test_every_entity_is_found_by_its_own_function(text: str) -> None:
    alone = {*urls(text), *mentions(text), *hashtags(text), *cashtags(text)}
    assert alone >= set(entities(text))


@given(texts)
def test_a_link_is_dropped_only_for_an_entity_that_begins_before_it(text: str) -> None:
    kept = entities(text)
    for url in set(urls(text)) - set(kept):
        assert any(entity.start < url.start < entity.end for entity in kept)


@given(texts)
def test_space_around_a_text_changes_nothing(text: str) -> None:
    moved = [(entity.kind, entity.start + 1, entity.text) for entity in entities(text)]
    assert [(e.kind, e.start, e.text) for e in entities(f" {text} ")] == moved


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz ABCXYZ 0123456789 ,;!?'()-"))
def test_plain_words_hold_no_entities(text: str) -> None:
    assert entities(text) == ()


# The suite was written in 2020. Since then IANA took these top-level domains from the root zone, or
# (an, bl, bq, eh, mf, tp, um) they never were in it or had left before. The list we use is IANA's.
GONE = """
    abarth active adac afamilycompany aigo alfaromeo an avianca bananarepublic bentley bl blanco
    bnl boots bq budapest bugatti cancerresearch cartier caseih cbs ceb chloe chrysler cityeats
    comcast cookingchannel csc dabur dodge doha doosan duck dunlop duns eh epost esurance etisalat
    everbank fiat flsmidth foodnetwork frontdoor fujixerox glade goo goodhands guardian hgtv
    honeywell hoteles htc iinet intel iselect iveco iwc jcp jlc juniper kerrylogistics kinder
    ladbrokes lancaster lancia lancome liaison linde lipsy lixil loft lupin macys maserati mcd
    mcdonalds meo metlife mf mobily montblanc mopar movistar mtpc mutual mutuelle nadex nationwide
    natura newholland northwesternmutual off oldnavy onyourside orientexpress pamperedchef panerai
    passagens piaget pramerica qvc raid redstone rightathome rmit rocher sapo sca scjohnson scor
    ses shaw showtime shriram spiegel spreadbetting srt starhub statoil swiftcover symantec
    telecity telefonica tiffany tp travelchannel uconnect um vista vistaprint volkswagen vuelos
    warman wolterskluwer xfinity xperia zippo اتصالات موبايلي 大众汽车 工行 手表 珠宝 诺基亚
"""


def known(name: str) -> bool:
    puny = name if name.isascii() else f"xn--{name.encode('punycode').decode()}"
    return puny in ascii_tlds()


def section(file: str, name: str) -> list[dict[str, object]]:
    read: dict[str, dict[str, list[dict[str, object]]]] = yaml.safe_load(
        (SUITE / file).read_text(encoding="utf-8")
    )
    return read["tests"][name]


def misread(
    cases: Iterable[dict[str, object]], read: Callable[[str], object]
) -> list[tuple[object, object]]:
    """The cases that are not read as they should be, with what was read."""
    results = ((case, read(str(case["text"]))) for case in cases)
    return [(case["text"], result) for case, result in results if result != case["expected"]]


def bare(found: Iterable[Entity]) -> list[str]:
    return [entity.text[1:] for entity in found]


def placed(name: str, found: Iterable[Entity], skip: int = 1) -> list[dict[str, object]]:
    return [{name: e.text[skip:], "indices": [e.start, e.end]} for e in found]


def tags(text: str) -> list[Entity]:
    return [entity for entity in entities(text) if entity.kind is EntityKind.HASHTAG]


def lists(text: str) -> list[dict[str, object]]:
    parts = [(mention, *mention.text[1:].partition("/")) for mention in mentions(text)]
    return [
        {"screen_name": user, "list_slug": slash + slug, "indices": [mention.start, mention.end]}
        for mention, user, slash, slug in parts
    ]


def reply(text: str) -> str | None:
    first = next(iter(mentions(text)), None)
    return first.text[1:] if first and not text[: first.start].strip() else None


EXTRACT: dict[str, Callable[[str], object]] = {
    "mentions": lambda text: bare(mentions(text)),
    "mentions_with_indices": lambda text: placed("screen_name", mentions(text)),
    "mentions_or_lists_with_indices": lists,
    "replies": reply,
    "urls": lambda text: [url.text for url in urls(text)],
    "urls_with_indices": lambda text: placed("url", urls(text), skip=0),
    "urls_with_directional_markers": lambda text: placed("url", urls(text), skip=0),
    "tco_urls_with_params": lambda text: [url.text for url in urls(text)],
    "hashtags": lambda text: bare(tags(text)),
    "hashtags_from_astral": lambda text: bare(tags(text)),
    "hashtags_with_indices": lambda text: placed("hashtag", tags(text)),
    "cashtags": lambda text: bare(cashtags(text)),
    "cashtags_with_indices": lambda text: placed("cashtag", cashtags(text)),
}


@pytest.mark.slow
@suite_only
@pytest.mark.parametrize("name", EXTRACT)
def test_the_suite_is_read_as_x_reads_it(name: str) -> None:
    assert misread(section("extract.yml", name), EXTRACT[name]) == []


@suite_only
def test_no_section_of_the_suite_is_left_out() -> None:
    read: dict[str, dict[str, object]] = yaml.safe_load(
        (SUITE / "extract.yml").read_text(encoding="utf-8")
    )
    assert read["tests"].keys() == EXTRACT.keys()


def is_all(kind: EntityKind) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        return [(entity.kind, entity.text) for entity in entities(text)] == [(kind, text)]

    return read


@suite_only
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("usernames", EntityKind.MENTION),
        ("hashtags", EntityKind.HASHTAG),
        ("urls_without_protocol", EntityKind.URL),
    ],
)
def test_valid_is_what_is_one_entity_from_end_to_end(name: str, kind: EntityKind) -> None:
    assert misread(section("validate.yml", name), is_all(kind)) == []


@suite_only
def test_a_valid_list_is_a_mention_with_a_slug_from_end_to_end() -> None:
    def read(text: str) -> bool:
        return is_all(EntityKind.MENTION)(text) and "/" in text

    assert misread(section("validate.yml", "lists"), read) == []


@suite_only
def test_what_validates_as_a_url_is_linked_but_for_four_forms() -> None:
    not_linked = {
        "http://user:PASSW0RD@example.com:8080/login.php",  # a user's name and password
        "http://192.168.0.1/index.html?src=asdf",  # an address for a host
        "http://[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:80/index.html",  # the same
        "http://example.com?foo=$bar.;baz?BAZ&c=d-#top/?stories+",  # a query cannot end in a plus
    }
    wrong = misread(section("validate.yml", "urls"), is_all(EntityKind.URL))
    assert {text for text, _ in wrong} == not_linked


@pytest.mark.slow
@suite_only
def test_every_top_level_domain_of_the_suite_that_still_exists_is_known() -> None:
    cases = [*section("tlds.yml", "country"), *section("tlds.yml", "generic")]
    wrong = misread(cases, EXTRACT["urls"])
    missed = {str(text).rpartition(".")[2] for text, _ in wrong}
    # Exactly these, but for what changes in IANA's list after this was written (October 2026).
    changed = missed ^ set(GONE.split())
    assert {name for name in changed if known(name) == (name in missed)} == set()
