"""What the tests of rollouts begin with: a release of four phases that bob asked for, and a pass over it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from securewatch.deploy.model import DeployRules, Endpoints, GateRules, Run, ServiceKind, Stage, WindowSpec
from securewatch.rollout.conduct import decide_rollout
from securewatch.rollout.gates import Grant
from securewatch.rollout.model import (
    Budget,
    Member,
    MemberPlan,
    MemberState,
    PhasePlan,
    ReleasePlan,
    Rollout,
    RolloutState,
)
from securewatch.rollout.view import RolloutDecision, RolloutView
from tests.unit.rollout.given import run

DAY_ZERO = datetime(2026, 11, 2, 9, tzinfo=UTC)  # a Monday
SUNDAY_NIGHT = WindowSpec("sunday", "02:00", "06:00", "UTC")
HASH, ROLLOUT = "9a7e", "v1.1.0-r1"
HOUR = timedelta(hours=1)


def day(number: float) -> datetime:
    """An instant on a day of the calendar."""
    return DAY_ZERO + timedelta(days=number)


def part(slug: str, batch: int = 1, **changes: Any) -> MemberPlan:
    """One customer's part of the plan."""
    services = ((ServiceKind.BACKEND, f"srv-{slug}-b"), (ServiceKind.FRONTEND, f"srv-{slug}-f"))
    return replace(MemberPlan(slug, slug.title(), "standard", batch, services, GateRules()), **changes)


def phase(name: str, first: int, last: int, *members: MemberPlan, **changes: Any) -> PhasePlan:
    """One phase: whole batches, no failures allowed, no delay unless said."""
    made = PhasePlan(
        name=name,
        first_day=first,
        last_day=last,
        batch_size="all at once",
        batch_delay_seconds=0.0,
        lanes=0,
        needs_window=False,
        needs_approval=False,
        budget=Budget(),
        rules=DeployRules(),
        members=members,
    )
    return replace(made, **changes)


def approved(slug: str, **changes: Any) -> MemberPlan:
    """An enterprise customer: approval and a window on Sunday night."""
    return part(slug, policy="enterprise", gates=GateRules(window=SUNDAY_NIGHT, needs_approval=True), **changes)


PLAN = ReleasePlan(
    version="v1.1.0",
    commit="9c1e2ab",
    calendar="phases",
    phases=(
        phase("demo", 0, 0, part("demo", policy="demo")),
        phase("startup", 1, 7, part("alfa", 1), part("bravo", 1), part("coco", 2), batch_delay_seconds=7200.0),
        phase("standard", 8, 21, *(part(f"s{n}", 1 + n // 2) for n in range(4)), budget=Budget(share=0.5)),
        phase("enterprise", 22, 51, approved("medhealth"), approved("zulu"), lanes=1, needs_approval=True),
    ),
    endpoints=Endpoints(),
    hash=HASH,
)
EVERYBODY = tuple(one.slug for each in PLAN.phases for one in each.members)


def rollout(**changes: Any) -> Rollout:
    """A rollout of that plan."""
    made = Rollout(
        id=ROLLOUT,
        plan_hash=HASH,
        version="v1.1.0",
        commit="9c1e2ab",
        generation=1,
        state=RolloutState.RUNNING,
        since=DAY_ZERO,
        day_zero=DAY_ZERO,
        requested_by="bob",
        requested_at=DAY_ZERO,
    )
    return replace(made, **changes)


def members(plan: ReleasePlan = PLAN, **states: Member | MemberState) -> dict[str, Member]:
    """Every customer of the plan, waiting; the keywords set states (verified an hour after day 0) or whole rows."""
    found = {}
    for each in plan.phases:
        for one in each.members:
            made = Member(ROLLOUT, one.slug, each.name, one.batch, MemberState.PENDING, DAY_ZERO)
            given = states.get(one.slug)
            found[one.slug] = given if isinstance(given, Member) else _in_state(made, given)
    return found


def _in_state(made: Member, state: MemberState | None, at: datetime = DAY_ZERO + HOUR) -> Member:
    if state in (None, MemberState.PENDING, MemberState.SKIPPED):
        return replace(made, state=state or MemberState.PENDING)
    verified = at if state in (MemberState.VERIFIED, MemberState.DONE) else None
    return replace(made, state=state, since=at, run_id=f"{made.slug}-1", started_at=DAY_ZERO, verified_at=verified)


def verified(slug: str, at: datetime, plan: ReleasePlan = PLAN) -> Member:
    """A customer that is verified since an instant."""
    return _in_state(members(plan)[slug], MemberState.VERIFIED, at)


def run_of(slug: str, stage: Stage, **changes: Any) -> Run:
    """The run that the rollout began for a customer."""
    return run(id=f"{slug}-1", slug=slug, stage=stage, rollout_id=ROLLOUT, release_hash=HASH, **changes)


def grant(slug: str, actor: str = "alice", **changes: Any) -> Grant:
    """An approval that counts for the whole release."""
    return replace(Grant(HASH, slug, actor, DAY_ZERO, day(60), granted=True), **changes)


def decided(
    now: datetime,
    rows: Mapping[str, Member] | None = None,
    *,
    plan: ReleasePlan = PLAN,
    runs: Sequence[Run] = (),
    of: Rollout | None = None,
    **view: Any,
) -> RolloutDecision:
    """The decision about the rollout."""
    by_id = {one.id: one for one in runs}
    return decide_rollout(RolloutView(of or rollout(), plan, rows or members(plan), runs=by_id, **view), now)


def started(decision: RolloutDecision) -> list[str]:
    """Who starts now."""
    return [one.slug for one in decision.starts]
