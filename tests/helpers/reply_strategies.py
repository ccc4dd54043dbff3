"""Hypothesis strategies for what a server might answer: any JSON, any body."""

from __future__ import annotations

import json

from hypothesis import strategies as st

# JSON of any shape, in the words that networks use.
WORDS = """id text data meta errors detail title type error message code status created_at entities
urls url expanded_url referenced_tweets attachments media_keys content in_reply_to_id reblog
media_attachments application name username configuration statuses max_characters rules note fields
value description deleted next_token records uri cid cursor createdAt text reply parent embed images
labels values val active did handle accessJwt refreshJwt"""
names = st.sampled_from(WORDS.split())
words = st.one_of(
    st.text(max_size=8),
    st.sampled_from(["1", "2026-03-01T12:00:00Z", "https://t.co/a", "replied_to", "9" * 40]),
)
leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), words)
any_json = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(names, words), inner, max_size=4)
    ),
    max_leaves=20,
)
any_body = st.one_of(
    any_json.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=40),
    st.sampled_from(
        [
            *(b"[" * 5000, b"1" * 5000, b"NaN", b'{"id": 1e999}'),
            b'{"error":' + b"[" * 900 + b"]" * 900 + b"}",
        ]
    ),
)
