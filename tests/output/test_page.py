"""The page of a plan: what it shows of each thread, and that hostile text stays text."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.formatter.limits import LIMITS
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import Account, Card, Media, Network, Post, Span, State, Thread, Visibility
from bot.output.page import plans, posts, render
from bot.output.page.views import PageView, PostView, ThreadView, Tone
from tests.helpers.fake_world import digest
from tests.helpers.html_page import HtmlPage, check_harmless

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ABS = "https://arxiv.org/abs/2602.10001"

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes((0, 0, 0, 3, 0, 0, 0, 2))


def post(position: int = 0, text: str = "Words.", **more: object) -> Post:
    made = Post(position, f"part{position}", text, text, len(text), 280)
    return replace(made, **more)  # type: ignore[arg-type] # each test knows the fields


def thread(network: Network, *posts: Post, **taste: object) -> Thread:
    account = Account(network.value, network, max_characters=LIMITS[network])
    changed = replace(account, **taste)  # type: ignore[arg-type] # (the same)
    return Thread(changed, "slug", posts)


def stored(of: Thread, *states: State, url: str = "", reason: str = "") -> StoredThread:
    posts = tuple(
        StoredPost(
            each.position,
            each.part,
            "key",
            each.text,
            each.token,
            each.media,
            state,
            "1" if state is State.SENT else "",
            url if state is State.SENT else "",
            1,
            NOW,
            None,
            0,
            0.0,
            reason,
        )
        for each, state in zip(of.posts, states, strict=True)
    )
    network = of.account.network
    fixed = ("slug", date(2026, 2, 28), 0, "title", NOW, "", "en", "public", NOW, None, None)
    return StoredThread(1, of.account.name, network, *fixed, posts)


def view(*threads: Thread, known: StoredThread | None = None, kept: bytes = b"") -> PageView:
    have = {threads[0].account.name: known}
    return plans.page(
        digest(), "/somewhere/digest.md", threads, have, made=NOW, kept=lambda *_: kept
    )


def only(made: PageView) -> ThreadView:
    (column,) = made.threads
    return column


def first(made: PageView) -> PostView:
    return only(made).posts[0]


def read(made: PageView) -> HtmlPage:
    page = HtmlPage(render.html(made))
    check_harmless(page)
    return page


# -- What is shown ---------------------------------------------------------------------------------


def test_every_network_has_its_column_and_every_post_its_place() -> None:
    made = view(*(thread(network, post(0), post(1, "More.")) for network in Network))
    page = read(made)
    assert page.posts == ["Words.", "More."] * 3
    assert [column.label for column in made.threads] == ["X", "Mastodon", "Bluesky"]
    assert page.texts("net") == ["X", "Mastodon", "Bluesky"]
    assert page.texts("reply") == ["In reply to post 1"] * 3
    assert made.threads[2].posts[1].parent == "t3-1"


def test_an_account_of_bot_toml_is_shown_by_its_name() -> None:
    assert only(view(thread(Network.MASTODON, post(), name="vision"))).handle == (
        "@vision@your.server"
    )
    assert only(view(thread(Network.TWITTER, post()))).name == "Your account"


def test_lengths_have_a_meter_and_words() -> None:
    page = read(view(thread(Network.TWITTER, post(length=213))))
    assert page.texts("size") == ["length 213/ of 280"]
    (used,) = page.of_class("used")
    assert used.attributes["stroke-dasharray"] == "76 100"


@pytest.mark.parametrize(
    ("length", "note", "full"),
    [
        (265, None, ""),
        (266, "Near the limit: 14 left.", "near"),
        (280, "At the limit: nothing left.", "near"),
        (281, "1 over the limit.", "over"),
    ],
)
def test_what_is_near_the_limit_is_said(length: int, note: str | None, full: str) -> None:
    shown = first(view(thread(Network.TWITTER, post(length=length))))
    assert [each.text for each in shown.notes] == ([note] if note else [])
    assert shown.full == full


@pytest.mark.parametrize(
    ("spare", "shortened", "full"),
    [(100, (), ""), (100, ("authors",), "near"), (10, (), "near")],
)
def test_what_an_abstract_fills_on_purpose_is_not_near_the_limit(
    spare: int, shortened: tuple[str, ...], full: str
) -> None:
    filled = thread(Network.TWITTER, post(text="x" * 278, spare=spare, shortened=shortened))
    for known in (None, stored(filled, State.PLANNED)):
        made = view(filled, known=known)
        assert first(made).full == full
        assert any("Near the limit" in each.text for each in first(made).notes) is bool(full)
        assert dict(made.facts)["To look at"].startswith(f"{int(bool(full))} near the limit")


def test_a_post_without_a_limit_has_an_empty_meter() -> None:
    assert first(view(thread(Network.MASTODON, post(limit=0, length=0)))).share == 0


def test_what_gave_way_is_said() -> None:
    cut = post(shortened=("authors", "areas", "title", "something"))
    page = read(view(thread(Network.TWITTER, cut)))
    assert page.texts("note") == [
        (
            "The list of authors was shortened to fit. Areas were left out to fit. "
            "The title was cut to fit. Shortened to fit: something."
        )
    ]
    assert "1 shortened" in dict(view(thread(Network.TWITTER, cut)).facts)["To look at"]


def test_the_notes_of_a_post_are_one_that_feels_as_the_worst_of_them() -> None:
    planned = thread(Network.TWITTER, post(shortened=("title",)))
    (note,) = first(view(planned, known=stored(planned, State.HELD, reason="Gone."))).notes
    assert (note.text, note.tone) == ("The title was cut to fit. Gone.", Tone.BAD)


def test_what_gave_way_is_said_of_a_post_in_the_ledger_too() -> None:
    planned = thread(Network.TWITTER, post(shortened=("title",)))
    reworded = replace(planned, posts=(replace(planned.posts[0], text="Other."),))
    assert first(view(planned, known=stored(planned, State.SENT))).notes
    assert not first(view(planned, known=stored(reworded, State.SENT))).notes


def test_what_is_sent_is_linked() -> None:
    planned = thread(Network.TWITTER, post(), post(1, "More."))
    url = "https://x.com/i/web/status/1"
    made = view(planned, known=stored(planned, State.SENT, State.PLANNED, url=url))
    page = read(made)
    assert page.texts("state") == ["Sent see it: post 1 on X", "Not sent yet"]
    assert url in [a.attributes["href"] for a in page.named("a")]
    assert dict(made.facts)["Sent already"] == "1 of 2"
    assert "1 sent already" in only(made).facts


@pytest.mark.parametrize("url", ["javascript:alert(1)", "http://127.0.0.1:1/@s/1", ""])
def test_an_address_of_the_network_is_checked_like_any(url: str) -> None:
    planned = thread(Network.MASTODON, post())
    made = view(planned, known=stored(planned, State.SENT, url=url))
    assert first(made).url == ""
    assert read(made).texts("state") == ["Sent"]


@pytest.mark.parametrize("state", State)
def test_every_state_is_said_in_words(state: State) -> None:
    planned = thread(Network.TWITTER, post(), post(1))
    made = view(planned, known=stored(planned, state, State.SENT, reason="It timed out."))
    assert first(made).state
    told = [note.text for note in first(made).notes]
    assert told == ([] if state is State.SENT else ["It timed out."])
    about = [note.text for note in only(made).notes]
    doubtful = state in (State.HELD, State.UNKNOWN)
    assert about == ([f"1 post {state}: see bot status"] if doubtful else [])


def test_a_thread_that_was_retracted_is_shown_as_planned() -> None:
    planned = thread(Network.TWITTER, post())
    made = view(planned, known=stored(planned, State.RETRACTED))
    assert first(made).state == "Not sent yet"
    assert "--again" in only(made).notes[0].text


@pytest.mark.parametrize("now", [post(text="Other words."), post(part="other")])
def test_a_thread_whose_words_would_be_others_now_says_so(now: Post) -> None:
    planned = thread(Network.TWITTER, post())
    changed = replace(planned, posts=(now,))
    (note,) = only(view(changed, known=stored(planned, State.PLANNED))).notes
    assert note.text.startswith("These texts were fixed when the thread was planned. The digest, ")
    assert "BOT_DATABASE" in note.text
    assert only(view(planned, known=stored(planned, State.SENT))).notes == ()


def test_x_says_what_each_post_costs_and_the_others_that_they_are_free() -> None:
    linking = post(1, f"See {ABS}")
    planned = thread(Network.TWITTER, post(), linking)
    made = view(planned, known=stored(planned, State.SENT, State.PLANNED))
    assert [each.price for each in only(made).posts] == ["$0.015 billed", "$0.20"]
    assert dict(made.facts)["X would bill"].startswith("$0.20 · about $6.00 a month")
    free = view(thread(Network.MASTODON, linking))
    assert first(free).price == ""
    assert dict(free.facts)["X would bill"] == "$0.00"
    assert "Mastodon charges nothing" in only(free).facts
    assert posts.dollars(Decimal("1234.5")) == "$1,234.50"


def test_visibility_is_shown_where_there_is_any() -> None:
    threads = [
        thread(Network.MASTODON, post(), post(1)),
        thread(Network.MASTODON, post(), post(1), visibility=Visibility.PRIVATE),
        thread(Network.TWITTER, post()),
    ]
    shown = [each.visibility for column in view(*threads).threads for each in column.posts]
    assert shown == ["public", "unlisted", "private", "private", ""]


def test_a_picture_is_shown_with_its_words() -> None:
    planned = thread(Network.TWITTER, post(media=(Media("A chart.", "image/png"),)))
    assert read(view(planned)).texts("frame") == ["Picture (image/png)"]
    drawn = thread(Network.TWITTER, post(media=(Media("A chart.", "image/png", PNG),)))
    waiting = view(planned, known=stored(planned, State.PLANNED), kept=PNG)
    for made in (view(drawn), waiting):
        page = read(made)
        (image,) = page.named("img")
        source = f"data:image/png;base64,{b64encode(PNG).decode()}"
        assert image.attributes == {
            "src": source,
            "alt": "A chart.",
            "width": "3",
            "height": "2",
        }
        assert page.texts("alt") == ["Alt text"]


def test_what_is_no_picture_is_not_shown_as_one() -> None:
    planned = thread(Network.TWITTER, post(media=(Media("A.", "image/png", b"<svg>"),)))
    assert read(view(planned)).texts("frame") == ["Picture (image/png)"]


def test_many_words_for_a_picture_open_on_demand() -> None:
    planned = thread(Network.TWITTER, post(media=(Media("<b> " * 50, "image/png"),)))
    page = read(view(planned))
    assert page.named("summary")[0].text == "Alt text 200 characters"
    assert "<b> <b>" in page.named("details")[0].text


def test_x_bills_the_words_of_a_picture() -> None:
    bare = thread(Network.TWITTER, post())
    with_picture = thread(Network.TWITTER, post(media=(Media("A chart.", "image/png"),)))
    prices = [only(view(each)).posts[0].price for each in (bare, with_picture)]
    assert [Decimal(price[1:]) for price in prices][1] == Decimal(prices[0][1:]) + Decimal("0.005")
    assert dict(view(with_picture).facts)["X would bill"].startswith(prices[1])


def test_bluesky_shows_what_its_post_brings_along() -> None:
    text = "See arxiv.org/abs/1 #arXiv"
    spans = (Span(4, 19, uri="https://arxiv.org/abs/1"), Span(20, 26, tag="arXiv"))
    card = Card("https://arxiv.org/abs/1", "A <title>", "And more.")
    planned = thread(Network.BLUESKY, post(text=text, spans=spans, card=card))
    for known in (None, stored(planned, State.PLANNED)):
        page = read(view(planned, known=known))
        assert page.texts("link") == ["arxiv.org/abs/1"]
        assert page.texts("tag") == ["#arXiv"]
        assert page.texts("card") == ["arxiv.org A <title> And more."]
        assert [a.text for a in page.named("a") if a.attributes["href"] == card.uri] == [
            "arxiv.org/abs/1",
            "A <title>",
        ]


def test_a_card_leads_nowhere_strange_and_gives_way_to_a_picture() -> None:
    card = Card("javascript:alert(1)", "Title", "")
    assert read(view(thread(Network.BLUESKY, post(card=card)))).texts("card") == ["Title"]
    pictured = post(card=card, media=(Media("A chart.", "image/png"),))
    assert first(view(thread(Network.BLUESKY, pictured))).card is None


def test_a_thread_of_nothing_says_so() -> None:
    made = view(thread(Network.TWITTER))
    assert read(made).texts("empty") == ["No paper of this digest is for this account."]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("/home/ada/digests/d.md", "d.md"),
        ("C:\\digests\\d.md", "d.md"),
        ("https://example.org/d.md", "https://example.org/d.md"),
    ],
)
def test_the_page_names_no_folder_of_this_machine(source: str, shown: str) -> None:
    made = plans.page(digest(), source, (), {}, made=NOW)
    assert dict(made.facts)["Digest"] == f"3 papers · {shown}"


# -- How it is made --------------------------------------------------------------------------------


def test_the_policy_lets_in_our_style_and_nothing_else() -> None:
    page = read(view(thread(Network.TWITTER, post())))
    (policy,) = [
        e.attributes["content"]
        for e in page.named("meta")
        if e.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert page.named("script") == []
    (style,) = page.named("style")
    assert "://" not in style.text
    assert "@import" not in style.text
    assert not re.search(r"url\(", style.text)


def test_the_page_has_its_landmarks_and_a_heading_for_everything() -> None:
    page = read(view(thread(Network.TWITTER, post(), post(1)), thread(Network.MASTODON, post())))
    counts = {name: len(page.named(name)) for name in ("h1", "h2", "h3", "main", "nav", "article")}
    assert counts == {"h1": 1, "h2": 2, "h3": 3, "main": 1, "nav": 1, "article": 3}
    (html,) = page.named("html")
    assert html.attributes["lang"] == "en"
    assert page.texts("skip") == ["To the threads"]


def test_the_same_plan_makes_the_same_page() -> None:
    planned = thread(Network.TWITTER, post())
    assert render.html(view(planned)) == render.html(view(planned))


# -- Hostile text ----------------------------------------------------------------------------------

UNFIT = re.compile("[\x00\x08\ud800]")
HOSTILE = (
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title></head><body onload=alert(1)>",
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "javascript:alert(1)",
    '<a href="javascript:alert(1)">paper</a>',
    "https://a.example/\"onmouseover='alert(1)'",
    "https://a.example/?a=1&b=<b>",
    "}body{display:none}/*",
    "<!-- <![CDATA[ -->",
    "\u202egnp.exe\u2066 \u200f text",
    "&lt;b&gt; &amp; &#x3c;",
    "\x00\x08\ud800",
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_text(text: str) -> None:
    clean = read(view(*(thread(network, post()) for network in Network)))
    threads = [
        thread(
            network,
            post(text=text, media=(Media(text, text),), shortened=(text,)),
            language=text,
            name=text,
        )
        for network in Network
    ]
    known = stored(threads[0], State.HELD, reason=text, url=text)
    made = plans.page(replace(digest(), title=text), text, threads, {text: known}, made=NOW)
    page = read(made)
    assert page.texts("alt") == ["Alt text"] * 3
    assert len(page.named("article")) == len(clean.named("article"))
    assert len(page.named("script")) == 0
    shown = "".join(piece.text for piece in made.threads[2].posts[0].pieces)
    assert page.posts[2] == UNFIT.sub("\ufffd", shown)
    render.html(made).encode()


@settings(max_examples=40)
@given(st.text(st.characters(codec=None), min_size=1, max_size=200))
def test_any_text_makes_a_page_that_is_whole(text: str) -> None:
    page = read(view(*(thread(network, post(text=text)) for network in Network)))
    assert len(page.posts) == 3


def test_bidirectional_text_is_kept_in_its_own_box() -> None:
    page = read(view(thread(Network.TWITTER, post(text=f"\u202e {ABS}"))))
    (text,) = page.of_class("text")
    assert text.attributes["dir"] == "auto"
    assert [e.attributes["href"] for e in page.of_class("link")] == [ABS]
    assert any(e.text == "arxiv.org/abs/2602.10001" for e in page.named("bdi"))


def test_the_title_of_the_page_is_tidied_like_every_text() -> None:
    titled = replace(digest(), title="Hot \u202ePapers\u2066 2021-06-22")
    page = read(plans.page(titled, "d.md", (), {}, made=NOW))
    assert page.named("h1")[0].text == "Hot Papers 2021-06-22"
    assert page.named("title")[0].text == "Hot Papers 2021-06-22 · Preview"
