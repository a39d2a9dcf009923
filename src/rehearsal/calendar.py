"""Whether an instant lies in a made-up customer's window, reckoned anew from the wall clock of its zone."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from rehearsal.fleet import Window

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def in_window(window: Window, at: datetime) -> bool:
    """Whether the customer's wall clock shows a time of the window; an hour over midnight belongs to the day before."""
    local = at.astimezone(ZoneInfo(window.zone))
    start, end = time.fromisoformat(window.start), time.fromisoformat(window.end)
    wall = local.time()
    if start < end:
        return start <= wall < end and _is_day(window, local)
    if wall >= start:
        return _is_day(window, local)
    return wall < end and _is_day(window, local - timedelta(days=1))


def _is_day(window: Window, local: datetime) -> bool:
    return window.day == "any" or _DAYS[local.weekday()] == window.day
