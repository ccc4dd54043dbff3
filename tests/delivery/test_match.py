"""Our own posts, as the networks give them back: known for ours, and nobody else's taken for it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.delivery.match import Recognised, ThreadMatcher
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import Account, Digest, Network, State
from bot.posters.mastodon import answers as mastodon_answers
from bot.posters.poster import RemotePost
from bot.posters.twitter import answers as twitter_answers
from bot.sandbox.mastodon.behaviour import GOTOSOCIAL, MASTODON, TAKAHE, MastodonBehaviour
from bot.sandbox.mastodon.pages import Place, ProfilePage, status
from bot.sandbox.service import Stored
from bot.sandbox.x.behaviour import FieldNames
from bot.sandbox.x.text import post_object
from tests.helpers.fake_world import MORNING, digest
from tests.helpers.fault_scenarios import cached_thread

# Bluesky gives a text back as it is, and there a post is known by its key.
X, M = NETWORKS = (Network.TWITTER, Network.MASTODON)
ACCOUNTS = {X: Account("twitter", X), M: Account("mastodon", M, max_characters=500)}
FIELDS = {"created_at", "entities", "referenced_tweets", "attachments"}


def stored(source: Digest, network: Network, sent: int = 0) -> StoredThread:
    """The thread as a ledger has it that knows of the first `sent` posts."""
    thread = cached_thread(source, ACCOUNTS[network])
    posts = tuple(
        StoredPost(
            position=post.position,
            part=post.part,
            key=f"key of {post.part}",
            text=post.text,
            token=post.token,
            media=(),
            state=State.SENT if post.position < sent else State.PLANNED,
            id=str(post.position + 1) if post.position < sent else "",
            url="",
            tries=0,
            tried_at=None,
            doubted_at=None,
            misses=0,
            missed_after=0.0,
            reason="",
        )
        for post in thread.posts
    )
    return StoredThread(
        number=1,
        account=thread.account.name,
        network=network,
        digest=source.slug,
        day=source.day,
        generation=0,
        title=source.title,
        published=source.published,
        fingerprint="",
        language="en",
        visibility="public",
        planned_at=MORNING,
        looked_at=None,
        checked_at=None,
        posts=posts,
    )


def as_x(text: str, number: str, parent: str | None, application: str = "bot") -> RemotePost:
    """A post of ours after X had it: t.co links, entities, NFC, no white space at its ends."""
    post = Stored(number, text, "1", MORNING, parent, application=application)
    item = post_object(post, FieldNames.TWEETS, FIELDS)
    seen = twitter_answers.seen(json.loads(json.dumps(item)))
    assert seen is not None
    return seen


def as_mastodon(text: str, number: str, parent: str | None, application: str = "bot") -> RemotePost:
    """A post of ours after a server had it: HTML."""
    post = Stored(number, text, "1", MORNING, parent, application=application)
    above = Stored(parent, "", "1", MORNING) if parent else None
    place = Place("https://example.social", MASTODON, ProfilePage(), "1")
    seen = mastodon_answers.seen(status(place, post, above))
    assert seen is not None
    return seen


def recognise(
    thread: StoredThread,
    seen: Sequence[RemotePost],
    others: Collection[str] = (),
    application: str = "",
) -> Recognised:
    return ThreadMatcher(thread, seen, others, application, as_planned=True).recognise()


AS = {X: as_x, M: as_mastodon}
APPLICATION = {X: "", M: "bot"}


def chain(thread: StoredThread, altered: Mapping[int, str] | None = None) -> list[RemotePost]:
    """The whole thread as it is read back, newest first."""
    texts = [post.text for post in thread.posts]
    for position, text in (altered or {}).items():
        texts[position] = text
    numbers = [str(number) for number in range(1, len(texts) + 1)]
    parents = [None, *numbers[:-1]]
    read = AS[thread.network]
    made = [read(*each) for each in zip(texts, numbers, parents, strict=True)]
    return made[::-1]


def adopted(thread: StoredThread, seen: Sequence[RemotePost]) -> dict[int, str]:
    found = recognise(thread, seen, application=APPLICATION[thread.network])
    assert not found.unclear
    return {position: one.id for position, one in found.adopted.items()}


def whole(thread: StoredThread) -> dict[int, str]:
    return {post.position: str(post.position + 1) for post in thread.posts}


AWKWARD = (
    "Café & <b>Co</b> &amp; Rate < 5 > 4; “a” – 😀👩‍🔬 e\u0301 x² https://example.org/a?b=1&c=2/"
)


def awkward(papers: int = 3) -> Digest:
    source = digest(papers)
    odd = tuple(replace(one, title=f"{AWKWARD} {one.rank}") for one in source.papers)
    return replace(source, papers=odd)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("source", [digest(3), awkward()], ids=["plain", "awkward"])
@pytest.mark.parametrize("sent", [0, 1, 3, 5])
def test_what_comes_back_altered_is_ours(network: Network, source: Digest, sent: int) -> None:
    thread = stored(source, network, sent)
    unknown = {position: there for position, there in whole(thread).items() if position >= sent}
    assert adopted(thread, chain(thread)) == unknown


@pytest.mark.parametrize(
    "server", [MASTODON, GOTOSOCIAL, TAKAHE], ids=lambda server: server.version
)
def test_html_of_each_server_is_undone(server: MastodonBehaviour) -> None:
    thread = stored(awkward(), M)
    place = Place("https://example.social", server, ProfilePage(), "1")
    post = Stored("1", thread.posts[0].text, "1", MORNING)
    seen = mastodon_answers.seen(status(place, post, None))
    assert seen is not None
    found = recognise(thread, [seen])
    assert list(found.adopted) == [0]


@pytest.mark.parametrize("network", NETWORKS)
def test_white_space_and_forms_of_letters_make_no_difference(network: Network) -> None:
    thread = stored(awkward(), network)
    for alter in (
        lambda text: f"{text}  \n",
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: unicodedata.normalize("NFC", text),
        lambda text: text.replace("\n", "\r\n"),
    ):
        altered = {post.position: alter(post.text) for post in thread.posts}
        assert adopted(thread, chain(thread, altered)) == whole(thread)


# Nobody else's ------------------------------------------------------------------------------------

NEIGHBOURS = (
    digest(3, date(2026, 2, 27)),
    digest(3, date(2026, 3, 1)),
    digest(3, date(2026, 2, 25), title="HOT PAPERS 2026-02-28", slug="shouted"),
    digest(3, date(2026, 2, 25), title="Hot Papers 2026-02-28 - 2026-03-01", slug="range"),
    digest(3, date(2026, 2, 25), title="Hot Papers 2026-02-2", slug="cut"),
    digest(3, date(2026, 2, 25), title="Hot Papers 2026-02-28", slug="of the same title"),
)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("other", NEIGHBOURS, ids=lambda other: other.title)
def test_a_digest_with_nearly_the_same_opening_is_another(network: Network, other: Digest) -> None:
    """Its thread is there, read in full, by our own application: none of it is this one's."""
    thread = stored(digest(3), network)
    read = chain(stored(other, network))
    found = recognise(thread, read, application=APPLICATION[network])
    assert dict(found.adopted) == {}
    both = [*_renumbered(chain(thread), 10), *read]
    assert adopted(thread, both) == {at: str(int(n) + 10) for at, n in whole(thread).items()}


def _renumbered(read: Sequence[RemotePost], more: int) -> list[RemotePost]:
    return [
        replace(
            one,
            id=str(int(one.id) + more),
            parent=str(int(one.parent) + more) if one.parent else "",
        )
        for one in read
    ]


IDS = st.from_regex(r"26(0[1-9]|1[0-2])\.[0-9]{4,5}", fullmatch=True)


@pytest.mark.parametrize("network", NETWORKS)
def test_ids_that_begin_with_one_another_are_two(network: Network) -> None:
    for ids in (("2602.1001", "2602.10010"), ("2602.10010", "2602.1001")):
        thread = with_ids(network, *ids)
        assert adopted(thread, chain(thread)) == whole(thread)
        second_only = [one for one in chain(thread) if one.id in {"1", "3"}]
        reparented = [replace(one, parent="1") if one.id == "3" else one for one in second_only]
        assert adopted(thread, reparented) == {0: "1", 2: "3"}


def with_ids(network: Network, *ids: str, sent: int = 0) -> StoredThread:
    """A thread of papers with these ids, in the words of the templates."""
    thread = stored(digest(len(ids)), network, sent)
    old = [post.token for post in thread.posts[1:-1]]
    posts = list(thread.posts)
    for at, (before, known) in enumerate(zip(old, ids, strict=True), 1):
        text = posts[at].text.replace(before, known)
        posts[at] = replace(posts[at], part=known, token=known, text=text)
    return replace(thread, posts=tuple(posts))


@given(ids=st.lists(IDS, min_size=3, max_size=3, unique=True), network=st.sampled_from(NETWORKS))
def test_each_post_is_known_by_its_own_id_whatever_the_others_are(
    ids: list[str], network: Network
) -> None:
    thread = with_ids(network, *ids, sent=1)
    assert adopted(thread, chain(thread)) == {1: "2", 2: "3", 3: "4", 4: "5"}


@settings(max_examples=25)  # each one is worded by the templates
@given(
    titles=st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60),
        min_size=2,
        max_size=2,
    ),
    network=st.sampled_from(NETWORKS),
)
def test_whatever_the_titles_a_thread_is_known_again_whole(
    titles: list[str], network: Network
) -> None:
    source = digest(2)
    named = tuple(
        replace(one, title=f"{one.rank} {title}")
        for one, title in zip(source.papers, titles, strict=True)
    )
    thread = stored(replace(source, papers=named), network)
    assert adopted(thread, chain(thread)) == whole(thread)


@given(words=st.text(max_size=100), network=st.sampled_from(NETWORKS))
def test_what_a_person_writes_is_not_ours(words: str, network: Network) -> None:
    thread = stored(digest(2), network, sent=1)
    mine = AS[network](words, "9", "1", "")
    found = recognise(thread, [mine, *chain(thread)[-1:]], application=APPLICATION[network])
    assert dict(found.adopted) == {}
    assert found.tail == "1"


@pytest.mark.parametrize("network", NETWORKS)
def test_an_opening_that_is_there_twice_is_asked_about(network: Network) -> None:
    thread = stored(digest(1), network)
    opening = thread.posts[0].text
    read = [AS[network](opening, "2", None), AS[network](opening, "1", None)]
    assert "more than once" in recognise(thread, read, application=APPLICATION[network]).unclear


@pytest.mark.parametrize("network", NETWORKS)
def test_what_the_ledger_has_for_another_thread_is_left_out(network: Network) -> None:
    thread = stored(digest(1), network)
    read = chain(thread)
    found = recognise(thread, read, others={"1"}, application=APPLICATION[network])
    assert dict(found.adopted) == {}


def test_the_chain_is_what_is_out_in_the_order_that_it_stands_in() -> None:
    """A chain that was found may stand in another order than the plan; the next post follows it."""
    source = digest(3)
    thread = stored(source, M, sent=4)
    places = {0: 0, 1: 3, 2: 1, 3: 2}
    posts = tuple(replace(post, place=places.get(post.position)) for post in thread.posts)
    assert [post.position for post in replace(thread, posts=posts).chain] == [0, 2, 3, 1]
