r"""Convert LaTeX in titles, names and abstracts to the text a person would write without LaTeX.

arXiv's texts hold some: `$N^{1/2}$`, `Schr\"odinger`, `5\%`, `\emph{key}`. They also hold dollars
and backslashes that are not LaTeX: `$5 million and $7 million`, `C:\new`. So a dollar opens
mathematics only where a second dollar follows and the text between them looks like mathematics, a
backslash counts only before a known command, and a text without recognised LaTeX does not change.

Letters stay plain letters: `\mathcal{O}` is `O` and `\mathbb{R}` is `R`. Screen readers skip the
mathematical alphabets or spell them out, and read the few that Unicode has in other blocks, such as
U+211D, no better. What has no plain character is written in ASCII: `N^(1/2)`, `x_max`,
`a/(b + c)`.

The converter reads the tokens one by one and has a stack of its own, so neither a deep nor a long
text can exhaust Python's stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from bot.formatter.latex.commands import accented, join, lowered, raised, rooted, structures, word
from bot.formatter.latex.dollars import delimiters
from bot.formatter.latex.tables import (
    ACCENTS,
    EDGE,
    FUNCTIONS,
    LETTERS,
    NATIONAL,
    RELATIONS,
    SIGNS,
    SYMBOLS,
    TOKENS,
    TYPE,
    WORDS,
    names,
    pattern,
    table,
)

# The converter does not follow deeper nesting, or longer chains of commands that wait for
# arguments: they would cost quadratic time, and no text for readers has them.
_DEEPEST = 25
_LONGEST_ADDRESS = 80


def latex_to_text(text: str) -> str:
    r"""Return a text that may hold LaTeX in plain Unicode.

    A text without LaTeX is returned unchanged. Malformed LaTeX stays where it is not understood:
    the function never raises, takes linear time, and loses no word. It removes commands that only
    set type, and the arguments of `\label`, `\vspace`, `\color` and similar commands. An unknown
    command does not change, except that it loses its backslash in mathematics.
    """
    if "\\" not in text and "$" not in text:
        return text
    return _Converter(text).convert()


@dataclass(slots=True)
class _OpenCommand:
    """A command that waits for its arguments; `raw` is its text if none follows."""

    raw: str
    needs: int
    make: Callable[..., str]
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Frame:
    """A group or a formula that is still open; `bare` if its braces belong to no command."""

    opener: str = ""
    math: bool = False
    bare: bool = False
    known: int = 0
    parts: list[str] = field(default_factory=list)
    waiting: list[_OpenCommand] = field(default_factory=list)

    def settle(self) -> list[str]:
        """Write the commands whose arguments are missing, and return all parts."""
        for command in self.waiting:
            self.parts.append(" ".join(command.arguments) or command.raw)
        self.waiting.clear()
        return self.parts


class _Converter:
    """Converts one text. `known` counts the pieces that were recognised as LaTeX."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.delimiters = delimiters(text)
        self.stack = [_Frame()]
        self.known = 0
        self.too_deep = 0
        self.asked: bool | None = None  # whether the group that a command expects is mathematics
        self.swallow = False

    @property
    def top(self) -> _Frame:
        return self.stack[-1]

    def convert(self) -> str:
        for token in pattern(TOKENS).finditer(self.text):
            self.take(token)
        while len(self.stack) > 1:
            self.abandon()
        return join("".join(self.top.settle())) if self.known else self.text

    def take(self, token: re.Match[str]) -> None:
        swallow, self.swallow = self.swallow, False
        piece = token.group()
        match token.lastgroup:
            case "run":
                self.run(piece.lstrip() if swallow else piece)
            case "command":
                self.command(piece[1:], token)
            case "symbol":
                self.symbol(piece[1], token)
            case "mark":
                self.mark(piece, token.start())
            case "quote":
                self.known += 1
                self.emit(piece[1:])
            case "literal" | "rest":
                self.emit(piece)
            case _:
                self.whole(token)

    # Output

    def emit(self, piece: str) -> None:
        """Pass a finished piece to the command that waits for it, else add it to the text."""
        frame = self.top
        while frame.waiting:
            command = frame.waiting[-1]
            command.arguments.append(join(piece))
            if len(command.arguments) < command.needs:
                return
            frame.waiting.pop()
            self.known += 1
            piece = command.make(*command.arguments)
        frame.parts.append(piece)

    def run(self, piece: str) -> None:
        """Add plain text; a waiting command gets its first character, as in TeX."""
        while self.top.waiting and (piece := piece.lstrip()):
            self.emit(piece[0])
            piece = piece[1:]
        self.top.parts.append(piece)

    def wait(self, raw: str, needs: int, make: Callable[..., str]) -> None:
        if len(self.top.waiting) < _DEEPEST:
            self.top.waiting.append(_OpenCommand(raw, needs, make))
        else:
            self.emit(raw)

    # Groups and formulas

    def mark(self, piece: str, at: int) -> None:
        if at in self.delimiters:
            self.delimit(self.delimiters[at])
        elif piece == "{":
            self.open()
        elif piece == "}":
            self.close()
        elif piece in "^_" and self.top.math:
            self.wait(piece, 1, raised if piece == "^" else lowered)
        elif piece == "~" and (self.top.math or self.ties(at)):
            self.emit(" ")
        else:
            self.emit(piece)

    def delimit(self, side: str) -> None:
        if side == "open":
            self.stack.append(_Frame("$", math=True))
        elif side == "close" and any(frame.opener == "$" for frame in self.stack):
            while self.top.opener != "$":
                self.abandon()
            self.known += 1
            formula = "".join(self.stack.pop().settle()).rstrip(EDGE)
            self.emit(pattern(r"(?<=[(\[{⟨\s])\s+|\s+(?=[)\]}⟩])").sub("", formula))

    def open(self) -> None:
        asked, self.asked = self.asked, None
        if len(self.stack) > _DEEPEST:
            self.too_deep += 1
            return
        math = self.top.math if asked is None else asked
        bare = asked is None and not self.top.math and not self.top.waiting
        self.stack.append(_Frame("{", math=math, bare=bare, known=self.known))

    def close(self) -> None:
        """Close a group; its braces stay where they look like the braces of a set."""
        if self.too_deep:
            self.too_deep -= 1
        elif self.top.opener != "{":
            self.emit("}")
        else:
            frame = self.stack.pop()
            parts = frame.settle()
            if frame.bare and frame.known == self.known and any("," in part for part in parts):
                parts = ["{", *parts, "}"]
            if self.top.waiting:
                self.emit("".join(parts))
            else:
                self.top.parts.extend(parts)

    def abandon(self) -> None:
        """Close a group whose closing brace is missing."""
        frame = self.stack.pop()
        self.emit("".join(["{" if frame.bare else "", *frame.settle()]))

    def ties(self, at: int) -> bool:
        """Tell whether a tilde is a tie: in `wav2vec~2.0`, not in `10~20` and `x.edu/~user`."""
        around = self.text[max(0, at - 1) : at + 2]
        before = self.text[max(0, at - _LONGEST_ADDRESS) : at]
        address = pattern(r"\w\.[a-z]+/\S*\Z").search(before)
        return not address and bool(pattern(r"(?!\d~\d)[^\s/~]~[^\s~]").fullmatch(around))

    # Commands

    def command(self, name: str, token: re.Match[str]) -> None:
        end = token.end()
        if name in names(TYPE) or name in names(WORDS):
            self.known += 1
            self.set_type(name, end)
        elif name in structures():
            self.known += 1
            self.wait(token.group(), *structures()[name])
            if name.startswith(("foot", "thanks")):
                self.pad(token)
        elif name in ACCENTS and not self.top.math:
            self.accent(name, token)
        else:
            self.character(name, token)

    def set_type(self, name: str, end: int) -> None:
        self.swallow = True
        if pattern(r"\s*\{").match(self.text, end):
            self.asked = name == "ensuremath" or (self.top.math and name in names(TYPE))

    def accent(self, name: str, token: re.Match[str]) -> None:
        """Wait for a letter that can have the accent; without one the command is unknown."""
        end, mark = token.end(), ACCENTS[name]
        gap = r"\s+" if name.isalpha() else ""
        letter = pattern(rf"{gap}([^\W\d_])").match(self.text, end)
        if name in "^~" and self.text.startswith("{}", end):
            self.known += 1
            self.emit(name)
        elif pattern(rf"\s*\{{\s*(?:\\.|[^\W\d_]\s*\}}|\}})|{gap}\\[ij](?!\w)").match(
            self.text, end
        ) or (letter and len(accented(mark, letter[1])) == 1):
            self.wait(token.group(), 1, partial(accented, mark))
        else:
            self.unknown(name, token)

    def character(self, name: str, token: re.Match[str]) -> None:
        self.known += 1
        math = self.top.math
        if name in table(RELATIONS):
            self.relation(table(RELATIONS)[name], token)
        elif name in table(LETTERS):
            tight = math and not self.top.waiting
            self.emit(table(LETTERS)[name])
            self.swallow = tight and bool(pattern(r"\s+[A-Za-z0-9]").match(self.text, token.end()))
        elif name in names(FUNCTIONS):
            self.emit(word(name))
        elif name in table(NATIONAL) and not math:
            self.emit(table(NATIONAL)[name])
            self.swallow = True
        elif name in table(SIGNS) and not (math and len(name) == 1):
            sign = table(SIGNS)[name]
            self.emit(sign.rstrip(".") if self.text.startswith(".", token.end()) else sign)
        else:
            self.known -= 1
            self.unknown(name, token)

    def relation(self, sign: str, token: re.Match[str]) -> None:
        before = self.text[max(0, token.start() - 1) : token.start()].isspace()
        after = self.text[token.end() : token.end() + 1]
        if self.top.math and after.isspace() and (self.top.waiting or not before):
            self.swallow = True
        elif self.top.math and before and after and not after.isspace() and after not in "$})],.^_":
            sign += " "
        self.emit(sign)

    def unknown(self, name: str, token: re.Match[str]) -> None:
        r"""Keep an unknown command: as `\name` in text, as `name` in mathematics or before `{}`."""
        follows = self.text[token.end() : token.end() + 2]
        if self.top.math and name.isalpha():
            self.emit(word(name))
        elif len(name) == 1 or follows[:1] != "{":
            self.emit(token.group())
        else:
            self.known += 1
            self.asked = False
            self.emit(name if follows == "{}" else "")

    def symbol(self, sign: str, token: re.Match[str]) -> None:
        math = self.top.math
        if token.start() in self.delimiters:
            self.delimit(self.delimiters[token.start()])
        elif sign in ACCENTS:
            self.accent(sign, token)
        elif sign in SYMBOLS and (math or sign not in "!;:>|"):
            self.known += 1
            self.emit(SYMBOLS[sign])
        elif sign == "-" and pattern(r"(?<=\w)\\-\w").match(self.text, token.start()):
            self.known += 1
        else:
            self.emit(token.group())

    def whole(self, token: re.Match[str]) -> None:
        """Write a command that was read together with its arguments."""
        self.known += 1
        match token.lastgroup:
            case "address":
                self.emit(pattern(r"\\(.)").sub(r"\1", token["address"]))
            case "key":
                self.pad(token)
                self.emit(f"[{token['key']}]")
            case "degree":
                self.wait(token.group(), 1, partial(rooted, degree=token["degree"]))
            case "unit":
                amount = f"{token['before'] or ''}{token['number']} {token['unit']}"
                self.emit(pattern(r"\\(.)").sub(r"\1", amount).strip())

    def pad(self, token: re.Match[str]) -> None:
        """Add a space between a note or reference and the word before it."""
        if self.text[max(0, token.start() - 1) : token.start()].strip(" \t\n~(["):
            self.top.parts.append(" ")
