"""Making a post fit: authors give way first, then the summary, then the title, at a word.

Nothing here knows a network or a template: it is given a way to render and a way to measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.formatter.views import PaperView

SHORTEST_TITLE = 20
"""A title is not cut to fewer characters than this; a post that would need it does not fit."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How long a text is in a network's count, whether it may be published, and how to cut it.

    `cut` makes at most so many characters of a text; the end of a cut is safe to be shown, since
    `foo.common`, which is nothing, becomes the address `foo.com` when it is cut.
    """

    limit: int
    length: Callable[[str], int]
    fits: Callable[[str], bool]
    cut: Callable[[str, int], str]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A text that fits, and what had to give way for it (`authors`, `areas`, `title`).

    `spare` of its length is the summary's.
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
    """Word a paper's post; None where no wording fits.

    `authors` are the ways to write them, longest first, `sentences` gives the abstract's. Of the
    room that is left the summary gets as much as whole sentences can fill; where the authors leave
    it none, they are shortened for it.
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
    """Find the most items, up to `count`, with which `render(items)` fits; None if not even none.

    More items are taken to make a longer text.
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
    """The text with the longest cut of `title` that fits; None where the shortest does not."""
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
    """`bare` with as many sentences as fit, None if none does.

    Gives `bare` itself where there is nothing to add: no abstract, or no place for one in the
    template.
    """
    room = measure.limit - measure.length(bare) + 1  # no space before the first
    kept: list[str] = []
    first = ""
    for sentence in sentences():
        first = first or sentence
        room -= measure.length(sentence) + 1
        if room < 0:
            break
        kept.append(sentence)
    # the template may set more around a summary than the estimate knows
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
    """The wording without one area after the other, then with a shorter title too."""
    for kept in range(len(view.areas) - 1, -1, -1):
        text = render(replace(view, areas=view.areas[:kept]))
        if measure.fits(text):
            return Fitted(text, ("authors", "areas"))
    short = replace(view, areas=())
    cut = fit_title(view.title, lambda title: render(replace(short, title=title)), measure)
    return Fitted(cut, ("authors", "areas", "title")) if cut else None
