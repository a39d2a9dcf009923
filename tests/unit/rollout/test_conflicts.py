"""Why a customer has no slot: the fewest facts, in words; and customers who do not all fit."""

from dataclasses import replace
from datetime import timedelta

import pytest

from securewatch.deploy.model import FreezeSpec, GateRules, WindowSpec
from securewatch.rollout.conflicts import crowded, customer_conflicts
from securewatch.rollout.model import MemberPlan
from securewatch.rollout.slots import Frame
from tests.unit.rollout.release import DAY_ZERO, HOUR, day, part, phase

NEW_YORK = WindowSpec("sunday", "02:00", "06:00", "America/New_York")
MONTH = phase("enterprise", 22, 51)
FRAME = Frame(MONTH, DAY_ZERO, now=DAY_ZERO, opens=DAY_ZERO, duration=timedelta(minutes=31), tested_at=day(0.1))


def text_of(member: MemberPlan, frame: Frame = FRAME) -> str:
    (found,) = customer_conflicts(frame, [member])
    assert found.slugs == (member.slug,)
    return found.text


def test_a_window_and_a_notice_that_leave_no_slot_are_named_together() -> None:
    late = replace(FRAME, now=day(36))
    member = part("medhealth", gates=GateRules(window=NEW_YORK), notice_days=(14, 7, 3, 0), needs_notice=True)

    assert text_of(member, late) == (
        "medhealth: Sunday 02:00-06:00 America/New_York and 14 days' notice leave no slot before the end of day 51"
    )


def test_what_is_not_needed_for_the_conflict_is_not_named() -> None:
    freezes = (FreezeSpec("one day", day(30), day(31)), FreezeSpec("year end", day(20), day(60)))
    member = part("a", gates=GateRules(window=NEW_YORK, freezes=freezes), notice_days=(1,), needs_notice=True)

    assert text_of(member) == 'a: the freeze "year end" leaves no slot before the end of day 51'


def test_three_facts_that_only_together_leave_no_slot() -> None:
    freezes = (FreezeSpec("first", day(22), day(30)), FreezeSpec("second", day(30), day(40)))
    window = WindowSpec("sunday", "02:00", "06:00", "UTC")  # the nights to days 26, 33, 40 and 47
    member = part("a", gates=GateRules(window=window, freezes=freezes), notice_days=(1,), needs_notice=True)

    assert text_of(member, replace(FRAME, opens=day(48))) == (
        "a: Sunday 02:00-06:00 UTC and the phase before, which ends on day 48, leave no slot before the end of day 51"
    )
    freezes = (*freezes, FreezeSpec("third", day(40), day(52)))
    assert text_of(replace(member, gates=GateRules(freezes=freezes))) == (
        'a: the freeze "first", the freeze "second" and the freeze "third" leave no slot before the end of day 51'
    )


def test_a_window_that_is_always_too_short_says_so() -> None:
    short = part("medhealth", gates=GateRules(window=replace(NEW_YORK, end="02:20")))

    assert text_of(short) == (
        "medhealth: Sunday 02:00-02:20 America/New_York is never open for as long as a deploy usually takes (31 min)"
    )


def test_a_window_that_does_not_open_in_a_short_phase_leaves_no_slot() -> None:
    days = replace(FRAME, phase=phase("startup", 1, 2))

    assert text_of(part("a", gates=GateRules(window=NEW_YORK)), days) == (
        "a: Sunday 02:00-06:00 America/New_York leaves no slot before the end of day 2"
    )


@pytest.mark.parametrize(
    ("changes", "frame", "expected"),
    [
        ({"notice_days": (60, 0), "needs_notice": True}, {}, "60 days' notice leaves"),
        ({"notice_days": (1, 0), "needs_notice": True}, {"now": day(51.5)}, "1 day's notice leaves"),
        ({"testing_seconds": 60 * 86400.0}, {}, "60 days of testing leaves"),
        (
            {"testing_seconds": 36 * 3600.0},
            {"tested_at": None},
            "36 h of testing, and no demo customer that gets the version, leaves",
        ),
        ({"earliest_seconds": 60 * 86400.0}, {}, "a rollout_delay of 60 days leaves"),
        ({}, {"opens": day(55)}, "the phase before, which ends on day 55, leaves"),
        ({}, {"now": day(60)}, "a start on day 60, which it is now, leaves"),
    ],
)
def test_each_fact_has_its_words(changes: dict[str, object], frame: dict[str, object], expected: str) -> None:
    found = text_of(part("a", **changes), replace(FRAME, **frame))  # type: ignore[arg-type]  # names are the test's

    assert found == f"a: {expected} no slot before the end of day 51"


def test_customers_with_the_same_facts_are_told_together() -> None:
    short = GateRules(window=replace(NEW_YORK, end="02:20"))
    members = [part(f"c{number}", gates=short) for number in range(7)]

    (found,) = customer_conflicts(FRAME, members)

    assert found.slugs == tuple(f"c{number}" for number in range(7))
    assert found.text.startswith("c0, c1, c2, c3, c4 and 2 more: Sunday 02:00-02:20")


def test_too_few_lanes_say_how_many_would_do() -> None:
    full = replace(FRAME, phase=replace(MONTH, members=tuple(part(f"c{n}", n) for n in range(1, 6)), lanes=1))

    found = crowded(full, ["c4", "c5"], lanes_needed=2)

    assert found.lanes_needed == 2
    assert found.text == (
        "enterprise: one lane leaves 2 of 5 customers (c4, c5) no slot before the end of day 51; 2 lanes would do"
    )


def test_batches_that_do_not_fit_into_their_phase_are_told() -> None:
    members = tuple(part(f"c{n}", n) for n in range(1, 5))
    full = replace(FRAME, phase=phase("startup", 1, 1, *members, batch_delay_seconds=12 * HOUR.total_seconds()))

    found = crowded(full, ["c3", "c4"], lanes_needed=0)

    assert found.text == (
        "startup: 4 batches, 12 h apart, leave 2 of 4 customers (c3, c4) no slot before the end of day 1"
    )
