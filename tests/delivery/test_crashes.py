from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bot.ledger.store import Ledger
from bot.model import Network, State
from bot.sandbox.faults import HUNG_AFTER, HUNG_BEFORE, Fault
from tests.helpers.crash_child import COMMIT, CrashPoint, StepCounter, When
from tests.helpers.crash_trials import (
    MASTODON,
    NETWORK_SETS,
    SKY,
    Flaws,
    ResultRow,
    Trial,
    X,
    abandon,
    clean_run,
    common_counts,
    crash_points,
    flaws,
    flaws_on_networks,
    kill,
    ledger_problem,
    result_rows,
)
from tests.helpers.fake_world import digest, fake_world
from tests.helpers.ledger_setup import real_proc
from tests.helpers.process_killed import ProcessKilled
from tests.helpers.process_world import (
    ALL_NETWORKS,
    HANG_SECONDS,
    ProcessWorld,
    clean_run_counts,
    process_world,
)

pytestmark = pytest.mark.slow

BY_NETWORK = pytest.mark.parametrize("networks", NETWORK_SETS, ids="-and-".join)


# A run that is abandoned -------------------------------------------------------------------------


# all of them at once take most of a minute: bench/proof has these, with a real process
@pytest.mark.parametrize(
    "networks", [each for each in NETWORK_SETS if len(each) == 1], ids="-".join
)
def test_a_run_abandoned_anywhere_is_gone_on_with(networks: tuple[Network, ...]) -> None:
    counts = common_counts(lambda: clean_run(networks).counts)
    assert {"commit", *networks} == set(counts)
    assert all(counts[network] >= 5 for network in networks)  # a look, and four posts
    # before each request "sending", after it what came of it: no fewer commits than this
    assert counts[COMMIT] >= 8 * len(networks)
    tried = crash_points(counts)
    assert len(tried) == len(set(tried)) == 2 * counts.total()
    assert [str(trial) for trial in (abandon(each, networks) for each in tried) if trial.bad] == []


def test_no_commit_escapes_the_count() -> None:
    run = clean_run(X)
    statements = [sql.strip().upper() for sql in run.statements]
    changes = [sql for sql in statements if not sql.startswith(("BEGIN", "SELECT"))]
    assert [sql for sql in changes if sql != "COMMIT" and not sql.startswith("PRAGMA ")] == []
    commits = [sql for sql in changes if sql == "COMMIT" or "=" in sql]
    assert len(commits) == run.counts[COMMIT]


def test_a_point_that_is_not_reached_is_said_to_be() -> None:
    far = CrashPoint(When.BEFORE, COMMIT, 1000)
    assert abandon(far, X).problem == kill(far, X).problem == "the point was not reached"


def test_a_run_that_is_over_does_nothing() -> None:
    counter, done = StepCounter(CrashPoint(When.AFTER, "x", 1)), []
    with pytest.raises(ProcessKilled):
        counter.step("x", lambda: done.append(1))
    with pytest.raises(ProcessKilled):
        counter.step("y", lambda: done.append(2))
    assert done == [1]


# What counts as a flaw ---------------------------------------------------------------------------


def test_every_flaw_is_seen(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings, source = world.settings(X), digest(2)
        world.post(source, settings)
        thread, live = world.planned(source, settings)[Network.TWITTER], world.live(Network.TWITTER)
        one, two, three, four = live
        root = world.x.write(two.text)
        other = world.x.write("other words", reply_to=one.id)
    assert flaws(live, thread) == Flaws()
    assert flaws([], thread) == Flaws(lost=4)
    assert flaws([one, two, three], thread) == Flaws(lost=1)
    assert flaws([*live, four], thread) == Flaws(doubled=1)
    assert flaws([one, two, two, two, three, four], thread) == Flaws(doubled=2)
    assert flaws([one, two, four, three], thread) == Flaws(disordered=1)
    assert flaws([one, root, three, four], thread) == Flaws(disordered=2)
    assert flaws([*live, other], thread) == Flaws(disordered=1)


def test_the_table_has_a_row_for_each_kind() -> None:
    bad = Trial(CrashPoint(When.AFTER, COMMIT, 3), X, Flaws(1, 2, 0))
    good = Trial(CrashPoint(When.BEFORE, "twitter", 1), X)
    stuck = Trial(CrashPoint(When.BEFORE, "twitter", 2), X, problem="status 1")
    assert list(result_rows([bad, good, stuck])) == [
        ResultRow("SIGKILL before a request", 2, problems=("twitter, before twitter 2: status 1",)),
        ResultRow("SIGKILL after a request", 0),
        ResultRow("SIGKILL before a ledger commit", 0),
        ResultRow("SIGKILL after a ledger commit", 1, 1, 2, 0, (str(bad),)),
    ]


# A real process ----------------------------------------------------------------------------------


@real_proc
@pytest.mark.parametrize(
    "point",
    [
        CrashPoint(When.BEFORE, "twitter", 3),
        CrashPoint(When.AFTER, "mastodon", 6),
        CrashPoint(When.BEFORE, "bluesky", 1),
        CrashPoint(When.AFTER, "bluesky", 7),
        CrashPoint(When.BEFORE, COMMIT, 24),
        CrashPoint(When.AFTER, COMMIT, 30),
    ],
    ids=str,
)
def test_a_killed_process_is_gone_on_with(point: CrashPoint) -> None:
    trial = kill(point, ALL_NETWORKS)
    assert not trial.bad, str(trial)


@pytest.mark.parametrize("networks", [X, MASTODON, SKY], ids="-and-".join)
def test_a_process_does_what_a_run_here_does(networks: tuple[Network, ...]) -> None:
    """So that the points of one are those of the other."""
    assert clean_run_counts(networks) == clean_run(networks).counts


@pytest.fixture
def at(tmp_path: Path) -> Iterator[ProcessWorld]:
    with process_world(tmp_path) as set_up:
        yield set_up


def hold(at: ProcessWorld, network: Network, number: int, fault: Fault = HUNG_AFTER) -> None:
    at.world.sandbox.script(fault, network=network.value, at=number)


def states(at: ProcessWorld, network: Network) -> list[State]:
    with Ledger.open(at.settings.database) as ledger:
        thread = ledger.thread(network.value, at.source.slug)
    return [post.state for post in thread.posts] if thread else []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("fault", [HUNG_BEFORE, HUNG_AFTER], ids=lambda fault: fault.name)
def test_an_interrupt_lets_the_request_in_flight_end(
    at: ProcessWorld, number: signal.Signals, fault: Fault
) -> None:
    hold(at, Network.TWITTER, 4, fault)
    with at.start() as process:
        assert process.stderr
        assert at.wait_until_held("twitter", 4)
        process.send_signal(number)
        assert process.stderr.readline() == "Stopping after the current request.\n"
        at.world.sandbox.release()
        said, complained = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, complained) == (75, "")
    assert "twitter: not finished, 2 of 4 posts are left" in said
    assert "Run it again later. It continues where it stopped." in said
    # what was in flight is written down: nothing is in doubt
    assert states(at, Network.TWITTER) == [State.SENT, State.SENT, State.PLANNED, State.PLANNED]
    assert set(states(at, Network.MASTODON)) <= {State.SENT, State.PLANNED}
    assert not ledger_problem(at.world, at.source, ALL_NETWORKS, at.settings)
    assert not at.run_until_done()
    assert flaws_on_networks(at.world, at.planned(), ALL_NETWORKS) == Flaws()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_second_interrupt_ends_at_once(at: ProcessWorld, number: signal.Signals) -> None:
    hold(at, Network.TWITTER, 3)
    with at.start() as process:
        assert process.stderr
        assert at.wait_until_held("twitter", 3)
        process.send_signal(number)
        assert process.stderr.readline() == "Stopping after the current request.\n"
        process.send_signal(number)
        try:
            # well before the request itself would give up
            _, complained = process.communicate(timeout=HANG_SECONDS)
        finally:
            process.kill()
    assert "Traceback" not in complained
    at.wait_until_idle()
    assert not ledger_problem(at.world, at.source, ALL_NETWORKS, at.settings)
    assert not at.run_until_done()
    assert flaws_on_networks(at.world, at.planned(), ALL_NETWORKS) == Flaws()


@real_proc
def test_of_two_processes_on_one_ledger_one_sends(at: ProcessWorld) -> None:
    held = {Network.TWITTER: 2, Network.MASTODON: 6, Network.BLUESKY: 6}
    for network, number in held.items():
        hold(at, network, number)
    with at.start() as first:
        assert all(at.wait_until_held(network.value, number) for network, number in held.items())
        before = at.world.sandbox.requests
        status, said = at.run()
        assert status == 75
        for network in ALL_NETWORKS:
            assert f"{network}: not finished: process {first.pid} on " in said
        assert said.count("is already posting to this account") == len(ALL_NETWORKS)
        assert len(at.world.sandbox.requests) == len(before)
        at.world.sandbox.release()
        first.communicate(timeout=HANG_SECONDS)
    assert first.returncode == 0
    assert flaws_on_networks(at.world, at.planned(), ALL_NETWORKS) == Flaws()


def test_two_processes_that_start_together_send_once(at: ProcessWorld) -> None:
    with at.start() as first, at.start() as second:
        ends = [
            (each.communicate(timeout=HANG_SECONDS), each.returncode) for each in (first, second)
        ]
    assert {status for _, status in ends} <= {0, 75}, ends
    assert not at.run_until_done()
    assert flaws_on_networks(at.world, at.planned(), ALL_NETWORKS) == Flaws()


def test_an_output_that_is_closed_undoes_no_record(at: ProcessWorld) -> None:
    """`bot post | head -1`: what the network has answered is written down all the same."""
    with at.start() as process:
        assert process.stdout
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
    assert not ledger_problem(at.world, at.source, ALL_NETWORKS, at.settings)
    for network in ALL_NETWORKS:
        assert set(states(at, network)) <= {State.SENT, State.PLANNED}
    assert not at.run_until_done()
    assert flaws_on_networks(at.world, at.planned(), ALL_NETWORKS) == Flaws()


def sizes(at: ProcessWorld) -> list[int]:
    """Sizes that a ledger's largest file goes through while a thread is delivered."""
    database = at.settings.database
    log = database.with_name(database.name + "-wal")
    at.world.sandbox.script(HUNG_AFTER, network="mastodon", at=9)
    with at.start() as process:
        assert at.wait_until_held("mastodon", 9)
        largest = log.stat().st_size
        process.kill()
        process.communicate()
    at.wait_until_idle()
    return [0, 1000, largest // 4, largest // 2, largest * 3 // 4, largest - 1]


def test_on_a_full_disk_nothing_is_sent_that_is_not_written_down(tmp_path: Path) -> None:
    for folder in ("measured", "full"):
        (tmp_path / folder).mkdir()
    with process_world(tmp_path / "measured") as at:
        rooms = sizes(at)
    for room in rooms:
        with TemporaryDirectory(dir=tmp_path) as name, process_world(Path(name)) as at:
            status, said = at.run("room", room)
            assert status == 1, said
            assert "Traceback" not in said
            assert "the ledger" in said, said
            assert "disk" in said, said
            assert not ledger_problem(at.world, at.source, ALL_NETWORKS, at.settings)
            assert not at.run_until_done()
            assert flaws_on_networks(at.world, at.planned(), ALL_NETWORKS) == Flaws()
