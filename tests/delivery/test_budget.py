"""What X bills: shown before, kept in the ledger, and stopped by a budget before the first post."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot.delivery.budget import month_of, next_month
from bot.delivery.types import AccountResult
from bot.formatter.x.prices import thread_price
from bot.ledger.rows import Spending
from bot.model import Digest, Network, State
from bot.sandbox.faults import CLOSED_AFTER, CLOSED_BEFORE, NOT_JSON, Fault, too_many
from bot.sandbox.x.behaviour import XBehaviour
from tests.helpers.fake_world import (
    MORNING,
    FakeWorld,
    check_once,
    check_safe,
    digest,
    fake_world,
    paper,
)

X = Network.TWITTER
LINK = Decimal("0.200")
PLAIN = Decimal("0.015")
MAY_READ = Decimal("0.001")
BUDGET = "TWITTER_MONTHLY_BUDGET"


def post(world: FakeWorld, source: Digest, **more: str) -> AccountResult:
    return world.post(source, world.settings([X], **more))[X]


def spent(world: FakeWorld) -> Decimal:
    with world.service(world.settings([X])) as service:
        return service.ledger.spent("twitter", month_of(world.clock.wall))


def price(world: FakeWorld, source: Digest) -> Decimal:
    """What beginning the thread may cost: its posts, and one reading of each."""
    posts = world.planned(source, world.settings([X]))[X].posts
    return thread_price(each.text for each in posts) + MAY_READ * len(posts)


def forget(world: FakeWorld) -> None:
    world.history = False
    for each in world.folder.glob("state/*"):
        each.unlink()


def test_a_thread_that_fits_to_the_last_tenth_of_a_cent_goes_out(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        source = digest(3)
        assert price(world, source) == 4 * LINK + PLAIN + 5 * MAY_READ
        served = post(world, source, **{BUDGET: str(price(world, source))})
        assert served.end == "done"
        check_once(world.live(X), world.planned(source, world.settings([X]))[X])


def test_a_thread_that_would_pass_the_budget_is_not_begun_before_next_month(
    tmp_path: Path,
) -> None:
    with fake_world(tmp_path) as world:
        source = digest(3)
        budget = {BUDGET: str(price(world, source) - Decimal("0.001"))}
        served = post(world, source, **budget)
        assert served.end == "later"
        assert served.thread is None or {p.state for p in served.thread.posts} == {State.PLANNED}
        assert served.until == datetime(2026, 4, 1, tzinfo=UTC)
        assert "the thread costs $0.82, and $0.00 of this month's $0.82 is spent" in served.reason
        assert BUDGET in served.reason
        assert world.live(X) == []
        assert post(world, source, **budget).end == "later"
        assert {each.method for each in world.sandbox.requests} == {"GET"}
        assert post(world, source).end == "done", "without a budget it goes out"


def test_what_the_month_has_spent_counts_and_the_next_month_begins_anew(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        source, settings = digest(1), {BUDGET: "1"}
        with world.service(world.settings([X])) as service:
            for at, amount in ((MORNING, "0.9"), (MORNING - timedelta(days=2), "77")):
                service.ledger.spend(Spending("twitter", at, "post", Decimal(amount)))
                service.ledger.spend(Spending("other", at, "post", Decimal(500)))
        served = post(world, source, **settings)
        assert (served.end, served.until) == ("later", datetime(2026, 4, 1, tzinfo=UTC))
        assert "$0.90 of this month's $1.00 is spent" in served.reason
        world.clock.wall = datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)
        assert post(world, source, **settings).end == "later"
        world.clock.wall = datetime(2026, 4, 1, tzinfo=UTC)
        assert post(world, source, **settings).end == "done"


def test_a_thread_begun_goes_on_though_the_budget_is_lowered(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        source = digest(3)
        world.sandbox.script(too_many(X, timedelta(minutes=5)), network="twitter", at=6)
        begun = post(world, source, **{BUDGET: "5", "BOT_PATIENCE": "0s"})
        assert (begun.end, len(world.live(X))) == ("later", 2)
        world.clock.sleep(300)
        assert post(world, source, **{BUDGET: "0"}).end == "done"
        check_once(world.live(X), world.planned(source, world.settings([X]))[X])


def test_a_thread_found_half_out_goes_on_whatever_the_budget(tmp_path: Path) -> None:
    """The ledger is lost in the middle of a thread: what is out already is not paid twice."""
    with fake_world(tmp_path) as world:
        source = digest(3)
        budget = {BUDGET: str(price(world, source) + Decimal("0.05"))}
        world.sandbox.script(too_many(X, timedelta(minutes=5)), network="twitter", at=6)
        assert post(world, source, BOT_PATIENCE="0s", **budget).end == "later"
        check_safe(world.live(X), world.planned(source, world.settings([X]))[X])
        assert len(world.live(X)) == 2
        forget(world)
        world.clock.sleep(300)
        assert post(world, source, **budget).end == "done"
        check_once(world.live(X), world.planned(source, world.settings([X]))[X])


def test_a_new_ledger_counts_the_month_from_the_accounts_own_posts(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        world.clock.wall = datetime(2026, 2, 27, tzinfo=UTC)
        world.x.write("Last month's: https://example.org/")
        world.clock.wall = MORNING - timedelta(hours=6)
        world.x.write("This month's: https://example.org/")
        world.x.write("A plain one")
        world.x.write("Somebody else's: https://example.org/", author="42")
        world.clock.wall = MORNING
        source = digest(1)
        known = LINK + PLAIN
        exactly = price(world, source) + known
        refused = post(world, source, **{BUDGET: str(exactly - Decimal("0.001"))})
        assert refused.end == "later"
        assert "$0.22 of this month's" in refused.reason, "0.215, and 0.002 for reading"
        assert spent(world) == known + 2 * MAY_READ
        assert post(world, source, **{BUDGET: str(exactly + 5 * MAY_READ)}).end == "done"


def test_a_month_is_counted_once_and_never_what_the_ledger_knows(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        assert post(world, digest(1)).end == "done"
        known = spent(world)
        world.clock.sleep(3600)
        other = replace(paper(9), rank=1)
        day = digest().day + timedelta(days=1)
        after = replace(digest(1, day=day), published=world.clock.wall, papers=(other,))
        assert post(world, after, **{BUDGET: "100"}).end == "done"
        reads = spent(world) - known - thread_price(p.text for p in world.x.live()[-3:])
        assert Decimal(0) <= reads <= 12 * MAY_READ


def test_an_account_that_cannot_be_read_for_its_month_is_not_begun(tmp_path: Path) -> None:
    with fake_world(tmp_path, XBehaviour(unreadable=403)) as world:
        served = post(world, digest(1), **{BUDGET: "100"})
        assert (served.end, world.live(X)) == ("failed", [])
        assert "403" in served.reason
        assert "TWITTER_READ_BACK=off" in served.reason


def test_a_plan_that_cannot_read_may_have_a_budget(tmp_path: Path) -> None:
    with fake_world(tmp_path, XBehaviour(unreadable=403)) as world:
        source, blind = digest(1), {"TWITTER_READ_BACK": "off"}
        assert post(world, source, **blind, **{BUDGET: "0.1"}).end == "later"
        assert post(world, source, **blind, **{BUDGET: "100"}).end == "done"
        check_once(world.live(X), world.planned(source, world.settings([X]))[X])


def test_a_network_that_bills_nothing_has_no_budget(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        (tmp_path / "bot.toml").write_text("")
        served = world.post(digest(1), world.settings([Network.MASTODON], **{BUDGET: "0"}))
        assert served[Network.MASTODON].end == "done"


def test_the_ledger_says_what_x_bills(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        post(world, digest(3))
        assert spent(world) == world.x.spent
        world.clock.sleep(86400)
        post(world, digest(2, day=digest().day + timedelta(days=1), published=world.clock.wall))
        # the same post is free to read again on the same day, which the ledger does not rely on
        assert Decimal(0) <= spent(world) - world.x.spent <= 6 * MAY_READ


@pytest.mark.parametrize("fault", [CLOSED_AFTER, CLOSED_BEFORE, NOT_JSON], ids=lambda f: f.name)
def test_a_post_in_doubt_is_counted_and_so_are_the_reads(tmp_path: Path, fault: Fault) -> None:
    with fake_world(tmp_path) as world:
        source = digest(2)
        world.sandbox.script(fault, network="twitter", at=3)
        assert post(world, source).end == "done"
        texts = [each.text for each in world.live(X)]
        assert spent(world) >= world.x.spent
        tries = [r for r in world.sandbox.requests if r.method == "POST"]
        doubled = LINK * (len(tries) - len(texts))
        reads = spent(world) - thread_price(texts) - doubled
        assert Decimal(0) <= reads < Decimal("0.05")


def test_a_refused_post_costs_nothing(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        world.sandbox.script(too_many(X, timedelta(minutes=5)), network="twitter", at=1)
        assert post(world, digest(2), BOT_PATIENCE="0s").end == "later"
        assert spent(world) == 0


def test_a_month_that_cannot_be_counted_now_is_counted_later(tmp_path: Path) -> None:
    """The read of the month fails: nothing is begun on half the truth."""
    with fake_world(tmp_path) as world:
        source = digest(1)
        world.sandbox.script(too_many(X, timedelta(minutes=5)), network="twitter", at=1)
        served = post(world, source, **{BUDGET: "100"})
        assert (served.end, world.live(X)) == ("later", [])
        assert "429" in served.reason
        world.clock.sleep(300)
        assert post(world, source, **{BUDGET: "100"}).end == "done"


@pytest.mark.parametrize(
    ("now", "begin", "following"),
    [
        ((2026, 3, 1, 12), (2026, 3, 1), (2026, 4, 1)),
        ((2026, 12, 31, 23), (2026, 12, 1), (2027, 1, 1)),
        ((2027, 1, 1, 0), (2027, 1, 1), (2027, 2, 1)),
        ((2026, 11, 30, 23), (2026, 11, 1), (2026, 12, 1)),
    ],
)
def test_months_begin_and_end_in_utc(
    now: tuple[int, int, int, int], begin: tuple[int, int, int], following: tuple[int, int, int]
) -> None:
    moment = datetime(*now, tzinfo=UTC)
    assert month_of(moment) == datetime(*begin, tzinfo=UTC)
    assert next_month(moment) == datetime(*following, tzinfo=UTC)
