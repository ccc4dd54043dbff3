"""Draw the picture of a digest. The same digest gives the same bytes on every machine."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.model import Digest, Paper
from bot.picture.chart import WIDTH, chart
from bot.picture.faces import FAMILY, CannotDraw, files, split
from bot.picture.svg import svg
from bot.picture.words import alt

MOST = 10
"""The most papers in a picture: more titles could not be read on a phone."""

_LETTERS = ("L", "M", "N")
_SHOWN = 5
_PANIC = "pyo3_runtime"


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A PNG and its alternative text. Sizes are in pixels."""

    data: bytes = field(repr=False)
    alt: str
    width: int
    height: int
    type: str = "image/png"


def draw(digest: Digest, top: int = MOST) -> DrawnPicture:
    """Draw the first `top` papers of a tidied digest by their rank (0 for all, ten at most).

    The digest holds the account's own selection. No text stops the drawing: a sign that no font
    holds, such as an emoji, is left out; a title that would lose a letter is replaced by the arXiv
    id; if a name would lose a letter, the authors are left out. `undrawable` returns what was lost.

    Raises CannotDraw where there is no paper, or the library or a font is missing.
    """
    papers = _shown(digest, top)
    if not papers:
        raise CannotDraw(f"{digest.slug}: the digest has no paper to draw")
    fonts = files()
    title, lost = split(digest.title)
    drawable = replace(digest, title="" if _are_letters(lost) else title)
    shapes, height = chart(drawable, [*map(_drawable, papers)])
    data = _png(svg(shapes, WIDTH, height), fonts)
    return DrawnPicture(data, describe(digest, top), WIDTH, height)


def describe(digest: Digest, top: int = MOST) -> str:
    """Return the alternative text of the picture that `draw` would make."""
    return alt(digest, _shown(digest, top))


def undrawable(digest: Digest, top: int = MOST) -> tuple[str, ...]:
    """Return the characters of a picture's texts that no font holds, each once."""
    papers = _shown(digest, top)
    texts = (digest.title, *(text for paper in papers for text in (paper.title, *paper.authors)))
    return tuple(dict.fromkeys(char for text in texts for char in split(text)[1]))


def check(digest: Digest, top: int = MOST) -> None:
    """Raise CannotDraw for a digest whose picture cannot be drawn, or not with every character."""
    draw(digest, top)
    lost = undrawable(digest, top)
    if lost:
        named = ", ".join(map(_named, lost[:_SHOWN]))
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        raise CannotDraw(
            f"{digest.slug}: no font of the picture has {named}{more}",
            "The picture leaves these characters out; to draw them, add a font to "
            "bot/picture/fonts.",
        )


def _shown(digest: Digest, top: int) -> Sequence[Paper]:
    return digest.papers[: min(top or MOST, MOST)]


def _drawable(paper: Paper) -> Paper:
    title, lost = split(paper.title)
    authors = [split(name) for name in paper.authors]
    complete = not any(_are_letters(missing) for _, missing in authors)
    return replace(
        paper,
        title=paper.label if _are_letters(lost) or not title else title,
        authors=tuple(name for name, _ in authors if name) if complete else (),
    )


def _are_letters(lost: Sequence[str]) -> bool:
    return any(unicodedata.category(char)[0] in _LETTERS for char in "".join(lost))


def _png(document: str, fonts: Sequence[str]) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise CannotDraw(
            "resvg-py is not installed", "Install it with pip install resvg-py."
        ) from error
    try:
        return resvg_py.svg_to_bytes(
            svg_string=document, skip_system_fonts=True, font_files=list(fonts), font_family=FAMILY
        )
    except BaseException as error:
        # A panic in resvg's Rust code is a BaseException, and would end the program.
        if isinstance(error, Exception) or type(error).__module__ == _PANIC:
            raise CannotDraw("resvg-py cannot draw this picture", "Please report it.") from error
        raise


def _named(cluster: str) -> str:
    """Return a character and its number in Unicode: `ไ (U+0E44)`."""
    codes = " ".join(f"U+{ord(char):04X}" for char in cluster)
    return f"{cluster} ({codes})" if cluster.isprintable() else codes
