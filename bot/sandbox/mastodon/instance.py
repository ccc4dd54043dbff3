"""The instance pages of a server with Mastodon's API: its limits and its rules."""

from __future__ import annotations

from collections.abc import Mapping

from bot.sandbox.mastodon.behaviour import Software
from bot.sandbox.mastodon.pages import Place, account
from bot.sandbox.wire import Json

_RESERVED_PER_URL = 23
_MOST_MEDIA = 4
_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4")
_SOURCES: Mapping[Software, str] = {
    Software.MASTODON: "https://github.com/mastodon/mastodon",
    Software.GOTOSOCIAL: "https://codeberg.org/superseriousbusiness/gotosocial",
    Software.HOLLO: "https://github.com/fedify-dev/hollo",
}
_MEDIA: Mapping[str, Json] = {
    "supported_mime_types": _TYPES,
    "image_matrix_limit": 33_177_600,
    "video_size_limit": 103_809_024,
    "video_frame_rate_limit": 120,
    "video_matrix_limit": 8_294_400,
}
_POLLS: Mapping[str, Json] = {
    "max_options": 4,
    "max_characters_per_option": 50,
    "min_expiration": 300,
    "max_expiration": 2_629_746,
}


def instance(place: Place, domain: str) -> dict[str, Json]:
    """Return GET /api/v2/instance: what the server is, its limits, and its rules."""
    return {
        "domain": domain,
        "title": "Sandbox",
        "version": place.behaviour.version,
        "source_url": _SOURCES.get(place.behaviour.software, ""),
        "description": "A stand-in for a Mastodon server, on your own machine.",
        "usage": {"users": {"active_month": 1}},
        "thumbnail": {"url": f"{place.base}/preview.png", "description": ""},
        "icon": [],
        "languages": [place.profile.language],
        "configuration": _newer(place, domain),
        "registrations": {"enabled": False, "approval_required": False, "message": None},
        "api_versions": {"mastodon": 11},
        "contact": {"email": "", "account": None},
        "rules": _rules(place),
    }


def instance_v1(place: Place, domain: str) -> dict[str, Json]:
    """Return GET /api/v1/instance, the older page, which every server has."""
    return {
        "uri": domain,
        "title": "Sandbox",
        "short_description": "A stand-in for a Mastodon server.",
        "description": "",
        "email": "",
        "version": place.behaviour.version,
        "urls": {"streaming_api": f"ws://{domain}"},
        "stats": {"user_count": 1, "status_count": 0, "domain_count": 0},
        "thumbnail": f"{place.base}/preview.png",
        "languages": [place.profile.language],
        "registrations": False,
        "approval_required": False,
        "invites_enabled": False,
        "configuration": _configuration(place),
        "contact_account": account(place, place.account),
        "rules": _rules(place),
    }


def _configuration(place: Place) -> dict[str, Json]:
    return {
        "accounts": {"max_featured_tags": 10},
        "statuses": {
            "max_characters": place.behaviour.max_characters,
            "max_media_attachments": _MOST_MEDIA,
            "characters_reserved_per_url": _RESERVED_PER_URL,
        },
        "media_attachments": {**_MEDIA, "image_size_limit": place.behaviour.media_limit},
        "polls": _POLLS,
    }


def _newer(place: Place, domain: str) -> dict[str, Json]:
    older = _configuration(place)
    limits = {
        "image_size_limit": place.behaviour.media_limit,
        "description_limit": place.behaviour.description_limit,
    }
    return {
        **older,
        "accounts": {"max_featured_tags": 10, "max_pinned_statuses": 5},
        "media_attachments": {**_MEDIA, **limits},
        "urls": {"streaming": f"ws://{domain}", "about": f"{place.base}/about", "status": None},
        "vapid": {"public_key": "none"},
        "translation": {"enabled": False},
        "limited_federation": False,
    }


def _rules(place: Place) -> list[Json]:
    numbered = enumerate(place.profile.rules, 1)
    return [{"id": str(number), "text": text, "hint": ""} for number, text in numbered]
