"""The slow, obvious reference for maintenance windows: look at the customer's wall clock at every single minute."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from securewatch.rollout.windows import Window

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Change:
    """A change of a zone's offset: the first whole minute with the new one."""

    zone: str
    at: datetime
    before: timedelta
    after: timedelta

    @property
    def earlier_wall(self) -> datetime:
        """The lower end of what the wall skips or shows twice."""
        return self.at + min(self.before, self.after)

    @property
    def size(self) -> timedelta:
        """How much the wall skips or shows twice."""
        return abs(self.after - self.before)


def zones() -> list[str]:
    """Every zone of the IANA database."""
    return sorted(available_timezones() - {"localtime"})


def changes_of(zone: str, first: date, last: date) -> Iterator[Change]:
    """The changes of a zone between two dates, looked for at every noon and then minute by minute."""
    info = ZoneInfo(zone)
    noon = datetime.combine(first, time(12), UTC)
    while noon.date() < last:
        before, after = _offset(info, noon), _offset(info, noon + DAY)
        if before != after:
            at = next(at for at in minutes(noon, noon + DAY + MINUTE) if _offset(info, at) != before)
            yield Change(zone, at, before, after)
        noon += DAY


def minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    """Every minute of [start, end)."""
    while start < end:
        yield start
        start += MINUTE


def wall_clock(zone: str, start: datetime, end: datetime) -> list[datetime]:
    """What the wall shows at every minute of [start, end)."""
    info = ZoneInfo(zone)
    return [at.astimezone(info) for at in minutes(start, end)]


def open_minutes(window: Window, wall: Iterable[datetime]) -> list[bool]:
    """For every reading of the wall, whether the window is open."""
    return [_is_open(window, shown) for shown in wall]


def stretches(is_open: list[bool], start: datetime) -> list[tuple[datetime, datetime]]:
    """The stretches of open minutes, as (first instant, first instant after)."""
    found: list[tuple[datetime, datetime]] = []
    for number, opened in enumerate(is_open):
        at = start + number * MINUTE
        if not opened:
            continue
        if found and found[-1][1] == at:
            found[-1] = (found[-1][0], at + MINUTE)
        else:
            found.append((at, at + MINUTE))
    return found


def _is_open(window: Window, shown: datetime) -> bool:
    minute = shown.hour * 60 + shown.minute
    weekday = shown.weekday()
    today = window.days is None or weekday in window.days
    yesterday = window.days is None or (weekday - 1) % 7 in window.days
    if window.start is None or window.end is None:
        return today
    begins = window.start.hour * 60 + window.start.minute
    ends = window.end.hour * 60 + window.end.minute
    if begins < ends:
        return today and begins <= minute < ends
    return (today and minute >= begins) or (yesterday and minute < ends)


def _offset(info: ZoneInfo, at: datetime) -> timedelta:
    found = at.astimezone(info).utcoffset()
    assert found is not None
    return found
