"""Renders a digest's Markdown to HTML as sites do for their feeds, as far as digests need it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

ANCHOR = (
    '<a href="#x" aria-label="x permalink" class="anchor before"><svg viewBox="0 0 16 16">'
    "<title>Link</title><path d='M4 9h1'></path></svg></a>"
)


def render(markdown: str, *, loose: bool = True, anchors: bool = False) -> str:
    """The HTML of a digest's Markdown, its front matter left out.

    `loose` puts paragraphs into list items, as most renderers do for digests; `anchors` begins each
    heading with a link to itself.
    """
    blocks = re.split(r"\n{2,}", re.sub(r"\A---\n.*?\n---\n", "", markdown, flags=re.DOTALL))
    return "\n".join(_block(block, loose, anchors) for block in blocks if block.strip())


def _block(block: str, loose: bool, anchors: bool) -> str:  # noqa: FBT001 - only called from above
    if block.startswith("# "):
        return f"<h1 id='x'>{ANCHOR if anchors else ''}{_inline(block[2:].strip())}</h1>"
    if block.startswith("- "):
        return "\n".join(["<ul>", *_items(block, loose), "</ul>"])
    return block if block.startswith("<blockquote") else f"<p>{_inline(block.strip())}</p>"


def _items(block: str, loose: bool) -> Iterator[str]:  # noqa: FBT001 - only called from above
    for line in block.strip().split("\n"):
        text = _inline(line[2:].strip())
        yield f"<li>\n<p>{text}</p>\n</li>" if loose else f"<li>{text}</li>"


def _inline(text: str) -> str:
    return re.sub(
        r"\[([^\[\]]*)\]\((https://arxiv\.org/[^()\s]*)\)",
        r'<a href="\2" target="_blank" rel="nofollow">\1</a>',
        escape(text),
    )
