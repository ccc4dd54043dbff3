from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from bot.digests.parse import parse
from bot.errors import DoesNotFit, TemplateError
from bot.formatter.select import selected, tidied
from bot.formatter.views import counts_in_words, digest_view, in_words, titled
from bot.formatter.x.entities import EntityKind, entities
from bot.formatter.x.prices import thread_price
from bot.model import Digest, Links, Network, Paper, Post, Style, Thread
from tests.helpers.digest_writer import digests, tweeted
from tests.helpers.paths import corpus, corpus_only
from tests.helpers.rendered_threads import GOLDEN, account, digest, paper, sample, shown, thread

# --- What a person reads -------------------------------------------------------------------------


@pytest.mark.parametrize("day", ["2021-02-11", "2021-06-22", "2021-08-06"])
@pytest.mark.parametrize("network", Network)
def test_the_samples_make_the_threads_that_were_approved(day: str, network: Network) -> None:
    """To approve a change: look at the new text, then write it with tests/golden/approve."""
    approved = (GOLDEN / f"{day}-{network}.txt").read_text(encoding="utf-8")
    assert shown(thread(sample(day), account(network))) == approved


def test_a_single_post_packs_as_many_papers_as_fit() -> None:
    approved = (GOLDEN / "2021-08-06-single.txt").read_text(encoding="utf-8")
    single = account(style=Style.SINGLE)
    assert shown(thread(sample("2021-08-06"), single)) == approved


# --- Laws ----------------------------------------------------------------------------------------


def independent_length(network: Network, text: str) -> int:
    """Another count than the formatter's: no fast path, no pattern of its own."""
    links = re.findall(r"https://arxiv\.org/abs/\S+|https://example\.org/a-page", text)
    if network is Network.MASTODON:
        return len(text) + sum(max(0, 23 - len(link)) for link in links)
    if network is Network.TWITTER:
        for link in links:
            text = text.replace(link, "x" * 23, 1)
    else:
        return len(regex.findall(r"\X", text))
    light = ((0, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))
    return sum(1 if any(a <= ord(c) <= b for a, b in light) else 2 for c in text)


_VIRAMA = 9  # the combining class


def check_laws(made: Thread, source: Digest) -> None:
    to = made.account
    papers = {paper.arxiv_id: paper for paper in tidied(source).papers}
    assert len({post.text for post in made.posts}) == len(made.posts)
    assert [post.position for post in made.posts] == list(range(len(made.posts)))
    for post in made.posts:
        counted = independent_length(to.network, post.text)
        assert counted <= post.limit == to.max_characters
        joins = any(unicodedata.combining(char) == _VIRAMA for char in post.text)
        assert post.length <= counted or joins, "letters that a virama joins count apart"
        assert len(post.text.encode()) <= 3000
        assert post.token in post.text
        if post.part in papers:
            check_entry(post, papers[post.part])


def check_entry(post: Post, paper: Paper) -> None:
    assert post.text.startswith(f"{paper.rank}. ")
    assert counts_in_words(paper.metrics) in post.text
    assert paper.arxiv_id in post.text
    if "title" not in post.shortened:
        letters = re.sub(r"[^\w]", "", paper.title)
        assert re.sub(r"[^\w]", "", post.text.split("\n")[0]).endswith(letters)


@given(
    digests(),
    st.sampled_from(Network),
    st.sampled_from(Links),
    st.sampled_from(Style),
    st.integers(0, 3),
)
def test_every_post_of_any_digest_fits_and_holds_what_matters(
    source: Digest, network: Network, links: Links, style: Style, top: int
) -> None:
    to = account(network, links=links, style=style, top=top)
    made = thread(source, to)
    check_laws(made, source)
    assert thread(source, to) == made
    if not source.papers:
        assert made.posts == ()
    elif style is Style.THREAD:
        entries = [post.part for post in made.posts if post.part not in ("opening", "closing")]
        wanted = [paper.arxiv_id for paper in source.papers]
        assert entries == (wanted[:top] if top else wanted)


@given(digests(), st.sampled_from(Links))
def test_x_finds_nothing_alive_but_the_links_we_meant(source: Digest, links: Links) -> None:
    page = source.url and links is not Links.NONE
    for post in thread(source, account(links=links, top=0)).posts:
        meant = [source.url] if page and post.part == "closing" else []
        if links is Links.EVERY and post.part not in ("opening", "closing"):
            meant = [f"https://arxiv.org/abs/{post.part}"]
        assert [entity.text for entity in entities(post.text)] == meant


@pytest.mark.slow
@corpus_only
@pytest.mark.parametrize("network", Network)
def test_the_whole_corpus_is_legal_on_every_network(network: Network) -> None:
    for path in corpus():
        source, _ = parse(path.read_bytes(), path.name)
        made = thread(source, account(network, top=0))
        check_laws(made, source)
        if network is Network.TWITTER:
            for post in made.posts:
                kinds = [entity.kind for entity in entities(post.text)]
                assert kinds == ([EntityKind.URL] if post.token == post.part else [])


# --- Examples ------------------------------------------------------------------------------------


def test_an_empty_digest_makes_no_thread() -> None:
    assert thread(digest(), account()).posts == ()


def test_papers_go_out_by_rank_and_top_leaves_out_the_rest() -> None:
    made = thread(digest(paper(3), paper(1), paper(2)), account(top=2))
    assert [post.part for post in made.posts] == ["opening", "2106.10001", "2106.10002"]
    frame = "2 of 3 papers of 22 June 2021, ranked by retweets and likes on Twitter. Hot Papers"
    assert frame in made.posts[0].text


@pytest.mark.parametrize(
    ("links", "page", "cost"),
    [
        (Links.EVERY, "https://example.org/p", "0.615"),
        (Links.EVERY, "", "0.415"),
        (Links.CLOSING, "https://example.org/p", "0.245"),
        (Links.CLOSING, "", "0.045"),
        (Links.NONE, "https://example.org/p", "0.045"),
    ],
)
def test_links_are_where_the_account_wants_them_and_the_price_follows(
    links: Links, page: str, cost: str
) -> None:
    made = thread(digest(paper(1), paper(2), url=page), account(links=links))
    texts = [post.text for post in made.posts]
    assert thread_price(texts) == Decimal(cost)
    entry = "https://arxiv.org/abs/2106.10001" if links is Links.EVERY else "arXiv:2106.10001"
    assert texts[1].endswith("\n" + entry)
    assert (page in texts[-1]) is (links is not Links.NONE)


def test_bluesky_shows_an_address_without_its_scheme() -> None:
    made = thread(digest(paper()), account(Network.BLUESKY))
    assert made.posts[1].text.endswith("\narxiv.org/abs/2106.10001")


def test_hashtags_come_from_the_digest_or_the_account_and_not_on_x_unasked() -> None:
    source = digest(paper())
    opening = thread(source, account(Network.MASTODON)).posts[0].text
    assert opening.endswith("\n\n#arXiv #MachineLearning #ComputerScience")
    assert "#" not in thread(source, account()).posts[0].text
    assert thread(source, account(hashtags=("Science",))).posts[0].text.endswith("\n\n#Science")
    assert "#" not in thread(source, account(Network.MASTODON, hashtags=())).posts[0].text
    odd = replace(source, tags=("@evil", "2021", "!!", "c++ and más"))
    assert thread(odd, account(Network.MASTODON)).posts[0].text.endswith("#Evil #CAndMás")


def test_only_papers_of_the_wanted_categories_go_out_ranked_anew() -> None:
    source = digest(paper(1), paper(2, categories=("cs.CV",)), paper(3, categories=("cs.CV",)))
    chosen = selected(source, account(categories=("cs.CV", "cs.RO")))
    assert [(p.rank, p.arxiv_id) for p in chosen.papers] == [(1, "2106.10002"), (2, "2106.10003")]
    assert thread(source, account(categories=("math.AG",))).posts == ()


@pytest.mark.parametrize(
    ("entry", "left"),
    [
        ("2106.10001", [2, 3]),
        ("ada lovelace", []),
        ("Ada", [1, 2, 3]),
        ("NUMBER 2", [1, 3]),
        ("umber", [1, 2, 3]),
        ("C++", [1, 2]),
    ],
)
def test_exclude_takes_ids_authors_and_words_of_the_title(entry: str, left: list[int]) -> None:
    source = digest(paper(1), paper(2), paper(3, title="On C++"))
    chosen = selected(tidied(source), account(exclude=(entry,)))
    assert [int(p.arxiv_id[-1]) for p in chosen.papers] == left
    assert [p.rank for p in chosen.papers] == list(range(1, len(left) + 1))


def test_authors_are_shortened_first_and_said_to_be() -> None:
    many = tuple(f"Firstname Lastname{n}" for n in range(8))
    post = thread(digest(paper(authors=many)), account()).posts[1]
    assert ", ".join(many) in post.text
    assert post.shortened == ()
    post = thread(digest(paper(authors=many, title="T" * 150)), account()).posts[1]
    assert "\nFirstname Lastname0, Firstname Lastname1, … Firstname Lastname7 (+5)\n" in post.text
    assert post.shortened == ("authors", "areas")
    post = thread(digest(paper(authors=(*many, "Ninth"))), account()).posts[1]
    assert f"\n{', '.join(many)}, Ninth\n" in post.text
    post = thread(digest(paper(authors=("Ada Oswald", "Jo Bright"))), account()).posts[1]
    assert "\nAda Oswald & Jo Bright\n" in post.text
    assert "\n\n1,234" in thread(digest(paper(authors=())), account()).posts[1].text


def test_a_long_title_is_cut_last_at_a_word() -> None:
    title = "word " * 100
    post = thread(digest(paper(title=title)), account()).posts[1]
    assert post.text.startswith("1. word word")
    assert " word…\n" in post.text
    assert post.shortened == ("authors", "areas", "title")
    assert post.length > 270


def test_a_cut_brings_no_link_to_life() -> None:
    post = thread(digest(paper(title="foo.common" * 60, authors=("T" * 9,))), account()).posts[1]
    assert [entity.text for entity in entities(post.text)] == ["https://arxiv.org/abs/2106.10001"]
    for size in range(200):
        title = "T " * size + "see example.community pages" * 9
        post = thread(digest(paper(title=title)), account()).posts[1]
        assert len(entities(post.text)) == 1


def test_hostile_sizes_cost_nothing_but_themselves() -> None:
    huge = "x" * 1_000_000
    source = digest(paper(title=huge, authors=(huge,), abstract=huge), paper(2), title=huge)
    for network in Network:
        made = thread(source, account(network))
        assert len(made.posts) == 3
        assert made.posts[0].token == "x" * 59 + "… 2021-06-22"


def test_what_cannot_fit_is_an_error_with_the_template_to_change(tmp_path: Path) -> None:
    template = tmp_path / "default" / "closing.txt.j2"
    template.parent.mkdir()
    template.write_text("{{ digest.title }}" + "long " * 80)
    with pytest.raises(DoesNotFit, match="the post 'closing' is longer than 280") as caught:
        thread(digest(paper()), account(), tmp_path)
    assert str(template) in caught.value.fix
    with pytest.raises(DoesNotFit, match=r"the post '2106\.10001'"):
        thread(digest(paper()), account(max_characters=60, network=Network.BLUESKY))
    with pytest.raises(DoesNotFit, match="the post 'opening'"):
        thread(digest(paper()), account(max_characters=60, style=Style.SINGLE))


def test_a_template_must_say_the_token_and_may_say_no_closing(tmp_path: Path) -> None:
    folder = tmp_path / "default"
    folder.mkdir()
    (folder / "closing.txt.j2").write_text("{# nothing #}")
    assert thread(digest(paper()), account(), tmp_path).posts[-1].part == "2106.10001"
    (folder / "entry.txt.j2").write_text("{{ paper.title }}")
    with pytest.raises(
        TemplateError, match=r"entry\.txt\.j2:1: the post '2106.10001' does not contain"
    ):
        thread(digest(paper()), account(), tmp_path)


def test_a_single_post_takes_the_page_or_the_ids_and_shortens_a_long_title() -> None:
    single = account(style=Style.SINGLE)
    source = digest(*(paper(n) for n in range(1, 9)))
    (post,) = thread(source, single).posts
    assert post.text.endswith("\n\nand 5 more")
    assert "1. Title number 1, 1,234 retweets, 56 likes, arXiv:2106.10001\n" in post.text
    (post,) = thread(replace(source, url="https://example.org/p"), single).posts
    assert post.text.endswith("\n\nAll 8: https://example.org/p")
    assert "arXiv:" not in post.text
    (post,) = thread(digest(paper(title="word " * 60)), single).posts
    assert post.shortened == ("authors", "areas", "title")
    assert post.part == "opening"


def test_hashtags_go_before_an_opening_is_refused() -> None:
    made = thread(digest(paper()), account(hashtags=("Tag" * 30, "More" * 40)))
    assert "#" not in made.posts[0].text


def test_a_title_that_names_no_day_gets_it_and_days_have_words() -> None:
    assert titled(digest(title="Hot Papers")) == "Hot Papers 2021-06-22"
    days = digest(title="Hot 2020-10-30", day=date(2020, 10, 30), last_day=date(2020, 11, 1))
    assert titled(days) == "Hot 2020-10-30 2020-10-30 - 2020-11-01"
    assert in_words(date(2020, 10, 30), date(2020, 11, 1)) == "30 October to 1 November 2020"
    assert in_words(date(2020, 12, 31), date(2021, 1, 1)) == "31 December 2020 to 1 January 2021"


def test_a_digest_that_was_never_counted_does_not_say_when() -> None:
    counted, uncounted = digest(paper()), digest(paper(metrics=tweeted(1, 2)))
    assert digest_view(counted, account(), 1).counted == "23 June 2021, 10:32 UTC"
    assert digest_view(uncounted, account(), 1).counted == ""
