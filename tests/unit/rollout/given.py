"""What the tests of gates and decisions begin with: a plan for acme-corp and a run that waits in the queue."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from securewatch.deploy.model import (
    CustomerPlan,
    DeployRules,
    Endpoints,
    GateRules,
    Plan,
    Run,
    RunKind,
    Stage,
    WindowSpec,
)
from securewatch.deploy.view import View
from securewatch.rollout.gates import Grant

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday
SUNDAY_NIGHT = WindowSpec("sunday", "02:00", "04:00", "UTC")
TUESDAY_NOON = WindowSpec("tuesday", "11:00", "13:00", "UTC")
HASH = "7f3a"


def customer(slug: str = "acme-corp", **rules: Any) -> CustomerPlan:
    """A customer's part of a plan; the keywords are its gate rules."""
    return CustomerPlan(
        slug=slug,
        name="Acme Corp",
        policy="enterprise",
        phase="enterprise",
        owner_id="tea-1",
        services=(),
        gates=GateRules(**rules),
        rules=DeployRules(),
        endpoints=Endpoints(),
    )


def run(**changes: Any) -> Run:
    """A run of that plan that bob asked for."""
    queued = Run(
        id="run-1",
        plan_hash=HASH,
        slug="acme-corp",
        kind=RunKind.DEPLOY,
        generation=1,
        attempt=1,
        version="v1.1.0",
        commit="9c1e2ab",
        stage=Stage.QUEUED,
        since=NOW,
        requested_by="bob",
        requested_at=NOW,
    )
    return replace(queued, **changes)


def grant(actor: str = "alice", **changes: Any) -> Grant:
    """An approval by alice that counts."""
    given = Grant(HASH, "acme-corp", actor, NOW - timedelta(hours=1), NOW + timedelta(days=1), granted=True)
    return replace(given, **changes)


def view(part: CustomerPlan, one: Run) -> View:
    """What a decision about the run may look at."""
    plan = Plan(1, RunKind.DEPLOY, one.version, one.commit, (part,), one.plan_hash)
    return View(plan, part, one)
