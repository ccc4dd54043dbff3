from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mastodon import MastodonAPIError

from bot.sandbox.mastodon.behaviour import GOTOSOCIAL, MASTODON, SNAC2, MastodonBehaviour
from bot.sandbox.mastodon.text import content, hashtags
from tests.helpers.sandbox_clients import MastodonClient, mastodon_client

COUNT = 45
BASE = "http://h.example"


@pytest.fixture
def it() -> Iterator[MastodonClient]:
    yield from filled(MASTODON)


def filled(behaviour: MastodonBehaviour) -> Iterator[MastodonClient]:
    """A server with 45 statuses, one a second, each a reply to the one before."""
    with mastodon_client(behaviour) as started:
        parent = None
        for number in range(COUNT):
            parent = started.rules.write(f"post {number}", reply_to=parent).id
            started.clock.advance(seconds=1)
        yield started


def numbers(it: MastodonClient, **asked: object) -> list[int]:
    found = it.client.account_statuses(it.rules.account, **asked)
    return [int(re.sub(r"\D", "", each.content)) for each in found]


def ids(it: MastodonClient) -> list[str]:
    return [post.id for post in it.rules.every()]


def test_a_listing_is_newest_first_and_never_too_long(it: MastodonClient) -> None:
    assert numbers(it) == list(range(44, 24, -1))
    assert numbers(it, limit=3) == [44, 43, 42]
    for limit, length in (("400", 40), ("x", 20), ("0", 20)):
        path = f"/api/v1/accounts/{it.rules.account}/statuses?limit={limit}"
        assert len(it.call("GET", path).json()) == length


def test_ids_bound_what_is_listed(it: MastodonClient) -> None:
    every = ids(it)
    assert numbers(it, max_id=every[2]) == [1, 0]
    assert numbers(it, since_id=every[40], limit=3) == [44, 43, 42]
    assert numbers(it, since_id=every[2], max_id=every[5]) == [4, 3]
    assert numbers(it, max_id="nonsense") == []


@pytest.mark.parametrize("limit", [1, 7, 15, 40])
def test_links_lead_to_each_status_once(it: MastodonClient, limit: int) -> None:
    client = it.client
    page = client.account_statuses(it.rules.account, limit=limit)
    found = list(page)
    while page := client.fetch_next(page):
        found += page
    assert [str(each.id) for each in found] == ids(it)[::-1]


def test_the_last_page_leads_nowhere(it: MastodonClient) -> None:
    account, every = it.rules.account, ids(it)
    last = it.client.account_statuses(account, max_id=every[1], limit=2)
    assert it.client.fetch_next(last) is None
    path = f"/api/v1/accounts/{account}/statuses"
    assert "Link" not in it.call("GET", f"{path}?max_id={every[0]}").headers
    shown = it.call("GET", f"{path}?limit=1&max_id={every[3]}&min_id=").headers["Link"]
    url = it.sandbox.url("mastodon") + path
    older, newer = f"{url}?limit=1&max_id={every[2]}", f"{url}?limit=1&min_id={every[2]}"
    assert shown == f'<{older}>; rel="next", <{newer}>; rel="prev"'


def test_what_is_gone_or_not_listed_yet_is_left_out(it: MastodonClient) -> None:
    it.rules.remove(ids(it)[44])
    it.rules.behaviour = replace(MASTODON, lag=timedelta(seconds=10))
    assert numbers(it, limit=2) == [35, 34]
    it.clock.advance(seconds=9)
    assert numbers(it, limit=2) == [43, 42]


def test_what_cannot_be_read(it: MastodonClient) -> None:
    it.rules.behaviour = replace(MASTODON, unreadable=403)
    with pytest.raises(MastodonAPIError) as caught:
        numbers(it)
    assert caught.value.args[1] == 403
    assert it.call("GET", "/api/v1/accounts/2/statuses").status_code == 403
    it.rules.behaviour = MASTODON
    assert it.call("GET", "/api/v1/accounts/2/statuses").status_code == 404


def test_gotosocial_ignores_since_id() -> None:
    for it in filled(GOTOSOCIAL):
        every = ids(it)
        assert numbers(it, since_id=every[40], limit=6) == [44, 43, 42, 41, 40, 39]
        assert numbers(it, max_id=every[2]) == [1, 0]


def test_snac2_ignores_since_id_and_has_no_links() -> None:
    for it in filled(SNAC2):
        every = ids(it)
        assert numbers(it, since_id=every[40], limit=2) == [44, 43]
        assert numbers(it, max_id=every[2]) == [1, 0]
        assert numbers(it, max_id="0" * 42) == []
        path = f"/api/v1/accounts/{it.rules.account}/statuses?limit=2"
        assert "Link" not in it.call("GET", path).headers


# -- the text --------------------------------------------------------------------------------------


def test_a_text_becomes_paragraphs_with_line_breaks() -> None:
    text = " one\ntwo\r\nthree\n\nfour \n\n\nfive "
    assert content(text, BASE, "<br />") == (
        "<p>one<br />two<br />three</p><p>four </p><p>five</p>"
    )
    assert content("a\nb", BASE, "<br>") == "<p>a<br>b</p>"
    assert content(" ", BASE, "<br>") == ""


def test_links_are_shortened_for_the_eye_only() -> None:
    short = content("see https://arxiv.org/abs/2106.1?a&b.", BASE, "")
    assert short == (
        '<p>see <a href="https://arxiv.org/abs/2106.1?a&amp;b" target="_blank" '
        'rel="nofollow noopener" translate="no"><span class="invisible">https://</span>'
        '<span class="">arxiv.org/abs/2106.1?a&amp;b</span><span class="invisible"></span></a>.</p>'
    )
    long = content("http://www.example.org/" + "x" * 40, BASE, "")
    assert '<span class="invisible">http://www.</span>' in long
    assert f'<span class="ellipsis">example.org/{"x" * 18}</span>' in long
    assert f'<span class="invisible">{"x" * 22}</span>' in long


def test_hashtags_lead_to_their_page_and_bare_domains_stay_text() -> None:
    assert content('#arXiv <cs.AI> "it\'s"', BASE, "") == (
        f'<p><a href="{BASE}/tags/arxiv" class="mention hashtag" rel="tag">#<span>arXiv</span></a>'
        " &lt;cs.AI&gt; &quot;it&#39;s&quot;</p>"
    )
    assert hashtags("#One #two #ONE https://a.org/#three") == ("one", "two")
    assert hashtags("") == ()


@given(st.text(alphabet=st.sampled_from("a &<>./#@é\"'😀;") | st.characters(), max_size=80))
@example("#tag https://www.example.org/" + "a&b=<" * 20)
@example("&amp; &lt;b&gt; \x80")
def test_a_text_can_be_had_back_from_its_html(text: str) -> None:
    text = re.sub(r"\s+", " ", text).strip()
    assert _read(content(text, BASE, "<br />")) == text


def _read(html: str) -> str:
    """The text of HTML whose escapes are those that content() writes."""
    text = re.sub(r"<[^>]*>", "", html)
    for escape, char in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("#39", "'"), ("amp", "&")):
        text = text.replace(f"&{escape};", char)
    return text
