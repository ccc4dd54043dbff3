"""The forms in which a server may repeat a secret, and a search that undoes them independently."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote

Form = Callable[[str], str]

FORMS: Mapping[str, Form] = {
    "as it is": str,
    "in lower case": str.lower,
    "in capitals": str.upper,
    "JSON": lambda secret: json.dumps(secret).replace("/", r"\/")[1:-1],
    "JSON, every character": lambda secret: "".join(f"\\u{ord(each):04x}" for each in secret),
    "JSON in JSON": lambda secret: json.dumps("".join(f"\\u{ord(each):04X}" for each in secret))[
        1:-1
    ],
    "percent": lambda secret: quote(secret, safe=""),
    "percent, every character": lambda secret: "".join(f"%{ord(each):02x}" for each in secret),
    "percent, twice": lambda secret: quote("".join(f"%{ord(each):02X}" for each in secret)),
    "percent in HTML in JSON": lambda secret: json.dumps(
        "".join(f"&#37;{ord(each):02X}" for each in secret)
    )[1:-1].replace("&", "\\u0026"),
    "HTML": html.escape,
    "HTML, every character": lambda secret: "".join(f"&#x{ord(each):x};" for each in secret),
    "base64": lambda secret: b64encode(secret.encode()).decode(),
    "base64 of a login": lambda secret: b64encode(f"me:{secret}".encode()).decode(),
    "base64 amid JSON": lambda secret: b64encode(f'{{"a": "{secret}"}}'.encode()).decode(),
    "base64 for URLs": lambda secret: (
        urlsafe_b64encode(f"u:{secret}".encode()).decode().rstrip("=")
    ),
    "base64, escaped": lambda secret: quote(b64encode(secret.encode()).decode(), safe=""),
    "hexadecimal": lambda secret: secret.encode().hex(),
    "in lines": lambda secret: "\r\n ".join(re.findall(".{1,11}", secret)),
    "cut": lambda secret: secret[:-4],
    "cut, with dots": lambda secret: f"{secret[:-4]}...",
}


def traces(mark: str) -> list[str]:
    """What is seen of a secret that begins with `mark`, in each form that is no escape."""
    inner = [
        b64encode(bytes(before) + mark.encode())[before + bool(before) : -4].decode()
        for before in range(3)
    ]
    return [each.lower() for each in (mark, mark.encode().hex(), *inner)]


def shows(text: str, mark: str) -> bool:
    """Tell whether a text shows a secret that begins with `mark`, in any of the forms."""
    looked = traces(mark)
    for _ in range(6):
        plain = re.sub(r"\s+", "", text).lower().replace("-", "+").replace("_", "/")
        if any(trace in plain for trace in looked):
            return True
        text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
        text = html.unescape(unquote(text))
    return False
