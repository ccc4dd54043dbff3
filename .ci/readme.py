"""Prints the command that stands under a heading of the README, so that it is written only once.

    python3 .ci/readme.py "Try it"
    python3 .ci/readme.py "Test it" path/to/README.md

The section must hold one fenced block, and the block one line. Needs Python and nothing else.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"#{1,6}\s+(.*?)[\s#]*$")


def command(text: str, heading: str) -> str:
    """Give the command under `heading`. Raises ValueError, with what is wrong in a sentence."""
    sections = [blocks for name, blocks in _sections(text) if name == heading]
    if len(sections) != 1:
        raise ValueError(f"expected one heading {heading!r}, found {len(sections)}")
    if len(sections[0]) != 1:
        raise ValueError(f"{heading}: expected one fenced block, found {len(sections[0])}")
    lines = sections[0][0]
    if len(lines) != 1 or not lines[0].strip():
        raise ValueError(f"{heading}: expected one line in the block, found {len(lines)}")
    return lines[0].strip()


def _sections(text: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Each heading, of any level, with the lines of each fenced block before the next heading."""
    name, blocks, fence = "", list[list[str]](), ""
    for line in text.splitlines():
        if fence:
            if line.strip().startswith(fence) and not line.strip(" `~"):
                fence = ""
            else:
                blocks[-1].append(line)
        elif opened := _FENCE.match(line):
            fence = opened[1]
            blocks.append([])
        elif heading := _HEADING.match(line):
            yield name, blocks
            name, blocks = heading[1], []
    yield name, blocks


def main() -> None:
    """Print the command that is asked for; exit with a message where it is not to be had."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    readme = Path(sys.argv[2]) if len(sys.argv) == 3 else README  # noqa: PLR2004 - see above
    try:
        print(command(readme.read_text(encoding="utf-8"), sys.argv[1]))
    except (OSError, ValueError) as error:
        sys.exit(f"{readme.name}: {error}")


if __name__ == "__main__":
    main()
