"""The quantities in the files: what is read, and that everything else is refused with ValueError."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securewatch.config import quantity
from securewatch.config.quantity import BatchKind, BatchSize, TimeRange

PARSERS = (
    quantity.parse_duration,
    quantity.parse_short_duration,
    quantity.parse_percent,
    quantity.parse_response_ms,
    quantity.parse_batch_size,
    quantity.parse_comparison,
    quantity.parse_time_range,
    quantity.parse_wall_time,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10_minutes", 600),
        ("1_minute", 60),
        ("2_hours", 7200),
        ("0_days", 0),
        ("30_days_after_release", 30 * 86400),
        ("1.5_hours", 5400),
        (" 7_days ", 7 * 86400),
    ],
)
def test_durations_are_read_with_their_unit(text: str, seconds: float) -> None:
    assert quantity.parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "10", "minutes", "-1_hours", "1_week", "10 minutes", "1e3_hours", "9999_days", "\u0661_hours"]
)
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration such as"):
        quantity.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86400), ("15_minutes", 900)]
)
def test_what_people_type_is_read(text: str, seconds: float) -> None:
    assert quantity.parse_short_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["15", "m", "15x", "-5m"])
def test_a_typed_duration_needs_its_unit(text: str) -> None:
    with pytest.raises(ValueError, match="30s, 15m"):
        quantity.parse_short_duration(text)


@pytest.mark.parametrize(
    ("text", "share"), [("5%", 0.05), ("25_percent", 0.25), ("25_percent_groups", 0.25), ("99.9 %", 0.999)]
)
def test_percentages_are_shares_of_one(text: str, share: float) -> None:
    assert quantity.parse_percent(text) == share


@pytest.mark.parametrize("text", ["101%", "-1%", "5", "%", "0.05"])
def test_other_percentages_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a percentage"):
        quantity.parse_percent(text)


@pytest.mark.parametrize(("text", "milliseconds"), [("5000ms", 5000), ("5s", 5000), ("1.5 s", 1500)])
def test_response_times_are_milliseconds(text: str, milliseconds: float) -> None:
    assert quantity.parse_response_ms(text) == milliseconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("50_percent", BatchSize(BatchKind.PERCENT, 50)),
        ("25_percent_groups", BatchSize(BatchKind.PERCENT, 25)),
        ("individual", BatchSize(BatchKind.INDIVIDUAL)),
        ("individual_customer", BatchSize(BatchKind.INDIVIDUAL)),
        ("all_at_once", BatchSize(BatchKind.ALL)),
    ],
)
def test_batch_sizes_are_read(text: str, size: BatchSize) -> None:
    assert quantity.parse_batch_size(text) == size


@pytest.mark.parametrize(
    ("percent", "customers", "count"), [(50, 1, 1), (50, 3, 2), (25, 4, 1), (25, 5, 2), (33.3, 3, 1), (100, 7, 7)]
)
def test_a_share_of_customers_is_rounded_up(percent: float, customers: int, count: int) -> None:
    assert BatchSize(BatchKind.PERCENT, percent).count_of(customers) == count


@given(st.floats(min_value=0.01, max_value=100), st.integers(min_value=0, max_value=10_000))
def test_a_batch_is_never_empty_and_never_over_the_phase(percent: float, customers: int) -> None:
    count = BatchSize(BatchKind.PERCENT, percent).count_of(customers)

    assert 1 <= count <= max(1, customers)


@pytest.mark.parametrize(
    ("text", "shown", "value", "unit"),
    [
        ("< 2000ms", "< 2000ms", 2000, "ms"),
        ("<2s", "< 2000ms", 2000, "ms"),
        ("< 1%", "< 1%", 0.01, "share"),
        ("> 99.9%", "> 99.9%", 0.999, "share"),
        ("<= 10", "<= 10", 10, ""),
    ],
)
def test_comparisons_are_read(text: str, shown: str, value: float, unit: str) -> None:
    found = quantity.parse_comparison(text)

    assert (str(found), found.value, found.unit) == (shown, value, unit)


@pytest.mark.parametrize("text", ["2000ms", "= 5%", "< fast", "<", "< 2000msec", "< -1%"])
def test_other_comparisons_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a comparison"):
        quantity.parse_comparison(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("02:00-06:00", TimeRange("02:00", "06:00")),
        ("22:00 - 4:00", TimeRange("22:00", "04:00")),
        ("22:00-24:00", TimeRange("22:00", "24:00")),
        ("any", None),
        ("flexible", None),
    ],
)
def test_hours_are_read(text: str, found: TimeRange | None) -> None:
    assert quantity.parse_time_range(text) == found


@pytest.mark.parametrize("text", ["02:00", "24:00-06:00", "02:60-03:00", "02:00-02:00", "2am-6am", ""])
def test_other_hours_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HH:MM-HH:MM"):
        quantity.parse_time_range(text)


@given(st.integers(min_value=0, max_value=3650), st.sampled_from(["minute", "hour", "day"]))
def test_a_duration_that_is_shown_reads_the_same_again(count: int, unit: str) -> None:
    duration = quantity.parse_duration(f"{count}_{unit}s")

    assert quantity.parse_duration(quantity.show_duration(duration)) == duration


@given(st.text(max_size=30))
def test_any_text_is_either_read_or_refused_with_a_value_error(text: str) -> None:
    for parse in PARSERS:
        quantity.is_parsed_by(parse, text)
