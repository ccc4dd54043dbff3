"""The program as it is installed: a wheel away from its checkout, a checkout without a wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bot import __version__
from tests.helpers import licence_table
from tests.helpers.paths import ROOT, SAMPLES


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout, built without network: hatchling is here already."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return zipfile.ZipFile(built)


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    wheel.extractall(folder)
    return folder


def bot(*arguments: str, package: Path, folder: Path) -> str:
    """What `python -m bot` of the package prints in `folder`, with nothing in its environment."""
    run = subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def plan(package: Path, folder: Path) -> tuple[dict[str, object], Path]:
    """What a dry run plans, its source taken out, and the source."""
    printed = json.loads(bot("post", "--dry-run", "--json", package=package, folder=folder))
    return printed, Path(printed["digest"].pop("source"))


def below(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def metadata(wheel: zipfile.ZipFile, name: str) -> str:
    return wheel.read(f"bot-{__version__}.dist-info/{name}").decode()


def test_the_wheel_holds_the_program_its_templates_and_its_samples(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    templates = {f"bot/templates/{name}" for name in below(ROOT / "templates")}
    package = {f"bot/{name}" for name in below(ROOT / "bot") if "__pycache__" not in name}
    assert held == templates | package
    assert "bot/templates/default/entry.txt.j2" in held
    assert {f"bot/samples/{path.name}" for path in SAMPLES.glob("*.md")} < held


def test_the_wheel_names_its_command_and_its_version(wheel: zipfile.ZipFile) -> None:
    fields = Parser().parsestr(metadata(wheel, "METADATA"))
    assert (fields["Name"], fields["Version"]) == ("bot", __version__)
    assert fields["Requires-Python"] == ">=3.11"
    assert "bot = bot.cli:main" in metadata(wheel, "entry_points.txt").splitlines()


def test_a_wheel_in_any_folder_does_what_the_checkout_does(installed: Path, tmp_path: Path) -> None:
    expected, _ = plan(ROOT, tmp_path)
    found, source = plan(installed, tmp_path)
    assert found == expected
    assert isinstance(found["threads"], list)
    assert len(found["threads"]) == 3
    assert source.is_relative_to(installed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_wheel_in_any_folder_says_its_version(installed: Path, tmp_path: Path) -> None:
    printed = bot("--version", package=installed, folder=tmp_path)
    assert printed.split()[-1] == __version__
    assert "templates" in bot("check", "--offline", package=installed, folder=tmp_path)


def test_a_checkout_needs_no_installation(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("bot", "templates"):
        shutil.copytree(ROOT / name, checkout / name, ignore=ignored)
    before = below(checkout)
    expected, _ = plan(ROOT, elsewhere)
    found, source = plan(checkout, checkout)
    assert found == expected
    assert source.is_relative_to(checkout)
    assert below(checkout) == before


def locked(name: str) -> list[Requirement]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line.split(" \\")[0]) for line in lines if line[:1].isalnum()]


@pytest.mark.slow
def test_a_stranger_installs_with_nothing_fetched_but_what_is_locked(tmp_path: Path) -> None:
    """As the README says, with hatchling here already and no index to ask."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    fetched = re.findall(r"pip install --quiet (-r requirements\.txt .*?) &&", text)
    assert set(fetched) == {"-r requirements.txt -r requirements-build.txt"}
    (options,) = {*re.findall(r"pip install --quiet (--no-deps .*?) &&", text)}
    command = ["pip", "install", "--no-index", "--target", str(tmp_path / "installed")]
    command += options.split()
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environ, check=True)
    assert (tmp_path / "installed" / "bot" / "samples").is_dir()


def test_the_build_is_locked_with_all_that_it_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pins = {str(Requirement(each)) for each in project["build-system"]["requires"]}
    assert {str(one) for one in locked("requirements-build.txt")} == pins
    assert pins <= {str(one) for one in locked("requirements-dev.txt")}
    names = {canonicalize_name(Requirement(pin).name) for pin in pins}
    assert "hatchling" in names
    for name in names:
        for words in requires(name) or []:
            needed = Requirement(words)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in names, f"{name} needs {needed}"


LOCKS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("requirements*.txt", "bench/*/requirements.txt", ".ci/*/requirements.txt")
    for path in ROOT.glob(pattern)
)


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_one_version_with_hashes(name: str) -> None:
    text = re.sub(r"(?m)^ *#.*\n", "", (ROOT / name).read_text(encoding="utf-8"))
    entries = text.replace("\\\n", " ").splitlines()
    assert entries
    for entry in entries:
        words, *hashes = re.split(r"\s+--hash=", entry.strip())
        assert re.fullmatch(r"==[^*,]+", str(Requirement(words).specifier)), entry
        assert hashes, entry
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), entry


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_what_is_locked_is_locked_with_the_extras_it_is_asked_for(name: str) -> None:
    """Or pip takes `coverage[toml]` for another package than `coverage`, and finds no hash for it.

    It does so only once a release newer than the locked one is out: nobody sees it on the day of
    the lock.
    """
    all_locked = locked(name)
    extras = {canonicalize_name(one.name): one.extras for one in all_locked}
    here = [one for one in all_locked if one.marker is None or one.marker.evaluate()]
    asked = [Requirement(words) for one in here for words in requires(one.name) or []]
    wanted = [one for one in asked if one.extras and (one.marker is None or one.marker.evaluate())]
    assert len(here) > 20
    for one in wanted:
        assert one.extras <= extras[canonicalize_name(one.name)], one
    if name == "requirements-dev.txt":
        assert "coverage" in {one.name for one in wanted}


def test_the_page_of_licences_names_all_that_is_shipped() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    assert licence_table.table() in page
    fonts = re.findall(r"(?m)^\| `(\S+\.[to]tf)` \| .*? \| `(\S+)` \|$", page)
    folder = ROOT / "bot" / "picture" / "fonts"
    assert {name for name, _ in fonts} == {path.name for path in folder.glob("*.[ot]tf")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shipped = {f"bot/picture/fonts/{text}" for _, text in fonts} | {"LICENSE"}
    assert shipped == set(project["license-files"])


def test_a_library_without_a_licence_is_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "nameless-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: nameless\nVersion: 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LookupError, match="nameless does not say"):
        licence_table.licence("nameless")
