"""The README says what the program does: its help, its settings, its templates' variables."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import Surroundings, cli, run
from bot.delivery.terms import End
from bot.formatter.views import DigestView, PaperView
from bot.model import Network
from bot.settings import accounts, options, table
from bot.worker.signs import _QUIET
from tests.helpers import refusal_table
from tests.helpers.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(heading: str) -> str:
    found = re.search(rf"(?ms)^##+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", README)
    assert found, heading
    return found[1]


def blocks(text: str, language: str = "") -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


COMMANDS = (
    *("", "demo", "preview", "sandbox", "post", "run", "login"),
    *("check", "status", "retract", "settle"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_that_is_shown_is_what_the_program_prints(command: str) -> None:
    words = f"bot {command}".split()
    printed = CliRunner().invoke(cli, [*words[1:], "--help"], prog_name="bot", terminal_width=78)
    assert f"$ {' '.join(words)} --help\n{printed.output}" in blocks(section("Using it"))


def test_the_settings_that_are_shown_are_those_of_the_program() -> None:
    assert table().strip() in section("Settings")


@pytest.mark.parametrize("heading", ["Try it", "Test it"])
def test_each_of_the_two_commands_stands_alone_in_its_block(heading: str) -> None:
    (block,) = blocks(section(heading))
    assert block.count("\n") == 1


def test_the_variables_of_templates_are_all_named() -> None:
    shown = section("Templates")
    for view, name in ((DigestView, "digest"), (PaperView, "paper")):
        (row,) = [line for line in shown.split("\n") if line.startswith(f"| `{name}` |")]
        named = set(re.findall(r"`(\w+)`", row)) - {name}
        assert named == {field.name for field in fields(view)}


def test_the_example_of_a_template_works(tmp_path: Path) -> None:
    (example,) = blocks(section("Templates"), "jinja")
    path = tmp_path / "default" / "entry.txt.j2"
    path.parent.mkdir()
    path.write_text(example, encoding="utf-8")
    surroundings = Surroundings({"BOT_TEMPLATES": str(tmp_path)}, tmp_path)
    assert run(["post", "--dry-run", "--json"], surroundings) == 0


def shape(value: object) -> object:
    """What a program relies on: the names, down to the first item of each list."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def test_the_json_that_is_shown_has_the_names_of_the_contract() -> None:
    plan, status = (shape(json.loads(block)) for block in blocks(section("For programs"), "json"))
    posts = [*("position", "text", "length", "limit", "state", "id", "url", "media")]
    assert plan == {
        "digest": dict.fromkeys(["slug", "date", "title", "papers", "source"]),
        "threads": [
            dict.fromkeys(["network", "account", "cost_usd"]) | {"posts": [dict.fromkeys(posts)]}
        ],
    }
    known = ["position", "state", "id", "url", "attempts", "error"]
    assert status == {
        "accounts": [dict.fromkeys(["account", "network", "ready", "reason", "spent_usd"])],
        "threads": [
            dict.fromkeys(["digest", "account", "network", "changed"])
            | {"posts": [dict.fromkeys(known)]}
        ],
    }


def test_every_file_that_the_page_on_security_names_is_there() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w./-]+\.(?:txt|md)|\.[\w./-]+)[^`]*`", page)) - {".env"}
    assert {"requirements-build.txt", ".ci/lock", ".python-version"} < named
    for name in named:
        assert (ROOT / name).exists(), name


def test_every_file_that_is_linked_is_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def calls(folder: str, *names: str) -> Iterator[ast.Call]:
    """Every call of a function or method of one of these names."""
    for path in (ROOT / "bot" / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                function = node.func
                called = getattr(function, "attr", None) or getattr(function, "id", None)
                if called in names and node.args:
                    yield node


def texts(node: ast.AST) -> set[str]:
    """The texts that a value is chosen from."""
    found = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return {text for text in found if isinstance(text, str)}


def test_every_event_of_the_log_is_in_the_table() -> None:
    logged = {
        text
        for call in calls("worker", "log", "_log", "_once", "_line")
        for text in texts(call.args[0])
        if re.fullmatch(r"[a-z]+\.[a-z_]+", text)
    }
    told = {
        f"{'thread' if None in values else 'post'}.{what.replace(' ', '_')}"
        for call in calls("delivery", "tell")
        for values in [[getattr(each, "value", "") for each in call.args[1:2]]]
        for what in texts(call.args[0]) - _QUIET
    }
    ends = {f"thread.{end}" for end in End if end is not End.WRONG}  # it is `account.refused`
    assert {"log.lost", "post.picture_lost", "thread.limited"} < logged | told
    table = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").partition("| event |")[2]
    named = {
        name
        for row in table.split("\n")
        for name in re.findall(r"`([^`]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert named == logged | told | ends


def test_what_an_account_can_have_is_all_named() -> None:
    (said,) = re.findall(r"(?m)^An account can have (.*?)\. What it", section("Accounts"))
    taste = [*options.TABLE, options.CATEGORIES, options.EXCLUDE]
    taste += [options.LANGUAGE, options.HASHTAGS]
    how_to_reach_it = {"api_url", "base_url", "service_url", "handle", "read_back"}
    known = {each.account for each in taste if each.account and not each.kind.secret}
    assert set(re.findall(r"`(\w+)`", said)) == known - how_to_reach_it


def test_a_deploy_button_asks_for_what_each_network_needs_and_for_nothing_unknown() -> None:
    asked = json.loads((ROOT / "app.json").read_text(encoding="utf-8"))["env"]
    assert set(asked) <= {option.name for option in options.TABLE}
    for network in Network:
        assert set(accounts._needed(network)) <= set(asked), network


@pytest.mark.parametrize("network", refusal_table.EXAMPLES)
def test_the_page_of_refusals_is_what_the_code_says(network: str) -> None:
    page = (ROOT / "docs" / "refusals.md").read_text(encoding="utf-8")
    assert refusal_table.table(network) in page
    assert [*refusal_table.missing(network)] == [], "the page has no row for these"
