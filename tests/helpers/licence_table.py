"""The tables of docs/licences.md, made from what is installed and what the package holds.

    .venv/bin/python -m tests.helpers.licence_table

prints the table of libraries, to be put into the page.
"""

from __future__ import annotations

from importlib.metadata import distribution

from packaging.requirements import Requirement

from tests.helpers.paths import ROOT

_MIT = "Permission is hereby granted, free of charge"
_LONGEST = 60  # of a licence's name; some packages write the whole text there


def names(lock: str = "requirements.txt") -> list[str]:
    """Every distribution that a lock names, in its order."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return [Requirement(line.split(" \\")[0]).name for line in lines if line[:1].isalnum()]


def table() -> str:
    """The libraries that requirements.txt locks, each with the licence that it states."""
    rows = [("library", "licence"), ("---", "---")]
    rows += [(f"`{name}`", licence(name)) for name in names()]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def licence(name: str) -> str:
    """What an installed distribution says of its licence: in a field, a class, or a text.

    Raises LookupError for one that says nothing.
    """
    found = distribution(name)
    fields: dict[str, list[str]] = {
        field: found.metadata.get_all(field) or []
        for field in ("License-Expression", "License", "Classifier")
    }
    for said in (*fields["License-Expression"], *fields["License"]):
        if said.strip() and "\n" not in said and len(said) <= _LONGEST:
            return said.strip()
    for said in fields["Classifier"]:
        if said.startswith("License :: "):
            return said.rpartition(" :: ")[2]
    for file in found.files or []:
        if file.name.upper().startswith("LICENSE") and _MIT in file.read_text(encoding="utf-8"):
            return "MIT"
    raise LookupError(f"{name} does not say what its licence is")


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201 - it is what it is for
