"""Whatever reads text from outside takes time in proportion to its length.

Each compiled pattern of the house is found, and given what makes patterns slow: runs of its own
characters, in pairs, after a beginning that fits, and never ended. Times are of one run, and are
judged as a ratio: ten times the text may take fifteen times as long. A pattern that is only ever
asked at one place (`match`, `fullmatch`) is asked there alone.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import permutations
from pathlib import Path

import pytest
import regex
from defusedxml.ElementTree import ParseError

import bot
from bot.digests.feeds.feed import items
from bot.digests.parse import parse
from bot.errors import BotError
from bot.formatter.defuse import defuse
from bot.formatter.select import tidied
from bot.model import Network
from bot.posters.plain_text import x_text
from tests.helpers.paths import ROOT

pytestmark = pytest.mark.slow  # a sweep: CI runs it

SHORT, LONG = 10_000, 100_000
MOST = 15.0
NOISE = 0.1  # seconds: what takes less at the longer length is no danger
USUAL = (" ", "\t", "\n", "a", "A", "1", "_", ".", "/", "-", ",")
PARSER = importlib.import_module("re._parser")
Ask = Callable[[str], object]


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(bot.__path__, "bot."):
        if not found.name.startswith(("bot.__main__", "bot.sandbox", "bot.demo.demo")):
            yield found.name


def patterns() -> dict[str, re.Pattern[str]]:
    found = {}
    for name in modules():
        for label, value in vars(importlib.import_module(name)).items():
            is_pattern = isinstance(value, re.Pattern | regex.Pattern)
            if is_pattern and isinstance(value.pattern, str):
                found[f"{name}.{label}"] = value
    return found


def is_asked_anywhere(name: str) -> bool:
    """Whether the pattern of this name is looked for in a text, and not only at its beginning."""
    module, _, label = name.rpartition(".")
    uses = re.compile(
        rf"(?<!matching\()\b{re.escape(label)}\b(?!\.(?:match|fullmatch|pattern)\b)(?!\s*=)"
    )
    own = Path(importlib.import_module(module).__file__ or "")
    files = [own] if label.startswith("_") else [*(ROOT / "bot").rglob("*.py")]
    return any(uses.search(path.read_text("utf-8")) for path in files)


def literals(parsed: object) -> Iterator[str]:
    """The characters that a parsed pattern names, in their order."""
    if isinstance(parsed, tuple) and len(parsed) == 2 and str(parsed[0]) in {"LITERAL", "RANGE"}:
        value = parsed[1]
        yield chr(value if isinstance(value, int) else value[0])
    elif isinstance(inner := getattr(parsed, "data", parsed), tuple | list):
        for each in inner:
            yield from literals(each)


def own_characters(pattern: str) -> list[str]:
    try:
        return [*literals(PARSER.parse(pattern))]
    except re.error:  # of the other library
        return [char for char in pattern if char not in "\\[](){}?*+|^$"]


def run(begin: str, piece: str, end: str, length: int) -> str:
    """A text of about this length: a piece again and again, between a beginning and an end."""
    return begin + piece * (length // len(piece)) + end


def slow_texts(pattern: str) -> Iterator[Callable[[int], str]]:
    own = own_characters(pattern)
    chars = [*dict.fromkeys((*own[:24], *USUAL))]
    whole = "".join(own[:24])
    for char in chars:
        yield partial(run, "", char, "")
        yield partial(run, "", char, "\x00")
    for one, other in permutations(chars[:8], 2):
        yield partial(run, "", one + other, "\x00")
    for size in range(1, len(whole) + 1):
        yield partial(run, "", whole[:size], "\x00")
        yield partial(run, whole[:size], " ", "\x00")
        yield partial(run, whole[:size], "a", "\x00")


def seconds(ask: Ask, text: str) -> float:
    begun = time.process_time()
    ask(text)
    return time.process_time() - begun


def check(ask: Ask, texts: Iterator[Callable[[int], str]]) -> list[str]:
    """The beginnings of texts for which ten times the length took far more than ten times."""
    found = []
    for text in texts:
        short, long = text(SHORT), text(LONG)
        before = seconds(ask, short)
        if before * MOST * 10 < NOISE:
            continue  # even as a square it would be little
        after = seconds(ask, long)
        if after > NOISE and after > MOST * before:
            # the least of some is what the machine does when it does nothing else
            times = [(seconds(ask, short), seconds(ask, long)) for _ in range(5)]
            again, after = (min(each) for each in zip(*times, strict=True))
            if after > MOST * max(again, 1e-6):
                found.append(f"{short[:40]!r}: {again:.4f} s, then {after:.4f} s")
    return found


PATTERNS = patterns()


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_each_pattern_takes_time_in_proportion_to_its_text(name: str) -> None:
    pattern = PATTERNS[name]
    ask: Ask = pattern.search if is_asked_anywhere(name) else pattern.match
    assert check(ask, slow_texts(pattern.pattern)) == []


# Functions ----------------------------------------------------------------------------------------

ROOMS = ("bot.digests.", "bot.formatter.", "bot.posters.plain_text", "bot.posters.json_values")


def text_functions() -> dict[str, Ask]:
    """The public functions of the rooms that read text, which need nothing but a text."""
    found: dict[str, Ask] = {}
    for name in modules():
        module = importlib.import_module(name)
        for label, value in vars(module).items():
            if not (inspect.isfunction(value) and value.__module__ == name):
                continue
            needed = [
                each
                for each in inspect.signature(value).parameters.values()
                if each.default is inspect.Parameter.empty
            ]
            is_text = [str(each.annotation) for each in needed] == ["str"]
            if is_text and name.startswith(ROOMS) and not label.startswith("_"):
                found[f"{name}.{label}"] = value
    return found


FUNCTIONS: dict[str, Ask] = {
    **text_functions(),
    **{f"defuse, {each}": partial(defuse, network=each) for each in Network},
    "parse": lambda text: parse(text, "x"),
    "parse, a paper": lambda text: parse(PAPER.replace("ABSTRACT", text), "x"),
    "parse, tweets": lambda text: parse(
        PAPER.replace("ABSTRACT", f"{TWEET}{text[:20]}\n" * (len(text) // 80)), "x"
    ),
    "parse, an abstract before": lambda text: parse(PAPER.replace("Ada Lovelace", text), "x"),
    "x_text": lambda text: x_text({"text": text, "attachments": {"media_keys": ["1"]}}),
    "tidy a digest": lambda text: tidied(parse(PAPER.replace("ABSTRACT", text), "x")[0]),
    "a feed": lambda text: [*items([text.encode("utf-8", "replace")], "https://x.example", "x")],
    "a feed's item": lambda text: [
        *items([f"<rss><item><description>{text}".encode()], "https://x.example", "x")
    ],
}
PAPER = """---
title: "Hot Papers 2021-06-22"
date: 2021-06-22T10:00:00.Z
---
# 1. A title

Ada Lovelace

- retweets: 1, favorites: 2 (06/23/2021 10:32:04)
- links: [abs](https://arxiv.org/abs/2106.10934)

ABSTRACT
"""
TWEET = '<blockquote class="twitter-tweet"><p lang="en">'
PIECES = (
    *("<", ">", "&", "<a ", '<a href="', "</a>", "<p>", "<!--", "<![", "<?", "<!", "</", "<br"),
    *("(", "[", "{", "](", "![", "<blockquote ", "&mdash; ", " (@a) ", "&#", "$", "\\", "\\a{"),
    *("@", "#", "@#", "＠", "https://", "hthttps://", "a.b", "a@", "t.co/", "_", "*", "`", "~"),
    *(
        " ",
        "\t",
        "\n",
        "\n ",
        " \n",
        "- ",
        "1. ",
        "# 1. a\n",
        "a",
        "a ",
        "A. ",
        ", ",
        "é",
        "\u200d",
    ),
    *("e\u0301", "\u05d0", "1,", "9", ":", "://", "..", "-", "--", "'", '"', "^", "{a}", "$x$ "),
)


def texts_of(pieces: Iterable[str]) -> Iterator[Callable[[int], str]]:
    for piece in pieces:
        yield partial(run, "", piece, "\n\nx")


def tolerant(ask: Ask) -> Ask:
    def asked(text: str) -> object:
        try:
            return ask(text)
        except (BotError, ValueError, ParseError):
            return None

    return asked


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_each_function_takes_time_in_proportion_to_its_text(name: str) -> None:
    assert check(tolerant(FUNCTIONS[name]), texts_of(PIECES)) == []
