"""Render a page as one file of HTML that loads nothing else."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bot.output.page.views import PageView

if TYPE_CHECKING:
    import jinja2

GENERATOR = "bot preview"
"""The name in a page's `generator` tag. A file with this tag may be overwritten."""

# HTML forbids these characters, and UTF-8 the lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_TEMPLATES = Path(__file__).resolve().parent / "templates"


def html(page: PageView) -> str:
    """Return the page's HTML. Texts are escaped, and forbidden characters become U+FFFD."""
    template = _environment().get_template("page.html.j2")
    text = template.render(page=page, style=_style(), policy=policy("data:"), generator=GENERATOR)
    return _UNPRINTABLE.sub("\ufffd", text)


def policy(pictures: str, *more: str) -> str:
    """Return a Content-Security-Policy that allows the page's style and `pictures` only."""
    digest = b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    rules = (
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        f"img-src {pictures}",
        "base-uri 'none'",
        *(more or ("form-action 'none'",)),
    )
    return "; ".join(rules)


@cache
def script() -> str:
    """Return the script that keeps a served page up to date."""
    return (_TEMPLATES / "live.js").read_text(encoding="utf-8")


@cache
def _style() -> str:
    return (_TEMPLATES / "style.css").read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
