"""`bot digest` at the command line."""

from __future__ import annotations

from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

import pytest

from bot.cli import ProcessContext, run
from bot.digests.parse import parse
from tests.helpers.paths import SAMPLES

NEWEST = max(SAMPLES.glob("*.md"))


def digest(folder: Path, *arguments: str, **environ: str) -> int:
    return run(["digest", *arguments], ProcessContext(environ, folder))


def test_it_prints_the_newest_digest_which_reads_back_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert digest(tmp_path, BOT_DIGESTS=str(SAMPLES)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert parse(out, "x.md") == parse(NEWEST.read_bytes(), "x.md")


def test_it_writes_a_file_once_and_never_over_another_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "posts").mkdir()
    path = tmp_path / "posts" / "hot-papers-2021-06-22.md"
    command = ("2021-06-22", "--output", "posts")
    assert digest(tmp_path, *command, BOT_DIGESTS=str(SAMPLES)) == 0
    assert f"{path} is written: " in capsys.readouterr().out
    before = path.read_bytes()
    assert digest(tmp_path, *command, BOT_DIGESTS=str(SAMPLES)) == 0
    assert f"{path} is there already: " in capsys.readouterr().out
    assert (path.read_bytes(), [*path.parent.iterdir()]) == (before, [path])

    path.write_text("A person's own text.")
    assert digest(tmp_path, *command, BOT_DIGESTS=str(SAMPLES)) == 1
    assert f"{path} holds another text, and is left as it is" in capsys.readouterr().err
    assert path.read_text() == "A person's own text."


@pytest.mark.parametrize(
    ("arguments", "source", "status", "message"),
    [
        ((), "", 2, "BOT_DIGESTS is not set"),
        (("--output", "none"), str(SAMPLES), 2, "there is no folder"),
        (("2021-01-01",), str(SAMPLES), 1, "no digest"),
        (("2021-13-01",), str(SAMPLES), 2, "not a day of the calendar"),
        ((), "huggingface", 75, "the connection is refused"),
    ],
)
def test_what_cannot_be_written_has_its_status(
    tmp_path: Path, arguments: tuple[str, ...], source: str, status: int, message: str
) -> None:
    environ = {"BOT_DIGESTS": source, "BOT_HUGGINGFACE_URL": "http://127.0.0.1:9"}
    errors = StringIO()
    with redirect_stderr(errors):
        assert digest(tmp_path, *arguments, **environ) == status
    assert message in errors.getvalue()
    assert not [*tmp_path.iterdir()]


def test_a_disk_that_is_full_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert digest(tmp_path, "--output", ".", BOT_DIGESTS=str(SAMPLES)) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
