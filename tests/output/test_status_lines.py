"""What people read: of accounts, threads, posts, and of what becomes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from click import unstyle

from bot.delivery.types import AccountResult, End, Event
from bot.ledger.rows import StoredLimit, StoredPost, StoredThread
from bot.model import Account, Digest, Media, Network, Post, State, Thread
from bot.output import progress
from bot.output.lines import dry_run
from bot.output.status import AccountStatus, ThreadStatus, WorkerStatus, data, lines
from tests.helpers.fake_world import digest
from tests.helpers.stored_threads import NOW, post, thread

ACCOUNT = Account("twitter", Network.TWITTER)
READY = AccountStatus(ACCOUNT, ready=True, reason="", spent=Decimal(0))
SLUG = "hot-papers-2026-02-28"
URL = "https://x.com/i/web/status/7"


def shown(
    *accounts: AccountStatus, threads: tuple[ThreadStatus, ...] = (), whole: bool = False
) -> list[str]:
    return [unstyle(line) for line in lines(accounts, threads, NOW, whole=whole)]


def of(made: StoredThread, *, changed: bool = False, whole: bool = False) -> list[str]:
    return shown(threads=(ThreadStatus(made, changed),), whole=whole)[1:]


def outcome(*served: AccountResult) -> list[str]:
    return [unstyle(line) for line in progress.outcome(served)]


def told(event: Event, *, verbose: bool = False) -> list[str]:
    return [unstyle(line) for line in progress.event(event, verbose=verbose)]


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (READY, "twitter (twitter): ready"),
        (
            replace(READY, spent=Decimal("2.325")),
            "twitter (twitter): ready, $2.32 spent this month",
        ),
        (
            replace(READY, ready=False, reason="A not set"),
            "twitter (twitter): not ready; A not set",
        ),
        (replace(READY, reason="held: x"), "twitter (twitter): ready; held: x"),
        (
            replace(READY, account=replace(ACCOUNT, name="vision")),
            "vision (twitter): ready",
        ),
    ],
)
def test_an_account_is_one_line(status: AccountStatus, line: str) -> None:
    assert shown(status) == [line, "Nothing was planned or sent yet."]


def test_limits_and_senders_stand_below_their_account() -> None:
    limit = StoredLimit("twitter", "send", NOW + timedelta(minutes=5), "X answers 429")
    busy = replace(READY, limits=(limit,), sender="process 7 on worker-1")
    assert shown(busy)[1:3] == [
        "  limited until 2026-03-01 12:05 UTC: X answers 429",
        "  process 7 on worker-1 publishes for this account now",
    ]


def test_nothing_of_one_digest_is_not_nothing_at_all() -> None:
    assert shown(READY, whole=True)[-1] == "Nothing was planned or sent for this digest yet."


def test_posts_are_counted_by_state_and_only_those_that_need_a_hand_are_shown() -> None:
    made = thread(
        post(State.SENT, url=URL),
        post(State.RETRACTED),
        post(State.HELD, text="3. A title\nmore", reason="X answers 403"),
        post(State.PLANNED),
        post(State.PLANNED),
    )
    assert of(made) == [
        f"{SLUG} on twitter: 2 planned, 1 sent, 1 held, 1 retracted",
        "    3 held      3. A title",
        "                X answers 403",
    ]


def test_one_digest_is_shown_whole() -> None:
    made = thread(
        post(State.SENT, url=URL, reason=""), post(State.PLANNED, text="x" * 70, reason="")
    )
    assert of(made, whole=True) == [
        f"{SLUG} on twitter: 1 planned, 1 sent",
        f"    1 sent      {URL}",
        f"    2 planned   {'x' * 60}",
    ]


def test_a_changed_digest_and_a_new_generation_are_said() -> None:
    made = replace(thread(post(State.SENT)), generation=1)
    assert of(made, changed=True) == [
        f"{SLUG} on twitter: 1 sent, published again once",
        "  The digest changed after this thread was planned. The posts stay as planned.",
    ]
    made = replace(made, generation=2)
    assert of(made) == [f"{SLUG} on twitter: 1 sent, published again 2 times"]


@pytest.mark.parametrize("state", [State.UNKNOWN, State.SENDING])
@pytest.mark.parametrize(
    ("ago", "minutes"),
    [(timedelta(minutes=90), "90"), (timedelta(0), "0"), (-timedelta(hours=9), "0")],
)
def test_what_is_in_doubt_says_how_often_and_when_it_was_tried(
    state: State, ago: timedelta, minutes: str
) -> None:
    current = post(state, tries=2, tried_at=NOW - ago, reason="")
    assert of(thread(current))[2:] == [f"                tried 2 times, last {minutes} min ago"]
    assert of(thread(replace(current, tries=1)))[2].startswith("                tried once, ")


def test_what_was_never_tried_here_has_no_time() -> None:
    assert len(of(thread(post(State.UNKNOWN, reason="the thread was found half out")))) == 3


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        (
            WorkerStatus(None, None, NOW),
            ["the first pass is not finished", "next run 2026-03-01 12:00"],
        ),
        (WorkerStatus(NOW, NOW, None), ["last pass 2026-03-01 12:00 UTC, good"]),
        (
            WorkerStatus(NOW, None, None),
            ["last pass 2026-03-01 12:00 UTC, failed (no good pass yet)"],
        ),
        (
            WorkerStatus(NOW, NOW - timedelta(hours=2), NOW - timedelta(minutes=11)),
            ["failed (last good pass 2026-03-01 10:00 UTC)", "is overdue. Is the worker running?"],
        ),
    ],
)
def test_the_worker_says_when_it_worked_and_when_it_will(
    worker: WorkerStatus, said: list[str]
) -> None:
    shown_lines = [unstyle(line) for line in lines((), (), NOW, whole=False, worker=worker)][:-1]
    assert len(shown_lines) == len(said)
    assert all(words in line for words, line in zip(said, shown_lines, strict=True))


def test_no_accounts_and_no_threads() -> None:
    assert shown() == ["Nothing was planned or sent yet."]
    assert data([], []) == {"accounts": [], "threads": []}


def test_programs_get_null_where_there_is_nothing() -> None:
    bare: StoredPost = post(State.PLANNED, reason="")
    full = post(State.SENT, id="7", url=URL, tries=3, reason="so it was")
    found = data(
        [replace(READY, reason="why", ready=False, spent=Decimal("0.015"))],
        [ThreadStatus(thread(bare, full), changed=True)],
    )
    assert found == {
        "accounts": [
            {
                "account": "twitter",
                "network": "twitter",
                "ready": False,
                "reason": "why",
                "spent_usd": 0.015,
            }
        ],
        "threads": [
            {
                "digest": SLUG,
                "account": "twitter",
                "network": "twitter",
                "changed": True,
                "posts": [
                    {
                        "position": 0,
                        "number": 1,
                        "state": "planned",
                        "id": None,
                        "url": None,
                        "attempts": 0,
                        "error": None,
                    },
                    {
                        "position": 1,
                        "number": 2,
                        "state": "sent",
                        "id": "7",
                        "url": URL,
                        "attempts": 3,
                        "error": "so it was",
                    },
                ],
            }
        ],
    }


# what happens meanwhile ---------------------------------------------------------------------------


def test_small_steps_are_told_only_when_asked_for() -> None:
    event = Event("twitter", SLUG, "sending", 0, 3)
    assert told(event) == []
    assert told(event, verbose=True) == ["twitter 1/4 sending"]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (Event("twitter", SLUG, "sent", 3, 3, URL), f"twitter 4/4 sent {URL}"),
        (Event("vision", SLUG, "waiting", None, 3, "5 s: why"), "vision: Why. Next try in 5 s."),
        (
            Event(
                "mastodon", SLUG, "waiting", None, 3, "0 s: checking whether post 4 is published"
            ),
            "mastodon: Checking whether post 4 is published ...",
        ),
        (
            Event("twitter", SLUG, "waiting", None, 3, "900 s: X's rate limit is reached"),
            "twitter: X's rate limit is reached. Next try in 15 min.",
        ),
        (
            Event("mastodon", SLUG, "waiting", None, 3, "2 s: a.example answers 503"),
            "mastodon: a.example answers 503. Next try in 2 s.",
        ),
        (Event("twitter", SLUG, "not seen yet", 1, 3), "twitter 2/4 not seen yet"),
    ],
)
def test_a_step_is_one_line(event: Event, line: str) -> None:
    assert told(event) == [line]


# what became of it --------------------------------------------------------------------------------


def test_done_names_the_first_post() -> None:
    out = thread(post(State.SENT, url=URL), post(State.SENT, url="https://other"))
    assert outcome(AccountResult(ACCOUNT, End.DONE, out)) == [f"twitter: done, 2 posts, {URL}"]
    settled = thread(post(State.SENT), post(State.SENT))
    assert outcome(AccountResult(ACCOUNT, End.DONE, settled)) == ["twitter: done"]
    assert outcome(AccountResult(ACCOUNT, End.DONE, reason="no paper")) == [
        "twitter: done: no paper"
    ]


def test_done_names_no_post_that_is_deleted() -> None:
    gone = thread(post(State.RETRACTED, url=URL), post(State.RETRACTED))
    result = AccountResult(ACCOUNT, End.DONE, gone)
    assert outcome(result) == ["twitter: skipped"]
    assert [unstyle(line) for line in progress.outcome([result], retracting=True)] == [
        "twitter: done"
    ]


def test_later_says_what_is_left_and_when() -> None:
    half = thread(post(State.SENT), post(State.PLANNED), post(State.RETRACTED), post(State.UNKNOWN))
    assert outcome(AccountResult(ACCOUNT, End.LATER, half, "why")) == [
        "twitter: not finished, 2 of 4 posts are left. Why.",
        "  Run it again later. It continues where it stopped.",
    ]
    whole = AccountResult(ACCOUNT, End.LATER, thread(post(State.SENT)), until=NOW)
    assert outcome(whole) == [
        "twitter: not finished",
        "  Run it again after 2026-03-01 12:00 UTC. It continues where it stopped.",
    ]


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (datetime(2026, 3, 1, 12, 5, 0, tzinfo=UTC), "12:05"),
        (datetime(2026, 3, 1, 12, 5, 0, 1, tzinfo=UTC), "12:06"),
        (datetime(2026, 3, 1, 12, 5, 56, tzinfo=UTC), "12:06"),
        (datetime(2026, 3, 1, 12, 59, 59, 999_999, tzinfo=UTC), "13:00"),
    ],
)
def test_the_time_to_come_back_is_never_too_early(until: datetime, said: str) -> None:
    (_, line) = outcome(AccountResult(ACCOUNT, End.LATER, until=until))
    assert line == f"  Run it again after 2026-03-01 {said} UTC. It continues where it stopped."
    limit = StoredLimit("twitter", "send", until, "why")
    assert f"until 2026-03-01 {said} UTC" in shown(replace(READY, limits=(limit,)))[1]


def test_held_names_what_a_person_can_do() -> None:
    held = thread(post(State.SENT), post(State.HELD))
    first, second = outcome(AccountResult(ACCOUNT, End.HELD, held, "post 1 is held: why"))
    assert first == "twitter: held, 1 of 2 posts are left. Post 1 is held: why."
    assert f"bot status {SLUG}" in second
    assert "bot settle" in second
    assert "bot retract" in second


def test_failed_says_why_and_the_others_are_told_too() -> None:
    other = replace(ACCOUNT, name="vision")
    said = outcome(
        AccountResult(ACCOUNT, End.FAILED, reason="why\n  do this"), AccountResult(other, End.DONE)
    )
    assert said[0] == "twitter: failed: why\n  do this"
    assert said[-1] == "vision: done"


# a dry run ----------------------------------------------------------------------------------------


def test_a_picture_is_shown_by_its_words() -> None:
    picture = Media("The ten titles as a table", "image/png")
    made = Post(0, "opening", "words", "words", 5, 280, (picture,))
    source = replace(digest(1), slug=SLUG)
    said = lines_of_dry_run(source, Thread(ACCOUNT, SLUG, (made,)), None)
    assert "    │ [image/png: The ten titles as a table]" in said


def test_a_thread_that_is_out_is_shown_though_the_account_would_get_no_paper_now() -> None:
    out = thread(post(State.SENT, text="words", id="7", url=URL))
    said = lines_of_dry_run(digest(1), Thread(ACCOUNT, SLUG, ()), out)
    assert f"   1  5/280 · sent {URL}" in said
    assert "twitter · 1 post" in said


def lines_of_dry_run(source: Digest, made: Thread, stored: StoredThread | None) -> list[str]:
    told = dry_run(source, "a source", [made], {made.account.name: stored}, width=0)
    return [unstyle(line) for line in told]


def test_the_time_that_is_left_follows_the_pace() -> None:
    pace = progress.Pace()

    def sent(position: int, account: str = "twitter") -> Event:
        return Event(account, "d", "sent", position, 5, "https://x.test/1")

    assert pace.left(sent(0), 100.0) is None
    assert pace.left(Event("twitter", "d", "held", 1, 5), 101.0) is None
    assert pace.left(sent(1), 103.0) == 12.0
    assert pace.left(sent(4), 110.0) == 2.5
    assert pace.left(sent(5), 111.0) is None
    assert pace.left(sent(3, "mastodon"), 111.0) is None
    (line,) = progress.event(sent(1), left=12.4)
    assert unstyle(line).endswith("https://x.test/1  about 12 s left")
    (line,) = progress.event(sent(1), left=200.0)
    assert unstyle(line).endswith("about 3 min left")
