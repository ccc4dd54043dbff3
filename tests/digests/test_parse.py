from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.parse import days_in, head, parse
from bot.digests.tweets import LONGEST
from bot.errors import Malformed
from bot.http.urls import page_address, slug_of
from bot.model import Digest, Mention, Paper
from tests.helpers.digest_writer import digests, tweeted, write
from tests.helpers.paths import SAMPLES, corpus, corpus_only
from tests.helpers.sample_digests import digest

FRONT = """\
---
title: Hot Papers 2021-06-22
date: 2021-06-23T10:32:04.Z
draft: false
slug: "hot-papers-2021-06-22"
tags:
  - "arXiv"
  - "Machine Learning"
---
"""
PAPER = """\
# {rank}. A  Title with *stars*, a_b & $x$

Ada Lovelace, Fatma G√ºney

- retweets: 1,317, favorites: 401 (06/23/2021 10:32:04)

- links: [abs](https://arxiv.org/abs/{id}) | [pdf](https://arxiv.org/pdf/{id})
- [cs.LG](https://arxiv.org/list/cs.LG/recent) | [stat.ML](https://arxiv.org/list/stat.ML/recent)

We \\emph{{show}} 5 < 6.

<blockquote class="twitter-tweet"><p lang="en" dir="ltr">New &amp; <a href="https://t.co/a">#hot</a><br>!</p>&mdash; Ada (x) (@ada_sample) <a href="https://twitter.com/ada_sample/status/1?a=1&amp;b=2">June 22, 2021</a></blockquote>
<script async src="https://platform.twitter.com/widgets.js" charset="utf-8"></script>




"""  # noqa: E501 - a tweet is one line


def one(text: str) -> tuple[Paper, tuple[str, ...]]:
    digest, warnings = parse(FRONT + text, "x.md")
    (paper,) = digest.papers
    return paper, warnings


def paper(rank: int = 1, arxiv_id: str = "2106.10934") -> str:
    return PAPER.format(rank=rank, id=arxiv_id)


def test_everything_a_digest_holds_arrives_as_it_stands() -> None:
    digest, warnings = parse(FRONT + paper(), "x.md", url="https://example.org/p")
    assert warnings == ()
    assert digest == Digest(
        slug="hot-papers-2021-06-22",
        title="Hot Papers 2021-06-22",
        day=date(2021, 6, 22),
        last_day=date(2021, 6, 22),
        published=datetime(2021, 6, 23, 10, 32, 4, tzinfo=UTC),
        tags=("arXiv", "Machine Learning"),
        url="https://example.org/p",
        ranked_by="retweets and likes on Twitter",
        papers=(
            Paper(
                rank=1,
                title="A  Title with *stars*, a_b & $x$",
                authors=("Ada Lovelace", "Fatma G√ºney"),
                metrics=tweeted(1317, 401, datetime(2021, 6, 23, 10, 32, 4, tzinfo=UTC)),
                arxiv_id="2106.10934",
                abs_url="https://arxiv.org/abs/2106.10934",
                pdf_url="https://arxiv.org/pdf/2106.10934",
                categories=("cs.LG", "stat.ML"),
                abstract="We \\emph{show} 5 < 6.",
                mentions=(
                    Mention(
                        author="Ada (x)",
                        handle="ada_sample",
                        text="New & #hot\n!",
                        language="en",
                        url="https://twitter.com/ada_sample/status/1?a=1&b=2",
                        date=date(2021, 6, 22),
                    ),
                ),
            ),
        ),
    )


@given(digests())
def test_any_digest_reads_back_the_same(digest: Digest) -> None:
    assert parse(write(digest), "x.md") == (digest, ())


@given(digests(max_papers=2))
def test_line_ends_and_a_byte_order_mark_change_nothing(digest: Digest) -> None:
    text = write(digest)
    windows = ("\ufeff" + text.replace("\n", "\r\n")).encode()
    assert parse(windows, "x.md") == parse(text, "x.md")


@given(digests(max_papers=2), st.data())
def test_a_digest_cut_anywhere_gives_a_digest_or_says_what_is_missing(
    digest: Digest, data: st.DataObject
) -> None:
    raw = write(digest).encode()
    cut = raw[: data.draw(st.integers(0, len(raw)))]
    try:
        read, _ = parse(cut, "x.md")
    except Malformed as error:
        assert error.message.startswith("x.md:")
    else:
        assert {p.arxiv_id for p in read.papers} <= {p.arxiv_id for p in digest.papers} | {
            p.arxiv_id[:-1] for p in digest.papers
        }


@given(st.one_of(st.binary(), st.text()))
def test_anything_else_is_malformed(text: str | bytes) -> None:
    with pytest.raises(Malformed, match=r"^x\.md:[0-9]+: expected"):
        parse(text, "x.md")


@given(st.lists(st.sampled_from([*FRONT.splitlines(), *paper().splitlines(), "#", "# 2. ", "x"])))
def test_lines_in_any_order_never_break_it(lines: list[str]) -> None:
    try:
        digest, _ = parse(FRONT + "\n".join(lines), "x.md")
    except Malformed as error:
        assert error.line >= 1
    else:
        assert len({p.arxiv_id for p in digest.papers}) == len(digest.papers)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.md:1: expected `---`, the line that opens the front matter"),
        ("---\ntitle: a\n", "x.md:3: expected `---`, the line that closes the front matter"),
        ("---\ndate: 2021-01-01\n---\n", "x.md:1: expected `title:` with a value"),
        ("---\ntitle: a\n---\n", "x.md:1: expected `date:` with a value"),
        ("---\ntitle:\ndate: 2021-01-01\n---\n", "x.md:2: expected `title:` with a value"),
        ("---\ntitle: a\ndate: soon\n---\n", "x.md:3: expected a date like 2021-02-12T09:39:48.Z"),
        ("---\ntitle: a\ndate: 0001-01-01T00:00:00+09:00\n---\n", "x.md:3: expected a date like"),
        (FRONT + "\nhello\n", "x.md:11: expected `# 1. Title`, the heading of a paper"),
        (FRONT + "# 1. Alone\n", "x.md:10: no paper can be read here: x.md:10: expected a line"),
        (b"---\ntitle: \xff\n---\n", "x.md:2: expected UTF-8, found byte 0xff"),
        ("---\ntitle: \0\n---\n", "x.md:2: expected text, found a NUL"),
    ],
)
def test_what_is_no_digest_is_said_with_its_line(text: str | bytes, message: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(text, "x.md")
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("# 1. A  Title", "# A  Title", "expected a heading like `# 1. Title`"),
        ("# 1. A  Title with *stars*, a_b & $x$", "# 1. ", "expected a heading like"),
        (
            "- retweets: ",
            "- retweets: many, of ",
            "expected a line like `- retweets: 12, favorites: ",
        ),
        ("https:", "mailto:", "expected a line like `- links: [abs](https://arxiv.org/"),
        ("arxiv.org/", "arxiv.org@example.org/", "expected a line like `- links: [abs]"),
    ],
)
def test_a_malformed_paper_is_left_out_and_costs_the_others_nothing(
    old: str, new: str, warning: str
) -> None:
    digest, warnings = parse(FRONT + paper().replace(old, new) + paper(2, "2106.11189"), "x.md")
    assert [p.arxiv_id for p in digest.papers] == ["2106.11189"]
    (found,) = warnings
    assert found.startswith(("x.md:10: ", "x.md:14: "))
    assert warning in found


@pytest.mark.parametrize(
    ("line", "counts", "ranking"),
    [
        (
            "- upvotes: 67, comments: 3",
            (("upvotes", 67), ("comments", 3)),
            "upvotes on Hugging Face",
        ),
        ("- Points: 1,234", (("points", 1234),), "points on Hacker News"),
        ("- shares: 5, stars: 6", (("shares", 5), ("stars", 6)), "shares"),
        ("", (), ""),
    ],
)
def test_a_digest_has_the_counts_that_it_names(
    line: str, counts: tuple[tuple[str, int], ...], ranking: str
) -> None:
    text = re.sub("- retweets: .*", line, paper())
    digest, warnings = parse(FRONT + text, "x.md")
    assert warnings == ()
    assert (digest.papers[0].metrics.counts, digest.ranked_by) == (counts, ranking)
    assert digest.papers[0].authors == one(paper())[0].authors
    assert digest.papers[0].abstract == one(paper())[0].abstract


def test_a_count_of_an_unknown_name_is_left_out_with_a_warning() -> None:
    read, warnings = one(paper().replace("- retweets: ", "- retwets: "))
    assert read.metrics.counts == (("favorites", 401),)
    assert warnings == ("x.md:14: the count 'retwets' is not known, and is left out",)


def test_a_line_of_the_abstract_is_no_line_of_counts() -> None:
    text = re.sub("- retweets: .*\n\n", "", paper()).replace("5 < 6.", "5 < 6:\n- points: 3")
    read, _ = one(text)
    assert (read.metrics.counts, read.abstract) == ((), "We \\emph{show} 5 < 6:\n- points: 3")


@pytest.mark.parametrize(
    ("links", "key", "link"),
    [
        (
            "[abs](https://www.biorxiv.org/12) | [doi](https://doi.org/10.1101/2021.05.11.443555)",
            "10.1101/2021.05.11.443555",
            "https://doi.org/10.1101/2021.05.11.443555",
        ),
        ("[abs](https://example.org/papers/12)", *["https://example.org/papers/12"] * 2),
        (
            "[page](https://example.org/12) | [pdf](https://arxiv.org/pdf/2106.10934v2)",
            "2106.10934",
            "https://arxiv.org/abs/2106.10934",
        ),
    ],
)
def test_a_paper_is_known_by_its_arxiv_id_or_doi_or_address(
    links: str, key: str, link: str
) -> None:
    read, warnings = one(re.sub("- links: .*", f"- links: {links}", paper()))
    assert (read.key, read.link, warnings) == (key, link, ())


def test_front_matter_names_ranking_and_source() -> None:
    lines = "ranked: upvotes on Hugging Face\nsource: https://huggingface.co/papers\n---\n"
    digest, _ = parse(FRONT.replace("---\n", lines).replace(lines, "---\n", 1) + paper(), "x.md")
    assert digest.ranked_by == "upvotes on Hugging Face"
    assert digest.source == "https://huggingface.co/papers"


def test_a_paper_that_stands_twice_is_read_once_and_a_rank_twice_is_kept() -> None:
    text = paper() + paper(2) + paper(1, "2106.11189")
    digest, warnings = parse(FRONT + text, "x.md")
    assert [(p.rank, p.arxiv_id) for p in digest.papers] == [(1, "2106.10934"), (1, "2106.11189")]
    assert "2106.10934 stands twice" in warnings[0]
    assert "rank 1 stands twice" in warnings[1]


def test_a_tweet_of_another_shape_is_left_out_with_a_warning() -> None:
    for old, new in ((" lang=", "x"), ("<p ", "<q "), ("(@", "("), ("</p>", "")):
        read, warnings = one(paper().replace(old, new))
        assert read.abstract == "We \\emph{show} 5 < 6."
        if old != " lang=":
            assert read.mentions == ()
            assert warnings == ("x.md:21: a tweet that cannot be read is left out",)


def test_a_tweet_over_several_lines_and_one_never_closed() -> None:
    read, _ = one(paper().replace("<br>", "<br>\n").replace("June 22", "June 31"))
    assert read.mentions[0].text == "New & #hot\n\n!"
    assert read.mentions[0].date is None
    read, warnings = one(paper().replace("</a></blockquote>", ""))
    assert (read.mentions, len(warnings)) == ((), 1)


def test_another_publishers_lines_are_passed_over() -> None:
    text = (
        paper()
        .replace("Ada Lovelace,", "- code: yes\n\nAda Lovelace,\n")
        .replace("- retweets", "Some University\n\n- retweets")
        .replace("We \\emph", "- comments: 3\n\n![figure](a.png)\n\nWe \\emph")
    )
    read, warnings = one(text + "after the tweet\n")
    assert read == one(paper())[0]
    assert warnings == ()


def test_an_abstract_keeps_its_paragraphs_and_its_bullets() -> None:
    read, _ = one(paper().replace("5 < 6.", "5 < 6:\n- [one](two)\n\nEnd."))
    assert read.abstract == "We \\emph{show} 5 < 6:\n- [one](two)\n\nEnd."


def test_without_an_abs_link_the_pdf_gives_the_id() -> None:
    read, _ = one(paper().replace("[abs](https://arxiv.org/abs/2106.10934) | ", ""))
    assert (read.arxiv_id, read.abs_url) == ("2106.10934", "https://arxiv.org/abs/2106.10934")


@pytest.mark.parametrize(
    ("link", "arxiv_id"),
    [
        ("http://arxiv.org/abs/2106.10934v3", "2106.10934"),
        ("https://export.arxiv.org/pdf/2106.10934v12.pdf", "2106.10934"),
        ("https://arxiv.org/abs/math.GT/0309136", "math/0309136"),
        ("https://arxiv.org/abs/hep-th/9901001v1", "hep-th/9901001"),
    ],
)
def test_an_arxiv_id_has_no_version_and_no_subject_class(link: str, arxiv_id: str) -> None:
    text = paper().replace("https://arxiv.org/abs/2106.10934", link)
    assert one(text)[0].arxiv_id == arxiv_id


@pytest.mark.parametrize("moment", ["", " (yesterday)", " (13/45/2021 10:32:04)"])
def test_a_count_without_a_time_still_counts(moment: str) -> None:
    read, _ = one(paper().replace(" (06/23/2021 10:32:04)", moment))
    assert read.metrics == tweeted(1317, 401)


def test_a_line_as_long_as_a_digest_may_be_is_read_in_one_go() -> None:
    long = "ab <[(@ " * (900_000 // 8)
    for old in ("5 < 6.", "<br>", "*stars*", "[pdf]", " (06/23", "(x)"):
        digest, _ = parse(FRONT + paper().replace(old, long) + paper(2, "2106.11189"), "x.md")
        assert digest.papers[-1].arxiv_id == "2106.11189"


@pytest.mark.parametrize(
    ("front", "first", "last"),
    [
        ("slug: hot-2020-10-30---2020-11-01", (2020, 10, 30), (2020, 11, 1)),
        ("slug: hot", (2021, 5, 1), (2021, 5, 3)),
        ("slug: hot-2021-99-99", (2021, 5, 1), (2021, 5, 3)),
    ],
)
def test_the_days_are_the_slugs_else_the_titles(
    front: str, first: tuple[int, int, int], last: tuple[int, int, int]
) -> None:
    text = f"---\ntitle: Hot Papers 2021-05-01 - 2021-05-03\ndate: 2021-05-04\n{front}\n---\n"
    digest, _ = parse(text, "x.md", day=date(1999, 1, 1))
    assert (digest.day, digest.last_day) == (date(*first), date(*last))


def test_the_day_is_else_the_file_names_else_that_of_publication() -> None:
    text = "---\ntitle: Hot\ndate: 2021-05-04T23:00:00-05:00\n---\n"
    named, _ = parse(text, "x.md", day=date(2021, 5, 3))
    assert (named.day, named.last_day, named.slug) == (
        date(2021, 5, 3),
        date(2021, 5, 3),
        "2021-05-03",
    )
    unnamed, _ = parse(text, "x.md")
    assert (unnamed.day, unnamed.slug) == (date(2021, 5, 5), "2021-05-05")
    assert unnamed.published == datetime(2021, 5, 5, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("plain # a comment", "plain"),
        ("'it''s'", "it's"),
        ('"a \\"b\\" \\u00e9\\x21\\n" # c', 'a "b" é!'),
        ('"\\UFFFFFFFF"', "\\UFFFFFFFF"),
        ('"\\ud83d\\ude00 \\ud83d"', "😀 \ufffd"),
        ('"never closed', '"never closed'),
        (">\n  folded\n\n  over lines", "folded over lines"),
        ("C#", "C#"),
        ("", ""),
    ],
)
def test_front_matter_values(written: str, read: str) -> None:
    text = FRONT.replace("draft: false", f"description: {written}\nother: {{a: [b\n  odd: !x")
    digest, _ = parse(text, "x.md")
    assert digest.description == read


@pytest.mark.parametrize("word", ["true", "True", '"yes"'])
def test_drafts_and_inline_tags(word: str) -> None:
    text = FRONT.replace("draft: false", f"draft: {word}\ntags: [a, 'b c', ]")
    text = text.replace('tags:\n  - "arXiv"\n  - "Machine Learning"\n', "")
    digest, _ = parse(text, "x.md")
    assert (digest.draft, digest.tags, digest.papers) == (True, ("a", "b c"), ())


def test_the_head_of_a_cut_digest_tells_slug_day_and_time() -> None:
    assert head(FRONT + "# 1. cut he") == (
        "hot-papers-2021-06-22",
        date(2021, 6, 22),
        datetime(2021, 6, 23, 10, 32, 4, tzinfo=UTC),
    )
    assert head("---\ntitle: About us\n---\n") == ("", None, None)


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("2021-06-22---Hot-Papers.md", (date(2021, 6, 22), date(2021, 6, 22))),
        ("Hot 2020-11-01 - 2020-10-30", (date(2020, 10, 30), date(2020, 11, 1))),
        ("12021-06-22", None),
        ("2021-06-31", None),
        ("README", None),
    ],
)
def test_days_in_a_name(name: str, days: tuple[date, date] | None) -> None:
    assert days_in(name) == days


def test_the_samples_are_whole() -> None:
    for path in sorted(SAMPLES.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        digest, warnings = parse(text, path.name)
        assert warnings == ()
        assert len(digest.papers) == len(re.findall(r"(?m)^# ", text)) > 0


@corpus_only
@pytest.mark.parametrize("path", corpus(), ids=lambda path: path.stem[:10])
def test_the_corpus_comes_out_whole(path: Path) -> None:
    compare_with_raw_lines(str(path))


def compare_with_raw_lines(path: str) -> None:
    """Hold every field against the raw lines, by another way of reading: position, not pattern."""
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123 - newline kept as it is
        raw = file.read()
    digest, warnings = parse(raw.encode(), path)
    assert warnings == ()
    front, _, body = raw[4:].partition("\n---\n")
    given = dict(entry.split(": ", 1) for entry in front.split("\n") if ": " in entry)
    assert (digest.title, digest.slug) == (given["title"], json.loads(given["slug"]))
    assert f"{digest.published:%Y-%m-%dT%H:%M:%S}.Z" == given["date"]
    assert digest.day.isoformat() in path
    assert [f'  - "{tag}"' for tag in digest.tags] == [
        x for x in front.split("\n") if x[:2] == "  "
    ]
    blocks = ("\n" + body).split("\n# ")[1:]
    assert len(blocks) == len(digest.papers)
    for block, read in zip(blocks, digest.papers, strict=True):
        compare_paper(block.split("\n"), read)


def compare_paper(lines: list[str], read: Paper) -> None:
    assert f"{read.rank}. {read.title}" == lines[0]
    assert ", ".join(read.authors) == lines[2]
    counted = read.metrics
    assert counted.as_of
    assert (
        f"- retweets: {counted.number('retweets')}, favorites: {counted.number('favorites')} "
        f"({counted.as_of:%m/%d/%Y %H:%M:%S})" == lines[4]
    )
    assert f"- links: [abs]({read.abs_url}) | [pdf]({read.pdf_url})" == lines[6]
    assert read.abs_url == f"https://arxiv.org/abs/{read.arxiv_id}"
    listed = [f"[{c}](https://arxiv.org/list/{c}/recent)" for c in read.categories]
    assert "- " + " | ".join(listed) == lines[7]
    quoted = [x for x in lines[9:] if x.startswith("<blockquote")]
    prose = [x for x in lines[9:] if x and not x.startswith(("<blockquote", "<script"))]
    assert read.abstract == "\n".join(prose)
    assert len(read.mentions) == len(quoted)
    for mention, markup in zip(read.mentions, quoted, strict=True):
        compare_mention(mention, markup)


def compare_mention(mention: Mention, markup: str) -> None:
    inner, _, signature = markup.partition("</p>")
    shown = re.sub(r"<.*?>", "", inner.replace("<br>", "\n"))
    assert mention.text == unescape(shown)
    assert f'lang="{mention.language}"' in inner
    name, _, rest = signature.removeprefix("&mdash; ").rpartition(" (@")
    assert mention.author == unescape(name)
    assert rest.startswith(f'{mention.handle}) <a href="{mention.url.replace("&", "&amp;")}">')
    assert mention.date
    assert f"{mention.date:%B} {mention.date.day}, {mention.date.year}<" in rest


@pytest.mark.parametrize("written", ["0001-01-01", "9999-12-31T23:59:59Z", "1989-12-31"])
def test_a_date_at_an_end_of_the_calendar_is_no_date(written: str) -> None:
    """Days before and after it are reckoned with, and there are none."""
    text = f"---\ntitle: Hot Papers\ndate: {written}\nslug: hot\n---\n"
    with pytest.raises(Malformed, match="expected a date like"):
        parse(text, "x.md")


def test_a_day_at_an_end_of_the_calendar_names_no_day() -> None:
    assert days_in("hot-papers-9999-12-31") is None
    assert days_in("hot-papers-0001-01-01") is None
    text = "---\ntitle: Hot Papers 9999-12-31\ndate: 2026-03-01\nslug: hot-9999-12-31\n---\n"
    digest, _ = parse(text, "x.md")
    assert digest.day == date(2026, 3, 1)


HOSTILE = "@victim #spam $TSLA https://evil.example/x"


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://papers.example/a?b=c&d=1#e", "https://papers.example/a?b=c&d=1#e"),
        ("http://papers.example:8080/", "http://papers.example:8080/"),
        ("https://papers.example/@victim $TSLA", "https://papers.example/%40victim%20%24TSLA"),
        ("https://papers.example/a#b#c", "https://papers.example/a#b%23c"),
        (HOSTILE, ""),
        ("javascript:alert(1)", ""),
        ("https://", ""),
        ("https://user:pw@papers.example/", ""),
        ("https://papers.example:x/", ""),
        ("https://a b.example/", ""),
        ("ftp://papers.example/", ""),
        ("https://papers.example/" + "x" * 3_000, ""),
    ],
)
def test_the_page_of_a_digest_is_an_address_and_nothing_else(url: str, kept: str) -> None:
    assert page_address(url) == kept
    text = write(replace(digest("2021-06-22"), url=url))
    assert parse(text, "x")[0].url == kept


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("hot-papers-2021-06-22", "hot-papers-2021-06-22"),
        (f"2021-06-22 {HOSTILE}", "2021-06-22-victim-spam-TSLA-https-evil.example-x"),
        ("2021-06-22/../x", "2021-06-22-..-x"),
        ("été-2021-06-22", "ete-2021-06-22"),
        ("\x1b[2J2021-06-22", "2J2021-06-22"),
        ("2021-06-22" + "x" * 999, "2021-06-22" + "x" * 190),
        ("@@@", ""),
    ],
)
def test_a_slug_is_made_of_letters_digits_and_four_signs(written: str, made: str) -> None:
    assert slug_of(written) == made


def test_a_link_that_is_none_of_arxivs_is_not_taken() -> None:
    text = write(digest("2021-06-22"))
    (start, end) = text.index("[abs]("), text.index(")", text.index("[abs]("))
    hostile = text[:start] + "[abs](javascript:x" + text[end:]
    assert parse(hostile, "x")[0].papers[0].abs_url == "https://arxiv.org/abs/2106.00001"


def test_a_tweet_that_never_ends_costs_what_follows_no_more_than_its_own_cap() -> None:
    text = write(digest("2021-06-22"))
    start = text.index('<blockquote class="twitter-tweet">')
    unfinished = '<blockquote class="twitter-tweet">\n' + "words\n" * (2 * LONGEST // 6)
    made, warnings = parse(text[:start] + unfinished + text[start:], "x")
    assert [each.handle for each in made.papers[0].mentions] == ["ada_sample"]
    assert any("a tweet that cannot be read is left out" in each for each in warnings)


def test_a_digest_of_more_than_a_megabyte_is_refused_before_anything_is_made_of_it() -> None:
    for text in ("x" * 1_000_001, b"\xff" * 1_000_001):
        with pytest.raises(Malformed, match="x:1: expected a digest, found more than 1 MB"):
            parse(text, "x")


def test_papers_after_the_500th_are_left_out() -> None:
    papers = [PAPER.format(rank=n, id=f"2106.{n:05}") for n in range(1, 503)]
    digest, warnings = parse(FRONT + "".join(papers), "x")
    assert [paper.rank for paper in digest.papers] == list(range(1, 501))
    line = FRONT.count("\n") + 500 * PAPER.count("\n") + 1
    assert warnings == (f"x:{line}: papers after the first 500 are left out",)


def test_front_matter_ends_within_65_536_characters() -> None:
    filler = "k: v\n" * 12_000
    assert parse(FRONT.replace("draft", f"{filler}draft") + paper(), "x")[0].papers
    filler *= 2
    with pytest.raises(Malformed, match="the line that closes the front matter"):
        parse(FRONT.replace("draft", f"{filler}draft") + paper(), "x")


def test_a_hundred_tags_are_read() -> None:
    tags = FRONT.replace("tags:\n", "tags:\n" + "  - x\n" * 200)
    assert len(parse(tags + paper(), "x")[0].tags) == 100
