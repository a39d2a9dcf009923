"""Reads the rows that a decision looks at. Shared by the controller and `why`: no second opinion."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from securewatch.controller.load_rollouts import MemberCache, load_rollouts, with_runs, with_starting
from securewatch.core.errors import NeedsHuman, Refused, SecurewatchError
from securewatch.deploy.model import SAMPLES_LOADED_MAX, Run
from securewatch.deploy.view import View
from securewatch.rollout.decide import FleetView
from securewatch.rollout.gates import Grant
from securewatch.store import approvals, effects, freezes, inbox, meta, observations, plans, runs
from securewatch.store.database import Tx
from securewatch.store.news import FLEET, sampled_runs
from securewatch.store.observations import Taken

Troubles = dict[str, SecurewatchError]
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


@dataclass(frozen=True)
class _Known:
    """What a controller read last: the fleet, what people asked for, and the runs that are to be seen, in order."""

    fleet: FleetView
    requests: Sequence[inbox.Request]
    run_ids: Sequence[str]
    troubles: Troubles


class Memory:
    """What a controller keeps of earlier ticks: what it read, and the starts under way."""

    def __init__(self) -> None:
        self.samples = SampleCache()
        self.members = MemberCache()
        self.starting: Mapping[str, Collection[str]] = {}
        self.views: dict[str, View] = {}
        self.grants: dict[str, Sequence[Grant]] = {}
        self.known: _Known | None = None

    def forget(self) -> None:
        """Read everything again at the next tick."""
        self.known = None


async def load_fleet(
    tx: Tx, memory: Memory, news: Collection[str] | None = None
) -> tuple[FleetView, Sequence[inbox.Request], Troubles]:
    """Everything that a decision about all open runs and rollouts may look at, and what people asked for.

    `news` are the subjects of what was committed since the last time (see `store.news`), None for anything: the rest is
    as it was, the very same values. A run or rollout that this version cannot read is left out, with the reason: it is
    held, and the others go on.
    """
    known = memory.known if news is not None else None
    subjects = frozenset(news or ())
    if known is None or FLEET in subjects:
        known = await _load_known(tx, memory, known, subjects)
    elif not subjects.isdisjoint(known.run_ids):
        known = await _load_runs(tx, memory, known, subjects)
    elif sampled := sampled_runs(subjects) & memory.views.keys():
        await _load_samples(tx, memory, sampled)
        known = replace(known, fleet=replace(known.fleet, views=tuple(memory.views.values())))
    rollouts = tuple(with_starting(one, memory.starting.get(one.rollout.id, ())) for one in known.fleet.rollouts)
    if any(new is not old for new, old in zip(rollouts, known.fleet.rollouts, strict=True)):
        known = replace(known, fleet=replace(known.fleet, rollouts=rollouts))
    memory.known = known
    return known.fleet, known.requests, known.troubles


async def _load_known(tx: Tx, memory: Memory, known: _Known | None, subjects: Collection[str]) -> _Known:
    """What concerns many is read again; of the runs all, or where something is `known`, those that it is about."""
    requests = await load_requests(tx)
    if known is None or requests != known.requests:
        memory.views.clear()
        memory.grants.clear()
    is_paused, standing = await meta.is_paused(tx), await freezes.open_freezes(tx)
    asked = {str(one.payload["run_id"]): one.payload for one in requests}
    run_ids = await _run_ids(tx, asked)
    fleet = FleetView((), (), is_paused, freezes=standing)
    if known is not None and known.fleet.freezes == standing:
        fleet = replace(fleet, grants=known.fleet.grants, freezes=known.fleet.freezes)
    base = await _load_runs(tx, memory, _Known(fleet, requests, run_ids, {}), subjects)
    open_runs = [view.run for view in base.fleet.views]
    found, unreadable = await load_rollouts(tx, open_runs, memory.members, memory.starting)
    return replace(base, fleet=replace(base.fleet, rollouts=found), troubles=base.troubles | unreadable)


async def _load_runs(tx: Tx, memory: Memory, known: _Known, subjects: Collection[str]) -> _Known:
    """Read those of the runs again that the subjects name, or that were not read before, and the new samples."""
    anew = [run_id for run_id in known.run_ids if run_id in subjects or run_id not in memory.views]
    await _load_samples(tx, memory, sampled_runs(subjects).difference(anew) & memory.views.keys())
    asked = {str(one.payload["run_id"]): one.payload for one in known.requests}
    troubles = dict(known.troubles)
    for run_id in anew:
        before = memory.views.pop(run_id, None)
        troubles.pop(run_id, None)
        try:
            run = await runs.load_run(tx, run_id)
            if run is not None:
                run = before.run if before is not None and before.run == run else run
                memory.views[run_id] = await _load_view(tx, run, asked, memory.samples)
                memory.grants[run_id] = await load_grants(tx, run)
        except (NeedsHuman, Refused) as error:
            troubles[run_id] = error
    memory.views = {run_id: memory.views[run_id] for run_id in known.run_ids if run_id in memory.views}
    memory.grants = {run_id: memory.grants[run_id] for run_id in memory.views}
    memory.samples.forget_others(memory.views)
    views = tuple(memory.views.values())
    grants = [grant for found in memory.grants.values() for grant in found]
    same = known.fleet.grants if grants == known.fleet.grants else grants
    rollouts = tuple(with_runs(one, [view.run for view in views]) for one in known.fleet.rollouts)
    return replace(known, fleet=replace(known.fleet, views=views, grants=same, rollouts=rollouts), troubles=troubles)


async def _load_samples(tx: Tx, memory: Memory, run_ids: Iterable[str]) -> None:
    for run_id in run_ids:
        taken = await memory.samples.samples_of(tx, run_id)
        memory.views[run_id] = replace(memory.views[run_id], samples=taken.by_kind)


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
