"""Whether an instant lies in a customer's window, reckoned anew from the wall clock of its zone."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from rehearsal.fleet import Window

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def in_window(window: Window, at: datetime) -> bool:
    """Whether the customer's wall clock shows a time of the window; an hour over midnight belongs to the day before."""
    return wall_is_in(window.day, (window.start, window.end), window.zone, at)


def wall_is_in(day: str, hours: tuple[str, str] | None, zone: str, at: datetime) -> bool:
    """The same for a weekday or `any` and hours as HH:MM, None for the whole day."""
    local = at.astimezone(ZoneInfo(zone))
    if hours is None:
        return _is_day(day, local)
    start, end = (time.fromisoformat(one) for one in hours)
    wall = local.time()
    if start < end:
        return start <= wall < end and _is_day(day, local)
    if wall >= start:
        return _is_day(day, local)
    return wall < end and _is_day(day, local - timedelta(days=1))


def _is_day(day: str, local: datetime) -> bool:
    return day == "any" or _DAYS[local.weekday()] == day
