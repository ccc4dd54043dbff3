"""Which of the posts that a network gives back are ours: pure, and never a guess.

A root is known by its whole text, by its key, or by our own application's name together with its
token; a reply by its parent and its token, or by its key. What merely resembles a post of ours is
not taken for one: it is reported, and a person decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bot.ledger.rows import StoredPost, StoredThread
from bot.model import State
from bot.posters.poster import Seen
from bot.posters.undo import normal

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
    fresh = [post for post in seen if post.id not in others]
    opening = thread.posts[0]
    if opening.state is State.SENT:
        return _follow(thread, fresh, opening.id, {})
    roots = [post for post in fresh if not post.parent]
    ours = [post for post in roots if _is_root(opening, post, application)]
    if len(ours) > 1:
        return Recognised(doubtful=_several(opening, ours))
    if ours:
        return _follow(thread, fresh, ours[0].id, {0: ours[0]})
    alike = [post for post in roots if normal(opening.token) in normal(post.text)]
    if alike:
        where = alike[0].url or alike[0].id
        return Recognised(
            doubtful=f"{where} resembles the opening, and its words are others: it may be a "
            "person's own, or ours from before a template changed"
        )
    return Recognised()


def _follow(
    thread: StoredThread, seen: Sequence[Seen], root: str, adopted: dict[int, Seen]
) -> Recognised:
    """Go along the chain as it was found, from its root to its last post."""
    tail, reached, passed = root, 0, {root}
    while True:
        known = thread.posts[reached + 1] if reached + 1 < len(thread.posts) else None
        if known and known.state is State.SENT:
            tail, reached = known.id, known.position
        else:
            replies = [post for post in seen if post.parent == tail and post.id not in passed]
            ours = [post for post in replies if _position(thread, post) > reached]
            if len(ours) > 1:
                return Recognised(doubtful=_several(thread.posts[reached + 1], ours))
            if ours:
                reached = _position(thread, ours[0])
                adopted[reached] = ours[0]
            # a paper of an earlier plan, with another `top` say: part of the chain all the same
            step = ours or [post for post in replies if _PAPER.search(post.text)]
            if not step:
                break
            tail = step[0].id
        passed.add(tail)
    skipped = (
        post.position
        for post in thread.posts[:reached]
        if post.state is not State.SENT and post.position not in adopted
    )
    return Recognised(adopted, tail, tuple(skipped))


def _is_root(opening: StoredPost, post: Seen, application: str) -> bool:
    if post.key and post.key == opening.key:
        return True
    text = normal(post.text)
    if text == normal(opening.text):
        return True
    return bool(application) and post.application == application and normal(opening.token) in text


def _position(thread: StoredThread, post: Seen) -> int:
    """Which post of the thread this reply is; -1 for none of them."""
    text = normal(post.text)
    for planned in thread.posts[1:]:
        if (post.key and post.key == planned.key) or _says(text, normal(planned.token)):
            return planned.position
    return -1


def _says(text: str, token: str) -> bool:
    """Whether the token stands in the text as a whole: `2106.1093` does not in `2106.10934`."""
    return bool(re.search(rf"(?<![\w.]){re.escape(token)}(?!\w|\.\w)", text))


def _several(planned: StoredPost, found: Sequence[Seen]) -> str:
    places = " and ".join(post.url or post.id for post in found)
    return f"post {planned.position} is there more than once: {places}"
