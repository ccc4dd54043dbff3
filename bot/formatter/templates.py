"""Find and render the templates of a thread. Each error names a file and a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import jinja2

from bot.errors import TemplateError
from bot.formatter.environment import STEPS, TemplateSandbox
from bot.model import Network

MAX_CHARACTERS = 100_000
"""The most that one rendering may produce; the longest post of any network is far shorter."""

_SUFFIX = ".txt.j2"
_FIX = "Correct the template, or remove it to use the one that comes with the program."

NAMES = ("opening", "entry", "closing", "single")
"""The templates of a thread."""


def unread(folder: Path) -> Sequence[Path]:
    """Return the files in a folder of templates that no post reads, mostly misspelt names.

    A file whose name is in another template there, which may include or import it, counts as read.
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
    """Return the folder of the program's own templates: in the wheel, or beside `bot/`."""
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
        """Return the file of the template `name`."""
        wanted = [f"{place}/{name}{_SUFFIX}" for place in (self._network.value, "default")]
        for folder in self._folders:
            for relative in wanted:
                if (folder / relative).is_file():
                    return folder / relative
        folders = ", ".join(map(str, self._folders))
        raise TemplateError(
            f"{wanted[0]}: this template is missing in {folders}", "Install bot again."
        )

    def mentions(self, name: str, word: str) -> bool:
        """Tell whether the template `name` may use `word`: it has the word, or uses other files."""
        try:
            source = self.path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return True  # `render` then raises an error that says what is wrong
        return any(each in source for each in (word, "include", "import", "extends"))

    def _template(self, name: str, variables: Iterable[str]) -> jinja2.Template:
        if name not in self._compiled:
            path = self.path(name)
            try:
                self._compiled[name] = self._environment.compiled(path, variables)
            except jinja2.TemplateSyntaxError as error:
                raise TemplateError(f"{path}:{error.lineno}: {error.message}", _FIX) from error
            except (OSError, UnicodeDecodeError, RecursionError) as error:
                raise TemplateError(f"{path}:1: cannot be read ({error})", _FIX) from error
        return self._compiled[name]


def _joined(chunks: Iterable[str]) -> str:
    kept: list[str] = []
    room = MAX_CHARACTERS
    for chunk in chunks:
        room -= len(chunk)
        if room < 0:
            raise ValueError(f"the template produces more than {MAX_CHARACTERS:,} characters")
        kept.append(chunk)
    return "".join(kept)


def _failed(error: Exception, template: jinja2.Template, folders: Sequence[Path]) -> TemplateError:
    place = _place(error.__traceback__, folders) or f"{template.filename}:1"
    if isinstance(error, jinja2.TemplateSyntaxError):
        return TemplateError(f"{error.filename}:{error.lineno}: {error.message}", _FIX)
    if isinstance(error, jinja2.TemplateNotFound):
        message = f"{place}: the template includes {error.name}, which does not exist"
        return TemplateError(message, _FIX)
    if isinstance(error, RecursionError):
        return TemplateError(f"{place}: the template calls or includes itself endlessly", _FIX)
    return TemplateError(f"{place}: {str(error) or type(error).__name__}", _FIX)


def _place(traceback: TracebackType | None, folders: Sequence[Path]) -> str:
    """Return the innermost line of a template in `traceback` as `file:line`, else an empty text."""
    place = ""
    while traceback:
        name = traceback.tb_frame.f_code.co_filename
        if name.startswith(tuple(map(str, folders))):
            place = f"{name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
