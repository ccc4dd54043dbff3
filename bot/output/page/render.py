"""A page as one file of HTML: everything in it, nothing loaded from elsewhere."""

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
"""How a page says who made it; what says so may be written over."""

# Not text at all: HTML forbids these, UTF-8 the lone surrogates.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_TEMPLATES = Path(__file__).resolve().parent / "templates"


def html(page: PageView) -> str:
    """Return the page: every text in it escaped, and a sign in place of what no page can hold."""
    template = _environment().get_template("page.html.j2")
    made = template.render(page=page, style=_style(), policy=policy("data:"), generator=GENERATOR)
    return _UNPRINTABLE.sub("\ufffd", made)


def policy(pictures: str, *more: str) -> str:
    """Return a Content-Security-Policy: our one style, pictures from there, and nothing else."""
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
    """Return what keeps a page that is served up to date."""
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
