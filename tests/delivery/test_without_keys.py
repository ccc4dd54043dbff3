"""Exactly once where it rests on reading alone: no keys, no refusal of duplicates, odd reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import pytest

from bot.delivery.publish import PublishOptions
from bot.delivery.types import End
from bot.model import Network, State
from bot.sandbox.faults import CLOSED_AFTER, CLOSED_BEFORE, server_error
from bot.sandbox.mastodon.behaviour import MASTODON, SNAC2, TAKAHE
from bot.sandbox.rewrites import Rewrites, Stamps
from bot.sandbox.wire import Request
from bot.sandbox.x.behaviour import Paging, XBehaviour
from tests.helpers.fake_world import check_once, digest, is_publish, paper
from tests.helpers.fault_scenarios import FaultRow, FaultScenario, fault_scenario
from tests.helpers.server_trials import (
    NO_KEYS,
    TAKES_DUPLICATES,
    alone,
    changed_row,
    lagging_row,
    lose_answer,
    markup_row,
    private_row,
    two_senders,
)

X, M, SKY = Network.TWITTER, Network.MASTODON, Network.BLUESKY


def check(row: FaultRow) -> None:
    assert (row.lost, row.doubled, row.out_of_order) == (0, 0, 0), row


def counts(case: FaultScenario) -> list[int]:
    """How often each post that is there is there."""
    return sorted(Counter(post.text for post in case.live).values())


# A second sender ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "offset"),
    [
        ("X takes duplicates", 1.0),
        ("X takes duplicates", 5.0),
        ("Mastodon ignores keys", 3.0),
        ("GoToSocial", 5.0),
        ("Takahe", 20.0),
        ("snac2", 5.0),
    ],
)
def test_a_second_sender_that_shares_nothing_doubles_nothing(name: str, offset: float) -> None:
    one, served = two_senders(name, offset, papers=4)
    assert [each.end for each in served] == [End.DONE, End.DONE], served
    check_once(one.live, one.thread)


@pytest.mark.parametrize("name", ["X takes duplicates", "GoToSocial", "snac2"])
@pytest.mark.parametrize("offset", [0.0, 0.02])
def test_two_senders_in_the_same_moment_double_one_post_and_say_so(
    name: str, offset: float
) -> None:
    one, served = two_senders(name, offset, papers=3)
    assert counts(one) == [1, 1, 1, 1, 2]
    doubled = [post.id for post in one.live if post.text == one.thread.posts[0].text]
    reasons = " ".join(each.reason for each in served if each.end is End.HELD)
    assert any(each.rpartition("/")[2] in reasons for each in doubled), served


def test_a_stop_in_the_pause_after_the_opening_ends_the_run_without_another_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_scenario(M, 2, BOT_PAUSE="30s") as case:
        sleep = case.world.clock.sleep

        def stopped(seconds: float) -> None:
            sleep(seconds)
            case.world.stop = True

        monkeypatch.setattr(case.world.clock, "sleep", stopped)
        assert case.run().end is End.LATER
        assert is_publish(case.requests[-1].request)


def test_a_sender_that_waited_finds_what_another_sent_meanwhile() -> None:
    """A limit of ten minutes in mid-thread; another worker, its ledger its own, ends the thread."""
    with fault_scenario(M, 3, None, NO_KEYS) as one:
        own = {"BOT_DATABASE": str(one.world.folder / "second" / "bot.db")}
        two = FaultScenario(one.world, M, one.source, own)

        def wait(event: object) -> None:
            if event.what == "sent" and event.position == 1:  # type: ignore[attr-defined]
                one.on_event = None
                one.world.clock.sleep(600.0)
                assert two.run_until_settled().end is End.DONE

        one.on_event = wait
        assert one.run_until_settled().end is End.DONE
        check_once(one.live, one.thread)


# Altered text -------------------------------------------------------------------------------------

ADOPTED = {Rewrites.NONE, Rewrites.TRACKED, Rewrites.JOINED, Rewrites.ESCAPED, Rewrites.PREFIXED}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["X takes duplicates", "snac2"])
@pytest.mark.parametrize("how", Rewrites)
def test_a_post_in_doubt_that_comes_back_altered_is_never_sent_again(
    name: str, how: Rewrites
) -> None:
    with alone(name, 2, rewrites=how) as case:
        lose_answer(case, 1)
        served = case.run_until_settled()
        case.check(served)
        assert len(case.live) in (2, 4)
        if how in ADOPTED:
            assert served.end is End.DONE, served.reason


@pytest.mark.slow
@pytest.mark.parametrize("name", ["snac2", "Hollo"])
def test_a_server_that_takes_text_for_markup(name: str) -> None:
    check(markup_row(name))


def test_a_reply_that_cannot_be_read_stands_for_the_post_in_doubt() -> None:
    with fault_scenario(M, 2, None, replace(SNAC2, hangs_up=False)) as case:
        lose_answer(case, 2)
        case.send_only(2)
        after = case.live[-1]
        case.world.mastodon.write("[cut]", reply_to=case.live[1].id)
        served = case.run_until_settled()
        assert served.end in (End.DONE, End.HELD)
        assert after in case.live
        assert max(counts(case)) == 1


@pytest.mark.parametrize("words", ["Thank you all!", "More on arXiv:1706.03762"])
def test_a_persons_older_reply_is_not_taken_for_the_post_in_doubt(words: str) -> None:
    """It was there before the try, so that the post is proven absent, and is sent again."""
    with fault_scenario(M, 2, None, NO_KEYS) as case:
        case.send_only(2)
        mine = case.world.mastodon.write(words, reply_to=case.live[-1].id)
        count = case.posts_made

        def lose(record: object) -> object:
            request = record.request  # type: ignore[attr-defined]
            again = is_publish(request) and case.posts_made == count + 1
            return CLOSED_BEFORE if again else None

        case.world.sandbox.decide(lose)  # type: ignore[arg-type]
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        check_once([post for post in case.live if post != mine], case.thread)


def test_an_entry_that_names_an_earlier_paper_is_its_own() -> None:
    second = replace(paper(2), title=f"A sequel to arXiv:{paper(1).arxiv_id}, Part II")
    for network, mastodon in ((X, MASTODON), (M, NO_KEYS)):
        with fault_scenario(network, 2, TAKES_DUPLICATES, mastodon) as case:
            case.source = replace(digest(2), papers=(paper(1), second))
            case.send_only(3)
            case.lose_ledger()
            served = case.run_until_settled()
            assert served.end is End.DONE, served.reason
            case.check(served)


# What reads leave out -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["snac2", "Takahe"])
def test_private_posts_that_reads_leave_out(name: str) -> None:
    check(private_row(name))


def test_a_server_that_hides_private_posts_is_asked_about_once() -> None:
    with fault_scenario(M, 1, None, TAKAHE, MASTODON_VISIBILITY="private") as case:
        served = case.run_until_settled()
        assert (served.end, case.live) == (End.HELD, [])
        assert "--assume-unsent" in served.reason
        served = case.run(options=PublishOptions(unsent=True))
        assert served.end is End.DONE, served.reason
        case.check(served)
        # the next thread of a ledger that knows the account goes out, and doubt is held
        case.source = digest(2, date(2026, 3, 5))
        lose_answer(case, 1)
        served = case.run_until_settled()
        assert served.end is End.HELD
        assert "may have been published" in served.reason
        assert len(case.live) == 3 + 2


@pytest.mark.parametrize("name", ["X takes duplicates", "Mastodon ignores keys"])
@pytest.mark.parametrize("how", Stamps)
def test_times_that_cannot_be_right_prove_nothing(name: str, how: Stamps) -> None:
    with alone(name, 2, stamps=how) as case:
        lose_answer(case, 1)
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        case.check(served)


def test_half_a_timeline_is_no_proof() -> None:
    """An empty first page that names a second, which is an error: as if nothing had been read."""
    with fault_scenario(X, 2, TAKES_DUPLICATES) as case:
        case.send_only(1)
        case.world.x.behaviour = replace(TAKES_DUPLICATES, pages=Paging.EMPTY_FIRST)
        assert case.run().end is End.LATER
        assert len(case.live) == 1, "sent though the account was not read"
        case.world.x.behaviour = TAKES_DUPLICATES
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        case.check(served)


def test_a_post_in_doubt_stays_in_doubt_while_reads_are_not_whole() -> None:
    with fault_scenario(X, 2, TAKES_DUPLICATES) as case:
        case.world.sandbox.decide(lambda record: _spoil(case, record.request))
        lose_answer(case, 2)
        assert case.run().end is End.LATER
        assert len(case.live) == 3
        assert case.run().end is End.LATER
        case.world.x.behaviour = TAKES_DUPLICATES
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        case.check(served)


def _spoil(case: FaultScenario, request: Request) -> None:
    """From the third post on only half of the timeline can be read."""
    if is_publish(request) and len(case.live) == 2:
        case.world.x.behaviour = replace(TAKES_DUPLICATES, pages=Paging.EMPTY_FIRST)


@pytest.mark.slow
def test_a_ledger_that_is_new_waits_before_its_first_post_where_reads_may_lag() -> None:
    check(lagging_row())


def test_a_new_ledger_says_why_it_waits_and_a_person_may_say_that_nothing_is_out() -> None:
    for options, waited in ((PublishOptions(), True), (PublishOptions(unsent=True), False)):
        with fault_scenario(X, 1) as case:
            case.world.history = False
            begun = case.world.clock()
            served = case.run(options=options)
            assert served.end is End.DONE, served.reason
            assert (case.world.clock() - begun >= timedelta(minutes=2)) == waited
            said = [each.detail for each in case.world.events if each.what == "waiting"]
            assert any("the ledger is new" in each for each in said) == waited


def test_a_finished_thread_is_looked_for_twice_before_a_post_counts_as_gone() -> None:
    for lag in (2.0, 90.0):
        with alone("Mastodon ignores keys", 1, lag=timedelta(seconds=lag)) as case:
            # by its address a post cannot be read either, for as long
            served = case.run_until_settled()
            assert served.end is End.DONE, served.reason
            case.check(served)


def test_the_check_at_the_end_finds_a_double_in_other_words() -> None:
    """Another sender's copy of the second post, altered by a server that names no program."""
    server = replace(NO_KEYS, application=False, rewrites=Rewrites.PREFIXED)
    with fault_scenario(M, 2, None, server) as case:

        def double(event: object) -> None:
            if event.what == "sent" and event.position == 3:  # type: ignore[attr-defined]
                first, second = case.live[:2]
                copy = case.world.mastodon.write(second.text, reply_to=first.id)
                doubled.append(copy.id)

        doubled: list[str] = []
        case.on_event = double
        served = case.run_until_settled()
        assert served.end is End.HELD
        assert doubled[0] in served.reason


# Digests that change ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("another slug", "Mastodon ignores keys"),
        ("another title and slug", "X takes duplicates"),
        ("a date ahead", "Mastodon ignores keys"),
        ("a date corrected", "X takes duplicates"),
    ],
)
def test_a_digest_that_changes_is_the_same_digest(change: str, name: str) -> None:
    check(changed_row(change, name))


@pytest.mark.parametrize("network", [X, M, SKY])
def test_the_same_papers_under_another_slug_go_out_once(network: Network) -> None:
    with fault_scenario(network, 5) as case:
        assert case.run_until_settled().end is End.DONE
        before = case.live
        case.source = replace(case.source, slug="moved", title="Papers 2026-02-28")
        served = case.run()
        assert served.end is End.DONE
        assert "hot-papers-2026-02-28" in served.reason
        assert case.live == before
        # the day after, with four of five papers the same
        papers = (*case.source.papers[:4], paper(9, date(2026, 3, 1)))
        case.source = replace(digest(5, date(2026, 3, 1)), papers=papers)
        assert case.run().end is End.DONE
        assert case.live == before


def test_half_of_the_same_papers_is_for_a_person_to_judge() -> None:
    with fault_scenario(M, 4) as case:
        assert case.run_until_settled().end is End.DONE
        before, first = case.live, case.live[0]
        other = (*case.source.papers[:2], paper(8, date(2026, 3, 1)), paper(9, date(2026, 3, 1)))
        case.source = replace(digest(4, date(2026, 3, 1)), papers=other)
        served = case.run()
        assert served.end is End.HELD
        assert first.id in served.reason
        assert "--assume-unsent" in served.reason
        assert case.live == before
        assert case.run().end is End.HELD
        assert case.run(options=PublishOptions(unsent=True)).end is End.DONE
        assert len(case.live) == len(before) + 6


def test_a_few_of_the_same_papers_or_a_day_further_is_another_digest() -> None:
    with fault_scenario(M, 4) as case:
        assert case.run_until_settled().end is End.DONE
        day = date(2026, 3, 1)
        others = tuple(paper(rank, day) for rank in (7, 8, 9))
        for source in (
            replace(digest(4, day), papers=(case.source.papers[0], *others)),
            replace(digest(4, date(2026, 3, 2)), papers=case.source.papers),
        ):
            before = len(case.live)
            case.source = source
            assert case.run_until_settled().end is End.DONE
            assert len(case.live) == before + 6


def test_a_retracted_thread_stays_away_under_another_slug() -> None:
    with fault_scenario(M, 3) as case:
        assert case.run_until_settled().end is End.DONE
        assert case.retract().end is End.DONE
        case.source = replace(case.source, slug="moved")
        served = case.run()
        assert (served.end, case.live) == (End.DONE, [])
        assert "retracted" in served.reason


# Ranks that moved, and other orders ---------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("network", [X, M, SKY])
@pytest.mark.parametrize("sent", [2, 3, 4])
def test_papers_of_a_chain_keep_their_places_and_the_others_follow(
    network: Network, sent: int
) -> None:
    with fault_scenario(network, 4) as case:
        case.send_only(sent)
        out = case.live
        case.lose_ledger()
        moved = tuple(
            replace(each, rank=rank) for rank, each in enumerate(case.source.papers[::-1], 1)
        )
        case.source = replace(case.source, papers=moved)
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        live = case.live
        assert live[: len(out)] == out
        assert len(live) == 6
        assert [post.reply_to for post in live] == [None, *(post.id for post in live[:-1])]
        firsts = [post.text.split()[0] for post in live[1:-1]]
        assert firsts == ["1.", "2.", "3.", "4."]
        ids = Counter(
            each.arxiv_id for each in moved for post in live if each.arxiv_id in post.text
        )
        assert set(ids.values()) == {1}


def test_a_chain_is_complete_when_as_many_are_out_as_its_opening_says() -> None:
    """One of its papers is no longer in the digest, and another came: it does not follow."""
    with fault_scenario(M, 3) as case:
        case.send_only(4)
        case.lose_ledger()
        papers = (*case.source.papers[:2], replace(paper(9), rank=3))
        case.source = replace(case.source, papers=papers)
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        assert len(case.live) == 5
        assert paper(9).arxiv_id not in " ".join(post.text for post in case.live)


# Two digests of one day and title -----------------------------------------------------------------


@pytest.mark.parametrize("network", [X, M])
def test_a_second_digest_of_the_same_day_and_title_goes_out_too(network: Network) -> None:
    other = replace(digest(2), papers=tuple(paper(rank, date(2026, 2, 20)) for rank in (1, 2)))
    with fault_scenario(network, 2, TAKES_DUPLICATES) as case:
        first = case.source
        assert case.run_until_settled().end is End.DONE
        before = case.live
        case.lose_ledger()
        case.source = replace(other, slug="the-other-list-2026-02-28")
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        assert len(case.live) == len(before) + 4
        # retracting it leaves the first one's posts alone, from a ledger that knows neither
        case.lose_ledger()
        assert case.retract().end is End.DONE
        assert case.live == before
        case.source = first
        case.lose_ledger()
        assert case.run_until_settled().end is End.DONE
        assert case.live == before


# A plan that cannot read --------------------------------------------------------------------------


def test_a_new_ledger_that_may_not_read_holds_the_first_thread() -> None:
    with fault_scenario(X, 1, XBehaviour(unreadable=403), TWITTER_READ_BACK="off") as case:
        case.world.history = False
        served = case.run()
        assert (served.end, case.live) == (End.HELD, [])
        assert "--assume-unsent" in served.reason
        assert case.run(options=PublishOptions(unsent=True)).end is End.DONE
        check_once(case.live, case.thread)
        case.source = digest(1, date(2026, 3, 5))
        assert case.run().end is End.DONE
        assert len(case.live) == 6


# Retracting, and tokens of another account --------------------------------------------------------


def test_retracting_while_another_worker_sends_leaves_nothing() -> None:
    with fault_scenario(M, 3, None, NO_KEYS) as one:
        own = {"BOT_DATABASE": str(one.world.folder / "second" / "bot.db")}
        two = FaultScenario(one.world, M, one.source, own)

        def retract_meanwhile(event: object) -> None:
            if event.what == "sent" and event.position == 2:  # type: ignore[attr-defined]
                one.on_event = None
                assert two.retract().end is End.DONE

        one.on_event = retract_meanwhile
        served = one.run()
        assert served.end is End.HELD, served.reason
        assert two.retract().end is End.DONE
        assert one.live == []


def test_a_thread_that_is_half_retracted_is_not_done() -> None:
    with fault_scenario(M, 3) as case:
        assert case.run_until_settled().end is End.DONE
        count = 0

        def stop(event: object) -> None:
            nonlocal count
            count += event.what == "retracted"  # type: ignore[attr-defined]
            case.world.stop = count == 2

        case.on_event = stop
        assert case.retract().end is End.LATER
        case.world.stop, case.on_event = False, None
        served = case.run()
        assert served.end is End.FAILED
        assert "bot retract" in served.reason
        assert len(case.live) == 3
        assert case.retract().end is End.DONE
        assert case.live == []


def test_doubles_and_strays_are_retracted_too() -> None:
    with fault_scenario(M, 2, None, NO_KEYS) as case:
        assert case.run_until_settled().end is End.DONE
        texts = [post.text for post in case.thread.posts]
        root = case.world.mastodon.write(texts[0])
        case.world.mastodon.write(texts[1], reply_to=root.id)
        case.world.mastodon.write(texts[2])
        mine = case.world.mastodon.write("My own words.")
        assert case.retract().end is End.DONE
        assert case.live == [mine]


@pytest.mark.parametrize("network", [X, M, SKY])
def test_tokens_of_another_account_do_not_go_on_with_a_thread(network: Network) -> None:
    with fault_scenario(network, 2) as case:
        case.send_only(2)
        with case.service() as service:
            ledger, thread = service.ledger, service.ledger.threads()[0]
            ledger._change(
                "UPDATE threads SET owner = 'another' WHERE number = :n", n=thread.number
            )
        made = case.posts_made
        served = case.run()
        assert (served.end, served.stops) == (End.FAILED, True)
        assert "another" in served.reason
        assert case.posts_made == made
        assert case.retract().end is End.FAILED


# Clocks -------------------------------------------------------------------------------------------


def test_a_limit_met_while_the_clock_ran_ahead_locks_nobody_out() -> None:
    with fault_scenario(M, 1) as case:
        case.ahead = timedelta(days=4000)
        case.fault(server_error(429), 5)
        served = case.run_until_settled()
        case.ahead = timedelta(0)
        for _ in range(3):
            if served.end is End.DONE:
                break
            served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        case.check(served)


@pytest.mark.parametrize("days", [1, 2, 400])
@pytest.mark.parametrize("network", [X, M])
def test_a_clock_that_jumps_days_holds_no_post_in_doubt(network: Network, days: int) -> None:
    with fault_scenario(network, 1, TAKES_DUPLICATES, NO_KEYS) as case:
        lose_answer(case, 1)
        case.jumps = [timedelta(0)] * 4 + [timedelta(days=days)] * 500
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        case.check(served)


def states(case: FaultScenario) -> Mapping[State, int]:
    with case.service() as service:
        return Counter(post.state for post in service.ledger.threads()[0].posts)


def test_a_duplicate_that_only_another_sender_can_have_made_is_followed() -> None:
    """X refuses our post as a duplicate: the next one, too, may be on its way from elsewhere."""
    with fault_scenario(X, 3) as one:
        own = {"BOT_DATABASE": str(one.world.folder / "second" / "bot.db")}
        two = FaultScenario(one.world, X, one.source, own)

        def meanwhile(event: object) -> None:
            if event.what == "sending" and event.position == 2:  # type: ignore[attr-defined]
                one.on_event = None
                two.send_only(2)

        one.on_event = meanwhile
        served = one.run_until_settled()
        assert served.end is End.DONE, served.reason
        check_once(one.live, one.thread)
        assert states(one) == {State.SENT: 5}


def test_a_lost_answer_is_never_taken_for_another_senders() -> None:
    with fault_scenario(X, 2) as case:
        case.fault(CLOSED_AFTER, 4)
        begun = case.world.clock()
        assert case.run_until_settled().end is End.DONE
        check_once(case.live, case.thread)
        assert case.world.clock() - begun < timedelta(minutes=11)
