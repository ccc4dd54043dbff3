from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.feeds.entry import LARGEST, Item
from bot.digests.feeds.feed import FeedText, choose, items, later
from bot.digests.parse import parse
from bot.errors import BotError, Malformed
from bot.model import Digest
from tests.helpers.digest_writer import write
from tests.helpers.html_rendering import render
from tests.helpers.sample_digests import PAPER, digest, markdown

BASE = "https://digests.example/rss.xml"
HTML = render(markdown("2021-06-22").decode())
RSS = (
    '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"'
    ' xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
    ' xmlns:source="http://source.scripting.com/"'
    ' xmlns:media="http://search.yahoo.com/mrss/"'
    ' xmlns:atom="http://www.w3.org/2005/Atom">'
    "<channel><title>Hot Papers 2029-01-01</title><link>https://digests.example</link>{}"
    "</channel></rss>"
)
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><title>Hot Papers 2029-01-01</title>{}</feed>'


def rss(*contents: str) -> bytes:
    return RSS.format("".join(f"<item>{content}</item>" for content in contents)).encode()


def atom(*contents: str) -> bytes:
    return ATOM.format("".join(f"<entry>{content}</entry>" for content in contents)).encode()


def post(day: str, html: str = HTML, title: str = "Hot Papers {}") -> str:
    """An item as a common generator of static sites writes it."""
    return (
        f"<title><![CDATA[{title.format(day)}]]></title><description>Hot papers</description>"
        f"<link>https://digests.example/posts/hot-papers-{day}/</link>"
        f'<guid isPermaLink="false">https://digests.example/posts/hot-papers-{day}/</guid>'
        f"<pubDate>Wed, 23 Jun 2021 10:32:04 GMT</pubDate><category>arXiv</category>"
        f"<content:encoded>{escape(html)}</content:encoded>"
    )


def pieces(feed: bytes, size: int = 1000) -> Iterator[bytes]:
    yield from (feed[n : n + size] for n in range(0, len(feed), size))


def chosen(feed: bytes, wanted: date | str | None = None) -> Item:
    item = choose(pieces(feed), BASE, "feed", wanted)
    assert item is not None
    return item


def one(feed: bytes) -> Item:
    (item,) = items(pieces(feed), BASE, "feed")
    return item


def none(feed: bytes) -> None:
    assert list(items(pieces(feed), BASE, "feed")) == []


def read(item: Item) -> Digest:
    found, warnings = parse(item.text(), "item", day=item.days[1], url=item.link)
    assert warnings == ()
    return found


# One item


def test_an_item_of_html_is_the_digest_it_was_made_from() -> None:
    item = one(rss(post("2021-06-22")))
    assert read(item) == Digest(
        slug="hot-papers-2021-06-22",
        title="Hot Papers 2021-06-22",
        day=date(2021, 6, 22),
        last_day=date(2021, 6, 22),
        published=datetime(2021, 6, 23, 10, 32, 4, tzinfo=UTC),
        papers=(PAPER,),
        tags=("arXiv",),
        url="https://digests.example/posts/hot-papers-2021-06-22/",
        ranked_by="retweets and likes on Twitter",
    )


AS_XML = HTML.replace("<br>", "<br/>").replace("&mdash;", "\N{EM DASH}").replace(" async", "")
XHTML = '<div xmlns="http://www.w3.org/1999/xhtml">{}</div>'
BODIES = {
    "escaped": rss(post("2021-06-22")),
    "cdata": rss(f"<title>2021-06-22</title><description><![CDATA[{HTML}]]></description>"),
    "atom": atom(f'<title>2021-06-22</title><content type="html">{escape(HTML)}</content>'),
    "xhtml": atom(
        f'<title>2021-06-22</title><content type="xhtml">{XHTML.format(AS_XML)}</content>'
    ),
    "nested": rss(f"<title>2021-06-22</title><description>{AS_XML}</description>"),
    "markdown": atom(
        "<title>2021-06-22</title><content type='text/markdown; charset=utf-8'>"
        f"{escape(write(digest('2021-06-22')))}</content><summary type='html'>&lt;p&gt;</summary>"
    ),
    "source": rss(
        f"<title>2021-06-22</title><description>{escape(HTML.replace('Clouds', 'Gone'))}"
        f"</description><source:markdown>{escape(markdown('2021-06-22').decode())}"
        "</source:markdown>"
    ),
    "bodyonly": rss(
        "<title>2021-06-22</title><source:markdown>"
        + escape(markdown("2021-06-22").decode().rpartition("---\n")[2])
        + "</source:markdown>"
    ),
    "text": atom(
        f"<title>2021-06-22</title><content>{escape(markdown('2021-06-22').decode())}</content>"
    ),
    "unsaid": rss(
        f"<title>2021-06-22</title><description>{escape(markdown('2021-06-22').decode())}"
        "</description>"
    ),
}


@pytest.mark.parametrize("feed", BODIES.values(), ids=BODIES.keys())
def test_the_papers_are_read_wherever_they_are(feed: bytes) -> None:
    assert read(one(feed)).papers == (PAPER,)


def test_text_in_nested_elements_is_not_markup() -> None:
    body = XHTML.format("<p>a &lt;b&gt; &amp;amp;</p>")
    item = one(atom(f'<title>2021-06-22</title><content type="xhtml">{body}</content>'))
    assert item.text().endswith("a <b> &amp;\n")


def test_the_front_matter_of_the_markdown_counts() -> None:
    item = one(BODIES["source"].replace(b"<title>2021-06-22", b"<title>Today"))
    assert (item.slug, item.days[1]) == ("hot-papers-2021-06-22", date(2021, 6, 22))
    assert item.published == datetime(2021, 6, 23, 12, tzinfo=UTC)
    assert read(item) == digest("2021-06-22")


def test_front_matter_that_names_only_the_day_in_its_title() -> None:
    text = write(digest("2021-06-22", slug="hot"))
    item = one(rss(f"<title>Today</title><source:markdown>{escape(text)}</source:markdown>"))
    assert (item.slug, item.days) == ("hot", (date(2021, 6, 22), date(2021, 6, 22)))


@pytest.mark.parametrize(
    "markup",
    [
        '<link rel="alternate" type="text/markdown" href="md/x.md"/>',
        '<link rel="alternate" type="text/html" href="/x"/><link type="text/x-markdown" href="md/x.md"/>',  # noqa: E501 - one element after the other
        '<content type="text/markdown" src="md/x.md"/>',
    ],
)
def test_markdown_that_lies_elsewhere_is_named(markup: str) -> None:
    item = one(atom(f"<title>Hot Papers 2021-06-22</title>{markup}"))
    assert item.markdown_url == "https://digests.example/md/x.md"


def test_an_enclosure_of_markdown_is_named_and_no_other() -> None:
    title = "<title>Hot Papers 2021-06-22</title>"
    item = one(rss(f'{title}<enclosure url="x.md" type="text/markdown" length="1"/>'))
    assert item.markdown_url == "https://digests.example/x.md"
    item = one(rss(f'{title}<enclosure url="x.mp3" type="audio/mpeg" length="1"/>'))
    assert (item.markdown_url, item.link) == ("", "")


@pytest.mark.parametrize(
    ("markup", "link"),
    [
        ("<link>/posts/a</link>", "https://digests.example/posts/a"),
        ("<link> https://other.example/a </link>", "https://other.example/a"),
        ("<atom:link href='b' rel='self'/><atom:link href='a'/>", "https://digests.example/a"),
        ("<guid>https://digests.example/a</guid>", "https://digests.example/a"),
        ("<guid isPermaLink='false'>https://digests.example/a</guid>", ""),
        ("<guid>tag:digests.example,2021:a</guid>", ""),
        ("<link>javascript:x</link>", ""),
        ("<link>http://[x/</link>", ""),
        ("<link>https://ada:secret@digests.example/</link>", ""),
        ("<link>https://digests.example/a b</link>", ""),
        ("", ""),
    ],
)
def test_links_are_absolute_and_lead_to_pages(markup: str, link: str) -> None:
    assert one(rss(f"<title>Hot Papers 2021-06-22</title>{markup}")).link == link


@pytest.mark.parametrize(
    ("title", "link", "guid", "slug"),
    [
        ("2021-06-22", "https://x.org/posts/hot-2021-06-22.html?x#y", "", "hot-2021-06-22"),
        ("Hot Papers: 2021-06-22!", "https://x.org/?p=12", "", "hot-papers-2021-06-22"),
        ("Hot Papers 2021-06-22", "https://x.org/hot", "x", "hot-papers-2021-06-22"),
        ("Hot", "https://x.org/hot", "tag:x.org,2021:hot-2021-06-22", "hot-2021-06-22"),
        ("Hot", "https://x.org/posts/hot%20%2Fnews/", "urn:uuid:1", "news"),
        ("Hot News", "https://x.org/", "urn:uuid:1", "hot-news"),
        ("\N{SNOWMAN}", "", "urn:uuid:1", "1"),
        ("", "https://x.org", "", ""),
    ],
)
def test_slugs(title: str, link: str, guid: str, slug: str) -> None:
    shared = "<description>retweets: 1</description><pubDate>2021-06-23</pubDate>"
    named = f"<title>{title}</title><link>{link}</link><guid isPermaLink='false'>{guid}</guid>"
    assert one(rss(named + shared)).slug == slug


def test_a_title_that_yaml_would_misread() -> None:
    title = 'Hot: "Papers" \\ # 2021-06-22 \N{SNOWMAN}'
    item = one(rss(f"<title>{escape(title)}\n</title>"))
    assert read(item).title == title


def test_an_item_that_says_nothing_of_its_time_and_has_no_papers() -> None:
    found = read(one(rss("<title>Hot Papers 2021-06-22</title>")))
    assert found.published == datetime(2021, 6, 22, tzinfo=UTC)
    assert found.papers == ()


def test_an_item_without_a_title_is_called_by_its_slug() -> None:
    link = "<link>https://x.org/hot-2021-06-22</link>"
    found = read(one(rss(link + f"<description>{escape(HTML)}</description>")))
    assert found.title == "hot-2021-06-22"


UPDATED = "<atom:updated>2021-06-24T00:00:00Z</atom:updated>"


@pytest.mark.parametrize(
    ("markup", "published"),
    [
        ("<pubDate>Wed, 23 Jun 2021 12:32:04 +0200</pubDate>", "2021-06-23T10:32:04+00:00"),
        ("<dc:date>2021-06-23T10:32:04Z</dc:date>", "2021-06-23T10:32:04+00:00"),
        (UPDATED, "2021-06-24T00:00:00+00:00"),
        (f"{UPDATED}<atom:published>2021-06-23</atom:published>", "2021-06-23T00:00:00+00:00"),
        ("<pubDate>yesterday</pubDate>", "None"),
    ],
)
def test_times_of_publication(markup: str, published: str) -> None:
    item = one(rss(f"<title>2021-06-22</title>{markup}"))
    assert (item.published.isoformat() if item.published else "None") == published


def test_what_other_namespaces_and_nested_elements_say_is_not_the_items() -> None:
    item = one(
        atom(
            "<source><title>Other 2022-01-01</title><id>x</id></source>"
            '<x:title xmlns:x="http://search.yahoo.com/mrss/">Media</x:title>'
            "<title type='xhtml'><div>Hot <b>Papers</b> 2021-06-22</div></title>"
            "<title>Second</title><category term='a'/><category/>"
            "<content type='image/png'>x</content>"
            "<author><name>2023-01-01</name></author>"
        )
    )
    assert (item.title, item.slug) == ("Hot Papers 2021-06-22", "hot-papers-2021-06-22")
    assert (item.tags, item.markdown, item.html) == (("a",), "", "")


def test_other_posts_are_passed_over() -> None:
    dated = "<link>https://x.org/2021-06-24-holidays</link><pubDate>2021-06-24</pubDate>"
    none(rss(f"<title>Holidays</title>{dated}<description>We are away.</description>"))
    none(
        rss(
            f"<title>Holidays</title>{dated}<description>We are away.</description>"
            '<atom:link type="text/markdown" href="x.md"/>'
        )
    )
    none(rss("<title>Papers</title><description>retweets: 1</description>"))
    none(rss(""))


def test_a_digest_may_name_its_day_by_its_time_alone() -> None:
    item = one(
        rss(
            f"<title>Today</title><pubDate>2021-06-23</pubDate><description>{escape(HTML)}"
            "</description>"
        )
    )
    assert item.days == (date(2021, 6, 23), date(2021, 6, 23))


# Many items


def test_the_newest_is_found_wherever_it_stands() -> None:
    days = ["2021-06-20", "2021-06-22", "2020-12-31", "2021-06-21"]
    feed = rss(*map(post, days), "<title>Holidays</title><pubDate>2021-06-29</pubDate>")
    assert chosen(feed).slug == "hot-papers-2021-06-22"
    assert chosen(feed, date(2020, 12, 31)).slug == "hot-papers-2020-12-31"
    assert chosen(feed, "hot-papers-2021-06-21").days[0] == date(2021, 6, 21)
    assert choose(pieces(feed), BASE, "feed", "hot-papers-2021-06-19") is None
    assert choose(pieces(feed), BASE, "feed", date(2021, 6, 19)) is None


def test_of_two_for_one_day_the_last_one_published_is_the_newest() -> None:
    days = "<title>Hot Papers 2021-06-22</title><pubDate>2021-06-{}</pubDate><link>/{}</link>"
    feed = rss(
        days.format(23, "a"), days.format(25, "b"), days.format(24, "c"), days.format(25, "d")
    )
    assert chosen(feed).link == "https://digests.example/b"


def test_a_range_of_days_counts_by_its_last() -> None:
    feed = rss(
        "<title>Hot Papers 2020-10-30 - 2020-11-01</title>", "<title>Hot Papers 2020-10-31</title>"
    )
    assert chosen(feed).days == (date(2020, 10, 30), date(2020, 11, 1))
    assert chosen(feed, date(2020, 10, 30)).days == (date(2020, 10, 30), date(2020, 11, 1))


def test_rss_of_before_version_2() -> None:
    feed = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
        ' xmlns="http://purl.org/rss/1.0/"><channel><title>x</title></channel>'
        "<item><title>Hot Papers 2021-06-22</title></item></rdf:RDF>"
    )
    assert one(feed.encode()).title == "Hot Papers 2021-06-22"


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
def test_feeds_in_other_encodings(encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?>" + ATOM.format(
        "<entry><title>Hot Papers by Zoë 2021-06-22</title></entry>"
    )
    assert one(text.encode(encoding)).title == "Hot Papers by Zoë 2021-06-22"


# Memory and malice


def test_a_large_feed_is_read_in_little_memory() -> None:
    body = escape("<p>" + "words " * 5_000 + "</p>")

    def feed() -> Iterator[bytes]:
        before, after = RSS.split("{}")
        yield before.encode()
        for n in range(500):
            day = date.fromordinal(date(2021, 6, 22).toordinal() - (n * 7) % 500)
            yield f"<x>{'y' * 1000}</x><item>{post(str(day), body)}</item>".encode()
        yield after.encode()

    assert sum(map(len, feed())) > 15_000_000
    tracemalloc.start()
    item = choose(feed(), BASE, "feed", None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert item is not None
    assert item.slug == "hot-papers-2021-06-22"
    assert peak < 1_500_000


BOMB = '<!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
OUTSIDE = '<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize("declaration", [BOMB, OUTSIDE])
def test_entities_are_refused(declaration: str) -> None:
    feed = declaration.encode() + ATOM.format("<entry><title>&a;</title></entry>").encode()
    with pytest.raises(Malformed, match="it declares entities or elements, and those are refused"):
        none(feed)


def test_a_declaration_without_entities_is_not() -> None:
    declaration = b'<!DOCTYPE rss PUBLIC "-//x//DTD RSS 0.91//EN" "http://x.org/rss-0.91.dtd">'
    assert one(declaration + atom("<title>Hot Papers 2021-06-22</title>")).title


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        (b"<html><body/></html>", "feed:1: expected an RSS or Atom feed: found <html>"),
        (b"", "no element found"),
        (b"no xml", "syntax error"),
        (b"<rss>\n<item>\n&nbsp;</item></rss>", "feed:3: .*undefined entity"),
        (rss(post("2021-06-22"))[:-20], "expected an RSS or Atom feed"),
        (b"<?xml version='1.0' encoding='x-none'?><rss/>", "unknown encoding"),
        (b"<?xml version='1.0' encoding='shift_jis'?><rss/>", "multi-byte"),
        (b"<rss>\xff</rss>", "invalid token"),
    ],
)
def test_what_is_no_feed_is_malformed(feed: bytes, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        none(feed)


def test_elements_may_be_nested_deeper_than_any_page_nests_them_and_no_deeper() -> None:
    def nested(deep: int) -> bytes:
        html = "<b>" * deep + "</b>" * deep
        return rss(f"<title>2021-06-22</title><description>{html}</description>")

    assert one(nested(190)).html
    with pytest.raises(Malformed, match="its elements are nested more than 200 deep"):
        none(nested(100_000))


def test_an_item_that_is_too_large_costs_only_itself() -> None:
    large = rss(post("2021-06-24", "x" * LARGEST), post("2021-06-22"), "<b/>" * 60_000)
    notes: list[str] = []
    item = choose(pieces(large), BASE, "feed", None, notes)
    assert item is not None
    assert item.slug == "hot-papers-2021-06-22"
    said = "feed: items left out for their size (more than 1,000,000 characters or 50,000 elements)"
    assert notes == [f"{said}: 2"]


@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ("".join(f"<a{n}/>" for n in range(2_001)), "more than 2,000 different names"),
        ("".join(f"<a a{n}='x'/>" for n in range(2_001)), "more than 2,000 different names"),
        ("".join(f"<a xmlns:a{n}='x'/>" for n in range(2_001)), "more than 2,000 different names"),
        (f"<a a='{'x' * 300_000}'/>", "a tag or comment in it is longer than 262,144 bytes"),
        (f"<!--{'x' * 300_000}-->", "a tag or comment in it is longer than 262,144 bytes"),
    ],
    ids=["elements", "attributes", "prefixes", "a tag", "a comment"],
)
def test_what_the_parser_would_keep_is_bounded(feed: str, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        none(rss(feed))


def test_as_many_large_items_are_kept_as_there_is_room_for_the_oldest_of_them() -> None:
    days = [f"2021-06-{day}" for day in range(10, 30)]
    notes: list[str] = []
    feed = rss(*(post(day, f"\U0001f308{'x' * 900_000}") for day in reversed(days)))
    found = later(pieces(feed), BASE, "feed", date(2021, 6, 1), 20, notes)
    assert [str(item.days[1]) for item in found] == days[:2]
    assert notes == ["feed: 18 later digests are not read at this look: they are large"]


@pytest.mark.parametrize("encoding", ["utf-7", "idna", "punycode", "unicode_escape"])
def test_codecs_that_no_feed_is_written_in_are_unknown(encoding: str) -> None:
    feed = FeedText([f"<?xml version='1.0' encoding='{encoding}'?><rss/>".encode()])
    with pytest.raises(Malformed, match=f"unknown encoding: {encoding}"):
        [*items(feed, BASE, "feed")]


def tolerates(feed: bytes) -> None:
    try:
        item = choose(pieces(feed, 50), BASE, "feed", None)
        if item:
            read(item)
    except BotError:
        pass


@given(st.binary())
def test_any_bytes_are_a_feed_or_malformed(feed: bytes) -> None:
    tolerates(feed)


TAGS = ("item", "entry", "title", "link", "guid", "pubDate", "content", "description", "feed", "p")
words = st.sampled_from(
    [
        *(f"<{tag}>" for tag in TAGS),
        *(f"</{tag}>" for tag in TAGS),
        "<content type='text/markdown'>",
        "<link href='http://[x' type='text/markdown'/>",
        "Hot Papers 2021-06-22",
        "0001-01-01T00:00:00+14:00",
        "&lt;h1&gt;1. x",
        "# 1. x\n\n- retweets: 1",
        "---\n",
        "<![CDATA[",
        "]]>",
    ]
)


@given(st.lists(words | st.text(max_size=4)).map("".join))
def test_any_soup_of_elements_is_a_feed_or_malformed(soup: str) -> None:
    tolerates(RSS.format(f"<item>{soup}</item>").encode())
    tolerates(f"<rss>{soup}".encode())


def fed(*pieces: bytes, charset: str = "") -> tuple[list[Item], int]:
    text = FeedText(pieces, charset)
    return list(items(text, "https://papers.example/feed", "the feed")), text.replaced


def one_item(title: bytes, head: bytes = b"") -> bytes:
    return (
        head
        + b"<rss><channel><item><title>"
        + title
        + b"</title><link>https://papers.example/2026-02-28/x</link><description>&lt;p&gt;"
        + title
        + b"&lt;/p&gt;</description><pubDate>Sat, 28 Feb 2026 10:00:00 GMT</pubDate></item>"
    )


@pytest.mark.parametrize("before", [b"\n", b" \r\n\t", b"\xef\xbb\xbf\n", b"\n\xef\xbb\xbf"])
def test_blanks_before_the_declaration_harm_nothing(before: bytes) -> None:
    feed = before + one_item(b"Hot Papers 2026-02-28", b'<?xml version="1.0"?>')
    whole, replaced = fed(feed + b"</channel></rss>")
    assert (len(whole), replaced) == (1, 0)
    assert fed(*(feed[n : n + 1] for n in range(len(feed))), b"</channel></rss>") == (whole, 0)


@pytest.mark.parametrize(
    ("head", "charset", "encoding"),
    [
        (b"", "iso-8859-1", "iso-8859-1"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?>', "", "iso-8859-1"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?>', "utf-8", "iso-8859-1"),
        (b'<?xml version="1.0" encoding="utf-16"?>', "", "utf-8"),
        (b'<?xml version="1.0"?>', "", "utf-8"),
    ],
)
def test_the_encoding_is_the_feeds_own_or_else_the_servers(
    head: bytes, charset: str, encoding: str
) -> None:
    feed = one_item("Papers é 2026-02-28".encode(encoding), head) + b"</channel></rss>"
    (item,), replaced = fed(feed, charset=charset)
    assert "Papers é" in item.text()
    assert replaced == 0


def test_utf_16_is_told_by_its_mark() -> None:
    feed = (one_item(b"Papers 2026-02-28") + b"</channel></rss>").decode().encode("utf-16")
    assert len(fed(feed)[0]) == 1


@pytest.mark.parametrize("bad", [b"\xff", b"\xe9", b"\x0b", b"\x00", b"\xed\xa0\x80"])
def test_a_wrong_byte_costs_no_item_and_is_counted(bad: bytes) -> None:
    feed = one_item(b"Old 2026-02-27" + bad) + one_item(b"New 2026-02-28").partition(b"<item>")[2]
    feed = feed.replace(b"<title>New", b"<item><title>New") + b"</channel></rss>"
    found, replaced = fed(feed)
    assert len(found) == 2
    assert replaced >= 1


@pytest.mark.parametrize("charset", ["klingon", "zip", "base64"])
def test_an_encoding_that_is_none_is_said(charset: str) -> None:
    with pytest.raises(Malformed, match="expected an RSS or Atom feed"):
        fed(one_item(b"Papers 2026-02-28") + b"</channel></rss>", charset=charset)
