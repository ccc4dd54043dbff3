"""Read forms with files: multipart/form-data (RFC 7578), as far as clients use it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.sandbox.wire import RefusedRequest, Request, Response

_MOST_PARTS = 100
_LARGEST_HEAD = 8_192  # of one part
_BOUNDARY = re.compile(r'multipart/form-data;.*\bboundary="?([^";]+)"?', re.IGNORECASE)
_NAME = re.compile(r'\bname="([^"]*)"')
_TYPE = re.compile(r"(?im)^content-type:\s*(\S+)")


@dataclass(frozen=True, slots=True)
class Part:
    """One field: its bytes, and their media type if the field names one."""

    data: bytes
    type: str = ""

    @property
    def text(self) -> str:
        """The field as text."""
        return self.data.decode("utf-8", "replace")


def parts(request: Request) -> Mapping[str, Part]:
    """Return the fields of a multipart form by name, or nothing if the body is no such form.

    Raises RefusedRequest for too many fields, and for a field whose headers are too large.
    """
    found = _BOUNDARY.match(request.header("content-type"))
    return dict(_parts(request.body, found[1].encode())) if found else {}


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[str, Part]]:
    sections = (b"\r\n" + body).split(b"\r\n--" + boundary, _MOST_PARTS + 2)
    if len(sections) > _MOST_PARTS + 2:  # the first and the last section are no fields
        raise RefusedRequest(Response(413))
    for section in sections[1:]:
        head, ends, data = section.partition(b"\r\n\r\n")
        if ends and len(head) > _LARGEST_HEAD:
            raise RefusedRequest(Response(413))
        named = _NAME.search(head.decode("utf-8", "replace"))
        if ends and named:
            kind = _TYPE.search(head.decode("utf-8", "replace"))
            yield named[1], Part(data, kind[1] if kind else "")
