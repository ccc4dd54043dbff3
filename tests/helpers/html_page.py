"""Parses an HTML page for tests: its elements, its links, its text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

# Elements without an end.
_VOID = {"meta", "input", "img", "br", "use", "path", "circle"}


@dataclass
class Element:
    """An element, and all the text below it."""

    name: str
    attributes: dict[str, str]
    text: str = ""

    def has_class(self, name: str) -> bool:
        return name in self.attributes.get("class", "").split()


@dataclass
class HtmlPage(HTMLParser):
    """What an HTML parser finds; `problems` are elements that were not closed in their turn."""

    source: str
    elements: list[Element] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[Element] = []
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].name != tag:
            self.problems.append(tag)
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def named(self, name: str) -> list[Element]:
        return [element for element in self.elements if element.name == name]

    def of_class(self, name: str) -> list[Element]:
        return [element for element in self.elements if element.has_class(name)]

    def texts(self, name: str) -> list[str]:
        return [" ".join(element.text.split()) for element in self.of_class(name)]

    @property
    def posts(self) -> list[str]:
        """The texts of all posts, as they are."""
        return [element.text for element in self.of_class("text")]


def check_harmless(page: HtmlPage) -> None:
    """Nothing in it runs, loads or leads anywhere it should not; all is closed in its turn."""
    assert page.problems == []
    assert not {"iframe", "object", "embed", "base", "link", "audio", "video"} & {
        element.name for element in page.elements
    }
    for element in page.elements:
        for name, value in element.attributes.items():
            assert not name.startswith("on"), (element.name, name)
            assert name not in ("style", "srcset", "srcdoc")
            if name == "action":
                assert value in ("/fault", "/next"), value
            if name == "href":
                assert value.startswith(("#", "https://")), value
            if name == "src":
                assert value.startswith(("data:image/", "/")), value
    ids = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    inner = {e.attributes["href"][1:] for e in page.named("a") if e.attributes["href"][0] == "#"}
    assert inner <= set(ids)
