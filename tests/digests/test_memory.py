"""The memory that a source takes, whatever it sends: 64 MiB above rest, for every kind of source.

Each document is as large as may be read, and made of what takes the most memory for its bytes.
"""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from bot.http.page import FEED_CAP, SIZE_CAP
from tests.helpers.fake_github import FILE
from tests.helpers.http_server import Body, HttpServer, Reply
from tests.helpers.paths import ROOT
from tests.helpers.sample_pages import FEED, PLAIN, TEXT

MOST = 64 * 2**20
PIECE = 60_000
FEED_SIZE = 2_500_000  # more than is kept of a feed of any size

Job = tuple[str, str, str]
Pieces = Callable[[int], str]
"""The piece of a document with this number."""


def document(begin: str, piece: str | Pieces, end: str, size: int) -> Iterator[bytes]:
    """A document of about so many bytes, as it is sent."""
    yield begin.encode()
    left, number = size - len(begin.encode()) - len(end.encode()), 0
    while piece:
        made = bytearray()
        while len(made) < PIECE and isinstance(piece, str):
            made += (piece * (PIECE // len(piece) + 1)).encode()
        while len(made) < PIECE and not isinstance(piece, str):
            made += piece(number).encode()
            number += 1
        if len(made) > left:
            if isinstance(piece, str):
                yield piece.encode() * (left // len(piece.encode()))
            break
        left -= len(made)
        yield bytes(made)
    yield end.encode()


HEAD = '---\ntitle: "Hot"\ndate: 2021-06-22T10:00:00Z\nslug: hot\n'
PAPER = (
    "# 1. A\n\n{}\n\n- retweets: 1, favorites: 2\n- links: [abs](https://arxiv.org/abs/{}.{:05})\n"
)
TWEET = (
    '<blockquote class="twitter-tweet"><p>🌈</p>&mdash; Ж (@a) <a href="h">June 22, 2021</a>'
    "</blockquote>\n"
)


def paper(authors: str) -> Pieces:
    return lambda n: PAPER.format(authors, 2001 + n // 90_000, n % 90_000)


def whole(text: str) -> str:
    return f"{HEAD}---\n{PAPER.format('Ada', 2106, 1)}\n{text}"


MARKDOWN: Mapping[str, tuple[str, str | Pieces, str]] = {
    "one huge line": (whole(""), "x", ""),
    "one huge line of wide characters": (whole(""), "\U0001f308", ""),
    "ASCII beside a wide character": (whole("\U0001f308\n"), "x" * 60_000 + "\n", ""),
    "short lines": (whole(""), "Ж\n", ""),
    "empty lines": (whole(""), "\n", ""),
    "carriage returns": (whole(""), "\r", ""),
    "headings": (whole(""), "# \n", ""),
    "papers": (f"{HEAD}---\n", paper("Ada"), ""),
    "papers of many authors": (f"{HEAD}---\n", paper("Ж," * 200), ""),
    "authors": (f"{HEAD}---\n# 1. A\n\n", "Ж,\n", ""),
    "tweets": (whole(""), TWEET, ""),
    "broken tweets": (whole(""), '<blockquote class="twitter-tweet\n</blockquote>', ""),
    "tweets that never end": (whole(""), '<blockquote class="twitter-tweet\n', ""),
    "links": (whole("- links: "), "[Ж](Ж)", ""),
    "lines of links": (whole(""), "- links: " + "[Ж](Ж)" * 6_000 + "\n", ""),
    "categories": (whole(""), "- " + "[Ж](/list/)" * 5_000 + "\n", ""),
    "brackets": (whole(""), "[", ""),
    "entities": (whole(""), "&amp;", ""),
    "tags": (f"{HEAD}tags: [", "Ж,", "]\n---\n"),
    "lists of tags": (f"{HEAD}tags:\n", "- Ж\n", "---\n"),
    "keys": (HEAD, lambda n: f"k{n}: [{'Ж,' * 30}]\n", "---\n"),
    "front matter that never ends": (HEAD, "a:\n", ""),
    "escapes": (f'{HEAD}description: "', "\\x41", '"\n---\n'),
    "blanks": (whole(""), " ", ""),
    "quotes": ("", '"', ""),
}
LARGEST = (
    "one huge line of wide characters",
    "papers",
    "papers of many authors",
    "tweets",
    "lists of tags",
    "keys",
)
"""The kinds of Markdown that take the most memory: many documents at once are tried with these."""
RSS = '<rss xmlns:a="urn:a"><channel>'
ITEM = "<item><title>Hot 2021-06-22</title>"
LARGE = 990_000  # characters that an item may have
ENCODED = "<description><![CDATA["


def items(content: Pieces) -> Pieces:
    return lambda n: f"<item><title>Hot 2021-06-{2 + n % 27:02}</title>{content(n)}</item>"


def html(text: str) -> tuple[str, str | Pieces, str]:
    """A feed with as large an item as is read, made of this text."""
    body = "\U0001f308" + text * (LARGE // len(text))
    return f"{RSS}{ITEM}{ENCODED}retweets: 1{body}]]></description></item></channel></rss>", "", ""


FEEDS: Mapping[str, tuple[str, str | Pieces, str]] = {
    "one huge text": (f"{RSS}{ITEM}<description>", "x", "</description></item></channel></rss>"),
    "one huge text of wide characters": (
        f"{RSS}{ITEM}<description>",
        "\U0001f308",
        "</description></item></channel></rss>",
    ),
    "one huge CDATA": (f"{RSS}{ITEM}{ENCODED}", "]", "]]></description></item></channel></rss>"),
    "lines": (f"{RSS}{ITEM}<description>", "\n", "</description></item></channel></rss>"),
    "a huge text outside of items": (RSS, "x", "</channel></rss>"),
    "entities": (f"{RSS}{ITEM}<description>", "&lt;", "</description></item></channel></rss>"),
    "references to characters": (
        f"{RSS}{ITEM}<description>",
        "&#x1f308;",
        "</description></item></channel></rss>",
    ),
    "elements of an item": (
        f"{RSS}{ITEM}<description>",
        "<b/>",
        "</description></item></channel></rss>",
    ),
    "elements and text": (
        f"{RSS}{ITEM}<description>",
        "<b/>x",
        "</description></item></channel></rss>",
    ),
    "children of an item": (f"{RSS}{ITEM}", "<b/>", "</item></channel></rss>"),
    "categories": (f"{RSS}{ITEM}", "<category>Ж</category>", "</item></channel></rss>"),
    "attributes": (f"{RSS}{ITEM}<a ", lambda n: f"a{n}='' ", "</item></channel></rss>"),
    "attributes of an item": (f"{RSS}<item ", lambda n: f"a{n}='' ", "</channel></rss>"),
    "a huge attribute": (f"{RSS}{ITEM}<a a='", "x", "</item></channel></rss>"),
    "elements with large attributes": (
        f"{RSS}{ITEM}<description>",
        "<b " + " ".join(f"a{n}=''" for n in range(1_500)) + "/>",
        "</description></item></channel></rss>",
    ),
    "names of elements": (RSS, lambda n: f"<a{n}/>", "</channel></rss>"),
    "names of attributes": (RSS, lambda n: f"<a a{n}=''/>", "</channel></rss>"),
    "prefixes": (RSS, lambda n: f"<a xmlns:a{n}='u'/>", "</channel></rss>"),
    "namespaces": (RSS, lambda n: f"<a xmlns='u{n}'/>", "</channel></rss>"),
    "nested elements": (RSS, "<a>", "</channel></rss>"),
    "nested elements of an item": (
        f"{RSS}{ITEM}<description>",
        "<a>",
        "</description></item></channel></rss>",
    ),
    "nested items": (RSS, "<item>", "</channel></rss>"),
    "a comment": (f"{RSS}<!--", "x", "</channel></rss>"),
    "comments": (RSS, "<!---->", "</channel></rss>"),
    "an instruction": (f"{RSS}<?a ", "x", "</channel></rss>"),
    "a name": (f"{RSS}<", "x", "</channel></rss>"),
    "an end tag": (f"{RSS}</", "x", "</channel></rss>"),
    "declared attributes": ("<!DOCTYPE rss [", lambda n: f"<!ATTLIST item a{n} CDATA 'x'>", ""),
    "declared elements": ("<!DOCTYPE rss [", lambda n: f"<!ELEMENT a{n} ANY>", ""),
    "a long declaration": ("<!DOCTYPE rss SYSTEM '", "x", ""),
    "blanks before": ("", " ", RSS),
    "many items": (RSS, "<item/>", "</channel></rss>"),
    "many digests": (RSS, items(lambda _: "<description># 1. A</description>"), "</channel></rss>"),
    "large digests": (
        RSS,
        items(lambda n: f"<link>/{n}</link><description>🌈{'x' * LARGE}</description>"),
        "</channel></rss>",
    ),
    "as many digests as are asked for": (
        RSS,
        items(lambda n: f"<link>/{n}</link><description># 1. Ж{'Ж' * 150_000}</description>"),
        "</channel></rss>",
    ),
    "UTF-7": ("<?xml version='1.0' encoding='utf-7'?><rss>+", "A", ""),
    "IDNA": ("<?xml version='1.0' encoding='idna'?><rss>", "a.", ""),
    "HTML of text": html("x"),
    "HTML of lone brackets": html("<"),
    "HTML of entities": html("&lt;"),
    "HTML of paragraphs": html("<p>Ж"),
    "HTML of list items": html("<li>Ж"),
    "HTML of headings": html("<h1>1. Ж"),
    "HTML of nested links": html("<a href=Ж>"),
    "HTML of links": html("<a href=Ж>a</a>"),
    "HTML of tweets": html("<blockquote class=twitter-tweet>Ж"),
    "HTML of quotations in a tweet": html("<blockquote class=twitter-tweet>"),
    "HTML of unseen elements": html("<svg>"),
    "HTML of formulas": html("<span class=katex>Ж"),
    "HTML of attributes": html("<a " + "a " * 400_000 + ">"),
    "HTML of attributes after a quotation": html('<a b=">" ' + "a " * 400_000 + ">"),
    "HTML of many attributes": html("<a " + "a " * 30_000 + ">"),
    "HTML of breaks": html("<br>"),
    "HTML of emphasis": html("<i>"),
    "HTML of comments": html("<!---->"),
    "HTML that is Markdown": html("# 1. Ж\n"),
}
JSON: Mapping[str, tuple[str, str | Pieces, str]] = {
    "empty lists": ('{"tree":[', "[],", "[]]}"),
    "empty objects": ('{"tree":[', "{},", "{}]}"),
    "objects of a key": ('{"tree":[', '{"":0},', "{}]}"),
    "lists of a number": ('{"tree":[', "[0],", "{}]}"),
    "names": ('{"tree":[', '"ЖЖ",', '""]}'),
    "numbers": ('{"tree":[', "1000,", "0]}"),
    "nested lists": ('{"tree":', "[", ""),
    "nested objects": ("", '{"":', ""),
    "one huge text": ('{"tree":"\U0001f308', "x", '"}'),
    "escapes": ('{"tree":"', "\\ud83c\\udf08", '"}'),
    "keys": ('{"tree":[{', lambda n: f'"{n}":0,', '"":0}]}'),
    "files": (
        '{"tree":[',
        lambda n: (
            json.dumps({"path": f"{n}.md", "mode": FILE, "type": "blob", "sha": "0" * 40}) + ","
        ),
        "{}]}",
    ),
    "files of many days": (
        '{"tree":[',
        lambda n: (
            json.dumps(
                {
                    "path": f"{'9999-02-30' * 23}{n}.md",
                    "mode": FILE,
                    "type": "blob",
                    "sha": "0" * 40,
                }
            )
            + ","
        ),
        "{}]}",
    ),
    "folders that are no digests": (
        '{"tree":[',
        lambda n: (
            json.dumps({"path": f"\x1b{n}.md", "mode": FILE, "type": "blob", "sha": ""}) + ","
        ),
        "{}]}",
    ),
}


def measure(jobs: Mapping[str, Job], rest: Job) -> None:
    """Read each source in a process of its own; none takes too much, or ends without an outcome."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.helpers.memory_child"],
        cwd=ROOT,
        input=json.dumps([rest, *jobs.values()]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    _, *found = json.loads(run.stdout)
    over = {
        name: f"{peak / 2**20:.1f} MiB, {outcome}: {message}"
        for name, (peak, outcome, message) in zip(jobs, found, strict=True)
        if peak > MOST or "died" in outcome
    }
    assert not over


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        running.route("/small", Reply(TEXT, headers=PLAIN))
        yield running


def sent(parts: tuple[str, str | Pieces, str], size: int) -> Body:
    def pieces(_: threading.Event) -> Iterable[bytes]:
        return document(*parts, size)

    return pieces


def job(spec: str, how: str = "latest", api: str = "") -> Job:
    return spec, api or "https://api.github.com", how


@pytest.mark.slow
def test_a_folder_and_a_file(tmp_path: Path) -> None:
    small = tmp_path / "small.md"
    small.write_bytes(TEXT)
    jobs: dict[str, Job] = {}
    for number, (name, parts) in enumerate(MARKDOWN.items()):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        path = folder / "2021-06-22.md"
        path.write_bytes(b"".join(document(*parts, SIZE_CAP)))
        jobs |= {f"file, {name}": job(str(path)), f"folder, {name}": job(str(folder))}
        if name in LARGEST:
            for day in range(2, 22):
                (folder / f"2021-06-{day:02}.md").hardlink_to(path)
            jobs[f"days, {name}"] = job(str(folder), "since")
    measure(jobs, job(str(small)))


@pytest.mark.slow
def test_a_folder_of_many_files(tmp_path: Path) -> None:
    small = tmp_path / "small.md"
    small.write_bytes(TEXT)
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(20_000):
        (folder / f"{number:05}{'9999-12-39' * 23}.md").touch()
    (folder / "2021-06-22.md").write_bytes(TEXT)
    (folder / "00000").touch()
    measure({how: job(str(folder), how) for how in ("latest", "since", "find")}, job(str(small)))


@pytest.mark.slow
def test_a_page(server: HttpServer) -> None:
    jobs: dict[str, Job] = {}
    for number, (name, parts) in enumerate(MARKDOWN.items()):
        jobs[name] = job(server.route(f"/{number}.md", Reply(sent(parts, SIZE_CAP), headers=PLAIN)))
    large = Reply(sent(("", "x", ""), FEED_CAP), headers=PLAIN)
    jobs["larger than may be"] = job(server.route("/large", large))
    bomb = gzip.compress(bytes(100_000_000))
    for name, headers in {"Markdown": PLAIN, "feed": FEED}.items():
        reply = Reply(bomb, headers={**headers, "Content-Encoding": "gzip"})
        jobs[f"gzip, {name}"] = job(server.route(f"/gzip/{name}", reply))
    measure(jobs, job(f"{server.url}/small"))


@pytest.mark.slow
@pytest.mark.parametrize("how", ["latest", "since"])
def test_a_feed(server: HttpServer, how: str) -> None:
    jobs: dict[str, Job] = {}
    for number, (name, parts) in enumerate(FEEDS.items()):
        url = server.route(f"/{number}.xml", Reply(sent(parts, FEED_SIZE), headers=FEED))
        jobs[name] = job(url, how)
    measure(jobs, job(f"{server.url}/small"))


@pytest.mark.slow
def test_the_documents_that_a_feed_names(server: HttpServer) -> None:
    jobs: dict[str, Job] = {}
    for number, name in enumerate(LARGEST):
        parts = MARKDOWN[name]
        url = server.route(f"/{number}.md", Reply(sent(parts, SIZE_CAP), headers=PLAIN))
        link = f'<enclosure type="text/markdown" url="{url}"/>'
        feed = "".join(f"<item><title>Hot 2021-06-{n}</title>{link}</item>" for n in range(10, 30))
        reply = Reply(f"{RSS}{feed}</channel></rss>".encode(), headers=FEED)
        jobs[name] = job(server.route(f"/{number}.xml", reply), "since")
    measure(jobs, job(f"{server.url}/small"))


@pytest.mark.slow
def test_a_repository(server: HttpServer) -> None:
    jobs: dict[str, Job] = {}
    api = f"{server.url}/api"
    for number, (name, parts) in enumerate(JSON.items()):
        repository = f"/api/repos/ada/list{number}/git"
        server.route(f"{repository}/trees/HEAD", Reply(sent(parts, 4_000_000)))
        server.route(f"{repository}/blobs/{'0' * 40}", Reply(TEXT))
        for how in ("latest", "since", "find"):
            jobs[f"{name}, {how}"] = job(f"github:ada/list{number}", how, api)
        refused = Reply(sent(parts, 4_000_000), 403)
        server.route(f"/api/repos/ada/no{number}/git/trees/HEAD", refused)
        jobs[f"{name}, refused"] = job(f"github:ada/no{number}", "latest", api)
    for number, (name, parts) in enumerate(MARKDOWN.items()):
        repository = f"/api/repos/ada/file{number}/git"
        entry = {"path": "2021-06-22.md", "mode": FILE, "type": "blob", "sha": "0" * 40}
        tree = json.dumps({"tree": [entry]}).encode()
        server.route(f"{repository}/trees/HEAD", Reply(tree))
        server.route(f"{repository}/blobs/{'0' * 40}", Reply(sent(parts, SIZE_CAP)))
        jobs[f"file, {name}"] = job(f"github:ada/file{number}", "latest", api)
    measure(jobs, job(f"{server.url}/small"))
