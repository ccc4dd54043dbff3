"""Troubles: once raised, once over, and told of each, whatever fails; and what an alert says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.ledger.rows import StoredProblem
from bot.ledger.store import Ledger, LedgerError
from bot.monitoring.alert_once import (
    AlertResult,
    ProblemReport,
    ProblemsInMemory,
    ProblemStore,
    report,
)
from bot.monitoring.alert_text import LONGEST, alert_text, harmless
from bot.monitoring.problem import Changes, Problem, changes
from tests.helpers.ledger_setup import MINUTE, T0

KEYS = ("held:mastodon:a", "held:mastodon:b", "refused:twitter", "source")


def problem(key: str, message: str = "it is held") -> Problem:
    what, account, subject = (*key.split(":"), "", "")[:3]
    return Problem(key, account, what, subject, message, f"Mend {key}.")


def stored(key: str, *, told: bool = False, over: bool = False, **other: str) -> StoredProblem:
    one = problem(key)
    row = StoredProblem(
        key, one.account, one.what, one.subject, one.message, one.fix, T0, *[T0] * told
    )
    return replace(row, **other, over_at=T0 if over else None)  # type: ignore[arg-type] # texts


def every(_: str) -> bool:
    return True


def none(_: str) -> bool:
    return False


# What is new, and what is gone


def test_what_was_found_for_the_first_time_is_raised_once_in_its_order() -> None:
    b, a, other = problem("b"), problem("a"), problem("b", "another word")
    assert changes((), (b, a, other), every) == Changes(raised=(b, a))


def test_other_words_for_what_is_known_raise_nothing() -> None:
    known = [stored("a", told=True), stored("b")]
    assert changes(known, [problem("b", "new words"), problem("a")], every) == Changes()


def test_what_a_pass_did_not_find_is_over_where_it_looked() -> None:
    known = [stored("b", told=True), stored("a"), stored("c", told=True)]
    assert changes(known, (), none) == Changes()
    assert changes(known, (), {"a", "b"}.__contains__) == Changes(over=(known[0], known[1]))


def test_what_is_found_is_open_though_nobody_judges_it() -> None:
    assert changes([stored("a")], [problem("a"), problem("b")], none).raised == (problem("b"),)


def test_what_is_over_is_not_over_again_and_is_raised_where_it_comes_back() -> None:
    known = [stored("a", told=True, over=True)]
    assert changes(known, (), every) == Changes()
    assert changes(known, [problem("a")], every) == Changes(raised=(problem("a"),))


# A pass


@dataclass
class AlertReceiver:
    """Hears what arrives; `takes` says whether the next alert does."""

    takes: bool = True
    heard: list[str] = field(default_factory=list)

    def tell(self, raised: Sequence[StoredProblem], over: Sequence[StoredProblem]) -> AlertResult:
        told = [f"raised {one.key}" for one in raised] + [f"over {one.key}" for one in over]
        if not told or not self.takes:
            return AlertResult(reasons=("address 1 of 1 gave no answer in time",) * bool(told))
        self.heard += told
        return AlertResult(frozenset(one.key for one in (*raised, *over)))


class BrokenLedger(LedgerError):
    pass


class FragileBook:
    """A book that breaks at the change of that number, before or after it is made."""

    def __init__(self, book: ProblemStore, at: int | None = None, *, after: bool = False) -> None:
        self.book, self.left, self.after = book, at, after

    def problems(self) -> tuple[StoredProblem, ...]:
        return self.book.problems()

    def raise_problem(self, problem: StoredProblem) -> None:
        self._change(lambda: self.book.raise_problem(problem))

    def told(self, key: str, at: datetime) -> None:
        self._change(lambda: self.book.told(key, at))

    def over(self, key: str, at: datetime) -> None:
        self._change(lambda: self.book.over(key, at))

    def forget(self, key: str) -> None:
        self._change(lambda: self.book.forget(key))

    def _change(self, change: Callable[[], None]) -> None:
        if self.left is not None:
            self.left -= 1
        broken = self.left == -1
        if not broken or self.after:
            change()
        if broken:
            raise BrokenLedger("the disk is full")


@pytest.fixture(params=["memory", "ledger"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ProblemStore]:
    if request.param == "memory":
        yield ProblemsInMemory()
    else:
        with Ledger.open(tmp_path / "bot.db") as ledger:
            yield ledger


def test_a_trouble_is_told_once_and_once_when_it_is_over(book: ProblemStore) -> None:
    operator, found = AlertReceiver(), [problem("a"), problem("b")]
    first = report(book, operator, found, every, T0)
    assert (first.raised, first.over) == (tuple(found), ())
    for _ in range(2):
        assert report(book, operator, found, every, T0) == ProblemReport((), (), ())
    assert operator.heard == ["raised a", "raised b"]
    last = report(book, operator, found[:1], every, T0 + MINUTE)
    assert (last.raised, [one.key for one in last.over]) == ((), ["b"])
    report(book, operator, found[:1], every, T0 + MINUTE)
    assert operator.heard == ["raised a", "raised b", "over b"]
    report(book, operator, found, every, T0 + MINUTE)
    assert operator.heard[3:] == ["raised b"]


def test_what_nobody_took_is_told_by_a_later_pass_that_need_not_find_it(book: ProblemStore) -> None:
    operator = AlertReceiver(takes=False)
    said = report(book, operator, [problem("a")], every, T0)
    assert said.reasons == ("address 1 of 1 gave no answer in time",)
    operator.takes = True
    report(book, operator, [], none, T0)
    assert operator.heard == ["raised a"]


def test_what_went_before_anybody_heard_of_it_is_told_as_over_alone(book: ProblemStore) -> None:
    operator = AlertReceiver(takes=False)
    report(book, operator, [problem("a")], every, T0)
    report(book, operator, [], every, T0)
    operator.takes = True
    report(book, operator, [], every, T0)
    assert operator.heard == ["over a"]
    assert book.problems() == ()


def test_what_came_back_before_its_end_was_surely_told_is_told_as_new(book: ProblemStore) -> None:
    operator = AlertReceiver()
    report(book, operator, [problem("a")], every, T0)
    operator.takes = False
    report(book, operator, [], every, T0)
    operator.takes = True
    again = problem("a", "once more")
    assert report(book, operator, [again], every, T0 + MINUTE).raised == (again,)
    assert operator.heard == ["raised a"] * 2
    (kept,) = book.problems()
    assert (kept.message, kept.raised_at, kept.over_at) == ("once more", T0 + MINUTE, None)


def test_without_anybody_to_tell_what_is_open_waits_for_somebody(book: ProblemStore) -> None:
    report(book, None, [problem("a"), problem("b")], every, T0)
    report(book, None, [problem("b")], every, T0)
    assert [one.key for one in book.problems()] == ["b"]
    operator = AlertReceiver()
    report(book, operator, [problem("b")], every, T0)
    assert operator.heard == ["raised b"]


def test_a_key_that_no_file_can_hold_is_told_once_all_the_same(book: ProblemStore) -> None:
    operator = AlertReceiver()
    for _ in range(2):
        report(book, operator, [problem("held:\ud800")], every, T0)
    assert operator.heard == ["raised held:?"]


def test_a_book_that_cannot_be_written_is_the_callers_affair(book: ProblemStore) -> None:
    with pytest.raises(BrokenLedger):
        report(FragileBook(book, 0), AlertReceiver(), [problem("a")], every, T0)
    assert book.problems() == ()


def test_both_books_keep_nothing_of_a_key_they_do_not_hold(book: ProblemStore) -> None:
    book.told("a", T0)
    book.over("a", T0)
    book.forget("a")
    assert book.problems() == ()
    book.raise_problem(stored("a"))
    book.forget("a")
    assert book.problems() == (stored("a"),)


# Any sequence of passes


@dataclass(frozen=True)
class PassPlan:
    """What is wrong, what the pass can judge, whether the alert arrives, and where it breaks."""

    wrong: frozenset[str]
    judged: frozenset[str] = frozenset(KEYS)
    takes: bool = True
    breaks_at: int | None = None
    after: bool = False


some_keys = st.frozensets(st.sampled_from(KEYS))
judged_keys = st.one_of(st.just(frozenset(KEYS)), some_keys)
passes = st.lists(st.builds(PassPlan, some_keys, judged_keys, st.booleans()), max_size=12)
breaking = st.lists(
    st.builds(
        *(PassPlan, some_keys, judged_keys, st.booleans()),
        *(st.one_of(st.none(), st.integers(0, 6)), st.booleans()),
    ),
    max_size=12,
)
QUIET = PassPlan(frozenset())


class PassSequence:
    """Passes one after another on one ledger, each by a worker that has just been started."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bot.db"
        self.operator = AlertReceiver()
        self.open: set[str] = set()
        self.begun: Counter[str] = Counter()
        self.gone: Counter[str] = Counter()

    def go(self, one: PassPlan) -> bool:
        """Whether the pass came to its end."""
        self.operator.takes = one.takes
        over = (self.open - one.wrong) & one.judged
        with Ledger.open(self.path) as ledger:
            book = FragileBook(ledger, one.breaks_at, after=one.after)
            found = [problem(key) for key in KEYS if key in one.wrong]
            try:
                report(book, self.operator, found, one.judged.__contains__, T0)
            except BrokenLedger:
                self.open = {each.key for each in ledger.problems() if not each.over_at}
                return False
        self.gone.update(over)
        self.begun.update(one.wrong - self.open)
        self.open = self.open - over | one.wrong
        return True

    def told(self, key: str) -> list[str]:
        return [each.split()[0] for each in self.operator.heard if each.split()[1] == key]

    def last(self, key: str) -> str:
        return (self.told(key) or ["nothing"])[-1]


@contextmanager
def pass_sequence() -> Iterator[PassSequence]:
    with TemporaryDirectory() as folder:
        yield PassSequence(Path(folder))


@pytest.mark.slow
@settings(max_examples=60)
@given(passes)
@example([PassPlan(frozenset(KEYS)), QUIET, PassPlan(frozenset(KEYS), takes=False), QUIET])
@example([PassPlan(frozenset(KEYS)), replace(QUIET, takes=False), PassPlan(frozenset(KEYS))])
@example([PassPlan(frozenset(KEYS)), replace(QUIET, judged=frozenset()), PassPlan(frozenset(KEYS))])
def test_each_trouble_is_told_once_and_its_end_once_whatever_fails(
    sequence: list[PassPlan],
) -> None:
    with pass_sequence() as passes:
        for one in [*sequence, QUIET, QUIET]:
            assert passes.go(one)
            for key in KEYS:
                told = passes.told(key)
                assert told.count("raised") <= passes.begun[key]
                assert told.count("over") <= passes.gone[key]
                if one.takes:
                    ended = "over" if passes.gone[key] else "nothing"
                    assert passes.last(key) == ("raised" if key in passes.open else ended)
                if all(each.takes for each in sequence):
                    assert told.count("raised") == passes.begun[key]
                    assert told.count("over") == passes.gone[key]
        with Ledger.open(passes.path) as ledger:
            assert ledger.problems() == ()


LOST_END = (PassPlan(frozenset(KEYS)), replace(QUIET, breaks_at=4), PassPlan(frozenset(KEYS[:1])))


@settings(max_examples=60)
@given(breaking)
@example([*LOST_END])
@example([PassPlan(frozenset(KEYS), breaks_at=5), PassPlan(frozenset(KEYS), takes=False), QUIET])
@example([PassPlan(frozenset(KEYS), breaks_at=5, after=True), replace(QUIET, breaks_at=2)])
def test_nothing_is_lost_where_the_ledger_fails_in_the_midst_of_a_pass(
    sequence: list[PassPlan],
) -> None:
    with pass_sequence() as passes:
        for one in [*sequence, QUIET]:
            if passes.go(one) and one.takes:
                for key in passes.open:
                    assert passes.last(key) == "raised"
        for key in KEYS:
            assert passes.last(key) in {"over", "nothing"}
        with Ledger.open(passes.path) as ledger:
            assert ledger.problems() == ()


# What an alert says


def plain(text: str) -> str:
    return text


def test_an_alert_says_what_where_why_and_what_to_do() -> None:
    refused = stored("refused:twitter", message="401 of X", fix="See bot check.")
    said = alert_text([stored("held:mastodon:a"), refused], [stored("source", told=True)], plain)
    assert said.title == "bot: 2 new troubles, 1 over"
    assert said.text == (
        "New:\n"
        "- held: mastodon, a\n  it is held\n  Mend held:mastodon:a.\n"
        "- credentials refused: twitter\n  401 of X\n  See bot check.\n"
        "Over:\n"
        "- source, since 2021-06-23 10:00 UTC\n"
        "bot status shows all of it."
    )


@pytest.mark.parametrize(
    ("raised", "over", "title"),
    [
        ([stored("held:mastodon:a")], [], "bot: held: mastodon, a"),
        ([], [stored("refused:twitter", told=True)], "bot: over: credentials refused: twitter"),
        ([stored("stuck")], [stored("source")], "bot: 1 new trouble, 1 over"),
        ([], [stored("source"), stored("stuck")], "bot: 2 over"),
        ([stored("source"), stored("stuck")], [], "bot: 2 new troubles"),
    ],
)
def test_the_title_says_it_all_where_there_is_but_one(
    raised: list[StoredProblem], over: list[StoredProblem], title: str
) -> None:
    assert alert_text(raised, over, plain).title == title


def test_of_what_went_unheard_the_end_tells_what_it_was() -> None:
    gone = stored("held:mastodon:a", over=True, message="post 3 is held")
    assert "since 2021-06-23 10:00 UTC\n  post 3 is held\n" in alert_text([], [gone], plain).text


def test_what_finds_no_room_is_counted() -> None:
    many = [stored(f"held:mastodon:{n}", message="so it is " * 99) for n in range(80)]
    said = alert_text(many, [stored("source", told=True)], plain)
    assert LONGEST - 400 < len(said.text) <= LONGEST
    shown = said.text.count("\n- ")
    assert f"\n... and {81 - shown} more.\nbot status" in said.text
    assert " …\n" in said.text
    short = [stored(f"held:mastodon:{n}", message="", fix="") for n in range(80)]
    assert "\n... and 30 more.\n" in alert_text(short, [], plain).text


def test_a_secret_is_blotted_before_anything_else_becomes_of_it() -> None:
    row = stored("held:mastodon:a", message="401 for a@b#c<d", fix="a@b#c<d", subject="a@b#c<d")
    said = alert_text(
        [row], [replace(row, over_at=T0)], lambda text: text.replace("a@b#c<d", "***")
    )
    assert "a at b" not in said.title + said.text
    assert said.text.count("(secret)") == 5
    assert alert_text([replace(row, message="2 *** 3")], [], plain).text.count("2 * 3") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@everyone and x@here, a@b.example", "everyone and x at here, a at b.example"),
        ("<!channel> <@U012AB3CD> <#C1|x>", "(!channel) (U012AB3CD) (C1|x)"),
        ("<@&165511591545143296> <:smile:1>", "(&165511591545143296) (:smile:1)"),
        ("[a bank](https://evil.example)", "[a bank] (evil.example)"),
        ("![](//x) [a][b] [b]: //x", "![] (//x) [a] [b] [b] : //x"),
        ("||hidden|| ```js **bold** __it__ ~~x~~", "|hidden| `js bold it x"),
        ("*a* 2*3*4 _b_c ~/d `bot post`, ~/e", "a 2*3*4 _b_c ~/d bot post, ~/e"),
        ("<<b>> if a < b, a->b", "(b)> if a < b, a->b"),
        ("#1 of #Tags, tg://user?id=1", "#1 of Tags, user?id=1"),
        ("one\n- held: fake\u2028two\x00\u202ethree\u200b", "one - held: fake twothree"),
        ("*/30 * * * * of BOT_SCHEDULE", "*/30 * * * * of BOT_SCHEDULE"),
        ("bot settle hot-papers 3 --sent ID", "bot settle hot-papers 3 --sent ID"),
        ("Größe 5$ 日本語 🎉", "Größe 5$ 日本語 🎉"),
    ],
)
def test_what_would_come_alive_in_a_chat_is_defused_visibly(text: str, shown: str) -> None:
    assert harmless(text) == shown


SPARKS = (
    *("@", "＠", "#", "<", ">", "<!", "|", "`", "*", "_", "~", "[", "](", "]", "(", "]:", ":"),
    *("http://", "x", "everyone", " ", "\n", "\u200b", "\u202e", "\ud800", "channel", "a.com"),
)
lively = st.lists(st.one_of(st.sampled_from(SPARKS), st.characters()), max_size=24).map("".join)
ALIVE = re.compile(
    r"[@＠]|<[^\s]|(?<!\w)([*_~`])(?=\S).*?(?<=\S)\1(?!\w)|\][(\[:]|(\*\*|__|~~|\|\||``)|\b[a-z]+://|[\x00-\x1f\u200b\u202e\ud800]"
)


@given(lively)
def test_no_chat_finds_anything_alive_in_it(text: str) -> None:
    safe = harmless(text)
    assert not ALIVE.search(safe)
    assert harmless(safe) == safe


@given(st.lists(st.tuples(lively, lively, st.booleans()), min_size=1, max_size=9))
@example([("<" * 999, "@" * 999, True)])
@example([("a" * 317 + " <" + "b" * 99, "x", True)])
def test_no_alert_is_too_long_or_alive(parts: list[tuple[str, str, bool]]) -> None:
    rows = [
        stored("held:mastodon:a", subject=subject, message=message) for subject, message, _ in parts
    ]
    new = [row for row, (_, _, is_new) in zip(rows, parts, strict=True) if is_new]
    gone = [row for row, (_, _, is_new) in zip(rows, parts, strict=True) if not is_new]
    said = alert_text(new, gone, plain)
    assert len(said.text) <= LONGEST
    assert len(said.title) <= 120
    assert "\n" not in said.title
    for line in (said.title, *said.text.split("\n")):
        assert not ALIVE.search(line)
    assert said.text.endswith("\nbot status shows all of it.")
