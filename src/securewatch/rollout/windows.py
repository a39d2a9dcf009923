"""Maintenance windows: when one is open, opens next and closes. Pure arithmetic on instants; not the gate that asks it.

One definition rules everything: a window contains exactly those instants at which the clock on the customer's wall
shows a time in [start, end) on an opening day, or, where the window crosses midnight, a time before `end` on the day
after one. So a wall time that a clock change skips is never waited for (what is left of the window opens at the first
instant that exists), and one that comes twice is in the window twice. All sums are made in UTC, within stretches of
constant offset.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ANY_DAY = "any"
CUSTOMER_PREFERENCE = "customer_preference"
"""The time zone of a customer that has not named one: UTC (reference: config format, maintenance_window)."""

_DAY = timedelta(days=1)
_HORIZON = timedelta(days=35)
"""Every window opens and closes within this time, even where a clock change or a skipped date swallows one opening."""
_STRIDE = timedelta(days=1)
"""Clock changes are looked for in steps of this; those of one zone have been six days or more apart since 1970."""
_WALL_TIME = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True)
class Window:
    """When a customer may be touched: `days` as weekdays (Monday is 0; None: any), wall times None for any time.

    A window with `end` before `start` crosses midnight and belongs to the day on which it opens. Raises ValueError when
    no day is left, one time is missing or both are equal, or the time zone is unknown.
    """

    days: frozenset[int] | None
    start: time | None
    end: time | None
    timezone: str

    def __post_init__(self) -> None:
        if self.days is not None and not (self.days and self.days <= frozenset(range(7))):
            raise ValueError("a window needs one weekday or more, each from 0 to 6")
        if (self.start is None) != (self.end is None):
            raise ValueError("a window has both a start and an end, or neither")
        if self.start is not None and self.start == self.end:
            raise ValueError("a window's start and end are the same; leave both out for the whole day")
        zone_of(self.timezone)

    @property
    def is_always_open(self) -> bool:
        """Whether the window has no limit at all."""
        return self.start is None and (self.days is None or len(self.days) == len(DAY_NAMES))


def window_from(day: str, *, start: str | None, end: str | None, timezone: str) -> Window:
    """The window that a customer's file describes.

    `day` is a weekday's English name or `any`; `start` and `end` are wall times as HH:MM, both None for any time, and
    an end of 24:00 is the midnight that ends the day; `timezone` is an IANA name or `customer_preference` (UTC).
    Raises ValueError when one of them is none of these.
    """
    name = day.strip().lower()
    if name != ANY_DAY and name not in DAY_NAMES:
        raise ValueError(f"{day!r} is no weekday and not {ANY_DAY!r}")
    days = None if name == ANY_DAY else frozenset({DAY_NAMES.index(name)})
    zone = "UTC" if timezone == CUSTOMER_PREFERENCE else timezone
    opens = None if start is None else _wall_time(start)
    ends_with_day = end == "24:00"
    closes = time(0) if ends_with_day else None if end is None else _wall_time(end)
    if ends_with_day and opens == time(0):
        opens = closes = None
    return Window(days, opens, closes, zone)


def is_open(window: Window, instant: datetime) -> bool:
    """Whether the window is open at the instant (aware). Raises ValueError for a naive one."""
    wall = to_utc(instant).astimezone(zone_of(window.timezone))
    today, yesterday = _opens_on(window, wall.date()), _opens_on(window, wall.date() - _DAY)
    clock = wall.time()
    if window.start is None or window.end is None:
        return today
    if window.start < window.end:
        return today and window.start <= clock < window.end
    return (today and clock >= window.start) or (yesterday and clock < window.end)


def next_open(window: Window, instant: datetime) -> datetime:
    """The instant itself when the window is open then, else the next one at which it opens; in UTC."""
    begin = to_utc(instant)
    return next(max(opens, begin) for opens, closes in _openings_from(window, begin) if closes > begin)


def closes_at(window: Window, instant: datetime) -> datetime | None:
    """When the window that is open at the instant closes, in UTC; None when it never does.

    Raises ValueError when the window is shut then: ask `is_open` first.
    """
    begin = to_utc(instant)
    if not is_open(window, begin):
        raise ValueError(f"the window is shut at {begin.isoformat()}")
    if window.is_always_open:
        return None
    return next(closes for opens, closes in _openings_from(window, begin) if closes > begin)


def usable_for(window: Window, instant: datetime, duration: timedelta) -> bool:
    """Whether the window is open at the instant and stays so for the duration."""
    if not is_open(window, instant):
        return False
    closes = closes_at(window, instant)
    return closes is None or closes - to_utc(instant) >= duration


def occurrences(window: Window, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of [start, end) in which the window is open, as (opens, closes) in UTC, earliest first.

    Each is as long as it can be and clipped to [start, end); two never touch. Raises ValueError for naive instants.
    """
    pending: tuple[datetime, datetime] | None = None
    for opens, closes in _pieces(window, to_utc(start), to_utc(end)):
        if pending is not None and pending[1] == opens:
            pending = (pending[0], closes)
            continue
        if pending is not None:
            yield pending
        pending = (opens, closes)
    if pending is not None:
        yield pending


def _openings_from(window: Window, begin: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """The stretches in which the window is open on the day (UTC) of an instant, and the first one after it."""
    return _openings(window, begin.replace(hour=0, minute=0, second=0, microsecond=0))


@lru_cache(maxsize=4096)
def _openings(window: Window, day: datetime) -> tuple[tuple[datetime, datetime], ...]:
    found = []
    for stretch in occurrences(window, day, day + _DAY + _HORIZON):
        found.append(stretch)
        if stretch[0] >= day + _DAY:
            break
    return tuple(found)


def _pieces(window: Window, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Open stretches, cut at midnights and clock changes."""
    for begin, stop, offset in _constant_offsets(zone_of(window.timezone), start, end):
        day = (begin + offset).date() - _DAY
        last = (stop + offset).date()
        while day <= last:
            if _opens_on(window, day):
                opens, closes = _wall_stretch(window, day)
                piece = max(opens - offset, begin), min(closes - offset, stop)
                if piece[0] < piece[1]:
                    yield piece
            day += _DAY


def _constant_offsets(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """[start, end) cut where the zone's offset changes: (from, to, offset)."""
    begin, offset = start, _offset(zone, start)
    probe = start
    while probe < end:
        ahead = min(probe + _STRIDE, end)
        if _offset(zone, ahead) != offset:
            change = first_change(zone, probe, ahead)
            if change >= end:
                break
            yield begin, change, offset
            begin, offset, ahead = change, _offset(zone, change), change
        probe = ahead
    if begin < end:
        yield begin, end, offset


def first_change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The whole second in (before, after] at which the offset is no longer the one at `before`; offsets differ."""
    offset = _offset(zone, before)
    floor = before.replace(microsecond=0)
    low, high = 0, (after - floor) // timedelta(seconds=1)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, max(floor + timedelta(seconds=middle), before)) == offset:
            low = middle
        else:
            high = middle
    return floor + timedelta(seconds=high)


def _wall_stretch(window: Window, day: date) -> tuple[datetime, datetime]:
    """The opening of one day on the wall, carried as if the wall were UTC: only an offset turns it into instants."""
    if window.start is None or window.end is None:
        return datetime.combine(day, time(0), UTC), datetime.combine(day + _DAY, time(0), UTC)
    last_day = day if window.start < window.end else day + _DAY
    return datetime.combine(day, window.start, UTC), datetime.combine(last_day, window.end, UTC)


def _opens_on(window: Window, day: date) -> bool:
    return window.days is None or day.weekday() in window.days


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta(0)


def to_utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return instant.astimezone(UTC)


@lru_cache(maxsize=1024)
def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone of the IANA database") from error


def _wall_time(text: str) -> time:
    found = _WALL_TIME.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no wall time as HH:MM")
    return time(int(found[1]), int(found[2]))
