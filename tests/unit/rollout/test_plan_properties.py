"""What holds for every fleet: nobody twice or forgotten, batches as promised, no slot where something is shut."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from securewatch.config.extras import Freeze, ReleaseCalendar
from securewatch.config.fleet import Customer, Fleet, MaintenanceWindow
from securewatch.config.load import load_fleet
from securewatch.config.quantity import BatchKind, BatchSize
from securewatch.rollout.gates import freeze_at, window_of
from securewatch.rollout.model import MemberPlan, PhasePlan, ReleasePlan
from securewatch.rollout.plan import ReleaseTarget, hash_of_release, plan_release
from securewatch.rollout.schedule import Known, Schedule, make_schedule
from securewatch.rollout.windows import usable_for
from securewatch.store.codec import dump, load
from securewatch.versions.version import parse_version
from tests.factories import COMMIT

EXAMPLE = load_fleet(Path(__file__).resolve().parents[3] / "config")
LIKE = {one.policy: one for one in EXAMPLE.customers.values()}
DAY_ZERO = datetime(2026, 10, 20, 9, tzinfo=UTC)  # clocks change in Europe and America during the phases
TAGS = tuple(parse_version(tag) for tag in ("v1.0.0", "v1.1.0", "v1.2.0"))
TARGET = ReleaseTarget("v1.1.0", COMMIT, TAGS)
POLICIES = ("demo", "startup", "standard", "enterprise")
SIZES = st.one_of(
    st.sampled_from([BatchSize(BatchKind.ALL), BatchSize(BatchKind.INDIVIDUAL)]),
    st.integers(1, 100).map(lambda share: BatchSize(BatchKind.PERCENT, share)),
)
HOURS = st.sampled_from([("02:00", "06:00"), ("22:00", "04:00"), ("23:30", "00:15"), ("01:30", "02:30"), (None, None)])
ZONES = st.sampled_from(["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati"])
WINDOWS = st.builds(
    lambda day, hours, zone: MaintenanceWindow(day, timezone=zone, start_text=hours[0], end_text=hours[1]),
    st.sampled_from(["any", "sunday", "wednesday"]),
    HOURS,
    ZONES,
)


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """The example with other customers, batches, windows, freezes, lanes and calendar."""
    count = draw(st.integers(0, 14))
    customers = {f"c{place}": _customer(draw, f"c{place}") for place in range(count)}
    phases = {name: replace(one, batch_size=draw(SIZES)) for name, one in EXAMPLE.phases.items()}
    starts = draw(st.lists(st.integers(0, 60 * 24), max_size=3))
    freezes = tuple(_freeze(draw, hours, sorted(customers)) for hours in starts)
    lanes = {policy: draw(st.integers(1, 3)) for policy in POLICIES}
    calendar = draw(st.sampled_from(ReleaseCalendar))
    extra = replace(EXAMPLE.extra, freezes=freezes, lanes=lanes, release_calendar=calendar)
    return replace(EXAMPLE, customers=customers, phases=phases, extra=extra)


def _customer(draw: st.DrawFn, slug: str) -> Customer:
    like = LIKE[draw(st.sampled_from(POLICIES))]
    held = ("SW105: the files disagree",) if draw(st.integers(0, 9)) == 0 else ()
    return replace(like, slug=slug, name=slug, window=draw(WINDOWS), held=held)


def _freeze(draw: st.DrawFn, hours: int, slugs: list[str]) -> Freeze:
    start = DAY_ZERO + timedelta(hours=hours)
    some = tuple(draw(st.lists(st.sampled_from(slugs), unique=True, max_size=3))) if slugs else ()
    return Freeze("f", start, start + timedelta(hours=draw(st.integers(1, 400))), customers=some)


def runs(fleet: Fleet) -> st.SearchStrategy[Mapping[str, str]]:
    versions = st.sampled_from(["v1.0.0", "v1.1.0", "v1.2.0"])
    return st.dictionaries(st.sampled_from(sorted(fleet.customers)), versions) if fleet.customers else st.just({})


def each(plan: ReleasePlan) -> list[tuple[PhasePlan, MemberPlan]]:
    return [(phase, one) for phase in plan.phases for one in phase.members]


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_everybody_is_in_the_plan_once_in_the_phase_of_the_policy(data: Any) -> None:
    fleet = data.draw(fleets())

    found = each(plan_release(fleet, TARGET, data.draw(runs(fleet))))

    assert Counter(one.slug for _, one in found) == Counter(list(fleet.customers))
    assert all(phase.name == one.policy == fleet.customers[one.slug].policy for phase, one in found)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_batches_are_full_but_the_last_and_hold_nobody_who_is_left_out(data: Any) -> None:
    fleet = data.draw(fleets())

    for phase in plan_release(fleet, TARGET, data.draw(runs(fleet))).phases:
        sizes = Counter(one.batch for one in phase.due)
        size = next(one for one in fleet.phases.values() if one.short_name == phase.name).batch_size
        full = size.count_of(len(phase.due))
        assert sorted(sizes) == list(range(1, phase.batch_count + 1))
        assert all(sizes[number] == full for number in range(1, phase.batch_count))
        assert not sizes or 0 < sizes[phase.batch_count] <= full
        assert all(one.batch == 0 for one in phase.members if one.left_out)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_no_slot_lies_outside_a_window_or_in_a_freeze_or_before_its_time(data: Any) -> None:
    fleet = data.draw(fleets())
    plan = plan_release(fleet, TARGET, {})
    now = DAY_ZERO + timedelta(hours=data.draw(st.integers(-400, 400)))

    found = make_schedule(plan, DAY_ZERO, now=now)

    members = {one.slug: (phase, one) for phase, one in each(plan)}
    for slot in found.slots:
        phase, one = members[slot.slug]
        window = one.gates.window
        assert phase.begins(DAY_ZERO) <= slot.start < phase.ends(DAY_ZERO)
        assert slot.start >= max(now, DAY_ZERO + timedelta(seconds=one.earliest_seconds))
        assert window is None or usable_for(window_of(window), slot.start, slot.end - slot.start)
        assert freeze_at(one.gates.freezes, slot.start) is None
        assert not one.needs_notice or slot.start >= now + timedelta(days=one.notice_days[0])
    _nobody_is_forgotten(plan, found)
    _lanes_hold(plan, found)


def _nobody_is_forgotten(plan: ReleasePlan, found: Schedule) -> None:
    """Each customer to whom the version comes has one slot, or is named in one conflict."""
    named = [slug for one in found.conflicts for slug in one.slugs] + [one.slug for one in found.slots]
    assert Counter(named) == Counter(one.slug for phase in plan.phases for one in phase.due)


def _lanes_hold(plan: ReleasePlan, found: Schedule) -> None:
    """Never more side by side than there are lanes, and no batch before the one before it is done."""
    for phase in plan.phases:
        slots = [one for one in found.slots if one.phase == phase.name]
        for slot in slots if phase.lanes else ():
            beside = [one for one in slots if one.start <= slot.start < one.end]
            assert len({one.lane for one in beside}) == len(beside) <= phase.lanes
        for slot in () if phase.lanes else slots:
            before = [one.end for one in slots if one.batch < slot.batch]
            delay = timedelta(seconds=phase.batch_delay_seconds)
            assert not before or slot.start >= max(before) + delay


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_order_of_the_files_changes_nothing(data: Any) -> None:
    fleet = data.draw(fleets())
    current = data.draw(runs(fleet))
    order = data.draw(st.permutations(sorted(fleet.customers)))
    turned = replace(
        fleet,
        customers={slug: fleet.customers[slug] for slug in order},
        phases=dict(reversed(fleet.phases.items())),
        policies=dict(reversed(fleet.policies.items())),
        templates=replace(fleet.templates, backend=dict(reversed(fleet.templates.backend.items()))),
    )

    plan = plan_release(fleet, TARGET, current)

    assert dump(plan_release(turned, TARGET, dict(reversed(current.items())))) == dump(plan)
    assert make_schedule(plan, DAY_ZERO, now=DAY_ZERO, known=Known()) == make_schedule(plan, DAY_ZERO, now=DAY_ZERO)


@settings(max_examples=25, deadline=None)
@given(fleets())
def test_a_plan_that_was_stored_has_its_hash_still(fleet: Fleet) -> None:
    plan = plan_release(fleet, TARGET, {})

    again = load(ReleasePlan, dump(plan), "the plan")

    assert (again, hash_of_release(again)) == (plan, plan.hash)


@settings(max_examples=25, deadline=None)
@given(fleets())
def test_more_lanes_as_said_make_room_for_all(fleet: Fleet) -> None:
    plan = plan_release(fleet, TARGET, {})
    found = make_schedule(plan, DAY_ZERO, now=DAY_ZERO)
    needed = {one.phase: one.lanes_needed for one in found.conflicts if one.lanes_needed}
    phases = tuple(replace(one, lanes=needed.get(one.name, one.lanes)) for one in plan.phases)

    again = make_schedule(replace(plan, phases=phases), DAY_ZERO, now=DAY_ZERO)

    assert not [one for one in again.conflicts if one.phase in needed and one.lanes_needed]
