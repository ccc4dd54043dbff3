from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.digests import folder
from bot.digests.file_names import newest_first
from bot.digests.file_store import FileRefused
from bot.digests.folder import FileSource, Folder
from bot.digests.parse import days_in
from bot.digests.result import NOTHING, SourceOutcome, SourceResult
from bot.digests.search import StoredDigests
from bot.errors import Malformed, NoDigest, Unreachable
from bot.http.page import SIZE_CAP
from tests.helpers.digest_writer import write
from tests.helpers.memory_source import MemoryFolder
from tests.helpers.paths import ROOT, SAMPLES, SHARED, corpus_only
from tests.helpers.sample_digests import digest, markdown


def put(root: Path, *days: str) -> None:
    for day in days:
        (root / f"{day}---Hot-Papers.md").write_bytes(markdown(day))


def latest(root: Path) -> SourceResult:
    return StoredDigests(Folder(root)).latest()


def find(root: Path, wanted: date | str) -> SourceResult:
    return StoredDigests(Folder(root)).find(wanted)


def slug(reading: SourceResult) -> str:
    assert reading.outcome is SourceOutcome.FOUND
    assert reading.digest is not None
    return reading.digest.slug


# The latest


def test_the_latest_is_by_the_day_in_the_name(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-22", "2021-06-21", "2020-12-31")
    reading = latest(tmp_path)
    assert reading.digest == replace(digest("2021-06-22"))
    assert reading.source == str(tmp_path / "2021-06-22---Hot-Papers.md")
    assert reading.warnings == ()


def test_only_the_latest_is_opened(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-22")
    (tmp_path / "2021-06-21---Hot-Papers.md").write_bytes(b"\xff no digest at all")
    (tmp_path / "2021-06-20---Hot-Papers.md").mkdir()
    assert slug(latest(tmp_path)) == "hot-papers-2021-06-22"


@pytest.mark.parametrize(
    "name", ["hot-papers-2021-06-22.md", "x 2021-06-22.markdown", "2021-06-22.MD", "2021-06-22.md"]
)
def test_names_may_have_the_day_anywhere(tmp_path: Path, name: str) -> None:
    put(tmp_path, "2021-06-21")
    (tmp_path / name).write_bytes(markdown("2021-06-22"))
    assert slug(latest(tmp_path)) == "hot-papers-2021-06-22"


def test_the_last_day_of_a_range_counts(tmp_path: Path) -> None:
    put(tmp_path, "2020-10-31")
    weekend = digest("2020-10-30", slug="", last_day="2020-11-01")
    (tmp_path / "2020-10-30 - 2020-11-01.md").write_text(write(weekend), encoding="utf-8")
    found = latest(tmp_path).digest
    assert found is not None
    assert (found.day, found.last_day) == (date(2020, 10, 30), date(2020, 11, 1))
    assert find(tmp_path, date(2020, 10, 31)).digest != found
    assert find(tmp_path, date(2020, 10, 30)).digest == found
    assert find(tmp_path, date(2020, 11, 1)).digest == found


@pytest.mark.parametrize(
    "name",
    [
        ".2022-01-01.md",
        "2022-01-01.md~",
        "2022-01-01.txt",
        "2022-01-01",
        "2022-02-30.md",
        "12022-01-01.md",
        "README.md",
        "changelog.md",
    ],
)
def test_names_of_other_things(tmp_path: Path, name: str) -> None:
    put(tmp_path, "2021-06-22")
    (tmp_path / name).write_bytes(markdown("2022-01-01"))
    assert slug(latest(tmp_path)) == "hot-papers-2021-06-22"


def test_files_without_a_day_in_their_name_say_it_inside(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-22")
    (tmp_path / "newest.md").write_bytes(markdown("2021-06-23"))
    (tmp_path / "older.md").write_bytes(markdown("2021-06-01"))
    (tmp_path / "notes.md").write_text("no digest")
    (tmp_path / "dayless.md").write_text("---\nslug: x\n---\n")
    reading = latest(tmp_path)
    assert slug(reading) == "hot-papers-2021-06-23"
    assert reading.warnings == ()


def test_only_the_head_of_such_a_file_is_read_to_learn_its_day() -> None:
    shelf = MemoryFolder({"a.md": markdown("2021-06-23"), "b.md": markdown("2021-06-22") + b"\0"})
    assert slug(StoredDigests(shelf).latest()) == "hot-papers-2021-06-23"
    assert shelf.read_names == [("a.md", 65_536), ("b.md", 65_536), ("a.md", SIZE_CAP + 1)]


def test_of_several_for_one_day_the_last_one_published_wins(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-21")
    issue = digest("2021-06-22")
    for hours, name in ((2, "2021-06-22-a.md"), (3, "2021-06-22-b.md"), (1, "2021-06-22-c.md")):
        later = replace(issue, slug=name, published=issue.published + timedelta(hours=hours))
        (tmp_path / name).write_text(write(later), encoding="utf-8")
    (tmp_path / "2021-06-22-d.md").write_text("malformed")
    assert slug(latest(tmp_path)) == "2021-06-22-b.md"


def test_a_malformed_latest_is_not_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-21")
    for name in ("2021-06-22-a.md", "2021-06-22-b.md"):
        (tmp_path / name).write_text("malformed")
        with pytest.raises(Malformed, match=r"2021-06-22-.\.md:1: expected `---`"):
            latest(tmp_path)


def test_a_name_and_a_text_that_differ_are_told(tmp_path: Path) -> None:
    (tmp_path / "2021-06-22.md").write_bytes(markdown("2021-06-21"))
    assert latest(tmp_path).warnings == (
        f"{tmp_path}/2021-06-22.md: its name says 2021-06-22, its text 2021-06-21",
    )


def test_the_day_of_the_name_counts_where_the_text_has_none(tmp_path: Path) -> None:
    text = write(replace(digest("2021-06-22"), slug="hot", title="Hot"))
    (tmp_path / "2021-06-22.md").write_text(text, encoding="utf-8")
    found = latest(tmp_path).digest
    assert found is not None
    assert found.day == date(2021, 6, 22)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(NoDigest, match=f"^{tmp_path}: no digest$"):
        latest(tmp_path)


# Asked again and again


def rewritten(path: Path, content: bytes) -> None:
    """Change a file so that neither its size nor any time of it tells."""
    before = path.stat()
    assert before.st_size == len(content)
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns


def test_a_file_written_anew_in_the_same_second_and_size_is_read_anew(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-22")
    name = tmp_path / "2021-06-22---Hot-Papers.md"
    for source in (StoredDigests(Folder(tmp_path)), FileSource(name)):
        name.write_bytes(markdown("2021-06-22"))
        first = source.latest()
        rewritten(name, markdown("2021-06-22").replace(b"Clouds", b"Shrubs"))
        again = source.latest(first.memory)
        assert again.digest is not None
        assert "Shrubs" in again.digest.papers[0].title
        assert first.memory == again.memory == {}


def test_what_is_replaced_renamed_or_deleted_is_noticed(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-21", "2021-06-22")
    source = StoredDigests(Folder(tmp_path))
    newest = tmp_path / "2021-06-22---Hot-Papers.md"
    memory = source.latest().memory
    (tmp_path / "new").write_bytes(markdown("2021-06-22", slug="replaced"))
    (tmp_path / "new").replace(newest)
    assert slug(source.latest(memory)) == "replaced"
    renamed = source.latest(memory).source
    newest = newest.rename(tmp_path / "2021-06-23.md")
    assert source.latest(memory).source == str(newest) != renamed
    newest.unlink()
    assert slug(source.latest(memory)) == "hot-papers-2021-06-21"
    put(tmp_path, "2021-06-22")
    assert slug(source.latest(memory)) == "hot-papers-2021-06-22"


# Finding


def test_a_day_is_found(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-22", "2021-06-21")
    assert slug(find(tmp_path, date(2021, 6, 21))) == "hot-papers-2021-06-21"
    with pytest.raises(NoDigest, match="no digest of 2021-06-20\n  The newest there is of 2021-06"):
        find(tmp_path, date(2021, 6, 20))


def test_a_day_that_only_the_text_names_is_found(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-22")
    (tmp_path / "a.md").write_bytes(markdown("2021-06-21"))
    (tmp_path / "b.md").write_bytes(markdown("2021-06-20"))
    assert slug(find(tmp_path, date(2021, 6, 21))) == "hot-papers-2021-06-21"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("2021-06-22---Hot-Papers.md", "hot-papers-2021-06-22"),
        ("2021-06-22---Hot-Papers.md", "2021-06-22---Hot-Papers"),
        ("issue-hot-papers-2021-06-22.md", "hot-papers-2021-06-22"),
        ("the-22nd.md", "hot-papers-2021-06-22"),
    ],
)
def test_a_slug_is_found(tmp_path: Path, name: str, wanted: str) -> None:
    put(tmp_path, "2021-06-21")
    (tmp_path / name).write_bytes(markdown("2021-06-22"))
    assert slug(find(tmp_path, wanted)) == "hot-papers-2021-06-22"


def test_a_slug_without_a_day_is_found(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-21")
    (tmp_path / "hot-issue.md").write_bytes(markdown("2021-06-22", slug="hot-issue"))
    (tmp_path / "x.md").write_bytes(markdown("2021-06-23", slug="other"))
    assert slug(find(tmp_path, "hot-issue")) == "hot-issue"
    assert slug(find(tmp_path, "other")) == "other"


def test_a_slug_that_is_nowhere(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-21")
    for wanted in ("hot-papers-2021-06-22", "../2021-06-21---Hot-Papers", "", "\0"):
        with pytest.raises(NoDigest, match="no digest with the slug"):
            find(tmp_path, wanted)


def test_a_malformed_file_of_the_slugs_day_is_told(tmp_path: Path) -> None:
    (tmp_path / "2021-06-22.md").write_text("malformed")
    with pytest.raises(Malformed, match=r"2021-06-22\.md:1: expected `---`"):
        find(tmp_path, "hot-papers-2021-06-22")


# What must not be read


def test_links_that_lead_out_are_refused_and_named(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    put(inside, "2021-06-22")
    put(outside, "2021-06-23")
    link = inside / "2021-06-23.md"
    link.symlink_to(outside / "2021-06-23---Hot-Papers.md")
    (inside / "2021-06-24.md").symlink_to("nowhere")
    (inside / "2021-06-25.md").symlink_to("2021-06-25.md")
    reading = latest(inside)
    assert slug(reading) == "hot-papers-2021-06-22"
    nothing = "a symbolic link to nothing is not followed"
    assert reading.warnings == (
        f"{inside}/2021-06-25.md: {nothing}",
        f"{inside}/2021-06-24.md: {nothing}",
        f"{link}: a symbolic link that leads out of the folder is not followed",
    )
    with pytest.raises(NoDigest, match=r"2021-06-23\.md: a symbolic link that leads out"):
        find(inside, date(2021, 6, 23))


def test_links_inside_the_folder_are_followed(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "archive").mkdir(parents=True)
    put(real / "archive", "2021-06-22")
    (real / "2021-06-22.md").symlink_to("archive/2021-06-22---Hot-Papers.md")
    (tmp_path / "folder").symlink_to(real)
    assert slug(latest(tmp_path / "folder")) == "hot-papers-2021-06-22"


def test_a_link_that_takes_a_files_place_while_it_is_read_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "2021-06-22.md").symlink_to(SAMPLES / "2021-06-22---Hot-Papers.md")
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)
    with pytest.raises(Unreachable, match="symbolic links"):
        latest(tmp_path)


@pytest.mark.parametrize(
    ("kind", "said"),
    [("pipe", "a pipe is not read"), ("folder", "a folder is"), ("socket", "a device or socket")],
)
def test_what_is_no_file_is_passed_over(tmp_path: Path, kind: str, said: str) -> None:
    put(tmp_path, "2021-06-22")
    odd = tmp_path / "2021-06-23.md"
    server = socket.socket(socket.AF_UNIX)
    if kind == "pipe":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    else:
        server.bind(str(odd))
    reading = latest(tmp_path)
    server.close()
    assert slug(reading) == "hot-papers-2021-06-22"
    assert reading.warnings[0].startswith(f"{odd}: {said}")


def test_a_pipe_that_took_a_files_place_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.close(folder._open(0, str(tmp_path / "pipe"), os.O_RDONLY))


@pytest.fixture
def unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose newest file may not be read, not even where root runs the tests."""
    put(tmp_path, "2021-06-21", "2021-06-22")
    (tmp_path / "2021-06-22---Hot-Papers.md").chmod(0)
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    yield Path()
    os.seteuid(user)


def test_a_latest_that_may_not_be_read_is_unreachable(unreadable: Path) -> None:
    said = r"22---Hot-Papers\.md: cannot be read: Permission denied\n  Let the user"
    with pytest.raises(Unreachable, match=said):
        latest(unreadable)
    with pytest.raises(Unreachable, match=said):
        find(unreadable, date(2021, 6, 22))
    with pytest.raises(Unreachable, match=said):
        find(unreadable, "hot-papers-2021-06-22")
    assert slug(find(unreadable, date(2021, 6, 21))) == "hot-papers-2021-06-21"


def test_a_latest_that_may_not_be_read_comes_beside_the_others(unreadable: Path) -> None:
    good, bad = StoredDigests(Folder(unreadable)).since(date(2021, 6, 20), 9)
    assert slug(good) == "hot-papers-2021-06-21"
    assert (bad.outcome, bad.source) == (SourceOutcome.UNREACHABLE, "2021-06-22---Hot-Papers.md")
    assert "Permission denied" in str(bad.problem)


def test_a_folder_that_is_gone_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="gone: cannot be read: No such file or directory"):
        latest(tmp_path / "gone")


def test_too_large_a_file_is_malformed(tmp_path: Path) -> None:
    for large in (tmp_path / "2021-06-22.md", tmp_path / "2021-06-23.md"):
        with large.open("wb") as file:
            file.truncate(SIZE_CAP + 1)
        with pytest.raises(Malformed, match="expected a digest, found more than 1 MB"):
            latest(tmp_path)
        with pytest.raises(Malformed, match="expected a digest, found more than 1 MB"):
            FileSource(large).latest()


def test_names_that_are_no_text_are_told_as_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\n\x1b-2021-06-22.md")
    (tmp_path / name).write_bytes(b"\xff")
    with pytest.raises(Malformed) as caught:
        latest(tmp_path)
    assert "/\N{REPLACEMENT CHARACTER}??-2021-06-22.md:1: expected UTF-8" in str(caught.value)


# A shelf in memory: what no folder does on demand


def test_of_several_one_that_is_refused_or_unreachable_costs_the_other_nothing() -> None:
    good = markdown("2021-06-22")
    for problem in (FileRefused("a link"), Unreachable("gone away")):
        shelf = MemoryFolder({"2021-06-22-a.md": problem, "2021-06-22-b.md": good})
        reading = StoredDigests(shelf).latest()
        assert slug(reading) == "hot-papers-2021-06-22"
        assert reading.warnings == (str(problem),)


def test_a_day_none_of_whose_files_can_be_read_is_not_passed_over() -> None:
    gone = Unreachable("gone away")
    shelf = MemoryFolder({"2021-06-22-a.md": gone, "2021-06-22-b.md": gone, "2021-06-21.md": b""})
    with pytest.raises(Unreachable):
        StoredDigests(shelf).latest()


def test_of_a_day_whose_files_are_refused_once_they_are_read_an_older_is_taken() -> None:
    class Turning(MemoryFolder):
        def read(self, name: str, limit: int) -> bytes:
            if limit == SIZE_CAP + 1 and name > "2021-06-22":
                raise FileRefused(f"{name} is a link now")
            return super().read(name, limit)

    names = ("2021-06-22-a.md", "2021-06-22-b.md", "2021-06-21.md")
    reading = StoredDigests(Turning({name: markdown(name[:10]) for name in names})).latest()
    assert slug(reading) == "hot-papers-2021-06-21"
    assert reading.warnings == (
        "2021-06-22-b.md is a link now",
        "2021-06-22-a.md is a link now",
    )


def test_files_that_vanish_and_say_no_day_are_told_where_nothing_else_is_there() -> None:
    with pytest.raises(Unreachable, match="gone away"):
        StoredDigests(MemoryFolder({"a.md": Unreachable("gone away")})).latest()
    both = MemoryFolder({"a.md": Unreachable("gone away"), "2021-06-22.md": markdown("2021-06-22")})
    assert StoredDigests(both).latest().warnings == ("gone away",)


def test_no_more_files_are_opened_than_there_is_patience() -> None:
    files = {f"{n}.md": markdown(f"2021-06-0{n}") for n in range(1, 6)}
    shelf = MemoryFolder(files, patience=3)
    reading = StoredDigests(shelf).latest()
    assert slug(reading) == "hot-papers-2021-06-03"
    assert "memory: 2 files were not looked into; begin their names" in reading.warnings[0]
    assert [name for name, _ in shelf.read_names] == ["1.md", "2.md", "3.md", "3.md"]


def test_a_shelf_that_has_nothing_new_is_unchanged() -> None:
    class Unchanged(MemoryFolder):
        def names(self, memory: object) -> None:
            del memory

    shelved = StoredDigests(Unchanged({}))
    assert shelved.latest(NOTHING).outcome is SourceOutcome.UNCHANGED
    with pytest.raises(NoDigest):
        shelved.find("x")


@given(
    st.dictionaries(
        st.from_regex(r"[a-c ./\x00-]{0,3}(2021-0[1-3]-[0-3]\d)?[ab]?\.md"), st.just(b"")
    )
)
def test_any_names_leave_only_outcomes(files: dict[str, bytes]) -> None:
    good = markdown("2020-01-01")
    shelf = MemoryFolder({**files, "2020-01-01.md": good})
    try:
        assert slug(StoredDigests(shelf).latest()) == "hot-papers-2020-01-01"
    except Malformed as error:
        assert days_in(error.where)


@given(st.lists(st.dates().map(str)))
def test_days_come_newest_first_and_once(days: list[str]) -> None:
    assert list(newest_first(days)) == sorted(set(days), reverse=True)


# One file


def test_one_file(tmp_path: Path) -> None:
    path = tmp_path / "2021-06-22.md"
    path.write_bytes(markdown("2021-06-22"))
    assert FileSource(path).latest() == SourceResult(
        SourceOutcome.FOUND, str(path), digest("2021-06-22")
    )
    assert slug(FileSource(path).find(date(2021, 6, 22))) == "hot-papers-2021-06-22"
    assert slug(FileSource(path).find("hot-papers-2021-06-22")) == "hot-papers-2021-06-22"
    for wanted in (date(2021, 6, 21), "hot"):
        with pytest.raises(NoDigest, match="this is not the digest"):
            FileSource(path).find(wanted)


def test_one_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(NoDigest, match="there is no such file"):
        FileSource(tmp_path / "x.md").latest()
    with pytest.raises(Unreachable, match=r"cannot be read: .*embedded null"):
        FileSource(tmp_path / "x\0.md").latest()
    with pytest.raises(Malformed, match="expected a file with a digest: a folder is not read"):
        FileSource(tmp_path).latest()
    with pytest.raises(Malformed, match="a device or socket is not read"):
        FileSource(Path(os.devnull)).latest()


def test_a_folder_is_read_without_the_libraries_of_the_network(tmp_path: Path) -> None:
    put(tmp_path, "2021-06-22")
    program = (
        "import sys\n"
        "from bot.digests.source import open_source\n"
        f"print(open_source({str(tmp_path)!r}).latest().outcome)\n"
        "heavy = {'requests', 'urllib3', 'defusedxml', 'html.parser', 'http.client'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.split("\n")[:2] == ["found", "[]"]


@corpus_only
def test_the_real_digests_lie_in_folders() -> None:
    for name, newest in (("seeds", "hot-papers-2021-08-06"), ("digests", "hot-papers-2022-01-13")):
        root = SHARED / "corpus" / name
        assert slug(latest(root)) == newest
        for path in root.glob("*.md"):
            found = find(root, date.fromisoformat(path.name[:10])).digest
            assert found is not None
            assert slug(find(root, found.slug)) == found.slug
            assert found.published > datetime(2020, 1, 1, tzinfo=UTC)
