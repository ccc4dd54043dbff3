"""Finds out which posts that were read belong to a thread. Pure, and it never guesses.

A post belongs to the thread by its key or complete text (`Match.WHOLE`), or by the name of our
application together with its token (`Match.NAMED`). A token alone (`Match.TOKEN`) is enough for a
reply only where another sender or a try of this ledger may have published it: then the text may
come from another template, or the network changed it. A post that only resembles one of the thread
is not adopted: it is reported, and a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from functools import cached_property, lru_cache

from bot.formatter.render import CLOSING, OPENING
from bot.ledger.rows import StoredPost, StoredThread
from bot.model import State
from bot.posters.plain_text import normal
from bot.posters.poster import RemotePost

_normal = lru_cache(maxsize=2048)(normal)
_PAPER = re.compile(r"arxiv\.org/abs/\S|arXiv:\S")
_NUMBER = re.compile(r"[0-9]+")
_DIGITS = 4  # of a number of papers
_ALIKE = 0.5
_NEARLY = 0.75
_MOST = 0.5


class Match(IntEnum):
    """How certain it is that a post that was read is a planned post; a higher value is surer."""

    NONE = 0
    TOKEN = 1
    NAMED = 2
    WHOLE = 3


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was recognised in the posts that were read.

    `adopted` maps positions to posts of the thread that the ledger did not know. `tail` is the id
    of the last post of the chain that was found, to which the next post replies; empty where there
    is no chain. `skipped` are the positions for which the chain has no room. `order` is set where
    the chain was never tried by this ledger and has its papers in another order than the thread: it
    lists the parts of the chain and then those that are to follow, with None for a paper that the
    thread does not have. `unclear` says in a sentence what only a person can decide. With `order`
    or `unclear` no post is adopted.
    """

    adopted: Mapping[int, RemotePost] = field(default_factory=dict)
    tail: str = ""
    skipped: tuple[int, ...] = ()
    order: tuple[str | None, ...] = ()
    unclear: str = ""


@dataclass(frozen=True)
class ThreadMatcher:
    """Matches the posts of one read of the account with one thread.

    `seen` are the account's own posts, `others` the ids that the ledger has for posts of other
    threads, `application` the name under which our posts appear. `older` are the ids that were seen
    before the unknown post was tried. `since` is the earliest time, by the network's clock, at
    which that try can have published the post; None where it is not known. With `as_planned` the
    chain's order is not compared: the thread was already planned again in that order.
    """

    thread: StoredThread
    seen: Sequence[RemotePost]
    others: Collection[str] = ()
    application: str = ""
    older: Collection[str] = ()
    since: datetime | None = None
    as_planned: bool = False

    def recognise(self) -> Recognised:
        """Find the chain of the thread, from its opening to the last post that is published."""
        opening = self.thread.posts[0]
        if opening.state is State.SENT:
            return self._follow(opening.id, {})
        roots = [post for post in self.seen if not post.parent and post.id not in self.others]
        ours = [post for post in roots if self._is_opening(post)]
        if len(ours) > 1:
            return Recognised(unclear=_several([(0, post) for post in ours]))
        if ours:
            return self._follow(ours[0].id, {0: ours[0]})
        for post in roots:
            if reason := self._resembles(post):
                return Recognised(unclear=reason)
        return self._unless_misplaced(Recognised(), set())

    def holds_wholes(self) -> bool:
        """Tell whether any post is the thread's by key or complete text, wherever it hangs."""
        found = (self._best(post, self.thread.posts)[0] for post in self.seen)
        return any(each is Match.WHOLE for each in found)

    def wholes(self) -> Mapping[str, int]:
        """Map the posts that are the thread's by key or complete text to their positions.

        An opening counts only if it is not that of another digest with the same title and day.
        """
        found = {post.id: self._best(post, self.thread.posts) for post in self.seen}
        return {
            post.id: found[post.id][1]
            for post in self.seen
            if post.id not in self.others
            and found[post.id][0] is Match.WHOLE
            and not (
                self._hangs_elsewhere(post) if post.parent else self._is_of_another_digest(post)
            )
        }

    def strays(self, known: Collection[str]) -> Iterator[tuple[int, RemotePost]]:
        """Yield posts that surely are the thread's, and neither `known` nor in another thread."""
        opening = self.thread.posts[0]
        for post in self.seen:
            if post.id in known or post.id in self.others:
                continue
            match, position = self._best(post, self.thread.posts)
            if position == 0 and not post.parent:
                # a root without replies may be a second opening that the network changed
                bare = opening.id and not self._below.get(post.id) and not self._is_apart(post)
                nearly = bool(bare) and _alike(post.text, opening.text)
                is_ours = nearly or self._is_opening(post)
            else:
                is_ours = match >= Match.NAMED and not self._hangs_elsewhere(post)
            if is_ours:
                yield position, post

    def doubles(self) -> Iterator[tuple[int, RemotePost]]:
        """Yield posts that are published twice: strays, and replies in the thread with other words.

        The thread must be published: all its posts have ids.
        """
        known = {post.id for post in self.thread.posts if post.id}
        strays = dict(self.strays(known))
        yield from strays.items()
        for post in self.seen:
            if post.id in known or post.id in self.others or post.parent not in known:
                continue
            match, position = self._best(post, self.thread.posts[1:])
            altered = match is Match.TOKEN and _alike(post.text, self.thread.posts[position].text)
            if altered and position not in strays and not self._is_apart(post):
                yield position, post

    # Single posts --------------------------------------------------------------------------------

    def _match(self, planned: StoredPost, post: RemotePost) -> Match:
        if post.key and post.key == planned.key:
            return Match.WHOLE
        if _normal(post.text) == _normal(planned.text):
            return Match.WHOLE
        if not _says(post, planned.token):
            return Match.NONE
        by_us = bool(self.application) and post.application == self.application
        return Match.NAMED if by_us else Match.TOKEN

    def _best(self, post: RemotePost, among: Sequence[StoredPost]) -> tuple[Match, int]:
        """Return the surest match of the post, and its position; position -1 for no match.

        An entry may name another paper's id: of equal matches the one with the longest common
        beginning counts.
        """
        seen = _normal(post.text)
        matches = [
            (match, _same_beginning(seen, _normal(each.text)), -each.position)
            for each in among
            if (match := self._match(each, post))
        ]
        match, _, position = max(matches, default=(Match.NONE, 0, 1))
        return match, -position

    def _is_apart(self, post: RemotePost) -> bool:
        """Tell whether the network names another key or another application than ours."""
        if post.key:
            return all(post.key != each.key for each in self.thread.posts)
        return bool(self.application and post.application) and (
            post.application != self.application
        )

    # The opening ---------------------------------------------------------------------------------

    def _is_opening(self, post: RemotePost) -> bool:
        """Tell whether a root is surely the thread's opening.

        Two digests may have the same title and day. So our application's name and the title need an
        entry of the thread below them, and a similar text needs a try with an unknown outcome. The
        posts below must not be another digest's papers.
        """
        opening = self.thread.posts[0]
        if post.key and post.key == opening.key:
            return True
        match = self._match(opening, post)
        if not match or (match is not Match.WHOLE and self._is_apart(post)):
            return False
        if self._is_of_another_digest(post):
            return False
        alike = _alike(post.text, opening.text)
        unknown = alike and opening.tries > 0 and not opening.id and self._is_young(post)
        named = match is Match.NAMED and self._holds_ours(post)
        return match is Match.WHOLE or unknown or named or self._is_framed(post)

    def _is_framed(self, root: RemotePost) -> bool:
        """Tell whether a root has the lines of the opening, and else only lines about its papers.

        It looks like this where the ranks changed since. Numbers are ignored.
        """
        ours, there = (_lines(text) for text in (self.thread.posts[0].text, root.text))
        papers = [" ".join(_lines(post.text)) for post in self._entries]
        return all(any(line in words for words in papers) for line in ours ^ there)

    def _holds_ours(self, root: RemotePost) -> bool:
        below = self._below.get(root.id, ())
        return any(self._best(each, self._entries)[0] for each in below)

    def _is_of_another_digest(self, root: RemotePost) -> bool:
        papers = any(_PAPER.search(each.text) for each in self._below.get(root.id, ()))
        return papers and not self._holds_ours(root)

    def _resembles(self, root: RemotePost) -> str:
        """Say why a root may be the opening or have its papers, though that is not certain."""
        opening, entries = self.thread.posts[0], self._entries
        below = self._below.get(root.id, ())
        found = [(*self._best(each, entries), self._is_apart(each)) for each in below]
        held = {at for match, at, apart in found if match is Match.WHOLE or (match and not apart)}
        papers = sum(bool(_PAPER.search(each.text)) for each in below)
        if held and len(held) > _MOST * min(len(entries), max(papers, len(held))):
            return f"{_place(root)} is a thread that has {len(held)} of the {len(entries)} papers"
        if self._is_apart(root) or self._is_of_another_digest(root):
            return ""
        tried = opening.state is not State.PLANNED and self._is_young(root)
        nearly = _alike(root.text, opening.text, _ALIKE if tried else _NEARLY)
        unreadable = tried and not root.text.strip()
        if nearly or unreadable or _says(root, opening.token):
            return (
                f"{_place(root)} resembles the opening, but its text differs; a person may have "
                "written it, or bot before a template changed"
            )
        return ""

    @cached_property
    def _entries(self) -> Sequence[StoredPost]:
        return [post for post in self.thread.posts if post.part not in (OPENING, CLOSING)]

    @cached_property
    def _tops(self) -> Mapping[str, RemotePost]:
        """Each post's topmost ancestor among the posts that were read."""
        by_id = {post.id: post for post in self.seen}
        tops: dict[str, RemotePost] = {}
        for post in self.seen:
            top, way = post, dict[str, None]()
            while top.parent in by_id and top.id not in tops and top.id not in way:
                way[top.id] = None
                top = by_id[top.parent]
            tops |= dict.fromkeys((*way, top.id), tops.get(top.id, top))
        return tops

    @cached_property
    def _below(self) -> Mapping[str, Sequence[RemotePost]]:
        """The posts below each topmost post, at any depth."""
        below: dict[str, list[RemotePost]] = {}
        for post in self.seen:
            if self._tops[post.id] is not post:
                below.setdefault(self._tops[post.id].id, []).append(post)
        return below

    # The chain -----------------------------------------------------------------------------------

    def _follow(self, root: str, adopted: dict[int, RemotePost]) -> Recognised:
        """Follow the chain from its root to its last post."""
        sent = self.thread.chain
        chain: list[str | None] = [post.part for post in sent if post.position]
        passed = {root, *(post.id for post in sent)}
        tail = sent[-1].id if sent else root
        while True:
            replies = [each for each in self.seen if each.parent == tail and each.id not in passed]
            step = self._next([each for each in replies if each.id not in self.others], adopted)
            if isinstance(step, str):
                return Recognised(unclear=step)
            if step is None:
                break
            position, post = step
            if position > 0:
                adopted[position] = post
            chain.append(self.thread.posts[position].part if position > 0 else None)
            tail = post.id
            passed.add(tail)
        untried = all(
            post.state in (State.PLANNED, State.UNKNOWN) and not post.tries and not post.refusals
            for post in self.thread.posts
        )
        if untried and not self.as_planned and (order := self._order(chain, adopted)):
            return self._unless_misplaced(Recognised(order=order), passed)
        skipped = self._surplus(chain, adopted)
        return self._unless_misplaced(Recognised(adopted, tail, skipped), passed)

    def _next(
        self, replies: Sequence[RemotePost], adopted: Mapping[int, RemotePost]
    ) -> tuple[int, RemotePost] | str | None:
        """Return the next post of the chain among `replies`, and its position.

        The position is -1 for a paper that only an earlier plan has. Returns None where the chain
        ends, and a sentence where a person must decide.
        """
        open_ = [
            each for each in self.thread.posts if not each.id and each.position not in {0, *adopted}
        ]
        found = [(*self._best(each, open_), each) for each in replies]
        for surest in (Match.WHOLE, Match.NAMED):
            if sure := [(position, post) for match, position, post in found if match is surest]:
                return sure[0] if len(sure) == 1 else _several(sure)
        unknown = open_[0] if open_ and open_[0].state is State.UNKNOWN else None
        older = self._may_be_older
        mine = [each for each in found if not self._is_apart(each[2])]
        expected = [each for each in mine if older or (unknown and self._is_young(each[2]))]
        likely = [
            (at, post)
            for match, at, post in mine
            if match is Match.TOKEN
            and ((match, at, post) in expected or _alike(post.text, self.thread.posts[at].text))
        ]
        if likely:
            return likely[0] if len(likely) == 1 else _several(likely)
        papers = [post for post in replies if older and self._is_paper(post)]
        if papers and not (unknown and unknown.tries):
            return -1, papers[0]
        unread = [post for _, _, post in expected if self._is_young(post)]
        if unknown and unread:
            return (
                f"{_place(unread[0])} is in the place of post {unknown.number}, but its text "
                "differs; the network may have changed the text"
            )
        return (-1, papers[0]) if papers else None

    def _is_paper(self, post: RemotePost) -> bool:
        """Tell whether a reply in the chain may be about a paper that the thread does not have."""
        named = self.application and post.application
        return not (named and post.application != self.application) and bool(
            _PAPER.search(post.text)
        )

    @property
    def _may_be_older(self) -> bool:
        """Whether posts of the thread may be another sender's, with other words.

        That is so at the first read, and in a thread of which a post was found that this ledger
        never tried. Times prove nothing here, since clocks differ.
        """
        found = any(post.state is State.SENT and not post.tries for post in self.thread.posts)
        return found or self.thread.looked_at is None

    def _is_young(self, post: RemotePost) -> bool:
        """Tell whether the try with the unknown outcome may have published the post."""
        late = self.since is None or post.created >= self.since
        return late and post.id not in self.older

    def _order(
        self, chain: Sequence[str | None], adopted: Mapping[int, RemotePost]
    ) -> tuple[str | None, ...]:
        """Return the order of the papers where it differs from the thread's; empty where it not.

        The papers of the chain keep their places. The other papers of the thread follow.
        """
        entries = [post.part for post in self._entries]
        skipped = {self.thread.posts[position].part for position in self._surplus(chain, adopted)}
        papers = [part for part in chain if part is None or part in entries]
        order = [*papers, *(part for part in entries if part not in {*papers, *skipped})]
        return () if order == entries else tuple(order)

    def _surplus(
        self, chain: Sequence[str | None], adopted: Mapping[int, RemotePost]
    ) -> tuple[int, ...]:
        """Return the positions not to be sent: the chain is closed, or has as many as it says."""
        missing = [
            post.position
            for post in self._entries
            if post.part not in chain and post.state is not State.RETRACTED
        ]
        if CLOSING in chain:
            return tuple(missing)
        # the number of papers that the found opening names, else the planned number
        total = len(self._entries)
        planned = _NUMBER.findall(self.thread.posts[0].text)
        found = _NUMBER.findall(adopted[0].text) if 0 in adopted else []
        if len(found) == len(planned):
            pairs = zip(planned, found, strict=True)
            totals = {there for ours, there in pairs if ours == str(total)}
            total = int(totals.pop()[:_DIGITS]) if len(totals) == 1 else total
        return tuple(missing[max(total - len(chain), 0) :])

    def _unless_misplaced(self, found: Recognised, passed: Collection[str]) -> Recognised:
        """Return `found`, or a question where a post of the thread is outside the chain.

        A second opening that is younger than this thread's belongs to another sender, which finds
        this thread and stops. This thread continues, and its final check reports the other opening.
        """
        opening = self.thread.posts[0]
        known = {post.id for post in self.thread.posts if post.id} | {*passed}
        ours = next((post for post in self.seen if post.id == opening.id), None)
        for position, post in self.strays(known):
            younger = ours is not None and (ours.created, ours.id) < (post.created, post.id)
            if position == 0 and opening.tries and younger:
                continue
            planned = self.thread.posts[position]
            if planned.id:
                places = f"{planned.url or planned.id} and {_place(post)}"
                return Recognised(
                    unclear=f"post {planned.number} is published more than once, as {places}"
                )
            what = f"{_place(post)} is post {planned.number} of this thread in a wrong place"
            why = "it is published twice, or the post that it replied to was deleted"
            return Recognised(unclear=f"{what}; {why}")
        return found

    def _hangs_elsewhere(self, post: RemotePost) -> bool:
        """Tell whether a post is in another thread: a paper may be in two digests."""
        top = self._tops[post.id]
        ours = top.id == self.thread.posts[0].id or self._is_opening(top)
        return top is not post and not top.parent and not ours


def _lines(text: str) -> set[str]:
    """Return the lines of a text for comparison: without bullets and ellipses, numbers masked."""
    lines = (_NUMBER.sub("#", _normal(line)) for line in text.splitlines())
    return {line.strip("•·-*… ") for line in lines} - {""}


def _alike(text: str, other: str, share: float = _ALIKE) -> bool:
    """Tell whether two texts have at least this share of their words in common."""
    words, others = set(_normal(text).split()), set(_normal(other).split())
    return len(words & others) >= share * max(len(words | others), 1)


def _same_beginning(text: str, other: str) -> int:
    """Return how many characters two texts have in common before they differ."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(text), len(other)))


def _says(post: RemotePost, token: str) -> bool:
    """Tell whether the post's text has the complete token.

    `2106.10934` does not have the token `2106.1093`, and the title of several days does not have
    the title of its first day.
    """
    pattern = rf"(?<![\w.]){re.escape(_normal(token))}(?!\w|\.\w|\s*[-\u2013]\s*\d)"
    return bool(re.search(pattern, _normal(post.text)))


def _several(found: Sequence[tuple[int, RemotePost]]) -> str:
    places = " and ".join(_place(post) for _, post in found)
    return f"post {found[0][0] + 1} is published more than once, as {places}"


def _place(post: RemotePost) -> str:
    return post.url or post.id
