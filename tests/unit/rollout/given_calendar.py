"""A release plan for three customers and their slots, for the tests of the calendar."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from securewatch.deploy.model import DeployRules, Endpoints, GateRules, ServiceKind, WindowSpec
from securewatch.rollout.calendar import Slot
from securewatch.rollout.model import Budget, Member, MemberPlan, MemberState, PhasePlan, ReleasePlan

NOW = datetime(2026, 10, 1, 9, 30, 0, 123456, tzinfo=UTC)
NIGHT = WindowSpec("sunday", "02:00", "06:00", "America/New_York")


def part(slug: str, *, batch: int = 1, **changes: Any) -> MemberPlan:
    """A customer's part of the plan; no window and no approval."""
    made = MemberPlan(slug, slug.title(), "standard", batch, ((ServiceKind.BACKEND, f"srv-{slug}"),), GateRules())
    return replace(made, **changes)


def phase(name: str, *members: MemberPlan, needs_approval: bool = False) -> PhasePlan:
    """One phase with these customers."""
    return PhasePlan(
        name=name,
        first_day=8,
        last_day=21,
        batch_size="25%",
        batch_delay_seconds=0.0,
        lanes=0,
        needs_window=needs_approval,
        needs_approval=needs_approval,
        budget=Budget(),
        rules=DeployRules(),
        members=members,
    )


def release_plan(*phases: PhasePlan) -> ReleasePlan:
    """The plan of v1.1.0: acme in the standard phase, medhealth and bank in the enterprise one."""
    given = phases or (
        phase("standard", part("acme")),
        phase(
            "enterprise",
            part("medhealth", gates=GateRules(window=NIGHT, needs_approval=True)),
            part("bank", batch=2, gates=GateRules(needs_approval=True)),
            needs_approval=True,
        ),
    )
    return ReleasePlan("v1.1.0", "9c1e2ab" + "0" * 33, "phase_calendar", given, Endpoints())


def member(slug: str, state: MemberState = MemberState.PENDING, **changes: Any) -> Member:
    """A customer's row in the rollout."""
    return replace(Member("v1.1.0-1", slug, "standard", 1, state, NOW), **changes)


def slot(day: int, hour: int = 6, *, hours: int = 1) -> Slot:
    """A turn in November 2026, just around the end of summer time in New York on the first."""
    return datetime(2026, 11, day, hour, tzinfo=UTC), datetime(2026, 11, day, hour + hours, tzinfo=UTC)


SLOTS = {"acme": slot(3), "medhealth": slot(1, 5, hours=2), "bank": slot(9)}
