"""Taking a thread back: last post first, resumable, and never what is not ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot import plan
from bot.delivery.budget import month_of
from bot.delivery.identity import record_key
from bot.delivery.publish import PublishOptions
from bot.delivery.types import AccountResult
from bot.errors import NoDigest
from bot.model import Digest, Network, State, Thread
from bot.sandbox.bluesky import answers as sky_answers
from bot.sandbox.faults import (
    CLOSED_AFTER,
    CLOSED_BEFORE,
    ERRORS_ONLY,
    Fault,
    refusal,
    server_error,
    too_many,
)
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.mastodon.behaviour import MASTODON as MASTODON_SERVER
from bot.sandbox.mastodon.behaviour import IdempotencyKeys
from bot.sandbox.service import Stored
from bot.sandbox.wire import Request
from bot.sandbox.x import answers as x_answers
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from tests.helpers.fake_world import (
    FakeWorld,
    check_once,
    deleted_id,
    digest,
    fake_world,
    is_publish,
)

X, MASTODON, SKY = Network.TWITTER, Network.MASTODON, Network.BLUESKY
each_network = pytest.mark.parametrize("network", [X, MASTODON, SKY], ids=str)
UNAUTHORIZED = {
    X: x_answers.UNAUTHORIZED,
    MASTODON: mastodon_answers.UNAUTHORIZED,
    SKY: sky_answers.TAKEN_DOWN,
}


def take_back(
    world: FakeWorld,
    network: Network,
    source: Digest | None = None,
    *,
    known: bool = True,
    **more: str,
) -> AccountResult:
    """What `bot retract` does; where not `known`, the source has no such digest."""
    settings = world.settings([network], **more)
    source = source or digest(2)
    worded: tuple[Thread, ...] = plan.threads(settings, source, settings.accounts) if known else ()
    with world.service(settings) as service:
        found = source if known else None
        (served,) = service.retract(found, source.slug, settings.accounts, worded)
    return served


def post(
    world: FakeWorld, network: Network, options: PublishOptions | None = None, **more: str
) -> AccountResult:
    settings = world.settings([network], **more)
    return world.post(digest(2), settings, options or PublishOptions())[network]


def forget(world: FakeWorld) -> None:
    world.history = False
    for each in world.folder.glob("state/*"):
        each.unlink()


def is_delete(request: Request) -> bool:
    return bool(deleted_id(request))


def name(post: Stored) -> str:
    """What a request to delete it calls it."""
    return post.id.rpartition("/")[2]


def states(served: AccountResult) -> set[State]:
    assert served.thread
    return {each.state for each in served.thread.posts}


@each_network
def test_a_thread_is_deleted_last_post_first(tmp_path: Path, network: Network) -> None:
    with fake_world(tmp_path) as world:
        post(world, network)
        there = [name(each) for each in world.live(network)]
        mine = world.rules(network).write("A person's own words").id
        served = take_back(world, network)
        assert (served.end, states(served)) == ("done", {State.RETRACTED})
        asked = [deleted_id(each.request) for each in world.sandbox.requests]
        assert [each for each in asked if each] == there[::-1]
        assert [each.id for each in world.live(network)] == [mine]
        before = len(world.sandbox.requests)
        assert take_back(world, network).end == "done"
        assert not [r for r in world.sandbox.requests[before:] if is_delete(r.request)]


@each_network
def test_what_was_retracted_stays_away_until_it_is_wanted_again(
    tmp_path: Path, network: Network
) -> None:
    with fake_world(tmp_path) as world:
        post(world, network)
        take_back(world, network)
        served = post(world, network)
        assert (served.end, world.live(network)) == ("done", [])
        assert served.reason == "this thread was retracted. Publish it again with bot post --again"
        world.clock.sleep(90000)
        served = post(world, network, PublishOptions(again=True))
        assert (served.end, served.thread and served.thread.generation) == ("done", 1)
        check_once(
            world.live(network), world.planned(digest(2), world.settings([network]))[network]
        )
        take_back(world, network)
        assert world.live(network) == []


@each_network
def test_again_that_was_broken_off_goes_on_by_the_same_command(
    tmp_path: Path, network: Network
) -> None:
    """The message says "run it again": the same command must then finish it, not refuse."""
    with fake_world(tmp_path) as world:
        post(world, network)
        take_back(world, network)
        world.clock.sleep(90000)
        world.sandbox.script(
            too_many(network, timedelta(minutes=5)),
            network=network.value,
            when=lambda request: is_publish(request) and b"2602.10001" in request.body,
        )
        again = PublishOptions(again=True)
        assert post(world, network, again, BOT_PATIENCE="0s").end == "later"
        assert len(world.live(network)) == 1
        world.clock.sleep(300)
        served = post(world, network, again)
        assert (served.end, served.reason) == ("done", "")
        check_once(
            world.live(network), world.planned(digest(2), world.settings([network]))[network]
        )


def test_again_is_refused_for_what_is_out(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        post(world, X)
        served = post(world, X, PublishOptions(again=True))
        assert served.end == "failed"
        assert (
            "--again needs a retracted thread. Delete this thread first with bot retract"
            in served.reason
        )
        check_once(world.live(X), world.planned(digest(2), world.settings([X]))[X])


def test_again_of_what_was_never_out_is_a_first_time(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        served = post(world, X, PublishOptions(again=True))
        assert (served.end, served.thread and served.thread.generation) == ("done", 0)


@pytest.mark.slow
@each_network
@pytest.mark.parametrize(
    "fault", [CLOSED_BEFORE, CLOSED_AFTER, server_error(503)], ids=lambda fault: fault.name
)
def test_a_deletion_in_doubt_is_settled_by_reading(
    tmp_path: Path, network: Network, fault: Fault
) -> None:
    with fake_world(tmp_path) as world:
        post(world, network)
        world.sandbox.script(fault, network=network.value, when=is_delete)
        served = take_back(world, network)
        if fault is CLOSED_AFTER:
            assert served.end == "done"
        else:
            assert served.end == "later"
            assert "is still there" in served.reason
            assert states(served) == {State.SENT}
            assert take_back(world, network).end == "done"
        assert world.live(network) == []
        asked = dict.fromkeys(deleted_id(each.request) for each in world.sandbox.requests)
        gone = [name(each) for each in world.rules(network).every()]
        assert [each for each in asked if each] == gone[::-1]


@each_network
def test_a_deletion_in_doubt_that_cannot_be_read_waits(tmp_path: Path, network: Network) -> None:
    with fake_world(tmp_path) as world:
        post(world, network)
        world.sandbox.script(server_error(503), when=lambda request: bool(deleted_id(request)))
        world.sandbox.script(server_error(503), when=_reads_one)
        served = take_back(world, network)
        assert (served.end, states(served)) == ("later", {State.SENT})
        assert "503" in served.reason
        assert take_back(world, network).end == "done"
        assert world.live(network) == []


def _reads_one(request: Request) -> bool:
    """Whether a request reads one post."""
    one = re.search(r"/2/tweets/\d+$|/statuses/[^/]+$|getRecord$", request.path)
    return request.method == "GET" and one is not None


@each_network
def test_a_rate_limit_stops_it_and_the_next_run_goes_on(tmp_path: Path, network: Network) -> None:
    with fake_world(tmp_path) as world:
        post(world, network)
        last = name(world.live(network)[-1])
        world.sandbox.script(
            too_many(network, timedelta(minutes=30)),
            network=network.value,
            when=lambda request: deleted_id(request) not in ("", last),
        )
        served = take_back(world, network)
        assert (served.end, len(world.live(network))) == ("later", 3)
        assert served.until
        assert (
            timedelta(0)
            <= served.until - world.clock.wall - timedelta(minutes=29)
            <= timedelta(minutes=2)
        )
        assert take_back(world, network).end == "done"
        assert world.live(network) == []


@each_network
def test_refused_credentials_delete_nothing_and_forget_nothing(
    tmp_path: Path, network: Network
) -> None:
    with fake_world(tmp_path) as world:
        post(world, network)
        refused = refusal("401", UNAUTHORIZED[network])
        world.sandbox.script(refused, network=network.value, when=is_delete)
        served = take_back(world, network)
        assert (served.end, states(served)) == ("failed", {State.SENT})
        assert "post 4 is not deleted" in served.reason
        assert "401" in served.reason
        assert len(world.live(network)) == 4


@each_network
def test_what_a_person_deleted_counts_as_deleted(tmp_path: Path, network: Network) -> None:
    with fake_world(tmp_path) as world:
        post(world, network)
        world.rules(network).remove(world.live(network)[1].id)
        assert take_back(world, network).end == "done"
        assert world.live(network) == []


@each_network
def test_ctrl_c_leaves_the_rest_for_the_next_run(tmp_path: Path, network: Network) -> None:
    with fake_world(tmp_path) as world:
        post(world, network)
        world.stop = True
        served = take_back(world, network)
        assert (served.end, served.reason) == ("later", "stopped before all posts were deleted")
        world.stop = False
        assert take_back(world, network).end == "done"


@each_network
def test_with_a_lost_ledger_it_is_found_by_the_digest(tmp_path: Path, network: Network) -> None:
    with fake_world(tmp_path) as world:
        post(world, network)
        forget(world)
        mine = world.rules(network).write("A person's own words").id
        served = take_back(world, network)
        assert (served.end, states(served)) == ("done", {State.RETRACTED})
        assert [each.id for each in world.live(network)] == [mine]


def test_what_only_resembles_ours_is_left_alone(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        world.x.write(f"{digest(2).title} is out!")
        served = take_back(world, X)
        assert (served.end, len(world.live(X))) == ("held", 1)
        assert not [r for r in world.sandbox.requests if is_delete(r.request)]
        assert "resembles the opening" in served.reason


def test_what_neither_ledger_nor_source_know_cannot_be_taken_back(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        served = take_back(world, X, known=False)
        assert (served.end, served.thread) == ("failed", None)
        assert "hot-papers-2026-02-28" in served.reason
        empty = digest(0)
        assert take_back(world, X, empty).end == "failed"
        post(world, X)
        assert take_back(world, X, known=False).end == "done", "the ledger alone is enough"
        assert world.live(X) == []


@each_network
@pytest.mark.parametrize("fault", [CLOSED_BEFORE, server_error(503)], ids=lambda f: f.name)
def test_half_a_thread_is_taken_back_though_a_read_fails_once(
    tmp_path: Path, network: Network, fault: Fault
) -> None:
    """A read that fails now works later: that is no reason to call for a person."""
    with fake_world(tmp_path) as world:
        half_out(world, network)
        world.sandbox.script(
            fault, network=network.value, when=lambda request: request.method == "GET"
        )
        served = take_back(world, network)
        assert served.end in ("done", "later"), served.reason
        assert take_back(world, network).end == "done"
        assert world.live(network) == []


def half_out(world: FakeWorld, network: Network) -> None:
    """Two posts are out, and the third is not begun."""
    world.sandbox.script(
        too_many(network, timedelta(minutes=5)),
        network=network.value,
        when=lambda request: is_publish(request) and b"2602.10002" in request.body,
    )
    assert post(world, network, BOT_PATIENCE="0s").end == "later"
    assert len(world.live(network)) == 2
    world.clock.sleep(300)


@each_network
def test_a_post_in_doubt_is_looked_for_and_deleted_too(tmp_path: Path, network: Network) -> None:
    with fake_world(tmp_path) as world:
        world.sandbox.script(
            CLOSED_AFTER,
            network=network.value,
            when=lambda request: is_publish(request) and b"2602.10002" in request.body,
        )
        world.sandbox.script(
            server_error(500),
            network=network.value,
            when=lambda r: r.method == "GET" and len(world.live(network)) == 3,
        )
        served = post(world, network, BOT_PATIENCE="0s")
        assert (served.end, len(world.live(network))) == ("later", 3)
        assert take_back(world, network).end == "done"
        assert world.live(network) == []


def test_a_post_in_doubt_that_is_not_seen_is_waited_for(tmp_path: Path) -> None:
    with fake_world(tmp_path, XBehaviour(timeline_lag=timedelta(minutes=1))) as world:
        world.sandbox.script(
            CLOSED_AFTER,
            network="twitter",
            when=lambda request: is_publish(request) and b"2602.10002" in request.body,
        )
        assert post(world, X, BOT_PATIENCE="0s").end == "later"
        assert take_back(world, X, BOT_PATIENCE="0s").end == "later"
        assert len(world.live(X)) == 3, "a reply was left without its parent"
        assert take_back(world, X).end == "done"
        assert world.live(X) == []


def in_doubt(world: FakeWorld, fault: Fault) -> None:
    """The third post was tried, and nothing could be read afterwards."""
    world.sandbox.script(
        fault,
        network="twitter",
        when=lambda request: is_publish(request) and b"2602.10002" in request.body,
    )
    world.sandbox.script(
        server_error(500),
        network="twitter",
        when=lambda r: r.method == "GET" and len(world.live(X)) >= 2,
        times=None,
    )
    assert post(world, X, BOT_PATIENCE="0s").end == "later"
    world.sandbox.fix()


def test_a_post_in_doubt_that_is_proven_absent_does_not_stop_it(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        in_doubt(world, CLOSED_BEFORE)
        before = world.clock.seconds
        served = take_back(world, X)
        assert (served.end, world.live(X)) == ("done", [])
        assert world.clock.seconds - before >= 120, "not absent before BOT_SETTLE"
        assert states(served) == {State.RETRACTED}


def test_a_post_in_doubt_for_a_day_is_looked_for(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        in_doubt(world, CLOSED_BEFORE)
        world.clock.sleep(90000)
        served = take_back(world, X)
        assert (served.end, world.live(X)) == ("done", [])


def test_a_timeline_that_ends_too_early_is_not_taken_for_empty(tmp_path: Path) -> None:
    """With a lost ledger: what was not read may be out, so it is not said to be retracted."""
    with fake_world(tmp_path) as world:
        post(world, X)
        forget(world)
        for number in range(100):
            world.x.write(f"A person's own words, {number}")
        world.sandbox.script(
            ERRORS_ONLY, network="twitter", when=lambda request: "pagination" in request.query
        )
        served = take_back(world, X)
        ours = [post for post in world.live(X) if not post.text.startswith("A person's")]
        assert served.end != "done" or not ours, "it says done, and the thread is still there"
        world.sandbox.fix()


def test_a_plan_that_cannot_read_deletes_what_the_ledger_knows(tmp_path: Path) -> None:
    with fake_world(tmp_path, XBehaviour(unreadable=403)) as world:
        assert post(world, X, TWITTER_READ_BACK="off").end == "done"
        assert take_back(world, X, TWITTER_READ_BACK="off").end == "done"
        assert world.live(X) == []


def test_the_price_of_deleting_is_in_the_ledger(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        post(world, X)
        take_back(world, X)
        with world.service(world.settings([X])) as service:
            spent = service.ledger.spent("twitter", month_of(world.clock.wall))
        # the same post is free to read again on the same day, which the ledger does not rely on
        assert 0 <= spent - world.x.spent < Decimal("0.01")


def test_the_ledger_or_the_source_must_know_the_digest(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings([X], BOT_DIGESTS=str(tmp_path))
        with world.service(settings) as service, pytest.raises(NoDigest, match="1999-01-01"):
            plan.resolve_digest(settings, service.ledger, "1999-01-01", tmp_path)


# What is there twice, or with gaps ---------------------------------------------------------------

TAKES_ALL = XBehaviour(duplicates=Duplicates.NONE)
IGNORES_KEYS = replace(MASTODON_SERVER, keys=IdempotencyKeys.IGNORED)
"""Networks that publish the same post again: where a double comes from."""


@contextmanager
def forgiving(folder: Path) -> Iterator[FakeWorld]:
    with fake_world(folder, TAKES_ALL, IGNORES_KEYS) as world:
        yield world


def lose(world: FakeWorld, network: Network, *positions: int) -> None:
    """Let a person delete these posts of the thread that is out."""
    for each in [world.live(network)[position] for position in positions]:
        world.rules(network).remove(each.id)


def copy(world: FakeWorld, network: Network, position: int) -> None:
    """Publish one post of the thread that is out once more, where it belongs."""
    live = world.live(network)
    parent = live[position - 1].id if position else None
    if network is not SKY:
        world.rules(network).write(live[position].text, reply_to=parent)
        return
    record = world.sky.record(live[position].id)  # under a key of the same day, as another's is
    assert record
    key = record_key(f"{position + 1:032x}", digest(2).slug)
    world.sky.place("app.bsky.feed.post", key, record.value)


def check_taken_back(world: FakeWorld, network: Network, served: AccountResult) -> None:
    """All that is ours is gone, no more than that, and the figure is that of what was deleted."""
    assert served.end == "done", served.reason
    (mine,) = world.live(network)
    assert mine.text == PERSONS
    asked = [deleted_id(each.request) for each in world.sandbox.requests if each.committed]
    deleted = {each for each in asked if each}
    assert served.reason == f"{len(deleted)} posts are deleted"


PERSONS = "A person's own words"


@pytest.mark.parametrize("network", [X, MASTODON], ids=str)
@pytest.mark.parametrize("known", [True, False], ids=["second ledger kept", "both ledgers lost"])
def test_two_copies_of_a_thread_are_both_taken_back(
    tmp_path: Path, network: Network, *, known: bool
) -> None:
    """So it comes out where a ledger is lost and a person says that nothing of it is out."""
    with forgiving(tmp_path) as world:
        post(world, network)
        forget(world)
        post(world, network, PublishOptions(unsent=True))
        world.rules(network).write(PERSONS)
        assert len(world.live(network)) == 9
        if not known:
            forget(world)
        served = take_back(world, network)
        check_taken_back(world, network, served)
        assert served.reason == "8 posts are deleted"


@pytest.mark.slow
@each_network
@pytest.mark.parametrize("position", [0, 1, 3])
@pytest.mark.parametrize("known", [True, False], ids=["ledger kept", "ledger lost"])
def test_two_copies_of_a_post_are_both_taken_back(
    tmp_path: Path, network: Network, position: int, *, known: bool
) -> None:
    with forgiving(tmp_path) as world:
        post(world, network)
        copy(world, network, position)
        world.rules(network).write(PERSONS)
        if not known:
            forget(world)
        served = take_back(world, network)
        check_taken_back(world, network, served)
        assert served.reason == "5 posts are deleted"


@pytest.mark.slow
@each_network
@pytest.mark.parametrize("gone", [(0,), (1,), (1, 3)], ids=str)
@pytest.mark.parametrize("known", [True, False], ids=["ledger kept", "ledger lost"])
def test_the_posts_around_a_gap_are_taken_back_and_those_alone_are_counted(
    tmp_path: Path, network: Network, gone: tuple[int, ...], *, known: bool
) -> None:
    with forgiving(tmp_path) as world:
        post(world, network)
        lose(world, network, *gone)
        world.rules(network).write(PERSONS)
        if not known:
            forget(world)
        served = take_back(world, network)
        check_taken_back(world, network, served)
        assert served.reason == f"{4 - len(gone)} posts are deleted"


def check_advice(served: AccountResult) -> None:
    """Where posts of ours are there, whole, nobody is told to publish them once more."""
    assert served.end == "held", served.reason
    assert "--assume-unsent" not in served.reason
    assert "bot retract" in served.reason


@each_network
@pytest.mark.parametrize("position", [0, 1, 3])
def test_a_double_is_not_advised_to_be_made_threefold(
    tmp_path: Path, network: Network, position: int
) -> None:
    with forgiving(tmp_path) as world:
        post(world, network)
        copy(world, network, position)
        forget(world)
        before = len(world.live(network))
        check_advice(post(world, network))
        assert len(world.live(network)) == before


@each_network
@pytest.mark.parametrize("gone", [(0,), (1,), (1, 3)], ids=str)
def test_a_thread_with_a_gap_is_not_advised_to_be_doubled(
    tmp_path: Path, network: Network, gone: tuple[int, ...]
) -> None:
    with forgiving(tmp_path) as world:
        post(world, network)
        lose(world, network, *gone)
        forget(world)
        before = len(world.live(network))
        check_advice(post(world, network))
        assert len(world.live(network)) == before


def test_a_thread_under_another_opening_is_not_advised_to_be_doubled(tmp_path: Path) -> None:
    """On X, where a template changed since: the papers' posts are there in our very words."""
    with forgiving(tmp_path) as world:
        folder = tmp_path / "mine" / "default"
        folder.mkdir(parents=True)
        (folder / "opening.txt.j2").write_text("{{ digest.title }} is what we read today\n")
        assert post(world, X, BOT_TEMPLATES=str(folder.parent)).end == "done"
        forget(world)
        served = post(world, X)
        assert served.end == "held", served.reason
        assert "2 of the 2 papers" in served.reason
        assert "--assume-unsent" not in served.reason
        assert len(world.live(X)) == 4
