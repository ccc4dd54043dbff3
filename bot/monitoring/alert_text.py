"""Write the text of an alert, which no chat shows as anything but plain text. Pure.

Reasons contain text of digests and servers, and chats turn text into mentions, links and markup.
The signs that would do so are dropped, or a space is added, where the reader can see the change
(see `bot/formatter/defuse.py`).
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
"""Characters of an alert's text. Discord has the lowest limit: 2,000 with the title."""

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
    """One alert: a title of one line, and a text of at most `LONGEST` characters."""

    title: str
    text: str


def alert_text(
    raised: Sequence[StoredProblem], over: Sequence[StoredProblem], redact: Callable[[str], str]
) -> AlertText:
    """Write one alert about new problems and problems that are over, at least one of them.

    `redact` replaces secrets by `***`. Problems that have no room are counted.
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
    """Return the text on one line, without anything that a chat turns into more than text.

    Removing one sign can create another match, so the function repeats until none is left.
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
    """Return as many entries as there is room for, the new ones first."""
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
    """Write about a problem that is over; with its message, if it was never reported."""
    since = f"- {_head(one, redact)}, since {one.raised_at:%Y-%m-%d %H:%M} UTC"
    return since if one.told_at else f"{since}\n  {_sentence(one.message, redact)}"


def _head(one: StoredProblem, redact: Callable[[str], str]) -> str:
    """Return what and where, such as `held: mastodon, hot-papers-2021-06-22`."""
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
    """Return a cut text, with a space before the ellipsis: a sign at its end might mean more."""
    return text if len(text) <= most else text[: most - 2].rstrip() + " …"
