"""Read forms with files: multipart/form-data (RFC 7578), as far as clients use it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.sandbox.wire import RefusedRequest, Request, Response

_MOST_PARTS = 100
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

    Raises RefusedRequest for too many fields.
    """
    boundary = _BOUNDARY.match(request.header("content-type"))
    if boundary is None:
        return {}
    sections = (b"\r\n" + request.body).split(b"\r\n--" + boundary[1].encode())
    if len(sections) > _MOST_PARTS + 2:  # the first and the last section are no fields
        raise RefusedRequest(Response(413))
    found = {}
    for section in sections[1:]:
        head, ends, data = section.partition(b"\r\n\r\n")
        name, kind = (each.search(head.decode("utf-8", "replace")) for each in (_NAME, _TYPE))
        if ends and name:
            found[name[1]] = Part(data, kind[1] if kind else "")
    return found
