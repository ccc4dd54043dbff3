"""The templates of a thread: found, rendered, and each failure named by file and line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import jinja2

from bot.errors import TemplateError
from bot.formatter.environment import STEPS, TemplateSandbox
from bot.model import Network

MAX_CHARACTERS = 100_000
"""What one rendering may give; the longest post of any network is a small part of it."""

_SUFFIX = ".txt.j2"
_MEND = "Correct the template, or remove it to use the one that comes with the program."


NAMES = ("opening", "entry", "closing", "single")
"""The templates that a thread is made of."""


def unread(folder: Path) -> Sequence[Path]:
    """The files in a folder of templates that nothing reads: misspelt names, mostly.

    What another template there names, to include or import it, is read.
    """
    places = (*(network.value for network in Network), "default")
    known = {folder / place / f"{name}{_SUFFIX}" for place in places for name in NAMES}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = [path for path in files if not any(part.startswith(".") for part in path.parts)]
    sources = [path.read_text("utf-8", "replace") for path in files if path.suffix == ".j2"]
    return [
        path
        for path in files
        if path not in known
        and path.suffix in {".j2", ".txt", ".jinja", ".jinja2"}
        and not any(path.name in source for source in sources)
    ]


def package_folder() -> Path:
    """The program's own templates: inside the wheel, or beside `bot/` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


class Templates:
    """The templates of one account.

    The operator's folder is searched before the package's own; in each, the network's own file
    before the one in `default/`. All methods raise TemplateError.
    """

    def __init__(self, network: Network, folder: Path | None = None) -> None:
        self._folders = [*([folder] if folder else []), package_folder()]
        self._network = network
        self._environment = TemplateSandbox(self._folders)
        self._compiled: dict[str, jinja2.Template] = {}

    def render(self, name: str, variables: Mapping[str, object]) -> str:
        """Render `name` (such as `entry`); white space at the ends of text and lines is removed."""
        template = self._template(name, variables)
        self._environment.steps = STEPS
        try:
            text = _joined(template.generate(variables))
        except Exception as error:
            raise _failed(error, template, self._folders) from error
        return "\n".join(line.rstrip() for line in text.strip().split("\n"))

    def path(self, name: str) -> Path:
        """The file that serves `name`."""
        wanted = [f"{place}/{name}{_SUFFIX}" for place in (self._network.value, "default")]
        for folder in self._folders:
            for relative in wanted:
                if (folder / relative).is_file():
                    return folder / relative
        folders = ", ".join(map(str, self._folders))
        raise TemplateError(f"{wanted[0]}: no such template in {folders}", "Install bot again.")

    def mentions(self, name: str, word: str) -> bool:
        """Whether the template `name` may use `word`: it says it, or takes in other files."""
        try:
            source = self.path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return True  # rendering it says what is wrong
        return any(each in source for each in (word, "include", "import", "extends"))

    def _template(self, name: str, variables: Iterable[str]) -> jinja2.Template:
        if name not in self._compiled:
            path = self.path(name)
            try:
                self._compiled[name] = self._environment.compiled(path, variables)
            except jinja2.TemplateSyntaxError as error:
                raise TemplateError(f"{path}:{error.lineno}: {error.message}", _MEND) from error
            except (OSError, UnicodeDecodeError, RecursionError) as error:
                raise TemplateError(f"{path}:1: cannot be read: {error}", _MEND) from error
        return self._compiled[name]


def _joined(chunks: Iterable[str]) -> str:
    kept: list[str] = []
    room = MAX_CHARACTERS
    for chunk in chunks:
        room -= len(chunk)
        if room < 0:
            raise ValueError(f"gives more than {MAX_CHARACTERS:,} characters")
        kept.append(chunk)
    return "".join(kept)


def _failed(error: Exception, template: jinja2.Template, folders: Sequence[Path]) -> TemplateError:
    place = _place(error.__traceback__, folders) or f"{template.filename}:1"
    if isinstance(error, jinja2.TemplateSyntaxError):
        return TemplateError(f"{error.filename}:{error.lineno}: {error.message}", _MEND)
    if isinstance(error, jinja2.TemplateNotFound):
        return TemplateError(f"{place}: includes {error.name}, which is nowhere", _MEND)
    if isinstance(error, RecursionError):
        return TemplateError(f"{place}: calls or includes itself without end", _MEND)
    return TemplateError(f"{place}: {str(error) or type(error).__name__}", _MEND)


def _place(traceback: TracebackType | None, folders: Sequence[Path]) -> str:
    """The innermost line of a template that `traceback` passed through, as `file:line`."""
    place = ""
    while traceback:
        name = traceback.tb_frame.f_code.co_filename
        if name.startswith(tuple(map(str, folders))):
            place = f"{name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
