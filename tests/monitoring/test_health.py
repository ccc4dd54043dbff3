"""Health is about the work: what a restart mends is 503, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from bot.ledger.rows import StoredLimit
from bot.model import Network
from bot.monitoring.health import (
    RUN_OVERDUE,
    SIGN_OVERDUE,
    TIMER_SILENT,
    healthz,
    left_usd,
    next_step,
    verdict,
)
from bot.monitoring.metrics import metrics
from bot.monitoring.worker_state import AccountHealth, CurrentPass, Moment, Snapshot, WorkerState
from tests.helpers.watched_worker import NOON, FakeClocks, WatchedWorker

NOW = Moment(NOON, 100_000.0)
TWITTER = AccountHealth("twitter", Network.TWITTER, able=True)


def ago(seconds: float, wall: float | None = None) -> Moment:
    """So many seconds before now; by the wall clock so many."""
    there = seconds if wall is None else wall
    return Moment(NOON - timedelta(seconds=there), NOW.seconds - seconds)


RESTED = replace(FakeClocks().watch().snapshot(), now=NOW, ticked=NOW, due=None)


def reasons(snapshot: Snapshot) -> list[str]:
    """What is stuck, in a word each."""
    words = {"timer": "the timer", "pass": "the pass", "run": "a pass should"}
    found = verdict(snapshot).reasons
    assert verdict(snapshot).stuck == bool(found)
    return [word for word, start in words.items() if any(each.startswith(start) for each in found)]


def table() -> Iterator[tuple[Snapshot, list[str]]]:
    """Every way to be stuck with every other, just before its time and at it."""
    silences = (0.0, TIMER_SILENT - 1, TIMER_SILENT, 1e6)
    reporter = (None, -900.0, 0.0, SIGN_OVERDUE - 1, SIGN_OVERDUE, 1e6)
    runs = (None, -1e6, 0.0, RUN_OVERDUE - 1, RUN_OVERDUE, 1e6)
    jumps = (0.0, -1e7, 1e7)  # of the wall clock, between what was due and now
    for silent, sign, run, jump in product(silences, reporter, runs, jumps):
        work = None if sign is None else CurrentPass(ago(0), (), NOW.seconds - sign)
        due = None if run is None else ago(run, run + jump)
        stuck = ["timer"] * (silent >= 300)
        stuck += ["pass"] * (sign is not None and sign >= 300)
        stuck += ["run"] * (sign is None and run is not None and min(run, run + jump) >= 600)
        yield replace(RESTED, ticked=ago(silent, silent + jump), at_work=work, due=due), stuck


def test_the_verdict_over_all_there_can_be() -> None:
    cases = list(table())
    assert len(cases) == 4 * 6 * 6 * 3
    for snapshot, stuck in cases:
        assert reasons(snapshot) == stuck
        answer, body = healthz(snapshot)
        assert (answer, body["status"]) == ((503, "stuck") if stuck else (200, "ok"))
        assert len(verdict(snapshot).reasons) == len(stuck)


def test_the_reasons_say_what_and_for_how_long() -> None:
    wedged = replace(
        RESTED, ticked=ago(480), at_work=CurrentPass(ago(3_600), ("a",), NOW.seconds - 660)
    )
    timer, work = verdict(wedged).reasons
    assert timer == "the timer has given no sign of life for 8 minutes"
    assert work == (
        "the pass that began at 2026-11-20T11:00:00Z should have given a sign of life 11 minutes "
        "ago"
    )
    assert verdict(replace(RESTED, due=ago(700))).reasons == (
        "a pass should have begun 11 minutes ago, and none is at work",
    )


# A worker's life, told as the worker tells it


def status(worker: WatchedWorker) -> int:
    return healthz(worker.watch.snapshot())[0]


def test_right_after_the_start_all_is_well() -> None:
    worker = WatchedWorker()
    assert status(worker) == 200
    worker.watch.begun(["twitter"])
    worker.advance(4)
    assert status(worker) == 200


def test_a_start_that_never_comes_to_a_pass_is_stuck() -> None:
    worker = WatchedWorker()
    worker.advance(9.5)
    assert status(worker) == 200
    worker.advance(0.5)
    assert status(worker) == 503


def test_a_timer_that_is_wedged_is_stuck_and_well_again_once_it_ticks() -> None:
    worker = WatchedWorker()
    worker.run_pass()
    worker.advance(4.5, ticking=False)
    assert status(worker) == 200
    worker.advance(0.5, ticking=False)
    assert status(worker) == 503
    worker.watch.ticked()
    assert status(worker) == 200


def test_a_pass_that_hangs_is_stuck_and_one_that_waits_for_long_is_not() -> None:
    worker = WatchedWorker()
    worker.watch.begun(["twitter"])
    worker.watch.sign(15 * 60)
    worker.advance(19.5)
    assert status(worker) == 200
    worker.advance(0.5)
    assert status(worker) == 503
    worker.watch.sign()
    assert status(worker) == 200


def test_a_pass_that_is_longer_than_the_schedule_is_not_stuck_not_even_as_it_ends() -> None:
    worker = WatchedWorker()
    worker.run_pass()
    worker.advance(30)
    worker.watch.begun(["twitter"])
    for _ in range(30):
        worker.advance(4)
        worker.watch.sign()
        assert status(worker) == 200
    worker.watch.ended(good=True)
    assert status(worker) == 200
    worker.watch.next_run(worker.clocks.at + timedelta(minutes=30))
    assert status(worker) == 200


def test_a_run_that_nobody_takes_up_is_stuck() -> None:
    worker = WatchedWorker()
    worker.run_pass()
    worker.advance(39.5)
    assert status(worker) == 200
    worker.advance(0.5)
    assert status(worker) == 503


def test_a_loop_that_ends_between_two_passes_is_stuck() -> None:
    worker = WatchedWorker()
    worker.watch.begun(["twitter"])
    worker.watch.ended(good=True)
    worker.advance(10)
    assert status(worker) == 503
    worker.watch.next_run(None)  # the schedule has no other
    worker.advance(60 * 24)
    assert status(worker) == 200


@pytest.mark.parametrize("jump", [3_600, 86_400 * 400, -3_600, -86_400 * 400])
def test_a_clock_that_is_set_makes_nothing_stuck(jump: float) -> None:
    worker = WatchedWorker()
    worker.clocks.set_wall(jump)
    assert status(worker) == 200
    worker.watch.begun(["twitter"])
    worker.watch.sign(60)
    worker.clocks.set_wall(jump)
    assert status(worker) == 200
    worker.clocks.set_wall(-jump)
    worker.run_pass()
    worker.clocks.set_wall(jump)
    worker.advance(39)
    assert status(worker) == 200


def test_no_trouble_that_a_restart_does_not_mend_is_503() -> None:
    worker = WatchedWorker()
    limit = StoredLimit("twitter", "post", NOON + timedelta(hours=1), "429")
    for number, bad in enumerate(
        (
            replace(TWITTER, able=False, reason="401: the token was revoked"),
            replace(TWITTER, held=9, unknown=3, pending=20),
            replace(TWITTER, spent_usd=Decimal(30), budget_usd=Decimal(25), until=NOON),
            replace(TWITTER, limits=(limit,)),
        )
    ):
        worker.run_pass(good=False, reason="refused: the token was revoked")
        worker.watch.account(replace(bad, name=f"twitter-{number}"))
    worker.watch.source("unreachable", ok=False)
    worker.advance(29)
    answer, body = healthz(worker.watch.snapshot())
    assert (answer, body["status"], body["reasons"]) == (HTTPStatus.OK, "ok", [])
    assert body["last_good_pass"] is None


# What /healthz says


def test_healthz_says_all_that_is_known() -> None:
    clocks = FakeClocks()
    watch = clocks.watch()
    watch.begun(["twitter", "mastodon"])
    clocks.advance(2.5)
    watch.ended(good=True)
    clocks.advance(60)
    watch.begun(["twitter", "mastodon"])
    watch.source("found", ok=True, digest="hot-papers-2026-11-19")
    watch.account(
        AccountHealth(
            "twitter",
            Network.TWITTER,
            able=False,
            reason="401: the token was revoked",
            until=NOON + timedelta(hours=2),
            tried_at=NOON,
            last_sent_at=NOON - timedelta(days=1),
            last_digest="hot-papers-2026-11-18",
            pending=11,
            unknown=1,
            held=2,
            spent_usd=Decimal("20.125"),
            budget_usd=Decimal(25),
            limits=(StoredLimit("twitter", "post", NOON + timedelta(hours=1), "429"),),
        )
    )
    watch.ended(good=False, reason="refused: the token was revoked")
    watch.next_run(NOON + timedelta(minutes=30))
    watch.begun(["mastodon"])
    clocks.advance(7)
    answer, body = healthz(watch.snapshot())
    assert answer == 200
    assert json.loads(json.dumps(body)) == {
        "status": "ok",
        "reasons": [],
        "started": "2026-11-20T12:00:00Z",
        "uptime_seconds": 69,
        "timer_age_seconds": 69,
        "at_work": {"since": "2026-11-20T12:01:02Z", "accounts": ["mastodon"]},
        "last_pass": {
            "ended": "2026-11-20T12:01:02Z",
            "age_seconds": 7,
            "seconds": 0.0,
            "good": False,
            "reason": "refused: the token was revoked",
        },
        "last_good_pass": {
            "ended": "2026-11-20T12:00:02Z",
            "age_seconds": 67,
            "seconds": 2.5,
            "good": True,
            "reason": None,
        },
        "next_run": None,
        "source": {
            "state": "found",
            "ok": True,
            "digest": "hot-papers-2026-11-19",
            "reason": None,
            "asked": "2026-11-20T12:01:02Z",
            "age_seconds": 7,
            "failing_since": None,
        },
        "accounts": [
            {
                "account": "twitter",
                "network": "twitter",
                "able": False,
                "reason": "401: the token was revoked",
                "next_step": "Mend its credentials, as bot check says, and start the worker anew.",
                "until": "2026-11-20T14:00:00Z",
                "tried": "2026-11-20T12:00:00Z",
                "last_sent": "2026-11-19T12:00:00Z",
                "last_digest": "hot-papers-2026-11-18",
                "pending": 11,
                "unknown": 1,
                "held": 2,
                "spent_usd": 20.125,
                "budget_usd": 25.0,
                "left_usd": 4.875,
                "limits": [{"kind": "post", "until": "2026-11-20T13:00:00Z", "reason": "429"}],
            }
        ],
    }


def test_healthz_of_a_worker_that_just_began() -> None:
    watch = FakeClocks().watch()
    watch.account(TWITTER)
    watch.source("unreachable", ok=False)
    body = json.loads(json.dumps(healthz(watch.snapshot())[1]))
    for name in ("at_work", "last_pass", "last_good_pass", "next_run"):
        assert body[name] is None
    assert body["source"]["failing_since"] == "2026-11-20T12:00:00Z"
    for name in ("reason", "next_step", "until", "tried", "last_digest", "budget_usd", "left_usd"):
        assert body["accounts"][0][name] is None


def test_a_wall_clock_of_another_zone_is_told_in_utc() -> None:
    there = datetime.fromisoformat("2026-11-20T14:00:00+02:00")
    snapshot = replace(RESTED, next_run=there)
    assert healthz(snapshot)[1]["next_run"] == "2026-11-20T12:00:00Z"


@pytest.mark.parametrize(
    ("account", "step"),
    [
        (TWITTER, ""),
        (replace(TWITTER, able=None, reason="not tried yet"), ""),
        (replace(TWITTER, able=False), "Mend its credentials"),
        (replace(TWITTER, held=1), "Decide with bot settle"),
        (replace(TWITTER, held=1, fix="Do this."), "Do this."),
    ],
)
def test_the_next_step_is_said(account: AccountHealth, step: str) -> None:
    assert next_step(account).startswith(step)
    assert bool(next_step(account)) == bool(step)


def test_what_is_left_of_a_budget_is_never_less_than_nothing() -> None:
    assert left_usd(TWITTER) is None
    over = replace(TWITTER, spent_usd=Decimal(30), budget_usd=Decimal(25))
    assert left_usd(over) == 0


# What /metrics says


def parsed(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels, as Prometheus's own parser reads them; none comes twice."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type in {"gauge", "counter"}
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def figures(watch: WorkerState) -> dict[str, float]:
    """The samples whose labels are those of one account, or none, by name."""
    samples = parsed(metrics(watch.snapshot()))
    return {name: value for (name, _), value in samples.items()}


def test_metrics_are_figures_of_the_same() -> None:
    clocks = FakeClocks()
    watch = clocks.watch()
    watch.begun(["twitter"])
    clocks.advance(2)
    watch.ended(good=True)
    watch.count("sent", "twitter")
    watch.count("sent", "twitter")
    watch.source("found", ok=True)
    watch.next_run(NOON + timedelta(minutes=30))
    limits = (
        StoredLimit("twitter", "post", NOON, "429"),
        StoredLimit("twitter", "post", NOON + timedelta(hours=1), "429"),
        StoredLimit("twitter", "read", NOON, "429"),
    )
    watch.account(
        replace(
            TWITTER,
            tried_at=NOON,
            last_sent_at=NOON,
            held=2,
            pending=7,
            spent_usd=Decimal("0.015"),
            budget_usd=Decimal(25),
            limits=limits,
        )
    )
    clocks.advance(8)
    noon = NOON.timestamp()
    who = (("account", "twitter"), ("network", "twitter"))
    assert parsed(metrics(watch.snapshot())) == {
        ("bot_stuck", ()): 0,
        ("bot_start_timestamp_seconds", ()): noon,
        ("bot_timer_age_seconds", ()): 10,
        ("bot_pass_at_work", ()): 0,
        ("bot_passes_total", (("result", "good"),)): 1,
        ("bot_passes_total", (("result", "bad"),)): 0,
        ("bot_last_pass_timestamp_seconds", ()): noon + 2,
        ("bot_last_pass_duration_seconds", ()): 2,
        ("bot_last_pass_good", ()): 1,
        ("bot_last_good_pass_timestamp_seconds", ()): noon + 2,
        ("bot_last_good_pass_age_seconds", ()): 8,
        ("bot_next_run_timestamp_seconds", ()): noon + 1_800,
        ("bot_source_ok", ()): 1,
        ("bot_source_asked_timestamp_seconds", ()): noon + 2,
        ("bot_events_total", (("account", "twitter"), ("event", "sent"))): 2,
        ("bot_account_able", who): 1,
        ("bot_account_tried_timestamp_seconds", who): noon,
        ("bot_account_last_sent_timestamp_seconds", who): noon,
        ("bot_account_posts", (*who, ("state", "pending"))): 7,
        ("bot_account_posts", (*who, ("state", "unknown"))): 0,
        ("bot_account_posts", (*who, ("state", "held"))): 2,
        ("bot_account_spent_usd", who): 0.015,
        ("bot_account_budget_usd", who): 25,
        ("bot_account_left_usd", who): 24.985,
        (
            "bot_account_limited_until_timestamp_seconds",
            (who[0], ("kind", "post"), who[1]),
        ): noon + 3_600,
        (
            "bot_account_limited_until_timestamp_seconds",
            (who[0], ("kind", "read"), who[1]),
        ): noon,
    }


def test_what_is_not_known_is_no_figure_and_nothing_is_said_of_the_process() -> None:
    watch = FakeClocks().watch()
    watch.account(replace(TWITTER, able=None))
    assert "next_run" not in metrics(watch.snapshot())
    assert figures(watch) == {
        "bot_stuck": 0,
        "bot_start_timestamp_seconds": NOON.timestamp(),
        "bot_timer_age_seconds": 0,
        "bot_pass_at_work": 0,
        "bot_passes_total": 0,
        "bot_account_posts": 0,
        "bot_account_spent_usd": 0,
    }


def test_stuck_is_a_figure_too() -> None:
    worker = WatchedWorker()
    worker.run_pass()
    assert figures(worker.watch)["bot_stuck"] == 0
    worker.advance(5, ticking=False)
    assert figures(worker.watch)["bot_stuck"] == 1


@given(
    st.lists(
        st.tuples(st.text(), st.text(), st.integers(1, 3)),
        max_size=5,
        unique_by=lambda each: each[:2],
    )
)
def test_whatever_the_names_are_metrics_parse_back(counts: list[tuple[str, str, int]]) -> None:
    watch = FakeClocks().watch()
    for event, account, number in counts:
        for _ in range(number):
            watch.count(event, account)
    samples = parsed(metrics(watch.snapshot()))
    for event, account, number in counts:
        key = (("account", account), ("event", event))
        assert samples["bot_events_total", key] == number


MOMENTS = st.integers(-(10**9), 10**9).map(lambda seconds: NOON + timedelta(seconds=seconds))
ACCOUNTS = st.builds(
    AccountHealth,
    name=st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True),
    network=st.sampled_from(Network),
    until=st.none() | MOMENTS,
    tried_at=st.none() | MOMENTS,
    last_sent_at=st.none() | MOMENTS,
    spent_usd=st.decimals(0, 10**6, places=6),
    budget_usd=st.none() | st.decimals(0, 10**6, places=6),
    limits=st.lists(
        st.builds(StoredLimit, st.text(), st.text(), MOMENTS, st.text()), max_size=3
    ).map(tuple),
)


@given(st.lists(ACCOUNTS, max_size=3), st.booleans())
def test_whatever_an_account_is_both_pages_can_be_read(
    accounts: list[AccountHealth],
    ended: bool,  # noqa: FBT001 - hypothesis passes it
) -> None:
    watch = FakeClocks().watch()
    for account in accounts:
        watch.account(account)
    tell: Callable[[], None] = (
        (lambda: watch.ended(good=True)) if ended else (lambda: watch.begun(["a"]))
    )
    tell()
    known = watch.snapshot()
    body = json.loads(json.dumps(healthz(known)[1], allow_nan=False))
    assert len(body["accounts"]) == len({one.name for one in accounts})
    samples = parsed(metrics(known))
    for one in known.accounts:
        who = (("account", one.name), ("network", one.network.value))
        assert samples["bot_account_spent_usd", who] == pytest.approx(float(one.spent_usd))
