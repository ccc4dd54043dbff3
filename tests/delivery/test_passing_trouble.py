"""Trouble that passes needs no person: it is waited out, seldom asked after, and gone on from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from bot.delivery.publish import PublishOptions
from bot.delivery.types import AccountResult, End, Event
from bot.model import Network, State
from bot.sandbox.bluesky import answers as sky_answers
from bot.sandbox.faults import CLOSED_AFTER, Fault, changed, refusal, server_error, too_many
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.mastodon.behaviour import GOTOSOCIAL, TAKAHE, MastodonLimits
from bot.sandbox.script import RequestRecord
from bot.sandbox.wire import Request, Response, reply
from bot.sandbox.x import answers as x_answers
from bot.sandbox.x.behaviour import XBehaviour
from tests.helpers.fake_world import FakeClock, is_publish
from tests.helpers.fault_scenarios import NETWORKS, FaultScenario, fault_scenario

pytestmark = pytest.mark.slow  # a sweep: CI runs it

X, M, SKY = NETWORKS
READ_FREELY = (M, SKY)
each_network = pytest.mark.parametrize("network", NETWORKS)
OUTAGE = 8.0
"""Seconds in which a server that is started again refuses every connection."""


class WakingClock(FakeClock):
    """A fake clock that does something once it has come to its time."""

    def __init__(self) -> None:
        super().__init__()
        self._due: list[tuple[float, Callable[[], None]]] = []

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        self._due.append((self.seconds + seconds, do))

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        due = [each for each in self._due if each[0] <= self.seconds]
        self._due = [each for each in self._due if each not in due]
        for _, do in due:
            do()


@dataclass
class Restart:
    """A network that goes away when it is told to, and is back after eight seconds."""

    case: FaultScenario
    clock: WakingClock
    away: ExitStack

    def begin(self) -> None:
        self.away.enter_context(self.case.world.sandbox.down(self.case.network))
        self.clock.after(OUTAGE, self.away.close)

    def deliver(self) -> float:
        """Deliver in one run; how long it took, by the clock."""
        begun = self.clock.seconds
        served = self.case.run()
        assert served.end is End.DONE, served.reason
        self.case.check(served)
        return self.clock.seconds - begun


@pytest.mark.parametrize("network", [X, M])
def test_the_pause_is_kept_though_every_answer_is_lost(network: Network) -> None:
    with fault_scenario(network, 3, BOT_PAUSE="10s") as case:
        case.world.sandbox.script(CLOSED_AFTER, when=is_publish, times=None)
        served = case.run()
        case.check(served)
        assert (served.end, len(case.live)) == (End.DONE, 5)
        times = [post.created for post in case.live]
        gaps = [after - before for before, after in pairwise(times)]
        assert min(gaps) >= timedelta(seconds=10)
        assert max(gaps) < timedelta(seconds=20), "and not waited for twice"


# A server that is gone for a moment ---------------------------------------------------------------


@contextmanager
def restarted(network: Network, *, history: bool = True) -> Iterator[Restart]:
    clock = WakingClock()
    with fault_scenario(network, 2, clock=clock) as case, ExitStack() as away:
        case.world.history = history
        yield Restart(case, clock, away)


def clean(network: Network, *, history: bool = True) -> float:
    """How long it takes where nothing goes wrong."""
    with restarted(network, history=history) as server:
        return server.deliver()


@each_network
@pytest.mark.parametrize("history", [True, False])
def test_a_server_that_is_started_again_at_the_start_costs_some_seconds(
    network: Network, *, history: bool
) -> None:
    usual = clean(network, history=history)
    with restarted(network, history=history) as server:
        server.begin()
        assert server.deliver() < usual + 20


@each_network
@pytest.mark.parametrize("sent", [0, 1, 2])
def test_a_server_that_is_started_again_between_two_posts_costs_some_seconds(
    network: Network, sent: int
) -> None:
    usual = clean(network)
    with restarted(network) as server:

        def watch(event: Event) -> None:
            if (event.what, event.position) == ("sent", sent):
                server.begin()

        server.case.on_event = watch
        assert server.deliver() < usual + 20
        assert server.case.posts_made == 4


# A network that wants something first -------------------------------------------------------------

DAY = 24 * 3600.0


def second_post(request: Request) -> bool:
    """Whether a request makes the first paper's post."""
    return is_publish(request) and b"2602.10001" in request.body


def is_listing(request: Request) -> bool:
    """Whether a request reads the account's posts, and not one of them."""
    ends = ("/tweets", "/statuses", ".listRecords")
    return request.method == "GET" and request.path.endswith(ends)


def for_a_day(case: FaultScenario) -> list[AccountResult]:
    """Run again at each time that the last run named, for a day."""
    clock, every = case.world.clock, [case.run()]
    end = clock.seconds + DAY
    while clock.seconds < end and every[-1].end is End.LATER:
        until = every[-1].until
        clock.sleep(max((until - clock()).total_seconds(), 1.0) if until else 60.0)
        every.append(case.run())
    return every


def check_nothing_held(served: AccountResult) -> None:
    assert served.end is End.LATER
    assert served.reason
    assert served.thread
    assert State.HELD not in {post.state for post in served.thread.posts}


def test_without_credits_it_waits_and_with_new_ones_it_goes_on() -> None:
    """X then refuses reads and posts alike, with 402."""
    with fault_scenario(X, 2, x=XBehaviour(credits=Decimal("0.30"))) as case:
        every = for_a_day(case)
        for served in every:
            check_nothing_held(served)
            assert "credits" in served.reason
        assert len(case.live) == 3
        assert len(case.requests) <= 60
        case.world.x.behaviour = XBehaviour()
        served = case.run()
        assert served.end is End.DONE, served.reason
        case.check(served)


def test_where_posts_alone_are_not_paid_for_it_does_not_hammer() -> None:
    with fault_scenario(X, 2) as case:
        paid = [False]
        no_credits = refusal("402", x_answers.NO_CREDITS)
        case.world.sandbox.script(
            no_credits, when=lambda request: second_post(request) and not paid[0], times=None
        )
        every = for_a_day(case)
        for served in every:
            check_nothing_held(served)
        assert 24 <= case.posts_made <= 48
        assert len(case.requests) <= 120
        paid[0] = True
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        case.check(served)


AUTOMATED = (
    "This request looks like it might be automated. To protect our users from spam and other "
    "malicious activity, we can't complete this action right now. Please try again later."
)
DAILY = "User is over daily status update limit."
TOO_OFTEN = "You have reached your daily limit for sending Tweets and messages."


def coded(code: int, message: str) -> Response:
    """A refusal in the words of X's older API, which the newer passes on."""
    return reply(403, {"errors": [{"code": code, "message": message}]})


NOT_NOW = (
    pytest.param(X, coded(226, AUTOMATED), id="X 226"),
    pytest.param(X, coded(185, DAILY), id="X 185"),
    pytest.param(X, coded(344, TOO_OFTEN), id="X 344"),
    pytest.param(X, x_answers.problem(403, "Forbidden", AUTOMATED), id="X in words"),
    pytest.param(M, mastodon_answers.UNFINISHED_MEDIA, id="Mastodon 422"),
)


@pytest.mark.parametrize(("network", "answer"), NOT_NOW)
@pytest.mark.parametrize("when", [is_publish, second_post], ids=["opening", "reply"])
def test_not_now_is_no_refusal_for_good(
    network: Network, answer: Response, when: Callable[[Request], bool]
) -> None:
    """For some minutes it is waited in the run, for hours the run is made again."""
    for times, ends in ((3, {End.DONE}), (12, {End.LATER})):
        with fault_scenario(network, 2) as case:
            case.world.sandbox.script(refusal("not now", answer), when=when, times=times)
            served = case.run()
            assert served.end in ends, served.reason
            assert not [event for event in case.world.events if event.what == "held"]
            served = case.run_until_settled()
            assert served.end is End.DONE, served.reason
            case.check(served)
            assert case.posts_made == 4 + times


# A limit that has just ended ----------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.0, 0.001, 0.499, 0.5, 0.999])
def test_a_limit_that_ends_half_a_second_after_its_time_costs_no_quarter_of_an_hour(
    fraction: float,
) -> None:
    """GoToSocial cuts the fraction of the second off, and refuses until it is over."""
    server = replace(GOTOSOCIAL, limits=MastodonLimits(requests=9, shared=True))
    with fault_scenario(M, 6, mastodon=server) as case:
        clock = case.world.clock
        clock.wall += timedelta(seconds=fraction)
        begun = clock.seconds
        served = case.run()
        assert served.end is End.DONE, served.reason
        case.check(served)
        assert any(record.status == 429 for record in case.requests), "the limit was not met"
        assert clock.seconds - begun <= 300 + 10


@each_network
@pytest.mark.parametrize("past", [0, 1, 30])
@pytest.mark.parametrize("what", ["a post", "a read"])
def test_a_limit_that_is_over_when_it_is_told_costs_some_seconds(
    network: Network, past: int, what: str
) -> None:
    usual = clean(network)
    with fault_scenario(network, 2) as case:
        over = too_many(network, timedelta(seconds=-past))
        case.world.sandbox.script(over, when=second_post if what == "a post" else is_listing)
        begun = case.world.clock.seconds
        served = case.run()
        assert served.end is End.DONE, served.reason
        case.check(served)
        assert case.world.clock.seconds - begun <= usual + 10


@pytest.mark.parametrize("network", READ_FREELY)
def test_a_limit_at_the_first_contact_is_over_within_seconds_too(network: Network) -> None:
    with fault_scenario(network, 2) as case:
        over = too_many(network, timedelta(0))
        case.world.sandbox.script(over, when=lambda request: not is_listing(request))
        served = case.run()
        if served.end is End.LATER:
            assert served.until
            case.world.clock.sleep((served.until - case.world.clock()).total_seconds())
            served = case.run()
        assert served.end is End.DONE, served.reason
        assert case.world.clock.seconds <= 1000 + 10


@each_network
def test_a_limit_that_is_always_said_to_be_over_is_not_met_every_second(network: Network) -> None:
    with fault_scenario(network, 2) as case:
        case.world.sandbox.script(too_many(network, timedelta(0)), when=second_post, times=None)
        check_nothing_held(case.run())
        assert case.posts_made <= 30, "in a quarter of an hour"


# Before a third try -------------------------------------------------------------------------------


def hides(own: Response) -> Response:
    """A timeline without its posts, as one that is behind shows it."""
    value = json.loads(own.body)
    bare = [] if isinstance(value, list) else {"records": []}
    return replace(own, body=json.dumps(bare).encode())


NOT_SENT = "a 429 that names no time"
IN_DOUBT = "a 503"


def fails_twice(network: Network, how: str) -> Fault:
    return too_many(network, None) if how == NOT_SENT else server_error(503)


class Curtain:
    """Hides from a timeline what is on it, once it is drawn."""

    def __init__(self, case: FaultScenario) -> None:
        self.drawn = False
        case.world.sandbox.script(
            changed("behind", hides),
            when=lambda request: self.drawn and is_listing(request),
            times=None,
        )

    def draw(self) -> None:
        self.drawn = True


def before_the_third(case: FaultScenario, do: Callable[[], None]) -> None:
    """Do something once the first paper's post is tried a second time."""
    tries = 0

    def watch(event: Event) -> None:
        nonlocal tries
        tries += (event.what, event.position) == ("sending", 1)
        if tries == 2 and (event.what, event.position) == ("sending", 1):
            do()

    case.on_event = watch


@pytest.mark.parametrize("network", READ_FREELY)
@pytest.mark.parametrize("how", [NOT_SENT, IN_DOUBT])
def test_what_the_third_try_would_reply_to_is_gone(network: Network, how: str) -> None:
    with fault_scenario(network, 2) as case:
        case.world.sandbox.script(fails_twice(network, how), when=second_post, times=2)
        opening: list[str] = []

        def remove() -> None:
            opening.append(case.live[0].id)
            case.world.rules(network).remove(opening[0])

        before_the_third(case, remove)
        served = case.run_until_settled()
        assert served.end is End.HELD
        assert "the post replied to is gone" in served.reason
        assert "bot retract" in served.reason
        assert "--assume-unsent" not in served.reason
        assert (case.live, case.posts_made) == ([], 3)


@pytest.mark.parametrize("network", READ_FREELY)
@pytest.mark.parametrize("how", [NOT_SENT, IN_DOUBT])
def test_what_is_out_and_not_shown_is_waited_for_a_day_and_then_held(
    network: Network, how: str
) -> None:
    with fault_scenario(network, 2) as case:
        case.world.sandbox.script(fails_twice(network, how), when=second_post, times=2)
        curtain = Curtain(case)
        before_the_third(case, curtain.draw)
        every = for_a_day(case)
        check_nothing_held(every[0])
        assert "does not show yet" in every[0].reason
        assert every[-1].end is End.HELD, every[-1].reason
        assert "does not show yet" in every[-1].reason
        assert (len(case.live), case.posts_made) == (1, 3), "sent, though nothing can be settled"
        assert len(case.requests) <= 200


@pytest.mark.parametrize("network", READ_FREELY)
def test_what_is_shown_after_a_while_is_gone_on_from(network: Network) -> None:
    with fault_scenario(network, 2) as case:
        case.world.sandbox.script(too_many(network, None), when=second_post, times=2)
        curtain = Curtain(case)
        before_the_third(case, curtain.draw)
        check_nothing_held(case.run())
        curtain.drawn = False
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        case.check(served)


@pytest.mark.parametrize(
    ("network", "refused"),
    [
        pytest.param(M, mastodon_answers.UNAUTHORIZED, id="Mastodon"),
        pytest.param(SKY, sky_answers.TAKEN_DOWN, id="Bluesky"),
    ],
)
def test_an_account_that_is_refused_before_the_third_try_stops(
    network: Network, refused: Response
) -> None:
    with fault_scenario(network, 2) as case:
        case.world.sandbox.script(too_many(network, None), when=second_post, times=2)
        revoked = [False]
        case.world.sandbox.script(
            refusal("revoked", refused), when=lambda _: revoked[0], times=None
        )
        tried: list[None] = []

        def watch(event: Event) -> None:
            tried.extend([None] * (event.what == "waiting"))
            revoked[0] = len(tried) == 2

        case.on_event = watch
        served = case.run()
        assert (served.end, served.stops) == (End.FAILED, True)
        assert case.posts_made == 3
        revoked[0], case.on_event = False, None
        served = case.run()
        assert served.end is End.DONE, served.reason
        case.check(served)


def test_an_account_that_cannot_be_read_back_is_tried_a_third_time_all_the_same() -> None:
    """A server that shows the account none of its private posts has nothing to confirm by."""
    with fault_scenario(M, 2, mastodon=TAKAHE, MASTODON_VISIBILITY="private") as case:
        case.world.sandbox.script(too_many(M, None), when=second_post, times=4)

        def end_what_hangs(_: RequestRecord) -> None:
            case.world.stop = len(case.requests) > 200

        case.world.sandbox.decide(end_what_hangs)
        served = case.run(options=PublishOptions(unsent=True))
        assert served.end is End.DONE, served.reason
        assert (len(case.live), case.posts_made) == (4, 8)
