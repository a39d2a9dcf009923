"""Which entries a release has, how sure they are, and what becomes of one that changes or goes away."""

from dataclasses import replace
from datetime import timedelta

import pytest

from securewatch.deploy.model import GateRules, WindowSpec
from securewatch.rollout.calendar import Entry, EntryStatus, KeptEntry, bring_up_to_date, entries_of
from securewatch.rollout.model import MemberState
from securewatch.rollout.roster import with_joined
from tests.unit.rollout.given_calendar import NOW, SLOTS, member, part, phase, release_plan, slot

ALL = ("v1.1.0",)
LATER = NOW + timedelta(days=1)


def statuses(*members: object, approved: tuple[str, ...] = ()) -> dict[str, str]:
    """How sure the entries are, by customer."""
    found = entries_of(release_plan(), members, SLOTS, approved=approved)  # type: ignore[arg-type]
    return {one.slug: str(one.status) for one in found}


def entry(slug: str = "acme", **changes: object) -> Entry:
    """One customer's entry."""
    found = {one.slug: one for one in entries_of(release_plan(), (), SLOTS, approved=())}
    return replace(found[slug], **changes)  # type: ignore[arg-type]


def test_each_customer_has_an_entry_with_a_name_for_ever_earliest_first() -> None:
    found = entries_of(release_plan(), (), SLOTS, approved=())

    assert [one.uid for one in found] == [
        "v1.1.0-medhealth@securewatch-render",
        "v1.1.0-acme@securewatch-render",
        "v1.1.0-bank@securewatch-render",
    ]
    assert (found[1].start, found[1].end) == SLOTS["acme"]


def test_an_entry_is_tentative_until_its_approval_is_given_or_where_none_is_needed() -> None:
    assert statuses() == {"acme": "confirmed", "medhealth": "tentative", "bank": "tentative"}
    assert statuses(approved=("bank",)) == {"acme": "confirmed", "medhealth": "tentative", "bank": "confirmed"}


@pytest.mark.parametrize("state", [one for one in MemberState if one not in (MemberState.PENDING, MemberState.SKIPPED)])
def test_what_has_begun_is_confirmed(state: MemberState) -> None:
    assert statuses(member("bank", state, phase="enterprise"))["bank"] == "confirmed"


def test_customers_who_are_skipped_left_out_or_without_a_slot_have_no_entry() -> None:
    plan = release_plan(phase("standard", part("acme"), part("zeta"), part("late", left_out="it is held")))
    slots = {"acme": slot(3), "late": slot(3)}

    assert [one.slug for one in entries_of(plan, (), slots, approved=())] == ["acme"]
    assert entries_of(plan, (member("acme", MemberState.SKIPPED),), slots, approved=()) == ()


def test_a_customer_who_joined_after_the_plan_has_an_entry() -> None:
    joined = member("zeta", joined=part("zeta", batch=2))

    found = entries_of(with_joined(release_plan(), (joined,)), (joined,), {"zeta": slot(4)}, approved=())

    assert [one.slug for one in found] == ["zeta"]
    assert "phase standard, batch 2" in found[0].description


def test_the_text_says_the_window_and_the_turn_on_the_customers_wall_clock_over_a_clock_change() -> None:
    assert entry("medhealth").description.splitlines() == [
        "v1.1.0 (9c1e2ab) comes to medhealth: phase enterprise, batch 1.",
        "Expected Sunday 2026-11-01 01:00 EDT to 02:00 EST.",
        "Maintenance window: sunday, 02:00 to 06:00, America/New_York.",
        "The approval is not given yet.",
    ]


def test_a_turn_over_midnight_names_both_days() -> None:
    night = WindowSpec("any", None, None, "Asia/Tokyo")
    plan = release_plan(phase("standard", part("acme", gates=GateRules(window=night))))
    (found,) = entries_of(plan, (), {"acme": slot(3, 14, hours=2)}, approved=())

    assert "Tuesday 2026-11-03 23:00 JST to Wednesday 2026-11-04 01:00 JST" in found.description
    assert "any, at any time, Asia/Tokyo" in found.description


def test_a_window_that_cannot_be_read_is_told_in_utc() -> None:
    gates = GateRules(window=WindowSpec("sunday", "02:00", "06:00", "Mars/Olympus"))
    (found,) = entries_of(release_plan(phase("standard", part("acme", gates=gates))), (), SLOTS, approved=())

    assert "06:00 UTC" in found.description


def test_a_new_entry_begins_at_sequence_0() -> None:
    assert bring_up_to_date((), (entry(),), versions=ALL, now=NOW) == (KeptEntry(entry(), 0, NOW),)


def test_an_entry_that_stays_the_same_is_left_as_it_is() -> None:
    assert bring_up_to_date((KeptEntry(entry(), 3, NOW),), (entry(),), versions=ALL, now=LATER) == ()


@pytest.mark.parametrize(
    "change", [{"start": slot(4)[0]}, {"status": EntryStatus.TENTATIVE}, {"description": "other words"}]
)
def test_a_change_raises_the_sequence(change: dict[str, object]) -> None:
    changed = entry(**change)

    found = bring_up_to_date((KeptEntry(entry(), 3, NOW),), (changed,), versions=ALL, now=LATER)

    assert found == (KeptEntry(changed, 4, LATER),)


def test_an_entry_that_is_gone_is_cancelled_once_and_can_come_back() -> None:
    gone = entry(status=EntryStatus.CANCELLED)

    (cancelled,) = bring_up_to_date((KeptEntry(entry(), 0, NOW),), (), versions=ALL, now=LATER)
    again = bring_up_to_date((cancelled,), (), versions=ALL, now=LATER)
    (back,) = bring_up_to_date((cancelled,), (entry(),), versions=ALL, now=LATER)

    assert cancelled == KeptEntry(gone, 1, LATER)
    assert again == ()
    assert back == KeptEntry(entry(), 2, LATER)


def test_entries_of_other_versions_are_left_alone() -> None:
    assert bring_up_to_date((KeptEntry(entry(), 0, NOW),), (), versions=("v1.2.0",), now=LATER) == ()
