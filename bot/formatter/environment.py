"""Run templates in jinja2's immutable sandbox, with limits on time and memory.

jinja2's sandbox keeps a template away from Python's internals. Here each round of a loop, each
call and each include also uses a step of a budget, so that no template runs without end. Functions
that pad, repeat or choose at random are removed: a thread must render the same each time, in
bounded memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING

import jinja2
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.formatter.views import View

if TYPE_CHECKING:
    from jinja2.runtime import Context

STEPS = 20_000
"""Loop rounds, calls and includes of one rendering; the package's templates take under 100."""

LONGEST_RANGE = 1_000

# Each template is compiled once a process. The key holds the source, so an edit is compiled again.
_CODE: dict[tuple[str, Path, frozenset[str]], CodeType] = {}

_REFUSED_FILTERS = ("random", "center", "indent", "format", "pprint", "urlize", "xmlattr")
_REFUSED_METHODS = frozenset(
    ("center", "ljust", "rjust", "zfill", "format", "format_map", "expandtabs")
)
_REFUSED_GLOBALS = ("lipsum", "cycler")


class _Undefined(jinja2.StrictUndefined):
    """An undefined value whose error names the fields that the template could use instead."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        view, name = self._undefined_obj, self._undefined_name
        if not (isinstance(view, View) and isinstance(name, str)):
            return super()._undefined_message
        fields = _fields(view)
        return f'{_label(view)} has no "{name}"{_meant(name, fields)} It has: {", ".join(fields)}'


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """The environment that templates run in. Set `steps` before each rendering."""

    intercepted_binops = frozenset(("*", "**"))

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(
            loader=jinja2.FileSystemLoader(folders),
            undefined=_Undefined,
            autoescape=False,  # posts are plain text: escaping would change them
            finalize=_printed,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.steps = STEPS
        for name in _REFUSED_FILTERS:
            del self.filters[name]
        for name in _REFUSED_GLOBALS:
            del self.globals[name]
        self.filters |= {"step": self._counted, "number": _number}
        self.globals["range"] = _range

    def compiled(self, path: Path, variables: Iterable[str]) -> jinja2.Template:
        """Compile the template in the file `path`.

        Raises TemplateSyntaxError, also for a name that is not one of `variables`, even in a branch
        that never runs.
        """
        source = path.read_text(encoding="utf-8")
        known = frozenset((*variables, *self.globals))
        key = (source, path, known)
        if key not in _CODE:
            self._check_names(source, path, known)
            _CODE[key] = self.compile(source, path.name, str(path))
        return self.template_class.from_code(self, _CODE[key], self.globals)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Add the filter `step` to what each loop iterates over, so that each round is counted."""
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            if loop.recursive:
                message = "a template cannot use recursive loops"
                raise jinja2.TemplateSyntaxError(message, loop.lineno, name, filename)
            loop.iter = nodes.Filter(loop.iter, "step", [], [], None, None, lineno=loop.lineno)
        return tree

    def _check_names(self, source: str, path: Path, known: frozenset[str]) -> None:
        from jinja2 import meta

        tree = self.parse(source, path.name, str(path))
        unknown = meta.find_undeclared_variables(tree) - known
        for name in tree.find_all(nodes.Name):
            if name.name in unknown:
                message = (
                    f'there is no variable "{name.name}"{_meant(name.name, known)} '
                    f"Available: {', '.join(sorted(known))}"
                )
                raise jinja2.TemplateSyntaxError(message, name.lineno, path.name, str(path))

    def _load_template(
        self,
        name: str,
        globals: MutableMapping[str, object] | None,  # noqa: A002 - jinja2's name
    ) -> jinja2.Template:
        self._step()
        return super()._load_template(name, globals)

    def call(self, context: Context, obj: object, /, *args: object, **kwargs: object) -> object:
        """Count one step, and call an object as the sandbox does."""
        self._step()
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Multiply numbers and nothing else, since `"a" * 10 ** 10` would take all memory."""
        if operator == "**":
            raise SecurityError("a template cannot use `**`")
        if not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise SecurityError(f"a template can use `{operator}` with numbers only")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Refuse the methods of a string that pad or format, and all that the sandbox refuses."""
        if isinstance(obj, str) and attr in _REFUSED_METHODS:
            return False
        if isinstance(obj, View) and not attr.startswith("_"):
            return True  # saves the sandbox's own check, which is slow, for most look-ups
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: object) -> None:
        """Leave a string's `format` unwrapped, so that `is_safe_attribute` refuses it."""

    def _counted(self, items: Iterable[object]) -> Iterator[object]:
        for item in items:
            self._step()
            yield item

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise SecurityError(
                f"the template takes more than {STEPS:,} loop rounds, calls and includes"
            )


def _fields(view: View) -> list[str]:
    return [field.name for field in dataclasses.fields(view)]


def _label(view: View) -> str:
    """Return what templates call a view: `PaperView` is a `paper`."""
    return type(view).__name__.removesuffix("View").lower()


def _meant(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest known name, or a stop."""
    from difflib import get_close_matches

    near = get_close_matches(name[:60], sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else "."


def _printed(value: object) -> object:
    """Return what `{{ }}` prints: text, numbers and dates unchanged, a list with commas.

    Raises SecurityError for any other object, since a post would show its Python form.
    """
    if isinstance(value, tuple | list):
        return ", ".join(str(_printed(each)) for each in value)
    if isinstance(value, str | int | float | Decimal | date | jinja2.Undefined):
        return value
    if isinstance(value, View):
        fields = ", ".join(_fields(value))
        raise SecurityError(f"{_label(value)} is not text; print one of its fields: {fields}")
    kind = type(value).__name__
    raise SecurityError(f"`{kind}` is not text; print one of its fields, or a list with `join`")


def _number(value: int) -> str:
    """Return a number with thousands separators, such as `12,345`: the `number` filter."""
    return f"{value:,}"


def _range(*limits: int) -> range:
    numbers = range(*limits)
    if len(numbers) > LONGEST_RANGE:
        raise SecurityError(f"a range in a template has at most {LONGEST_RANGE:,} numbers")
    return numbers
