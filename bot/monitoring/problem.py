"""Problems that a person should know about: each is reported once, and once when it ends. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from bot.ledger.rows import StoredProblem


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem that a pass found.

    `key` is the same in every pass as long as the problem is the same. `account` is empty where the
    problem is about no account. `what` is one word: held, unknown, failed, refused, source, budget,
    stuck, left, silent, unread. `subject` is a digest's slug or the source, empty for neither.
    `message` says what is wrong, `fix` what to do.
    """

    key: str
    account: str
    what: str
    subject: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Changes:
    """The problems that are new since the last pass, and those that are over."""

    raised: tuple[Problem, ...] = ()
    over: tuple[StoredProblem, ...] = ()


def changes(
    known: Collection[StoredProblem], now: Collection[Problem], judges: Callable[[str], bool]
) -> Changes:
    """Compare the known problems with those that a pass found.

    `judges` tells of a key whether this pass would have found its problem, if the problem still
    existed. A problem that the pass could not look for is not over, so a problem that comes and
    goes with the network is reported once. Each found problem that is not open is new, once for a
    key, in the given order. An open problem with another message is not new.
    """
    found: dict[str, Problem] = {}
    for problem in now:
        found.setdefault(problem.key, problem)
    lasting = {one.key: one for one in known if one.over_at is None}
    return Changes(
        raised=tuple(found[key] for key in found if key not in lasting),
        over=tuple(lasting[key] for key in lasting if key not in found and judges(key)),
    )
