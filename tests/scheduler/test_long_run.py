"""400 days of the worker: a publisher's calendar, faults, crashes, lost disks, clocks that are set.

A failure names its seed, which repeats it. `BOT_SEEDS=50` plays the first fifty, in both
modes and on both networks; without it there is one seed, on one network for each mode.
"""

from __future__ import annotations

import os

import pytest

from tests.helpers.long_run import LongRun, long_run, serve_accounts_in_turn
from tests.helpers.long_run_events import BEGIN, DAY, NETWORKS, calendar

pytestmark = pytest.mark.slow

DAYS = 400
MANY = "BOT_SEEDS" in os.environ
SEEDS = range(1, int(os.environ.get("BOT_SEEDS", "1")) + 1)
quiet = pytest.mark.filterwarnings("ignore:Endpoint")  # a faulty answer may have its version asked


@quiet
@pytest.mark.parametrize("seed", SEEDS)
def test_the_latest_digest_goes_out_once_for_400_days(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_accounts_in_turn(monkeypatch)
    with long_run(seed, DAYS, "latest", NETWORKS if MANY else NETWORKS[1:]) as lived:
        lived.live()
        saw_much(lived)


@quiet
@pytest.mark.parametrize("seed", SEEDS)
def test_every_digest_goes_out_once_for_400_days_where_all_are_made_up_for(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_accounts_in_turn(monkeypatch)
    with long_run(seed, DAYS, "all", NETWORKS if MANY else NETWORKS[:1]) as lived:
        lived.live()
        saw_much(lived)


def saw_much(lived: LongRun) -> None:
    """What was meant to happen did: the laws were put to the test."""
    tally = lived.tally
    # not every life has a post that is held, nor one on a single network what has to be settled
    rare = ["settled"] if len(lived.networks) > 1 else []
    for kind in ("crashes", "stops", "restart", "clock", "wipes", *rare):
        assert tally[kind], f"{kind}: {tally}"
    assert tally["foretold"] > DAYS / 4, tally
    for network in lived.networks:
        assert tally[f"out on {network}"] > tally["usable"] * 0.8, tally
    assert lived.operator.told["source"], "the source was away for a week"


def test_a_seed_repeats_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    serve_accounts_in_turn(monkeypatch)
    lives = []
    for _ in range(2):
        with long_run(7, 12, "latest") as lived:
            lived.live()
            posts = [
                (post.id, post.text, post.created) for n in NETWORKS for post in lived.world.live(n)
            ]
            asked = [(each.path, each.fault) for each in lived.world.sandbox.requests]
            lives.append((posts, asked, lived.tally))
    assert lives[0] == lives[1]
    assert lives[0][0]


def test_the_calendar_holds_what_it_is_to_hold() -> None:
    shown = calendar(1, DAYS)
    days = {each.digest.day for each in shown}
    assert (BEGIN + DAYS * DAY).year - BEGIN.year == 2
    assert any(each.digest.published.strftime("%m-%d") == "02-29" for each in shown)
    assert len(days) < len({each.digest.slug for each in shown}), "two in a day"
    assert any(each.text for each in shown)
    assert any(each.digest.draft for each in shown)
    assert any(not each.digest.papers for each in shown)
    usable = [each for each in shown if each.usable]
    assert any(each.at - each.digest.published > 3 * DAY for each in usable), "days late"
    assert shown == calendar(1, DAYS)
    assert shown != calendar(2, DAYS)
