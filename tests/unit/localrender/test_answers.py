"""Stamps as Render writes them."""

import re
from datetime import UTC, datetime, timedelta, timezone

from localrender.answers import stamp

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_stamp_is_utc_and_cuts_trailing_zeros() -> None:
    assert stamp(NOON) == "2026-11-24T12:00:00Z"
    assert stamp(NOON + timedelta(microseconds=370_960)) == "2026-11-24T12:00:00.37096Z"
    assert stamp(NOON.astimezone(timezone(timedelta(hours=2)))) == "2026-11-24T12:00:00Z"


def test_stamps_have_up_to_nine_digits_and_read_back_to_the_microsecond() -> None:
    instants = [NOON + timedelta(microseconds=number) for number in range(1, 2_000)]
    stamps = [stamp(one) for one in instants]

    assert {len(one) for one in stamps} > {len("2026-11-24T12:00:00.000001Z"), len("2026-11-24T12:00:00.000003757Z")}
    assert [datetime.fromisoformat(one) for one in stamps] == instants
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", one) for one in stamps)
