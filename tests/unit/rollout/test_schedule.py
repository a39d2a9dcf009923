"""A plan on the calendar: batches after batches, lanes, notices, approvals, and what does not fit."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

from securewatch.deploy.model import DeployRules, FreezeSpec, GateRules
from securewatch.rollout.freezes import FreezeKind, StandingFreeze
from securewatch.rollout.model import MemberPlan, MemberState, PhasePlan, ReleasePlan
from securewatch.rollout.schedule import Known, Schedule, Slot, expected_starts, make_schedule, notices_of
from securewatch.rollout.usual import usual_duration
from tests.unit.rollout.release import DAY_ZERO, HOUR, PLAN, SUNDAY_NIGHT, approved, day, members, part, phase

USUAL = timedelta(seconds=usual_duration(DeployRules()))


def schedule(*phases: PhasePlan, now: float = 0, **known: Any) -> Schedule:
    plan = replace(PLAN, phases=phases) if phases else PLAN
    return make_schedule(plan, DAY_ZERO, now=day(now), known=Known(**known))


def slots(found: Schedule) -> dict[str, Slot]:
    return {one.slug: one for one in found.slots}


def several(count: int, **changes: Any) -> list[MemberPlan]:
    return [approved(f"e{number:02}", batch=number + 1, **changes) for number in range(count)]


def enterprise(count: int, *, lanes: int = 1) -> PhasePlan:
    return phase("enterprise", 22, 51, *several(count), lanes=lanes)


# --- batches ----------------------------------------------------------------------------------------------------------


def test_each_phase_begins_on_its_day() -> None:
    found = schedule()

    assert [(one.name, one.starts) for one in found.phases[:3]] == [
        ("demo", day(0)),
        ("startup", day(1)),
        ("standard", day(8)),
    ]
    assert found.conflicts == ()
    assert found.ends == max(one.end for one in found.slots)


def test_a_batch_follows_the_end_and_the_delay_of_the_one_before() -> None:
    found = slots(schedule())

    assert found["alfa"] == Slot("alfa", "startup", 1, day(1), day(1) + USUAL)
    assert found["bravo"].start == day(1)
    assert found["coco"].start == day(1) + USUAL + 2 * HOUR


def test_a_batch_waits_for_its_slowest_customer() -> None:
    late = part("late", 1, gates=GateRules(window=SUNDAY_NIGHT))
    found = slots(schedule(phase("standard", 0, 20, part("a", 1), late, part("b", 2), batch_delay_seconds=3600.0)))

    assert found["late"].start.strftime("%A %H:%M") == "Sunday 02:00"
    assert found["b"].start == found["late"].end + HOUR


def test_a_great_batch_begins_as_fast_as_renders_limits_let_it() -> None:
    plan = replace(PLAN, env_keys=(("backend", ("A",)), ("frontend", ("B",))))  # two writes each, of 30 a minute
    many = replace(plan, phases=(phase("startup", 0, 6, *(part(f"c{n:02}") for n in range(40))),))

    found = make_schedule(many, DAY_ZERO, now=DAY_ZERO)

    minutes = [(one.start - DAY_ZERO) // timedelta(minutes=1) for one in found.slots]
    assert [minutes.count(number) for number in range(3)] == [15, 15, 10]


def test_a_phase_waits_for_the_one_before_it() -> None:
    late = part("late", gates=GateRules(window=SUNDAY_NIGHT))  # in the night to day 6
    found = slots(schedule(phase("startup", 0, 6, late), phase("standard", 3, 20, part("next"))))

    assert found["next"].start == found["late"].end


def test_who_is_left_out_or_has_the_version_needs_no_slot() -> None:
    gone = phase("standard", 0, 1, part("a"), part("out", 0, left_out="a downgrade"), part("there", 2))

    found = schedule(gone, there=("there",))

    assert set(slots(found)) == {"a"}
    assert found.calls.deploys == 2


def test_nothing_is_expected_before_now() -> None:
    assert slots(schedule(phase("standard", 0, 6, part("a")), now=2))["a"].start == day(2)


def test_the_testing_period_runs_from_the_expected_demo_deploy_or_the_known_one() -> None:
    tested = phase("startup", 1, 7, part("a", testing_seconds=2 * 86400.0))
    demo = phase("demo", 0, 0, part("demo", policy="demo"))

    assert slots(schedule(demo, tested))["a"].start == day(2) + USUAL
    assert slots(schedule(demo, tested, tested_at=day(-3)))["a"].start == day(1)
    assert schedule(tested).conflicts[0].slugs == ("a",)


# --- lanes ------------------------------------------------------------------------------------------------------------


def test_individual_customers_go_one_by_one_inside_their_windows() -> None:
    found = schedule(enterprise(9))

    starts = [one.start for one in found.slots]
    assert all(later - earlier >= USUAL for earlier, later in pairwise(starts))
    assert {one.start.weekday() for one in found.slots} == {6}
    assert all(one.start.hour >= 2 and one.end - HOUR * 4 <= one.start.replace(hour=2, minute=0) for one in found.slots)


def test_lanes_go_side_by_side() -> None:
    found = schedule(enterprise(4, lanes=2))

    assert [(one.lane, one.start) for one in found.slots[:2]] == [(1, found.slots[0].start), (2, found.slots[0].start)]


def test_whoever_has_to_be_done_first_goes_first() -> None:
    january = FreezeSpec("holidays", day(30), day(60))
    pressed = part("zz", batch=9, gates=GateRules(window=SUNDAY_NIGHT, freezes=(january,)))

    found = schedule(phase("enterprise", 22, 51, *several(8), pressed, lanes=1))

    assert found.conflicts == ()
    assert slots(found)["zz"].start == min(one.start for one in found.slots)


def test_too_few_lanes_are_a_conflict_that_says_how_many_would_do() -> None:
    per_window = int(timedelta(hours=4) / USUAL)
    sundays, count = 4, 40

    (found,) = schedule(enterprise(count)).conflicts

    assert found.lanes_needed == -(-count // (sundays * per_window))
    assert len(found.slugs) == count - sundays * per_window
    assert schedule(enterprise(count, lanes=found.lanes_needed)).conflicts == ()
    assert schedule(enterprise(count, lanes=found.lanes_needed - 1)).conflicts != ()


def test_batches_that_are_too_many_for_their_phase_are_a_conflict() -> None:
    members = (part(f"c{n}", n) for n in range(1, 5))

    (found,) = schedule(phase("startup", 1, 1, *members, batch_delay_seconds=43200.0)).conflicts

    assert found.slugs == ("c3", "c4")


def test_a_customer_without_a_slot_of_its_own_does_not_stop_the_others() -> None:
    never = part("never", 1, earliest_seconds=90 * 86400.0)

    found = schedule(phase("startup", 1, 7, part("a", 1), never, part("b", 2)))

    assert set(slots(found)) == {"a", "b"}
    assert [one.slugs for one in found.conflicts] == [("never",)]


# --- notices and approvals --------------------------------------------------------------------------------------------


def test_notices_are_due_so_many_days_ahead_of_the_slot() -> None:
    slot = Slot("a", "standard", 1, day(8), day(8) + USUAL)

    found = [(one.days_ahead, one.at, one.is_late) for one in notices_of(slot, (7, 3, 0), day(0))]

    assert found == [(7, day(1), False), (3, day(5), False), (0, day(8), False)]


def test_of_the_late_notices_only_the_first_is_sent_at_once() -> None:
    slot = Slot("a", "standard", 1, day(8), day(8) + USUAL)

    found = [(one.days_ahead, one.at, one.is_late) for one in notices_of(slot, (14, 7, 3, 0), day(2))]

    assert found == [(14, day(2), True), (3, day(5), False), (0, day(8), False)]


def test_a_late_notice_leaves_the_plan_feasible_where_no_approval_is_manual() -> None:
    found = schedule(phase("standard", 1, 7, part("a", notice_days=(7, 3, 0))))

    assert found.conflicts == ()
    assert [one.days_ahead for one in found.notices if one.is_late] == [7]


def test_approvals_are_needed_until_the_slot() -> None:
    found = schedule()

    assert [(one.slug, one.count, one.until) for one in found.approvals] == [
        (slug, 1, slots(found)[slug].start) for slug in ("medhealth", "zulu")
    ]


def test_the_same_plan_has_the_same_schedule() -> None:
    plan: ReleasePlan = PLAN

    assert make_schedule(plan, DAY_ZERO, now=DAY_ZERO) == make_schedule(plan, DAY_ZERO, now=DAY_ZERO)


# --- a rollout under way ----------------------------------------------------------------------------------------------


def test_customers_that_wait_are_expected_by_their_batches_as_things_stand_now() -> None:
    rows = members(demo=MemberState.DONE, alfa=MemberState.VERIFIED, bravo=MemberState.VERIFIED)

    found = expected_starts(PLAN, rows.values(), DAY_ZERO, now=day(2))

    assert found.keys().isdisjoint({"demo", "alfa", "bravo"})
    assert (found["coco"], found["s0"]) == (day(2), day(8))
    assert found["s2"] == day(8) + USUAL


def test_who_has_had_its_turn_takes_no_lane_from_those_who_wait() -> None:
    rows = members(medhealth=MemberState.DONE)
    night = day(27) - 7 * HOUR

    assert expected_starts(PLAN, members().values(), DAY_ZERO, now=DAY_ZERO)["zulu"] == night + USUAL
    assert expected_starts(PLAN, rows.values(), DAY_ZERO, now=DAY_ZERO)["zulu"] == night


# --- what people froze ------------------------------------------------------------------------------------------------


def standing(kind: FreezeKind, name: str, until: float, **whom: tuple[str, ...]) -> StandingFreeze:
    return StandingFreeze(kind, name, DAY_ZERO, day(until), "ann", DAY_ZERO, **whom)


def test_freezes_and_pins_that_people_set_count_for_whom_they_concern() -> None:
    freezes = (
        standing(FreezeKind.FREEZE, "christmas", 3, policies=("standard",)),
        standing(FreezeKind.PIN, "coco", 5, customers=("coco",)),
    )

    found = slots(schedule(freezes=freezes))

    starts = [found[slug].start for slug in ("demo", "alfa", "bravo", "coco")]
    assert starts == [DAY_ZERO, day(3), day(3), day(5)]


def test_a_pin_over_all_of_the_phase_is_a_conflict_that_names_it() -> None:
    found = schedule(freezes=(standing(FreezeKind.PIN, "coco", 9, customers=("coco",)),)).conflicts

    assert [one.slugs for one in found] == [("coco",)]
    assert '"pin of coco"' in found[0].text
