"""The repository's own files: what GitHub reads, what pre-commit runs, what the changelog names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import __version__
from tests.helpers.paths import ROOT

FORMS = [path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]
WORKFLOWS = [*(ROOT / ".github/workflows").glob("*.yml")]


def load(path: Path) -> Any:  # noqa: ANN401 - YAML of any shape
    # GitHub reads YAML 1.2, where `on` is no boolean; PyYAML's default loader reads 1.1
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506


def test_there_are_a_workflow_and_two_forms() -> None:
    assert {path.stem for path in WORKFLOWS} == {"check"}
    assert {path.stem for path in FORMS} == {"fault", "wish"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_may_read_and_no_more_and_runs_what_is_here(path: Path) -> None:
    workflow = load(path)
    assert {"push", "pull_request"} == set(workflow["on"])
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        assert int(job["timeout-minutes"]) <= 120
        for step in job["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"]), step
            else:
                assert (ROOT / step["run"]).stat().st_mode & 0o100, step
    assert workflow["jobs"]["check"]["steps"][-1]["run"] == ".ci/run"


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_a_form_has_the_shape_that_github_takes(path: Path) -> None:
    """See GitHub's documentation, "Syntax for GitHub's form schema"."""
    form = load(path)
    assert set(form) <= {"name", "description", "title", "labels", "body"}
    assert form["name"]
    assert form["description"]
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert asked
    for field in asked:
        assert field["type"] in {"textarea", "input", "dropdown"}
        assert re.fullmatch(r"[a-z_-]+", field["id"])
        assert field["attributes"]["label"]
        options = field["attributes"].get("options", [])
        assert bool(options) is (field["type"] == "dropdown")
        assert len(set(options)) == len(options)
    for part in ("id", "label"):
        values = [field.get(part) or field["attributes"][part] for field in asked]
        assert len(set(values)) == len(values)


def test_the_hooks_are_tools_that_are_locked() -> None:
    locked = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        tool = hook["entry"].split()[0]
        assert hook["language"] == "system"
        assert f"\n{tool.removeprefix('.venv/bin/')}==" in locked


def test_the_changelog_has_the_version_below_what_follows() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, latest = re.findall(r"(?m)^## (.*)$", text)[:2]
    assert unreleased == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)}, \d{{4}}-\d\d-\d\d", latest)
