"""What commands print of a ledger full of hostile text: no escape, and commands to be copied."""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.sandbox.faults import refusal
from bot.sandbox.mastodon import answers as mastodon_answers
from bot.sandbox.wire import Request
from bot.settings.files import parse_dotenv
from tests.helpers.cli_world import DAY, CliWorld, cli_world

EVIL = "\x1b[35m\x1b]0;x\x07\x9b35m\x7f\u202e\u2066\u200f\u2028\rx; touch 'a,b' \"`$(id)\nbot run"
COMMANDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
OWN = re.compile("\x1b\\[(?:0|1|2|3[1236])m")  # the colours of our own
# What a column may hold is checked where it is written: times, words of our own, JSON.
STRUCTURE = re.compile(r"(?:\w+_at|until|published|day|state|network|media|rich|papers|session)")
COMMAND = re.compile(r"bot (?:status|post) (?!--)(.+)")


@pytest.fixture(params=["plain", "coloured"])
def bot(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[CliWorld]:
    if request.param == "coloured":
        monkeypatch.setattr("click.utils.should_strip_ansi", lambda *_: False)
    with cli_world(tmp_path, capsys) as made:
        answer = refusal("422", mastodon_answers.REFUSALS["422 length"])
        made.sandbox.script(answer, network="mastodon", when=second_paper)
        assert made("post")[0] == 1
        made.sandbox.fix()
        poison(made.database)
        yield made


def second_paper(request: Request) -> bool:
    return request.method == "POST" and b"2602.10002" in request.body


def poison(path: Path) -> None:
    """Write the hostile text behind every text of a ledger."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute(
            "INSERT INTO limits SELECT name, 'login', '2199-01-01T00:00:00.000000Z', 'x' "
            "FROM accounts"
        )
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for _, column, kind, *_ in db.execute(f"PRAGMA table_info({table})").fetchall():
                of_an_account = column == "account" or (table, column) == ("accounts", "name")
                is_fact = table == "facts" and column == "name"
                if kind == "TEXT" and not (STRUCTURE.fullmatch(column) or of_an_account or is_fact):
                    db.execute(f"UPDATE {table} SET {column} = {column} || ?", [EVIL])  # noqa: S608 - its own names
        db.commit()


def harmless(text: str) -> str:
    plain = OWN.sub("", text)
    assert not COMMANDING.search(plain), ascii(plain)
    return plain


def slug_of(bot: CliWorld) -> str:
    with bot.ledger() as ledger:
        slug = ledger.threads(most=1)[0].digest
    assert EVIL in slug
    return slug


@pytest.mark.slow
def test_no_command_lets_the_ledger_command_a_terminal(bot: CliWorld) -> None:
    raw = slug_of(bot)
    digest = str(bot.folder / "digests" / f"{DAY}---Hot-Papers.md")
    page = bot.folder / f"page{EVIL.replace('/', '')}.html"
    for command in (
        ["status"],
        ["status", "--json"],
        ["status", raw],
        ["status", raw, "--json"],
        ["status", f"{raw}x"],
        ["status", "--account", EVIL],
        ["retract", raw, "--dry-run"],
        ["retract", EVIL],
        ["post", "--dry-run"],
        ["post", "--dry-run", "--json", "-v"],
        ["post", "--dry-run", digest, "--network", EVIL],
        ["post", EVIL],
        ["post", "--dry-run", "--account", EVIL],
        ["post"],
        ["post", "--json"],
        ["check"],
        ["check", "--json"],
        ["check", "--offline"],
        ["preview", "--output", str(page)],
        ["preview", "--output", "-"],
        ["settle", raw, "78", "--unsent", "--account", "mastodon"],
        ["settle", raw, "3", "--sent", EVIL, "--account", "mastodon"],
        ["settle", raw, "3", "--unsent", "--account", "mastodon"],
        ["settle", raw, "1", "--unsent", "--account", "twitter"],
        ["retract", raw, "-y", "--network", "mastodon"],
        [EVIL],
        ["post", f"--{EVIL}"],
    ):
        for text in bot(*command)[1:]:
            harmless(text)


def test_what_is_printed_to_be_copied_parses_into_a_command_that_works(bot: CliWorld) -> None:
    raw, copied = slug_of(bot), 0
    said = [bot("status")[1]]
    said += bot("settle", raw, "3", "--unsent", "--account", "mastodon")[1:]
    for text in said:
        for arguments in COMMAND.findall(harmless(text)):
            words = shlex.split(arguments)
            assert len(words) == 1, words
            status, out, _ = bot("status", words[0])
            assert status == 0
            assert " on mastodon: " in out
            copied += 1
    assert copied


def test_a_digest_of_an_old_slug_is_kept_away_by_the_line_that_is_printed(bot: CliWorld) -> None:
    out = harmless(bot("retract", slug_of(bot), "-y", "--network", "mastodon")[1])
    (line,) = re.findall(r"(?m)^BOT_SKIP=.*", out)
    assert re.fullmatch(r"BOT_SKIP=[A-Za-z0-9._-]+", line)


def test_the_line_works_for_a_slug_with_a_comma(bot: CliWorld) -> None:
    path = bot.folder / "digests" / f"{DAY}---Hot-Papers.md"
    text, times = re.subn(r"(?m)^slug:.*", 'slug: "hot, papers; of a day"', path.read_text())
    assert times == 1
    path.write_text(text)
    with closing(sqlite3.connect(bot.database)) as db:
        db.execute("UPDATE threads SET digest = 'hot, papers; of a day'")
        db.commit()
    out = harmless(bot("retract", "hot, papers; of a day", "-y", "--network", "mastodon")[1])
    skip = parse_dotenv(out[out.index("BOT_SKIP=") :])[0]["BOT_SKIP"]
    assert bot("post", "--dry-run")[2] == ""
    assert "is in BOT_SKIP, so it is not posted" in bot("post", "--dry-run", BOT_SKIP=skip)[2]


def test_a_value_cannot_pass_for_a_line_of_ours(bot: CliWorld) -> None:
    out = harmless(bot("status", slug_of(bot))[1])
    assert "bot run" in out
    assert not re.search(r"(?m)^bot run", out)
