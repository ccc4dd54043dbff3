"""A folder of digests in a Git repository on GitHub, read without a clone.

The trees API lists a folder of any size (https://docs.github.com/en/rest/git/trees; the contents
API stops at 1,000 files), the blobs API gives one file by its hash (.../rest/git/blobs).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote

from bot.digests.file_names import SUFFIXES
from bot.digests.file_store import FileListing
from bot.digests.result import Memory
from bot.errors import DigestError, Malformed, NoDigest, Nowhere, SettingsError, Unreachable
from bot.http.fetch import Web
from bot.http.json_body import read_json
from bot.http.page import CacheValidators
from bot.http.streamed_answer import StreamedAnswer
from bot.http.urls import printable

SHAPE = "github:owner/repo/folder@ref (folder and @ref may be left out)"
_SPEC = re.compile(
    r"github:(?P<owner>[A-Za-z0-9][\w-]*)/(?P<repo>[\w.-]+)(?P<folder>(?:/[^/@]+)*)/?"
    r"(?:@(?P<ref>[^/].*[^/]|[^/]))?",
    re.ASCII,
)
# What neither a ref nor a path has (https://git-scm.com/docs/git-check-ref-format), or should have.
_ODD = re.compile(r"[\x00-\x20\x7f\\~^:?*\[]|\.\.|@\{|(?:^|/)\.(?:/|$)")
_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FILES = ("100644", "100755", "100664")
_LINK = "120000"
_LISTING = "application/vnd.github+json"
_RAW = "application/vnd.github.raw+json"


class _Entry(NamedTuple):
    """One line of a Git tree."""

    name: str
    mode: str
    type: str
    hash: str


@dataclass(frozen=True, slots=True)
class Repository:
    """A folder of a repository: a FileStore.

    `token` may be empty; it is sent to the host of `api` alone. An empty `ref` is the default
    branch.
    """

    owner: str
    repo: str
    folder: str
    ref: str
    web: Web
    api: str = "https://api.github.com"
    token: str = field(default="", repr=False)
    patience: int = 10
    _hashes: dict[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        """The repository and folder, as in BOT_DIGESTS."""
        at = f"@{self.ref}" if self.ref else ""
        return "/".join(filter(None, [f"github:{self.owner}/{self.repo}", self.folder])) + at

    def path(self, name: str) -> str:
        """The file's place in the repository."""
        return "/".join(filter(None, [f"github:{self.owner}/{self.repo}", self.folder, name]))

    def names(self, memory: Memory) -> FileListing | None:
        """List the folder, from the top of the repository down.

        Raises NoDigest, Nowhere, Unreachable, and SettingsError where GITHUB_TOKEN is refused.
        """
        kept: dict[str, CacheValidators] = {}
        tree = self._tree(self.ref or "HEAD", memory, kept)
        for part in filter(None, self.folder.split("/")):
            if tree is None:
                return None
            tree = self._tree(self._below(tree, part), memory, kept)
        return None if tree is None else self._listing(tree, kept)

    def read(self, name: str, limit: int) -> bytes:
        """Read the first `limit` bytes of a file that `names` listed.

        Raises Unreachable, Malformed for too large a file, and SettingsError as `names` does.
        """
        read = bytearray()
        with self._get(f"blobs/{self._hashes[name]}", _RAW) as answer:
            if answer.status == HTTPStatus.NOT_FOUND:
                raise Unreachable(f"{self.path(name)}: GitHub lists this file and has it not (404)")
            self._insist(answer)
            for piece in answer.pieces():
                read += piece
                if len(read) >= limit:
                    break
        return answer.redact.data(bytes(read[:limit]))

    def _tree(
        self, tree: str, memory: Memory, kept: dict[str, CacheValidators]
    ) -> Mapping[str, object] | None:
        """Get one tree by ref or hash; None where it is still the one in `memory`."""
        path = f"trees/{quote(tree, safe='')}"
        known = memory.get(path)
        with self._get(path, _LISTING, known) as answer:
            if known and answer.status == HTTPStatus.NOT_MODIFIED:
                return None
            self._insist(answer)
            kept[path] = answer.validators
            try:
                read = read_json(answer)
            except Malformed as error:
                raise Unreachable(
                    f"{self.where}: GitHub's list of this folder cannot be read: {error.expected}",
                    "If the folder is large, move old digests to another one.",
                ) from None
        if not isinstance(read, dict):
            raise Unreachable(f"{self.where}: GitHub answers something that is no Git tree")
        return read

    def _below(self, tree: Mapping[str, object], part: str) -> str:
        """Find the folder `part` in a tree; gives its hash."""
        found = next((entry for entry in _entries(tree) if entry.name == part), None)
        if found is not None and found.type == "tree" and _HASH.fullmatch(found.hash):
            return found.hash
        what = "that is no folder" if found else "there is no such folder"
        more = " (GitHub has cut its list short)" if tree.get("truncated") else ""
        raise Nowhere(f"{self.where}: {what}: {part!r}{more}", f"BOT_DIGESTS is {SHAPE}.")

    def _listing(self, tree: Mapping[str, object], kept: Memory) -> FileListing:
        self._hashes.clear()
        warnings = []
        for entry in _entries(tree):
            if problem := _problem(entry):
                warnings += [f"{self.where}: {entry.name!r} is not read: {problem}"]
            elif entry.mode in _FILES:
                self._hashes[entry.name] = entry.hash
        if tree.get("truncated"):
            warnings += [f"{self.where}: GitHub has cut the list of this folder short"]
        return FileListing(tuple(self._hashes), tuple(warnings), kept)

    @contextmanager
    def _get(
        self, path: str, accept: str, known: CacheValidators | None = None
    ) -> Iterator[StreamedAnswer]:
        repository = f"{quote(self.owner, safe='')}/{quote(self.repo, safe='')}"
        url = f"{self.api.rstrip('/')}/repos/{repository}/git/{path}"
        with self.web.get(url, accept=accept, token=self.token, known=known) as answer:
            yield answer

    def _insist(self, answer: StreamedAnswer) -> None:
        """Say what GitHub's refusals mean."""
        said = _said(answer)
        limited = answer.header("x-ratelimit-remaining") == "0" or "rate limit" in said.lower()
        if answer.status in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS) and limited:
            fix = "" if self.token else "With GITHUB_TOKEN set the limit is higher."
            raise Unreachable(f"{self.where}: GitHub's rate limit is used up{_until(answer)}", fix)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            fix = "Set it to a token that may read this repository, or unset it for a public one."
            raise SettingsError(f"GITHUB_TOKEN: GitHub does not accept it for {self.where}", fix)
        if answer.status == HTTPStatus.FORBIDDEN:
            fix = "GITHUB_TOKEN must be allowed to read the contents of this repository."
            why = f": {said}" if said else ""
            if said and not answer.header("retry-after"):
                raise SettingsError(f"{self.where}: GitHub refuses it (403){why}", fix)
            raise Unreachable(f"{self.where}: GitHub refuses it (403){why}{answer.wait()}", fix)
        if answer.status == HTTPStatus.CONFLICT:
            raise NoDigest(f"{self.where}: the repository is empty")
        if answer.status in (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY):
            what = f"no repository {self.owner}/{self.repo}, or no {self.ref or 'HEAD'} in it"
            raise Nowhere(f"{self.where}: there is {what}", self._hint())
        answer.raise_for_status()

    def _hint(self) -> str:
        if self.token:
            return "If it is private, GITHUB_TOKEN must be allowed to read it."
        return "If it is private, set GITHUB_TOKEN."


def repository(spec: str, web: Web, api: str, token: str) -> Repository | None:
    """Read `github:owner/repo/folder@ref`; None where it is not of that shape.

    The first `@` begins the ref, which may hold slashes.
    """
    match = _SPEC.fullmatch(spec)
    if match is None or match["repo"] in (".", "..") or _ODD.search(match["ref"] or ""):
        return None
    folder = match["folder"].strip("/")
    if any(part in (".", "..") or "\\" in part for part in folder.split("/")):
        return None
    return Repository(match["owner"], match["repo"], folder, match["ref"] or "", web, api, token)


def _entries(tree: Mapping[str, object]) -> Iterator[_Entry]:
    lines = tree.get("tree")
    for line in lines if isinstance(lines, list) else ():
        if isinstance(line, dict):
            yield _Entry(*(str(line.get(key, "")) for key in ("path", "mode", "type", "sha")))


def _problem(entry: _Entry) -> str:
    """Why an entry that looks like a digest is not to be read; empty where nothing is wrong."""
    if not entry.name.endswith(SUFFIXES) or entry.mode not in (*_FILES, _LINK):
        return ""
    if re.search(r"[/\\\x00-\x1f\x7f]|\.\.", entry.name):
        return "its name leads somewhere else"
    if entry.mode == _LINK:
        return "it is a symbolic link"
    return "" if _HASH.fullmatch(entry.hash) else "GitHub gives no hash of it"


def _said(answer: StreamedAnswer) -> str:
    """GitHub's own words for a refusal, short and on one line; empty where it has none."""
    if answer.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return ""
    try:
        value = json.loads(answer.whole())
    except (ValueError, RecursionError, DigestError):
        return ""
    said = value.get("message") if isinstance(value, dict) else None
    return printable(" ".join(said.split())[:200]) if isinstance(said, str) else ""


def _until(answer: StreamedAnswer) -> str:
    """When the rate limit ends, as the end of a sentence."""
    reset = answer.header("x-ratelimit-reset")
    if not re.fullmatch("[0-9]{1,11}", reset):
        return answer.wait()
    return f", until {datetime.fromtimestamp(int(reset), UTC):%Y-%m-%d %H:%M:%S} UTC"
