"""Upload files to a server with Mastodon's API: https://docs.joinmastodon.org/methods/media."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from http import HTTPStatus
from urllib.parse import unquote

from bot.sandbox.mastodon import answers
from bot.sandbox.mastodon.pages import attachment
from bot.sandbox.mastodon.reading import MastodonReading, path_of
from bot.sandbox.multipart import parts
from bot.sandbox.uploads import Medium, type_of
from bot.sandbox.wire import RefusedRequest, Request, Response, reply

UPLOAD = "/api/v2/media"
MEDIUM = re.compile(r"/api/v1/media/([^/]+)")


class MastodonMedia(MastodonReading):
    """The uploading part of the rules, between reading and publishing."""

    def _upload(self, request: Request, now: datetime) -> Response:
        if not self.behaviour.uploads:
            raise RefusedRequest(answers.OUT_OF_SCOPE)
        medium = self._received(request, now)
        self.uploads[medium.id] = medium
        self.media.add(medium.id)
        status = HTTPStatus.OK if self._is_processed(medium.id, now) else HTTPStatus.ACCEPTED
        return self._shown(medium.id, status, request)

    def _received(self, request: Request, now: datetime) -> Medium:
        fields = parts(request)
        file, words = fields.get("file"), fields.get("description")
        alt = words.text.strip() if words else ""
        if file is None:
            raise RefusedRequest(answers.invalid("File can't be blank"))
        if len(file.data) > self.behaviour.media_limit:
            raise RefusedRequest(answers.invalid("File is too large"))
        if not file.type or type_of(file.data) != file.type:
            raise RefusedRequest(answers.invalid("File content type is invalid"))
        if len(alt) > self.behaviour.description_limit:
            raise RefusedRequest(answers.invalid("Description is too long"))
        return Medium(self._ids(now), file.data, file.type, now, alt)

    def _ask_for_upload(self, request: Request, now: datetime) -> Response:
        found = MEDIUM.fullmatch(path_of(request))
        media_id = unquote(found[1]) if found else ""
        if media_id not in self.media or media_id in self._attached():
            raise RefusedRequest(answers.NOT_FOUND)
        if not self._is_processed(media_id, now):
            return self._shown(media_id, HTTPStatus.PARTIAL_CONTENT, request)
        if self.behaviour.breaks_media:
            raise RefusedRequest(answers.BROKEN_MEDIA)
        return self._shown(media_id, HTTPStatus.OK, request)

    def _shown(self, media_id: str, status: HTTPStatus, request: Request) -> Response:
        shown = attachment(self._place(request), media_id)
        return reply(status, shown if status is HTTPStatus.OK else {**shown, "url": None})

    def _attachable(self, wanted: Iterable[str], now: datetime) -> tuple[str, ...]:
        """Return the uploads that a status gets.

        Raises RefusedRequest for a file that is unknown, used by another status, or not processed.
        """
        attached, kept = self._attached(), []
        for media_id in wanted:
            known = media_id in self.media and media_id not in attached
            if known and not self._is_processed(media_id, now):
                raise RefusedRequest(answers.UNFINISHED_MEDIA)
            if not known and self.behaviour.missing_media != HTTPStatus.OK:
                raise RefusedRequest(answers.missing_media(media_id, self.behaviour.missing_media))
            kept += [media_id] if known else []
        return tuple(kept)

    def _attached(self) -> set[str]:
        return {media_id for post in self._posts.values() for media_id in post.media}

    def _is_processed(self, media_id: str, now: datetime) -> bool:
        medium = self.uploads.get(media_id)
        return medium is None or now - medium.uploaded >= self.behaviour.processing
