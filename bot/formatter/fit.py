"""Shorten a post until it fits: the authors first, then the summary, the areas and the title.

The functions know no network and no template: the caller passes a way to render and to measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.formatter.views import PaperView

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
    of the abstract. The summary gets as many complete sentences as the remaining room holds; where
    there is no room for one, the authors are shortened.
    """
    first: Fitted | None = None
    for names in authors:
        form = replace(view, authors=names)
        text = render(form)
        if measure.fits(text):
            shortened = () if names == view.authors else ("authors",)
            summed = _with_summary(form, text, sentences, render, measure)
            if summed:
                return Fitted(summed, shortened, measure.length(summed) - measure.length(text))
            first = first or Fitted(text, shortened)
    return first or _with_less(replace(view, authors=authors[-1]), render, measure)


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


def _with_summary(
    view: PaperView,
    bare: str,
    sentences: Callable[[], Iterable[str]],
    render: Callable[[PaperView], str],
    measure: Measure,
) -> str | None:
    """Return the post with as many sentences as fit, None if none fits.

    Returns `bare` itself where there is no abstract, or the template shows no summary.
    """
    room = measure.limit - measure.length(bare) + 1  # the first sentence has no space before it
    kept: list[str] = []
    first = ""
    for sentence in sentences():
        first = first or sentence
        room -= measure.length(sentence) + 1
        if room < 0:
            break
        kept.append(sentence)
    # the template may print more around a summary than the estimate counts
    while kept:
        text = render(replace(view, summary=" ".join(kept)))
        if text == bare or measure.fits(text):
            return text
        kept.pop()
    no_place = not first or render(replace(view, summary=first)) == bare
    return bare if no_place else None


def _with_less(
    view: PaperView, render: Callable[[PaperView], str], measure: Measure
) -> Fitted | None:
    """Remove one area after the other from a paper's post, then cut its title too."""
    for kept in range(len(view.areas) - 1, -1, -1):
        text = render(replace(view, areas=view.areas[:kept]))
        if measure.fits(text):
            return Fitted(text, ("authors", "areas"))
    short = replace(view, areas=())
    cut = fit_title(view.title, lambda title: render(replace(short, title=title)), measure)
    return Fitted(cut, ("authors", "areas", "title")) if cut else None
