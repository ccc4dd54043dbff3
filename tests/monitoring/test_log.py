"""The log: one line an event whatever is in it, no secret in it, and nothing that ends the work."""

from __future__ import annotations

import html
import io
import json
import logging
import os
import re
import select
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bot.model import State
from bot.monitoring.log import LONGEST_LINE, Log, capture
from bot.redact import Redact
from bot.settings.secret import Secret
from tests.helpers.watched_worker import NOON

SECRET = "s3cr3t/To+ken=%\"'&<1>"


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("no words")


def said(*secrets: str, as_json: bool = True) -> tuple[Log, Callable[[], str]]:
    stream = io.StringIO()
    return Log(stream, json=as_json, clock=lambda: NOON, redact=Redact(*secrets)), stream.getvalue


def one(event: str = "post.sent", *secrets: str, **fields: object) -> dict[str, object]:
    log, told = said(*secrets)
    log(event, "info", **fields)
    line: dict[str, object] = json.loads(told())
    return line


def words(event: str = "post.sent", **fields: object) -> str:
    log, told = said(as_json=False)
    log(event, "info", **fields)
    return told()


# What a line looks like


def test_json_begins_with_time_level_and_event() -> None:
    log, told = said()
    log("post.sent", digest="hot-papers-2021-06-22", account="mastodon", position=0, seconds=0.25)
    assert told() == (
        '{"time": "2026-11-20T12:00:00.000Z", "level": "info", "event": "post.sent", '
        '"digest": "hot-papers-2021-06-22", "account": "mastodon", "position": 0, '
        '"seconds": 0.25}\n'
    )


def test_text_is_for_people() -> None:
    log, told = said(as_json=False)
    log("thread.held", "warning", account="x", reason='said "no"\nand left', url="https://a.b/?c=d")
    assert told() == (
        "2026-11-20T12:00:00.000Z warning thread.held account=x "
        'reason="said \\"no\\"\\nand left" url="https://a.b/?c=d"\n'
    )


def test_what_is_not_known_is_left_out() -> None:
    line = one(id=None, url="", position=0, good=False, accounts=[])
    assert list(line) == ["time", "level", "event", "position", "good", "accounts"]


def test_values_are_written_in_one_way() -> None:
    line = one(
        until=datetime(2026, 11, 20, 13, 0, 0, 5_000, tzinfo=timezone(timedelta(hours=1))),
        day=date(2026, 11, 20),
        wait=timedelta(minutes=1.5),
        spent=Decimal("0.015"),
        state=State.SENT,
        path=Path("state/bot.db"),
        accounts=("a", 1, True),
        names={"b", "a"},
        error=ValueError("one\n  two"),
        nothing=ValueError(),
        token=Secret("abcdefgh"),
        bad=Unprintable(),
    )
    del line["time"], line["level"], line["event"]
    assert line == {
        "until": "2026-11-20T12:00:00.005Z",
        "day": "2026-11-20",
        "wait": 90.0,
        "spent": 0.015,
        "state": "sent",
        "path": "state/bot.db",
        "accounts": ["a", 1, True],
        "names": ["a", "b"],
        "error": "one two",
        "nothing": "ValueError",
        "token": "***",
        "bad": "<Unprintable>",
    }
    assert words(accounts=["a", "b"], good=True).endswith("accounts=a,b good=true\n")


def test_numbers_that_json_lacks_are_texts() -> None:
    line = one(a=float("nan"), b=float("inf"), c=10**30, d=10**5_000, e=Decimal("sNaN"), f=-(2**62))
    assert [line[name] for name in "abcdef"] == [
        *("nan", "inf", str(10**30), "<int>", "sNaN", -(2**62))
    ]


def test_a_field_cannot_pass_for_the_time() -> None:
    assert one(time="yesterday")["time"] == "2026-11-20T12:00:00.000Z"


def test_what_is_long_is_cut_and_the_line_fits_a_pipe() -> None:
    assert one(reason="x" * 5_000)["reason"] == "x" * 1_000 + "…"
    assert one(reason="\U0001f600" * 900)["reason"] == "\U0001f600" * 200 + "…"
    assert one(reasons=["x"] * 60)["reasons"] == ["x"] * 50
    many = {f"name{number}": "x" * 30 for number in range(500)}
    assert one("post.sent", **many) == {
        "time": "2026-11-20T12:00:00.000Z",
        "level": "info",
        "event": "post.sent",
        "cut": True,
    }


ANY = st.characters(exclude_categories=())
SCALARS = st.one_of(
    st.text(ANY),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.decimals(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.timedeltas(),
    st.builds(ValueError, st.text(ANY)),
    st.builds(Unprintable),
    st.binary(),
)
FIELDS = st.dictionaries(
    st.text(ANY, min_size=1).filter(lambda name: name not in {"level", "event"}),
    st.one_of(SCALARS, st.lists(SCALARS), st.sets(st.text(ANY)), st.lists(st.lists(SCALARS))),
    max_size=8,
)


@given(as_json=st.booleans(), event=st.text(ANY), level=st.text(ANY), fields=FIELDS)
@example(as_json=False, event="a\nb", level="\r", fields={"\u2028": "\x1b[2J\u202e\x85"})
def test_one_event_is_one_printable_line(
    as_json: bool,  # noqa: FBT001 - hypothesis passes it by name
    event: str,
    level: str,
    fields: Mapping[str, object],
) -> None:
    log, told = said(as_json=as_json)
    log(event, level, **fields)
    assert told().endswith("\n")
    assert len(told().splitlines()) == 1
    assert told()[:-1].isprintable()
    assert len(told().encode()) <= LONGEST_LINE
    assert "log.lost" not in told()


def strictly(text: str) -> dict[str, object]:
    """Parse JSON as programs other than Python's do: no NaN, and no name twice."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    def pairs(found: list[tuple[str, object]]) -> dict[str, object]:
        assert len({name for name, _ in found}) == len(found)
        return dict(found)

    line: dict[str, object] = json.loads(text, parse_constant=refuse, object_pairs_hook=pairs)
    return line


@given(event=st.text(max_size=90), fields=FIELDS)
def test_json_parses_back(event: str, fields: Mapping[str, object]) -> None:
    log, told = said()
    log(event, "info", **fields)
    line = strictly(told())
    assert list(line)[:3] == ["time", "level", "event"]
    assert line["event"] == event
    for name, value in fields.items():
        short = isinstance(value, str) and 0 < len(value) < 20
        if name != "time" and len(name) < 90 and "cut" not in line and short:
            assert line[name] == value


PLAIN_FIELDS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,10}", fullmatch=True).filter(
        lambda name: name not in {"time", "level", "event"}
    ),
    st.text(min_size=1, max_size=50),
    max_size=4,
)
WORD = r'(?:"(?:[^"\\]|\\.)*"|[^\s"]+)'


@given(fields=PLAIN_FIELDS)
def test_text_parses_back(fields: Mapping[str, str]) -> None:
    log, told = said(as_json=False)
    log("post.sent", "info", **fields)
    rest = told().split(" post.sent", 1)[1]
    pairs = re.findall(rf" (\w+)=({WORD})", rest)
    assert "".join(f" {name}={word}" for name, word in pairs) + "\n" == rest
    read = {name: json.loads(word) if word[0] == '"' else word for name, word in pairs}
    assert read == fields


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8", "utf-16"])
@pytest.mark.parametrize("as_json", [False, True])
def test_what_the_output_cannot_encode_is_escaped(encoding: str, as_json: bool) -> None:  # noqa: FBT001 - pytest
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    log = Log(stream, json=as_json, clock=lambda: NOON)
    log("post.sent", title="naïve \U0001f600 \ud800")
    line = raw.getvalue().decode(encoding)
    assert re.search("na(ï|\\\\xef|\\\\u00ef)ve", line)
    assert "ud800" in line


# Secrets


FORMS: tuple[Callable[[str], str], ...] = (
    str,
    lambda secret: quote(secret, safe=""),
    lambda secret: re.sub("%..", lambda match: match[0].lower(), quote(secret, safe="")),
    lambda secret: quote(quote(secret, safe=""), safe=""),
    quote_plus,
    lambda secret: json.dumps(secret)[1:-1],
    lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1].replace("/", r"\/"),
    lambda secret: json.dumps(json.dumps(secret))[3:-3],
    lambda secret: repr(secret)[1:-1],
    html.escape,
    lambda secret: "".join(c if c.isalnum() else f"\\x{ord(c):02x}" for c in secret),
    lambda secret: "".join(c if c.isalnum() else f"&#x{ord(c):X};" for c in secret),
)
# What travels in a header, and ends up in the URL of a request; `***` is what stands in its place.
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=8).filter(
    lambda secret: "*" not in secret
)


@given(SECRETS, st.text(ANY), st.text(ANY))
@example('"\\/\\"\\/\\', "", "\\")
@example("%25%25%25", "%25", "25")
def test_a_secret_is_taken_out_of_every_form_of_it(secret: str, before: str, after: str) -> None:
    redact = Redact(secret)
    for form in FORMS:
        assert redact(form(secret)) == "***"
        assert secret not in redact(f"{before}{form(secret)}{after}")


WHERE: Mapping[str, Callable[[Log, str], None]] = {
    "a field": lambda log, text: log("x", reason=text),
    "a list": lambda log, text: log("x", reason=[1, text]),
    "a set": lambda log, text: log("x", reason={text}),
    "a list in a list": lambda log, text: log("x", reason=[[text]]),
    "a dictionary": lambda log, text: log("x", reason={"a": text}),
    "an exception": lambda log, text: log("x", reason=ValueError(text)),
    "the event": lambda log, text: log(f"x.{text}"),
    "the level": lambda log, text: log("x", text),
    "a name": lambda log, text: log("x", "info", **{text: 1}),
    "a record": lambda _, text: logging.getLogger("urllib3").warning(text),
    "a record's arguments": lambda _, text: logging.getLogger("a").error("to %s", text),
    "a record's name": lambda _, text: handed(name=text),
    "a record that says nothing": lambda _, text: handed(msg=f"{text} %d", args=("x",)),
    "a record's exception": lambda _, text: raised(text),
    "a warning": lambda _, text: warned(text),
    "a thread": lambda _, text: dying(ValueError(text), text),
}


def handed(**record: object) -> None:
    """Log a record to ours alone: pytest's own handler raises where it cannot be worded."""
    made = logging.makeLogRecord({"name": "a", "levelno": logging.WARNING, "msg": "x", **record})
    logging.getLogger().handlers[-1].handle(made)


def raised(text: str) -> None:
    try:
        fail(ValueError(text))
    except ValueError:
        logging.getLogger("apscheduler").exception("a job failed")


def warned(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("py.warnings").warning("%s", text)


def fail(error: BaseException) -> None:
    raise error


def dying(error: BaseException, name: str = "pages") -> None:
    thread = threading.Thread(target=fail, args=(error,), name=name)
    thread.start()
    thread.join()


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("as_json", [False, True])
@given(secret=SECRETS)
@example(secret=SECRET)
@settings(max_examples=10)
def test_a_secret_is_seen_nowhere(where: str, as_json: bool, secret: str) -> None:  # noqa: FBT001 - pytest
    log, told = said(secret, as_json=as_json)
    plain, empty = said(as_json=as_json)
    WHERE["a field"](plain, "")
    assume(secret not in empty())
    with capture(log):
        WHERE[where](log, f"before {secret} after")
    shown = told()
    assert "***" in shown
    for line in (shown, unquote(shown), html.unescape(shown), shown.replace('\\"', '"')):
        assert secret not in line
    assert not as_json or secret not in "".join(map(str, strictly(shown).values()))


def test_a_number_may_be_a_secret_too() -> None:
    assert one("x", "12345678", id=12345678, ids=[12345678])["id"] == "***"


def test_the_longest_of_two_secrets_goes_first_and_a_short_one_stays() -> None:
    line = one("x", "abcdefgh", "abcdefghijkl", "abc", a="abcdefghijkl", b="abcdefgh!", c="abc")
    assert (line["a"], line["b"], line["c"]) == ("***", "***!", "abc")


TOKEN = "4f1b2c3d-0000-4000-8000-1234567890ab"
ADDRESSES = {
    f"https://hc-ping.com/{TOKEN}?rid=7": (
        f"(host='hc-ping.com', port=443): too many tries with url: /{TOKEN}?rid=7",
        "(host='hc-ping.com', port=443): too many tries with url: ***",
    ),
    f"https://hc-ping.com/{TOKEN}": (
        f"hc-ping.com: /{TOKEN}/fail is not found",
        "hc-ping.com: ***/fail is not found",
    ),
    "https://discord.com/api/webhooks/123456789012/AbC-dEf_0123, tgram://98765432:AA-bbb012_/-1": (
        "webhooks 123456789012 AbC-dEf_0123 98765432 AA-bbb012_ discord.com/api",
        "webhooks *** *** *** *** discord.com/api",
    ),
    "mailto://me:hunter2x@example.org?to=you@example.org": (
        "535 hunter2x is refused by example.org for me",
        "535 *** is refused by example.org for me",
    ),
    "https://push.example.org/short": ("push.example.org/short", "push.example.org/short"),
    "https://user00001:pass@push.example.org/abcdefgh": (
        "user00001 with pass at push.example.org/abcdefgh",
        "*** with pass at push.example.org***",
    ),
}


@pytest.mark.parametrize("secret", ADDRESSES)
def test_of_a_secret_address_the_token_is_secret_and_the_host_is_not(secret: str) -> None:
    text, shown = ADDRESSES[secret]
    assert Redact(secret)(text) == shown
    assert Redact(secret)(f"at {secret}") == "at ***"


def test_unicode_secrets_are_found_in_their_escapes() -> None:
    secret = "pass wörd\U0001f600"
    redact = Redact(secret)
    for form in (secret, quote_plus(secret), quote(secret), json.dumps(secret), ascii(secret)):
        assert "***" in redact(form)


# What may be wrong with the output


@dataclass
class FailingStream(io.StringIO):
    """An output that fails as it is told to, and then works."""

    failures: list[Exception]

    def __post_init__(self) -> None:
        super().__init__()

    def write(self, text: str) -> int:
        if self.failures:
            raise self.failures.pop(0)
        return super().write(text)


@pytest.mark.parametrize(
    "error",
    [OSError(28, "no space"), BrokenPipeError(), ValueError("closed"), RuntimeError("whatever")],
)
def test_lines_that_are_lost_are_counted_and_the_work_goes_on(error: Exception) -> None:
    stream = FailingStream([error] * 3)
    log = Log(stream, json=True, clock=lambda: NOON)
    for number in range(5):
        log("x", number=number)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    # the third failure met the notice of the first two
    assert [(line["event"], line.get("lines", line.get("number"))) for line in lines] == [
        ("log.lost", 3),
        ("x", 3),
        ("x", 4),
    ]


def test_without_an_output_nothing_happens() -> None:
    Log(None, json=True, clock=lambda: NOON)("worker.started")


def test_a_closed_output_a_full_disk_and_a_reader_that_left_end_nothing(tmp_path: Path) -> None:
    closed = (tmp_path / "log").open("w", encoding="utf-8")
    closed.close()
    reading, writing = os.pipe()
    os.close(reading)
    left = os.fdopen(writing, "w", encoding="utf-8")
    for stream in (closed, left):
        log = Log(stream, json=True, clock=lambda: NOON)
        log("worker.started")
        log("worker.ended")
    with pytest.raises(BrokenPipeError):
        left.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_ends_nothing() -> None:
    disk = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - its closing fails, too
    log = Log(disk, json=True, clock=lambda: NOON)
    for _ in range(20):
        log("worker.started", reason="x" * 900)
    with pytest.raises(OSError, match="space"):
        disk.close()


def test_a_reader_that_stalls_costs_lines_and_gets_the_rest_when_it_reads_on() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w", encoding="utf-8") as stream:
        log = Log(stream, json=True, clock=lambda: NOON, patience=0.01)
        for _ in range(1_000):  # a pipe holds 64 KiB
            log("x", reason="y" * 500)
        os.set_blocking(reading, False)
        before = reader.read().splitlines()
        log("z")
        after = reader.read().splitlines()
    assert {json.loads(line)["event"] for line in before} == {"x"}
    notice, last = (json.loads(line) for line in after)
    assert (notice["event"], notice["lines"]) == ("log.lost", 1_000 - len(before))
    assert last["event"] == "z"


def test_a_reader_that_stalls_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, waits = [False, False, True, True, False], []

    def ready(_: object, files: object, __: object, wait: float) -> tuple[object, ...]:
        waits.append(wait)
        return (), files if answers.pop(0) else (), ()

    monkeypatch.setattr(select, "select", ready)
    with (tmp_path / "log").open("w", encoding="utf-8") as stream:
        log = Log(stream, json=True, clock=lambda: NOON, patience=5)
        for _ in range(4):
            log("x")
    # the third writes the notice and its own line
    assert waits == [5, 0, 0, 5, 5]


def test_a_clock_that_fails_costs_a_line() -> None:
    def clock() -> datetime:
        raise OSError("no clock")

    stream = io.StringIO()
    Log(stream, json=True, clock=clock)("x")
    assert not stream.getvalue()


def test_a_handler_of_signals_may_log_in_the_middle_of_a_line() -> None:
    class Interrupted(io.StringIO):
        def flush(self) -> None:
            if len(self.getvalue().splitlines()) == 1:
                log("worker.stopping")

    stream = Interrupted()
    log = Log(stream, json=True, clock=lambda: NOON)
    log("post.sent")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == [
        "post.sent",
        "worker.stopping",
    ]


def test_threads_do_not_mix_their_lines() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w", encoding="utf-8") as stream:
        log = Log(stream, json=True, clock=lambda: NOON, patience=30)
        lines: list[bytes] = []
        taking = threading.Thread(target=lambda: lines.extend(reader))
        taking.start()

        def write(name: str) -> None:
            for _ in range(200):
                log("x", name=name)

        writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for each in writers:
            each.start()
        for each in writers:
            each.join()
        stream.close()
        taking.join()
    names = [strictly(line.decode())["name"] for line in lines]
    assert sorted(map(str, names)) == sorted("abcd" * 200)


# What others log


@contextmanager
def captured() -> Iterator[Callable[[], list[dict[str, object]]]]:
    log, told = said()
    with capture(log):
        yield lambda: [json.loads(line) for line in told().splitlines()]


def test_libraries_speak_in_the_same_shape() -> None:
    with captured() as told:
        logging.getLogger("mastodon.http").warning("Retrying\nafter %s", "an error")
        logging.getLogger("apscheduler.executors").error("a job was missed")
        raised("no such row")
    for line in told():
        del line["time"]
    first, second, third = told()
    assert (first["level"], first["event"]) == ("warning", "library.warned")
    assert (first["logger"], first["reason"]) == (
        "mastodon.http",
        "Retrying after an error",
    )
    assert (second["level"], second["event"]) == ("error", "library.failed")
    assert third["reason"] == "a job failed"
    assert re.fullmatch(r"ValueError: no such row, at test_log.py:\d+", str(third["error"]))


@pytest.mark.parametrize("name", ["tweepy.client", "oauthlib", "mastodon", "urllib3", "root"])
def test_what_sdks_whisper_is_never_heard(name: str) -> None:
    logger = logging.getLogger(name)
    level = logger.level
    with captured() as told:
        logger.setLevel(logging.DEBUG)
        try:
            logger.debug("Authorization: OAuth ...")
            logger.info("the same")
        finally:
            logger.setLevel(level)
    assert not told()


def test_a_record_that_cannot_be_worded_is_shown_as_it_is() -> None:
    with captured() as told:
        handed(msg="%d of %s", args=("many",))
        handed(msg=Unprintable())
        handed(exc_info=(None, None, None))
    assert [line["reason"] for line in told()] == ["%d of %s", "<Unprintable>", "x"]


def test_warnings_are_lines() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with captured() as told:
            warnings.warn("this goes away", DeprecationWarning, stacklevel=1)
    (line,) = told()
    assert line["logger"] == "py.warnings"
    assert "DeprecationWarning: this goes away" in str(line["reason"])


def test_a_thread_that_dies_is_a_line_and_one_that_exits_is_none() -> None:
    with captured() as told:
        dying(SystemExit())
        dying(RuntimeError("no more"))
        threading.excepthook(threading.ExceptHookArgs((RuntimeError, None, None, None)))
        threading.excepthook(threading.ExceptHookArgs((OSError, OSError("x"), None, None)))
    first, second, third = told()
    assert (first["level"], first["event"], first["thread"]) == ("error", "thread.died", "pages")
    assert str(first["reason"]).startswith("RuntimeError: no more, at test_log.py:")
    assert "reason" not in second
    assert third["reason"] == "OSError: x"


def test_at_the_end_all_is_as_it_was() -> None:
    root = logging.getLogger()
    before = ([*root.handlers], root.level, warnings.showwarning, threading.excepthook)
    with captured():
        assert threading.excepthook is not before[3]
    assert ([*root.handlers], root.level, warnings.showwarning, threading.excepthook) == before


def test_warnings_that_were_captured_before_stay_captured() -> None:
    logging.captureWarnings(capture=True)
    showing = warnings.showwarning
    try:
        with captured():
            pass
        assert warnings.showwarning is showing
    finally:
        logging.captureWarnings(capture=False)
