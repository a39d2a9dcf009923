"""Reads the rows that a decision looks at. Shared by the controller and `why`: no second opinion."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from securewatch.controller.load_rollouts import MemberCache, load_rollouts
from securewatch.core.errors import NeedsHuman, Refused, SecurewatchError
from securewatch.deploy.model import SAMPLES_LOADED_MAX, Run
from securewatch.deploy.view import View
from securewatch.rollout.decide import FleetView
from securewatch.rollout.gates import Grant
from securewatch.store import approvals, effects, freezes, inbox, meta, observations, plans, runs
from securewatch.store.database import Tx
from securewatch.store.observations import Taken

Troubles = Mapping[str, SecurewatchError]
ROLLBACK = "rollback"
"""The verb of a request to take a customer back."""


async def load_requests(tx: Tx) -> Sequence[inbox.Request]:
    """The rollbacks that people asked for and nobody has begun."""
    return [one for one in await inbox.pending(tx) if one.verb == ROLLBACK]


class SampleCache:
    """The newest samples of open runs, each read from the database once."""

    def __init__(self) -> None:
        self._taken: dict[str, Taken] = {}

    async def samples_of(self, tx: Tx, run_id: str) -> Taken:
        """The newest samples of each service of a run, oldest first."""
        known = self._taken.get(run_id, Taken())
        self._taken[run_id] = found = await observations.newer_samples(tx, run_id, known, limit=SAMPLES_LOADED_MAX)
        return found

    def forget_others(self, run_ids: Collection[str]) -> None:
        """Keep nothing of runs that are no longer open."""
        for run_id in set(self._taken) - set(run_ids):
            del self._taken[run_id]


class Memory:
    """What a controller keeps of earlier ticks: samples and members that were read, and the starts under way."""

    def __init__(self) -> None:
        self.samples = SampleCache()
        self.members = MemberCache()
        self.starting: Mapping[str, Collection[str]] = {}


async def load_fleet(tx: Tx, memory: Memory) -> tuple[FleetView, Sequence[inbox.Request], Troubles]:
    """Everything that a decision about all open runs and rollouts may look at, and what people asked for.

    A run or rollout that this version cannot read is left out, with the reason: it is held, and the others go on.
    """
    requests = await load_requests(tx)
    asked = {str(one.payload["run_id"]): one.payload for one in requests}
    views: list[View] = []
    grants: list[Grant] = []
    troubles: dict[str, SecurewatchError] = {}
    for run_id in await _run_ids(tx, asked):
        try:
            run = await runs.load_run(tx, run_id)
            if run is not None:
                views.append(await _load_view(tx, run, asked, memory.samples))
                grants += await load_grants(tx, run)
        except (NeedsHuman, Refused) as error:
            troubles[run_id] = error
    memory.samples.forget_others([view.run.id for view in views])
    open_runs = [view.run for view in views]
    found, unreadable = await load_rollouts(tx, open_runs, memory.members, memory.starting)
    fleet = FleetView(tuple(views), grants, await meta.is_paused(tx), found, freezes=await freezes.open_freezes(tx))
    return fleet, requests, troubles | unreadable


async def load_fleet_view(tx: Tx, found: Collection[Run], requests: Sequence[inbox.Request]) -> FleetView:
    """Everything that a decision about these runs may look at."""
    asked = {str(one.payload["run_id"]): one.payload for one in requests}
    views = [await _load_view(tx, run, asked, SampleCache()) for run in found]
    grants = [grant for view in views for grant in await load_grants(tx, view.run)]
    standing = await freezes.open_freezes(tx)
    return FleetView(tuple(views), grants, await meta.is_paused(tx), freezes=standing)


async def load_grants(tx: Tx, run: Run) -> Sequence[Grant]:
    """The answers that people gave to a run's plan."""
    found = await approvals.approvals_of(tx, run.approval_hash, run.slug)
    return [
        Grant(one.plan_hash, one.slug, one.actor, one.at, one.expires_at, one.granted, one.used_by) for one in found
    ]


async def _run_ids(tx: Tx, asked: Collection[str]) -> Sequence[str]:
    """Every unfinished run, and each finished one that somebody asked to take back or that has an open effect."""
    found = await runs.open_ids(tx)
    wanted = {*asked, *(effect.run_id for effect in await effects.open_effects(tx))}
    return (*found, *sorted(wanted - set(found)))


async def _load_view(tx: Tx, run: Run, asked: Mapping[str, Mapping[str, Any]], cache: SampleCache) -> View:
    plan = await plans.load_plan(tx, run.plan_hash)
    if plan is None:
        raise Refused(
            "SW702",
            f"the plan {run.plan_hash[:12]} of run {run.id} is missing",
            why="the state database lost rows",
            fix="restore the state database from its last backup",
        )
    wish = asked.get(run.id)
    return View(
        plan=plan,
        customer=plan.customer(run.slug),
        run=run,
        effects=await effects.effects_of(tx, run.id),
        observations=await observations.observations_of(tx, run.id),
        samples=(await cache.samples_of(tx, run.id)).by_kind,
        rollback_reason=str(wish.get("reason", "")) if wish is not None else None,
    )
