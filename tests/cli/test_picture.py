"""The picture at the command line: shown, sent, and what is said where it cannot be drawn."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import unstyle

from bot.model import Network
from tests.helpers.cli_world import SLUG, CliWorld, cli_world, recent_digest

X, TOOTS = Network.TWITTER, Network.MASTODON
MEND = "pip install resvg-py"


@pytest.fixture
def bot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[CliWorld]:
    with cli_world(tmp_path, capsys) as made:
        yield made


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra were not installed: an import of it fails."""
    monkeypatch.setitem(sys.modules, "resvg_py", None)


def media_of(bot: CliWorld, network: Network) -> list[tuple[str, str]]:
    there = (bot.x if network is X else bot.mastodon).uploads
    return [
        (there[each].type, there[each].alt) for post in bot.live(network) for each in post.media
    ]


def test_json_names_the_picture_of_the_opening_and_counts_its_price(bot: CliWorld) -> None:
    bare = {one["network"]: one for one in bot.json("post", "--dry-run")["threads"]}
    for arguments in (("post", "--dry-run"), ("post",), ("post",), ("post", "--dry-run")):
        for thread in bot.json(*arguments, BOT_PICTURE="on")["threads"]:
            posts = thread["posts"]
            assert isinstance(posts, list)
            (media,) = posts[0]["media"]
            assert set(media) == {"alt", "type"}
            assert media["type"] == "image/png"
            assert media["alt"].startswith("Hot Papers 2026-02-28. 2 papers, ranked by ")
            assert [post["media"] for post in posts[1:]] == [[]] * (len(posts) - 1)
            before, cost = bare[thread["network"]]["cost_usd"], thread["cost_usd"]
            assert isinstance(before, float)
            assert cost == pytest.approx(before + 0.005 if thread["network"] == "twitter" else 0)
    assert len(media_of(bot, X)) == len(media_of(bot, TOOTS)) == 1


def test_what_was_said_is_what_is_sent(bot: CliWorld) -> None:
    (thread,) = bot.json("post", "--dry-run", networks=[X], BOT_PICTURE="on")["threads"]
    posts = thread["posts"]
    assert isinstance(posts, list)
    assert bot("post", networks=[X], BOT_PICTURE="on")[0] == 0
    assert media_of(bot, X) == [("image/png", posts[0]["media"][0]["alt"])]
    assert bot.x.live()[0].media


def test_the_dry_run_says_what_the_picture_shows_and_costs_without_the_library(
    bot: CliWorld, no_library: None
) -> None:
    del no_library
    status, out, err = bot("post", "--dry-run", networks=[X], COLUMNS="60", BOT_PICTURE="on")
    assert (status, err) == (0, "")
    text = unstyle(out)
    said = " ".join(line.strip().lstrip("│").strip() for line in text.splitlines())
    assert "[image/png: Hot Papers 2026-02-28. 2 papers, ranked by" in said
    assert text.count("image/png") == 1
    assert "1 with a picture at $0.005" in text
    plain = unstyle(bot("post", "--dry-run", networks=[X])[1])
    assert "picture" not in plain
    assert "image/png" not in plain


def test_without_the_library_the_thread_goes_without_and_that_is_said(
    bot: CliWorld, no_library: None
) -> None:
    del no_library
    status, out, err = bot("post", BOT_PICTURE="on")
    assert status == 0
    assert "twitter: done, 4 posts" in out
    for name in ("twitter", "mastodon"):
        assert f"{name}: the thread gets no picture: resvg-py is not installed" in err
    assert MEND in err
    assert media_of(bot, X) == media_of(bot, TOOTS) == []
    status, _, err = bot("post", BOT_PICTURE="on")
    assert (status, err) == (0, ""), "what is out is out"


def test_check_finds_a_library_that_is_missing(bot: CliWorld, no_library: None) -> None:
    del no_library
    assert bot("check", "--offline")[0] == 0, "it is not needed unasked"
    status, out, err = bot("check", "--offline", BOT_PICTURE="on")
    assert status == 2
    lines = [line for line in unstyle(out + err).splitlines() if line.strip()]
    (found,) = [at for at, line in enumerate(lines) if "error" in line and "twitter" in line]
    assert "BOT_PICTURE: resvg-py is not installed" in lines[found]
    assert MEND in lines[found + 1]


@pytest.mark.slow
def test_check_draws_a_picture_for_each_account_that_wants_one(bot: CliWorld) -> None:
    status, out, _ = bot("check", "--offline", BOT_PICTURE="on")
    assert status == 0
    assert unstyle(out).count("pictures can be drawn") == 2
    status, out, _ = bot("check", "--offline")
    assert (status, "can be drawn" in out) == (0, False)


def test_the_worker_does_not_start_without_the_library(bot: CliWorld, no_library: None) -> None:
    del no_library
    status, _, err = bot("run", BOT_PICTURE="on")
    assert status == 2
    assert "BOT_PICTURE: resvg-py is not installed" in err
    assert MEND in err


def test_a_picture_that_is_left_out_is_told_where_posts_are(bot: CliWorld) -> None:
    bot.mastodon.behaviour = type(bot.mastodon.behaviour)(uploads=False)
    status, out, _ = bot("post", networks=[TOOTS], BOT_PICTURE="on")
    assert status == 0
    (line,) = [each for each in unstyle(out).splitlines() if "picture" in each]
    assert line.startswith("mastodon 1/4 picture left out uploads are not allowed: ")
    assert "write:media" in line


def test_a_thread_of_one_post_carries_it_too(bot: CliWorld) -> None:
    assert bot("post", networks=[X], TWITTER_STYLE="single", BOT_PICTURE="on")[0] == 0
    assert len(bot.live(X)) == 1
    assert len(media_of(bot, X)) == 1


def test_retract_and_again_draw_it_anew(bot: CliWorld) -> None:
    assert bot("post", networks=[TOOTS], BOT_PICTURE="on")[0] == 0
    first = media_of(bot, TOOTS)
    assert bot("retract", SLUG, networks=[TOOTS], BOT_PICTURE="on")[0] == 0
    assert bot("post", "--again", networks=[TOOTS], BOT_PICTURE="on")[0] == 0
    assert media_of(bot, TOOTS) == first
    data = {each.data for each in bot.mastodon.uploads.values()}
    assert len(bot.mastodon.uploads) == 2
    assert len(data) == 1, "the same bytes"


def test_a_digest_that_changed_is_drawn_as_it_is_when_its_thread_is_planned(bot: CliWorld) -> None:
    bot.publish(recent_digest(papers=1))
    assert bot("post", networks=[X], BOT_PICTURE="on")[0] == 0
    ((_, alt),) = media_of(bot, X)
    bot.publish(recent_digest(papers=2))
    assert bot("post", networks=[X], BOT_PICTURE="on")[0] == 0
    assert media_of(bot, X) == [("image/png", alt)]
