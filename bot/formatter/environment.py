"""jinja2's immutable sandbox, made safe against templates that are merely wrong.

The sandbox keeps a template from Python's internals. Beyond that, each turn of a loop, each call
and each include costs a step of a budget, so that none goes on for ever, and what pads, repeats or
draws lots is not there: a thread must render the same twice, and in bounded memory.
"""

from __future__ import annotations

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
"""Turns of loops, calls and includes of one rendering; ours take fewer than a hundred."""

LONGEST_RANGE = 1_000

# Compiled once a process, however many accounts and digests: an edited template is another source.
_CODE: dict[tuple[str, Path, frozenset[str]], CodeType] = {}

_REFUSED_FILTERS = ("random", "center", "indent", "format", "pprint", "urlize", "xmlattr")
_REFUSED_METHODS = frozenset(
    ("center", "ljust", "rjust", "zfill", "format", "format_map", "expandtabs")
)
_REFUSED_GLOBALS = ("lipsum", "cycler")


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """The environment templates run in. Set `steps` before each rendering."""

    intercepted_binops = frozenset(("*", "**"))

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(
            loader=jinja2.FileSystemLoader(folders),
            undefined=jinja2.StrictUndefined,
            autoescape=False,  # posts are plain text: escaping would alter them
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

        Raises TemplateSyntaxError, also for a name that is none of `variables`, in whatever branch
        it stands.
        """
        source = path.read_text(encoding="utf-8")
        known = frozenset((*variables, *self.globals))
        made = (source, path, known)
        if made not in _CODE:
            self._check_names(source, path, known)
            _CODE[made] = self.compile(source, path.name, str(path))
        return self.template_class.from_code(self, _CODE[made], self.globals)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """Send what every loop goes over through `step`, so that each of its turns is counted."""
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            if loop.recursive:
                message = "recursive loops are not available here"
                raise jinja2.TemplateSyntaxError(message, loop.lineno, name, filename)
            loop.iter = nodes.Filter(loop.iter, "step", [], [], None, None, lineno=loop.lineno)
        return tree

    def _check_names(self, source: str, path: Path, known: frozenset[str]) -> None:
        from jinja2 import meta

        tree = self.parse(source, path.name, str(path))
        unknown = meta.find_undeclared_variables(tree) - known
        for name in tree.find_all(nodes.Name):
            if name.name in unknown:
                message = f"unknown variable `{name.name}`; known here: {', '.join(sorted(known))}"
                raise jinja2.TemplateSyntaxError(message, name.lineno, path.name, str(path))

    def _load_template(
        self,
        name: str,
        globals: MutableMapping[str, object] | None,  # noqa: A002 - jinja2's name
    ) -> jinja2.Template:
        self._step()
        return super()._load_template(name, globals)

    def call(self, context: Context, obj: object, /, *args: object, **kwargs: object) -> object:
        """Call an object for a template: one step, then the sandbox's own check."""
        self._step()
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        """Multiply numbers, and nothing else: `"a" * 10 ** 10` would take all memory."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or not numbers:
            raise SecurityError(f"`{operator}` is not available here")
        return super().call_binop(context, operator, left, right)

    def is_safe_attribute(self, obj: object, attr: str, value: object) -> bool:
        """Refuse the methods of a string that pad or format, beside all that the sandbox does."""
        if isinstance(obj, str) and attr in _REFUSED_METHODS:
            return False
        if isinstance(obj, View) and not attr.startswith("_"):
            return True  # what most look-ups are, and the sandbox's own check is the slowest part
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: object) -> None:
        """Leave a string's `format` as it is, so that it is refused like other padding."""

    def _counted(self, items: Iterable[object]) -> Iterator[object]:
        for item in items:
            self._step()
            yield item

    def _step(self) -> None:
        self.steps -= 1
        if self.steps < 0:
            raise SecurityError(f"loops, calls or includes more than {STEPS:,} times")


def _printed(value: object) -> object:
    """Return what `{{ }}` prints: text, numbers and dates as they are, a list with commas.

    Of any other object a post would show how Python writes it.
    """
    if isinstance(value, tuple | list):
        return ", ".join(str(_printed(each)) for each in value)
    if isinstance(value, str | int | float | Decimal | date | jinja2.Undefined):
        return value
    kind = type(value).__name__
    if isinstance(value, View):
        names = ", ".join(each for each in dir(value) if not each.startswith("_"))
        raise SecurityError(f"`{kind}` is no text; print one of its names: {names}")
    raise SecurityError(f"`{kind}` is no text; print a name of it, or a list with `join`")


def _number(value: int) -> str:
    """`12,345`: the `number` filter."""
    return f"{value:,}"


def _range(*limits: int) -> range:
    numbers = range(*limits)
    if len(numbers) > LONGEST_RANGE:
        raise SecurityError(f"a range is at most {LONGEST_RANGE:,} long here")
    return numbers
