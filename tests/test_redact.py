"""A secret is found in whatever form it is repeated, and nothing else is taken for one."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.redact import SHORTEST_SECRET, Redact
from tests.helpers.secret_forms import FORMS, shows

MARK = "PlantedMark"
SECRETS = (
    f"{MARK}-And-A-Tail_0123456789/+=",
    f"{MARK}.eyJzY29wZSI6ImNvbS5hdHByb3RvLmFjY2VzcyJ9.c2lnbmF0dXJl",
    f"{MARK}%2F\"&'<tail>",
)
WORDS = st.text(st.sampled_from('ab ,.:"\\/%&\n'), max_size=20)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
def test_no_form_of_a_secret_is_left(secret: str, form: str) -> None:
    said = FORMS[form](secret)
    assert shows(said, MARK)
    redact = Redact(secret)
    for text in (said, f"token={said}", f'{{"error": "bad {said}"}}', f"<p>{said}</p>"):
        assert "***" in redact(text)
        assert not shows(redact(text), MARK)
        assert redact.data(text.encode()).decode() == redact(text)


@given(st.sampled_from(sorted(FORMS)), WORDS, WORDS)
def test_what_is_around_it_stays(form: str, before: str, after: str) -> None:
    text = f"{before} {FORMS[form](SECRETS[0])} {after}"
    shown = Redact(SECRETS[0])(text)
    assert shown.startswith(before)
    assert shown.endswith(f" {after}")
    assert not shows(shown.removeprefix(before).removesuffix(after), MARK)


@pytest.mark.parametrize("form", [each for each in FORMS if "in lines" not in each])
def test_json_stays_json(form: str) -> None:
    written = json.dumps([{"a": FORMS[form](SECRETS[0]), "b": 1}, "ü\n"])
    value = json.loads(Redact(SECRETS[0])(written))
    assert value[0]["b"] == 1
    assert value[1] == "ü\n"
    assert not shows(value[0]["a"], MARK)


def test_what_is_short_is_no_secret() -> None:
    assert Redact("a" * (SHORTEST_SECRET - 1), "")("aaaaaaa") == "aaaaaaa"
    assert Redact("abcdefgh")("ABCDEFGH or abcdefg") == "*** or abcdefg"


@pytest.mark.parametrize(
    ("secrets", "text"),
    [
        # the id of X's account is public, and begins its token
        (["1000000000000000001-AbCdEfGhIjKlMnOpQr"], '{"id": "1000000000000000001"}'),
        (
            ["https://hc-ping.com/4f1b2c3d-0000-4000-8000-1234567890ab"],
            "https://hc-ping.com/ is down",
        ),
        # a beginning that goes on differently, as all session tokens begin alike
        (["eyJhbGciOiJIUzI1NiJ9.AAAA.BBBB"], "eyJhbGciOiJIUzI1NiJ9x"),
        (["eyJhbGciOiJIUzI1NiJ9.AAAA.BBBB"], "eyJhbGciOi1NiJ9.CCCC"),
        (["password123"], "This is the account's own password."),
        (["correct-horse-battery"], "correct horse and battery"),
    ],
)
def test_other_words_stay(secrets: Sequence[str], text: str) -> None:
    assert Redact(*secrets)(text) == text


def test_a_secret_of_x_is_known_without_the_public_id() -> None:
    token = "1000000000000000001-AbCdEfGhIjKlMnOpQr"
    assert Redact(token)(f"{token}, {token.partition('-')[2]}") == "***, ***"


def test_secrets_come_later_and_are_not_printed() -> None:
    redact = Redact()
    text = f"a {SECRETS[0]}"
    assert redact(text) is text
    redact.add(SECRETS[0])
    assert redact(text) == "a ***"
    assert MARK not in f"{redact!r} {redact}"


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_bytes_of_any_kind_stay(before: bytes, after: bytes) -> None:
    redact = Redact(SECRETS[0])
    assert redact.data(before) == before
    shown = redact.data(before + b" " + b64encode(SECRETS[0].encode()) + b" " + after)
    assert shown.startswith(before)
    assert shown.endswith(after)
    assert b"***" in shown
