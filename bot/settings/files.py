"""Read and parse the two files of settings, `.env` and bot.toml; errors name the line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from bot.errors import SettingsError

_LARGEST = 1_000_000  # bytes: a device, or a file named by mistake, must not fill the memory


def read_file(path: Path) -> str | None:
    """Return the text of a UTF-8 file of settings; None if it does not exist or is a folder.

    Raises SettingsError for a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1).removeprefix(b"\xef\xbb\xbf")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror})") from error
    if len(data) > _LARGEST:
        raise SettingsError(f"{path} is larger than 1 MB, the limit for a file of settings")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{path}:{line}: this line is not UTF-8") from error


def parse_dotenv(text: str) -> tuple[dict[str, str], tuple[int, ...]]:
    """Parse `.env`: return the variables that are not empty, and the numbers of malformed lines.

    Values are not interpolated: a `$` is a plain character.
    """
    # `dotenv_values` only logs a malformed line; its parser reports the line.
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
    """Parse bot.toml. Raises SettingsError with its path and line."""
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)  # else the place is "end of document"
        where = line[1] if line else text.count("\n") + 1
        raise SettingsError(f"{path}:{where}: {problem}") from error
    except (RecursionError, ValueError) as error:
        message = f"{path} is nested too deeply, or has a number that is too long"
        raise SettingsError(message) from error
