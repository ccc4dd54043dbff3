"""`bot preview`, `bot sandbox` and `bot demo` at the command line."""

from __future__ import annotations

import errno
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from bot.cli import ProcessContext, run
from bot.cli.signals import until_signal
from bot.delivery.types import AccountResult, End, Event
from bot.demo import demo
from bot.demo.serve import listen
from bot.demo.switches import kinds
from bot.errors import SettingsError
from bot.model import Account, Network
from bot.output.page.views import Tone
from bot.settings import load
from tests.helpers.cli_world import cli_world
from tests.helpers.html_page import HtmlPage, check_harmless
from tests.helpers.paths import ROOT, SAMPLES

TIMEOUT = 120.0
PAUSE = 7.0


def preview(folder: Path, *arguments: str, **environ: str) -> int:
    return run(["preview", *arguments], ProcessContext(environ, folder))


def test_without_settings_it_shows_the_newest_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preview(tmp_path, "--output", "page.html") == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("page.html: 3 threads, 33 posts. Open it in a browser.\n", "")
    page = HtmlPage((tmp_path / "page.html").read_text("utf-8"))
    check_harmless(page)
    newest = max(path.name for path in SAMPLES.glob("*.md"))[:10]
    assert page.named("h1")[0].text == f"Hot Papers {newest}"
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_options_choose_digest_account_and_papers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = ("2021-06-22", "--network", "mastodon", "--account", "mastodon", "--top", "1")
    assert preview(tmp_path, *chosen, "--output", "page.html") == 0
    assert "1 thread, 2 posts" in capsys.readouterr().out
    page = HtmlPage((tmp_path / "page.html").read_text("utf-8"))
    assert page.texts("net") == ["Mastodon"]


def test_it_can_be_printed(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert preview(tmp_path, "--output", "-", "--top", "1") == 0
    printed = capfdbinary.readouterr().out
    assert printed.startswith(b"<!doctype html>")
    assert printed.rstrip().endswith(b"</html>")
    assert list(tmp_path.iterdir()) == []


def test_without_output_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert preview(tmp_path) == 2
    assert "--output FILE.html" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("nowhere/page.html", "there is no folder"),
        (".", "is not a file"),
        ("notes.html", "no page"),
    ],
)
def test_where_it_cannot_be_written_it_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], output: str, said: str
) -> None:
    (tmp_path / "notes.html").write_text("mine", "utf-8")
    assert preview(tmp_path, "--output", output) == 2
    assert said in capsys.readouterr().err
    assert (tmp_path / "notes.html").read_text("utf-8") == "mine"


def test_a_digest_that_is_not_there_is_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert preview(tmp_path, "1999-01-01", "--output", "page.html") == 1
    assert "1999-01-01" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_of_digests_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "digests").mkdir()
    preview(tmp_path, "--output", "page.html", BOT_DIGESTS="digests")
    assert capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()


def test_a_digest_that_is_skipped_makes_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slug = "hot-papers-2021-06-22"
    assert preview(tmp_path, slug, "--output", "page.html", BOT_SKIP=slug) == 0
    assert "BOT_SKIP" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_warnings_stand_beside_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = (SAMPLES / "2021-06-22---Hot-Papers.md").read_text("utf-8")
    (tmp_path / "odd.md").write_text(broken.replace("- retweets: 1", "- retwets: 1", 1), "utf-8")
    assert preview(tmp_path, "odd.md", "--output", "page.html") == 0
    assert "Warning:" in capsys.readouterr().err


def test_what_is_sent_is_shown_as_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cli_world(tmp_path, capsys) as at:
        assert at("post")[0] == 0
        assert at("preview", "--output", "page.html")[0] == 0
        page = HtmlPage((tmp_path / "page.html").read_text("utf-8"))
        asked = len(at.sandbox.requests)
        assert at("preview", "--output", "page.html")[0] == 0
        assert len(at.sandbox.requests) == asked
    assert len(page.posts) == 8
    assert all(state.startswith("Sent") for state in page.texts("state"))


def test_pictures_are_in_the_page(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed, so no picture can be drawn")
    assert preview(tmp_path, "--top", "1", "--output", "page.html", BOT_PICTURE="on") == 0
    page = HtmlPage((tmp_path / "page.html").read_text("utf-8"))
    check_harmless(page)
    images = page.named("img")
    assert len(images) >= 2
    assert all(each.attributes["src"].startswith("data:image/png;base64,iVBOR") for each in images)
    assert all(each.attributes["alt"] for each in images)


def test_a_picture_that_cannot_be_drawn_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    assert preview(tmp_path, "--output", "page.html", BOT_PICTURE="on") == 0
    assert "gets no picture" in capsys.readouterr().err
    assert HtmlPage((tmp_path / "page.html").read_text("utf-8")).named("img") == []


def test_a_picture_that_is_out_keeps_its_place_and_its_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed, so no picture can be drawn")
    with cli_world(tmp_path, capsys) as at:
        around = ProcessContext({**at.environ(), "BOT_PICTURE": "on"}, tmp_path)
        assert run(["post"], around) == 0
        assert run(["preview", "--output", "page.html"], around) == 0
    page = HtmlPage((tmp_path / "page.html").read_text("utf-8"))
    assert page.texts("frame") == ["Published with this picture. The file is not kept."] * 2
    assert len(page.texts("alt")) == 2
    assert page.named("img") == []


# -- bot demo, in this process ---------------------------------------------------------------------


@dataclass
class DemoViewer:
    """Somebody who runs the demo, and looks at its page; the lines it printed."""

    lines: list[str] = field(default_factory=list)
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        # the server closes a kept connection that rests for five seconds, maybe under a request
        self.session.headers["Connection"] = "close"

    def echo(self, line: str) -> None:
        self.lines.append(line)

    @property
    def url(self) -> str:
        return self.lines[0].rstrip("/")

    def look(self) -> HtmlPage:
        page = HtmlPage(self.session.get(self.url + "/", timeout=TIMEOUT).text)
        check_harmless(page)
        return page

    def until(self, fits: Callable[[HtmlPage], bool]) -> HtmlPage:
        """Look at the page whenever it changes, until it fits."""
        events = self.session.get(self.url + "/events", stream=True, timeout=TIMEOUT)
        begun = time.monotonic()
        with events:
            for _ in events.iter_lines():
                page = self.look()
                if fits(page):
                    return page
                if time.monotonic() - begun > TIMEOUT:
                    break
        raise AssertionError(f"this is all that came of it: {page.texts('saying')}")

    def until_done(self, threads: int = 1) -> HtmlPage:
        return self.until(
            lambda page: (
                all(text.startswith("Done") for text in page.texts("saying"))
                and len(page.posts) == threads * 3 * 11
            )
        )

    def press(self, page: HtmlPage, path: str, **form: str) -> None:
        token = next(
            e.attributes["value"] for e in page.named("input") if e.attributes["name"] == "token"
        )
        answer = self.session.post(self.url + path, data={"token": token, **form}, timeout=TIMEOUT)
        assert answer.ok


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(demo._SHORT_TIMES, "BOT_PAUSE", "0")
    monkeypatch.setitem(demo._SHORT_TIMES, "BOT_RETRY_WAIT", "0.01")
    monkeypatch.setitem(demo._SHORT_TIMES, "BOT_PATIENCE", "1s")
    monkeypatch.setattr(demo, "_REST", 0.05)


def shown(play: Callable[[DemoViewer], None]) -> DemoViewer:
    """Run the demo, and `play` before it is ended."""
    viewer = DemoViewer()
    viewer.session.trust_env = False
    with viewer.session:
        demo.demo(0, lambda: play(viewer), viewer.echo)
    return viewer


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_the_demo_shows_a_whole_thread_on_each_network() -> None:
    def play(viewer: DemoViewer) -> None:
        page = viewer.until_done()
        assert page.texts("stats") == ["11 posts"] * 3
        assert "Hot Papers " in page.posts[0]
        assert len(page.texts("reply")) == 30
        assert page.texts("go") == ["Publish Hot Papers 2021-06-22 as well"]
        viewer.press(page, "/next")
        page = viewer.until_done(2)
        viewer.press(page, "/next")
        viewer.until(lambda now: len(now.posts) > 66)

    viewer = shown(play)
    assert viewer.lines[0].startswith("http://127.0.0.1:")
    assert viewer.lines[-1] == "The demo has ended, and its files are deleted."


def test_the_demo_has_pictures_where_they_can_be_drawn() -> None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed, so no picture can be drawn")

    def play(viewer: DemoViewer) -> None:
        page = viewer.until(lambda page: len(page.named("img")) >= 2)
        for image in page.named("img"):
            got = viewer.session.get(viewer.url + image.attributes["src"], timeout=TIMEOUT)
            assert got.content.startswith(b"\x89PNG")
            assert image.attributes["alt"].startswith("Hot Papers")

    shown(play)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["found", ""])
def test_the_demo_goes_without_pictures_and_says_nothing(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "find_spec", lambda _: library)
    monkeypatch.setitem(sys.modules, "resvg_py", None)

    def play(viewer: DemoViewer) -> None:
        page = viewer.until(lambda page: len(page.posts) >= 4)
        assert page.named("img") == []

    shown(play)


@pytest.fixture
def gate(hurried: None, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Holds the demo between two posts until it is set."""
    del hurried
    opened, sleep = threading.Event(), demo.Clock.sleep

    def held(clock: demo.Clock, seconds: float) -> None:
        if PAUSE / 2 < seconds <= PAUSE:  # what is left of the pause
            opened.wait(TIMEOUT)
        else:
            sleep(clock, seconds)

    monkeypatch.setitem(demo._SHORT_TIMES, "BOT_PAUSE", f"{PAUSE:.0f}s")
    monkeypatch.setattr(demo.Clock, "sleep", held)
    return opened


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["limit", "outage", "dropped", "duplicate", "credits"])
def test_the_demo_gets_through_every_fault(fault: str, gate: threading.Event) -> None:
    networks = [network for network in Network if fault in {kind.name for kind in kinds(network)}]

    def play(viewer: DemoViewer) -> None:
        viewer.until(lambda page: page.texts("count") == ["1", "1", "1"])
        for network in networks:
            viewer.press(viewer.look(), "/fault", network=network, fault=fault, on="yes")
        gate.set()
        clean = "nothing went wrong"
        viewer.until(
            lambda page: sum(clean not in sums for sums in page.texts("sums")) == len(networks)
        )
        for network in networks:
            viewer.press(viewer.look(), "/fault", network=network, fault=fault, on="no")
        page = viewer.until_done()
        for begin in (0, 11, 22):
            assert len(set(page.posts[begin : begin + 11])) == 11  # nothing is there twice

    shown(play)


@pytest.mark.slow
def test_the_demo_can_be_ended_in_the_middle() -> None:
    def play(viewer: DemoViewer) -> None:
        viewer.until(lambda page: bool(page.posts))

    viewer = shown(play)
    assert viewer.lines[-1] == "The demo has ended, and its files are deleted."
    assert threading.active_count() < 10


@contextmanager
def two_doors() -> Iterator[tuple[int, socket.socket]]:
    """A port, and a door at the one after it; the first is free, and its door is given back."""
    while True:
        with listen(0) as first:
            port = first.getsockname()[1]
            try:
                second = listen(port + 1)
            except (SettingsError, OverflowError):
                continue
        with second:
            yield port, second
        return


@pytest.mark.parametrize("run_it", [demo.demo, demo.sandbox])
def test_a_port_that_is_taken_is_said(
    run_it: Callable[[int, Callable[[], None], demo.Echo], None],
) -> None:
    with two_doors() as (port, _):
        with pytest.raises(SettingsError, match=f"port {port + 1} .*cannot be used"):
            run_it(port + 1, lambda: None, lambda _: None)
        with pytest.raises(SettingsError, match=f"^port {port + 1} cannot be used"):
            run_it(port, lambda: None, lambda _: None)


def test_a_ledger_that_cannot_be_used_is_said_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {"MASTODON_API_BASE_URL": "http://127.0.0.1:1", "MASTODON_ACCESS_TOKEN": "token"}
    bot = demo.DemoBot({}, threading.Event())
    bot.run(load(environ, tmp_path), tmp_path / "file" / "folder")
    text, tone = bot.saying(Network.MASTODON) or ("", Tone.PLAIN)
    assert text.startswith("Failed: ")
    assert tone is Tone.BAD


def test_the_sandbox_is_there_until_it_is_ended() -> None:
    viewer = DemoViewer()

    def play() -> None:
        assert viewer.look().posts == []

    demo.sandbox(0, play, viewer.echo)
    assert viewer.lines[-1] == "The sandbox has ended, and its posts are deleted."


def test_a_clock_skips_time_and_never_goes_back() -> None:
    clock = demo.Clock(threading.Event())
    later = datetime.now(UTC) + timedelta(hours=1)
    before = clock.monotonic()
    clock.skip_to(later)
    assert clock.now() >= later
    assert clock.monotonic() - before >= 3590
    clock.skip_to(later - timedelta(minutes=30))
    assert clock.now() >= later
    clock.sleep(0)


@pytest.mark.parametrize(
    ("event", "text", "tone"),
    [
        (Event("x", "d", "sent", 0, 11, "url"), "Sent post 1 of 12.", Tone.GOOD),
        (Event("x", "d", "waiting", None, 11, "3 s: limit"), "Limit. Next try in 3 s.", Tone.WAIT),
        (Event("x", "d", "held", 3, 11, "gone"), "Held: gone.", Tone.BAD),
        (Event("x", "d", "odd"), "Odd.", Tone.WAIT),
    ],
)
def test_what_happens_is_said_in_words(event: Event, text: str, tone: Tone) -> None:
    assert demo.in_words(event) == (text, tone)


def test_how_it_ended_is_said_in_words() -> None:
    account = Account("x", Network.TWITTER)
    assert demo.outcome(AccountResult(account, End.HELD, reason="gone")) == (
        "Held: gone.",
        Tone.BAD,
    )
    later = demo.outcome(AccountResult(account, End.LATER, reason="limit"))
    assert later == ("Limit. The bot tries again soon.", Tone.WAIT)


# -- As real processes -----------------------------------------------------------------------------


@contextmanager
def process(folder: Path, *arguments: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """The program in an empty folder, its temporary files there too."""
    (folder / "tmp").mkdir()
    with subprocess.Popen(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp"), **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def ended(started: subprocess.Popen[str], how: signal.Signals) -> str:
    started.send_signal(how)
    started.send_signal(how)  # as a shell and `timeout` may: it is one wish
    said, _ = started.communicate(timeout=TIMEOUT)
    assert started.returncode == 0, said
    return said


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_ends_the_demo_and_leaves_nothing(tmp_path: Path, how: signal.Signals) -> None:
    # neither of these is read: both would be refused
    (tmp_path / ".env").write_text("BOT_PAUSE=never\nTWITTER_ACCESS_TOKEN=mine\n", "utf-8")
    with process(tmp_path, "demo", BOT_TOP="many", MASTODON_API_BASE_URL="nowhere") as started:
        assert started.stdout is not None
        viewer = DemoViewer([started.stdout.readline().strip()])
        viewer.until(lambda page: len(page.posts) >= 2)
        assert "The demo has ended, and its files are deleted." in ended(started, how)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".env", "tmp"]
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(requests.ConnectionError):
        viewer.look()


@pytest.mark.slow
def test_a_terminal_that_is_closed_ends_the_demo_and_leaves_nothing(tmp_path: Path) -> None:
    with process(tmp_path, "demo") as started:
        assert started.stdout is not None
        viewer = DemoViewer([started.stdout.readline().strip()])
        viewer.until(lambda page: bool(page.posts))
        started.stdout.close()
        started.send_signal(signal.SIGHUP)
        started.wait(TIMEOUT)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_sandbox_takes_what_the_real_bot_sends(tmp_path: Path) -> None:
    with process(tmp_path, "sandbox", BOT_TOP="many") as started:
        assert started.stdout is not None
        viewer = DemoViewer([started.stdout.readline().strip()])
        assert started.stdout.readline() == "\n"
        environ = dict(started.stdout.readline().strip().split("=", 1) for _ in range(10))
        environ |= {"BOT_PAUSE": "0", "BOT_SETTLE": "0", "BOT_TOP": "1"}
        environ |= {"BOT_DIGESTS": str(SAMPLES)}
        assert run(["post"], ProcessContext(environ, tmp_path)) == 0
        page = viewer.look()
        assert len(page.posts) == 6
        assert len(page.texts("reply")) == 3
        assert "The sandbox has ended, and its posts are deleted." in ended(started, signal.SIGINT)


def test_without_the_extra_the_commands_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise SettingsError("the page needs uvicorn", "Install it.")

    monkeypatch.setattr(demo, "check_libraries", missing)
    for command in ("demo", "sandbox"):
        assert run([command], ProcessContext({}, tmp_path)) == 2
        assert "the page needs uvicorn" in capsys.readouterr().err


def test_who_said_nohup_is_not_interrupted_by_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with until_signal():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert callable(signal.getsignal(signal.SIGTERM))
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_a_farewell_that_nobody_hears_is_no_failure() -> None:
    lines: list[str] = []

    def echo(line: str) -> None:
        if line.startswith("Ended"):
            raise OSError(errno.EIO, "Input/output error")
        lines.append(line)

    demo.sandbox(0, lambda: None, echo)
    demo.demo(0, lambda: None, echo)
    assert lines


def test_the_third_signal_ends_it_at_once() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with until_signal() as wait:
        signal.raise_signal(signal.SIGTERM)
        wait()
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before
