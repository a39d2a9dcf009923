"""The calendar as a program reads it back: properties, times, hostile texts."""

from dataclasses import replace

from icalendar import Calendar

from securewatch.notify.ics import calendar_bytes
from securewatch.rollout.calendar import EntryStatus, KeptEntry, entries_of
from tests.unit.rollout.given_calendar import NOW, SLOTS, release_plan

KEPT = tuple(KeptEntry(one, 2, NOW) for one in entries_of(release_plan(), (), SLOTS, approved=()))


def test_every_entry_can_be_read_back() -> None:
    calendar = Calendar.from_ical(calendar_bytes(KEPT, name="Releases"))
    events = calendar.walk("VEVENT")

    assert (calendar["version"], calendar["method"], calendar["x-wr-calname"]) == ("2.0", "PUBLISH", "Releases")
    assert [str(one["uid"]) for one in events] == [one.entry.uid for one in KEPT]
    for event, kept in zip(events, KEPT, strict=True):
        assert (event["sequence"], str(event["status"])) == (2, kept.entry.status.upper())
        assert (event.decoded("dtstart"), event.decoded("dtend")) == (kept.entry.start, kept.entry.end)
        assert event["dtstart"].to_ical().endswith(b"Z")
        assert event.decoded("dtstamp") == NOW.replace(microsecond=0)
        assert str(event["description"]) == kept.entry.description


def test_lines_end_and_fold_as_the_format_asks_for() -> None:
    data = calendar_bytes(KEPT, name="Releases")

    assert data.count(b"\n") == data.count(b"\r\n")
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))


def test_a_cancelled_entry_says_so() -> None:
    gone = replace(KEPT[0], entry=replace(KEPT[0].entry, status=EntryStatus.CANCELLED))

    assert b"STATUS:CANCELLED" in calendar_bytes((gone,), name="Releases")


def test_a_name_cannot_add_a_line_of_its_own() -> None:
    text = "Acme\nEND:VEVENT\nATTENDEE:mailto:x@example.com; a,b\\n ünï"
    hostile = replace(KEPT[0], entry=replace(KEPT[0].entry, summary=f"{text}\r\0\udcff", description=text))

    (event,) = Calendar.from_ical(calendar_bytes((hostile,), name=text)).walk("VEVENT")

    assert "attendee" not in event
    assert str(event["summary"]) == text


def test_the_order_of_the_entries_makes_no_difference() -> None:
    assert calendar_bytes(KEPT, name="Releases") == calendar_bytes(tuple(reversed(KEPT)), name="Releases")
