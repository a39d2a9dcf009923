"""Times, durations and statuses as people read them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from securewatch.cli.words import (
    COLOURS,
    GLYPHS,
    show_duration,
    show_facts,
    show_instant,
    show_ms,
    show_status,
    show_until,
)
from securewatch.deploy.model import Status

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (11_400, "3 h 10 min"),
        (86_400, "1 d"),
        (187_200, "2 d 4 h"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float | None, text: str) -> None:
    assert show_duration(seconds) == text


def test_every_status_word_has_a_glyph_of_its_own_and_a_colour() -> None:
    words = {status.value for status in Status}

    assert set(GLYPHS) == words
    assert set(COLOURS) == words
    assert len(set(GLYPHS.values())) == len(words)


def test_a_status_is_read_without_underscores() -> None:
    assert show_status("rolled_back") == "↩ rolled back"


def test_a_word_that_is_no_status_of_ours_is_shown_as_it_is() -> None:
    assert show_status("new_word") == "new word"


def test_an_instant_to_come_says_how_long_that_is() -> None:
    assert show_until(NOW + timedelta(hours=3, minutes=10), NOW).endswith(", in 3 h 10 min")


def test_an_instant_that_is_past_is_due() -> None:
    assert show_until(NOW - timedelta(seconds=1), NOW).endswith(", due")


def test_the_customers_time_stands_beside_where_it_differs() -> None:
    far = ZoneInfo("Pacific/Kiritimati") if NOW.astimezone().utcoffset() != timedelta(hours=14) else ZoneInfo("UTC")

    text = show_until(NOW + timedelta(hours=1), NOW, far)

    assert " for the customer (" in text


def test_the_customers_time_is_left_out_where_it_is_yours() -> None:
    yours = NOW.astimezone().tzinfo

    assert "for the customer" not in show_until(NOW + timedelta(hours=1), NOW, yours)


def test_what_is_not_known_shows_as_little() -> None:
    assert (show_instant(None), show_ms(None)) == ("", "-")


def test_response_times_are_whole_milliseconds() -> None:
    assert show_ms(131.4) == "131 ms"


@pytest.mark.parametrize(
    ("detail", "text"),
    [
        ({}, ""),
        ({"version": "v1.1.0", "reason": "", "generation": 1}, "version=v1.1.0 generation=1"),
        ({"changes": {"since": "now", "stage": "verifying"}}, "stage=verifying"),
        ({"before": {"ids": ["dep-a", "dep-b"]}, "ok": True}, "before.ids=dep-a,dep-b ok=yes"),
        ({"baseline": [["backend", {"p95_ms": 8.397368999794708}]]}, "baseline.backend.p95_ms=8.4"),
        ({"at": "2026-11-25T10:35:52.729783+00:00", "why": "two\nlines"}, "at=2026-11-25T10:35:52Z why=two lines"),
    ],
)
def test_the_facts_of_a_record_are_words_in_one_line(detail: dict[str, object], text: str) -> None:
    assert show_facts(detail) == text
