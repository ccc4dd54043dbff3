"""The opening's picture: there with its words, never at the thread's cost, never a post twice."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bot import plan
from bot.delivery.budget import month_of
from bot.delivery.publish import PublishOptions
from bot.delivery.types import AccountResult, End, Event
from bot.delivery.uploads import MOST_LOOKS, MOST_TRIES
from bot.formatter.x.prices import PRICES, thread_price
from bot.ledger.rows import Spending
from bot.model import Digest, Media, Network, State, Thread
from bot.picture.faces import CannotDraw
from bot.sandbox import faults
from bot.sandbox.bluesky.answers import REFUSALS as SKY_REFUSALS
from bot.sandbox.bluesky.behaviour import BSKY_SOCIAL, BlueskyBehaviour
from bot.sandbox.bluesky.records import Blobs, references
from bot.sandbox.faults import CLOSED_AFTER, CLOSED_BEFORE, Commit, Fault, refusal, too_many
from bot.sandbox.mastodon.answers import REFUSALS as MASTODON_REFUSALS
from bot.sandbox.mastodon.answers import UNFINISHED_MEDIA
from bot.sandbox.mastodon.behaviour import (
    GOTOSOCIAL,
    MASTODON,
    MASTODON_4_6,
    SERVERS,
    SNAC2,
    IdempotencyKeys,
    MastodonBehaviour,
)
from bot.sandbox.script import RequestRecord
from bot.sandbox.wire import Request, Response, reply
from bot.sandbox.x.answers import REFUSALS as X_REFUSALS
from bot.sandbox.x.behaviour import Duplicates, XBehaviour
from bot.settings import Settings
from tests.helpers.bluesky_rules import LOGIN, check_nothing_overwritten, check_records
from tests.helpers.fake_world import DAY, FakeWorld, check_once, digest, fake_world, is_publish
from tests.helpers.fault_scenarios import Crash, FaultScenario, fault_scenario
from tests.helpers.process_killed import ProcessKilled
from tests.helpers.worker_world import publish_file, worker_settings, worker_world

X, M, B = NETWORKS = (Network.TWITTER, Network.MASTODON, Network.BLUESKY)
SLOW_ONES = (X, M)
"""Networks that work on an upload before a post may take it."""
PNG = b"\x89PNG\r\n\x1a\n of no size"
ALT = "A chart of the day's papers."
FIRST = Media(ALT, "image/png", PNG)
LAG = timedelta(minutes=5)
"""Longer than anybody settles: what was published is taken for absent."""
PRICE = PRICES.media_metadata
READ = Decimal("0.001")  # the opening, read once more before the first reply

UPLOADS = ("/2/media/upload", "/api/v2/media", "/xrpc/com.atproto.repo.uploadBlob")

Shown = tuple[tuple[bytes, str], ...]
WITH: Shown = ((PNG, ALT),)
WITHOUT: Shown = ()


def carries(case: FaultScenario, media: Media = FIRST) -> FaultScenario:
    """Give the thread's opening a picture, small so that a thousand of them are quick."""
    thread = case.words or case.thread
    opening = replace(thread.posts[0], media=(media,))
    case.words = replace(thread, posts=(opening, *thread.posts[1:]))
    return case


@contextmanager
def illustrated(
    network: Network,
    x: XBehaviour | None = None,
    mastodon: MastodonBehaviour = MASTODON,
    sky: BlueskyBehaviour = BSKY_SOCIAL,
    **more: str,
) -> Iterator[FaultScenario]:
    with fault_scenario(network, 1, x, mastodon, sky, None, **more) as case:
        yield carries(case)


def shown(world: FakeWorld, network: Network) -> list[Shown]:
    """What the network shows with each post: bytes and words."""
    if network is B:
        return [_on_bluesky(world, post.id) for post in world.live(B)]
    there = (world.x if network is X else world.mastodon).uploads
    return [
        tuple((there[each].data, there[each].alt) for each in post.media)
        for post in world.live(network)
    ]


def _on_bluesky(world: FakeWorld, uri: str) -> Shown:
    record = world.sky.record(uri)
    assert record is not None
    found = [world.sky.blobs.get(cid) for cid, _, _ in references(record.value)]
    embed = record.value.get("embed")
    images = embed.get("images", ()) if isinstance(embed, Mapping) else ()
    assert isinstance(images, Sequence)
    words = [str(each["alt"]) for each in images if isinstance(each, Mapping)]
    return tuple((blob.data, alt) for blob, alt in zip(found, words, strict=True) if blob)


def forget(world: FakeWorld, network: Network) -> None:
    """Let the network lose all uploads that no post has taken."""
    if network is B:
        world.sky.blobs = Blobs()
    else:
        (world.x if network is X else world.mastodon).media.clear()


def kept(case: FaultScenario) -> bytes:
    """The bytes that the ledger holds for the opening."""
    with case.service() as service:
        stored = service.ledger.thread(case.account.name, case.source.slug)
        return service.ledger.picture(stored.number, 0) if stored else b""


def told(case: FaultScenario, what: str) -> list[str]:
    return [event.detail for event in case.world.events if event.what == what]


def uploads(case: FaultScenario) -> int:
    return sum(is_upload(each.request) for each in case.requests)


def whole(case: FaultScenario, served: AccountResult, opening: Shown) -> None:
    """The thread is out whole and once, its opening as said, and nothing is left of the bytes."""
    assert served.end is End.DONE, served.reason
    check_once(case.live, case.thread)
    assert shown(case.world, case.network) == [opening, *[WITHOUT] * (len(case.thread.posts) - 1)]
    assert kept(case) == b""
    if opening:
        assert not told(case, "picture lost")
    if case.network is B:
        first = case.thread.posts[0] if opening else replace(case.thread.posts[0], media=())
        as_shown = replace(case.thread, posts=(first, *case.thread.posts[1:]))
        check_records(case.world.sky, case.live, as_shown, case.source)
        check_nothing_overwritten(case.world.sky)


def is_opening(request: Request) -> bool:
    return is_publish(request) and not re.search(rb'in_reply_to|"reply": ', request.body)


def is_upload(request: Request) -> bool:
    return request.method == "POST" and request.path in UPLOADS


def always(case: FaultScenario, fault: Fault, when: Callable[[Request], bool]) -> None:
    case.world.sandbox.script(fault, network=case.network.value, when=when, times=None)


def once(case: FaultScenario, fault: Fault, when: Callable[[Request], bool]) -> None:
    case.world.sandbox.script(fault, network=case.network.value, when=when)


# From the settings to the networks ---------------------------------------------------------------


def threads(source: Digest, settings: Settings) -> tuple[Thread, ...]:
    return plan.threads(settings, source, settings.accounts, None, None, pytest.fail)


def test_the_opening_carries_the_picture_and_no_other_post_does(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        source, settings = digest(2), world.settings(NETWORKS, BOT_PICTURE="on")
        planned = threads(source, settings)
        with world.service(settings) as service:
            served = service.publish(source, planned, PublishOptions())
            stored = [service.ledger.thread(one.account.name, source.slug) for one in served]
            left = [service.ledger.picture(one.number, 0) for one in stored if one]
        assert [one.end for one in served] == ["done"] * 3
        assert left == [b""] * 3, "gone once it is out"
        for thread in planned:
            network = thread.account.network
            check_once(world.live(network), thread)
            (media,) = thread.posts[0].media
            assert media.data.startswith(b"\x89PNG")
            assert "Part 1: <Why> It's Hard: 4,999 retweets" in media.alt
            assert shown(world, network) == [((media.data, media.alt),), *[()] * 3]


def test_bluesky_has_the_picture_in_its_shape_and_the_card_below(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        source, settings = digest(1), world.settings([B], BOT_PICTURE="on")
        (thread,) = threads(source, settings)
        with world.service(settings) as service:
            (served,) = service.publish(source, [thread], PublishOptions())
        assert served.end is End.DONE
        check_once(world.live(B), thread)
        check_records(world.sky, world.live(B), thread, source)
        records = [world.sky.record(post.id) for post in world.live(B)]
        embeds = [record.value.get("embed") for record in records if record]
        (media,) = thread.posts[0].media
        size = [int.from_bytes(media.data[at : at + 4]) for at in (16, 20)]
        (blob,) = world.sky.blobs.every()
        assert (blob.data, blob.kept) == (media.data, True)
        assert embeds == [
            {
                "$type": "app.bsky.embed.images",
                "images": [
                    {
                        "alt": media.alt,
                        "image": blob.reference(),
                        "aspectRatio": {"width": size[0], "height": size[1]},
                    }
                ],
            },
            {"$type": "app.bsky.embed.external", "external": card_of(thread)},
            None,
        ]


def card_of(thread: Thread) -> dict[str, str]:
    card = thread.posts[1].card
    assert card
    return {"uri": card.uri, "title": card.title, "description": card.description}


def test_nothing_is_uploaded_unasked(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        world.post(digest(1), world.settings(NETWORKS))
        assert not any(is_upload(each.request) for each in world.sandbox.requests)
        assert not world.sky.blobs.every()
        assert not world.x.uploads
        assert not world.mastodon.uploads


def test_the_bytes_wait_in_the_ledger_as_they_were_drawn(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        source, settings = digest(2), world.settings([X], BOT_PICTURE="on")
        drawn, again = threads(source, settings), threads(source, settings)
        (media,) = drawn[0].posts[0].media
        assert again[0].posts[0].media[0].data == media.data, "the same digest, the same bytes"
        world.stop = True
        with world.service(settings) as service:
            service.publish(source, drawn, PublishOptions())
            stored = service.ledger.thread("twitter", source.slug)
            assert stored
            assert stored.posts[0].media == (replace(media, data=b""),)
            assert service.ledger.picture(stored.number, 0) == media.data
            assert service.ledger.picture(stored.number, 1) == b""
        world.stop = False
        with world.service(settings) as service:
            service.publish(source, again, PublishOptions())
        assert shown(world, X)[0] == ((media.data, media.alt),)


def test_what_is_planned_is_not_drawn_again_and_what_was_retracted_is(tmp_path: Path) -> None:
    with (
        fake_world(tmp_path) as world,
        world.service(world.settings([M], BOT_PICTURE="on")) as service,
    ):
        source, settings = digest(1), service.settings

        def make() -> tuple[Thread, ...]:
            accounts, ledger = settings.accounts, service.ledger
            return plan.threads(settings, source, accounts, None, ledger, pytest.fail)

        first = make()
        assert is_drawn(first)
        service.publish(source, first, PublishOptions())
        assert not is_drawn(make())
        service.retract(source, source.slug, settings.accounts, first)
        anew = make()
        assert is_drawn(anew)
        (served,) = service.publish(source, anew, PublishOptions(again=True))
        assert served.end is End.DONE
        media = anew[0].posts[0].media[0]
        assert shown(world, M) == [((media.data, media.alt),), (), ()]


def is_drawn(made: Sequence[Thread]) -> bool:
    """Whether the opening has its bytes; its words it has anyway."""
    (media,) = made[0].posts[0].media
    assert media.alt
    return bool(media.data)


# Every fault -------------------------------------------------------------------------------------

MOVED = {"301 redirect", "308 redirect"}
AT_REST = {"401 no login", "401 takedown", "401 deactivated", "403 account"}
REFUSED: Mapping[Network, set[str]] = {
    X: {
        *MOVED,
        *("400 invalid", "400 parent", "401", "404"),
        *("403 generic", "403 parent", "403 reply rule"),
    },
    M: {*MOVED, "401", "403 scope", "404", "404 parent", "422 length", "422 media"},
    B: {*MOVED, "400 invalid", "400 blob", *AT_REST, "413"},
}
"""An upload that is answered so is not to be made."""
STOPS: Mapping[Network, set[str]] = {
    X: {*MOVED, "401", "404"},
    M: {*MOVED, "401", "403 scope"},
    B: {*MOVED, *AT_REST},
}
"""The account can do nothing: the opening stays planned."""
GOES_BARE: Mapping[Network, set[str]] = {
    X: {"400 invalid", "400 parent", "403 generic", "403 parent", "403 reply rule"},
    M: {"404", "404 parent", "422 length", "422 media"},
    B: {"400 invalid", "400 blob", "413"},
}
"""The opening is refused with its picture, and taken without."""
AT: Mapping[Network, Mapping[str, int]] = {
    X: {"upload": 2, "words": 3, "opening": 4},
    M: {"upload": 5, "opening": 6},
    B: {"upload": 4, "opening": 5},
}
PLACES = [(network, name) for network in NETWORKS for name in AT[network]]


@pytest.mark.parametrize(("network", "place"), PLACES)
def test_the_requests_are_where_these_tests_think(network: Network, place: str) -> None:
    paths = {
        (X, "upload"): "/2/media/upload",
        (X, "words"): "/2/media/metadata",
        (X, "opening"): "/2/tweets",
        (M, "upload"): "/api/v2/media",
        (M, "opening"): "/api/v1/statuses",
        (B, "upload"): "/xrpc/com.atproto.repo.uploadBlob",
        (B, "opening"): "/xrpc/com.atproto.repo.putRecord",
    }
    with illustrated(network) as world:
        whole(world, world.run(), WITH)
        record = world.requests[AT[network][place] - 1]
        assert (record.method, record.path) == ("POST", paths[network, place])


@pytest.mark.slow
@pytest.mark.parametrize(("network", "place"), PLACES)
def test_no_single_fault_costs_the_thread_or_doubles_a_post(network: Network, place: str) -> None:
    for fault in faults.every(network):
        with illustrated(network) as world:
            world.fault(fault, AT[network][place])
            served = world.run_until_settled()
            refused = REFUSED if place != "opening" else GOES_BARE
            if place == "opening" and fault.name in STOPS[network]:
                wrong = fault.name in {*MOVED, "404"}
                assert (served.end, world.live) == (End.WRONG if wrong else End.FAILED, []), fault
                whole(world, world.run_until_settled(), WITH)
            else:
                whole(world, served, WITHOUT if fault.name in refused[network] else WITH)
                assert len(told(world, "picture left out")) == (fault.name in refused[network])


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_no_two_faults_do(network: Network) -> None:
    bad = [CLOSED_BEFORE, CLOSED_AFTER, faults.server_error(504), too_many(network, None)]
    for first in bad:
        for second in bad:
            with illustrated(network) as world:
                once(world, first, is_upload)
                once(world, second, is_opening)
                whole(world, world.run_until_settled(), WITH)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("seconds", [1.0, 60.0, 119.0])
@pytest.mark.parametrize("place", ["upload", "opening"])
def test_what_is_carried_out_after_its_504_is_no_second_post(
    network: Network, seconds: float, place: str
) -> None:
    with illustrated(network) as world:
        world.fault(faults.later(faults.server_error(504), seconds), AT[network][place])
        whole(world, world.run_until_settled(), WITH)


@pytest.mark.slow
@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.version)
def test_on_every_server_an_unknown_opening_keeps_its_picture(server: MastodonBehaviour) -> None:
    for fault in (CLOSED_BEFORE, CLOSED_AFTER, faults.server_error(504)):
        with illustrated(M, mastodon=server) as world:
            world.fault(fault, next(_number(server)))
            whole(world, world.run_until_settled(), WITH)


def _number(server: MastodonBehaviour) -> Iterator[int]:
    """Which request is the opening's, for a server that is asked in its own way."""
    with illustrated(M, mastodon=server) as other:
        other.run()
        yield next(each.number for each in other.requests if is_opening(each.request))


# What the network does with an upload ------------------------------------------------------------


@pytest.mark.parametrize("network", SLOW_ONES)
@pytest.mark.parametrize("seconds", [1, 30, 60])
def test_a_picture_that_is_worked_on_is_waited_for(network: Network, seconds: int) -> None:
    slow = timedelta(seconds=seconds)
    with illustrated(
        network, XBehaviour(processing=slow), replace(MASTODON, processing=slow)
    ) as world:
        whole(world, world.run(), WITH)
        assert uploads(world) == 1


@pytest.mark.parametrize("network", SLOW_ONES)
def test_one_that_never_gets_ready_is_left_out(network: Network) -> None:
    slow = timedelta(days=1)
    with illustrated(
        network, XBehaviour(processing=slow), replace(MASTODON, processing=slow)
    ) as case:
        begun = case.world.clock.seconds
        whole(case, case.run(), WITHOUT)
        assert told(case, "picture left out") == ["the network has not finished processing it"]
        asked = [r for r in case.requests if r.method == "GET" and "/media" in r.path]
        assert len(asked) == MOST_LOOKS
        assert case.world.clock.seconds - begun < 300


@pytest.mark.parametrize("network", SLOW_ONES)
def test_one_that_turns_out_to_be_broken_is_left_out(network: Network) -> None:
    slow = timedelta(seconds=5)
    x = XBehaviour(processing=slow, breaks_media=True)
    with illustrated(network, x, replace(MASTODON, processing=slow, breaks_media=True)) as world:
        whole(world, world.run(), WITHOUT)
        assert len(told(world, "picture left out")) == 1
        assert uploads(world) == 1


@pytest.mark.parametrize("network", SLOW_ONES)
def test_an_answer_that_is_lost_while_it_is_worked_on_is_asked_for_again(network: Network) -> None:
    slow = timedelta(seconds=5)
    for fault in (CLOSED_BEFORE, faults.server_error(502), too_many(network, None)):
        with illustrated(
            network, XBehaviour(processing=slow), replace(MASTODON, processing=slow)
        ) as world:
            once(world, fault, lambda r: r.method == "GET" and "/media" in r.path)
            whole(world, world.run(), WITH)


REFUSING: list[tuple[Network, XBehaviour | MastodonBehaviour | BlueskyBehaviour, Media]] = [
    (X, XBehaviour(media_limit=3), FIRST),
    (X, XBehaviour(alt_limit=3), FIRST),
    (X, XBehaviour(), replace(FIRST, data=b"no picture at all")),
    (M, replace(MASTODON, media_limit=3), FIRST),
    (M, replace(MASTODON, description_limit=3), FIRST),
    (M, replace(MASTODON, uploads=False), FIRST),
    (M, MASTODON, replace(FIRST, data=b"no picture at all")),
    (M, MASTODON, replace(FIRST, type="image/svg+xml")),
    (B, replace(BSKY_SOCIAL, most_blob=3), FIRST),
]


@pytest.mark.parametrize(("network", "behaviour", "media"), REFUSING)
def test_one_that_is_refused_is_left_out_at_once(
    network: Network, behaviour: XBehaviour | MastodonBehaviour | BlueskyBehaviour, media: Media
) -> None:
    x = behaviour if isinstance(behaviour, XBehaviour) else None
    mastodon = behaviour if isinstance(behaviour, MastodonBehaviour) else MASTODON
    sky = behaviour if isinstance(behaviour, BlueskyBehaviour) else BSKY_SOCIAL
    with fault_scenario(network, 1, x, mastodon, sky) as case:
        carries(case, media)
        begun = case.world.clock.seconds
        whole(case, case.run(), WITHOUT)
        assert uploads(case) == 1
        assert case.world.clock.seconds == begun, "nothing is waited for"
        (reason,) = told(case, "picture left out")
        assert "picture" in reason or "upload" in reason
        assert case.run().end is End.DONE
        assert uploads(case) == 1


@pytest.mark.parametrize("network", NETWORKS)
def test_a_rate_limit_that_ends_soon_is_waited_for(network: Network) -> None:
    with illustrated(network) as world:
        once(world, too_many(network, timedelta(minutes=5)), is_upload)
        whole(world, world.run(), WITH)
        assert uploads(world) == 2
        (waited,) = told(world, "waiting")
        assert waited.endswith(("300 s", "299 s", "301 s"))


@pytest.mark.parametrize("network", NETWORKS)
def test_one_that_ends_late_is_not(network: Network) -> None:
    with illustrated(network) as case:
        once(case, too_many(network, timedelta(hours=1)), is_upload)
        begun = case.world.clock.seconds
        whole(case, case.run(), WITHOUT)
        assert case.world.clock.seconds == begun
        assert len(told(case, "picture left out")) == 1


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("patience", ["0s", "3s"])
def test_a_run_waits_no_longer_than_it_may(network: Network, patience: str) -> None:
    with illustrated(network, BOT_PATIENCE=patience) as case:
        always(case, faults.server_error(502), is_upload)
        begun = case.world.clock.seconds
        whole(case, case.run(), WITHOUT)
        assert case.world.clock.seconds - begun <= float(patience[:-1])
        assert uploads(case) == MOST_TRIES


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("fault", [CLOSED_BEFORE, CLOSED_AFTER, faults.server_error(500)])
def test_uploads_that_always_fail_are_left_out_after_a_few(network: Network, fault: Fault) -> None:
    with illustrated(network) as world:
        always(world, fault, is_upload)
        whole(world, world.run(), WITHOUT)
        assert uploads(world) == MOST_TRIES
        assert len(told(world, "picture left out")) == 1


def unwelcome(network: Network) -> Fault:
    """A refusal of the account as such."""
    if network is B:
        return refusal("401", SKY_REFUSALS["401 deactivated"])
    return refusal("401", (X_REFUSALS if network is X else MASTODON_REFUSALS)["401"])


@pytest.mark.parametrize("network", NETWORKS)
def test_refused_credentials_stop_the_account_and_cost_no_picture(network: Network) -> None:
    with illustrated(network) as case:
        always(case, unwelcome(network), lambda each: each.method == "POST" and each.path != LOGIN)
        served = case.run()
        assert (served.end, served.stops) == (End.FAILED, True)
        assert case.live == []
        assert not told(case, "picture left out"), "it is not, for nothing went out"
        assert uploads(case) == 1
        case.world.sandbox.fix()
        whole(case, case.run_until_settled(), WITH)


@pytest.mark.parametrize("network", NETWORKS)
def test_refused_credentials_speak_of_no_picture(network: Network) -> None:
    with illustrated(network) as world:
        once(world, unwelcome(network), is_upload)
        once(world, too_many(network, timedelta(minutes=5)), is_opening)
        whole(world, world.run(), WITH)
        assert uploads(world) == 2


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_that_is_gone_costs_no_picture_once_it_is_back(network: Network) -> None:
    with illustrated(network) as case:
        until = case.world.clock() + timedelta(minutes=5)
        case.world.sandbox.decide(
            lambda record: (
                CLOSED_BEFORE if record.method == "POST" and case.world.clock() < until else None
            )
        )
        whole(case, case.run_until_settled(), WITH)


@pytest.mark.parametrize("network", NETWORKS)
def test_one_run_that_sees_the_network_come_back_sends_the_picture(network: Network) -> None:
    with illustrated(network) as world:
        limited = too_many(network, timedelta(minutes=5))
        for _ in range(MOST_TRIES):
            once(world, faults.server_error(502), is_upload)
        once(world, limited, is_opening)
        whole(world, world.run(), WITH)
        assert not told(world, "picture left out")


def test_a_picture_without_its_words_is_left_out() -> None:
    def silent(record: RequestRecord) -> Fault | None:
        return faults.changed("no words", _without_words) if is_upload(record.request) else None

    with illustrated(M) as case:
        case.world.sandbox.decide(silent)
        whole(case, case.run(), WITHOUT)
        assert told(case, "picture left out") == ["the server keeps no alternative text"]


def _without_words(own: Response) -> Response:
    return reply(own.status, {"id": "1", "type": "image", "description": None})


def test_a_picture_that_mastodon_loses_is_told_and_the_thread_goes_on() -> None:
    with illustrated(M, mastodon=replace(MASTODON, loses_media=True)) as world:
        whole(world, world.run(), WITHOUT)
        assert told(world, "picture lost") == ["1 of 1 media are missing"]
        assert not told(world, "held")
        with world.service() as service:
            stored = service.ledger.thread(world.account.name, world.source.slug)
            assert stored
            notes = [each.detail for each in service.ledger.attempts(stored.number)]
        assert "1 of 1 media are missing" in notes


def test_one_that_x_loses_does_not_hold_the_thread() -> None:
    with illustrated(X, XBehaviour(loses_media=True)) as world:
        whole(world, world.run(), WITHOUT)


@pytest.mark.parametrize("network", SLOW_ONES)
def test_a_post_that_is_found_without_its_picture_is_told(network: Network) -> None:
    x = XBehaviour(loses_media=True)
    with illustrated(network, x, replace(MASTODON, loses_media=True)) as world:
        once(world, CLOSED_AFTER, is_opening)
        whole(world, world.run_until_settled(), WITHOUT)
        assert told(world, "picture lost") == ["the network shows this post without it"]


# Uploads that a post does not take twice ---------------------------------------------------------


def forgetful(network: Network) -> AbstractContextManager[FaultScenario]:
    """A network that keeps uploads for a minute."""
    minute = timedelta(minutes=1)
    sky = replace(BSKY_SOCIAL, blobs_last=minute)
    return illustrated(network, XBehaviour(media_expires=minute), sky=sky)


@pytest.mark.parametrize("network", [X, B])
@pytest.mark.parametrize("fault", [CLOSED_BEFORE, faults.server_error(504)])
def test_an_upload_that_ran_out_before_the_repeat_is_made_again(
    network: Network, fault: Fault
) -> None:
    with forgetful(network) as world:
        once(world, fault, is_opening)
        whole(world, world.run_until_settled(), WITH)
        assert uploads(world) == 2
        assert not told(world, "held")


@pytest.mark.parametrize("network", [X, B])
def test_one_that_ran_out_while_a_limit_ran_is_made_again(network: Network) -> None:
    with forgetful(network) as world:
        once(world, too_many(network, timedelta(minutes=5)), is_opening)
        whole(world, world.run(), WITH)
        assert uploads(world) == 2


SLOW = [
    replace(server, lag=LAG, keys=IdempotencyKeys.IGNORED)
    for server in (MASTODON, MASTODON_4_6, GOTOSOCIAL)
]


@pytest.mark.parametrize("server", SLOW, ids=lambda server: server.version)
def test_a_repeat_that_is_refused_for_its_picture_finds_the_first(
    server: MastodonBehaviour,
) -> None:
    # The first is out and is listed late: without a picture nothing would keep the repeat back.
    with illustrated(M, mastodon=server) as world:
        once(world, CLOSED_AFTER, is_opening)
        whole(world, world.run_until_settled(), WITH)
        assert not told(world, "held")
        openings = [each.status for each in world.requests if is_opening(each.request)]
        assert openings == [None, *[server.missing_media] * 2], (
            "refused for as long as it is unseen"
        )


@pytest.mark.parametrize(
    "keys", [IdempotencyKeys.HONOURED, IdempotencyKeys.RACY, IdempotencyKeys.FAILS]
)
def test_a_key_that_is_honoured_gives_the_first_with_its_picture(keys: IdempotencyKeys) -> None:
    with illustrated(M, mastodon=replace(MASTODON, lag=LAG, keys=keys)) as world:
        once(world, CLOSED_AFTER, is_opening)
        whole(world, world.run_until_settled(), WITH)


def test_a_server_that_publishes_without_what_it_does_not_know_is_no_reason_to_hold() -> None:
    with illustrated(M, mastodon=SNAC2) as case:
        # the upload is gone from the server when the post comes
        case.world.sandbox.decide(
            lambda record: case.world.mastodon.media.clear() if is_opening(record.request) else None
        )
        whole(case, case.run_until_settled(), WITHOUT)
        assert told(case, "picture lost") == ["1 of 1 media are missing"]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("duplicates", Duplicates)
def test_an_upload_the_server_forgot_is_made_again_or_left_out(
    network: Network, duplicates: Duplicates
) -> None:
    with illustrated(network, XBehaviour(duplicates=duplicates)) as case:
        case.world.sandbox.decide(
            lambda record: forget(case.world, network) if is_opening(record.request) else None
        )
        whole(case, case.run_until_settled(), WITHOUT)
        assert uploads(case) == 1, "one that no try took is no better the second time"
        assert len(told(case, "picture left out")) == 1


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("first", [CLOSED_BEFORE, too_many(B, timedelta(minutes=5))])
def test_a_picture_that_no_try_may_have_is_given_up(network: Network, first: Fault) -> None:
    # The first try is no refusal: from then on the network knows the upload from before.
    no = {
        X: X_REFUSALS["400 invalid"],
        M: MASTODON_REFUSALS["422 media"],
        B: SKY_REFUSALS["400 invalid"],
    }
    with illustrated(network) as world:
        once(world, first, is_opening)
        always(
            world, refusal("no", no[network]), lambda each: is_opening(each) and has_picture(each)
        )
        whole(world, world.run_until_settled(), WITHOUT)
        assert uploads(world) <= 4


def has_picture(request: Request) -> bool:
    return bool(re.search(rb'"media|media_ids|embed.images', request.body))


def test_what_is_no_picture_is_refused_with_the_post_and_left_out() -> None:
    with fault_scenario(B) as case:
        carries(case, Media(ALT, "text/plain", b"no picture at all"))
        whole(case, case.run(), WITHOUT)
        assert len(told(case, "picture left out")) == 1
        assert uploads(case) == 1


@pytest.mark.parametrize("ours", [True, False])
def test_another_ledger_s_opening_is_taken_for_ours_whatever_it_shows(ours: bool) -> None:  # noqa: FBT001 - a table's column
    """Bluesky refuses the second record under the key; the one that is there stays as it is."""
    with illustrated(B) as case, tempfile.TemporaryDirectory() as folder:
        elsewhere = str(Path(folder) / "bot.db")
        more = {"BOT_DATABASE": elsewhere}
        other = FaultScenario(case.world, B, case.source, more, words=case.words)
        uploading = [case]
        case.world.sandbox.decide(
            lambda record: (
                faults.server_error(502)
                if is_upload(record.request) and (uploading[-1] is case) is not ours
                else None
            )
        )

        def meet(event: Event) -> None:
            if event.what == "sending" and len(uploading) == 1:
                uploading.append(other)
                assert other.run().end is End.DONE

        case.on_event = meet
        served = case.run_until_settled()
        assert served.end is End.DONE, served.reason
        check_once(case.live, case.thread)
        assert shown(case.world, B)[0] == (WITHOUT if ours else WITH)
        refused = [each for each in case.requests if is_opening(each.request)]
        assert [each.status for each in refused] == [200, 400], "theirs first, and then ours"
        assert told(case, "picture lost") == (
            ["the network shows this post without it"] if ours else []
        )


@pytest.mark.parametrize("network", NETWORKS)
def test_an_opening_that_is_refused_for_its_text_is_held_after_all(network: Network) -> None:
    words = {
        X: X_REFUSALS["403 generic"],
        M: MASTODON_REFUSALS["422 length"],
        B: SKY_REFUSALS["400 invalid"],
    }
    with illustrated(network) as case:
        always(case, refusal("no", words[network]), is_opening)
        served = case.run()
        assert (served.end, case.live) == (End.HELD, [])
        openings = [each for each in case.requests if is_opening(each.request)]
        assert len(openings) == 2, "with the picture, and without"
        assert kept(case) == PNG, "a person may release it"
        case.world.sandbox.fix()
        whole(case, case.run(options=PublishOptions(unsent=True)), WITH)


# Deaths, signals, and what changes meanwhile -----------------------------------------------------


def clean(network: Network) -> tuple[int, int]:
    with illustrated(network) as world:
        whole(world, world.run(), WITH)
        return len(world.requests) - 1, world.crash.commits  # the last reads what is there already


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("keeps", [True, False])
def test_a_death_at_any_request_costs_no_picture(network: Network, keeps: bool) -> None:  # noqa: FBT001 - a table's column
    requests, _ = clean(network)
    for at in range(1, requests + 1):
        for fault in (CLOSED_BEFORE, CLOSED_AFTER):
            with illustrated(network) as case:
                case.crash_at(fault, at)
                with pytest.raises(ProcessKilled):
                    case.run()
                if not keeps:
                    case.lose_ledger()
                case.world.clock.sleep(200.0)
                whole(case, case.run_until_settled(), WITH)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("after", [True, False])
def test_a_death_at_any_commit_costs_no_picture(
    network: Network,
    keeps: bool,  # noqa: FBT001 - a table's column
    after: bool,  # noqa: FBT001 - (the same)
) -> None:
    _, commits = clean(network)
    for at in range(1, commits + 1):
        with illustrated(network) as case:
            with pytest.raises(ProcessKilled):
                case.run(Crash(at, after=after))
            if not keeps:
                case.lose_ledger()
            case.world.clock.sleep(200.0)
            whole(case, case.run_until_settled(), WITH)


def stops_at_a_wait(case: FaultScenario) -> Callable[[Event], None]:
    def tell(event: Event) -> None:
        case.world.stop = case.world.stop or event.what == "waiting"

    return tell


@pytest.mark.parametrize("network", NETWORKS)
def test_a_run_that_is_to_stop_while_it_waits_sends_nothing_and_loses_nothing(
    network: Network,
) -> None:
    slow = timedelta(minutes=1)
    for busy in (True, False) if network in SLOW_ONES else (False,):
        time = slow if busy else timedelta(0)
        with illustrated(
            network, XBehaviour(processing=time), replace(MASTODON, processing=time)
        ) as case:
            if not busy:
                once(case, faults.server_error(502), is_upload)
            case.on_event = stops_at_a_wait(case)
            served = case.run()
            assert (served.end, case.live) == (End.LATER, [])
            assert uploads(case) == 1
            assert not told(case, "picture left out")
            assert kept(case) == PNG
            case.world.stop, case.on_event = False, None
            whole(case, case.run_until_settled(), WITH)


def test_a_stop_between_upload_and_post_sends_nothing() -> None:
    with illustrated(M) as case:
        case.world.sandbox.decide(
            lambda record: setattr(case.world, "stop", True) if is_upload(record.request) else None
        )
        served = case.run()
        assert (served.end, case.live, uploads(case)) == (End.LATER, [], 1)
        case.world.sandbox.fix()
        case.world.stop = False
        whole(case, case.run_until_settled(), WITH)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_planned_picture_goes_whatever_became_of_the_digest(network: Network) -> None:
    with illustrated(network) as world:
        assert world.send_only(0).end is End.LATER
        planned = world.thread
        carries(world, Media("Another chart.", "image/png", PNG + b" of another digest"))
        served = world.run_until_settled()
        world.words = planned
        whole(world, served, WITH)


@pytest.mark.parametrize("network", NETWORKS)
def test_it_goes_even_where_the_digest_is_gone(network: Network) -> None:
    with illustrated(network) as world:
        number = _planned(world)
        with world.service() as service:
            served = service.serve(world.account, lambda publisher: publisher.resume(number))
        whole(world, served, WITH)


def _planned(case: FaultScenario) -> int:
    served = case.send_only(0)
    assert served.thread
    return served.thread.number


@pytest.mark.parametrize("network", NETWORKS)
def test_bytes_that_are_lost_are_said_to_be_and_the_thread_goes(network: Network) -> None:
    with fault_scenario(network) as case:
        carries(case, replace(FIRST, data=b""))
        whole(case, case.run(), WITHOUT)
        assert uploads(case) == 0
        assert told(case, "picture left out") == ["the ledger no longer has the picture"]


# Taking back, and anew ---------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_a_thread_that_was_taken_back_goes_out_anew_with_its_picture(network: Network) -> None:
    with illustrated(network) as world:
        whole(world, world.run(), WITH)
        assert world.retract().end is End.DONE
        assert world.live == []
        whole(world, world.run(options=PublishOptions(again=True)), WITH)
        assert uploads(world) == 2


@pytest.mark.parametrize("network", NETWORKS)
def test_the_bytes_of_what_never_went_out_are_gone_with_it(network: Network) -> None:
    with illustrated(network) as world:
        _planned(world)
        assert kept(world) == PNG
        assert world.retract().end is End.DONE
        assert kept(world) == b""
        whole(world, world.run(options=PublishOptions(again=True)), WITH)


def test_the_bytes_of_what_a_person_settled_are_gone() -> None:
    with illustrated(M) as case:
        number = _planned(case)
        with case.service() as service:
            ledger, now = service.ledger, case.world.clock()
            ledger.hold(number, 0, "look", now)
            assert ledger.picture(number, 0) == PNG
            stored = ledger.settle(number, 0, "123", "", now)
            assert stored.state is State.SENT
            assert ledger.picture(number, 0) == b""


# Money -------------------------------------------------------------------------------------------


def spent(case: FaultScenario) -> Decimal:
    with case.service() as service:
        return service.ledger.spent(case.account.name, month_of(case.world.clock.wall))


def price(case: FaultScenario) -> Decimal:
    """What the posts cost, without the picture."""
    return thread_price(post.text for post in case.thread.posts)


def test_what_x_bills_for_the_words_is_written_down() -> None:
    with illustrated(X) as case:
        whole(case, case.run(), WITH)
        assert spent(case) == price(case) + PRICE + READ == case.world.x.spent
    with illustrated(M) as case:
        whole(case, case.run(), WITH)
        assert spent(case) == 0


@pytest.mark.parametrize("fault", [CLOSED_AFTER, faults.server_error(500, Commit.NOW)])
def test_so_is_what_it_may_have_billed(fault: Fault) -> None:
    with illustrated(X) as case:
        case.fault(fault, AT[X]["words"])
        whole(case, case.run_until_settled(), WITH)
        assert spent(case) == price(case) + 2 * PRICE + READ == case.world.x.spent


def budget(short: str = "0") -> str:
    """What the thread may cost with its picture, and one reading of each post; less `short`."""
    with illustrated(X) as world:
        needed = price(world) + PRICE + PRICES.own_post * len(world.thread.posts)
    return str(needed - Decimal(short))


def test_a_thread_that_would_pass_its_budget_by_its_picture_is_not_begun() -> None:
    with illustrated(X, TWITTER_MONTHLY_BUDGET=budget("0.001")) as world:
        served = world.run()
        assert (served.end, served.thread, world.live) == (End.LATER, None, [])
        assert "TWITTER_MONTHLY_BUDGET" in served.reason
        assert uploads(world) == 0
    with illustrated(X, TWITTER_MONTHLY_BUDGET=budget()) as world:
        whole(world, world.run(), WITH)


def test_one_that_was_planned_is_not_begun_either() -> None:
    with illustrated(X, TWITTER_MONTHLY_BUDGET=budget()) as case:
        _planned(case)
        with case.service() as service:
            now = case.world.clock()
            service.ledger.spend(Spending(case.account.name, now, "post", Decimal("0.001")))
        assert (case.run().end, uploads(case), case.live) == (End.LATER, 0, [])


# Two workers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("seconds", [0.0, 200.0])
def test_two_workers_send_one_thread_with_one_picture(network: Network, seconds: float) -> None:
    with illustrated(network) as case:
        other = FaultScenario(case.world, network, case.source, words=case.words)
        came: list[AccountResult] = []

        def meet(event: Event) -> None:
            if event.what == "waiting" and not came:
                case.world.clock.sleep(seconds)
                came.append(other.run())

        once(case, faults.server_error(502), is_upload)
        case.on_event = meet
        first = case.run()
        (second,) = came
        assert (first.end, second.end) == (End.DONE, End.LATER)
        whole(case, case.run_until_settled(), WITH)


# The worker --------------------------------------------------------------------------------------


def test_the_worker_draws_and_sends_the_picture(tmp_path: Path) -> None:
    with (
        fake_world(tmp_path) as world,
        worker_world(world, worker_settings(world, NETWORKS, BOT_PICTURE="on")) as worker,
    ):
        publish_file(world.folder / "posts", digest(2))
        worker.run()
        for network in NETWORKS:
            ((_, alt),), *rest = shown(world, network)
            assert alt.startswith("Hot Papers 2026-02-28. 2 papers, ranked by")
            assert rest == [WITHOUT] * 3
        assert not any("picture" in event for event in worker.events())


def test_it_logs_what_it_could_not_draw_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with (
        fake_world(tmp_path) as world,
        worker_world(world, worker_settings(world, [M], BOT_PICTURE="on")) as worker,
    ):
        publish_file(world.folder / "posts", digest(1))
        worker.run()
        assert shown(world, M) == [WITHOUT] * 3
        (line,) = worker.lines("picture.undrawn")
        assert line["level"] == "warning"
        assert "mastodon: the thread gets no picture" in str(line["reason"])


def test_it_logs_what_the_network_does_not_take(tmp_path: Path) -> None:
    with fake_world(tmp_path, mastodon=replace(MASTODON, uploads=False)) as world:
        put_in = world.folder / "posts"
        with worker_world(world, worker_settings(world, [M], BOT_PICTURE="on")) as worker:
            publish_file(put_in, digest(1))
            worker.run()
            assert shown(world, M) == [WITHOUT] * 3
            (line,) = worker.lines("post.picture_left_out")
            assert line["level"] == "warning"
            assert "write:media" in str(line["reason"])


# Tokens that allow no uploads --------------------------------------------------------------------


def another_day(case: FaultScenario, days: int) -> None:
    """The next digest, of papers of its own, whose opening has a picture too."""
    case.world.clock.sleep(86_400.0)
    case.source, case.words = digest(1, DAY + timedelta(days=days)), None
    carries(case)


def test_tokens_that_allow_no_upload_are_told_of_once_and_asked_for_none_again() -> None:
    with illustrated(M, mastodon=replace(MASTODON, uploads=False)) as case:
        whole(case, case.run(), WITHOUT)
        (reason,) = told(case, "picture left out")
        assert "uploads are not allowed" in reason
        assert "write:media" in reason
        assert "bot login mastodon" in reason
        tried = uploads(case)
        assert tried == 1
        for day in (1, 2):
            another_day(case, day)
            assert case.run().end is End.DONE
        assert uploads(case) == tried
        assert len(told(case, "picture left out")) == 1
        assert shown(case.world, M) == [WITHOUT] * 9


def test_with_other_tokens_an_upload_is_tried_again() -> None:
    with illustrated(M, mastodon=replace(MASTODON, uploads=False)) as case:
        assert case.run().end is End.DONE
        case.world.mastodon.behaviour = MASTODON
        case.world.mastodon.token = "another-token"
        another_day(case, 1)
        assert case.run().end is End.DONE
        assert uploads(case) == 2
        assert shown(case.world, M) == [*[WITHOUT] * 3, WITH, *[WITHOUT] * 2]


def test_that_no_upload_is_allowed_is_told_though_the_opening_goes_out_later() -> None:
    """What was left out is said of the post that went without it, in whichever run that is."""
    with illustrated(M, mastodon=replace(MASTODON, uploads=False), BOT_PATIENCE="0s") as case:
        once(case, too_many(M, timedelta(minutes=5)), is_opening)
        assert case.run().end is End.LATER
        case.world.clock.sleep(300.0)
        whole(case, case.run(), WITHOUT)
        assert len(told(case, "picture left out")) == 1


@pytest.mark.parametrize("times", [1, 4])
def test_a_picture_that_is_said_not_to_be_ready_is_kept_for_the_next_try(times: int) -> None:
    unfinished = refusal("422 unfinished", UNFINISHED_MEDIA)
    with illustrated(M) as case:
        case.world.sandbox.script(unfinished, when=is_opening, times=times)
        whole(case, case.run(), WITH)
        assert uploads(case) == 1
        assert told(case, "picture left out") == told(case, "held") == []


# The library -------------------------------------------------------------------------------------


def test_a_thread_whose_picture_cannot_be_drawn_goes_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise CannotDraw("it cannot", "Mend it.")

    monkeypatch.setattr("bot.picture.draw.draw", broken)
    with fake_world(tmp_path) as world:
        source, settings = digest(1), world.settings(BOT_PICTURE="on")
        said: list[str] = []
        made = plan.threads(settings, source, settings.accounts, None, None, said.append)
        assert [one.posts[0].media for one in made] == [(), ()]
        assert [line.split(":")[0] for line in said] == ["twitter", "mastodon"]
        assert all("gets no picture: it cannot" in line for line in said)
        with world.service(settings) as service:
            served = service.publish(source, made, PublishOptions())
        assert {one.end for one in served} == {End.DONE}
        assert shown(world, X) == shown(world, M) == [(), (), ()]
