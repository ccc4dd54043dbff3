"""Render a digest for an account as a `Thread`: the exact posts, measured, in order.

The same digest, account and templates give the same thread, character by character, on any machine
and at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from bot.errors import DoesNotFit, TemplateError
from bot.formatter.defuse import defuse
from bot.formatter.fit import Fitted, Measure, fit_list, fit_paper
from bot.formatter.limits import length, within_bytes
from bot.formatter.markdown import surviving
from bot.formatter.rich import enrich, shorten
from bot.formatter.select import selected
from bot.formatter.templates import Templates
from bot.formatter.views import (
    DigestView,
    PaperView,
    author_forms,
    cut_at_word,
    digest_view,
    hashtags,
    paper_view,
)
from bot.model import Account, Card, Digest, Network, Paper, Post, Style, Syntax, Thread

OPENING = "opening"
CLOSING = "closing"

_HIGHLIGHTS = 3
_LONGEST_DESCRIPTION = 300  # characters; Bluesky's apps show two lines


def render(digest: Digest, account: Account, templates: Templates) -> Thread:
    """Return the thread of a tidied digest, without posts where the account publishes no paper.

    Raises TemplateError, and DoesNotFit for a post that cannot be made short enough.
    """
    chosen = selected(digest, account)
    top = chosen.papers[: account.top] if account.top else chosen.papers
    writer = _ThreadWriter(
        account=account,
        templates=templates,
        papers=top,
        views=tuple(paper_view(paper, account) for paper in top),
        digest=digest_view(chosen, account, len(top)),
        hashtags=hashtags(chosen, account),
        measure=_measure(account),
        summaries=templates.mentions("entry", "summary"),
    )
    if not top:
        posts = []
    elif account.style is Style.SINGLE:
        posts = [writer.single()]
    else:
        posts = writer.thread()
    numbered = (replace(post, position=number) for number, post in enumerate(posts))
    return Thread(account, digest.slug, tuple(numbered))


@dataclass(frozen=True, slots=True)
class _ThreadWriter:
    """Writes the posts of one thread; `render` sets their positions."""

    account: Account
    templates: Templates
    papers: tuple[Paper, ...]
    views: tuple[PaperView, ...]
    digest: DigestView
    hashtags: tuple[str, ...]
    measure: Measure
    summaries: bool

    def thread(self) -> list[Post]:
        """Return an opening, a post for each paper, and a closing if its template has text."""
        entries = [self._entry(*pair) for pair in zip(self.papers, self.views, strict=True)]
        closing = self._render("closing")
        return [self._opening(), *entries, *([self._closing(closing)] if closing else [])]

    def single(self) -> Post:
        """Return one post with as many papers as fit; where one fits, with all about it."""

        def papers(kept: int) -> str:
            return self._single(self.views[:kept])

        best = fit_list(len(self.views), papers, self.measure)
        if best and best[0] > 1:
            return self._post("single", OPENING, Fitted(best[1]), self.digest.title)
        first = self.papers[0]
        said = self._sentences(first)
        fitted = fit_paper(
            self.views[0],
            author_forms(first, self.account.network),
            lambda: said,
            lambda form: self._single((form,)),
            self.measure,
        )
        return self._post("single", OPENING, fitted, self.digest.title)

    def _single(self, papers: tuple[PaperView, ...]) -> str:
        shown = len(papers)
        digest = replace(self.digest, shown=shown, more=self.digest.total - shown)
        return self._render("single", papers=papers, digest=digest)

    def _opening(self) -> Post:
        """Return the opening with as many highlights as fit.

        Where the text does not fit even without highlights, its hashtags are left out too.
        """

        def highlights(kept: int) -> str:
            return self._render("opening", highlights=self.views[:kept])

        measure = self.measure
        best = fit_list(min(len(self.views), _HIGHLIGHTS), highlights, measure)
        text = best[1] if best else self._render("opening", highlights=(), hashtags=())
        fitted = Fitted(text) if measure.fits(text) else None
        return self._post("opening", OPENING, fitted, self.digest.title)

    def _entry(self, paper: Paper, view: PaperView) -> Post:
        network = self.account.network
        said = self._sentences(paper)
        fitted = fit_paper(
            view,
            author_forms(paper, network),
            lambda: said,
            lambda form: self._render("entry", paper=form),
            self.measure,
        )
        reference = self._shown(view.reference)
        token = paper.key if paper.key in reference else reference
        post = self._post("entry", paper.key, fitted, token)
        return replace(post, card=_card(paper, view)) if network is Network.BLUESKY else post

    def _sentences(self, paper: Paper) -> tuple[str, ...]:
        """Return what the paper does, in sentences; none where the template shows no summary."""
        network = self.account.network
        return tuple(defuse(each, network) for each in paper.says) if self.summaries else ()

    def _closing(self, text: str) -> Post:
        fitted = Fitted(text) if self.measure.fits(text) else None
        return self._post("closing", CLOSING, fitted, self.digest.title)

    def _render(self, name: str, **variables: object) -> str:
        shared = {
            "account": self.account.name,
            "digest": self.digest,
            "hashtags": self.hashtags,
            "network": self.account.network.value,
        }
        text = self.templates.render(name, shared | variables)
        return surviving(text) if self.account.dialect is Syntax.MARKDOWN else text

    def _shown(self, text: str) -> str:
        """Return the text as readers see it."""
        return shorten(text) if self.account.network is Network.BLUESKY else text

    def _post(self, template: str, part: str, fitted: Fitted | None, token: str) -> Post:
        account = self.account
        token = surviving(token) if account.dialect is Syntax.MARKDOWN else token
        if fitted is None:
            raise DoesNotFit(
                f"account {account.name}: the post {part!r} is longer than "
                f"{account.max_characters} characters, even with everything shortened",
                f"Shorten the template {self.templates.path(template)}.",
            )
        if token not in self._shown(fitted.text):
            raise TemplateError(
                f"{self.templates.path(template)}:1: the post {part!r} does not contain {token!r}, "
                "and bot could not recognise it on the network",
                "Print {{ paper.reference }} in an entry, {{ digest.title }} in the other "
                "templates.",
            )
        size = self.measure.length(fitted.text)
        limit = account.max_characters
        post = Post(
            *(0, part, fitted.text, token, size, limit),
            shortened=fitted.shortened,
            spare=fitted.spare,
        )
        if account.network is not Network.BLUESKY:
            return post
        rich = enrich(fitted.text, self.hashtags)
        return replace(post, text=rich.text, spans=rich.spans)


def _card(paper: Paper, view: PaperView) -> Card:
    """Return the preview of a paper's page: its title, its authors and what it does."""
    about = ". ".join(filter(None, (", ".join(paper.authors), *paper.says[:1])))
    return Card(paper.link, view.title, cut_at_word(about, _LONGEST_DESCRIPTION))


def _measure(account: Account) -> Measure:
    """Return the account's measure. It caches lengths, since each post is measured twice."""
    network, limit = account.network, account.max_characters
    shown = shorten if network is Network.BLUESKY else str

    @cache
    def measured(text: str) -> int:
        return length(network, shown(text))

    return Measure(
        limit=limit,
        length=measured,
        fits=lambda text: measured(text) <= limit and within_bytes(network, shown(text)),
        cut=lambda text, longest: defuse(cut_at_word(text, longest), network),
    )
