"""The table of docs/refusals.md, made from what the code says of each refusal.

    .venv/bin/python -m tests.helpers.refusal_table

prints it, to be put into the page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.posters.answers import (
    STATUSES,
    AnswerMeaning,
    Exchange,
    RefusalRules,
    Reply,
    TransportResult,
    cannot_read,
    refused,
)
from bot.posters.answers import judged as judge
from bot.posters.bluesky import answers as bluesky_answers
from bot.posters.mastodon import answers as mastodon_answers
from bot.posters.poster import CannotRead, Outcome, OutcomeKind, Refusal
from bot.posters.twitter import answers as twitter_answers

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Example:
    """A refusal of one network: its status, its body, and how the page calls it."""

    status: int
    body: object
    said: str
    is_reply: bool = False
    location: str = ""

    @property
    def reply(self) -> Reply:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"location": self.location} if self.location else {}
        return Reply(self.status, headers, body)


def _code(number: int) -> dict[str, object]:
    return {"errors": [{"code": number, "message": "Words."}]}


def _detail(words: str) -> dict[str, object]:
    return {"title": "Words", "detail": words}


_PAGE = b"<!DOCTYPE html><title>Words</title>"
_OF_ALL = (
    Example(403, _PAGE, "a page in HTML, also with 400, 401 or 422"),
    Example(404, _PAGE, "a page in HTML, or nothing"),
    Example(401, b"", "nothing, also with 400, 403 or 422"),
    Example(301, b"", "a redirect", location="https://elsewhere.example"),
    Example(402, {"error": "Words", "title": "Words"}, "credits used up"),
    Example(413, {"error": "Words", "title": "Words"}, "too large"),
    Example(429, {"error": "Words", "title": "Words"}, "too many requests"),
    Example(503, {"error": "Words", "title": "Words"}, "any 5xx, also a page"),
)
EXAMPLES: Mapping[str, tuple[RefusalRules, tuple[Example, ...]]] = {
    "X": (
        twitter_answers.RULES,
        (
            Example(400, _detail("Words"), "any other words"),
            Example(401, _detail("Words"), "any other words"),
            Example(401, _code(135), "code 135, or a `Date` five minutes from ours"),
            Example(401, _code(89), "code 32, 64, 89, 215 or 326; the account is locked"),
            Example(403, _detail("duplicate content"), "duplicate content, code 187"),
            Example(403, _code(226), "code 185, 226 or 344; try again later"),
            Example(403, _detail("deleted or not visible"), "the parent is deleted", is_reply=True),
            Example(403, _detail("only reply to or quote"), "the reply rule", is_reply=True),
            Example(403, _code(453), "code 261 or 453, not enrolled, read-only app"),
            Example(403, _detail("Words"), "any other words"),
            Example(404, _detail("Words"), "to a reply", is_reply=True),
            Example(404, _detail("Words"), "to any other post"),
            Example(422, _detail("Words"), "any words"),
        ),
    ),
    "Mastodon": (
        mastodon_answers.RULES,
        (
            Example(400, {"error": "Words"}, "any words"),
            Example(401, {"error": "Words"}, "any other words"),
            Example(403, {"error": "insufficient scope"}, "a scope, also with 401"),
            Example(403, {"error": "Words"}, "any other words, such as a disabled login"),
            Example(404, {"error": "Words"}, "to a reply", is_reply=True),
            Example(404, {"error": "Words"}, "to any other post"),
            Example(422, {"error": "Try again in a moment"}, "media not processed, try again"),
            Example(422, {"error": "Words"}, "any other words"),
        ),
    ),
    "Bluesky": (
        bluesky_answers.RULES,
        (
            Example(400, {"error": "InvalidSwap"}, "`InvalidSwap`"),
            Example(
                400, {"error": "ExpiredToken"}, "`ExpiredToken`, `InvalidToken`, also with 401"
            ),
            Example(401, {"error": "AccountTakedown"}, "`AccountTakedown`, `AccountDeactivated`"),
            Example(400, {"error": "Words"}, "any other name"),
            Example(401, {"error": "Words"}, "any other name"),
            Example(403, {"error": "Words"}, "any other name"),
            Example(404, {"error": "Words"}, "any name"),
            Example(422, {"error": "Words"}, "any name"),
        ),
    ),
}


def table(network: str) -> str:
    """The rows of one network in Markdown, as the page has them."""
    rules, examples = EXAMPLES[network]
    head = "| answer | means | a post | a read | what to do |\n| --- | --- | --- | --- | --- |"
    return "\n".join((head, *(_row(each, rules) for each in (*examples, *_OF_ALL))))


def missing(network: str) -> Iterator[AnswerMeaning]:
    """The verdicts of the code that no row of the network's table has."""
    rules, examples = EXAMPLES[network]
    shown = [judge(each.reply, rules, NOW, is_reply=each.is_reply) for each in examples]
    shown += [judge(each.reply, rules, NOW) for each in _OF_ALL]
    known = [hint.verdict for hint in rules.hints]
    known += [*rules.statuses.values()]
    known += [STATUSES[status] for status in STATUSES.keys() - rules.statuses.keys()]
    return (verdict for verdict in known if verdict not in shown)


def _row(example: Example, rules: RefusalRules) -> str:
    verdict = judge(example.reply, rules, NOW, is_reply=example.is_reply)
    outcome = refused(example.reply, rules, NOW, is_reply=example.is_reply)
    error = cannot_read(Exchange(TransportResult.ANSWERED, example.reply), rules, NOW)
    answer = f"{example.status}: {example.said}"
    wanted = _TO_DO.get(outcome.refusal, "") if outcome.refusal else "Nothing: it passes."
    plan = outcome.fix or wanted
    return f"| {answer} | {verdict.words} | {_of_post(outcome)} | {_of_read(error)} | {plan} |"


_TO_DO = {
    Refusal.CONTENT: "Look at the post; decide with `bot settle`.",
    Refusal.PARENT: "`bot retract`, then `bot post --again`.",
    Refusal.REPLIES: "`bot retract`, `TWITTER_STYLE=single`, `bot post --again`.",
}
_STOPS = "the account stops, its posts stay planned"


def _of_post(outcome: Outcome) -> str:
    match outcome.sort, outcome.refusal:
        case OutcomeKind.LATER, _:
            return "tried again at the time it names, or after growing waits"
        case OutcomeKind.UNKNOWN, _:
            return "looked for; absent, it is sent again"
        case _, Refusal.CREDENTIALS | Refusal.SCOPE | Refusal.ADDRESS:
            return _STOPS
    return "held"


def _of_read(error: CannotRead) -> str:
    if error.stops:
        return _STOPS
    return "the thread is held" if error.final else "asked again after growing waits"


if __name__ == "__main__":
    for name in EXAMPLES:
        print(f"## {name}\n\n{table(name)}\n")  # noqa: T201 - to be put into the page
