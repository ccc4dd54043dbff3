"""Shorten a post until it fits: the summary and the areas first, then the authors and the title.

The functions know no network and no template: the caller passes a way to render and to measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from bot.formatter.views import PaperView

_LISTED = 120
"""Characters up to which a list of authors comes before the summary."""
SHORTEST_TITLE = 20
"""A title is not cut to fewer characters than this; a post that would need it does not fit."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How long a text is in a network's count, whether it fits, and how to cut it.

    `cut` shortens a text to at most a number of characters, and defuses the result: a cut can turn
    `foo.common`, which is no address, into the address `foo.com`.
    """

    limit: int
    length: Callable[[str], int]
    fits: Callable[[str], bool]
    cut: Callable[[str, int], str]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text that fits, and what was shortened for it (`authors`, `areas`, `title`).

    `spare` is the part of its length that the summary takes.
    """

    text: str
    shortened: tuple[str, ...] = ()
    spare: int = 0


def fit_paper(
    view: PaperView,
    authors: Sequence[str],
    sentences: Callable[[], Iterable[str]],
    render: Callable[[PaperView], str],
    measure: Measure,
) -> Fitted | None:
    """Return the text of a paper's post; None where no wording fits.

    `authors` holds the ways to write the authors, longest first; `sentences` returns the sentences
    that say what the paper does, the best first. What gives way is, in this order: the further
    sentences, the areas, the best sentence, the authors, the title. A list of more than
    `_LISTED` characters of authors gives way before the best sentence.
    """
    summary = next(iter(sentences()), "")
    found = _fitting(view, authors, summary, render, measure) if summary else None
    found = found or _fitting(view, authors, "", render, measure)
    if found is None:
        short = replace(view, authors=authors[-1], areas=())
        cut = fit_title(view.title, lambda title: render(replace(short, title=title)), measure)
        return Fitted(cut, ("authors", "areas", "title")) if cut else None
    best, text = found
    named = ("authors",) if best.authors != view.authors else ()
    shortened = (*named, "areas") if best.areas != view.areas else named
    if not best.summary:
        return Fitted(text, shortened)
    bare = measure.length(render(replace(best, summary="")))
    text = _with_more(best, text, sentences, render, measure)
    return Fitted(text, shortened, measure.length(text) - bare)


def _fitting(
    view: PaperView,
    authors: Sequence[str],
    summary: str,
    render: Callable[[PaperView], str],
    measure: Measure,
) -> tuple[PaperView, str] | None:
    """Return the view with this summary and the most authors and areas that fit, and its text.

    Areas stand only beside all authors. None where nothing fits; with a summary, also where it
    would cost names of a list that is no longer than `_LISTED`.
    """
    bare = replace(view, summary=summary, authors="", areas=())
    room = measure.limit - measure.length(render(bare))
    for names in authors:
        most = len(view.areas) if names == authors[0] else 0
        for kept in range(most, -1, -1) if measure.length(names) <= room else ():
            form = replace(bare, authors=names, areas=view.areas[:kept])
            text = render(form)
            if measure.fits(text):
                return form, text
        if summary and len(names) <= _LISTED:
            return None
    return None


def _with_more(
    view: PaperView,
    text: str,
    sentences: Callable[[], Iterable[str]],
    render: Callable[[PaperView], str],
    measure: Measure,
) -> str:
    """Return the post with as many sentences as fit; it fits with the first."""
    kept = [view.summary]
    for sentence in islice(sentences(), 1, None):
        kept.append(sentence)
        longer = render(replace(view, summary=" ".join(kept)))
        if longer == text or not measure.fits(longer):
            break
        text = longer
    return text


def fit_list(count: int, render: Callable[[int], str], measure: Measure) -> tuple[int, str] | None:
    """Find the most items, up to `count`, with which `render(items)` fits; None if 0 do not fit.

    The search assumes that more items make a longer text.
    """
    low, high, best = 0, count, None
    while low <= high:
        middle = (low + high + 1) // 2
        text = render(middle)
        if measure.fits(text):
            low, best = middle + 1, (middle, text)
        else:
            high = middle - 1
    return best


def fit_title(title: str, render: Callable[[str], str], measure: Measure) -> str | None:
    """Return the text with the longest cut of `title` that fits; None where none fits."""
    found = fit_list(
        max(len(title) - SHORTEST_TITLE, 0),
        lambda more: render(measure.cut(title, SHORTEST_TITLE + more)),
        measure,
    )
    return found[1] if found else None
