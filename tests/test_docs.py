"""The documents say what the program does, name files that exist, and are written in plain words.

Help texts, settings, prices, events, JSON and examples are compared with the program.
"""

from __future__ import annotations

import ast
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from bot.cli import ProcessContext, cli, run
from bot.delivery.types import End
from bot.digests.parse import parse
from bot.formatter.views import DigestView, PaperView
from bot.formatter.x import prices
from bot.model import Network
from bot.scheduler.reporter import _QUIET
from bot.settings import accounts, load, options, table
from tests.helpers import refusal_table
from tests.helpers.paths import ROOT

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (
        *(ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "tests" / "README.md"),
        *(ROOT / "bench" / "README.md", *sorted((ROOT / "docs").glob("*.md"))),
    )
}
README = PAGES["README.md"]


def section(page: str, heading: str) -> str:
    found = re.search(rf"(?ms)^##+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", PAGES[page])
    assert found, heading
    return found[1]


def blocks(text: str, language: str = "") -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


# What the program prints ------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *sorted(cli.commands)])
def test_the_help_that_is_shown_is_what_the_program_prints(command: str) -> None:
    words = f"bot {command}".split()
    printed = CliRunner().invoke(cli, [*words[1:], "--help"], prog_name="bot", terminal_width=78)
    assert f"$ {' '.join(words)} --help\n{printed.output}" in blocks(PAGES["docs/commands.md"])


def test_the_settings_that_are_shown_are_those_of_the_program() -> None:
    assert table().strip() in PAGES["docs/settings.md"]


@pytest.mark.parametrize("heading", ["Try it", "Test it"])
def test_each_of_the_two_commands_stands_alone_in_its_block(heading: str) -> None:
    (block,) = blocks(section("README.md", heading))
    assert block.count("\n") == 1


def test_the_variables_of_templates_are_all_named() -> None:
    shown = section("docs/templates.md", "Variables")
    for view, name in ((DigestView, "digest"), (PaperView, "paper")):
        (row,) = [line for line in shown.split("\n") if line.startswith(f"| `{name}` |")]
        named = set(re.findall(r"`(\w+)`", row)) - {name}
        assert named == {field.name for field in fields(view)}


def test_the_example_of_a_template_works(tmp_path: Path) -> None:
    (example,) = blocks(PAGES["docs/templates.md"], "jinja")
    path = tmp_path / "default" / "entry.txt.j2"
    path.parent.mkdir()
    path.write_text(example, encoding="utf-8")
    surroundings = ProcessContext({"BOT_TEMPLATES": str(tmp_path)}, tmp_path)
    assert run(["post", "--dry-run", "--json"], surroundings) == 0


def test_the_example_of_a_digest_is_a_digest() -> None:
    (example,) = blocks(PAGES["docs/digests.md"], "markdown")
    digest, warnings = parse(example, "2021-06-22---Hot-Papers.md")
    assert not warnings
    assert (digest.slug, digest.day) == ("hot-papers-2021-06-22", date(2021, 6, 22))
    (paper,) = digest.papers
    assert paper.abstract == "The abstract, with LaTeX in it."


def test_the_example_of_accounts_is_read(tmp_path: Path) -> None:
    (example,) = blocks(PAGES["docs/settings.md"], "toml")
    (tmp_path / "bot.toml").write_text(example, encoding="utf-8")
    settings = load({"VISION_MASTODON_TOKEN": "abc"}, tmp_path)
    assert [account.name for account in settings.accounts] == ["vision"]


PRICES = [
    (page, *cells)
    for page in ("README.md", "docs/faq.md")
    for cells in re.findall(
        r"(?m)^\| (`TWITTER_.*?) \| (\d+) \| \$([\d.]+) \| \$([\d.]+) \|$", PAGES[page]
    )
]


@pytest.mark.parametrize(("page", "named", "posts", "one", "thirty"), PRICES)
def test_the_prices_of_x_are_what_the_program_counts(  # noqa: PLR0913, PLR0917 - a row's cells
    page: str,
    named: str,
    posts: str,
    one: str,
    thirty: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = dict(re.findall(r"`([A-Z_]+)=(.*?)`", named))
    command = ["post", "--dry-run", "--json", "--network", "twitter"]
    assert run(command, ProcessContext(settings, tmp_path)) == 0
    (thread,) = json.loads(capsys.readouterr().out)["threads"]
    assert len(thread["posts"]) == int(posts), page
    assert Decimal(str(thread["cost_usd"])) == Decimal(one), page
    assert Decimal(one) * 30 == Decimal(thirty), page


def test_the_price_list_of_x_is_the_programs() -> None:
    shown = section("docs/faq.md", "What X costs")
    listed = [Decimal(price) for price in re.findall(r"(?m)\| ([\d.]+) \|$", shown)]
    kinds = ("post", "post_with_url", "own_post", "delete", "media_metadata")
    assert listed == [getattr(prices.PRICES, kind) for kind in kinds]
    for page in ("README.md", "docs/faq.md"):
        dates = f"since {prices.PRICES.since}, looked up on {prices.PRICES.read}"
        assert dates in PAGES[page], page


def test_each_page_with_prices_has_them() -> None:
    assert [row[0] for row in PRICES] == [*["README.md"] * 3, *["docs/faq.md"] * 4]


def shape(value: object) -> object:
    """What a program relies on: the names, down to the first item of each list."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


def test_the_json_that_is_shown_has_the_names_of_the_contract() -> None:
    plan, status = (shape(json.loads(block)) for block in blocks(PAGES["docs/programs.md"], "json"))
    posts = ["position", "number", "text", "length", "limit", "state", "id", "url", "media", "card"]
    assert plan == {
        "digest": dict.fromkeys(["slug", "date", "title", "papers", "source"]),
        "threads": [
            dict.fromkeys(["network", "account", "cost_usd"]) | {"posts": [dict.fromkeys(posts)]}
        ],
    }
    known = ["position", "number", "state", "id", "url", "attempts", "error"]
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
        for folder in ("scheduler", "monitoring")
        for call in calls(folder, "log", "_log", "_once", "_line")
        for text in texts(call.args[0])
        if re.fullmatch(r"[a-z]+\.[a-z_]+", text)
    }
    told = {
        f"{'thread' if None in values else 'post'}.{what.replace(' ', '_')}"
        for call in calls("delivery", "emit")
        for values in [[getattr(each, "value", "") for each in call.args[1:2]]]
        for what in texts(call.args[0]) - _QUIET
    }
    ends = {f"thread.{end}" for end in End if end is not End.WRONG}  # it is `account.refused`
    assert {"log.lost", "post.picture_lost", "thread.limited"} < logged | told
    table = section("docs/deploy.md", "Events")
    named = {
        name
        for row in table.split("\n")
        for name in re.findall(r"`([^`]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert named == logged | told | ends


def test_what_an_account_can_have_is_all_named() -> None:
    shown = section("docs/settings.md", "Accounts")
    (said,) = re.findall(r"(?m)^An account can have (.*?)\. What it", shown)
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
    assert refusal_table.table(network) in PAGES["docs/refusals.md"]
    assert [*refusal_table.missing(network)] == [], "the page has no row for these"


# What the documents name ------------------------------------------------------------------------

FOLDERS = ("bot", "tests", "bench", "docs", "templates", ".ci", ".github")
"""Those whose files are named by a path from the root; `build/` and `state/` are made later."""


def anchors(page: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"(?ms)^```.*?^```$", "", page)
    headings = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_every_path_that_is_named_is_there(name: str) -> None:
    starts = "|".join(re.escape(folder) for folder in FOLDERS)
    for path in re.findall(rf"(?<![\w./:-])(?:{starts})/[\w./-]*", PAGES[name]):
        assert (ROOT / path.rstrip(".")).exists(), path
    named = set(re.findall(r"`([\w.-]+)`", PAGES[name]))
    for file in named & {"Procfile", "app.json", "requirements.txt", "pyproject.toml"}:
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", PAGES[name]):
        path = (ROOT / name).parent / target if target else ROOT / name
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path.read_text(encoding="utf-8")), f"{target}#{anchor}"


def test_every_page_is_listed_in_the_readme() -> None:
    listed = re.findall(r"(?m)^\| \[(docs/.*?)\]\(\1\) \|", README)
    assert sorted(listed) == [name for name in PAGES if name.startswith("docs/")]


# How the documents are written ------------------------------------------------------------------


def test_the_readme_is_short_and_its_picture_fits_on_a_screen() -> None:
    assert len(README.splitlines()) <= 150
    assert len(README.split()) <= 1300
    (picture,) = re.findall(r"!\[[^]]*\]\((.*?)\)", README)
    width, height = struct.unpack(">II", (ROOT / picture).read_bytes()[16:24])
    assert width <= 1000
    assert height <= 700


ODD = re.compile(
    r"(?i)\b(?:mend\w*|told|lest|anew|nobody|what is ours|gone on with|is there for|taken back)\b"
)


@pytest.mark.parametrize("name", PAGES)
def test_no_word_is_one_that_few_readers_know(name: str) -> None:
    """Names in code are contracts, and may be any word."""
    prose = re.sub(r"`[^`\n]+`", "", PAGES[name])
    assert not (found := ODD.search(prose)), found
