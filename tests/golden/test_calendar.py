"""The release calendar as a calendar program gets it."""

from securewatch.notify.ics import calendar_bytes
from securewatch.rollout.calendar import KeptEntry, entries_of
from tests.golden.conftest import Golden
from tests.unit.rollout.given_calendar import NOW, SLOTS, release_plan


def test_the_calendar_of_a_release(golden: Golden) -> None:
    entries = entries_of(release_plan(), (), SLOTS, approved=("bank",))

    golden("calendar", calendar_bytes(tuple(KeptEntry(one, 0, NOW) for one in entries), name="Releases").decode())
