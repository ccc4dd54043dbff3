"""Write the log: one line for each event, for people or for programs.

An event is always one line, without secrets. If standard output is closed, full or not read, lines
are lost and the work continues. The log of other libraries has the same form.
"""

from __future__ import annotations

import json
import logging
import select
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from bot.redact import Redact

LONGEST_LINE = 4_096
"""Characters of a line with its end: a pipe takes as many bytes at once, or none (pipe(7))."""

_LENGTHS = (1_000, 200, 20, 0)
_MOST_ITEMS = 50
_LONGEST_NAME = 100
_LARGEST = 2**63

Scalar = str | int | float | bool
Plain = Scalar | Sequence[Scalar]


class Log:
    """Writes events to `stream`, from any thread.

    With `json` a line is a JSON object in ASCII, else words for people. `clock` gives aware times.
    `redact` takes secrets out of every event, key and value. A reader that stalls is waited
    for so many seconds (`patience`), once; then lines are lost until it reads on.
    """

    def __init__(
        self,
        stream: TextIO | None,
        *,
        json: bool,
        clock: Callable[[], datetime],
        redact: Redact | None = None,
        patience: float = 1.0,
    ) -> None:
        self._stream = stream
        self._worded = _as_json if json else _as_text
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._clock = clock
        self._redact = redact or Redact()
        self._patience = patience
        # a signal handler may log while the thread that it interrupts does
        self._lock = threading.RLock()
        self._lost = 0

    def __call__(self, /, event: str, level: str = "info", **fields: object) -> None:
        """Write one event; never raises.

        `event` is dotted words such as `post.sent`, `level` is info, warning or error. Of the
        fields, what is None or empty text is left out. Times become UTC in ISO 8601, durations
        seconds, sets and sequences lists of texts and numbers, exceptions their words on one line.
        What is long is cut.
        """
        with self._lock:
            try:
                if self._lost:
                    self._put(self._line("log.lost", "warning", {"lines": self._lost}))
                    self._lost = 0
                self._put(self._line(event, level, fields))
            except Exception:  # noqa: BLE001 - whatever is wrong with the log, the work goes on
                self._lost += 1

    def _line(self, event: str, level: str, fields: Mapping[str, object]) -> str:
        head = {
            "time": _instant(self._clock()),
            "level": _text(level, self._redact),
            "event": _text(event, self._redact),
        }
        for most in _LENGTHS:
            line = self._encodable(self._worded({**head, **self._shown(fields, most), **head}))
            if len(line.encode(self._encoding)) < LONGEST_LINE:
                return line
        return self._encodable(self._worded({**head, "cut": True}))

    def _shown(self, fields: Mapping[str, object], most: int) -> dict[str, Plain]:
        return {
            _text(name, self._redact): _plain(value, self._redact, most)
            for name, value in fields.items()
            if value is not None and not (isinstance(value, str) and not value)
        }

    def _encodable(self, line: str) -> str:
        return line.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _put(self, line: str) -> None:
        """Write a line and its end. Raises whatever the stream does, and where nobody reads it."""
        stream = self._stream
        if stream is None:  # a process may be started without
            raise ValueError("there is no standard output")
        if not self._is_ready(stream):
            raise TimeoutError("nobody reads the log")
        stream.write(line + "\n")
        stream.flush()

    def _is_ready(self, stream: TextIO) -> bool:
        """Whether a line can be written at once, or within the patience that is left."""
        try:
            wait = 0.0 if self._lost else self._patience
            return bool(select.select((), (stream.fileno(),), (), wait)[1])
        except (OSError, ValueError):  # no file, or of a kind that this system cannot tell it of
            return True


# What a value looks like --------------------------------------------------------------------------


def _plain(value: object, redact: Redact, most: int) -> Plain:
    if isinstance(value, set | frozenset):
        value = sorted(map(_words, value))
    if isinstance(value, list | tuple):
        return [_scalar(each, redact, most) for each in value[:_MOST_ITEMS]]
    return _scalar(value, redact, most)


def _scalar(value: object, redact: Redact, most: int) -> Scalar:
    match value:
        case timedelta():
            value = round(value.total_seconds(), 3)
        case Decimal() if value.is_finite():
            value = float(value)
        case _:
            pass
    if isinstance(value, bool):
        return value
    words = _words(value)
    shown = redact(words)
    if shown == words and isinstance(value, int | float) and abs(value) < _LARGEST:
        return value  # and no NaN, which is not JSON
    return shown if len(shown) <= most else f"{shown[:most]}…"


def _words(value: object) -> str:
    """A value as text; the name of its kind for one that cannot be."""
    try:
        match value:
            case datetime():
                return _instant(value)
            case date():
                return value.isoformat()
            case BaseException():
                return _flat(str(value)) or type(value).__name__
            case _:
                return str(value)
    except Exception:  # noqa: BLE001 - a value's own code may raise what it likes
        return f"<{type(value).__name__}>"


def _text(value: str, redact: Redact) -> str:
    return str(_scalar(value, redact, _LONGEST_NAME))


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _flat(text: str) -> str:
    return " ".join(text.split())


# What a line looks like ---------------------------------------------------------------------------


def _as_json(fields: Mapping[str, Plain]) -> str:
    return json.dumps(fields)


def _as_text(fields: Mapping[str, Plain]) -> str:
    """`2026-11-20T09:00:00.000Z info    post.sent account=mastodon reason="as JSON quotes"`."""
    time, level, event, *names = fields
    head = f"{fields[time]} {_word(fields[level]):<7} {_word(fields[event])}"
    return " ".join([head, *(f"{_word(name)}={_word(fields[name])}" for name in names)])


def _word(value: Plain) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    text = str(value)
    if text and text.isprintable() and not set(' "=\\') & set(text):
        return text
    return f'"{"".join(map(_quoted, text))}"'


def _quoted(character: str) -> str:
    """Escaped as in JSON: quotes, and what commands a terminal, breaks a line or turns it round."""
    plain = character.isprintable() and character not in '"\\'
    return character if plain else json.dumps(character)[1:-1]


# What others log ----------------------------------------------------------------------------------


@contextmanager
def capture(log: Log) -> Iterator[None]:
    """Take in what libraries log from WARNING up, Python's warnings, and what ends a thread.

    Nothing below WARNING is let through, whatever level a library is set to: SDKs write headers,
    and so tokens, at DEBUG. At the end of the `with` all is as it was.
    """
    handler, root = _Foreign(log), logging.getLogger()
    showing, dying = warnings.showwarning, threading.excepthook

    def died(end: threading.ExceptHookArgs) -> None:
        if not issubclass(end.exc_type, SystemExit):  # which ends a thread quietly
            name = end.thread.name if end.thread else None
            log("thread.died", "error", thread=name, reason=_why(end.exc_value))

    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    ours = warnings.showwarning is not showing
    threading.excepthook = died
    try:
        yield
    finally:
        threading.excepthook = dying
        if ours:
            logging.captureWarnings(capture=False)
        root.removeHandler(handler)


def _why(error: BaseException | None) -> str | None:
    """An error's kind, its words on one line, and where in the program it was raised."""
    if error is None:
        return None
    said = f"{type(error).__name__}: {_words(error)}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{said}, at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else said


class _Foreign(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        failed = record.levelno >= logging.ERROR
        self._log(
            "library.failed" if failed else "library.warned",
            "error" if failed else "warning",
            logger=record.name,
            reason=_message(record),
            error=_why(record.exc_info[1]) if record.exc_info else None,
        )


def _message(record: logging.LogRecord) -> str:
    try:
        return _flat(record.getMessage())
    except Exception:  # noqa: BLE001 - its arguments do not fit, or say no words
        return _flat(_words(record.msg))
