"""The ledger lost, old or shared; people who post and delete; servers that say one thing."""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Thread as Worker

import pytest

from bot.delivery.publish import PublishOptions
from bot.delivery.types import AccountResult, End, Event
from bot.formatter.limits import twitter_length
from bot.model import Network, Post, State, Thread
from bot.sandbox import script
from bot.sandbox.bluesky.answers import REFUSALS as SKY_REFUSALS
from bot.sandbox.faults import CLOSED_AFTER, HUNG_AFTER, Fault, later, refusal, server_error
from bot.sandbox.mastodon.answers import REFUSALS as MASTODON_REFUSALS
from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    MASTODON,
    MASTODON_4_6,
    SERVERS,
    SNAC2,
    IdempotencyKeys,
    MastodonBehaviour,
)
from bot.sandbox.service import Stored
from bot.sandbox.x.answers import REFUSALS as X_REFUSALS
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from tests.helpers.fake_world import deleted_id
from tests.helpers.fault_scenarios import NETWORKS, FaultScenario, fault_scenario, opening_request
from tests.helpers.process_killed import ProcessKilled

pytestmark = pytest.mark.slow

X, M, SKY = NETWORKS
IGNORES_KEYS = replace(MASTODON, keys=IdempotencyKeys.IGNORED)
TAKES_ALL = XBehaviour(duplicates=Duplicates.NONE)
SERVED = (
    pytest.param(X, XBehaviour(), MASTODON, id="X"),
    pytest.param(X, TAKES_ALL, MASTODON, id="X takes duplicates"),
    pytest.param(M, None, MASTODON, id="Mastodon"),
    pytest.param(M, None, IGNORES_KEYS, id="Mastodon ignores keys"),
    pytest.param(M, None, GOTOSOCIAL, id="GoToSocial"),
    pytest.param(M, None, SNAC2, id="snac2"),
    pytest.param(SKY, None, MASTODON, id="Bluesky"),
)
HELPFUL = (
    pytest.param(X, XBehaviour(), MASTODON, id="X"),
    pytest.param(M, None, MASTODON, id="Mastodon"),
    pytest.param(M, None, MASTODON_4_6, id="Mastodon 4.6"),
    pytest.param(SKY, None, MASTODON, id="Bluesky"),
)
"""Those that recognise a repeat: no post is doubled even where nothing can be read."""
LISTED_LATE = timedelta(seconds=30)


def done(case: FaultScenario) -> AccountResult:
    served = case.run_until_settled()
    case.check(served)
    assert served.end is End.DONE, served.reason
    return served


# The ledger ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("network", "x", "mastodon"), SERVED)
@pytest.mark.parametrize("sent", [0, 1, 2, 4])
def test_a_lost_ledger_is_made_good_from_the_network(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour, sent: int
) -> None:
    with fault_scenario(network, 2, x, mastodon) as case:
        case.send_only(sent)
        assert len(case.live) == sent
        case.lose_ledger()
        done(case)
        assert case.posts_made == 4
        case.lose_ledger()
        done(case)
        assert case.posts_made == 4


@pytest.mark.parametrize(("network", "x", "mastodon"), HELPFUL)
@pytest.mark.parametrize("sent", [1, 2, 4])
def test_a_lost_ledger_and_a_timeline_that_lags(
    network: Network, x: XBehaviour | None, mastodon: MastodonBehaviour, sent: int
) -> None:
    x = replace(x, timeline_lag=LISTED_LATE) if x else None
    with fault_scenario(network, 2, x, replace(mastodon, lag=LISTED_LATE)) as case:
        case.send_only(sent)
        case.lose_ledger()
        done(case)


@pytest.mark.parametrize(("network", "x", "mastodon"), SERVED)
@pytest.mark.parametrize("sent", [1, 2, 3])
def test_a_lost_ledger_and_a_post_that_was_under_way(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour, sent: int
) -> None:
    """The one after the last that is found may still be carried out: it is waited for."""
    with fault_scenario(network, 2, x, mastodon) as case:
        with fault_scenario(network, 2, x, mastodon) as clean:
            clean.send_only(sent)
            asked = len(clean.requests)
        case.crash_at(later(server_error(504), 60.0), asked + 1)
        with suppress(ProcessKilled):
            case.run()
        assert len(case.live) == sent
        case.lose_ledger()
        done(case)


@pytest.mark.parametrize(("network", "x", "mastodon"), HELPFUL)
def test_a_lost_ledger_and_an_opening_that_was_under_way(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour
) -> None:
    """Of it nothing can be found; a key, or the refusal of duplicates, tells."""
    with fault_scenario(network, 2, x, mastodon) as case:
        case.crash_at(later(server_error(504), 60.0), opening_request(network))
        with suppress(ProcessKilled):
            case.run()
        case.lose_ledger()
        done(case)


@pytest.mark.parametrize(("network", "x", "mastodon"), SERVED)
@pytest.mark.parametrize("then", [0, 1, 2])
def test_an_older_copy_of_the_ledger_is_put_back(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour, then: int, tmp_path: Path
) -> None:
    with fault_scenario(network, 2, x, mastodon) as case:
        case.send_only(then)
        ledger, copy = case.settings.database, tmp_path / "copy.db"
        shutil.copyfile(ledger, copy)
        case.send_only(2)
        case.lose_ledger()
        shutil.copyfile(copy, ledger)
        done(case)
        assert case.posts_made == 4


def reworded(thread: Thread, *, opening: bool) -> Thread:
    """The same posts by another template."""

    def other(post: Post) -> Post:
        if not opening and post.part == "opening":
            return post
        text = f"New! {post.text}"
        return replace(post, text=text, length=twitter_length(text))

    return replace(thread, posts=tuple(map(other, thread.posts)))


def check_chain(live: list[Stored], tokens: list[str]) -> None:
    """Each post is there once, whatever its words, and replies to the one before."""
    assert len(live) == len(tokens)
    for post, token in zip(live, tokens, strict=True):
        assert token in post.text
    assert [post.reply_to for post in live] == [None, *(post.id for post in live[:-1])]


@pytest.mark.parametrize(("network", "x", "mastodon"), SERVED)
@pytest.mark.parametrize("sent", [1, 2, 4])
def test_another_template_since(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour, sent: int
) -> None:
    with fault_scenario(network, 2, x, mastodon) as case:
        case.send_only(sent)
        case.lose_ledger()
        case.words = reworded(case.thread, opening=False)
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        check_chain(case.live, [post.token for post in case.thread.posts])


@pytest.mark.parametrize("network", NETWORKS)
def test_another_template_since_of_the_opening_too(network: Network) -> None:
    """On X a person must tell; Mastodon says that our own application wrote it, Bluesky its key."""
    with fault_scenario(network, 2) as case:
        case.send_only(2)
        case.lose_ledger()
        case.words = reworded(case.thread, opening=True)
        served = case.run_until_settled()
        if network is X:
            assert served.end is End.HELD
            assert "resembles" in served.reason or "of the 2 papers" in served.reason
            assert case.posts_made == 2
        else:
            assert served.end is End.DONE, served.reason
            check_chain(case.live, [post.token for post in case.thread.posts])


def with_papers(thread: Thread, papers: int) -> Thread:
    """The thread as another `top` plans it, by a template whose opening does not count them."""
    kept = [*thread.posts[: papers + 1], thread.posts[-1]]
    posts = (replace(post, position=position) for position, post in enumerate(kept))
    return replace(thread, posts=tuple(posts))


@pytest.mark.parametrize(("network", "x", "mastodon"), SERVED)
@pytest.mark.parametrize(("before", "sent", "since"), [(3, 3, 1), (3, 4, 1), (1, 2, 3), (3, 2, 2)])
def test_another_top_since(  # noqa: PLR0913, PLR0917 - one more than the servers
    network: Network,
    x: XBehaviour,
    mastodon: MastodonBehaviour,
    before: int,
    sent: int,
    since: int,
) -> None:
    """What is out stays and is gone on from; a paper is there once, the closing at the end."""
    with fault_scenario(network, 3, x, mastodon) as case:
        whole = case.thread
        case.words = with_papers(whole, before)
        case.send_only(sent)
        case.lose_ledger()
        case.words = with_papers(whole, since)
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        papers = max(sent - 1, since)
        check_chain(case.live, [post.token for post in with_papers(whole, papers).posts])


@pytest.mark.parametrize(("network", "x", "mastodon"), SERVED)
@pytest.mark.parametrize(("before", "since"), [(1, 3), (3, 1)])
def test_another_top_since_the_thread_was_finished(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour, before: int, since: int
) -> None:
    """Nothing goes after a closing, and nothing into the middle."""
    with fault_scenario(network, 3, x, mastodon) as case:
        whole = case.thread
        case.words = with_papers(whole, before)
        done(case)
        made = case.posts_made
        case.lose_ledger()
        case.words = with_papers(whole, since)
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        assert case.posts_made == made


# Two at once --------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_a_second_run_on_the_same_ledger_says_who_holds_it(network: Network) -> None:
    with fault_scenario(network) as one:
        second = FaultScenario(one.world, network, one.source)
        one.fault(HUNG_AFTER, opening_request(network) + 1)
        ends: list[AccountResult] = []
        worker = Worker(target=lambda: ends.append(one.run()))
        worker.start()
        held = script.Stage.HELD
        assert one.world.sandbox.wait(lambda log: any(each.stage is held for each in log))
        asked = len(one.requests)
        refused = second.run()
        assert len(one.requests) == asked
        one.world.sandbox.release()
        worker.join()
        assert refused.end is End.LATER
        assert "process" in refused.reason
        assert [served.end for served in ends] == [End.DONE]
        done(second)
        assert one.posts_made == 3


class OtherWorker:
    """Another worker that shares nothing: it sends so many posts in the middle of the first."""

    def __init__(self, one: FaultScenario, at: int, posts: int) -> None:
        own = str(one.world.folder / "rival" / "bot.db")
        self.two = FaultScenario(one.world, one.network, one.source, more={"BOT_DATABASE": own})
        self._at, self._posts = at, posts
        one.ledgers = self.two.ledgers = 2
        one.on_event = self.watch

    def watch(self, event: Event) -> None:
        if event.what == "sending" and event.position == self._at:
            self._at = -1
            self.two.send_only(self._posts)


@pytest.mark.parametrize(("network", "x", "mastodon"), HELPFUL)
@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("posts", [1, 2])
def test_two_workers_that_share_nothing(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour, at: int, posts: int
) -> None:
    with fault_scenario(network, 1, x, mastodon) as one:
        rival = OtherWorker(one, at, posts)
        done(one)
        done(rival.two)
        one.check(one.run())


@pytest.mark.parametrize("posts", [1, 2])
@pytest.mark.parametrize("network", [X, M])
def test_what_two_workers_doubled_is_named_at_the_next_read(network: Network, posts: int) -> None:
    """Without key and refusal nothing can stop the second opening; whoever reads next says so.

    On Mastodon that is the reading of the finished thread, on X the first look of a new ledger.
    """
    with fault_scenario(network, 1, TAKES_ALL, IGNORES_KEYS) as one:
        rival = OtherWorker(one, 0, posts)
        ends = [one.run_until_settled(), rival.two.run_until_settled()]
        counted = Counter(post.text for post in one.live)
        assert counted[one.thread.posts[0].text] == 2
        if network is X:
            one.lose_ledger()
            ends = [one.run_until_settled()]
        held = [served.reason for served in ends if served.end is End.HELD]
        assert any("more than once" in reason for reason in held), ends


# What cannot be read ------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [X, M])
def test_a_timeline_that_cannot_be_read_is_confirmed_by_a_person(network: Network) -> None:
    with fault_scenario(
        network, 1, XBehaviour(unreadable=403), replace(MASTODON, unreadable=403)
    ) as case:
        served = case.run_until_settled()
        if network is X:
            assert served.end is End.HELD
            assert "--assume-unsent" in served.reason
            assert "TWITTER_READ_BACK=off" in served.reason
        else:
            assert served.end is End.FAILED, "new tokens are all it needs"
            assert "scope" in served.reason
            assert "TWITTER" not in served.reason
        assert case.live == []
        served = case.run(options=PublishOptions(unsent=True))
        assert [post.text for post in case.live] == [post.text for post in case.thread.posts]
        assert served.end is (End.FAILED if network is M else End.DONE), "the last read is refused"


def test_tokens_that_are_mended_go_on() -> None:
    for network, refused, at in (
        (X, X_REFUSALS["401"], 1),
        (M, MASTODON_REFUSALS["401"], 4),
        (SKY, SKY_REFUSALS["401 no login"], 1),
        (SKY, SKY_REFUSALS["401 takedown"], opening_request(SKY)),
    ):
        with fault_scenario(network) as case:
            case.fault(refusal("401", refused), at)
            served = case.run()
            assert served.end is End.FAILED
            posts = served.thread.posts if served.thread else ()
            assert {post.state for post in posts} <= {State.PLANNED}
            done(case)


def test_a_plan_that_cannot_read_goes_on_without() -> None:
    with fault_scenario(X, 2, XBehaviour(unreadable=403), TWITTER_READ_BACK="off") as case:
        done(case)
        assert {record.method for record in case.requests} == {"POST"}


@pytest.mark.parametrize("at", [1, 2, 4])
def test_a_plan_that_cannot_read_holds_what_it_cannot_settle(at: int) -> None:
    with fault_scenario(X, 2, XBehaviour(unreadable=403), TWITTER_READ_BACK="off") as case:
        case.fault(CLOSED_AFTER, at)
        served = case.run_until_settled()
        case.check(served)
        assert served.end is End.HELD
        assert "may have been published" in served.reason
        assert case.posts_made == at


@pytest.mark.parametrize("network", [X, M])
def test_lag_beyond_all_patience_ends_later_and_doubles_nothing(network: Network) -> None:
    lag = timedelta(days=2)
    x, mastodon = XBehaviour(timeline_lag=lag), replace(MASTODON_4_6, lag=lag)
    with fault_scenario(network, 1, x, mastodon, BOT_PATIENCE="3m") as case:
        case.fault(CLOSED_AFTER, opening_request(network) + 2)
        served = case.run()
        assert served.end is End.LATER
        case.check(served)
        served = case.run_until_settled()
        assert served.end is End.HELD
        case.check(served)
        assert len(case.live) == 2


# People -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "server"), [(X, MASTODON), (M, replace(SNAC2, hangs_up=False))]
)
def test_a_persons_own_post_that_looks_like_the_opening_is_asked_about(
    network: Network, server: MastodonBehaviour
) -> None:
    """Where the network does not name the program that wrote it."""
    with fault_scenario(network, 1, None, server) as case:
        mine = case.world.rules(network).write("Hot Papers 2026-02-28 is out!")
        served = case.run_until_settled()
        assert served.end is End.HELD
        assert mine.id.rpartition("/")[2] in served.reason
        assert case.live == [mine]
        served = case.run(options=PublishOptions(unsent=True))
        assert served.end is End.DONE, served.reason
        assert [post.text for post in case.live[1:]] == [post.text for post in case.thread.posts]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "words",
    [
        "Thank you all for reading!",
        "Related: https://arxiv.org/abs/1706.03762 (not from today)",
        "Hot Papers 2026-02-28 comes a little late today, sorry.",
        "The paper 2602.10001 has an erratum, see its page.",
    ],
)
@pytest.mark.parametrize("sent", [1, 2])
def test_a_persons_own_reply_in_the_chain_is_let_be(
    network: Network, words: str, sent: int
) -> None:
    """By this ledger's own history it is none of the thread, whatever it says."""
    with fault_scenario(network, 2) as case:
        case.send_only(sent)
        case.world.clock.sleep(60.0)
        mine = case.world.rules(network).write(words, reply_to=case.live[-1].id)
        served = case.run_until_settled()
        ours = [post for post in case.live if post.id != mine.id]
        if served.end is End.HELD:
            assert mine.id.rpartition("/")[2] in served.reason
            assert len(ours) == sent
            return
        assert [post.text for post in ours] == [post.text for post in case.thread.posts]
        assert [post.reply_to for post in ours] == [None, *(post.id for post in ours[:-1])]


@pytest.mark.parametrize(
    ("network", "server"), [(X, MASTODON), *((M, each) for each in SERVERS), (SKY, MASTODON)]
)
@pytest.mark.parametrize("which", [0, 1])
def test_a_post_that_a_person_deleted_is_not_put_back(
    network: Network, server: MastodonBehaviour, which: int
) -> None:
    with fault_scenario(network, 2, mastodon=server) as case:
        case.send_only(2)
        texts = [post.text for post in case.live]
        case.world.rules(network).remove(case.live[which].id)
        served = case.run_until_settled()
        counted = Counter(post.text for post in case.live)
        assert counted[texts[which]] == 0, "put back"
        assert max(counted.values()) == 1
        if which == 1:
            # its next would have replied to it
            assert served.end is End.HELD


@pytest.mark.parametrize(("network", "x", "mastodon"), SERVED)
@pytest.mark.parametrize("which", [0, 1, 3])
def test_a_post_that_a_person_deleted_afterwards_is_not_put_back(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour, which: int
) -> None:
    with fault_scenario(network, 2, x, mastodon) as case:
        done(case)
        case.world.rules(network).remove(case.live[which].id)
        served = case.run()
        assert served.end is End.DONE
        assert case.posts_made == 4


@pytest.mark.parametrize(("network", "x", "mastodon"), SERVED)
def test_a_lost_ledger_and_a_deleted_middle_double_nothing(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour
) -> None:
    """What hangs in the air is seen to be ours: a person must say what is to become of it."""
    with fault_scenario(network, 2, x, mastodon) as case:
        done(case)
        case.world.rules(network).remove(case.live[1].id)
        case.lose_ledger()
        served = case.run_until_settled()
        counted = Counter(post.text for post in case.live)
        assert max(counted.values()) == 1, counted
        assert served.end is End.HELD
        assert case.posts_made == 4


# Taking back --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("network", "x", "mastodon"), SERVED)
def test_a_thread_is_taken_back_last_post_first_and_published_anew(
    network: Network, x: XBehaviour, mastodon: MastodonBehaviour
) -> None:
    with fault_scenario(network, 1, x, mastodon) as case:
        done(case)
        refused = case.run(options=PublishOptions(again=True))
        assert refused.end is End.FAILED
        assert "bot retract" in refused.reason
        order = [post.id.rpartition("/")[2] for post in reversed(case.live)]
        assert case.retract().end is End.DONE
        assert case.live == []
        assert list(filter(None, (deleted_id(each.request) for each in case.requests))) == order
        assert case.run().end is End.DONE
        assert case.live == [], "a retracted thread is not published again unasked"
        again = case.run(options=PublishOptions(again=True))
        if again.end is not End.DONE:
            again = case.run_until_settled()
        case.check(again)
        assert again.end is End.DONE
        case.check(case.run())
        case.check(case.run())
        case.check(case.run(options=PublishOptions(again=True)))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("which", [1, 2, 3])
@pytest.mark.parametrize(
    "fault", [CLOSED_AFTER, server_error(503), server_error(401)], ids=lambda fault: fault.name
)
def test_taking_back_goes_on_after_a_fault(network: Network, which: int, fault: Fault) -> None:
    with fault_scenario(network) as case:
        done(case)
        whole = [post.id for post in case.live]
        struck = iter(range(1, 100))
        case.world.sandbox.decide(
            lambda record: fault if deleted_id(record.request) and next(struck) == which else None
        )
        for _ in range(5):
            if case.retract().end is End.DONE:
                break
            left = [post.id for post in case.live]
            assert left == whole[: len(left)], "a reply lost what it replies to"
        assert case.live == []


@pytest.mark.parametrize("sent", [1, 2])
@pytest.mark.parametrize("network", NETWORKS)
def test_taking_back_without_a_ledger(network: Network, sent: int) -> None:
    with fault_scenario(network, 2) as case:
        case.send_only(sent)
        case.lose_ledger()
        assert case.retract().end is End.DONE
        assert case.live == []


# Servers that say yes -----------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["Hot Papers 2026", "1. Learning", "All papers"])
def test_a_post_that_a_server_drops_is_held_at_the_end(part: str) -> None:
    with fault_scenario(M, 1, mastodon=replace(MASTODON, drops=part)) as case:
        served = case.run_until_settled()
        assert served.end is End.HELD, served.reason
        texts = [post.text for post in case.live]
        assert len(set(texts)) == len(texts)
        made = case.posts_made
        assert case.run_until_settled().end is End.HELD
        assert case.posts_made == made
