"""Feeds and pages as sites publish digests."""

from __future__ import annotations

from html import escape

from tests.helpers.html_rendering import render
from tests.helpers.sample_digests import markdown

TEXT = markdown("2021-06-22")
HTML = render(TEXT.decode())
FEED = {"Content-Type": "application/rss+xml; charset=utf-8"}
PLAIN = {"Content-Type": "text/markdown"}


def rss(*contents: str) -> bytes:
    written = "".join(f"<item>{content}</item>" for content in contents)
    return f"<rss><channel>{written}</channel></rss>".encode()


def item(day: str, body: str = HTML, more: str = "") -> str:
    return f"<title>Hot Papers {day}</title><description>{escape(body)}</description>{more}"
