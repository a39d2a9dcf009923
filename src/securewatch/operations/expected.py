"""When a version is expected at each customer, as notices need it: worked out from the files. Starts nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from securewatch.config.fleet import Customer, Fleet, Phase
from securewatch.deploy.model import DeployRules, Endpoints, GateRules, WindowSpec
from securewatch.deps import Deps
from securewatch.rollout.gates import window_of
from securewatch.rollout.model import (
    NOTICE_DAYS,
    Budget,
    Member,
    MemberPlan,
    MemberState,
    PhasePlan,
    ReleasePlan,
)
from securewatch.rollout.windows import next_open

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Expected:
    """A release, its customers, and when each is expected; None for who is not."""

    plan: ReleasePlan
    members: tuple[Member, ...]
    slots: Mapping[str, datetime | None]


async def expect_from_files(deps: Deps, version: str) -> Expected:
    """The release as if its rollout began now. Raises NotFound (SW203) for a tag that the repository does not have."""
    tag, fleet, now = await deps.repository.resolve(version), deps.fleet, deps.clock.now()
    phases = tuple(_phase(fleet, phase) for phase in fleet.phases.values())
    plan = ReleasePlan(tag.name, tag.commit, "phases", phases, Endpoints())
    members = tuple(
        Member("", one.slug, phase.name, one.batch, MemberState.PENDING, now)
        for phase in phases
        for one in phase.members
    )
    slots = {one.slug: _slot(phase.begins(now), one) for phase in phases for one in phase.members}
    return Expected(plan, members, slots)


def _phase(fleet: Fleet, phase: Phase) -> PhasePlan:
    days = fleet.calendar[phase.name]
    members = tuple(_member(fleet, one) for one in fleet.customers_of(phase.short_name))
    return PhasePlan(
        name=phase.short_name,
        first_day=days.first_day,
        last_day=days.last_day,
        batch_size=str(phase.batch_size),
        batch_delay_seconds=0.0,
        lanes=0,
        needs_window=phase.needs_window,
        needs_approval=phase.needs_approval,
        budget=Budget(),
        rules=DeployRules(),
        members=members,
    )


def _member(fleet: Fleet, customer: Customer) -> MemberPlan:
    advance = fleet.policy_of(customer).notification_advance
    days = (advance // _DAY, *(one for one in NOTICE_DAYS if one < advance // _DAY)) if advance else ()
    window = customer.window
    spec = WindowSpec(window.day, window.start_text, window.end_text, window.timezone)
    return MemberPlan(
        slug=customer.slug,
        name=customer.name,
        policy=customer.policy,
        batch=1,
        services=(),
        gates=GateRules(window=spec if fleet.gates_of(customer).needs_window else None),
        notice_days=days,
        left_out="; ".join(customer.held),
    )


def _slot(begins: datetime, member: MemberPlan) -> datetime:
    return begins if member.gates.window is None else next_open(window_of(member.gates.window), begins)
