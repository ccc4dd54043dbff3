"""Troubles: what a person should know, raised once and over once. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from bot.ledger.rows import StoredProblem


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a person should know of, as a pass found it.

    `key` is the same in every pass for as long as it is the same trouble. `account` is empty where
    it is about none. `what` is one word: held, unknown, failed, refused, source, budget, stuck,
    left, silent, unread. `subject` is a digest's slug or the source, empty for neither. `message`
    says what is wrong, `fix` what to do about it.
    """

    key: str
    account: str
    what: str
    subject: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new since the last pass, and what is gone."""

    raised: tuple[Problem, ...] = ()
    over: tuple[StoredProblem, ...] = ()


def changes(
    known: Collection[StoredProblem], now: Collection[Problem], judges: Callable[[str], bool]
) -> Changes:
    """Compare what is known with what a pass found.

    `judges` says of a key whether this pass could have found its trouble, were it still there: what
    nobody looked at is not over, and so a trouble that comes and goes because the network does is
    raised once. What is found is raised in any case, in the order given and once for a key; other
    words for a trouble that is open do not raise it again.
    """
    found: dict[str, Problem] = {}
    for problem in now:
        found.setdefault(problem.key, problem)
    lasting = {one.key: one for one in known if one.over_at is None}
    return Changes(
        raised=tuple(found[key] for key in found if key not in lasting),
        over=tuple(lasting[key] for key in lasting if key not in found and judges(key)),
    )
