"""A release plan laid on the calendar: when each customer's turn is expected, and what does not fit. Pure.

An estimate: what rules is the plan, its gates, and how the deploys go. Same input, same schedule.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from securewatch.deploy.model import FreezeSpec
from securewatch.rollout.calls import Calls, count_calls, starts_per_minute
from securewatch.rollout.conflicts import Conflict, crowded, customer_conflicts
from securewatch.rollout.freezes import FreezeKind, StandingFreeze, occurrences
from securewatch.rollout.model import Member, MemberPlan, MemberState, PhasePlan, ReleasePlan
from securewatch.rollout.roster import with_joined
from securewatch.rollout.slots import Frame, Lanes, Range, facts_of, first_from, ranges_under
from securewatch.rollout.usual import BUILD_SECONDS, usual_duration

Ranges = Mapping[str, tuple[Range, ...]]
"""The possible starts of each customer, by slug."""
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Slot:
    """When a customer's deploy is expected to start and to be verified; `lane` counts from 1 where there are lanes."""

    slug: str
    phase: str
    batch: int
    start: datetime
    end: datetime
    lane: int = 0


@dataclass(frozen=True)
class NoticeDue:
    """A notice to a customer, so many days ahead of its slot; a late one is sent at once."""

    at: datetime
    days_ahead: int
    slug: str
    is_late: bool = False


@dataclass(frozen=True)
class ApprovalDue:
    """Approvals that a customer's slot needs until it begins."""

    slug: str
    phase: str
    count: int
    approvers: tuple[str, ...]
    until: datetime | None


@dataclass(frozen=True)
class PhaseDates:
    """A phase on the calendar: its days, and when its first and last customer are expected (None: nobody is)."""

    name: str
    begins: datetime
    ends: datetime
    starts: datetime | None
    done: datetime | None


@dataclass(frozen=True)
class Schedule:
    """The expected course of a release from `day_zero` on; with conflicts it cannot be kept."""

    day_zero: datetime
    build_seconds: float
    phases: tuple[PhaseDates, ...]
    slots: tuple[Slot, ...]
    notices: tuple[NoticeDue, ...]
    approvals: tuple[ApprovalDue, ...]
    calls: Calls
    conflicts: tuple[Conflict, ...]

    @property
    def ends(self) -> datetime | None:
        """When the last customer is expected to be verified."""
        return max((one.end for one in self.slots), default=None)


@dataclass(frozen=True)
class Known:
    """What is known beforehand: what a service usually takes from the send to live, who has the version already, when
    the first demo customer had proved it, and the freezes and pins that people set.
    """

    build_seconds: float = BUILD_SECONDS
    there: Collection[str] = ()
    tested_at: datetime | None = None
    freezes: Sequence[StandingFreeze] = ()


NOTHING_KNOWN = Known()


def make_schedule(plan: ReleasePlan, day_zero: datetime, *, now: datetime, known: Known = NOTHING_KNOWN) -> Schedule:
    """Lay the plan on the calendar; who has the version already needs no slot."""
    day_zero, now = day_zero.astimezone(UTC), now.astimezone(UTC)
    plan = _under(known.freezes, _without(plan, known.there), day_zero)
    parts = tuple(_lay(plan, day_zero, now, known))
    slots = [slot for part in parts for slot in part.slots]
    return Schedule(
        day_zero=day_zero,
        build_seconds=known.build_seconds,
        phases=tuple(part.dates for part in parts),
        slots=tuple(slots),
        notices=tuple(_notices(plan, slots, now)),
        approvals=tuple(_approvals(plan, slots)),
        calls=count_calls(plan, known.build_seconds),
        conflicts=tuple(one for part in parts for one in part.conflicts),
    )


def expected_starts(
    plan: ReleasePlan, members: Iterable[Member], day_zero: datetime, *, now: datetime, known: Known = NOTHING_KNOWN
) -> Mapping[str, datetime | None]:
    """When each customer of a rollout that still waits is expected to start, as things stand now."""
    members = tuple(members)
    plan = with_joined(plan, members)
    begun = [one.slug for one in members if one.state is not MemberState.PENDING]
    schedule = make_schedule(plan, day_zero, now=now, known=replace(known, there=begun))
    return {one.slug: one.start for one in schedule.slots}


@dataclass(frozen=True)
class _Part:
    dates: PhaseDates
    slots: Sequence[Slot]
    conflicts: Sequence[Conflict]


def _lay(plan: ReleasePlan, day_zero: datetime, now: datetime, known: Known) -> Iterator[_Part]:
    """Phase after phase: each opens on its day, or when the one before it is done where that is later."""
    opens, tested_at, pace = day_zero, known.tested_at, starts_per_minute(plan)
    for phase in plan.phases:
        duration = timedelta(seconds=usual_duration(phase.rules, known.build_seconds))
        frame = Frame(phase, day_zero, now, opens, duration, tested_at)
        slots, conflicts = _place(frame, pace)
        starts = min((one.start for one in slots), default=None)
        done = max((one.end for one in slots), default=None)
        yield _Part(PhaseDates(phase.name, frame.begins, frame.ends, starts, done), slots, conflicts)
        opens = max(opens, done or opens)
        if phase.name == "demo" and slots and tested_at is None:
            tested_at = min(one.end for one in slots)


def _without(plan: ReleasePlan, slugs: Collection[str]) -> ReleasePlan:
    """The plan as if the customers were in no phase."""
    phases = (
        replace(phase, members=tuple(one for one in phase.members if one.slug not in slugs)) for phase in plan.phases
    )
    return replace(plan, phases=tuple(phases)) if slugs else plan


def _under(freezes: Sequence[StandingFreeze], plan: ReleasePlan, day_zero: datetime) -> ReleasePlan:
    """The plan as if what people froze stood in the files."""
    end = max((phase.ends(day_zero) for phase in plan.phases), default=day_zero)
    held = [(one, tuple(FreezeSpec(_name(one), *when) for when in occurrences(one, day_zero, end))) for one in freezes]

    def bound(one: MemberPlan) -> MemberPlan:
        more = tuple(spec for freeze, specs in held if freeze.concerns(one.slug, one.policy) for spec in specs)
        return replace(one, gates=replace(one.gates, freezes=(*one.gates.freezes, *more))) if more else one

    phases = (replace(phase, members=tuple(map(bound, phase.members))) for phase in plan.phases)
    return replace(plan, phases=tuple(phases)) if held else plan


def _name(freeze: StandingFreeze) -> str:
    return freeze.name if freeze.kind is FreezeKind.FREEZE else f"{freeze.kind} of {freeze.name}"


# --- placing ----------------------------------------------------------------------------------------------------------


def _place(frame: Frame, pace: int) -> tuple[list[Slot], list[Conflict]]:
    """The slots of a phase's customers, and why some have none."""
    ranges = _ranges_of(frame)
    lost = [one for one in frame.phase.due if not ranges[one.slug]]
    due = [one for one in frame.phase.due if ranges[one.slug]]
    lanes = frame.phase.lanes
    placed = _in_lanes(frame, due, ranges, lanes) if lanes else _in_batches(frame, due, ranges, pace)
    conflicts = list(customer_conflicts(frame, lost))
    there = {one.slug for one in placed}
    late = [one.slug for one in due if one.slug not in there]
    if late:
        needed = _lanes_needed(frame, due, ranges) if lanes else 0
        conflicts.append(crowded(frame, late, lanes_needed=needed))
    return placed, conflicts


def _ranges_of(frame: Frame) -> Ranges:
    """Each customer's possible starts; those who are bound alike share them."""
    known: dict[object, tuple[Range, ...]] = {}
    found = {}
    for one in frame.phase.due:
        alike = (one.gates, one.testing_seconds, one.earliest_seconds, one.needs_notice and one.notice_days)
        if alike not in known:
            known[alike] = ranges_under(frame, facts_of(frame, one))
        found[one.slug] = known[alike]
    return found


def _in_batches(frame: Frame, due: Sequence[MemberPlan], ranges: Ranges, pace: int) -> list[Slot]:
    """Batch after batch, each when the one before is verified and its delay has passed."""
    opened, placed = frame.begins, []
    for batch, members in groupby(due, key=lambda one: one.batch):
        slots = []
        for place, one in enumerate(members):
            at = first_from(ranges[one.slug], opened + place // pace * _MINUTE)
            if at is not None:
                slots.append(Slot(one.slug, frame.phase.name, batch, at, at + frame.duration))
        placed += slots
        if slots:
            opened = max(one.end for one in slots) + timedelta(seconds=frame.phase.batch_delay_seconds)
    return placed


def _in_lanes(frame: Frame, due: Sequence[MemberPlan], ranges: Ranges, count: int) -> list[Slot]:
    """One by one in so many lanes: whoever has to be done first chooses first."""
    lanes = Lanes(count, frame.duration + timedelta(seconds=frame.phase.batch_delay_seconds))
    placed = []
    for one in sorted(due, key=lambda one: (ranges[one.slug][-1][1], len(ranges[one.slug]), one.batch)):
        found = lanes.place(ranges[one.slug])
        if found is not None:
            at, lane = found
            placed.append(Slot(one.slug, frame.phase.name, one.batch, at, at + frame.duration, lane))
    return sorted(placed, key=lambda one: (one.start, one.lane))


def _lanes_needed(frame: Frame, due: Sequence[MemberPlan], ranges: Ranges) -> int:
    """The fewest lanes in which everybody finds a slot, who all have one of their own."""

    def fits(count: int) -> bool:
        return len(_in_lanes(frame, due, ranges, count)) == len(due)

    too_few, enough = frame.phase.lanes, frame.phase.lanes * 2
    while not fits(enough):
        too_few, enough = enough, enough * 2
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if fits(middle):
            enough = middle
        else:
            too_few = middle
    return enough


# --- notices and approvals --------------------------------------------------------------------------------------------


def _notices(plan: ReleasePlan, slots: Sequence[Slot], now: datetime) -> Iterator[NoticeDue]:
    """Every notice in the order of its time; of those that are late only the first is sent, at once."""
    days = {one.slug: one.notice_days for phase in plan.phases for one in phase.due}
    found = [notice for slot in slots for notice in notices_of(slot, days[slot.slug], now)]
    return iter(sorted(found, key=lambda one: (one.at, one.slug, -one.days_ahead)))


def notices_of(slot: Slot, days: Sequence[int], now: datetime) -> Iterator[NoticeDue]:
    """The notices of one slot; `days` stand longest first."""
    is_told = False
    for ahead in days:
        at = slot.start - timedelta(days=ahead)
        if at >= now:
            yield NoticeDue(at, ahead, slot.slug)
        elif not is_told:
            yield NoticeDue(now, ahead, slot.slug, is_late=True)
            is_told = True


def _approvals(plan: ReleasePlan, slots: Sequence[Slot]) -> Iterator[ApprovalDue]:
    starts = {one.slug: one.start for one in slots}
    for phase in plan.phases:
        for one in phase.due:
            if one.gates.needs_approval:
                yield _approval(phase, one, starts.get(one.slug))


def _approval(phase: PhasePlan, one: MemberPlan, until: datetime | None) -> ApprovalDue:
    return ApprovalDue(one.slug, phase.name, one.gates.approvals_needed, one.gates.approvers, until)
