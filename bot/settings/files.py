"""The two files of settings: read as text, and parsed, with the line of what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from bot.errors import SettingsError

_LARGEST = 1_000_000  # a device, or a file named by mistake, must not fill the memory


def read_file(path: Path) -> str | None:
    """Read a file of settings, UTF-8; None where there is none, or a folder of that name.

    Raises SettingsError for one that cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1).removeprefix(b"\xef\xbb\xbf")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _LARGEST:
        raise SettingsError(f"{path}: is larger than a file of settings can be (1 MB)")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}:{line}: is not UTF-8") from error


def parse_dotenv(text: str) -> tuple[dict[str, str], tuple[int, ...]]:
    """Parse `.env`: the variables that are not empty, and the numbers of malformed lines.

    Nothing is interpolated: a `$` is a `$`.
    """
    # `dotenv_values` skips a malformed line with no more than a log record; its parser tells.
    from dotenv.parser import parse_stream

    values, bad = {}, []
    for binding in parse_stream(StringIO(text)):
        if binding.key and binding.value is not None:
            values[binding.key] = binding.value.strip()
        elif binding.key or binding.error:
            written = binding.original.string
            blank = written[: len(written) - len(written.lstrip())]
            bad.append(binding.original.line + blank.count("\n"))
    return {name: value for name, value in values.items() if value}, tuple(bad)


def parse_toml(text: str, path: Path) -> Mapping[str, object]:
    """Parse bot.toml; raises SettingsError with its path and line."""
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)  # else it says: end of document
        where = line[1] if line else text.count("\n") + 1
        raise SettingsError(f"{path}:{where}: {problem}") from error
    except (RecursionError, ValueError) as error:
        raise SettingsError(f"{path}: is nested too deeply, or has too long a number") from error
