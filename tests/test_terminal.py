"""Text for terminals, shells and `.env`: what is copied comes back as it was meant."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from bot.http.urls import slug_of
from bot.ledger.rows import StoredThread
from bot.model import State
from bot.settings import load
from bot.settings.files import parse_dotenv
from bot.terminal import argument, each_text, setting, visible, visible_json, visible_name
from tests.helpers.stored_threads import post, thread

TEXT = st.text(max_size=30)
SLUGS = st.lists(st.from_regex(r"[!-+.0-~-]{1,20}", fullmatch=True), max_size=3)
COMMANDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def shell(script: str) -> str:
    run = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, text=True)
    return run.stdout


@given(st.text())
@example("\x1b[31m\x07\x9b\x7f\u202e\u2066\ud800 \N{WOMAN}\u200d\N{MICROSCOPE} naïve\tb\nc")
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    assert not COMMANDING.search(visible(text))
    assert visible(visible(text)) == visible(text)
    assert "\n" not in visible_name(text)
    visible(text).encode()


@given(st.text())
def test_json_says_the_same(text: str) -> None:
    written = visible_json(json.dumps([text], ensure_ascii=False))
    assert not COMMANDING.search(written)
    assert json.loads(written) == [text]


def test_people_read_what_is_no_command() -> None:
    text = "naïve \N{WOMAN}\u200d\N{MICROSCOPE} 数学\tb\nc"
    assert visible(text) == text
    assert visible("a\x1b\u202e") == r"a\x1b\u202e"


@given(TEXT)
@example("x; touch y")
@example("-rf")
@example("\x1b[31m'\n")
def test_an_argument_is_one_word_of_a_shell(name: str) -> None:
    said = shell(f"printf '%s|' bot status {argument(name)}")
    options = "--|" if name.startswith("-") else ""
    assert said == f"bot|status|{options}{visible_name(name)}|"


@given(SLUGS, TEXT)
@example([], "hot, papers")
@example(["a'b", "$HOME"], "~")
def test_the_line_of_bot_skip_skips_exactly_what_it_names(skip: list[str], slug: str) -> None:
    today = slug_of(slug)
    known = [each for each in dict.fromkeys(skip) if each != today]
    if today:
        line = setting("BOT_SKIP", ",".join((*known, today)))
        values, wrong = parse_dotenv(f"A=1\n{line}\nB=2\n")
        assert not wrong
        assert load(values, Path("/nowhere")).skip == (*known, today)


@given(st.from_regex(r"[!-~ ]{1,30}", fullmatch=True).map(str.strip).filter(bool))
@example("~me")
@example("a'b")
@example("a\\\\b")
def test_a_shell_reads_a_setting_as_we_do(value: str) -> None:
    line = setting("NAME", value)
    assert parse_dotenv(line) == ({"NAME": value}, ())
    if "'" in value and set(value) & set('"$`\\!'):
        return  # no line says such a value to both
    if re.search(r"\\\\|\\\Z", value):
        return  # nor this one
    assert shell(f'{line}\nprintf %s "$NAME"') == value


def test_each_text_of_a_value_is_changed_and_nothing_else() -> None:
    known = thread(post(State.HELD), post(State.SENT))
    changed = each_text([known], str.upper)[0]
    assert isinstance(changed, StoredThread)
    assert changed.digest == known.digest.upper()
    assert [each.state for each in changed.posts] == [State.HELD, State.SENT]
    assert changed.published == known.published
