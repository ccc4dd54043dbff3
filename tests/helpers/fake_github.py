"""GitHub's API with a repository of digests, on loopback."""

from __future__ import annotations

import json
from hashlib import sha1

from tests.helpers.http_server import HttpServer, Reply, Request
from tests.helpers.sample_digests import markdown

FILE, LINK, TREE = "100644", "120000", "040000"


def named(content: bytes) -> str:
    return sha1(content, usedforsecurity=False).hexdigest()


class FakeGitHub:
    """A repository: puts its trees and files where GitHub has them."""

    def __init__(self, server: HttpServer, name: str = "ada/digests") -> None:
        self.server = server
        self.root = f"/api/v3/repos/{name}/git"

    def file(self, content: bytes) -> str:
        self.server.route(f"{self.root}/blobs/{named(content)}", Reply(content))
        return named(content)

    def tree(self, *entries: tuple[str, str, str], ref: str = "", cut: bool = False) -> str:
        """Lists (name, mode, hash); gives the hash of the list. A tree with a ref is its root."""
        kinds = {TREE: "tree", "160000": "commit"}
        lines = [
            {"path": name, "mode": mode, "type": kinds.get(mode, "blob"), "sha": hash_}
            for name, mode, hash_ in entries
        ]
        content = json.dumps({"tree": lines, "truncated": cut}).encode()
        tag = f'"{named(content)}"'

        def listing(request: Request) -> Reply:
            if request.headers.get("if-none-match") == tag:
                return Reply(status=304)
            return Reply(content, headers={"ETag": tag, "Content-Type": "application/json"})

        self.server.route(f"{self.root}/trees/{ref or named(content)}", listing)
        return named(content)

    def digests(self, *days: str) -> list[tuple[str, str, str]]:
        return [(f"{day}---Hot-Papers.md", FILE, self.file(markdown(day))) for day in days]
