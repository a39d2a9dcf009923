"""Writes calendar entries as an RFC 5545 file, the only user of icalendar. The same entries give the same bytes."""

from collections.abc import Sequence

from icalendar import Calendar, Event, vText

from securewatch.rollout.calendar import KeptEntry

PRODUCT = "-//SecureWatch Render//release calendar//EN"


def calendar_bytes(kept: Sequence[KeptEntry], *, name: str) -> bytes:
    """The calendar of that name as a program that subscribes to it reads it; times are in UTC."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", _text(name))
    for one in sorted(kept, key=lambda one: (one.entry.start, one.entry.uid)):
        calendar.add_component(_event(one))
    return bytes(calendar.to_ical())


def _event(kept: KeptEntry) -> Event:
    entry, event = kept.entry, Event()
    event.add("uid", entry.uid)
    event.add("sequence", kept.sequence)
    event.add("dtstamp", kept.stamped_at.replace(microsecond=0))
    event.add("last-modified", kept.stamped_at.replace(microsecond=0))
    event.add("dtstart", entry.start.replace(microsecond=0))
    event.add("dtend", entry.end.replace(microsecond=0))
    event.add("summary", _text(entry.summary))
    event.add("description", _text(entry.description))
    event.add("status", entry.status.upper())
    return event


def _text(text: str) -> vText:
    """Text as the format can hold it: of what cannot be printed only line ends stay."""
    return vText("".join(mark for mark in text if mark.isprintable() or mark == "\n"))
