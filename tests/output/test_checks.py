"""What `bot check` finds out about an account on its server, and what it says it did not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot.model import Network
from bot.output.checks import Finding, Level, check
from bot.sandbox.faults import changed
from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    HOLLO,
    MASTODON,
    SNAC2,
    TAKAHE,
    MastodonBehaviour,
)
from bot.sandbox.wire import Response
from tests.helpers.fake_world import FakeWorld, fake_world

TOOTS = Network.MASTODON


def found(world: FakeWorld, **more: str) -> Sequence[Finding]:
    """What is found out about the account by asking its server."""
    settings = replace(world.settings([TOOTS], **more), digests=None)
    return [each for each in check(settings, world.clock, offline=False) if each.subject == TOOTS]


def of_ledger(world: FakeWorld, place: str) -> Finding:
    """What is found out about the place where the ledger is to lie."""
    settings = replace(world.settings([TOOTS], BOT_DATABASE=place), digests=None)
    every = check(settings, world.clock, offline=True)
    (one,) = [each for each in every if each.subject == "ledger"]
    return one


def warnings(world: FakeWorld, words: str, **more: str) -> Sequence[Finding]:
    return [
        each for each in found(world, **more) if words in each.message and each.level != Level.OK
    ]


# How long a post may be --------------------------------------------------------------------------


def without_limit(own: Response) -> Response:
    """The page about a server as one writes it that does not say how long a post may be."""
    value = json.loads(own.body)
    for name in ("configuration", "max_toot_chars"):
        value.pop(name, None)
    return replace(own, body=json.dumps(value).encode())


def says_no_limit(world: FakeWorld) -> None:
    world.sandbox.script(
        changed("no limit", without_limit),
        when=lambda request: "/instance" in request.path,
        times=None,
    )


def test_a_server_that_does_not_say_its_limit_is_warned_of(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        assert warnings(world, "how long a post may be") == []
        says_no_limit(world)
        (warning,) = warnings(
            world, "does not say how long a post may be, so the limit is not checked"
        )
    assert warning.level is Level.WARNING
    assert "MASTODON_MAX_CHARACTERS" in warning.fix


def test_a_server_that_does_not_say_its_limit_gets_its_thread_all_the_same(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        says_no_limit(world)
        assert [each for each in found(world) if each.level is Level.ERROR] == []


# Who sees the replies ----------------------------------------------------------------------------

HIDES = "hides unlisted posts from readers without an account"


def test_gotosocial_is_said_to_hide_replies_with_both_ways_out(tmp_path: Path) -> None:
    with fake_world(tmp_path, mastodon=GOTOSOCIAL) as world:
        (warning,) = warnings(world, HIDES)
        assert warning.level is Level.WARNING
        assert "set MASTODON_REPLIES=public" in warning.message
        assert "the account's profile" in warning.message


@pytest.mark.parametrize(
    "more",
    [
        {"MASTODON_REPLIES": "public"},
        {"MASTODON_VISIBILITY": "unlisted"},
        {"MASTODON_VISIBILITY": "private"},
        {"MASTODON_VISIBILITY": "direct"},
    ],
    ids=str,
)
def test_it_is_not_where_settings_leave_nothing_to_hide(
    tmp_path: Path, more: dict[str, str]
) -> None:
    with fake_world(tmp_path, mastodon=GOTOSOCIAL) as world:
        assert warnings(world, HIDES, **more) == []


@pytest.mark.parametrize(("shown", "hides"), [("public", 1), ("none", 1), ("unlisted", 0)])
def test_it_depends_on_what_the_profile_shows_on_the_web(
    tmp_path: Path, shown: str, hides: int
) -> None:
    with fake_world(tmp_path, mastodon=replace(GOTOSOCIAL, web_visibility=shown)) as world:
        assert len(warnings(world, HIDES)) == hides


@pytest.mark.parametrize(
    "server", [MASTODON, SNAC2, TAKAHE, HOLLO], ids=lambda server: server.software
)
def test_no_other_server_is_said_to_hide_replies(tmp_path: Path, server: MastodonBehaviour) -> None:
    with fake_world(tmp_path, mastodon=server) as world:
        assert warnings(world, HIDES) == []


# Where the ledger is to lie ----------------------------------------------------------------------


@pytest.mark.parametrize("place", ["taken/bot.db", "taken/further/down/bot.db"])
def test_a_ledger_that_cannot_be_made_is_an_error_of_settings(tmp_path: Path, place: str) -> None:
    (tmp_path / "taken").write_text("a file where the ledger's folder was to be")
    with fake_world(tmp_path) as world:
        wrong = of_ledger(world, place)
    assert wrong.level is Level.ERROR
    assert "(Not a directory)" in wrong.message
    assert "BOT_DATABASE" in wrong.fix
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


def test_where_a_ledger_can_be_made_nothing_is_left_behind(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        fine = of_ledger(world, "not/yet/there/bot.db")
    assert fine.level is Level.OK
    assert list(tmp_path.iterdir()) == []
