from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from sqlite_utils import Database

from bot.ledger import migrations
from bot.ledger.errors import LedgerError, Locked, Replaced, border
from bot.ledger.file import Reader, Writer
from bot.ledger.migrations import APPLICATION_ID, LATEST
from bot.ledger.rows import Attempt, time_of
from bot.ledger.store import Ledger
from bot.model import State
from tests.helpers.ledger_setup import (
    MINUTE,
    T0,
    file_names,
    opened_ledger,
    planned_thread,
    post_at,
)
from tests.helpers.paths import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "bot.db"


@pytest.fixture
def odd_umask() -> Iterator[None]:
    before = os.umask(0o477)
    yield
    os.umask(before)


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def left_by_a_crash(path: Path) -> None:
    """A ledger whose -wal holds what is committed, as a killed process leaves it."""
    with opened_ledger(path) as (ledger, thread):
        ledger.adopt(thread.number, 0, "1", "", T0)
        kept = {each: each.read_bytes() for each in path.parent.iterdir()}
    for each, content in kept.items():
        each.write_bytes(content)


# Opening


def test_a_new_ledger_is_for_us_alone_and_safe_on_the_disk(path: Path, odd_umask: None) -> None:
    assert odd_umask is None
    path.parent.mkdir(mode=0o755)
    path.parent.chmod(0o755)
    with opened_ledger(path) as (ledger, _):
        beside = {"bot.db-shm", "bot.db-wal", "bot.db.twitter.lock"}
        assert file_names(path.parent) == {"bot.db", *beside}
        for each in path.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600
        settings = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        for name, value in settings.items():
            assert ledger._fetch(f"PRAGMA {name}")[0][0] == value
        assert ledger._fetch("PRAGMA busy_timeout")[0][0] == 10_000
        assert ledger._fetch("PRAGMA user_version")[0][0] == LATEST
    assert file_names(path.parent) == {"bot.db"}


def test_a_ledger_that_others_may_read_is_shut_before_it_is_used(path: Path) -> None:
    left_by_a_crash(path)
    for each in path.parent.iterdir():
        each.chmod(0o664)
    with Ledger.open(path) as ledger, ledger.sending("twitter", T0):
        for each in path.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600, each


def test_a_file_that_is_no_ledger_keeps_its_mode(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("not a database, and somebody else's to read", "utf-8")
    path.chmod(0o644)
    with pytest.raises(LedgerError, match="not an SQLite database"):
        Ledger.open(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_folders_on_the_way_are_made_and_odd_names_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "a b" / "100%?mode=memory#x" / "é.db"
    with opened_ledger(path) as (ledger, thread):
        looking = Ledger.peek(path)
        assert looking is not None
        with looking:
            assert looking.refresh(thread.number) == ledger.refresh(thread.number)
    assert file_names(path.parent) == {"é.db"}


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with opened_ledger(Path(":memory:")) as (ledger, thread):
        monkeypatch.chdir(elsewhere)
        ledger.attempt(thread.number, Attempt(T0, "read", None, "answered"))
        monkeypatch.chdir(tmp_path)
    looking = Ledger.peek(Path(":memory:"))
    assert looking is not None
    with looking:
        monkeypatch.chdir(elsewhere)
        assert len(looking.attempts(thread.number)) == 1
    assert file_names(tmp_path) == {":memory:", "elsewhere"}


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    path.parent.mkdir()
    for content in (b"", None):
        path.unlink(missing_ok=True)
        if content is None:
            with closing(connect(path)) as made:
                made.execute("VACUUM")
        else:
            path.write_bytes(content)
        assert Ledger.peek(path) is None
        with opened_ledger(path) as (_, thread):
            assert thread.posts


def test_a_ledger_that_was_only_marked_is_empty_still(path: Path) -> None:
    path.parent.mkdir()
    with closing(connect(path)) as made:
        made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    assert Ledger.peek(path) is None
    with opened_ledger(path) as (_, thread):
        assert thread.posts


# Steps


def table_columns(ledger: sqlite3.Connection) -> dict[str, list[str]]:
    tables = ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    pragmas = {name: ledger.execute(f"PRAGMA table_info({name})") for (name,) in tables}
    return {name: [row[1] for row in pragma] for name, pragma in pragmas.items()}


def refill(old: Path, new: Path) -> None:
    """Give an older ledger the rows of a new one, without the columns it does not know."""
    with closing(connect(old)) as ledger:
        known = table_columns(ledger)
        ledger.execute("ATTACH ? AS new", (str(new),))
        for table, columns in known.items():
            kept = ", ".join(columns)
            ledger.execute(f"INSERT INTO {table} ({kept}) SELECT {kept} FROM new.{table}")  # noqa: S608 - our own names


@pytest.mark.parametrize("version", range(1, LATEST))
def test_an_older_ledger_is_brought_up_to_date_and_keeps_what_it_holds(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    version: int,
) -> None:
    with opened_ledger(tmp_path / "new.db") as (_, thread):
        assert thread.posts
    with monkeypatch.context() as older:
        older.setattr(migrations, "LATEST", version)
        older.setattr(migrations, "STEPS", migrations.STEPS[:version])
        Ledger.open(path).close()
    refill(path, tmp_path / "new.db")
    before = path.read_bytes()
    with pytest.raises(
        LedgerError, match=rf"version {version} of an earlier release.*\n.*bot post"
    ):
        Ledger.peek(path)
    assert (path.read_bytes(), file_names(path.parent)) == (before, {"bot.db"})
    caplog.set_level("WARNING")
    with Ledger.open(path) as ledger:
        assert ledger.refresh(thread.number) == thread
        ledger.set_fact("twitter", "id", "1")
        assert ledger.problems() == ()
    copy = path.with_name(f"bot.db.version-{version}")
    assert file_names(path.parent) == {"bot.db", copy.name}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [str(copy) in record.getMessage() for record in caplog.records] == [True]
    with closing(connect(path)) as ledger, closing(connect(copy)) as kept:
        assert kept.execute("PRAGMA user_version").fetchone()[0] == version
        for table, columns in table_columns(kept).items():
            rows = f"SELECT {', '.join(columns)} FROM {table}"  # noqa: S608 - our own names
            if table != "facts":
                assert kept.execute(rows).fetchall() == ledger.execute(rows).fetchall()
    caplog.clear()
    Ledger.open(path).close()
    assert caplog.records == []


def test_an_older_ledger_that_cannot_be_copied_is_not_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(migrations, "LATEST", LATEST - 1)
        older.setattr(migrations, "STEPS", migrations.STEPS[:-1])
        Ledger.open(path).close()
    path.with_name(f"bot.db.version-{LATEST - 1}").mkdir()
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger.open(path)
    assert found(path)[0] == LATEST - 1
    assert file_names(path.parent) == {"bot.db", f"bot.db.version-{LATEST - 1}"}


def steps(monkeypatch: pytest.MonkeyPatch, *more: Callable[[Database], None]) -> None:
    """As if a later release had brought these steps."""
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, *more))
    monkeypatch.setattr(migrations, "LATEST", len(migrations.STEPS))


def add_notes(db: Database) -> None:
    db.table("notes").create({"text": str})


def add_letters_and_die(db: Database) -> None:
    db.table("letters").create({"text": str})
    raise KeyboardInterrupt


def found(path: Path) -> tuple[int, set[str]]:
    with closing(connect(path)) as ledger:
        tables = ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return ledger.execute("PRAGMA user_version").fetchone()[0], {row[0] for row in tables}


def test_a_step_that_fails_leaves_the_steps_before_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_ledger(path) as (_, thread):
        pass
    with monkeypatch.context() as later:
        steps(later, add_notes, add_letters_and_die)
        with pytest.raises(KeyboardInterrupt):
            Ledger.open(path)
        version, tables = found(path)
        assert version == LATEST + 1
        assert "notes" in tables
        assert "letters" not in tables
    with monkeypatch.context() as later:
        steps(later, add_notes)
        with Ledger.open(path) as ledger:
            assert ledger.refresh(thread.number) == thread


def test_nobody_finds_a_new_ledger_half_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        steps(broken, add_notes, add_letters_and_die)
        with pytest.raises(KeyboardInterrupt):
            Ledger.open(path)
    assert found(path) == (0, set())
    assert Ledger.peek(path) is None
    with opened_ledger(path) as (_, thread):
        assert thread.posts


class RefusingConnection(sqlite3.Connection):
    """A connection whose wish for WAL is refused, as when another process makes the ledger."""

    refusals = 0
    code = sqlite3.SQLITE_BUSY

    def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
        if "journal_mode" in sql and self.refusals:
            self.refusals -= 1
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorcode = self.code
            raise error
        return super().execute(sql, *values)  # type: ignore[arg-type] # passed on as it came


def test_who_meets_another_at_the_making_asks_again(path: Path) -> None:
    with closing(Writer(path, 1.0)) as writer:
        writer.connection.close()
        writer.connection = meeting = sqlite3.connect(
            path, factory=RefusingConnection, isolation_level=None
        )
        meeting.refusals = 3
        writer._prepare()
        meeting.refusals = 99
        with pytest.raises(Locked, match="other processes are creating the ledger"):
            writer._prepare()
        meeting.code = sqlite3.SQLITE_FULL
        with pytest.raises(sqlite3.OperationalError):
            writer._prepare()


def test_a_newer_ledger_is_refused_and_not_touched(path: Path) -> None:
    with opened_ledger(path):
        pass
    with closing(connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {LATEST + 1}")
    before = path.read_bytes()
    for way in (Ledger.open, Ledger.peek):
        with pytest.raises(LedgerError) as refused:
            way(path)
        assert f"{path} has version {LATEST + 1}" in refused.value.message
        assert "later" in refused.value.fix
    assert (path.read_bytes(), file_names(path.parent)) == (before, {"bot.db"})


def test_a_ledger_that_grew_newer_while_it_was_opened_is_refused(path: Path) -> None:
    with closing(Writer(path, 1.0)) as writer:
        writer.connection.execute("PRAGMA user_version = 99")
        with pytest.raises(LedgerError, match="has version 99"):
            writer._prepare()


# What is not ours, or not whole


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_another_programs_database_is_refused_and_not_touched(path: Path, journal: str) -> None:
    path.parent.mkdir()
    with closing(connect(path)) as other:
        other.execute(f"PRAGMA journal_mode = {journal}")
        other.execute("PRAGMA user_version = 1")
        other.execute("CREATE TABLE cookies (name)")
    before = path.read_bytes()
    for way in (Ledger.open, Ledger.peek):
        with pytest.raises(LedgerError, match="of another program") as refused:
            way(path)
        assert str(path) in refused.value.message
        assert "BOT_DATABASE" in refused.value.fix
    assert (path.read_bytes(), file_names(path.parent)) == (before, {"bot.db"})


@pytest.mark.parametrize("content", [b"{}", b"\0" * 8192, b"# Hot Papers\n" * 999])
def test_a_file_that_is_no_database_is_refused_and_not_touched(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    for way in (Ledger.open, Ledger.peek):
        with pytest.raises(LedgerError, match="not an SQLite database"):
            way(path)
    assert (path.read_bytes(), file_names(path.parent)) == (content, {"bot.db"})


def test_a_ledger_cut_short_is_refused(path: Path) -> None:
    with opened_ledger(path):
        pass
    path.write_bytes(path.read_bytes()[:20_000])
    for way in (Ledger.open, Ledger.peek):
        with pytest.raises(LedgerError, match=r"it is damaged .*\n.*bot makes a new ledger"):
            way(path)


def test_damage_inside_is_an_error_when_it_is_met(path: Path) -> None:
    with opened_ledger(path, 24) as (ledger, thread):
        page = ledger._fetch("SELECT rootpage FROM sqlite_master WHERE name = 'posts'")[0][0]
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    with Ledger.open(path) as ledger, pytest.raises(LedgerError, match="it is damaged"):
        ledger.refresh(thread.number)


# Where no ledger can be


def below_a_file(path: Path) -> Path:
    path.parent.write_text("a file")
    return path


def a_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def a_loop(path: Path) -> Path:
    path.parent.mkdir()
    path.symlink_to(path)
    return path


@pytest.mark.parametrize("place", [below_a_file, a_folder, a_loop])
def test_a_place_that_cannot_hold_a_ledger_is_named(
    path: Path, place: Callable[[Path], Path]
) -> None:
    where = place(path)
    for way in (Ledger.open, Ledger.peek):
        with pytest.raises(LedgerError) as refused:
            way(where)
        assert str(where) in refused.value.message
        assert refused.value.fix


def test_a_file_in_the_wrong_hands_is_an_error_of_ours(path: Path) -> None:
    # root may open what it likes, so the system's answer is given by hand
    with pytest.raises(LedgerError, match=r"cannot be used: Permission denied"), border(path):
        raise PermissionError(13, "Permission denied")
    with pytest.raises(LedgerError, match="cannot be used: OSError"), border(path):
        raise OSError


def test_a_read_only_file_is_refused() -> None:
    with TemporaryDirectory() as name, bound_by_modes(Path(name)):
        path = Path(name) / "bot.db"
        with opened_ledger(path):
            pass
        path.chmod(0o400)
        with pytest.raises(LedgerError, match="it is read-only"):
            Ledger.open(path)
        looking = Ledger.peek(path)
        assert looking is not None
        looking.close()


@contextmanager
def bound_by_modes(folder: Path) -> Iterator[None]:
    """Be somebody who owns `folder` and must heed the modes of files: root need not."""
    if os.geteuid() != 0:
        yield
        return
    nobody = 65_534
    os.chown(folder, nobody, nobody)
    os.seteuid(nobody)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_connection_that_may_not_write_is_refused(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        ledger._fetch("PRAGMA query_only = ON")
        with pytest.raises(LedgerError, match=r"it is read-only .*\n.*writable"):
            ledger.begin(thread.number, 0, T0)
        assert ledger.refresh(thread.number) == thread
        assert isinstance(ledger._file, Writer)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            ledger._file._prepare()


def test_an_sqlite_that_is_too_old_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(LedgerError, match=r"needs SQLite 3\.35"):
        Ledger.open(path)
    assert not path.exists()


def test_a_folder_in_the_way_of_the_log_is_named(path: Path) -> None:
    with opened_ledger(path):
        pass
    with closing(connect(path)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
    path.with_name("bot.db-wal").mkdir()
    with pytest.raises(LedgerError, match="cannot be"):
        Ledger.open(path)


def test_a_disk_that_cannot_share_memory_is_refused(path: Path) -> None:
    with closing(Writer(path, 1.0)) as writer, closing(connect(Path(":memory:"))) as memory:
        writer.connection.close()
        # a database in memory answers as one on such a disk does: with another mode than WAL
        writer.connection = memory
        with pytest.raises(LedgerError, match=r"does not support SQLite's WAL\n.*local disk"):
            writer._prepare()


# Trouble while it is open


def test_a_full_disk_loses_nothing_that_was_kept(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        number = thread.number
        pages = ledger._fetch("PRAGMA page_count")[0][0]
        ledger._fetch(f"PRAGMA max_page_count = {pages}")
        attempt = Attempt(T0, "send", 0, "unknown", "x" * 100_000)
        for _ in range(2):
            with pytest.raises(LedgerError, match=r"the disk is full .*\n.*Make room"):
                ledger.attempt(number, attempt)
        with pytest.raises(LedgerError, match="the disk is full"):
            ledger.plan(planned_thread(500, digest="another"), T0)
        assert ledger.attempts(number) == ()
        assert ledger.threads() == (thread,)
        ledger._fetch("PRAGMA max_page_count = 100000")
        ledger.attempt(number, attempt)
        assert ledger.attempts(number) == (attempt,)


FILLS_THE_DISK = """
import resource, sys
from pathlib import Path
from bot.ledger.errors import LedgerError
from bot.ledger.rows import Attempt
from bot.ledger.store import Ledger
from tests.helpers.ledger_setup import T0, FAR
limit = int(sys.argv[2])
if limit < 50_000:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    ledger = Ledger.open(Path(sys.argv[1]))
except LedgerError as error:
    sys.exit(f"at open: {error}")
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    for tries in range(1, 1000):
        ledger.attempt(1, Attempt(T0, "send", 0, str(tries), "x" * 2000))
except LedgerError as error:
    sys.exit(f"after {tries - 1}: {error}")
"""


def fill_the_disk(path: Path, limit: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FILLS_THE_DISK, str(path), str(limit)],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_disk_that_really_takes_no_more_is_an_error_and_no_loss(path: Path) -> None:
    with opened_ledger(path) as (_, thread):
        pass
    said = fill_the_disk(path, 400_000)
    assert str(path) in said
    assert "disk" in said
    kept = int(said.split(":")[0].removeprefix("after "))
    assert kept > 10
    with Ledger.open(path) as ledger:
        attempts = ledger.attempts(thread.number)
        assert [each.outcome for each in attempts] == [str(n + 1) for n in range(len(attempts))]
        assert len(attempts) in (kept, kept + 1)


def test_a_disk_that_is_full_from_the_start_is_an_error(path: Path) -> None:
    said = fill_the_disk(path, 2048)
    assert said.startswith("at open: ")
    assert str(path) in said


def test_a_ledger_that_another_process_holds_is_waited_for_and_then_named(path: Path) -> None:
    with opened_ledger(path) as (_, thread):
        pass
    with closing(connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Locked, match=r"locked by another process .*\n.*Wait"):
            Ledger.open(path, wait=0.05)
        other.execute("ROLLBACK")
        with Ledger.open(path, wait=0.05) as ledger, ledger.sending("twitter", T0):
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Locked):
                ledger.begin(thread.number, 0, T0)
            assert ledger.refresh(thread.number) == thread
            other.execute("ROLLBACK")
            assert ledger.begin(thread.number, 0, T0)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_ledger_taken_away_while_in_use_takes_nothing_more(path: Path, how: str) -> None:
    with opened_ledger(path) as (ledger, thread):
        path.unlink()
        if how == "replaced":
            path.write_bytes(b"")
        with pytest.raises(Replaced, match=r"moved or replaced while it was in use"):
            ledger.begin(thread.number, 0, T0)


def test_threads_may_share_a_ledger_and_take_turns(path: Path) -> None:
    with opened_ledger(path, 2) as (ledger, thread):

        def work(position: int) -> None:
            for tries in range(50):
                with ledger.together():
                    ledger.hold(thread.number, position, str(tries), T0)
                    ledger.settle(thread.number, position, None, "", T0)
                ledger.attempt(thread.number, Attempt(T0, "read", position, str(tries)))

        workers = [Thread(target=work, args=(position,)) for position in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        log = ledger.attempts(thread.number)
        for position in range(2):
            mine = [each.outcome for each in log if each.position == position]
            assert mine == [str(tries) for tries in range(50)]


# Looking


def test_there_is_nothing_to_look_at_where_there_is_no_file(path: Path) -> None:
    assert Ledger.peek(path) is None
    assert not path.parent.exists()


def test_looking_leaves_no_trace_of_itself(path: Path) -> None:
    with opened_ledger(path) as (_, thread):
        pass
    before = path.read_bytes(), path.stat().st_mtime_ns
    looking = Ledger.peek(path)
    assert looking is not None
    with looking:
        assert looking.refresh(thread.number) == thread
        assert looking.threads(unfinished=True) == (thread,)
        assert file_names(path.parent) == {"bot.db"}
        for change in (
            lambda: looking.begin(thread.number, 0, T0),
            lambda: looking.plan(planned_thread(digest="another"), T0),
            lambda: looking.set_fact("twitter", "id", "1"),
        ):
            with pytest.raises(LedgerError, match="opened for reading only"):
                change()
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert file_names(path.parent) == {"bot.db"}


def test_looking_sees_what_a_running_worker_commits_as_it_comes_and_goes(path: Path) -> None:
    with opened_ledger(path) as (worker, thread):
        looking = Ledger.peek(path)
        assert looking is not None
        worker.begin(thread.number, 0, T0)
        assert post_at(looking.refresh(thread.number)).state is State.SENDING
        worker.sent(thread.number, 0, "1", "", T0)
        assert post_at(looking.refresh(thread.number)).state is State.SENT
    looking.close()
    with Ledger.open(path):
        pass
    # nobody has it open: it is read as a file that does not change, until somebody does
    looking = Ledger.peek(path)
    assert looking is not None
    with looking:
        assert post_at(looking.refresh(thread.number), 1).state is State.PLANNED
        assert file_names(path.parent) == {"bot.db"}
        with Ledger.open(path) as worker, worker.sending("twitter", T0):
            worker.begin(thread.number, 1, T0)
            assert post_at(looking.refresh(thread.number), 1).state is State.SENDING
        assert post_at(looking.refresh(thread.number), 1).state is State.SENDING
        with Ledger.open(path) as worker:
            worker.sent(thread.number, 1, "2", "", T0)
        assert post_at(looking.refresh(thread.number), 1).state is State.SENT


def looked_at(path: Path) -> tuple[Ledger, sqlite3.Connection]:
    looking = Ledger.peek(path)
    assert looking is not None
    assert isinstance(looking._file, Reader)
    assert looking._file._connection is not None
    return looking, looking._file._connection


def test_what_changes_under_a_query_is_asked_again(path: Path) -> None:
    Ledger.open(path).close()
    looking, connection = looked_at(path)

    def write(_: str) -> None:
        connection.set_trace_callback(None)
        with Ledger.open(path) as worker:
            worker.set_fact("twitter", "id", "1")

    with looking:
        assert looking.get_fact("twitter", "id") is None
        connection.set_trace_callback(write)
        assert looking.get_fact("twitter", "id") == "1"


def test_a_failure_while_somebody_writes_is_no_failure(path: Path) -> None:
    Ledger.open(path).close()
    looking, connection = looked_at(path)
    written = path.stat().st_mtime_ns

    def disturb(_: str) -> None:
        connection.interrupt()
        os.utime(path, ns=(0, written + 1_000_000_000))

    with looking:
        connection.set_trace_callback(disturb)
        assert looking.get_fact("twitter", "id") is None


def test_a_failure_while_nobody_writes_is_one(path: Path) -> None:
    Ledger.open(path).close()
    looking, connection = looked_at(path)
    with looking:
        connection.set_trace_callback(lambda _: connection.interrupt())
        with pytest.raises(LedgerError, match=r"SQLite reports an error \(interrupted\)"):
            looking.get_fact("twitter", "id")


def test_a_ledger_taken_away_while_it_is_looked_at_is_named(path: Path) -> None:
    with opened_ledger(path) as (_, thread):
        pass
    looking = Ledger.peek(path)
    assert looking is not None
    with looking:
        path.unlink()
        with pytest.raises(LedgerError, match="No such file"):
            looking.refresh(thread.number)


@pytest.mark.parametrize("missing", ["", "bot.db-shm"])
def test_looking_at_what_a_crash_left(path: Path, missing: str) -> None:
    left_by_a_crash(path)
    if missing:
        path.with_name(missing).unlink()
    before = file_names(path.parent)
    database = path.read_bytes()
    looking = Ledger.peek(path)
    assert looking is not None
    with looking:
        assert looking.last_known("twitter") == ("1", T0)
        assert isinstance(looking._file, Reader)
        copy = looking._file._copy
        copied = Path(copy.name) if copy else None
        assert (copied is not None) == bool(missing)
    assert (file_names(path.parent), path.read_bytes()) == (before, database)
    assert copied is None or not copied.exists()


def test_a_ledger_closed_twice_or_used_afterwards_says_so(path: Path) -> None:
    with opened_ledger(path) as (ledger, thread):
        pass
    ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        ledger.refresh(thread.number)
    with pytest.raises(LedgerError, match="closed"):
        ledger.attempt(thread.number, Attempt(T0 + MINUTE, "read", None, ""))


def test_a_pipe_is_no_ledger_and_nobody_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    os.mkfifo(path)
    for use in (Ledger.open, Ledger.peek):
        with pytest.raises(LedgerError, match="is not a file"):
            use(path)


def test_a_version_that_no_release_wrote_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bot.db"
    Ledger.open(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = -1")
    for use in (Ledger.open, Ledger.peek):
        with pytest.raises(LedgerError, match="version -1, which no release of bot wrote"):
            use(path)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-03-01", "2026-03-01T12:00:00", "x" * 999])
def test_a_time_that_is_none_is_an_error_with_its_next_step(text: str) -> None:
    with pytest.raises(LedgerError, match="a time that bot did not write: ") as caught:
        time_of(text)
    assert len(caught.value.message) < 120
    assert caught.value.fix
