"""Which of the posts that a network gives back are ours: pure, and never a guess.

A post is surely ours by its key, by its whole text, or by our own application's name together with
its token. A token alone is enough only for a reply that the first reading of a thread finds: that
is how posts look whose ledger was lost and whose template changed since. What merely resembles
a post of ours is not taken for one: it is reported, and a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.ledger.rows import StoredPost, StoredThread
from bot.model import State
from bot.posters.poster import Seen
from bot.posters.undo import normal

Fits = Callable[[StoredPost, Seen], bool]

_PAPER = re.compile(r"arxiv\.org/abs/\S|arXiv:\S")


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was made out of the posts that were read.

    `adopted` gives, by position, the posts that are ours and that the ledger did not know. `tail`
    is the id of the last post of the chain as it was found, to which the next one replies; empty
    where there is no chain. `skipped` are the positions that the chain went past without them.
    `doubtful` says, in a sentence, what only a person can decide; then nothing is adopted.
    """

    adopted: Mapping[int, Seen] = field(default_factory=dict)
    tail: str = ""
    skipped: tuple[int, ...] = ()
    doubtful: str = ""


def recognise(
    thread: StoredThread,
    seen: Sequence[Seen],
    *,
    others: Collection[str] = (),
    application: str = "",
) -> Recognised:
    """Make out the posts of `thread` among `seen`.

    `others` are ids that the ledger has for posts of other threads, `application` is the name under
    which our own posts appear.
    """
    return _Reading(thread, seen, others, application).recognise()


def misplaced(
    thread: StoredThread,
    seen: Sequence[Seen],
    *,
    others: Collection[str] = (),
    application: str = "",
) -> tuple[tuple[int, Seen], ...]:
    """Posts that are surely ours and that the ledger does not know, with the position of each."""
    reading = _Reading(thread, seen, others, application)
    known = {post.id for post in thread.posts if post.id}
    return tuple(reading.strays(known))


@dataclass(frozen=True, slots=True)
class _Reading:
    """One look at the account, for one thread."""

    thread: StoredThread
    seen: Sequence[Seen]
    others: Collection[str]
    application: str

    def recognise(self) -> Recognised:
        opening = self.thread.posts[0]
        if opening.state is State.SENT:
            return self._follow(opening.id, {})
        roots = [post for post in self.seen if not post.parent and post.id not in self.others]
        ours = [post for post in roots if self._surely(opening, post)]
        if len(ours) > 1:
            return Recognised(doubtful=_several(opening, ours))
        if ours:
            return self._follow(ours[0].id, {0: ours[0]})
        alike = [post for post in roots if _says(post, opening.token)]
        if alike:
            return Recognised(
                doubtful=f"{_place(alike[0])} resembles the opening, and its words are others: it "
                "may be a person's own, or ours from before a template changed"
            )
        return self._unless_misplaced(Recognised(), set())

    def strays(self, known: Collection[str]) -> Iterator[tuple[int, Seen]]:
        """What is surely ours, and neither `known` nor part of another thread."""
        by_id = {post.id: post for post in self.seen}
        for post in self.seen:
            if post.id in known or post.id in self.others:
                continue
            position = self._position(post, self._surely, anywhere=True)
            if position >= 0 and not self._hangs_elsewhere(post, by_id):
                yield position, post

    def _hangs_elsewhere(self, post: Seen, by_id: Mapping[str, Seen]) -> bool:
        """Whether it is in a thread with an opening of its own: a paper may be in two digests."""
        passed: set[str] = set()
        while post.parent in by_id and post.id not in passed:
            passed.add(post.id)
            post = by_id[post.parent]
        ours = self._surely(self.thread.posts[0], post)
        return bool(passed) and not post.parent and not ours

    def _follow(self, root: str, adopted: dict[int, Seen]) -> Recognised:
        """Go along the chain as it was found, from its root to its last post."""
        posts, tail, reached, passed = self.thread.posts, root, 0, {root}
        while True:
            known = posts[reached + 1] if reached + 1 < len(posts) else None
            if known and known.state is State.SENT:
                tail, reached = known.id, known.position
            else:
                replies = [each for each in self.seen if each.parent == tail]
                step = self._next([each for each in replies if each.id not in passed], reached)
                if isinstance(step, str):
                    return Recognised(doubtful=step)
                if step is None:
                    break
                position, post = step
                if position > reached:
                    reached, adopted[position] = position, post
                tail = post.id
            passed.add(tail)
        skipped = (
            post.position
            for post in posts[:reached]
            if post.state is not State.SENT and post.position not in adopted
        )
        return self._unless_misplaced(Recognised(adopted, tail, tuple(skipped)), passed)

    def _next(self, replies: Sequence[Seen], reached: int) -> tuple[int, Seen] | str | None:
        """The post of the chain among `replies`, and its position (-1: of an earlier plan).

        None where the chain ends; a sentence where only a person can tell.
        """
        sure = [(self._position(post, self._surely), post) for post in replies]
        sure = [(position, post) for position, post in sure if position > reached]
        if len(sure) > 1:
            return _several(self.thread.posts[sure[0][0]], [post for _, post in sure])
        if sure:
            return sure[0]
        older = [post for post in replies if self._may_be_older(post)]
        likely = [(self._position(post, _token_of), post) for post in older]
        likely = [(position, post) for position, post in likely if position > reached]
        if len(likely) == 1 and likely[0][0] == reached + 1:
            return likely[0]
        if likely:
            place = _place(likely[0][1])
            return f"{place} resembles post {likely[0][0]}, and is not where that belongs"
        return next(((-1, post) for post in older if _PAPER.search(post.text)), None)

    def _unless_misplaced(self, found: Recognised, passed: Collection[str]) -> Recognised:
        """What was found, unless something of ours hangs elsewhere: its parent was deleted, say."""
        known = {post.id for post in self.thread.posts if post.id} | {*passed}
        for position, post in self.strays(known):
            what = f"{_place(post)} is post {position} of this thread, and is not where it belongs"
            return Recognised(doubtful=f"{what}: there twice, or what it replied to was deleted")
        return found

    def _surely(self, planned: StoredPost, post: Seen) -> bool:
        if post.key and post.key == planned.key:
            return True
        if normal(post.text) == normal(planned.text):
            return True
        by_us = bool(self.application) and post.application == self.application
        return by_us and _says(post, planned.token)

    def _may_be_older(self, post: Seen) -> bool:
        """Whether it can be ours from before this plan: then its words may be others.

        Such posts are met by the first reading, and in a thread of which something was found
        that this ledger never tried. Times would not tell: clocks differ.
        """
        named = bool(self.application and post.application)
        by_us = not named or post.application == self.application
        posts = self.thread.posts
        found = any(each.state is State.SENT and not each.tries for each in posts)
        return by_us and (found or self.thread.looked_at is None)

    def _position(self, post: Seen, fits: Fits, *, anywhere: bool = False) -> int:
        """Which post of the thread this is; -1 for none. A paper's id counts before the title.

        A root can only be the opening, and a reply not, unless it may hang `anywhere`: some servers
        make a root of a reply whose parent was deleted.
        """
        opening, replies = self.thread.posts[:1], self.thread.posts[1:]
        candidates = (*replies, *opening) if anywhere else replies if post.parent else opening
        return next((each.position for each in candidates if fits(each, post)), -1)


def _token_of(planned: StoredPost, post: Seen) -> bool:
    return _says(post, planned.token)


def _says(post: Seen, token: str) -> bool:
    """Whether the token stands in the text as a whole.

    `2106.1093` does not in `2106.10934`, nor a day's title in that of the days from it on.
    """
    pattern = rf"(?<![\w.]){re.escape(normal(token))}(?!\w|\.\w|\s*[-\u2013]\s*\d)"
    return bool(re.search(pattern, normal(post.text)))


def _several(planned: StoredPost, found: Sequence[Seen]) -> str:
    places = " and ".join(map(_place, found))
    return f"post {planned.position} is there more than once: {places}"


def _place(post: Seen) -> str:
    return post.url or post.id
