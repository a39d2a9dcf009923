"""When a rollout's customers are expected to have the version: between which instants. Pure; an estimate, no rule.

The early end counts with what deploys usually take, the late one with each deploy's whole time-out. Both suppose that
the rollout goes on now, that approvals come in time and that nothing fails.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from securewatch.deploy.view import WaitingOn
from securewatch.rollout.model import Member, MemberPlan, MemberState, ReleasePlan
from securewatch.rollout.schedule import Known, make_schedule
from securewatch.rollout.usual import usual_duration
from securewatch.rollout.view import RolloutView, day_of

LATE_DAYS = 60
"""So many days after its own a phase is looked at for a slot; beyond them nobody can say."""


@dataclass(frozen=True)
class Eta:
    """When something is expected to be verified, at the earliest and at the latest; None where nobody can say."""

    earliest: datetime | None = None
    latest: datetime | None = None


@dataclass(frozen=True)
class CustomerEta(Eta):
    """A customer who waits or is under way; `starts` is when its deploy is expected to begin, or began."""

    slug: str = ""
    phase: str = ""
    starts: datetime | None = None


@dataclass(frozen=True)
class ReleaseEta(Eta):
    """A rollout's end, and that of each phase and customer that is not through; who was not asked for is not in it."""

    phases: Mapping[str, Eta] | None = None
    customers: tuple[CustomerEta, ...] = ()


def expect_end(
    view: RolloutView, waiting: Mapping[str, WaitingOn | None], now: datetime, *, build_seconds: float
) -> ReleaseEta:
    """When the customers of a rollout are expected to be verified; `waiting` is what the decision says of each."""
    longest = max((phase.rules.deploy_timeout_seconds for phase in view.plan.phases), default=build_seconds)
    early = _ends(view, waiting, now, build_seconds=build_seconds)
    late = _ends(view, waiting, now, build_seconds=max(longest, build_seconds))
    rows = []
    for slug, member in view.members.items():
        if member.asked and not member.state.is_over and slug in view.plans:
            starts, earliest = early.get(slug, (None, None))
            latest = late.get(slug, (None, None))[1] if earliest is not None else None
            rows.append(CustomerEta(earliest, latest, slug, member.phase, starts))
    order = {slug: place for place, slug in enumerate(view.plans)}
    rows.sort(key=lambda one: order[one.slug])
    names = dict.fromkeys(one.phase for one in rows)
    phases = {name: _last(one for one in rows if one.phase == name) for name in names}
    whole = _last(rows)
    return ReleaseEta(whole.earliest, whole.latest, phases, tuple(rows))


def _last(rows: Iterable[Eta]) -> Eta:
    """The range of the last one's end; None where somebody's is not known."""
    found = [(one.earliest, one.latest) for one in rows]
    earliest, latest = [one for one, _ in found if one is not None], [one for _, one in found if one is not None]
    return Eta(
        max(earliest) if earliest and len(earliest) == len(found) else None,
        max(latest) if latest and len(latest) == len(found) else None,
    )


def _ends(
    view: RolloutView, waiting: Mapping[str, WaitingOn | None], now: datetime, *, build_seconds: float
) -> Mapping[str, tuple[datetime | None, datetime | None]]:
    """Start and end of everybody who is under way or has a slot."""
    waits = [one.slug for one in view.members.values() if one.state is MemberState.PENDING and one.asked]
    running = [one for one in view.members.values() if one.state is MemberState.RUNNING]
    under_way = {one.slug: _running(view, one, now, build_seconds) for one in running}
    demos = (end for slug, (_, end) in under_way.items() if view.plans[slug][1].policy == "demo")
    tested_at = view.demo_verified_at or min(demos, default=None)
    known = Known(build_seconds, view.plans.keys() - set(waits), tested_at, view.freezes)
    schedule = make_schedule(_open_ended(view, waiting, now), view.rollout.day_zero, now=now, known=known)
    return {one.slug: (one.start, one.end) for one in schedule.slots} | under_way


def _running(view: RolloutView, member: Member, now: datetime, build_seconds: float) -> tuple[datetime, datetime]:
    rules, began = view.plans[member.slug][0].rules, member.started_at or member.since
    return began, max(now, began + timedelta(seconds=usual_duration(rules, build_seconds)))


def _open_ended(view: RolloutView, waiting: Mapping[str, WaitingOn | None], now: datetime) -> ReleasePlan:
    """The plan with what each customer surely waits for. Phases last longer: who is late may still start."""
    day_zero, today = view.rollout.day_zero, day_of(view.rollout.day_zero, now)

    def bound(one: MemberPlan) -> MemberPlan:
        found = waiting.get(one.slug)
        if found is None or found.until is None:
            return one
        return replace(one, earliest_seconds=max(one.earliest_seconds, (found.until - day_zero).total_seconds()))

    phases = (
        replace(
            phase,
            last_day=max(phase.last_day, today) + LATE_DAYS,
            members=tuple(bound(one) for one in phase.members),
        )
        for phase in view.plan.phases
    )
    return replace(view.plan, phases=tuple(phases))
