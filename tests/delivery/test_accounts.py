"""All accounts side by side: each one's trouble is its own, and what was learnt is kept."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot import plan
from bot.delivery.accounts import side_by_side
from bot.delivery.identity import fingerprint
from bot.delivery.publish import AccountPublisher, PublishOptions
from bot.delivery.types import AccountResult
from bot.errors import Busy
from bot.ledger.store import Ledger
from bot.model import Digest, Network, State
from bot.output.checks import Level, check
from bot.sandbox.bluesky.rules import BlueskyRules
from bot.sandbox.faults import CLOSED_AFTER, ERRORS_ONLY, refusal, server_error, too_many
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.mastodon.behaviour import GOTOSOCIAL, MASTODON, SNAC2, MastodonBehaviour
from bot.sandbox.mastodon.rules import MastodonRules
from bot.sandbox.script import RequestRecord
from bot.sandbox.server import Sandbox
from bot.sandbox.wire import Request
from bot.sandbox.x.rules import XRules
from bot.settings import Settings, load
from tests.helpers.digest_writer import tweeted
from tests.helpers.fake_world import (
    FakeClock,
    FakeWorld,
    check_once,
    check_safe,
    digest,
    fake_world,
    paper,
)

X, TOOTS = Network.TWITTER, Network.MASTODON
NOTHING = PublishOptions()


def publish(
    world: FakeWorld, settings: Settings, source: Digest, options: PublishOptions = NOTHING
) -> dict[str, AccountResult]:
    with world.service(settings) as service:
        threads = plan.threads(settings, source, settings.accounts, None, service.ledger)
        served = service.publish(source, threads, options)
    assert [one.account for one in served] == list(settings.accounts)
    return {one.account.name: one for one in served}


def another(world: FakeWorld, first: int, **fields: object) -> Digest:
    """A digest of two days on, of papers that no other has."""
    world.clock.sleep(2 * 86400)
    day = world.clock.wall.date()
    papers = tuple(replace(paper(first + n), rank=n + 1) for n in range(2))
    made = digest(0, day=day)
    made = replace(made, published=world.clock.wall - timedelta(hours=1), papers=papers)
    return replace(made, **fields)  # type: ignore[arg-type] # each test knows the fields


def asked(world: FakeWorld, since: int = 0) -> Counter[str]:
    """Requests of each kind, from the one numbered `since`."""
    return Counter(f"{r.network} {r.method}" for r in world.sandbox.requests[since:])


def second_account(world: FakeWorld, base_url: str) -> None:
    (world.folder / "bot.toml").write_text(
        f'[[accounts]]\nname = "second"\nnetwork = "mastodon"\nbase_url = "{base_url}"\n'
        'access_token = "SECOND_TOKEN"\n'
    )


def two_names_of_one(world: FakeWorld) -> Settings:
    """Two accounts in bot.toml that are one on Bluesky: by its handle, and by its DID."""
    table = '[[accounts]]\nname = "{}"\nnetwork = "bluesky"\nhandle = "{}"\napp_password = "OWN"\n'
    names = table.format("one", world.sky.handle), table.format("two", world.sky.account)
    (world.folder / "bot.toml").write_text("".join(names), encoding="utf-8")
    url, password = world.sandbox.url("bluesky"), world.sky.password
    return load(
        {"BOT_PAUSE": "0", "BOT_DIGESTS": "unused", "BLUESKY_SERVICE_URL": url, "OWN": password},
        world.folder,
    )


def test_two_accounts_that_turn_out_to_be_one_get_a_thread_once(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = two_names_of_one(world)
        for _ in range(2):
            served = publish(world, settings, digest(2))
            assert sorted(one.end for one in served.values()) == ["done", "failed"]
            (refused,) = [one for one in served.values() if one.end == "failed"]
            assert "accounts one and two are the same account" in refused.reason.replace(
                "two and one", "one and two"
            )
            assert "would get everything twice" in refused.reason
            assert len(world.live(Network.BLUESKY)) == 4
        with world.service(settings) as service:
            name = refused.account.name
            (taken,) = service.retract(None, digest(2).slug, [refused.account], [])
            assert (taken.end, service.ledger.get_fact(name, "who")) == ("failed", None)
        assert len(world.live(Network.BLUESKY)) == 4


def test_the_second_of_two_that_are_one_can_do_nothing_from_its_first_log_in(
    tmp_path: Path,
) -> None:
    with fake_world(tmp_path) as world:
        settings = two_names_of_one(world)
        with world.service(settings) as service:
            for _ in range(2):
                one, two = (
                    service.serve(account, AccountPublisher.try_credentials)
                    for account in settings.accounts
                )
                assert (one.end, one.stops) == ("done", False)
                assert (two.end, two.stops) == ("failed", True)
                assert "are the same account" in two.reason


def test_check_says_that_two_accounts_are_one(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = replace(two_names_of_one(world), digests=None)
        found = list(check(settings, world.clock, offline=False))
    (wrong,) = [
        one for one in found if one.level is Level.ERROR and "are the same account" in one.message
    ]
    assert (wrong.subject, "accounts one and two are" in wrong.message) == ("two", True)


def test_accounts_may_change_places(tmp_path: Path) -> None:
    """What was learnt of an account under other settings tells nothing of who it is now."""
    with fake_world(tmp_path) as world:
        settings = two_names_of_one(world)
        with world.service(settings) as service:
            was = {"who": world.sky.account, "asked as": "under other settings"}
            service.ledger.introduce("two", was, {})
            threads = plan.threads(settings, digest(2), settings.accounts[:1])
            (served,) = service.publish(digest(2), threads, NOTHING)
        assert served.end == "done"


def test_another_handle_is_another_account_though_a_session_is_kept(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        assert (
            world.post(digest(2), world.settings([Network.BLUESKY]))[Network.BLUESKY].end == "done"
        )
        settings = world.settings([Network.BLUESKY], BLUESKY_HANDLE="somebody-else.test")
        served = world.post(another(world, 5), settings)[Network.BLUESKY]
        assert served.end == "failed"
        assert "401" in served.reason
        assert len(world.live(Network.BLUESKY)) == 4


@pytest.mark.parametrize("network", [TOOTS, Network.BLUESKY])
def test_a_digest_whose_slug_names_no_day_is_found_however_it_was_read(
    network: Network, tmp_path: Path
) -> None:
    """As a file it has its name's day, as an address the day it was published."""
    with fake_world(tmp_path) as world:
        settings = world.settings([network])
        source = digest(2, slug="issue-42")
        assert world.post(source, settings)[network].end == "done"
        settings.database.unlink()
        later = replace(source, day=source.day + timedelta(days=1))
        served = world.post_until_done(later, settings)[network]
        # its title names another day now, so that on Mastodon a person has to tell
        assert served.end == ("held" if network is TOOTS else "done"), served
        check_once(world.live(network), world.planned(source, settings)[network])


def is_busy(world: FakeWorld, settings: Settings, network: Network) -> bool:
    with world.service(settings) as service:
        try:
            with service.ledger.sending(network.value, world.clock.wall):
                return False
        except Busy:
            return True


def test_a_retraction_holds_its_lock_however_long_it_takes(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings([TOOTS])
        source = digest(12)
        assert world.post(source, settings)[TOOTS].end == "done"
        slow, busy = world.sandbox, []

        def press(request: Request) -> bool:
            if request.method == "DELETE":
                world.clock.sleep(20)
                busy.append(is_busy(world, settings, TOOTS))
            return False

        slow.script(server_error(500), network="mastodon", when=press)
        with world.service(settings) as service:
            threads = plan.threads(settings, source, settings.accounts)
            (served,) = service.retract(source, source.slug, settings.accounts, threads)
        assert served.end == "done"
        assert busy == [True] * len(threads[0].posts)


def test_each_accounts_trouble_leaves_the_others_alone(tmp_path: Path) -> None:
    """X refuses the tokens, the second server is gone, the first one gets its thread."""
    with fake_world(tmp_path) as world:
        second_account(world, "http://127.0.0.1:9")
        settings = world.settings(
            SECOND_TOKEN="t", TWITTER_ACCESS_TOKEN_SECRET="wrong", BOT_PATIENCE="5s"
        )
        served = publish(world, settings, digest(2))
        assert {name: one.end.value for name, one in served.items()} == {
            "twitter": "failed",
            "mastodon": "done",
            "second": "later",
        }
        assert "401" in served["twitter"].reason
        assert "refused" in served["second"].reason
        assert world.live(X) == []
        check_once(world.live(TOOTS), world.planned(digest(2), settings)[TOOTS])


def test_refused_tokens_leave_every_post_planned(tmp_path: Path) -> None:
    """401 at the first read, and at the first post: mended tokens are all that is needed."""
    with fake_world(tmp_path) as world:
        for network in (X, TOOTS):
            wrong = {"TWITTER_ACCESS_TOKEN_SECRET": "wrong", "MASTODON_ACCESS_TOKEN": "wrong"}
            served = world.post(digest(2), world.settings([network], **wrong))[network]
            assert served.end == "failed", served
            assert "401" in served.reason
            stored = served.thread
            assert stored is None or {p.state for p in stored.posts} == {State.PLANNED}
            served = world.post(digest(2), world.settings([network]))[network]
            assert served.end == "done", served
            check_once(
                world.live(network), world.planned(digest(2), world.settings([network]))[network]
            )


def test_tokens_that_are_revoked_in_the_middle_stop_the_account_and_nothing_is_held(
    tmp_path: Path,
) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings([TOOTS])
        world.sandbox.script(
            refusal("401", mastodon_answers.UNAUTHORIZED),
            network="mastodon",
            when=lambda request: request.method == "POST" and b"2602.10002" in request.body,
        )
        served = publish(world, settings, digest(2))["mastodon"]
        assert served.end == "failed"
        assert served.reason.startswith("Mastodon answers 401 (The access token is invalid): ")
        assert "bot login mastodon" in served.reason
        assert served.thread
        assert Counter(p.state for p in served.thread.posts) == {State.SENT: 2, State.PLANNED: 2}
        assert publish(world, settings, digest(2))["mastodon"].end == "done"
        check_once(world.live(TOOTS), world.planned(digest(2), settings)[TOOTS])


def test_a_busy_account_says_who_sends_for_it(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings()
        with (
            world.service(settings) as service,
            service.ledger.sending("twitter", world.clock.wall),
        ):
            served = publish(world, settings, digest(2))
        busy = served["twitter"]
        assert (busy.end, busy.until, busy.thread) == ("later", None, None)
        assert busy.reason.startswith(f"process {os.getpid()} on ")
        assert busy.reason.endswith(" is already posting to this account")
        assert (served["mastodon"].end, world.live(X)) == ("done", [])
        assert publish(world, settings, digest(2))["twitter"].end == "done"


def test_a_lock_is_given_back_whatever_happens(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        publish(world, world.settings(TWITTER_ACCESS_TOKEN_SECRET="wrong"), digest(2))
        assert not is_busy(world, world.settings(), X)
        assert not is_busy(world, world.settings(), TOOTS)


def test_two_threads_of_one_process_do_not_share_a_lock(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world, world.service(world.settings([TOOTS])) as service:
        (account,) = service.settings.accounts

        def meet(publisher: AccountPublisher) -> AccountResult:
            (inner,) = side_by_side(
                lambda _: service.serve(account, AccountPublisher.try_credentials), [None]
            )
            assert (inner.end, "is already posting" in inner.reason) == ("later", True)
            return publisher.try_credentials()

        for _ in range(2):
            assert service.serve(account, meet).end == "done"


@pytest.mark.parametrize("server", [MASTODON, GOTOSOCIAL, SNAC2], ids=lambda one: one.version[:6])
def test_a_server_with_a_lower_limit_is_refused_before_the_first_post(
    tmp_path: Path, server: MastodonBehaviour
) -> None:
    lower = replace(server, max_characters=150)
    with fake_world(tmp_path, mastodon=lower) as world:
        for _ in range(2):
            served = publish(world, world.settings([TOOTS]), digest(2))["mastodon"]
            assert (served.end, served.thread, world.live(TOOTS)) == ("failed", None, [])
            assert "150. Set MASTODON_MAX_CHARACTERS=150" in served.reason
        settings = world.settings([TOOTS], MASTODON_MAX_CHARACTERS="150")
        assert publish(world, settings, digest(2))["mastodon"].end == "done"


def test_a_server_that_raises_its_limit_is_believed(tmp_path: Path) -> None:
    with fake_world(tmp_path, mastodon=replace(MASTODON, max_characters=150)) as world:
        settings = world.settings([TOOTS])
        assert publish(world, settings, digest(2))["mastodon"].end == "failed"
        world.mastodon.behaviour = MASTODON
        assert publish(world, settings, digest(2))["mastodon"].end == "done"


def test_facts_are_asked_once(tmp_path: Path) -> None:
    """Three requests a network beside the posts with history, and a few more with a new ledger."""
    with fake_world(tmp_path) as world:
        settings = world.settings()
        publish(world, settings, digest(2))
        assert asked(world) == {
            "twitter GET": 2,
            "twitter POST": 4,
            "mastodon GET": 6,
            "mastodon POST": 4,
        }
        before = len(world.sandbox.requests)
        publish(world, settings, another(world, 20))
        assert asked(world, before) == {
            "twitter GET": 2,
            "twitter POST": 4,
            "mastodon GET": 3,
            "mastodon POST": 4,
        }
        paths = {r.path for r in world.sandbox.requests[before:] if r.network == "mastodon"}
        assert not {path for path in paths if "verify" in path or "instance" in path}
        before = len(world.sandbox.requests)
        publish(world, settings, another(world, 20, slug=digest(2).slug))
        assert asked(world, before) == {}, "a finished thread asks nothing"


def test_the_servers_software_is_remembered_and_reaches_the_poster(tmp_path: Path) -> None:
    with fake_world(tmp_path, mastodon=SNAC2) as world:
        private = {"MASTODON_VISIBILITY": "private", "MASTODON_DIALECT": "markdown"}
        settings = world.settings([TOOTS], **private)
        assert publish(world, settings, digest(2))["mastodon"].end == "done"
        with Ledger.open(settings.database) as ledger:
            assert ledger.get_fact("mastodon", "server") == "snac"
        # after a restart nobody is asked, and its private posts are read where it shows them
        before = len(world.sandbox.requests)
        assert publish(world, settings, another(world, 20))["mastodon"].end == "done"
        paths = {record.path for record in world.sandbox.requests[before:]}
        assert not {path for path in paths if "verify" in path or "instance" in path}
        assert "/api/v1/timelines/home" in paths


def test_a_ledger_that_does_not_know_the_software_asks_again(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings([TOOTS])
        publish(world, settings, digest(2))
        with closing(sqlite3.connect(settings.database)) as db, db:
            db.execute("DELETE FROM facts WHERE name = 'server'")
        publish(world, settings, another(world, 20))
        with Ledger.open(settings.database) as ledger:
            assert ledger.get_fact("mastodon", "server") == "mastodon"


def test_an_account_that_moves_to_another_server_is_asked_anew(tmp_path: Path) -> None:
    """What was learnt of one server, the account's id first of all, is not true of another."""
    clock = FakeClock()
    old = MastodonRules(clock)
    new = MastodonRules(clock, replace(MASTODON, ids=GOTOSOCIAL.ids), token="new-token")
    new.account = "987654321"
    with Sandbox({"twitter": XRules(clock), "mastodon": old, "new": new}, sleep=clock.sleep) as box:
        world = FakeWorld(tmp_path, clock, box, XRules(clock), old, BlueskyRules(clock))
        publish(world, world.settings([TOOTS]), digest(2))
        moved = world.settings(
            [TOOTS], MASTODON_API_BASE_URL=box.url("new"), MASTODON_ACCESS_TOKEN="new-token"
        )
        served = publish(world, moved, another(world, 20))["mastodon"]
        assert served.end == "done", served.reason
        reads = {r.path for r in box.requests if r.network == "new" and "/accounts/" in r.path}
        assert f"/api/v1/accounts/{old.account}/statuses" not in reads
        assert len(new.live()) == 4


@pytest.mark.parametrize(
    ("more", "opening", "replies"),
    [
        ({}, "public", "unlisted"),
        ({"MASTODON_REPLIES": "unlisted"}, "public", "unlisted"),
        ({"MASTODON_REPLIES": "public"}, "public", "public"),
        ({"MASTODON_REPLIES": "public", "MASTODON_VISIBILITY": "unlisted"}, *["unlisted"] * 2),
        ({"MASTODON_REPLIES": "public", "MASTODON_VISIBILITY": "private"}, *["private"] * 2),
        ({"MASTODON_REPLIES": "public", "MASTODON_VISIBILITY": "direct"}, *["direct"] * 2),
    ],
    ids=str,
)
def test_replies_are_listed_as_they_are_set_to_be_where_the_opening_is_public(
    tmp_path: Path, more: dict[str, str], opening: str, replies: str
) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings([TOOTS], **more)
        assert publish(world, settings, digest(2))["mastodon"].end == "done"
        assert [post.visibility for post in world.live(TOOTS)] == [opening, *[replies] * 3]


def test_papers_that_went_out_lately_are_left_out(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings([X], BOT_REPEAT_DAYS="7")
        publish(world, settings, digest(3))
        again = another(world, 20, papers=(paper(2), replace(paper(30), rank=2), paper(3)))
        served = publish(world, settings, again)["twitter"]
        assert served.thread
        parts = [post.part for post in served.thread.posts]
        assert parts == ["opening", paper(30).arxiv_id, "closing"]
        assert served.thread.posts[1].text.startswith("1. ")
        served = publish(world, settings, again)["twitter"]
        assert served.thread
        assert [post.part for post in served.thread.posts] == parts, "its own papers are no repeat"
        only = another(world, 20, papers=(paper(1), paper(2)))
        before = len(world.sandbox.requests)
        served = publish(world, settings, only)["twitter"]
        assert (served.end, served.thread) == ("done", None)
        assert served.reason == "the digest has no paper for this account"
        assert len(world.sandbox.requests) == before
        world.clock.sleep(7 * 86400)
        late = another(world, 20, papers=(paper(1), paper(2)))
        assert publish(world, settings, late)["twitter"].thread is not None


def test_a_digest_that_changed_goes_out_as_it_was_planned(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings, source = world.settings([X]), digest(3)
        world.sandbox.script(
            server_error(500), network="twitter", when=lambda request: b"2602.10002" in request.body
        )
        begun = publish(world, world.settings([X], BOT_PATIENCE="0s"), source)["twitter"]
        assert begun.end == "later"
        words = world.planned(source, settings)[X]
        other = replace(
            source, papers=tuple(replace(p, title="Other words") for p in source.papers)
        )
        done = publish(world, settings, other)["twitter"]
        assert done.end == "done"
        check_once(world.live(X), words)
        with world.service(settings) as service:
            stored = service.ledger.thread("twitter", source.slug)
            assert stored
            assert service.ledger.changed(stored)
            assert stored.fingerprint == fingerprint(source) != fingerprint(other)
        ranked = enumerate(reversed(source.papers), 1)
        moved = tuple(replace(p, rank=rank, metrics=tweeted(rank, 0)) for rank, p in ranked)
        assert fingerprint(replace(source, papers=moved)) == fingerprint(source)
        more = replace(source, papers=(*source.papers, paper(4)))
        before = len(world.sandbox.requests)
        assert publish(world, settings, more)["twitter"].end == "done"
        assert len(world.sandbox.requests) == before
        publish(world, settings, source)
        with world.service(settings) as service:
            assert not service.ledger.changed(done.thread or begun.thread)  # type: ignore[arg-type]


def test_one_digest_goes_out_on_all_three_networks(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings(tuple(Network))
        served = publish(world, settings, digest(2))
        assert {network: one.end for network, one in served.items()} == dict.fromkeys(
            Network, "done"
        )
        for network, thread in world.planned(digest(2), settings).items():
            check_once(world.live(network), thread)


def test_where_bluesky_does_not_log_us_in_the_rest_goes_out(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings((X, Network.BLUESKY), BLUESKY_APP_PASSWORD="wrong")
        served = publish(world, settings, digest(2))
        assert (served["bluesky"].end, served["bluesky"].stops) == ("failed", True)
        assert "Invalid identifier or password" in served["bluesky"].reason
        assert "bot login bluesky" in served["bluesky"].reason
        assert served["twitter"].end == "done"


def test_no_threads_and_no_accounts_are_nothing_to_do(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world, world.service(world.settings([X])) as service:
        assert service.publish(digest(2), (), NOTHING) == ()
        assert service.retract(None, "x", (), ()) == ()


def test_assume_unsent_sends_without_looking(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        publish(world, world.settings([X]), digest(2), PublishOptions(unsent=True))
        assert asked(world) == {"twitter POST": 4}


def test_assume_unsent_is_the_way_out_that_the_message_names(tmp_path: Path) -> None:
    """What resembles the opening is a person's own: they say so, and the thread goes out."""
    with fake_world(tmp_path) as world:
        settings = world.settings([X])
        mine = world.x.write(f"{digest(2).title} is out!")
        held = publish(world, settings, digest(2))["twitter"]
        assert held.end == "held"
        done = publish(world, settings, digest(2), PublishOptions(unsent=True))["twitter"]
        assert done.end == "done", done.reason
        out = [post for post in world.live(X) if post.id != mine.id]
        check_once(out, world.planned(digest(2), settings)[X])


def test_assume_unsent_speaks_of_the_opening_and_not_of_a_post_that_was_tried(
    tmp_path: Path,
) -> None:
    """A post of this ledger's own that is in doubt is read for, whatever a person assumes."""
    with fake_world(tmp_path) as world:
        settings = world.settings([X])
        world.sandbox.script(CLOSED_AFTER, network="twitter", at=3)
        publish(world, world.settings([X], BOT_PATIENCE="0s"), digest(2))
        publish(world, settings, digest(2), PublishOptions(unsent=True))
        check_once(world.live(X), world.planned(digest(2), settings)[X])


def test_a_network_that_is_down_is_left_for_later_and_nothing_is_doubled(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings(BOT_PATIENCE="1m")
        with world.sandbox.down("twitter"):
            served = publish(world, settings, digest(2))
        assert (served["twitter"].end, served["mastodon"].end) == ("later", "done")
        assert served["twitter"].until
        check_safe(world.live(X), world.planned(digest(2), settings)[X])
        served = publish(world, settings, digest(2))
        assert served["twitter"].end == "done"
        check_once(world.live(X), world.planned(digest(2), settings)[X])
        assert served["mastodon"].end == "done"
        check_once(world.live(TOOTS), world.planned(digest(2), settings)[TOOTS])


def test_the_ledger_that_cannot_be_used_is_said_for_each_account(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings([X])
        with world.service(settings) as service:
            renamed = replace(settings.accounts[0], network=TOOTS)
            threads = plan.threads(settings, digest(2), settings.accounts)
            service.publish(digest(2), threads, NOTHING)
            credentials = {"twitter": world.settings([TOOTS]).credentials["mastodon"]}
            odd = replace(service, settings=replace(settings, credentials=credentials))
            other = plan.threads(settings, another(world, 20), [renamed])
            (served,) = odd.publish(another(world, 40), other, NOTHING)
        assert served.end == "failed"
        assert "is on twitter in the ledger" in served.reason


@pytest.mark.parametrize("while_waiting", [False, True], ids=["before a post", "in a wait"])
def test_a_lock_that_is_lost_ends_the_run_before_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, while_waiting: bool
) -> None:
    with fake_world(tmp_path) as world:
        slept = world.clock.sleep

        def sleep(seconds: float) -> None:
            slept(seconds)
            for lock in world.settings([X]).database.parent.glob("*.lock"):
                lock.unlink()

        monkeypatch.setattr(world.clock, "sleep", sleep)
        if while_waiting:
            limited = too_many(X, timedelta(minutes=5))
            world.sandbox.script(limited, network="twitter", at=3)
        served = publish(world, world.settings([X], BOT_PAUSE="2s"), digest(2))["twitter"]
        assert (served.end, len(world.live(X))) == ("later", 1)
        assert (
            served.reason
            == "the account's lock is lost, and another process may be posting to the account"
        )
        monkeypatch.undo()
        assert publish(world, world.settings([X]), digest(2))["twitter"].end == "done"
        check_once(world.live(X), world.planned(digest(2), world.settings([X]))[X])


@pytest.mark.parametrize("timeout", ["0.1", "600"])
def test_the_lock_is_held_through_a_long_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeout: str
) -> None:
    with fake_world(tmp_path) as world:
        slept, others = world.clock.sleep, []

        def sleep(seconds: float) -> None:
            slept(seconds)
            settings = world.settings([X], BOT_HTTP_TIMEOUT=timeout)
            others.append(publish(world, settings, digest(2))["twitter"].end)

        monkeypatch.setattr(world.clock, "sleep", sleep)
        world.sandbox.script(too_many(X, timedelta(minutes=14)), network="twitter", at=3)
        served = publish(world, world.settings([X]), digest(2))["twitter"]
        assert (served.end, served.reason) == ("done", "")
        assert set(others) == {"later"}


def test_ctrl_c_in_a_wait_is_heard_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_world(tmp_path) as world:
        slept, times = world.clock.sleep, []

        def sleep(seconds: float) -> None:
            slept(seconds)
            times.append(seconds)
            world.stop = True

        monkeypatch.setattr(world.clock, "sleep", sleep)
        world.sandbox.script(too_many(X, timedelta(minutes=14)), network="twitter", at=3)
        served = publish(world, world.settings([X]), digest(2))["twitter"]
        assert (served.end, served.reason) == ("later", "stopped before the thread was finished")
        assert (len(world.live(X)), len(times)) == (1, 1)


def test_a_run_that_died_while_sending_is_read_for_first(tmp_path: Path) -> None:
    """The ledger says `sending`, the post is out: it is found, and nothing is sent twice."""
    with fake_world(tmp_path) as world:
        settings = world.settings([X])
        world.sandbox.script(too_many(X, timedelta(minutes=5)), network="twitter", at=3)
        publish(world, world.settings([X], BOT_PATIENCE="0s"), digest(2))
        world.clock.sleep(300)
        with world.service(settings) as service:
            ledger, now = service.ledger, world.clock.wall
            stored = ledger.thread("twitter", digest(2).slug)
            assert stored
            with ledger.sending("twitter", now):
                assert ledger.begin(stored.number, 1, now)
            world.x.write(stored.posts[1].text, reply_to=world.live(X)[0].id)
        served = publish(world, settings, digest(2))["twitter"]
        assert served.end == "done"
        check_once(world.live(X), world.planned(digest(2), settings)[X])


def test_a_timeline_that_is_not_read_to_its_end_proves_nothing(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        for number in range(101):
            world.x.write(f"A person's own words, {number}")
        world.sandbox.script(
            ERRORS_ONLY, network="twitter", when=lambda r: "pagination" in r.query, times=None
        )
        served = publish(world, world.settings([X]), digest(2))["twitter"]
        assert (served.end, len(world.live(X))) == ("later", 101)
        assert "X cannot be read" in served.reason
        done = publish(world, world.settings([X]), digest(2), PublishOptions(unsent=True))[
            "twitter"
        ]
        assert done.end == "done"
        check_once(world.live(X)[101:], world.planned(digest(2), world.settings([X]))[X])


def test_a_doubt_of_a_day_is_held_though_nothing_can_be_read(tmp_path: Path) -> None:
    with fake_world(tmp_path) as world:
        settings = world.settings([X], BOT_PATIENCE="1m")
        world.sandbox.script(CLOSED_AFTER, network="twitter", at=3)
        world.sandbox.script(
            server_error(503), network="twitter", when=lambda _: len(world.live(X)) > 1, times=None
        )
        assert publish(world, settings, digest(2))["twitter"].end == "later"
        world.clock.sleep(86400)
        served = publish(world, settings, digest(2))["twitter"]
        assert (served.end, len(world.live(X))) == ("held", 2)
        assert "unknown for 24 hours" in served.reason


def test_a_post_that_lost_its_place_on_the_way_is_held(tmp_path: Path) -> None:
    """A server that posts a reply as a root: the flaw is in the answer, and a person decides."""
    with fake_world(tmp_path, mastodon=SNAC2) as world:
        settings = world.settings([TOOTS])
        slept = publish(world, settings, digest(1))["mastodon"]
        assert slept.end == "done"

        def delete_the_opening(record: RequestRecord) -> None:
            if record.method == "POST" and len(world.live(TOOTS)) == 4:
                world.mastodon.remove(world.live(TOOTS)[-1].id)

        world.sandbox.decide(delete_the_opening)
        served = publish(world, settings, another(world, 20))["mastodon"]
        assert served.end == "held"
        assert served.thread
        assert State.HELD in {post.state for post in served.thread.posts}
