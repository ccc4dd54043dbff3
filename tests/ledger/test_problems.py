from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlite_utils import Database

from bot.ledger import migrations
from bot.ledger.rows import StoredProblem
from bot.ledger.store import Ledger, LedgerError
from tests.helpers.ledger_setup import MINUTE, T0

HELD = StoredProblem(
    key="held:mastodon:hot-papers",
    account="mastodon",
    what="held",
    subject="hot-papers",
    message="post 3 is held",
    fix="Decide with bot settle.",
    raised_at=T0,
)
SOURCE = replace(HELD, key="source", account="", what="source", raised_at=T0 - MINUTE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    with Ledger.open(path) as ledger:
        yield ledger


def test_a_problem_reads_back_as_it_was_raised_after_a_restart_too(path: Path) -> None:
    with Ledger.open(path) as ledger:
        assert ledger.problems() == ()
        ledger.raise_problem(HELD)
        ledger.raise_problem(SOURCE)
        ledger.told(SOURCE.key, T0)
    told = replace(SOURCE, told_at=T0)
    with Ledger.open(path) as ledger:
        assert ledger.problems() == (told, HELD)
    looking = Ledger.peek(path)
    assert looking is not None
    with looking:
        assert looking.problems() == (told, HELD)
        with pytest.raises(LedgerError, match="for reading only"):
            looking.told(HELD.key, T0)


def test_the_first_time_it_was_told_or_over_is_kept(ledger: Ledger) -> None:
    ledger.raise_problem(HELD)
    for at in (T0, T0 + MINUTE):
        ledger.told(HELD.key, at)
        ledger.over(HELD.key, at)
    assert ledger.problems() == (replace(HELD, told_at=T0, over_at=T0),)


def test_only_what_is_over_is_forgotten(ledger: Ledger) -> None:
    ledger.raise_problem(HELD)
    ledger.forget(HELD.key)
    assert ledger.problems() == (HELD,)
    ledger.over(HELD.key, T0)
    ledger.forget(HELD.key)
    assert ledger.problems() == ()


def test_what_came_back_is_new(ledger: Ledger) -> None:
    ledger.raise_problem(HELD)
    ledger.told(HELD.key, T0)
    ledger.over(HELD.key, T0)
    again = replace(HELD, message="post 4 is held", fix="Look.", raised_at=T0 + MINUTE)
    ledger.raise_problem(again)
    assert ledger.problems() == (again,)


def test_one_of_another_key_is_left_alone(ledger: Ledger) -> None:
    ledger.raise_problem(HELD)
    ledger.told("another", T0)
    ledger.over("another", T0)
    ledger.forget("another")
    assert ledger.problems() == (HELD,)


def test_text_that_no_file_can_hold_is_kept_without_it(ledger: Ledger) -> None:
    ledger.raise_problem(replace(HELD, key="held:\ud800", subject="\ud800", message="\ud800 x"))
    (kept,) = ledger.problems()
    assert (kept.key, kept.subject, kept.message) == ("held:?", "?", "? x")
    ledger.over("held:\ud800", T0)
    ledger.forget("held:\ud800")
    assert ledger.problems() == ()


def test_the_table_is_strict_and_a_change_is_whole_or_not_there(ledger: Ledger) -> None:
    ledger.raise_problem(SOURCE)
    change = "UPDATE troubles SET message = "
    for value, refused in (("NULL", "NOT NULL"), ("x'00'", "cannot store BLOB")):
        with pytest.raises(LedgerError, match=refused):
            ledger._change(change + value)

    def both() -> None:
        with ledger.together():
            ledger.raise_problem(HELD)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        both()
    assert ledger.problems() == (SOURCE,)


def test_a_ledger_of_two_steps_takes_the_third(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "LATEST", 2)
        older.setattr(migrations, "STEPS", migrations.STEPS[:2])
        with Ledger.open(path) as ledger:
            ledger.set_fact("mastodon", "id", "1")
            with pytest.raises(LedgerError, match="no such table"):
                ledger.problems()
    with pytest.raises(LedgerError, match="version 2 of an earlier release"):
        Ledger.peek(path)
    with Ledger.open(path) as ledger:
        ledger.raise_problem(HELD)
        assert ledger.get_fact("mastodon", "id") == "1"
    with closing(Database(path)) as read:
        assert read.table("troubles").strict
        assert read.execute("PRAGMA user_version").fetchone() == (migrations.LATEST,)
