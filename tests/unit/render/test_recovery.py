"""How far back Render can recover a database, and why not."""

from datetime import UTC, datetime, timedelta

import pytest

from securewatch.render.models import RecoveryStatus, RecoveryWindow
from securewatch.render.recovery import reach_of, recovery_words

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
END = NOW - timedelta(minutes=10)
BEGIN = NOW - timedelta(days=7)


def window(starts_at: datetime | None, status: RecoveryStatus = RecoveryStatus.AVAILABLE) -> RecoveryWindow:
    return RecoveryWindow(status=status, starts_at=starts_at)


def test_a_recovery_reaches_from_renders_first_instant_to_ten_minutes_ago() -> None:
    reach = reach_of(window(BEGIN), NOW)

    assert (reach.is_possible, reach.starts_at, reach.ends_at, reach.why) == (True, BEGIN, END, "")
    assert recovery_words(reach) == "from 2026-11-19 20:00 UTC to 2026-11-26 19:50 UTC, 10 minutes ago"


def test_both_ends_of_the_reach_belong_to_it() -> None:
    reach = reach_of(window(BEGIN), NOW)

    asked = (BEGIN - timedelta(seconds=1), BEGIN, END, END + timedelta(seconds=1))
    assert [reach.holds(at) for at in asked] == [False, True, True, False]


def test_the_instants_are_shown_as_the_reader_wants_them() -> None:
    assert recovery_words(reach_of(window(BEGIN), NOW), lambda at: f"day {at.day}").startswith("from day 19 to day 26")


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (window(None, RecoveryStatus.BACKUP_NOT_READY), "not ready yet"),
        (window(None, RecoveryStatus.NOT_AVAILABLE), "free plan"),
        (window(BEGIN, RecoveryStatus.UNKNOWN), "nothing that this version knows"),
        (window(None), "does not say from when on"),
        (window(END + timedelta(seconds=1)), "less than 10 minutes old"),
    ],
)
def test_where_there_is_no_recovery_it_says_why(found: RecoveryWindow, why: str) -> None:
    reach = reach_of(found, NOW)

    assert (reach.is_possible, reach.starts_at, reach.ends_at, reach.holds(END)) == (False, None, None, False)
    assert why in reach.why
    assert recovery_words(reach) == f"none: {reach.why}"


def test_every_status_but_the_open_one_has_a_reason() -> None:
    reasons = [reach_of(window(None, one), NOW).why for one in RecoveryStatus]

    assert all(reasons)
    assert len(set(reasons)) == len(reasons)
