"""Reads the rows that a decision looks at. Shared by the controller and `why`: no second opinion."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from securewatch.core.errors import Refused
from securewatch.deploy.model import REOPENS, SAMPLES_LOADED_MAX, Run
from securewatch.deploy.view import View
from securewatch.rollout.decide import FleetView
from securewatch.rollout.gates import Grant
from securewatch.store import approvals, effects, inbox, meta, observations, plans, runs
from securewatch.store.database import Tx

ROLLBACK = "rollback"
"""The verb of a request to take a customer back."""


async def load_requests(tx: Tx) -> Sequence[inbox.Request]:
    """The rollbacks that people asked for and nobody has begun."""
    return [one for one in await inbox.pending(tx) if one.verb == ROLLBACK]


async def load_fleet_view(tx: Tx, found: Collection[Run], requests: Sequence[inbox.Request]) -> FleetView:
    """Everything that a decision about these runs may look at."""
    asked = {str(one.payload["run_id"]): one.payload for one in requests}
    views = [await _load_view(tx, run, asked) for run in found]
    grants = [grant for view in views for grant in await load_grants(tx, view.run)]
    return FleetView(tuple(views), grants, await meta.is_paused(tx))


async def load_grants(tx: Tx, run: Run) -> Sequence[Grant]:
    """The answers that people gave to a run's plan."""
    found = await approvals.approvals_of(tx, run.plan_hash, run.slug)
    return [
        Grant(one.plan_hash, one.slug, one.actor, one.at, one.expires_at, one.granted, one.used_by) for one in found
    ]


async def load_runs(tx: Tx, requests: Sequence[inbox.Request]) -> Sequence[Run]:
    """Every unfinished run, and each finished one that somebody asked to take back or that has an open effect."""
    found = {run.id: run for run in await runs.open_runs(tx)}
    wanted = {str(request.payload["run_id"]) for request in requests}
    wanted |= {effect.run_id for effect in await effects.open_effects(tx)}
    for run_id in sorted(wanted - set(found)):
        run = await runs.load_run(tx, run_id)
        if run is not None:
            found[run.id] = run
    return tuple(found.values())


async def _load_view(tx: Tx, run: Run, asked: Mapping[str, Mapping[str, Any]]) -> View:
    plan = await plans.load_plan(tx, run.plan_hash)
    if plan is None:
        raise Refused(
            "SW702",
            f"the plan {run.plan_hash[:12]} of run {run.id} is missing",
            why="the state database lost rows",
            fix="restore the state database from its last backup",
        )
    wish = asked.get(run.id)
    may_turn_back = run.stage.is_forward or run.stage in REOPENS
    return View(
        plan=plan,
        customer=plan.customer(run.slug),
        run=run,
        effects=await effects.effects_of(tx, run.id),
        observations=await observations.observations_of(tx, run.id),
        samples=await observations.samples_of(tx, run.id, limit=SAMPLES_LOADED_MAX),
        rollback_reason=str(wish.get("reason", "")) if wish is not None and may_turn_back else None,
    )
