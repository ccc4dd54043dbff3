"""A digest as Markdown: reading it gives the same digest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from bot.digests.parse import parse
from bot.digests.write import author_name, markdown, one_line
from bot.model import Digest, Metrics, Paper
from tests.helpers.digest_writer import digests

PAPER = Paper(
    rank=1,
    title="On Clouds",
    authors=("Ada Sample",),
    metrics=Metrics((("upvotes", 67), ("comments", 3))),
    arxiv_id="",
    abs_url="https://journal.example.org/12",
    doi="10.1101/2021.05.11.443555",
    abstract="We weigh clouds.",
)
DIGEST = Digest(
    slug="daily-papers-2026-08-06",
    title="Daily Papers 2026-08-06",
    day=date(2026, 8, 6),
    last_day=date(2026, 8, 6),
    published=datetime(2026, 8, 7, tzinfo=UTC),
    papers=(PAPER,),
    url="https://huggingface.co/papers/date/2026-08-06",
    ranked_by="upvotes on Hugging Face",
    source="https://huggingface.co/papers",
)


def test_it_has_the_format_of_the_documents() -> None:
    assert (
        markdown(DIGEST)
        == """\
---
title: "Daily Papers 2026-08-06"
date: 2026-08-07T00:00:00Z
draft: false
slug: "daily-papers-2026-08-06"
url: "https://huggingface.co/papers/date/2026-08-06"
ranked: "upvotes on Hugging Face"
source: "https://huggingface.co/papers"
---

# 1. On Clouds

Ada Sample

- upvotes: 67, comments: 3

- links: [abs](https://journal.example.org/12) | [doi](https://doi.org/10.1101/2021.05.11.443555)

We weigh clouds.
"""
    )


def test_a_paper_without_counts_and_areas_is_read_back() -> None:
    bare = replace(DIGEST, ranked_by="", papers=(replace(PAPER, metrics=Metrics(), abstract=""),))
    assert parse(markdown(bare), "x.md") == (bare, ())


@given(digests())
def test_any_digest_is_read_back_the_same(digest: Digest) -> None:
    assert parse(markdown(digest), "x.md") == (digest, ())
    assert markdown(digest) == markdown(digest)


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(texts, st.lists(texts, max_size=3))
def test_any_text_of_a_service_becomes_one_that_is_read_back(text: str, names: list[str]) -> None:
    authors = tuple(filter(None, map(author_name, names)))
    paper = replace(PAPER, abstract=one_line(text), authors=authors)
    digest = replace(DIGEST, papers=(paper,))
    assert parse(markdown(digest), "x.md") == (digest, ())
