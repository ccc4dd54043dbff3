"""Record keys: TIDs as the protocol has them, in the order of time, and those of our posts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.delivery.identity import key, record_key
from bot.posters.bluesky.tids import CLOCKS, EPOCH, is_tid, tid, time_of
from tests.helpers.paths import SHARED

FILES = SHARED / "api" / "atproto" / "interop" / "syntax"
interop = pytest.mark.skipif(
    not FILES.is_dir(), reason="the protocol's test files are not beside this clone"
)
moments = st.integers(0, 2**52).map(lambda micros: EPOCH + timedelta(microseconds=micros))
clocks = st.integers(0, CLOCKS - 1)


@pytest.mark.parametrize(
    ("moment", "clock", "written"),
    [
        (EPOCH, 0, "2222222222222"),
        (EPOCH, 1, "2222222222223"),
        (EPOCH, 1023, "22222222222zz"),
        (EPOCH + timedelta(microseconds=1), 0, "2222222222322"),
        (datetime(2026, 3, 1, 12, 0, tzinfo=UTC), 0, "3mfyouuy62222"),
        (datetime(2026, 2, 28, 23, 59, 59, 999_999, UTC), 31, "3mfxgngarzz2z"),
    ],
)
def test_a_tid_is_the_time_and_the_clock_in_thirteen_letters(
    moment: datetime, clock: int, written: str
) -> None:
    assert tid(moment, clock) == written
    assert is_tid(written)
    assert time_of(written) == moment


@given(moments, clocks)
def test_a_tid_tells_its_time_whatever_the_zone(moment: datetime, clock: int) -> None:
    made = tid(moment, clock)
    assert is_tid(made)
    assert time_of(made) == moment
    assert tid(moment.astimezone(), clock) == made


@given(moments, moments, clocks, clocks)
def test_tids_sort_as_time_does(one: datetime, other: datetime, first: int, second: int) -> None:
    assert (tid(one, first) < tid(other, second)) is ((one, first) < (other, second))


@given(st.datetimes(timezones=st.just(UTC)), st.integers())
def test_any_time_and_any_clock_make_a_tid(moment: datetime, clock: int) -> None:
    assert is_tid(tid(moment, clock))


@pytest.mark.parametrize(
    "text",
    [
        *("", "3m62prvgg232", "3m62prvgg23222", "3M62PRVGG2322", "1111111111111", "3m62prvgg232\n"),
        *("kzzzzzzzzzzzz", "zzzzzzzzzzzzz", "3jzfcijpj2z2é", "3jzf-cij-pj2z-2a"),
    ],
)
def test_what_is_no_tid_has_no_time(text: str) -> None:
    assert not is_tid(text)
    with pytest.raises(ValueError, match="is no TID"):
        time_of(text)


@interop
def test_the_protocol_s_own_cases_are_judged_alike() -> None:
    for name in ("valid", "invalid"):
        lines = (FILES / f"tid_syntax_{name}.txt").read_text("utf-8").split("\n")
        cases = [line for line in lines if line and not line.startswith("#")]
        assert cases
        assert {is_tid(case) for case in cases} == {name == "valid"}


# -- those of our posts ----------------------------------------------------------------------------

hexes = st.text("0123456789abcdef", min_size=32, max_size=32)
days = st.dates(date(1971, 1, 1), date(2200, 1, 1))


@given(hexes, days)
def test_a_post_is_filed_on_the_day_that_its_digest_s_slug_says(name: str, day: date) -> None:
    made = record_key(name, f"hot-papers-{day}")
    assert is_tid(made)
    assert time_of(made).date() == day


@given(hexes, hexes, st.text())
def test_where_the_slug_says_none_it_is_one_day_before_there_was_bluesky(
    one: str, other: str, digest: str
) -> None:
    digest = digest.replace("-", "")
    first, second = time_of(record_key(one, digest)), time_of(record_key(other, digest))
    assert first.date() == second.date()
    assert 2000 <= first.year < 2020


@pytest.mark.parametrize(
    ("digest", "day"),
    [
        ("hot-2026-02-30", None),
        ("hot-2026-2-3", None),
        ("0000-00-00", None),
        ("hot-2026-02-30-2026-03-01", date(2026, 3, 1)),
        ("hot-2020-10-30-2020-11-01", date(2020, 10, 30)),
    ],
)
def test_digits_that_are_no_day_are_passed_over(digest: str, day: date | None) -> None:
    made = time_of(record_key("ab" * 16, digest))
    assert made.date() == day if day else made.year < 2020


def test_keys_of_one_digest_are_apart_and_the_same_for_everybody() -> None:
    parts = ["opening", *(f"2602.1{number:04}" for number in range(2000)), "closing"]
    day = date(2026, 2, 28)

    def keys(account: str, generation: int) -> list[str]:
        slug = f"hot-papers-{day}"
        return [record_key(key(account, slug, generation, each), slug) for each in parts]

    made = {*keys("papers", 0), *keys("papers", 1), *keys("other", 0)}
    assert len(made) == 3 * len(parts)
    assert keys("papers", 0) == keys("papers", 0)
    # as it was released: another key for a post that is out would be another post
    assert keys("papers", 0)[:2] == ["3mfwc6sgg4q7y", "3mfwelp7salrv"]
    assert record_key(key("papers", "issue-42", 0, "opening"), "issue-42") == "36tszvc4fmpkv"
