"""Freezes, pins and holds: compared with a look at the wall every minute, and what they keep from starting."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from securewatch.deploy.view import Gate
from securewatch.rollout.freezes import (
    HORIZON,
    FreezeCheck,
    FreezeKind,
    StandingFreeze,
    end_at,
    occurrences,
    parse_every,
)
from tests.unit.rollout.wall import MINUTE, Change, changes_of, minutes, stretches

NOW = datetime(2026, 12, 4, 12, tzinfo=UTC)  # a Friday
DAY = timedelta(days=1)
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour
    "America/Havana",  # at midnight
    "Africa/Casablanca",
    "Antarctica/Troll",  # two hours
    "America/St_Johns",
)
CHANGES = [change for zone in ZONES for change in changes_of(zone, date(2026, 1, 1), date(2027, 1, 1))]
Occurs = Callable[[date, date], bool]
RULES: tuple[tuple[str, Occurs], ...] = (
    ("FREQ=DAILY", lambda day, first: True),
    ("FREQ=DAILY;INTERVAL=2", lambda day, first: (day - first).days % 2 == 0),
    ("FREQ=WEEKLY", lambda day, first: day.weekday() == first.weekday()),
    ("FREQ=WEEKLY;BYDAY=FR,SU", lambda day, first: day.weekday() in (4, 6)),
    ("FREQ=MONTHLY;BYMONTHDAY=29", lambda day, first: day.day == 29),
    ("FREQ=DAILY;COUNT=9", lambda day, first: (day - first).days < 9),
)


def freeze(**changes: Any) -> StandingFreeze:
    """A freeze over the turn of the year for everyone."""
    made = StandingFreeze(
        FreezeKind.FREEZE, "christmas", NOW + DAY * 16, NOW + DAY * 31, actor="robin", at=NOW - timedelta(days=1)
    )
    return replace(made, **changes)


def pin(slug: str = "acme-corp", **changes: Any) -> StandingFreeze:
    return freeze(**{"kind": FreezeKind.PIN, "name": slug, "customers": (slug,), "start": NOW - DAY} | changes)


def hold(slug: str = "acme-corp", **changes: Any) -> StandingFreeze:
    return pin(slug, **{"kind": FreezeKind.HOLD, "end": None} | changes)


def weekends(zone: str = "UTC", **changes: Any) -> StandingFreeze:
    """From Friday 18:00 to Monday 08:00 on the wall, from 4 December 2026 on."""
    place = ZoneInfo(zone)
    start, end = datetime(2026, 12, 4, 18, tzinfo=place), datetime(2026, 12, 7, 8, tzinfo=place)
    return freeze(
        **{"name": "weekends", "start": start, "end": end, "every": "FREQ=WEEKLY", "timezone": zone} | changes
    )


def gates(*freezes: StandingFreeze, slug: str = "acme-corp", at: datetime = NOW, forced: bool = False) -> list[Gate]:
    return list(FreezeCheck(freezes, at).gates_of(slug, "enterprise", forced=forced))


# --- minute by minute -------------------------------------------------------------------------------------------------


def by_the_wall(one: StandingFreeze, occurs: Occurs, begin: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The slow reference: each occurrence lasts from the first to the last minute in which the wall shows its time."""
    zone, wall = ZoneInfo(one.timezone), wall_of(one.timezone, begin, end)
    assert one.end is not None
    first, last = (at.astimezone(zone).replace(tzinfo=None) for at in (one.start, one.end))
    holds = [False] * len(wall)
    for number in range((wall[-1].date() - first.date()).days + 1):
        day = first.date() + number * DAY
        starts = datetime.combine(day, first.time())
        if not occurs(day, first.date()) or starts + (last - first) < wall[0]:
            continue
        shown = [index for index, reading in enumerate(wall) if starts <= reading < starts + (last - first)]
        for index in range(shown[0], shown[-1] + 1) if shown else ():
            holds[index] = begin + index * MINUTE >= one.start
    return stretches(holds, begin)


@cache
def wall_of(zone: str, begin: datetime, end: datetime) -> list[datetime]:
    """What the wall shows at every minute, without a zone."""
    return [at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for at in minutes(begin, end)]


@st.composite
def around_a_change(draw: st.DrawFn) -> tuple[StandingFreeze, Occurs, Change]:
    """A freeze that recurs on the days of a clock change, near the hour of it."""
    change = draw(st.sampled_from(CHANGES))
    rule, occurs = draw(st.sampled_from(RULES))
    near = change.earlier_wall + draw(st.integers(-150, 150)) * MINUTE - draw(st.integers(2, 9)) * DAY
    length = draw(st.sampled_from((1, 15, 60, 61, 90, 600, 1439, 1440, 1500, 2900))) * MINUTE
    zone = ZoneInfo(change.zone)
    start, end = ((at.replace(tzinfo=None)).replace(tzinfo=zone).astimezone(UTC) for at in (near, near + length))
    return freeze(start=start, end=end, every=rule, timezone=change.zone), occurs, change


@given(around_a_change())
@settings(max_examples=200, deadline=None)
def test_a_freeze_that_recurs_agrees_with_the_wall_around_clock_changes(
    made: tuple[StandingFreeze, Occurs, Change],
) -> None:
    one, occurs, change = made
    begin, end = change.at - 2 * DAY, change.at + 2 * DAY

    expected = by_the_wall(one, occurs, begin, end)

    assert list(occurrences(one, begin, end)) == expected
    for at in (begin + number * 397 * MINUTE for number in range(10)):
        ends = next((stops for starts, stops in expected if starts <= at < stops), None)
        assert ends == end or end_at(one, at) == ends


def test_the_wall_rules_the_hour_in_winter_and_in_summer() -> None:
    one = weekends("Europe/Berlin")

    found = list(occurrences(one, NOW + 112 * DAY, NOW + 119 * DAY))  # the clock changes on Sunday, 28 March 2027

    assert found == [(datetime(2027, 3, 26, 17, tzinfo=UTC), datetime(2027, 3, 29, 6, tzinfo=UTC))]


def test_a_start_that_the_wall_skips_is_the_instant_of_the_change() -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 3, 1, 2, 30, tzinfo=zone)
    one = freeze(start=start, end=start + timedelta(hours=2), every="FREQ=DAILY", timezone="Europe/Berlin")
    sunday = datetime(2026, 3, 29, tzinfo=UTC)

    assert list(occurrences(one, sunday, sunday + DAY)) == [
        (sunday + timedelta(hours=1), sunday + timedelta(hours=2.5))
    ]


def test_an_end_that_comes_twice_is_the_second_one() -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 1, 1, tzinfo=zone)
    one = freeze(start=start, end=start.replace(hour=2, minute=30), every="FREQ=DAILY", timezone="Europe/Berlin")
    sunday = datetime(2026, 10, 25, tzinfo=UTC)

    assert next(occurrences(one, sunday, sunday + DAY)) == (sunday, sunday + timedelta(hours=1.5))


# --- gates ------------------------------------------------------------------------------------------------------------


def test_a_freeze_shuts_from_its_start_until_its_end() -> None:
    one = freeze()
    assert one.end is not None

    (gate,) = gates(one, at=one.start)

    assert gates(one, at=one.start - timedelta(microseconds=1)) == []
    assert gate == Gate("freeze", False, "the end of the freeze 'christmas'", "SW401", until=one.end)
    assert gates(one, at=one.end) == []


def test_a_pin_shuts_for_its_customer_alone() -> None:
    (gate,) = gates(pin(reason="their audit"))

    assert (gate.name, gate.reason) == ("pin", "the end of the pin that robin set (their audit)")
    assert gate.until == pin().end
    assert gates(pin(), slug="medhealth") == []


def test_a_hold_has_no_end_and_waits_for_a_person() -> None:
    (gate,) = gates(hold())

    assert gate == Gate("hold", False, "the end of the hold that robin set", "SW404", person="an operator")


def test_force_opens_freezes_and_pins_but_no_hold() -> None:
    every = (freeze(start=NOW - DAY), pin(), hold())

    assert [gate.name for gate in gates(*every)] == ["hold", "freeze"]
    assert [gate.name for gate in gates(*every, forced=True)] == ["hold"]


def test_a_freeze_of_policies_and_customers_binds_those_alone() -> None:
    check = FreezeCheck([freeze(start=NOW, policies=("startup",), customers=("acme-corp",))], NOW)

    assert check.gates_of("acme-corp", "enterprise")
    assert check.gates_of("techstart", "startup")
    assert not check.gates_of("medhealth", "enterprise")


def test_until_is_when_nothing_holds_any_more() -> None:
    one = freeze(start=NOW, end=NOW + DAY)
    adjacent = freeze(name="stocktaking", start=NOW + DAY, end=NOW + 3 * DAY)
    apart = freeze(name="later", start=NOW + 4 * DAY, end=NOW + 5 * DAY)

    (gate,) = gates(one, adjacent, apart, pin(end=NOW + 2 * DAY))

    assert gate.reason == "the end of the freeze 'christmas' and the pin that robin set"
    assert gate.until == NOW + 3 * DAY


def test_occurrences_that_touch_are_one() -> None:
    one = freeze(start=NOW, end=NOW + DAY, every="FREQ=DAILY;COUNT=5")

    assert list(occurrences(one, NOW - DAY, NOW + 30 * DAY)) == [(NOW, NOW + 5 * DAY)]
    assert gates(one, at=NOW + DAY)[0].until == NOW + 5 * DAY


def test_a_freeze_without_pause_is_looked_ahead_for_as_far_as_the_horizon() -> None:
    (gate,) = gates(freeze(start=NOW, end=NOW + 2 * DAY, every="FREQ=DAILY"))

    assert gate.until is not None
    assert gate.until - NOW >= HORIZON


def test_a_freeze_that_recurs_opens_in_between() -> None:
    assert gates(weekends(), at=NOW + timedelta(hours=7))[0].until == datetime(2026, 12, 7, 8, tzinfo=UTC)
    assert gates(weekends(), at=NOW + 4 * DAY) == []
    assert gates(weekends(), at=NOW - 7 * DAY + timedelta(hours=7)) == []  # before its start


def test_a_freeze_is_over_when_it_never_holds_again() -> None:
    ended = NOW + 60 * DAY

    assert freeze().is_over(ended)
    assert not weekends().is_over(ended)
    assert weekends(every="FREQ=WEEKLY;COUNT=3").is_over(ended)
    assert not hold().is_over(ended)


@pytest.mark.parametrize("last", ["20261211", "20261211T180000", "20261211T170000Z"])
def test_the_last_occurrence_of_a_rule_is_by_the_wall_too(last: str) -> None:
    one = weekends("Europe/Berlin", every=f"FREQ=WEEKLY;UNTIL={last}")

    assert len(list(occurrences(one, NOW, NOW + 60 * DAY))) == 2


def test_many_customers_are_checked_fast() -> None:
    slugs = [f"customer-{number}" for number in range(5000)]
    freezes = [weekends(), weekends("America/New_York", name="other"), *(pin(slug) for slug in slugs[:1000])]
    begun = perf_counter()

    check = FreezeCheck(freezes, NOW)
    shut = [slug for slug in slugs if check.gates_of(slug, "standard")]

    assert len(shut) == 1000
    assert perf_counter() - begun < 2.0


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("weekly", "FREQ=WEEKLY"),
        (" Daily ", "FREQ=DAILY"),
        ("RRULE:FREQ=WEEKLY;BYDAY=FR", "FREQ=WEEKLY;BYDAY=FR"),
        ("freq=monthly;bymonthday=-1;", "FREQ=MONTHLY;BYMONTHDAY=-1"),
        ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24"),
    ],
)
def test_a_rule_is_a_word_or_one_of_rfc_5545(text: str, rule: str) -> None:
    assert parse_every(text) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fortnightly",
        "FREQ=HOURLY",
        "FREQ=DAILY;BYHOUR=3",
        "FREQ=DAILY;BYDAY=FR",
        "FREQ=WEEKLY;BYDAY=2FR",
        "FREQ=WEEKLY;BYMONTH=12",
        "FREQ=MONTHLY;BYDAY=-60TU",
        "BYDAY=FR",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;INTERVAL=0",
        "FREQ=WEEKLY;INTERVAL=-1",
        "FREQ=WEEKLY;FREQ=DAILY",
        "FREQ=WEEKLY;UNTIL=soon",
        "FREQ=WEEKLY;UNTIL=20261399",
        "DTSTART:20260101T000000\nRRULE:FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY",
        "FREQ=YEARLY;BYMONTH=13",
    ],
)
def test_a_rule_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_every(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"end": NOW},
        {"end": None},
        {"kind": FreezeKind.HOLD},
        {"timezone": "Mars/Olympus"},
        {"start": datetime(2026, 12, 20)},  # noqa: DTZ001 - naive on purpose
        {"every": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"},
        {"every": "FREQ=WEEKLY;UNTIL=20200101"},
        {"every": "nonsense"},
    ],
)
def test_a_freeze_that_means_nothing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        freeze(**changes)
