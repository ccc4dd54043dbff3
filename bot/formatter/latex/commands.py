"""Write LaTeX commands with arguments as plain text: fractions, roots, accents, indices."""

# The characters that look like ASCII (the prime, the accent) are meant.
# ruff: noqa: RUF001
from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from functools import cache, partial

from bot.formatter.latex.tables import EDGE, HATS, SUBSCRIPTS, SUPERSCRIPTS, pattern


def join(piece: str) -> str:
    """Replace each edge by a space where two letters would touch, and remove the others."""
    if EDGE not in piece:
        return piece
    tight = pattern(rf"(?<=[\w)\]}}′*]){EDGE}+(?=[^\W_⁰¹²³⁴-⁹⁺⁻ⁿ₀-₉]|[√∛∜])")
    return tight.sub(" ", piece).replace(EDGE, "")


def _outline(piece: str) -> str:
    """Return a text with each pair of brackets emptied."""
    kept: list[str] = []
    depth = 0
    for character in piece:
        depth -= character == ")"
        if depth <= 0:
            kept.append(character)
        depth += character == "("
    return "".join(kept)


def _grouped(piece: str) -> str:
    """Put brackets around a text that would not be read as one exponent or index."""
    return piece if pattern(r"\w+|.|\(\)").fullmatch(_outline(piece)) else f"({piece})"


def raised(piece: str) -> str:
    """Write a superscript: raised where each character has a raised form, else after `^`."""
    piece = piece.strip()
    if piece in ("", "∘", "°", "′", "*", "†", "‡", "th", "st", "nd", "rd", "′′", "™", "®"):
        return piece.replace("∘", "°")
    raised = piece.translate(SUPERSCRIPTS)
    if not set(raised) & set(piece):
        return raised
    return f"^{_grouped(piece)}{EDGE}"


def lowered(piece: str) -> str:
    """Write a subscript: lowered where each character has a lowered form, else after `_`."""
    piece = piece.strip()
    lowered = piece.translate(SUBSCRIPTS)
    if not set(lowered) & set(piece):
        return lowered
    return f"_{_grouped(piece)}{EDGE}"


# One number or one letter with its indices, or a function with its argument.
_FACTOR = r"[√∛∜∂]?(?:\d[\d.,]*|[^\W\d]|\(\)|[^\W\d]+\(\))[′⁰¹²³⁴-⁹⁺⁻ⁿ₀-₉]*(?:[_^](?:\w+|\(\)))?"


def _divided(above: str, below: str) -> str:
    above, below = above.strip(), below.strip()
    if pattern(r"[-+±∓=<>≤≥≈·×/\s]").search(_outline(above)):
        above = f"({above})"
    if not pattern(_FACTOR).fullmatch(_outline(below)):
        below = f"({below})"
    return f"{EDGE}{above}/{below}{EDGE}"


def rooted(piece: str, degree: str = "2") -> str:
    """Write a root, with brackets around more than one factor."""
    sign = {"2": "√", "3": "∛", "4": "∜"}.get(degree, "")
    piece = piece if pattern(_FACTOR).fullmatch(_outline(piece)) else f"({piece.strip()})"
    return f"{EDGE}{sign}{piece}" if sign else f"{piece}^(1/{degree})"


def _choose(above: str, below: str) -> str:
    return f"({above} choose {below})"


def word(piece: str) -> str:
    """Write the name of a function, with an edge on both sides."""
    return f"{EDGE}{piece.strip()}{EDGE}"


def _linked(address: str, words: str) -> str:
    return words if words == address else f"{words} ({address})"


def accented(mark: str, piece: str) -> str:
    """Put an accent on the first character if it is a letter."""
    base = {"ı": "i", "ȷ": "j"}.get(piece[:1], piece[:1])
    if not base.isalpha():
        return piece
    return unicodedata.normalize("NFC", base + mark) + piece[1:]


def _hatted(mark: str, piece: str) -> str:
    """Put a hat on a single letter; plain text has no hat over several letters."""
    single = pattern(r"[^\W\d_](?![^\W\d_])[\w^()]*").fullmatch(piece)
    return accented(mark, piece) if single else piece


@cache
def structures() -> Mapping[str, tuple[int, Callable[..., str]]]:
    """Return the commands with arguments: how many each has, and how to write it with them."""
    two: dict[str, Callable[..., str]] = {
        **dict.fromkeys(("frac", "dfrac", "tfrac", "cfrac", "nicefrac", "sfrac"), _divided),
        **dict.fromkeys(("binom", "dbinom", "tbinom"), _choose),
        **dict.fromkeys(("overset", "stackrel"), lambda top, base: base + raised(top)),
        "underset": lambda under, base: base + lowered(under),
        "href": _linked,
    }
    one: dict[str, Callable[..., str]] = {
        **{name: partial(_hatted, mark) for name, mark in HATS.items()},
        **dict.fromkeys(("operatorname", "operatorname*"), word),
        **dict.fromkeys(("footnote", "footnotetext", "thanks"), "({})".format),
        "sqrt": rooted,
        "pmod": "(mod {})".format,
        "textsuperscript": raised,
        "textsubscript": lowered,
    }
    return {name: (1 + (name in two), make) for name, make in {**one, **two}.items()}
