from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.errors import TemplateError
from bot.formatter.templates import Templates, package_folder, unread
from bot.formatter.views import PaperView
from bot.model import Network
from tests.helpers.paths import ROOT


@dataclass(frozen=True, slots=True)
class TemplateValue:
    name: str
    count: int = 12345


VARIABLES = {
    "thing": TemplateValue("a thing"),
    "things": (TemplateValue("one"), TemplateValue("two")),
}


def written(folder: Path, text: str | bytes, name: str = "default/entry.txt.j2") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rendered(folder: Path, text: str | bytes) -> str:
    written(folder, text)
    return Templates(Network.TWITTER, folder).render("entry", VARIABLES)


def refused(folder: Path, text: str | bytes) -> str:
    with pytest.raises(TemplateError) as caught:
        rendered(folder, text)
    path = folder / "default/entry.txt.j2"
    assert caught.value.message.startswith(f"{path}:")
    assert caught.value.fix
    return caught.value.message.removeprefix(f"{path}:")


def test_text_keeps_its_lines_and_loses_white_space_at_their_ends(tmp_path: Path) -> None:
    text = "\n\n  {{ thing.name }}  \n{% if true %}\nyes\t\n{% endif %}\n\n{{ 12345 | number }}\n"
    assert rendered(tmp_path, text) == "a thing\nyes\n\n12,345"


def test_nothing_is_escaped(tmp_path: Path) -> None:
    assert rendered(tmp_path, "{{ '<a> & \"b\"' }}") == '<a> & "b"'


def test_loops_and_includes_work(tmp_path: Path) -> None:
    written(tmp_path, "- {{ item.name }}", "default/part.txt.j2")
    text = (
        "{% for item in things %}{% include 'default/part.txt.j2' %} {{ loop.index }}\n{% endfor %}"
    )
    assert rendered(tmp_path, text) == "- one 1\n- two 2"


def test_macros_and_ranges_work(tmp_path: Path) -> None:
    text = "{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{{ twice(2) }}{{ range(3) | list }}"
    assert rendered(tmp_path, text) == "220, 1, 2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n{% if %}", "2: Expected an expression"),
        ("a\n\n{{ thing.name", "3: unexpected end of template"),
        ("{% endless %}", "1: Encountered unknown tag 'endless'"),
        (
            "a\n{{ papre.title }}",
            '2: there is no variable "papre". Available: dict, joiner, namespace',
        ),
        ("{{ thinf.name }}", '1: there is no variable "thinf"; did you mean thing? Available: '),
        ("{% if false %}\n{{ nope }}\n{% endif %}", '2: there is no variable "nope"'),
        ("a\n{{ thing.titel }}", "2: "),
        ("{{ thing.titel }}", f"1: '{__name__}.TemplateValue object' has no attribute 'titel'"),
        ("\n\n{{ thing.__class__.__mro__ }}", "3: access to attribute '__class__'"),
        ("{{ ''['__class__'] }}", "1: access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ things.append(1) }}", "1: "),
        ("{{ 'a'.format() }}", "1: access to attribute 'format' of 'str' object is unsafe."),
        ("{{ 'a'.center(9999999999) }}", "1: access to attribute 'center'"),
        ("{{ 'a' * 9999999999 }}", "1: a template can use `*` with numbers only"),
        ("{{ 9 ** 9999999999 }}", "1: a template cannot use `**`"),
        ("{{ 1 / 0 }}", "1: division by zero"),
        ("{{ thing.name | number }}", "1: "),
        ("{{ thing | random }}", "1: No filter named 'random'"),
        (
            "{% for i in range(9999) %}{% endfor %}",
            "1: a range in a template has at most 1,000 numbers",
        ),
        (
            "\n{% for i in range(999) %}\n{% for j in range(999) %}{% endfor %}\n{% endfor %}",
            "3: the template takes more than 20,000 loop rounds, calls and includes",
        ),
        (
            "{% for i in range(999) recursive %}{{ loop(range(999)) }}{% endfor %}",
            "1: a template cannot use recursive loops",
        ),
        (
            "{% macro m() %}\n{{ m() }}{% endmacro %}{{ m() }}",
            "2: the template calls or includes itself endlessly",
        ),
        (
            "\n{% include 'default/entry.txt.j2' %}",
            "2: the template calls or includes itself endlessly",
        ),
        (
            "\n{% include 'default/nowhere' %}",
            "2: the template includes default/nowhere, which does not exist",
        ),
        (
            "{% for i in range(900) %}{% for j in range(9) %}aaaaaaaaaaaaa{% endfor %}{% endfor %}",
            "1: the template produces more than 100,000 characters",
        ),
        (b"a \xff", "1: cannot be read ('utf-8' codec can't decode byte 0xff"),
        ("{{ " + "(" * 5000 + ")" * 5000 + " }}", "1: cannot be read (maximum recursion depth"),
    ],
)
def test_a_broken_template_is_refused_with_file_and_line(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    assert refused(tmp_path, text).startswith(message)


def test_a_broken_part_is_named_by_its_own_file_and_line(tmp_path: Path) -> None:
    for text, line in (("\n{% if %}", 2), ("\n\n{{ 1 / 0 }}", 3)):
        part = written(tmp_path, text, "default/part.txt.j2")
        with pytest.raises(TemplateError, match=rf"^{re.escape(str(part))}:{line}: "):
            rendered(tmp_path, "{% include 'default/part.txt.j2' %}")


def test_the_networks_own_file_comes_first_and_the_operators_before_the_packages(
    tmp_path: Path,
) -> None:
    templates = Templates(Network.MASTODON, tmp_path)
    assert templates.path("entry") == package_folder() / "default/entry.txt.j2"
    default = written(tmp_path, "x", "default/entry.txt.j2")
    assert templates.path("entry") == default
    own = written(tmp_path, "x", "mastodon/entry.txt.j2")
    assert templates.path("entry") == own
    assert Templates(Network.TWITTER, tmp_path).path("entry") == default
    with pytest.raises(
        TemplateError, match=r"mastodon/nonsense\.txt\.j2: this template is missing"
    ):
        templates.path("nonsense")


def test_the_packages_templates_lie_at_the_top_of_a_checkout() -> None:
    assert package_folder() == ROOT / "templates"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("{{ ('#arXiv', '#cs') }}", "#arXiv, #cs"),
        ("{{ ['one'] }}", "one"),
        ("a{{ () }}b", "ab"),
        ("{{ things | map(attribute='name') | list }}", "one, two"),
        ("{{ 1.5 }} {{ true }}", "1.5 True"),
    ],
)
def test_a_list_prints_as_people_write_lists(tmp_path: Path, text: str, printed: str) -> None:
    assert rendered(tmp_path, text) == printed


@pytest.mark.parametrize(
    "text",
    [
        "{{ thing }}",
        "{{ things }}",
        "{{ {} }}",
        "{{ things | map(attribute='name') }}",
        "{{ none }}",
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, text: str) -> None:
    assert "is not text; print one of its fields" in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ paper }}", "paper is not text; print one of its fields: rank, title, authors, "),
        (
            "{{ paper.titel }}",
            'paper has no "titel"; did you mean title? It has: rank, title, authors, ',
        ),
        ("{{ paper['xyz'] }}", 'paper has no "xyz". It has: rank, title, authors, '),
    ],
)
def test_a_wrong_use_of_a_view_is_refused_with_the_fields_it_has(
    text: str, message: str, tmp_path: Path
) -> None:
    paper = PaperView(
        1, "A title", "Ada", "2 likes", 0, 2, (), "2602.10001", *["arXiv:2602.10001"] * 2
    )
    path = written(tmp_path, text)
    with pytest.raises(TemplateError) as caught:
        Templates(Network.TWITTER, tmp_path).render("entry", {"paper": paper})
    assert caught.value.message.startswith(f"{path}:1: {message}")


def test_files_that_nothing_reads_are_found_and_partials_are_none(tmp_path: Path) -> None:
    for name in ("default/opening.txt.j2", "mastodon/single.txt.j2", "default/part.txt.j2"):
        written(tmp_path, "{{ digest.title }}", name)
    written(tmp_path, "{% import 'macros.j2' as m %}{% include 'default/part.txt.j2' %}")
    written(tmp_path, "{% macro x() %}{% endmacro %}", "macros.j2")
    for name in ("README.md", ".git/default/opnening.txt.j2", "default/notes"):
        written(tmp_path, "not a template", name)
    assert unread(tmp_path) == []
    lost = ["Default/opening.txt.j2", "default/entry.j2", "default/openning.txt.j2"]
    lost += ["entry.txt.j2", "twiter/entry.txt.j2", "twitter/entry.txt"]
    for name in lost:
        written(tmp_path, "{{ digest.title }}", name)
    assert [str(path.relative_to(tmp_path)) for path in unread(tmp_path)] == sorted(lost)
