"""Clean the titles, names and abstracts of a digest for readers.

`tidy` returns one line of plain text: it repairs wrong decoding, replaces LaTeX and HTML entities
by the characters they mean, removes double spaces and invisible characters, and normalises to NFC.
It does not remove what networks would turn into links; `defuse` does that afterwards.

Correct text does not change: letters, digits, ordinary punctuation and single spaces stay.
"""

# The characters that look like ASCII (quotation marks, fullwidth punctuation) are meant.
# ruff: noqa: RUF001
from __future__ import annotations

import re
import unicodedata
from functools import cache

from bot.formatter.latex.convert import latex_to_text


def tidy(text: str) -> str:
    r"""Return a title, a name or another field of one line as a person would write it.

    The result is NFC. It has no line break, control, bidirectional control or invisible character,
    no surrogate, no space at its ends or beside another, and at most four nonspacing marks on a
    character: hundreds of them would cover the lines around. ZERO WIDTH (NON-)JOINER and variation
    selectors stay where they have a meaning: in emoji, in Persian, in Indic scripts, after CJK.

    Text that was escaped twice is decoded twice: `&amp;lt;` becomes `<`, since no reader wants the
    entity. The function repeats until nothing changes, so `tidy(tidy(text)) == tidy(text)`, except
    for text in more than eight layers of escapes of different kinds. It never raises.
    """
    for _ in range(_LAYERS):
        if _pattern(_CLEAN).fullmatch(text) and _typeset(text) == text:
            return text
        before, text = text, _once(text)
        if text == before:
            return text
    return text


def tidy_prose(text: str) -> str:
    """Tidy an abstract, and join its paragraphs by one space.

    Each paragraph is tidied by itself first, so that a single dollar or a wrongly decoded letter in
    one paragraph does not change another.
    """
    paragraphs = _pattern(r"\n\s*\n").split(text)
    if len(paragraphs) > 1:
        paragraphs = [tidy(paragraph) for paragraph in paragraphs]
    return tidy(" ".join(paragraphs))


def repair(text: str) -> str:
    """Undo a wrong decoding: `Fatma G√ºney` was `Fatma Güney` in UTF-8, read as Mac Roman.

    The function decides once for the complete string, so pass one field at a time. Text without
    such damage is returned unchanged: https://ftfy.readthedocs.io/en/latest/explain.html
    """
    if text.isascii() or not _suspicious().search(text):
        return text
    import ftfy

    return ftfy.fix_encoding(text)


def sentences(text: str) -> tuple[str, ...]:
    """Split a tidied text into its sentences; joined by one space they give the text again.

    The function splits only at a space, and in doubt does not split: a full stop after an
    abbreviation, an initial or a number ends a sentence only where the next word can begin one.
    """
    found: list[str] = []
    start = 0
    for stop in _pattern(_STOP).finditer(text):
        before = text[max(start, stop.start() - _LONGEST_WORD) : stop.start()]
        if _ends(before, stop[0], text[stop.end() : stop.end() + _LONGEST_WORD]):
            found.append(text[start : stop.end() - 1])
            start = stop.end()
    return (*found, text[start:]) if text else ()


# Texts are rarely escaped twice; without the limit a hostile text would cost quadratic time.
_LAYERS = 8
_CLEAN = r"(?:[!-#%'-\[\]-_a-}]+(?: [!-#%'-\[\]-_a-}]+)*)?"

# --- Wrong decoding -------------------------------------------------------------------------------

# The encodings that UTF-8 is mistaken for.
_MISTAKEN = "latin-1 cp1252 cp1251 cp1250 cp1253 cp1254 cp1257 iso8859-2 mac_roman cp437"
# The first byte of a UTF-8 character whose second byte, a no-break space, became a space.
_BEFORE_SPACE = "[ÂÃÅÎÐÙ] "


@cache
def _suspicious() -> re.Pattern[str]:
    """Return a pattern of the first two bytes of a UTF-8 character, read in another encoding."""
    first, second = (
        "".join(bytes(block).decode(name, "ignore") for name in _MISTAKEN.split())
        for block in (range(0xC2, 0xF5), range(0x80, 0xC0))
    )
    return re.compile(f"[{re.escape(first)}][{re.escape(second)}]|{_BEFORE_SPACE}|[\x80-\x9f]")


# --- Characters -----------------------------------------------------------------------------------

# Scripts in which the joiners change the shape or the meaning of a word.
_JOINED = (
    "\u0620-\u109f\u1700-\u180a\u1810-\u18af\u1900-\u1cff\ua800-\ua8ff\uaa00-\uabff\ufb50-\ufdcf"
    "\ufdf0-\ufdff\ufe70-\ufefc\U00010d00-\U00010d3f\U00011000-\U00011fff\U0001e900-\U0001e95f"
)
_EMOJI = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf"
    "\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_IDEOGRAPHS = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Controls, format characters, invisible fillers, noncharacters.
_SHAPELESS = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb"
    "\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
    "\U000e01f0-\U000e0fff"
)
_INVISIBLE = (
    f"[{_SHAPELESS}]"
    f"|(?<![#*0-9{_EMOJI}{_IDEOGRAPHS}\u1000-\u109f\u2200-\u22ff])[\ufe00-\ufe0f]"
    f"|(?<![{_IDEOGRAPHS}])[\U000e0100-\U000e01ef]"
    f"|(?<![{_JOINED}])\u200c|\u200c(?![{_JOINED}])"
    f"|(?<![\ufe0f{_JOINED}{_EMOJI}])\u200d|(?<=[\ufe0f{_EMOJI}])\u200d(?![{_EMOJI}])"
)
_BRAILLE_BLANK = "\u2800"
# Letters of the mathematical alphabets, with those that Unicode has in other blocks.
_STYLED = (
    "[\U0001d400-\U0001d7ff\u2102\u210a-\u210e\u2110-\u2112\u2115\u2119-\u211d\u2124\u2128\u212c"
    "\u212d\u212f-\u2131\u2133\u2134]"
)
# Points, accents and vowel signs together: no living script puts more on one letter.
_MOST_MARKS = 4
# Finds runs that may hold more marks: a mark is no letter, no digit and not ASCII.
_MARKS = rf"[^\w\s\x00-\x7f]{{{_MOST_MARKS + 1},}}"


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _once(text: str) -> str:
    text = repair(_whole(text))
    text = _typeset(_quoted(_untied(latex_to_text(_decoded(text)))))
    text = " ".join(text.split())
    if text.isascii() and text.isprintable():
        return text
    text = _pattern(_INVISIBLE).sub("", _plain_letters(text)).replace(_BRAILLE_BLANK, " ")
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    return _pattern(_MARKS).sub(lambda found: _unstacked(found[0]), text)


def _unstacked(text: str) -> str:
    """Keep the first marks on each character; a joiner between marks begins no new character."""
    kept: list[str] = []
    marks = 0
    for char in text:
        category = unicodedata.category(char)
        if category in ("Mn", "Me"):
            marks += 1
        elif category != "Cf":
            marks = 0
        if marks <= _MOST_MARKS:
            kept.append(char)
    return "".join(kept)


def _whole(text: str) -> str:
    """Replace surrogate pairs by their characters, and remove single surrogates."""
    if text.isascii() or not _pattern("[\ud800-\udfff]").search(text):
        return text
    pairs = _pattern("[\ud800-\udbff][\udc00-\udfff]")
    text = pairs.sub(lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), text)
    return _pattern("[\ud800-\udfff]").sub("", text)


def _plain_letters(text: str) -> str:
    if not _pattern("[\U0001d400-\U0001d7ff]").search(text):
        return text
    return _pattern(_STYLED).sub(lambda found: unicodedata.normalize("NFKC", found[0]), text)


# --- Entities, ties and quotation marks -----------------------------------------------------------

_ENTITY = r"&(#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31})\Z"
_LONGEST_ENTITY = 40


def _decoded(text: str) -> str:
    """Decode entities that end in a semicolon until none is left, in one pass over the text."""
    if "&" not in text or ";" not in text:
        return text
    done: list[str] = []
    tail = ""
    *pieces, last = text.split(";")
    for piece in pieces:
        tail = _semicolon(tail + piece)
        done.append(tail[:-_LONGEST_ENTITY])
        tail = tail[-_LONGEST_ENTITY:]
    return "".join([*done, tail, last])


def _semicolon(text: str) -> str:
    """Add a semicolon to a text, and decode the entity that it ends."""
    from html import unescape
    from html.entities import html5

    while found := _pattern(_ENTITY).search(text):
        if found[1][0] != "#" and f"{found[1]};" not in html5:
            break
        meant = unescape(f"{found[0]};")
        text = text[: found.start()] + meant.removesuffix(";")
        if not meant.endswith(";"):
            return text
    return f"{text};"


def _untied(text: str) -> str:
    """Replace LaTeX's tie by a space, as in `Android~Apps` and `modeling~(MLM)`, not in a URL."""
    if "~" not in text:
        return text
    tie = _pattern(r"(?<=[A-Za-z]{4})~(?=[A-Za-z]{4})|(?<=[a-z]{3})~(?=\()|(?<=[a-z]\.)~(?=\w)")
    return _pattern(r"(?<!\S)[^\s/\\]+(?!\S)").sub(lambda word: tie.sub(" ", word[0]), text)


def _quoted(text: str) -> str:
    """Replace TeX's quotation marks: ``so called'' becomes “so called”."""
    return _pattern(r"``([^`\"]*?)(?:''|\")").sub(r"“\1”", text) if "``" in text else text


# What TeX's authors type, and what they mean: quotation marks, dashes, exponents, lone braces.
_TYPED: tuple[tuple[str, str, str], ...] = (
    ("`", r"(?<![\w`])`([^\s`'][^`']{0,60})'(?![\w'])", r"‘\1’"),
    ("---", r"(?<=\w)---(?=\w)", " — "),
    ("---", r"(?<=\w )---(?= \w)", "—"),
    ("--", r"(?<=\w )--(?= \w)|(?<=\w)--(?=\w)", "–"),
    ("^", r"(?<=[A-Za-z])\^2(?![0-9])", "²"),
    ("^", r"(?<=[A-Za-z])\^3(?![0-9])", "³"),
    (":", r"(?<=\w) ?: :(?= )|(?<=[A-Za-z]) :(?= [A-Z])", ":"),
    (":", r"(?<=[a-z]{4}):(?=[A-Z][a-z]{2})", ": "),
    ("{", r"\{([A-Za-z\u00c0-\u024f][A-Za-z-]{0,40})\}", r"\1"),
    ("\\", r"\\(?=[\u00c0-\u024f])", ""),
)


def _typeset(text: str) -> str:
    for sign, pattern, meant in _TYPED:
        if sign in text:
            text = _pattern(pattern).sub(meant, text)
    return text


# --- Sentences ------------------------------------------------------------------------------------

_STOP = r"[.!?…。！？][\"'”’»)\]]* (?=\S)"
_LONGEST_WORD = 30
_OPENING = "([{“‘«\"'"
# `_NEVER` never ends a sentence; `_SELDOM` ends one only before a word that can begin one.
_NEVER = """
    e.g i.e cf vs viz resp approx w.r.t a.k.a fig figs eq eqs eqn sec secs sect ref refs tab thm lem
    prop def alg app ch chap vol pp dr prof mr mrs ms st mt ph.d
"""
_SELDOM = "al no nos inc ltd corp co jr sr dept univ"
_INITIALS = r"(?:[A-Z]|(?:[A-Za-z]\.)+[A-Za-z])"
_OPENERS = """
    A Additionally After All Although An And Another Applying Are As At Based Because Besides Both
    But By Code Compared Consequently Current Currently Despite Due Each Empirically Even Existing
    Experimental Experiments Extensive Finally First Firstly For From Further Furthermore Given Here
    Hence How However If Importantly In Indeed Inspired Instead Is It Its Lastly Many More Moreover
    Most Motivated Next No Not Notably Nevertheless Of On One Our Overall Previous Prior Recent
    Recently Results Second Secondly Several Similarly Since So Some Specifically Such Surprisingly
    That The Their Then There Therefore These They Third This Those Through Thus To Today
    Traditionally Two Under Unfortunately Unlike Using Via We What When Where Whereas Whether Which
    While Why With Without Yet You
"""


@cache
def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _ends(before: str, stop: str, after: str) -> bool:
    """Tell whether a full stop ends a sentence, by the words before and after it."""
    following = after.lstrip(_OPENING)
    if following[:1].islower():
        return False
    if stop[0] != ".":
        return True
    *earlier, word = before.split(" ")
    word = word.lstrip(_OPENING)
    opener = following.split(" ")[0].rstrip(",;:") in _words(_OPENERS)
    if word.lower() in _words(_NEVER) or (word.isdigit() and not earlier):
        return False
    seldom = word.lower() in _words(_SELDOM) or _pattern(_INITIALS).fullmatch(word)
    return opener if seldom else True
