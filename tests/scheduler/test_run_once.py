"""Passes of the worker: what is posted, when it comes again, and what is told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.digests.folder import read_bytes
from bot.digests.result import SourceOutcome, SourceResult
from bot.errors import Unreachable
from bot.ledger.store import Ledger
from bot.model import Account, Digest, Network, State
from bot.sandbox import faults
from bot.sandbox.faults import refusal, too_many
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.scheduler.decide import AccountHistory, AccountPlan
from bot.scheduler.history import account_history
from bot.scheduler.problems import AccountRun, judges, of_account
from tests.helpers.fake_world import MORNING, check_once, fake_world
from tests.helpers.worker_world import (
    FakeHeartbeat,
    FakeOperator,
    WorkerWorld,
    later,
    numbered_digest,
    publish,
    publish_file,
    worker_settings,
    worker_world,
)

X, TOOTS = Network.TWITTER, Network.MASTODON
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NO_POSTING = refusal("401", mastodon_answers.UNAUTHORIZED)


def unreadable(monkeypatch: pytest.MonkeyPatch, *sources: Digest) -> None:
    """Let nobody read the files of these digests, whoever runs the tests."""

    def read(path: Path, limit: int, flags: int = 0) -> bytes:
        if path.name.endswith(tuple(f"{source.slug}.md" for source in sources)):
            raise PermissionError(13, "Permission denied")
        return read_bytes(path, limit, flags)

    monkeypatch.setattr("bot.digests.folder.read_bytes", read)


def test_a_new_digest_goes_out_on_every_account_once(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world)
        source = publish(world, 1)
        with worker_world(world, settings) as worker:
            assert worker.run() == {}
            for network, thread in world.planned(source, settings).items():
                check_once(world.live(network), thread)
            asked = len(world.sandbox.requests)
            later(world, HOUR)
            worker.run()
            assert len(world.sandbox.requests) == asked, "nothing new costs no request"
        done = worker.lines("thread.done")
        assert {line["account"] for line in done} == {"twitter", "mastodon"}
        sent = worker.lines("post.sent")
        assert {"digest", "account", "position", "id", "seconds"} <= sent[0].keys()
        assert worker.lines("account.idle") == [], "after a digest that goes without saying"


def test_a_restart_posts_nothing_twice_and_a_wiped_ledger_neither(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world)
        source = publish(world, 1)
        for wiped in (False, False, True):
            if wiped:
                settings.database.unlink()
            with worker_world(world, settings) as worker:
                worker.run()
        for network, thread in world.planned(source, settings).items():
            check_once(world.live(network), thread)


def test_a_source_that_fails_is_told_once_asked_again_and_over_once(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        broken = publish_file(
            world.folder / "posts", numbered_digest(1, world.clock.wall), "no digest at all"
        )
        with worker_world(world, settings, operator, heartbeat) as worker:
            for _ in range(3):
                worker.run()
                later(world, HOUR)
            assert (operator.raised, operator.over) == (["source"], [])
            assert [line["reason"] for line in worker.lines("account.idle")] == ["cannot tell"]
            broken.unlink()
            publish(world, 2)
            worker.run()
        assert operator.over == ["source"]
        assert heartbeat.beats == [False, False, False, True]
        assert len(worker.lines("trouble.raised")) == 1
        assert worker.lines("trouble.raised")[0]["mend"]


def test_a_source_that_has_nothing_any_more_is_told_over_a_restart_too(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        with worker_world(world, settings, operator, heartbeat) as worker:
            for _ in range(3):  # an empty folder, at first, is no trouble
                worker.run()
                later(world, HOUR)
            publish(world, 1)
            worker.run()
            assert (operator.raised, heartbeat.beats) == ([], [True] * 4)
            for path in (world.folder / "posts").iterdir():
                path.unlink()
            worker.run()
            later(world, HOUR)
            worker.run()
            assert len(worker.lines("source.failed")) == 1
            source = worker.watch.snapshot().source
            assert source
            assert not source.ok
        with worker_world(world, settings, operator, heartbeat) as worker:
            worker.run()
            assert (operator.raised, operator.over) == (["source"], [])
            publish(world, 2)
            worker.run()
        assert (operator.raised, operator.over) == (["source"], ["source"])
        assert heartbeat.beats[4:] == [False, False, False, True]


def test_a_file_that_is_gone_is_told_with_what_to_do(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        path = publish_file(world.folder / "posts", numbered_digest(1, world.clock.wall))
        settings = worker_settings(world, [TOOTS], BOT_DIGESTS=f"posts/{path.name}")
        operator = FakeOperator()
        with worker_world(world, settings, operator) as worker:
            path.unlink()
            worker.run()
            later(world, HOUR)
            worker.run()
            [line] = worker.lines("trouble.raised")
        assert operator.raised == ["source"]
        assert "no such file" in str(line["reason"])
        assert line["mend"]


def test_a_folder_that_is_gone_is_asked_after_growing_waits(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        with worker_world(world, settings) as worker:
            (world.folder / "posts").rmdir()
            waits = []
            for _ in range(4):
                again = worker.run()["mastodon"]
                waits.append(again - world.clock.wall)
                later(world, again)
            assert len(worker.lines("source.failed")) == 1
        assert waits == [timedelta(minutes=n) for n in (1, 2, 4, 8)]


def test_a_rate_limit_is_waited_for_to_its_end_and_not_to_the_next_tick(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [X], BOT_PATIENCE="1m")
        source = publish(world, 1)
        limit = too_many(Network.TWITTER, 2 * HOUR)
        world.sandbox.script(limit, network="twitter", when=lambda r: r.method == "POST")
        world.add_history(settings)
        with worker_world(world, settings) as worker:
            wakes = worker.run()
            until = wakes["twitter"]
            assert timedelta(0) <= until - (world.clock.wall + 2 * HOUR) < timedelta(minutes=1)
            asked = len(world.sandbox.requests)
            later(world, HOUR)
            assert worker.run()["twitter"] == until
            assert len(world.sandbox.requests) == asked, "what has to wait is left alone"
            later(world, until)
            assert worker.run("twitter") == {}
        check_once(world.live(X), world.planned(source, settings)[X])


def test_a_half_thread_that_waits_too_long_is_left_to_a_person_and_blocks_nothing(
    tmp_path: Path,
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], BOT_PATIENCE="0")
        first, operator = publish(world, 1), FakeOperator()
        down = faults.server_error(503, faults.Commit.NEVER)
        second = lambda r: r.method == "POST" and b"2602.10010" in r.body  # noqa: E731
        world.sandbox.script(down, network="mastodon", when=second, times=10_000)
        with worker_world(world, settings, operator) as worker:
            worker.run()
            assert [post.reply_to for post in world.live(TOOTS)] == [None]
            later(world, 4 * DAY)
            new = publish(world, 2)
            worker.run()
            thread = worker.ledger.thread("mastodon", first.slug)
            assert thread is not None
            assert thread.posts[1].state is State.HELD
            assert "BOT_MAX_AGE" in thread.posts[1].reason
        assert f"held:mastodon:{first.slug}" in operator.raised
        check_once(world.live(TOOTS)[1:], world.planned(new, settings)[TOOTS])


def test_refused_credentials_are_told_tried_again_and_stop_nobody_else(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world)
        source, operator = publish(world, 1), FakeOperator()
        world.sandbox.script(NO_POSTING, network="mastodon", times=2)
        with worker_world(world, settings, operator) as worker:
            worker.run()
            check_once(world.live(X), world.planned(source, settings)[X])
            assert operator.raised == ["refused:mastodon"]
            health = {one.name: one for one in worker.watch.snapshot().accounts}
            assert (health["twitter"].able, health["mastodon"].able) == (True, False)
            later(world, HOUR)
            worker.run()
            later(world, HOUR)
            worker.run()
            assert operator.over == ["refused:mastodon"]
        check_once(world.live(TOOTS), world.planned(source, settings)[TOOTS])


def test_a_server_that_is_down_does_not_say_that_refused_credentials_work(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], BOT_PATIENCE="0")
        source, operator = publish(world, 1), FakeOperator()
        down = faults.server_error(503, faults.Commit.NEVER)
        second = lambda r: r.method == "POST" and b"2602.10011" in r.body  # noqa: E731
        world.sandbox.script(NO_POSTING, network="mastodon", when=second)
        with worker_world(world, settings, operator) as worker:
            worker.run()
            assert operator.raised == ["refused:mastodon"]
            for fault in (down, NO_POSTING, down):
                later(world, HOUR)
                world.sandbox.script(fault, network="mastodon")
                worker.run()
                assert worker.watch.snapshot().accounts[0].able is False
            assert (operator.raised, operator.over) == (["refused:mastodon"], [])
            later(world, HOUR)
            worker.run()
            assert operator.over == ["refused:mastodon"]
        check_once(world.live(TOOTS), world.planned(source, settings)[TOOTS])


def test_credentials_are_tried_at_a_start_and_then_once_a_day(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world)
        spent = []
        with worker_world(world, settings) as worker:
            for _ in range(50):
                before = len(world.sandbox.requests)
                worker.run()
                spent.append(len(world.sandbox.requests) - before)
                later(world, HOUR)
            assert [n for n, asked in enumerate(spent) if asked] == [0, 24, 48]
            assert worker.ledger.spent("twitter", world.clock.wall - 9 * DAY) == 0
        for again in (True, False):  # the second time, less than an hour ago
            with worker_world(world, settings) as worker:
                worker.run()
                assert bool(worker.lines("account.ready")) is again


def test_an_alert_that_reached_nobody_is_sent_again(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        operator = FakeOperator(away=True)
        publish_file(
            world.folder / "posts", numbered_digest(1, world.clock.wall), "no digest at all"
        )
        with worker_world(world, settings, operator) as worker:
            worker.run()
            assert worker.lines("alerts.failed")
            operator.away = False
        with worker_world(world, settings, operator) as worker:
            worker.run()
            worker.run()
        assert operator.raised == ["source"]


def test_a_bug_in_one_account_is_its_own_and_the_worker_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world)
        source, operator = publish(world, 1), FakeOperator()

        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError("a secret may stand here")

        monkeypatch.setattr("bot.posters.mastodon.poster.open_poster", broken)
        with worker_world(world, settings, operator) as worker:
            worker.run()
            [line] = worker.lines("thread.failed")
            assert "ZeroDivisionError" in str(line["reason"])
            assert "secret" not in str(line["reason"])
            assert operator.raised == [f"failed:mastodon:{source.slug}"]
            monkeypatch.undo()
            later(world, HOUR)
            worker.run()
            assert operator.over == [f"failed:mastodon:{source.slug}"]
        for network, thread in world.planned(source, settings).items():
            check_once(world.live(network), thread)


def test_a_pass_that_breaks_off_is_told_and_made_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_world(tmp_path) as world:
        settings, heartbeat = worker_settings(world, [TOOTS]), FakeHeartbeat()
        with worker_world(world, settings, FakeOperator(), heartbeat) as worker:

            def broken() -> None:
                raise ZeroDivisionError

            with monkeypatch.context() as patch:
                patch.setattr(type(worker.passes.poller), "ask", lambda _: broken())
                assert worker.run() == {"mastodon": world.clock.wall + timedelta(minutes=1)}
            worker.run()
        assert heartbeat.beats == [False, True]
        assert "pass.failed" in worker.events()


def test_a_server_that_is_down_is_told_after_an_hour_and_the_lost_digest_too(
    tmp_path: Path,
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], BOT_PATIENCE="0")
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        source = publish(world, 1)
        down = faults.server_error(503, faults.Commit.NEVER)
        is_down = [True]
        world.sandbox.script(down, network="mastodon", when=lambda _: is_down[0], times=10_000)
        with worker_world(world, settings, operator, heartbeat) as worker:
            worker.run()
            assert (operator.raised, heartbeat.beats) == ([], [False]), "nothing was reached"
            for _ in range(80):
                later(world, HOUR)
                worker.run()
            assert operator.raised == ["silent:mastodon", f"left:mastodon:{source.slug}"]
            assert heartbeat.beats[1:] == [False] * 80
            is_down[0] = False
            new = publish(world, 2)
            later(world, HOUR)
            worker.run()
            assert sorted(operator.over) == sorted(operator.raised)
        check_once(world.live(TOOTS), world.planned(new, settings)[TOOTS])


def test_a_restart_does_not_say_that_a_server_which_is_down_answers(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], BOT_PATIENCE="0")
        source, operator = publish(world, 1), FakeOperator()
        down = faults.server_error(503, faults.Commit.NEVER)
        world.sandbox.script(down, network="mastodon", times=None)
        for passes in (3, 1, 3):
            with worker_world(world, settings, operator) as worker:
                for _ in range(passes):
                    worker.run()
                    later(world, HOUR)
        assert (operator.raised, operator.over) == (["silent:mastodon"], [])
        world.sandbox.fix()
        with worker_world(world, settings, operator) as worker:
            worker.run()
        assert operator.over == ["silent:mastodon"]
        check_once(world.live(TOOTS), world.planned(source, settings)[TOOTS])


def test_a_digest_that_the_budget_keeps_back_is_told_for_as_long_as_it_is_so(
    tmp_path: Path,
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [X], TWITTER_MONTHLY_BUDGET="0.10")
        source, operator = publish(world, 1), FakeOperator()
        with worker_world(world, settings, operator) as worker:
            for _ in range(5):
                worker.run()
                later(world, HOUR)
        assert (operator.raised, operator.over) == ([f"left:twitter:{source.slug}"], [])


def test_an_account_without_papers_of_a_digest_is_done_with_it(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text(
        '[[accounts]]\nname = "toots"\nnetwork = "mastodon"\ncategories = ["math.AG"]\n'
    )
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        publish(world, 1)
        with worker_world(world, settings) as worker:
            for _ in range(3):
                worker.run()
                later(world, HOUR)
        assert [len(worker.lines(f"thread.{end}")) for end in ("none", "done")] == [1, 0]
        assert len(worker.lines("account.ready")) == 1


def test_a_digest_that_cannot_be_read_keeps_back_what_came_after_it_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], BOT_CATCH_UP="all")
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        publish(world, 1)
        with worker_world(world, settings, operator, heartbeat) as worker:
            worker.run()
            later(world, DAY)
            unreadable(monkeypatch, publish(world, 2))
            later(world, DAY)
            publish(world, 3)
            worker.run()
            assert (operator.raised, heartbeat.beats) == ([], [True, True]), "it may pass"
            later(world, HOUR)
            worker.run()
        with worker_world(world, settings, operator, heartbeat) as worker:
            worker.run()  # a restart is no mend
            assert (len(operator.raised), operator.over) == (1, [])
            assert operator.raised[0].startswith("unread:mastodon:")
            assert heartbeat.beats == [True, True, False, True]
            monkeypatch.undo()
            worker.run()
            assert len(worker.lines("thread.done")) == 2
        assert operator.over == operator.raised


@pytest.mark.parametrize("catch_up", ["latest", "all"])
def test_the_newest_that_can_be_read_goes_out_where_the_newest_cannot_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catch_up: str
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], BOT_CATCH_UP=catch_up)
        operator = FakeOperator()
        sources = [publish(world, number, world.clock.wall + number * DAY) for number in (1, 2)]
        later(world, 2 * DAY + HOUR)
        unreadable(monkeypatch, sources[1])
        with worker_world(world, settings, operator) as worker:
            worker.run()
            assert world.live(TOOTS) == []
            for _ in range(2):
                later(world, HOUR)
                worker.run()
            assert operator.raised == ["source"]
            assert [line["digest"] for line in worker.lines("thread.done")] == [sources[0].slug]
            monkeypatch.undo()
            worker.run()
        assert operator.over == ["source"]
        for source, live in zip(
            sources, (world.live(TOOTS)[:4], world.live(TOOTS)[4:]), strict=True
        ):
            check_once(live, world.planned(source, settings)[TOOTS])


def test_what_keeps_back_others_is_told_with_every_way_out() -> None:
    said = Unreachable("posts/y.md: cannot be read", "Let the user that runs the bot read it.")
    cut = SourceResult(SourceOutcome.UNREACHABLE, "posts/y.md", problem=said)
    account = Account("toots", TOOTS)
    turn = AccountRun(account, AccountPlan(cut=cut), (), cut_since=MORNING)
    [problem] = of_account(turn, (), 3 * DAY, MORNING + HOUR)
    assert problem.fix == (
        "Let the user that runs the bot read it. Or take what cannot be read away, or set "
        "BOT_CATCH_UP=latest."
    )
    assert not [*of_account(turn, (), 3 * DAY, MORNING + HOUR / 3)]


def test_a_turn_that_broke_off_tells_of_no_end() -> None:
    account = Account("toots", TOOTS)
    for what in ("unread", "left"):
        for whole in (True, False):
            turn = AccountRun(account, AccountPlan(), (), whole=whole)
            assert judges(f"{what}:toots:x", [turn], {"toots"}, failing=False) is whole


def test_how_long_something_is_kept_back_is_counted_through_passes_that_cannot_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest cannot be read either for one pass: the half hour does not begin anew."""
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], BOT_CATCH_UP="all")
        operator = FakeOperator()
        publish(world, 1)
        with worker_world(world, settings, operator) as worker:
            worker.run()
            later(world, DAY)
            bad = publish(world, 2)
            later(world, DAY)
            newest = publish(world, 3)
            unreadable(monkeypatch, bad)
            worker.run()
            later(world, HOUR / 3)
            with monkeypatch.context() as patch:
                unreadable(patch, bad, newest)
                worker.run()
            later(world, HOUR / 3)
            worker.run()
        assert [key.partition(":")[0] for key in operator.raised] == ["unread"]
        assert operator.over == []


def test_an_account_gets_past_many_digests_without_papers_for_it(tmp_path: Path) -> None:
    (tmp_path / "bot.toml").write_text(
        '[[accounts]]\nname = "toots"\nnetwork = "mastodon"\ncategories = ["cs.LG"]\n'
    )
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], BOT_CATCH_UP="all")
        publish(world, 1)
        with worker_world(world, settings) as worker:
            worker.run()
        for number in range(2, 9):
            later(world, DAY)
            publish(world, number, categories=("math.AG",))
        later(world, DAY)
        wanted = publish(world, 9)
        said = []
        for _ in range(4):  # each in a process of its own
            with worker_world(world, settings) as worker:
                worker.run()
                later(world, HOUR)
                said += worker.events()
        assert said.count("thread.done") == 1
        check_once(world.live(TOOTS)[4:], world.planned(wanted, settings)[TOOTS])


def test_a_ledger_that_is_deleted_under_the_worker_is_begun_anew(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        source = publish(world, 1)
        with worker_world(world, settings) as worker:
            worker.run()
            assert not worker.passes.lost
            settings.database.unlink()
            later(world, HOUR)
            worker.run()
            assert worker.passes.lost
        with worker_world(world, settings) as worker:
            worker.run()
        check_once(world.live(TOOTS), world.planned(source, settings)[TOOTS])


def test_a_ledger_that_cannot_be_written_is_waited_for_and_told_once(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        with worker_world(world, settings, operator, heartbeat) as worker:
            worker.run()
            source = publish(world, 1)
            worker.ledger._fetch("PRAGMA query_only = ON")
            waits = []
            for _ in range(4):
                again = worker.run()["mastodon"]
                waits.append(again - world.clock.wall)
                later(world, again)
            assert waits == [timedelta(minutes=n) for n in (1, 2, 4, 8)]
            assert not worker.passes.lost, "another start would not help"
            assert (operator.raised, operator.over) == (["ledger"], [])
            worker.ledger._fetch("PRAGMA query_only = OFF")
            worker.run()
        assert operator.over == ["ledger"]
        assert heartbeat.beats == [True, False, False, False, False, True]
        check_once(world.live(TOOTS), world.planned(source, settings)[TOOTS])


def test_new_tokens_are_tried_at_the_next_start_however_soon(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        with worker_world(world, settings) as worker:
            worker.run()
        wrong = worker_settings(world, [TOOTS], MASTODON_ACCESS_TOKEN="wrong-token-wrong-token")
        operator = FakeOperator()
        with worker_world(world, wrong, operator) as worker:
            worker.run()
        assert operator.raised == ["refused:mastodon"]


def test_a_plan_that_cannot_read_is_not_said_to_be_ready(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [X], TWITTER_READ_BACK="off")
        with worker_world(world, settings) as worker:
            worker.run()
            [health] = worker.watch.snapshot().accounts
        assert health.able is None
        assert not worker.lines("account.ready")


def test_a_digest_of_a_day_to_come_blocks_nothing(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        publish(world, 9, world.clock.wall + 400 * DAY)
        good = publish(world, 1)
        with worker_world(world, settings) as worker:
            worker.run()
            worker.run()
        assert worker.lines("account.idle")[0]["reason"] == "the latest is of a day to come"
        check_once(world.live(TOOTS), world.planned(good, settings)[TOOTS])


def test_a_source_that_is_silent_is_asked_again_for_those_alone_who_were_due(
    tmp_path: Path,
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world)
        with worker_world(world, settings) as worker:
            (world.folder / "posts").rmdir()
            assert set(worker.run("twitter")) <= {"twitter"}


def test_a_turn_that_breaks_off_is_its_accounts_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world)
        source = publish(world, 1)
        whole = account_history

        def broken(ledger: Ledger, account: str, *more: object) -> AccountHistory:
            if account == "mastodon":
                raise ZeroDivisionError
            return whole(ledger, account, *more)  # type: ignore[arg-type] # as it is called

        monkeypatch.setattr("bot.scheduler.run_once.account_history", broken)
        operator = FakeOperator()
        with worker_world(world, settings, operator) as worker:
            worker.run()
        assert operator.raised == ["failed:mastodon"]
        check_once(world.live(X), world.planned(source, settings)[X])


def test_a_turn_that_broke_off_is_over_with_the_next_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_world(tmp_path) as world:
        settings, operator = worker_settings(world, [TOOTS]), FakeOperator()
        with worker_world(world, settings, operator) as worker:
            worker.run()
            with monkeypatch.context() as patch:
                patch.setattr("bot.scheduler.run_once.account_history", lambda *_: 1 // 0)
                worker.run()
            assert (operator.raised, operator.over) == (["failed:mastodon"], [])
            worker.run()
            assert operator.over == ["failed:mastodon"]


def test_a_digest_that_a_person_posts_meanwhile_is_pending_no_more(tmp_path: Path) -> None:
    broken = tmp_path / "templates" / "default" / "entry.txt.j2"
    broken.parent.mkdir(parents=True)
    broken.write_text("{{ paper.arxiv_id }} {{ 'x' * 600 }}")
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS], BOT_TEMPLATES=str(tmp_path / "templates"))
        operator, heartbeat = FakeOperator(), FakeHeartbeat()
        source = publish(world, 1)
        with worker_world(world, settings, operator, heartbeat) as worker:
            worker.run()
            assert operator.raised == [f"failed:mastodon:{source.slug}"]
            broken.unlink()
            assert world.post(source, settings)[TOOTS].end == "done"
            later(world, HOUR)
            worker.run()
            assert operator.over == operator.raised
            assert heartbeat.beats == [False, True]
            [health] = worker.watch.snapshot().accounts
            assert health.reason == ""
        check_once(world.live(TOOTS), world.planned(source, settings)[TOOTS])


def test_a_digest_that_another_was_busy_with_is_pending_no_more(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings, operator = worker_settings(world, [TOOTS]), FakeOperator()
        source = publish(world, 1)
        with worker_world(world, settings, operator) as worker:
            with worker.ledger.sending("mastodon", world.clock.wall):
                worker.run()
            assert len(worker.lines("thread.later")) == 1
            assert world.post(source, settings)[TOOTS].end == "done"
            for _ in range(5):
                later(world, DAY)
                worker.run()
            [health] = worker.watch.snapshot().accounts
        assert (health.reason, health.until) == ("", None)
        assert operator.raised == []


def read_status(worker: WorkerWorld) -> dict[str, object]:
    snapshot = worker.watch.snapshot()
    return {"good": snapshot.good, "bad": snapshot.bad}


def test_what_the_worker_does_is_in_the_ledger_for_bot_status(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = worker_settings(world, [TOOTS])
        with worker_world(world, settings) as worker:
            worker.run()
            worker.reporter.next_run(world.clock.wall + HOUR)
            assert worker.ledger.get_fact("", "last good pass") == world.clock.wall.isoformat()
            assert worker.ledger.get_fact("", "next run") == (world.clock.wall + HOUR).isoformat()
            assert read_status(worker) == {"good": 1, "bad": 0}
