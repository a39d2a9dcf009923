"""Maintenance windows: compared with a look at the wall every minute, around the clock changes of every zone."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securewatch.rollout.windows import Window, closes_at, is_open, next_open, occurrences, usable_for, window_from
from tests.unit.rollout.wall import MINUTE, Change, changes_of, open_minutes, stretches, wall_clock, zones

ODD_CHANGES = [
    ("Pacific/Apia", 2011, 12),  # skipped a whole day
    ("Pacific/Kwajalein", 1993, 8),  # skipped a whole day
    ("Australia/Lord_Howe", 2024, 4),  # half an hour
    ("Australia/Lord_Howe", 2024, 10),
    ("Antarctica/Troll", 2024, 3),  # two hours
    ("Antarctica/Casey", 2010, 3),  # three hours
    ("Asia/Pyongyang", 2015, 8),  # half an hour, for good
    ("Asia/Pyongyang", 2018, 5),
    ("America/Caracas", 2007, 12),
    ("America/Caracas", 2016, 4),
    ("Asia/Kathmandu", 1985, 12),  # a quarter of an hour, over New Year
    ("America/Sao_Paulo", 2018, 11),  # at midnight: the day begins at 01:00
    ("America/Havana", 2024, 11),  # at midnight: it comes twice
    ("Africa/Casablanca", 2024, 4),
    ("Europe/Dublin", 2024, 10),
]


def at(text: str) -> datetime:
    """An instant in UTC, from ISO text."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def local(text: str, zone: str, *, fold: int = 0) -> datetime:
    """An instant, from a wall time of a zone."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)


def nights(zone: str, *, day: str = "any", start: str = "22:00", end: str = "02:00") -> Window:
    return window_from(day, start=start, end=end, timezone=zone)


# --- every zone, minute by minute -------------------------------------------------------------------------------------


def windows_around(change: Change) -> Iterator[Window]:
    """Windows that begin, end, lie in or reach over what the wall skips or shows twice, and some that know nothing."""
    low, high = change.earlier_wall, change.earlier_wall + change.size
    middle, half = low + change.size / 2, timedelta(minutes=30)
    quarter = (change.size / 4).total_seconds() // 60 * MINUTE
    edges = [(low - half, high + half), (low - half, middle), (middle, high + half), (low, high)]
    edges += [(low + quarter, high - quarter), (high, high + half), (low - half, low), (high, low)]
    for begins, ends in edges:
        start, end = _wall_time(begins), _wall_time(ends)
        if start != end:
            yield Window(None, start, end, change.zone)
            yield Window(frozenset({low.weekday()}), start, end, change.zone)
    yield Window(None, time(22), time(4), change.zone)
    yield Window(frozenset({(low.weekday() - 1) % 7}), time(23, 30), time(2, 30), change.zone)
    yield Window(frozenset({low.weekday()}), None, None, change.zone)
    yield Window(frozenset({low.weekday(), high.weekday()}), time(0), time(0, 1), change.zone)


def _wall_time(moment: datetime) -> time:
    return time(moment.hour, moment.minute)


def distinct(changes: Iterable[Change]) -> list[Change]:
    """One of all the changes that happen at the same instant in the same way."""
    return list({(change.at, change.before, change.after): change for change in changes}.values())


def compare_with_the_wall(change: Change, *, days: float, step: int) -> None:
    """Hold the four functions against the reference, every `step` minutes and at every edge."""
    start, end = change.at - timedelta(days=days), change.at + timedelta(days=days)
    wall = wall_clock(change.zone, start, end)
    for window in windows_around(change):
        is_open_then = open_minutes(window, wall)
        expected = stretches(is_open_then, start)
        assert list(occurrences(window, start, end)) == expected, (window, change)
        edges = {(edge - start) // MINUTE + shift for pair in expected for edge in pair for shift in (-1, 0)}
        for number in sorted({*range(0, len(wall), step), *edges} & set(range(len(wall)))):
            _compare_instant(window, start + number * MINUTE, expected, end)
            assert is_open(window, start + number * MINUTE) == is_open_then[number], (window, change, number)


def _compare_instant(
    window: Window, instant: datetime, expected: list[tuple[datetime, datetime]], end: datetime
) -> None:
    ahead = next(((opens, closes) for opens, closes in expected if closes > instant), None)
    if ahead is None:
        return
    opens, closes = ahead
    assert next_open(window, instant) == max(opens, instant), (window, instant)
    if opens <= instant and closes < end:
        assert closes_at(window, instant) == closes, (window, instant)


@cache
def changes_of_2026(zone: str) -> list[Change]:
    """A zone's changes of that year; where it has none, a day on which nothing changes."""
    found = list(changes_of(zone, date(2026, 1, 1), date(2027, 1, 1)))
    return found or [Change(zone, at("2026-06-20T12:00"), timedelta(0), timedelta(0))]


def test_windows_agree_with_the_wall_around_every_clock_change_of_a_year() -> None:
    changes = distinct(found for zone in zones() for found in changes_of_2026(zone) if found.size)

    assert len(changes) > 40
    for change in changes:
        compare_with_the_wall(change, days=1.0, step=397)


def test_in_no_zone_of_the_world_does_anything_start_outside_a_window_over_midnight() -> None:
    outside = 0
    for change in (found for zone in zones() for found in changes_of_2026(zone)):
        begin, end = change.at - timedelta(hours=8), change.at + timedelta(hours=8)
        wall = wall_clock(change.zone, begin, end)
        eve = (change.at + change.before - timedelta(hours=8)).weekday()
        for window in (nights(change.zone), Window(frozenset({eve}), time(23, 30), time(2, 30), change.zone)):
            is_open_then = open_minutes(window, wall)
            assert list(occurrences(window, begin, end)) == stretches(is_open_then, begin), (window, change)
            for number in range(0, len(wall), 131):
                start = (next_open(window, begin + number * MINUTE) - begin) // MINUTE
                outside += start < len(wall) and not is_open_then[start]
                outside += is_open(window, begin + number * MINUTE) and not is_open_then[number]
                assert True not in is_open_then[number:start], (window, change)

    assert outside == 0


@pytest.mark.parametrize(("zone", "year", "month"), ODD_CHANGES)
def test_windows_agree_with_the_wall_around_odd_clock_changes(zone: str, year: int, month: int) -> None:
    first = date(year, month, 1)
    changes = list(changes_of(zone, first, first + timedelta(days=35)))

    assert changes
    for change in changes:
        compare_with_the_wall(change, days=2.0, step=397)


@pytest.mark.slow
def test_windows_agree_with_the_wall_around_the_clock_changes_of_every_zone_for_years() -> None:
    for year in (1995, 2011, 2040):
        first, last = date(year, 1, 1), date(year + 1, 1, 1)
        for change in distinct(found for zone in zones() for found in changes_of(zone, first, last)):
            compare_with_the_wall(change, days=3.0, step=61)


# --- what holds for every window --------------------------------------------------------------------------------------

TIMES = st.integers(0, 1439).map(lambda minute: time(minute // 60, minute % 60))
WINDOWS = st.builds(
    lambda days, times, zone: Window(days, times[0], times[1], zone),
    st.one_of(st.none(), st.frozensets(st.integers(0, 6), min_size=1)),
    st.one_of(st.just((None, None)), st.tuples(TIMES, TIMES).filter(lambda pair: pair[0] != pair[1])),
    st.sampled_from(zones()),
)
INSTANTS = st.datetimes(datetime(1971, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(WINDOWS, INSTANTS)
@settings(max_examples=300, deadline=None)
def test_a_window_is_open_from_its_next_opening_until_it_closes(window: Window, instant: datetime) -> None:
    opens = next_open(window, instant)

    assert is_open(window, opens)
    assert opens >= instant
    assert (opens == instant) is is_open(window, instant)
    assert opens == instant or not is_open(window, opens - timedelta(microseconds=1))
    closes = closes_at(window, opens)
    if closes is None:
        assert window.is_always_open
    else:
        assert closes > opens
        assert not is_open(window, closes)
        assert is_open(window, closes - timedelta(microseconds=1))


# --- examples ---------------------------------------------------------------------------------------------------------


def test_a_window_takes_its_start_and_leaves_its_end_out() -> None:
    window = window_from("sunday", start="02:00", end="04:00", timezone="UTC")

    assert not is_open(window, at("2026-11-22T01:59:59.999999"))
    assert is_open(window, at("2026-11-22T02:00"))
    assert is_open(window, at("2026-11-22T03:59:59.999999"))
    assert not is_open(window, at("2026-11-22T04:00"))
    assert not is_open(window, at("2026-11-23T03:00"))


def test_a_shut_window_opens_next_week_and_an_open_one_now() -> None:
    window = window_from("Sunday", start="02:00", end="04:00", timezone="UTC")

    assert next_open(window, at("2026-11-22T04:00")) == at("2026-11-29T02:00")
    assert next_open(window, at("2026-11-22T03:30")) == at("2026-11-22T03:30")
    assert closes_at(window, at("2026-11-22T03:30")) == at("2026-11-22T04:00")


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens() -> None:
    window = nights("UTC", day="saturday")  # the 21st of November 2026 is a Saturday

    assert not is_open(window, at("2026-11-21T01:00"))
    assert is_open(window, at("2026-11-21T22:00"))
    assert is_open(window, at("2026-11-22T01:59"))
    assert not is_open(window, at("2026-11-22T22:30"))
    assert closes_at(window, at("2026-11-21T23:00")) == at("2026-11-22T02:00")


def test_a_weekday_is_the_one_on_the_customers_wall() -> None:
    window = window_from("monday", start=None, end=None, timezone="Pacific/Auckland")

    assert is_open(window, at("2026-11-22T11:00"))  # Monday 00:00 in Auckland
    assert closes_at(window, at("2026-11-22T11:00")) == at("2026-11-23T11:00")
    assert not is_open(window, at("2026-11-22T10:59"))


def test_a_window_that_the_wall_skips_in_spring_does_not_open_that_day() -> None:
    window = nights("Europe/Berlin", start="02:00", end="03:00")

    assert next_open(window, local("2026-03-29T00:00", "Europe/Berlin")) == local("2026-03-30T02:00", "Europe/Berlin")


def test_a_weekly_window_that_the_wall_skips_waits_for_the_week_after() -> None:
    window = nights("Europe/Berlin", day="sunday", start="02:15", end="02:45")

    assert next_open(window, local("2026-03-28T00:00", "Europe/Berlin")) == local("2026-04-05T02:15", "Europe/Berlin")


def test_what_is_left_of_a_window_after_the_gap_opens_at_once() -> None:
    window = nights("Europe/Berlin", start="02:30", end="04:00")

    assert next_open(window, at("2026-03-29T00:30")) == at("2026-03-29T01:00")
    assert closes_at(window, at("2026-03-29T01:00")) == at("2026-03-29T02:00")


def test_a_window_in_the_hour_that_comes_twice_opens_twice() -> None:
    window = nights("Europe/Berlin", start="02:00", end="02:30")

    found = list(occurrences(window, at("2026-10-25T00:00"), at("2026-10-25T12:00")))

    assert found == [
        (at("2026-10-25T00:00"), at("2026-10-25T00:30")),
        (at("2026-10-25T01:00"), at("2026-10-25T01:30")),
    ]


def test_a_window_over_the_fold_lasts_an_hour_longer_and_over_the_gap_an_hour_less() -> None:
    window = nights("America/New_York", start="01:00", end="05:00")

    (fold,) = occurrences(
        window, local("2026-11-01T00:00", "America/New_York"), local("2026-11-01T12:00", "America/New_York")
    )
    (gap,) = occurrences(
        window, local("2026-03-08T00:00", "America/New_York"), local("2026-03-08T12:00", "America/New_York")
    )

    assert (fold[1] - fold[0], gap[1] - gap[0]) == (timedelta(hours=5), timedelta(hours=3))


def test_a_date_that_does_not_exist_opens_no_window() -> None:
    window = window_from("friday", start=None, end=None, timezone="Pacific/Apia")  # skipped Friday, 30 December 2011

    assert next_open(window, local("2011-12-29T12:00", "Pacific/Apia")) == local("2012-01-06T00:00", "Pacific/Apia")


def test_a_pause_that_the_gap_swallows_joins_two_days() -> None:
    window = nights("Europe/Berlin", start="03:00", end="02:00")

    assert closes_at(window, local("2026-03-28T12:00", "Europe/Berlin")) == local("2026-03-30T02:00", "Europe/Berlin")


def test_without_limits_a_window_is_always_open() -> None:
    window = window_from("any", start=None, end=None, timezone="customer_preference")

    assert window.timezone == "UTC"
    assert window.is_always_open
    assert closes_at(window, at("2026-11-22T00:00")) is None
    assert usable_for(window, at("2026-11-22T00:00"), timedelta(days=365))


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("00:00", "24:00", "00:00", "23:59:59.999999"),
        ("22:00", "24:00", "22:00", "23:59:59.999999"),
        ("22:00", "00:00", "22:00", "23:59:59.999999"),
        ("9:05", "10:00", "09:05", "09:59:59.999999"),
        (" 09:00 ", " 10:00 ", "09:00", "09:59:59.999999"),
    ],
)
def test_an_end_at_midnight_is_the_end_of_the_day(start: str, end: str, first: str, last: str) -> None:
    window = window_from("sunday", start=start, end=end, timezone="UTC")

    assert is_open(window, at(f"2026-11-22T{first}"))
    assert is_open(window, at(f"2026-11-22T{last}"))
    assert not is_open(window, at(f"2026-11-23T{first}"))
    assert not is_open(window, at("2026-11-23T00:00"))


def test_a_window_is_usable_for_what_fits_before_it_closes() -> None:
    window = window_from("sunday", start="02:00", end="04:00", timezone="UTC")
    instant = at("2026-11-22T03:00")

    assert usable_for(window, instant, timedelta(hours=1))
    assert not usable_for(window, instant, timedelta(hours=1, seconds=1))
    assert not usable_for(window, at("2026-11-22T01:00"), timedelta(0))


def test_instants_of_other_zones_are_the_same_instants() -> None:
    window = window_from("sunday", start="02:00", end="04:00", timezone="UTC")
    instant = at("2026-11-22T03:00")

    opens = next_open(window, instant.astimezone(ZoneInfo("Asia/Tokyo")))

    assert (opens, opens.tzinfo) == (instant, UTC)


def test_occurrences_are_cut_to_what_was_asked_for() -> None:
    window = nights("UTC")

    found = list(occurrences(window, at("2026-11-22T23:00"), at("2026-11-24T00:00")))

    assert found == [
        (at("2026-11-22T23:00"), at("2026-11-23T02:00")),
        (at("2026-11-23T22:00"), at("2026-11-24T00:00")),
    ]
    assert list(occurrences(window, at("2026-11-22T23:00"), at("2026-11-22T23:00"))) == []


def test_asking_when_a_shut_window_closes_is_an_error() -> None:
    with pytest.raises(ValueError, match="shut"):
        closes_at(nights("UTC"), at("2026-11-22T12:00"))


def test_a_naive_instant_is_refused() -> None:
    naive = datetime(2026, 11, 22)  # noqa: DTZ001

    for ask in (is_open, next_open, closes_at):
        with pytest.raises(ValueError, match="time zone"):
            ask(nights("UTC"), naive)


@pytest.mark.parametrize(
    ("day", "start", "end", "timezone"),
    [
        ("someday", "02:00", "04:00", "UTC"),
        ("", "02:00", "04:00", "UTC"),
        ("sunday", "02:00", None, "UTC"),
        ("sunday", None, "04:00", "UTC"),
        ("sunday", "02:00", "02:00", "UTC"),
        ("sunday", "25:00", "04:00", "UTC"),
        ("sunday", "24:00", "04:00", "UTC"),
        ("sunday", "02:60", "04:00", "UTC"),
        ("sunday", "2am", "04:00", "UTC"),
        ("sunday", "02:00", "04:00", "Mars/Olympus"),
        ("sunday", "02:00", "04:00", ""),
        ("sunday", "02:00", "04:00", "../etc/passwd"),
        ("sunday", "02:00", "04:00", "Europe"),
    ],
)
def test_a_window_that_means_nothing_is_refused(day: str, start: str | None, end: str | None, timezone: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        window_from(day, start=start, end=end, timezone=timezone)


@pytest.mark.parametrize("days", [frozenset[int](), frozenset({7}), frozenset({-1, 3})])
def test_a_window_of_no_weekday_is_refused(days: frozenset[int]) -> None:
    with pytest.raises(ValueError, match="weekday"):
        Window(days, None, None, "UTC")
