"""Upload files to X: https://docs.x.com/x-api/media. The alt text is a second request."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from bot.sandbox.multipart import parts
from bot.sandbox.service import NetworkService
from bot.sandbox.uploads import Medium, type_of
from bot.sandbox.wire import Json, RefusedRequest, Request, Response, reply
from bot.sandbox.x import answers
from bot.sandbox.x.behaviour import XBehaviour

UPLOAD = "/2/media/upload"
METADATA = "/2/media/metadata"
_CATEGORY = "tweet_image"


class XMedia(NetworkService):
    """The rules for uploads. `media` holds the ids that a post may use.

    A test may add its own ids to `media`. `uploads` holds the uploaded files.
    """

    behaviour: XBehaviour
    spent: Decimal
    media: set[str]
    uploads: dict[str, Medium]

    def _upload(self, request: Request, now: datetime) -> Response:
        medium = _received(request, self._ids(now), now)
        if len(medium.data) > self.behaviour.media_limit:
            raise RefusedRequest(answers.invalid("media", "", "media: is too large"))
        self.uploads[medium.id] = medium
        self.media.add(medium.id)
        return reply(200, {"data": self._shown(medium, now)})

    def _upload_status(self, request: Request, now: datetime) -> Response:
        media_id = dict(request.params()).get("media_id", "")
        return reply(200, {"data": self._shown(self._uploaded(media_id, now), now)})

    def _describe(self, request: Request, now: datetime) -> Response:
        self.spent += self.behaviour.prices.metadata
        fields = request.fields() or {}
        medium = self._uploaded(str(fields.get("id")), now)
        words = _words(fields.get("metadata"))
        if not 0 < len(words) <= self.behaviour.alt_limit:
            raise RefusedRequest(
                answers.invalid("metadata.alt_text.text", words, "text: is not valid")
            )
        self.uploads[medium.id] = replace(medium, alt=words)
        kept: Json = {"alt_text": {"text": words}}
        return reply(200, {"data": {"id": medium.id, "associated_metadata": kept}})

    def _shown(self, medium: Medium, now: datetime) -> dict[str, Json]:
        left = medium.uploaded + self.behaviour.media_expires - now
        shown: dict[str, Json] = {
            "id": medium.id,
            "media_key": f"3_{medium.id}",
            "size": len(medium.data),
            "expires_after_secs": int(left.total_seconds()),
        }
        if not self.behaviour.processing:
            return shown
        state = self._state(medium, now)
        waiting: dict[str, Json] = {"check_after_secs": 1} if state == "in_progress" else {}
        return {**shown, "processing_info": {"state": state, **waiting}}

    def _state(self, medium: Medium, now: datetime) -> str:
        if now - medium.uploaded < self.behaviour.processing:
            return "in_progress"
        return "failed" if self.behaviour.breaks_media else "succeeded"

    def _uploaded(self, media_id: str, now: datetime) -> Medium:
        medium = self.uploads.get(media_id)
        if medium is None or now - medium.uploaded >= self.behaviour.media_expires:
            raise RefusedRequest(answers.invalid("media_id", media_id, "BadRequest: Not found"))
        return medium

    def _check_media(self, wanted: Iterable[str], now: datetime) -> None:
        """Raise RefusedRequest for a file that is unknown, not ready or expired."""
        for media_id in wanted:
            known = media_id in self.media
            if known and media_id in self.uploads:
                known = self._state(self._uploaded(media_id, now), now) == "succeeded"
            if not known:
                message = "Your media IDs are invalid."
                raise RefusedRequest(answers.invalid("media.media_ids", media_id, message))


def _received(request: Request, media_id: str, now: datetime) -> Medium:
    """Return the file in a request of JSON or a form. Raises RefusedRequest if it is no image."""
    data, kind, category = _from_json(request) or _from_form(request)
    if category != _CATEGORY:
        raise RefusedRequest(
            answers.invalid("media_category", category, "media_category: is not valid")
        )
    if not kind or type_of(data) != kind:
        raise RefusedRequest(answers.invalid("media", "", "media type unrecognized."))
    return Medium(media_id, data, kind, now)


def _from_json(request: Request) -> tuple[bytes, str, str] | None:
    fields = request.fields()
    if fields is None:
        return None
    names = ("media", "media_type", "media_category")
    media, kind, category = (str(fields.get(name, "")) for name in names)
    try:
        return b64decode(media, validate=True), kind, category
    except binascii.Error:
        raise RefusedRequest(answers.invalid("media", "", "media: is not base64")) from None


def _from_form(request: Request) -> tuple[bytes, str, str]:
    fields = parts(request)
    media, kind, category = map(fields.get, ("media", "media_type", "media_category"))
    if media is None:
        raise RefusedRequest(answers.invalid("media", "", "media: is missing but it is required"))
    return media.data, kind.text if kind else media.type, category.text if category else ""


def _words(metadata: object) -> str:
    alt = metadata.get("alt_text") if isinstance(metadata, dict) else None
    words = alt.get("text") if isinstance(alt, dict) else None
    return words if isinstance(words, str) else ""
