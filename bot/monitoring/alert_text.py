"""What an alert says, in plain text that stays plain text wherever it is shown. Pure.

Reasons come from digests and servers, and chats make mentions, links and markup of text. So what
would come alive is defused as in a post (`bot/formatter/defuse.py`): visibly, by dropping a sign or
by a space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.formatter.defuse import defuse
from bot.ledger.rows import StoredProblem
from bot.model import Network

LONGEST = 1_800
"""Characters of an alert's text: of the chats Discord takes the least, 2,000 with the title."""

_LONGEST_TITLE = 120
_LONGEST_NAME = 100
_LONGEST_SENTENCE = 320
_READ = 1_000
_MOST = 50
_FOOT = "bot status shows all of it."
_WORDS = {
    "refused": "credentials refused",
    "unknown": "outcome unknown",
    "budget": "budget spent",
    "stuck": "a pass hangs",
    "left": "not going out",
    "unread": "a digest cannot be read",
}

# Discord pings @everyone in mid-word, too. <!channel>, <@U1> and <address|words> are Slack's and
# Discord's, [words](address) is Markdown's. Doubled signs hide or strike out what is between them
# wherever they stand, single ones restyle words.
_AT = re.compile(r"(?<=\w)[@\uff20]+(?=\w)")
_AT_ALONE = re.compile(r"[@\uff20]+")
_ANGLES = re.compile(r"<([^<>\s][^<>]*)>")
_ANGLE = re.compile(r"<+(?=\S|$)")
_LINKED = re.compile(r"\]\s*(?=[(\[:])")
_PAIR = re.compile(r"([*_~|`])\1+")
_SPAN = re.compile(r"(?<!\w)([*_~`])(?=\S)(.*?)(?<=\S)\1(?!\w)")
_INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cs"})


@dataclass(frozen=True, slots=True)
class AlertText:
    """One alert: a title of one line, and a text of `LONGEST` characters at most."""

    title: str
    text: str


def letter(
    raised: Sequence[StoredProblem], over: Sequence[StoredProblem], redact: Callable[[str], str]
) -> AlertText:
    """Word one alert for all that is new and all that is over; there is at least one of them.

    `redact` puts `***` in the place of secrets. What finds no room is counted.
    """
    new, gone = [_new(one, redact) for one in raised], [_gone(one, redact) for one in over]
    title = _counted(len(new), len(gone))
    if len(new) + len(gone) == 1:
        title = "over: " * len(gone) + _head((*raised, *over)[0], redact)
    return AlertText(_cut(f"bot: {title}", _LONGEST_TITLE), _fitted(new, gone))


def _counted(new: int, gone: int) -> str:
    first = f"{new} new trouble{'s' * (new != 1)}"
    return ", ".join([*[first] * bool(new), *[f"{gone} over"] * bool(gone)])


def harmless(text: str) -> str:
    """The text on one line, with nothing in it that a chat would make more of.

    Taking one thing away can bring another to light, so it is done until nothing is left.
    """
    before = None
    while text != before:
        before = text
        text = " ".join("".join(map(_visible, text)).split())
        text = _AT_ALONE.sub("", _AT.sub(" at ", defuse(text, Network.MASTODON)))
        text = _ANGLE.sub("", _ANGLES.sub(r"(\1)", text))
        text = _SPAN.sub(r"\2", _PAIR.sub(r"\1", _LINKED.sub("] ", text)))
    return text


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _INVISIBLE else character


def _fitted(new: Sequence[str], gone: Sequence[str]) -> str:
    """As many entries as there is room for, what is new first."""
    entries = [*_headed("New:", new), *_headed("Over:", gone)]
    kept = min(len(entries), _MOST)
    while len(text := _joined(entries, kept)) > LONGEST:
        kept -= 1
    return text


def _headed(heading: str, entries: Sequence[str]) -> list[str]:
    return [f"{heading}\n{entries[0]}", *entries[1:]] if entries else []


def _joined(entries: Sequence[str], kept: int) -> str:
    left = len(entries) - kept
    return "\n".join([*entries[:kept], *[f"... and {left} more."] * bool(left), _FOOT])


def _new(one: StoredProblem, redact: Callable[[str], str]) -> str:
    said = (_sentence(one.message, redact), _sentence(one.fix, redact))
    return "\n  ".join([f"- {_head(one, redact)}", *filter(None, said)])


def _gone(one: StoredProblem, redact: Callable[[str], str]) -> str:
    """Of a trouble that went before anybody was told of it, this is all they hear."""
    since = f"- {_head(one, redact)}, since {one.raised_at:%Y-%m-%d %H:%M} UTC"
    return since if one.told_at else f"{since}\n  {_sentence(one.message, redact)}"


def _head(one: StoredProblem, redact: Callable[[str], str]) -> str:
    """What and where: `held: mastodon, hot-papers-2021-06-22`."""
    names = (_cut(_plain(each, redact), _LONGEST_NAME) for each in (one.account, one.subject))
    where = ", ".join(filter(None, names))
    what = _WORDS.get(one.what, one.what)
    return f"{what}: {where}" if where else what


def _sentence(text: str, redact: Callable[[str], str]) -> str:
    return _cut(_plain(text, redact), _LONGEST_SENTENCE)


def _plain(text: str, redact: Callable[[str], str]) -> str:
    plain = redact(text)
    # the stars would be markup themselves
    named = plain if plain == text else plain.replace("***", "(secret)")
    return harmless(named[:_READ])


def _cut(text: str, most: int) -> str:
    """The text with a space before the ellipsis, lest a sign at its end come alive."""
    return text if len(text) <= most else text[: most - 2].rstrip() + " …"
