"""The contract of `Poster`, which every poster keeps, and the fake that stands in for them.

The posters run against the sandbox, on loopback, those for X and Mastodon with their real SDKs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest

from bot.model import Account, Network
from bot.posters.bluesky import poster as bluesky
from bot.posters.bluesky.tids import tid
from bot.posters.mastodon import poster as mastodon
from bot.posters.plain_text import normal
from bot.posters.poster import (
    CannotRead,
    Outcome,
    OutcomeKind,
    Poster,
    PostRequest,
    Refusal,
    RemotePost,
)
from bot.posters.twitter import poster as twitter
from bot.sandbox.bluesky.behaviour import SERVERS as BLUESKY_SERVERS
from bot.sandbox.bluesky.behaviour import BlueskyBehaviour
from bot.sandbox.bluesky.rules import APP_PASSWORD, BlueskyRules
from bot.sandbox.faults import Fault
from bot.sandbox.mastodon.behaviour import SERVERS, Markup, MastodonBehaviour, Orphans
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.script import RequestRecord
from bot.sandbox.server import Sandbox
from bot.sandbox.x.behaviour import FieldNames, XBehaviour
from bot.sandbox.x.rules import XRules
from tests.helpers.fake_poster import (
    LOST,
    NOT_SENT,
    UNAUTHORIZED,
    Commit,
    FakePoster,
    Kind,
    Step,
    limited,
)
from tests.helpers.poster_contract import LATER, TIMEOUT, TickingClock, sandbox_faults

TEXTS = (
    "Plain.",
    "R&D: a < b > c, 'quoted' \"twice\", 100 %",
    "Two lines\nof one paragraph\n\nand another,  with   spaces  \n\n\n\nand one far below",
    "A link https://arxiv.org/abs/2106.09685?a=1&b=2 within, and https://example.org/",
    "https://example.org/begins it #HotPapers ends it",
    "Émile, naïve (NFD: e\u0301), 日本語, 👩‍👩‍👧‍👦 and 🇨🇭",
    "&amp; is what it says, &lt;b&gt; too, and &copy; 2021",
    "  spaces around  ",
)


@dataclass
class PosterWorld:
    """A poster, and hands on the network behind it.

    `fail` lets the next request of a kind go wrong; `away` takes the network off the air. `orphans`
    is what becomes of replies to what is gone, `loses_tags` that text in angle brackets is lost.
    """

    poster: Poster
    clock: TickingClock
    write: Callable[[str], str]
    remove: Callable[[str], None]
    there: Callable[[], list[str]]
    fail: Callable[[str], None]
    away: Callable[[], AbstractContextManager[None]]
    orphans: Orphans | None = Orphans.REFUSED
    loses_tags: bool = False
    key: Callable[[str, datetime], str] = lambda text, _: sha256(text.encode()).hexdigest()

    def post(self, text: str, parent: str = "", key: str = "") -> Outcome:
        self.clock.tick()
        key = key or self.key(text, self.clock.now)
        return self.poster.publish(PostRequest(text, key, parent, created=self.clock.now))

    def sent(self, text: str, parent: str = "") -> str:
        outcome = self.post(text, parent)
        assert (outcome.sort, outcome.flaw) == (OutcomeKind.SENT, ""), outcome
        return outcome.id

    def seen(self, after: str = "") -> tuple[RemotePost, ...]:
        look = self.poster.look(START, after)
        assert look.complete
        return look.posts


START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@contextmanager
def fake(stack: ExitStack) -> Iterator[PosterWorld]:
    clock = TickingClock()
    poster = FakePoster(clock)
    stack.callback(poster.close)
    steps = {
        "lost after": (Step(LOST), Kind.PUBLISH),
        "lost before": (Step(LOST, Commit.NEVER), Kind.PUBLISH),
        "401": (Step(UNAUTHORIZED, Commit.NEVER), Kind.PUBLISH),
        "401 read": (Step(CannotRead("401", final=True)), Kind.LOOK),
        "429": (Step(limited(clock.now + LATER), Commit.NEVER), Kind.PUBLISH),
        "429 read": (Step(CannotRead("429", until=clock.now + LATER)), Kind.LOOK),
        "503 read": (Step(CannotRead("503")), Kind.LOOK),
    }

    @contextmanager
    def away() -> Iterator[None]:
        for kind in (Kind.PUBLISH, Kind.DELETE):
            poster.script(Step(NOT_SENT, Commit.NEVER), kind=kind)
        for kind in (Kind.LOOK, Kind.READ, Kind.PROFILE):
            poster.script(Step(CannotRead("nobody is there")), kind=kind)
        yield

    def fail(name: str) -> None:
        step, kind = steps[name]
        poster.script(step, kind=kind)

    def there() -> list[str]:
        return [post.id for post in poster.live()]

    yield PosterWorld(poster, clock, poster.write, poster.remove, there, fail, away)


@contextmanager
def x(stack: ExitStack, behaviour: XBehaviour) -> Iterator[PosterWorld]:
    clock = TickingClock()
    rules = XRules(clock, behaviour)
    sandbox = stack.enter_context(Sandbox({"twitter": rules}))
    keys = rules.keys
    poster = twitter.open_poster(
        Account("papers", Network.TWITTER),
        keys.consumer_key,
        keys.consumer_secret,
        keys.access_token,
        keys.access_token_secret,
        sandbox.url("twitter"),
        TIMEOUT,
        clock,
    )
    stack.callback(poster.close)
    yield world(poster, clock, rules, sandbox, Network.TWITTER)


@contextmanager
def mastodon_like(stack: ExitStack, behaviour: MastodonBehaviour) -> Iterator[PosterWorld]:
    clock = TickingClock()
    rules = MastodonRules(clock, behaviour)
    sandbox = stack.enter_context(Sandbox({"mastodon": rules}))
    account = Account("papers", Network.MASTODON)
    url = sandbox.url("mastodon")
    poster = mastodon.open_poster(account, url, rules.token, TIMEOUT, clock)
    stack.callback(poster.close)
    made = world(poster, clock, rules, sandbox, Network.MASTODON)
    made.orphans = behaviour.orphans
    made.loses_tags = behaviour.markup is Markup.SNAC
    yield made


@contextmanager
def bluesky_like(stack: ExitStack, behaviour: BlueskyBehaviour) -> Iterator[PosterWorld]:
    clock = TickingClock()
    rules = BlueskyRules(clock, behaviour)
    sandbox = stack.enter_context(Sandbox({"bluesky": rules}))
    poster = bluesky.open_poster(
        Account("papers", Network.BLUESKY),
        handle=rules.handle,
        app_password=APP_PASSWORD,
        base_url=sandbox.url("bluesky"),
        timeout=TIMEOUT,
        clock=clock,
    )
    stack.callback(poster.close)
    made = world(poster, clock, rules, sandbox, Network.BLUESKY)
    made.orphans = None  # no server looks, and the poster does
    made.key = lambda _, now: tid(now)
    known = sandbox_faults(Network.BLUESKY)

    def fail(name: str) -> None:
        # of tokens all are refused, and then the login; anything else befalls what follows a login
        about_tokens, doomed = name.startswith("401"), [True]

        def decide(record: RequestRecord) -> Fault | None:
            is_login = record.path.endswith("Session")
            if not doomed or (is_login and not about_tokens):
                return None
            if not about_tokens or record.path.endswith("createSession"):
                doomed.clear()
            return known[name]

        sandbox.decide(decide)

    made.fail = fail
    yield made


def world(
    poster: Poster,
    clock: TickingClock,
    rules: XRules | MastodonRules | BlueskyRules,
    sandbox: Sandbox,
    network: Network,
) -> PosterWorld:
    known = sandbox_faults(network)

    def away() -> AbstractContextManager[None]:
        return sandbox.down(network)

    def remove(post_id: str) -> None:
        rules.remove(post_id)

    return PosterWorld(
        poster,
        clock,
        lambda text: rules.write(text).id,
        remove,
        lambda: [post.id for post in rules.live()],
        lambda name: sandbox.script(known[name], network=network),
        away,
    )


WORLDS: dict[str, Callable[[ExitStack], AbstractContextManager[PosterWorld]]] = {
    "fake": fake,
    "x": lambda stack: x(stack, XBehaviour()),
    "x-posts": lambda stack: x(stack, XBehaviour(names=FieldNames.POSTS)),
    **{
        f"mastodon-{behaviour.version.split()[0]}": (
            lambda stack, behaviour=behaviour: mastodon_like(stack, behaviour)  # type: ignore[misc]
        )
        for behaviour in SERVERS
    },
    **{
        f"bluesky-{name}": (
            lambda stack, behaviour=behaviour: bluesky_like(stack, behaviour)  # type: ignore[misc]
        )
        for name, behaviour in zip(("social", "own", "dev"), BLUESKY_SERVERS, strict=True)
    },
}


@pytest.fixture(params=WORLDS)
def net(request: pytest.FixtureRequest) -> Iterator[PosterWorld]:
    with ExitStack() as stack:
        yield stack.enter_context(WORLDS[str(request.param)](stack))


def test_a_root_is_sent_once_and_read_back(net: PosterWorld) -> None:
    outcome = net.post("Hot papers of the day")
    assert outcome.sort is OutcomeKind.SENT
    assert outcome.url.startswith("http")
    assert (outcome.reason, outcome.refusal, outcome.until, outcome.flaw) == ("", None, None, "")
    (post,) = net.seen()
    assert post.id == outcome.id
    assert post.text == "Hot papers of the day"
    assert post.parent == ""
    assert post.created.replace(microsecond=0) == net.clock.now.replace(microsecond=0)
    assert net.there() == [outcome.id]


def test_a_thread_is_a_chain_read_back_newest_first(net: PosterWorld) -> None:
    first = net.sent("1/3")
    second = net.sent("2/3", first)
    third = net.sent("3/3", second)
    found = [(post.id, post.parent) for post in net.seen()]
    assert found == [(third, second), (second, first), (first, "")]


def test_what_is_known_is_not_read_again(net: PosterWorld) -> None:
    first = net.sent("1/3")
    second = net.sent("2/3", first)
    assert [post.id for post in net.seen(after=first)] == [second]
    assert net.seen(after=second) == ()


def test_nothing_older_than_asked_for_is_read(net: PosterWorld) -> None:
    net.sent("old")
    net.clock.tick(3600)
    since = net.clock.now
    new = net.sent("new")
    look = net.poster.look(since)
    assert (look.complete, [post.id for post in look.posts]) == (True, [new])


def test_a_post_of_the_very_second_asked_for_is_read(net: PosterWorld) -> None:
    sent = net.sent("now")
    since = net.clock.now + timedelta(milliseconds=600)
    assert since.second == net.clock.now.second
    assert [post.id for post in net.poster.look(since).posts] == [sent]


def test_nearer_bound_of_the_two_counts(net: PosterWorld) -> None:
    old = net.sent("old")
    net.sent("between")
    net.clock.tick(3600)
    since = net.clock.now
    new = net.sent("new")
    first, *others = [post.id for post in net.poster.look(since, after=old).posts]
    assert first == new
    assert old not in others, "what lies above a known post may be given whatever its time"


def test_a_deleted_mark_still_bounds_what_is_read(net: PosterWorld) -> None:
    first = net.sent("first")
    second = net.sent("second")
    net.remove(first)
    found = [post.id for post in net.seen(after=first)]
    assert found == [second]


def test_nothing_posted_is_nothing_read(net: PosterWorld) -> None:
    assert net.seen() == ()


def test_long_timelines_are_read_whole_and_no_post_twice(net: PosterWorld) -> None:
    written = []
    for number in range(130):
        net.clock.tick()
        written.append(net.write(f"post {number}"))
    assert [post.id for post in net.seen()] == written[::-1]
    assert [post.id for post in net.seen(after=written[29])] == written[:29:-1]


def test_what_a_person_posts_is_there_too(net: PosterWorld) -> None:
    net.clock.tick()
    written = net.write("Hot papers is out!")
    assert [(post.id, post.text) for post in net.seen()] == [(written, "Hot papers is out!")]


@pytest.mark.slow
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back_as_it_was_sent(net: PosterWorld, text: str) -> None:
    sent = net.sent(text)
    (post,) = net.seen()
    one = net.poster.read(sent)
    assert one is not None
    for read in (post, one):
        if net.loses_tags and "<" in text:
            assert normal(read.text).startswith(normal(text.partition("<")[0]))
        else:
            assert normal(read.text) == normal(text)


def test_one_post_is_read_like_all(net: PosterWorld) -> None:
    first = net.sent("first")
    second = net.sent("second", first)
    assert net.poster.read(second) == net.seen()[0]


@pytest.mark.parametrize("post_id", ["1", "999", "no-such-post", "../1", "", "1?x=1", "/"])
def test_what_is_not_there_is_not_read(net: PosterWorld, post_id: str) -> None:
    assert net.poster.read(post_id) is None


def test_a_post_is_deleted_and_may_be_so_twice(net: PosterWorld) -> None:
    sent = net.sent("a mistake")
    assert net.poster.delete(sent).sort is OutcomeKind.SENT
    assert net.there() == []
    assert net.poster.read(sent) is None
    assert net.seen() == ()
    assert net.poster.delete(sent).sort is OutcomeKind.SENT


def test_a_reply_to_what_is_gone_is_refused_or_its_flaw_is_told(net: PosterWorld) -> None:
    first = net.sent("first")
    net.remove(first)
    outcome = net.post("second", first)
    if net.orphans is Orphans.ROOT:
        assert outcome.sort is OutcomeKind.SENT
        assert outcome.flaw == f"it replies to nothing, and was to reply to {first}"
        assert net.there() == [outcome.id]
    elif net.orphans is Orphans.BREAKS:
        assert outcome.sort is OutcomeKind.UNKNOWN
        assert net.there() == []
    elif net.orphans is Orphans.TAKEN:
        assert (outcome.sort, outcome.flaw) == (OutcomeKind.SENT, "")
        assert net.seen()[0].parent == first
    elif net.orphans is None:
        # a thread that is carried on by another run is looked for before
        assert (outcome.sort, outcome.flaw) == (OutcomeKind.SENT, "")
        assert net.seen()[0].parent == first
        outcome = net.post("third", first)
        assert (outcome.sort, outcome.refusal) == (OutcomeKind.REFUSED, Refusal.PARENT)
    else:
        assert (outcome.sort, outcome.refusal) == (OutcomeKind.REFUSED, Refusal.PARENT)
        assert net.there() == []


def test_a_lost_answer_is_unknown_and_the_post_is_found(net: PosterWorld) -> None:
    net.fail("lost after")
    outcome = net.post("out there")
    assert (outcome.sort, outcome.id) == (OutcomeKind.UNKNOWN, "")
    assert outcome.reason
    assert [post.text for post in net.seen()] == ["out there"]


def test_a_lost_request_is_unknown_and_no_post_is_found(net: PosterWorld) -> None:
    net.fail("lost before")
    assert net.post("never was").sort is OutcomeKind.UNKNOWN
    assert net.seen() == ()
    assert net.post("never was").sort is OutcomeKind.SENT


def test_without_a_network_nothing_is_sent(net: PosterWorld) -> None:
    with net.away():
        outcome = net.post("nobody hears this")
        assert (outcome.sort, outcome.until) == (OutcomeKind.LATER, None)
        assert net.poster.delete("1").sort is OutcomeKind.LATER
        for ask in (lambda: net.poster.look(START), lambda: net.poster.read("1")):
            with pytest.raises(CannotRead) as caught:
                ask()
            assert (caught.value.final, caught.value.until) == (False, None)
        with pytest.raises(CannotRead):
            net.poster.profile()
    assert net.seen() == ()
    net.sent("back again")


def test_refused_tokens_are_said_to_be_so(net: PosterWorld) -> None:
    net.fail("401")
    outcome = net.post("who am I?")
    assert (outcome.sort, outcome.refusal) == (OutcomeKind.REFUSED, Refusal.CREDENTIALS)
    net.fail("401 read")
    with pytest.raises(CannotRead) as caught:
        net.seen()
    assert caught.value.final
    assert net.seen() == ()


def test_a_limit_says_when_it_ends(net: PosterWorld) -> None:
    ends = net.clock.now + LATER
    net.clock.now -= timedelta(seconds=2)  # the next post moves it on
    net.fail("429")
    outcome = net.post("too much")
    assert outcome.sort is OutcomeKind.LATER
    assert outcome.until is not None
    # Headers may know whole seconds only; to come back early would be wrong.
    assert ends - timedelta(seconds=1) < outcome.until <= ends + timedelta(seconds=1)
    net.fail("429 read")
    with pytest.raises(CannotRead) as caught:
        net.seen()
    assert not caught.value.final
    assert caught.value.until is not None
    assert abs(caught.value.until - ends) <= timedelta(seconds=1)


def test_a_broken_server_can_be_read_again(net: PosterWorld) -> None:
    sent = net.sent("steady")
    net.fail("503 read")
    with pytest.raises(CannotRead) as caught:
        net.seen()
    assert not caught.value.final
    assert [post.id for post in net.seen()] == [sent]


def test_it_knows_who_it_is_and_what_it_costs(net: PosterWorld) -> None:
    profile = net.poster.profile()
    assert profile.id
    assert profile.handle
    assert not profile.handle.startswith("@")
    assert profile.url.startswith("http")
    assert profile.limit is None or profile.limit >= 280
    assert all(sentence.strip() for sentence in profile.advice)
    assert net.poster.cost("") >= Decimal(0)
    assert net.poster.look(START).cost == Decimal(0)


def test_it_may_be_closed_twice(net: PosterWorld) -> None:
    net.sent("last words")
    net.poster.close()
    net.poster.close()
