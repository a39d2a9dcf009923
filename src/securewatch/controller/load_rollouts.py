"""Reads the rows of rollouts that a decision looks at. Shared by the controller and by who shows a rollout."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from securewatch.core.errors import NeedsHuman, Refused, SecurewatchError
from securewatch.deploy.model import Run, Stage
from securewatch.rollout.gates import Grant
from securewatch.rollout.model import Member, MemberState, ReleasePlan, Rollout
from securewatch.rollout.roster import with_joined
from securewatch.rollout.view import RolloutView
from securewatch.store import approvals, freezes, meta, release_plans, releases, rollouts, runs
from securewatch.store.database import Tx
from securewatch.store.releases import Release

_FOLLOWED = (MemberState.RUNNING, MemberState.VERIFIED)


class MemberCache:
    """The members of open rollouts as they were read last, so that only those that moved on are read again."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, Member]] = {}

    async def members_of(self, tx: Tx, rollout_id: str) -> Mapping[str, Member]:
        """The members of a rollout by slug."""
        self._known[rollout_id] = found = await rollouts.members_of(tx, rollout_id, self._known.get(rollout_id))
        return found


async def load_rollouts(
    tx: Tx, open_runs: Sequence[Run], cache: MemberCache, starting: Mapping[str, Collection[str]]
) -> tuple[tuple[RolloutView, ...], dict[str, SecurewatchError]]:
    """Every open rollout, and why one that this version cannot read is left out. `starting` is by rollout."""
    views: list[RolloutView] = []
    troubles: dict[str, SecurewatchError] = {}
    for rollout in await rollouts.open_rollouts(tx):
        try:
            found = await cache.members_of(tx, rollout.id)
            views.append(await load_rollout_view(tx, rollout, found, open_runs, starting.get(rollout.id, ())))
        except (NeedsHuman, Refused) as error:
            troubles[rollout.id] = error
    return tuple(views), troubles


async def load_rollout_view(
    tx: Tx, rollout: Rollout, members: Mapping[str, Member], open_runs: Sequence[Run], starting: Collection[str] = ()
) -> RolloutView:
    """Everything that a decision about one rollout may look at."""
    plan = await release_plans.load_release_plan(tx, rollout.plan_hash)
    if plan is None:
        raise Refused(
            "SW702",
            f"the plan {rollout.plan_hash[:12]} of the rollout {rollout.id} is missing",
            why="the state database lost rows",
            fix="restore the state database from its last backup",
        )
    plan = with_joined(plan, members.values())
    return RolloutView(
        rollout,
        plan,
        members,
        runs=await _load_runs(tx, members, open_runs),
        grants=[_grant(one) for one in await approvals.approvals_of_plan(tx, rollout.plan_hash)],
        busy=_busy(members, open_runs),
        freezes=await freezes.open_freezes(tx),
        having=having(plan, await releases.current_releases(tx)),
        starting=starting,
        demo_verified_at=await releases.first_verified(tx, plan.version, demo_slugs(plan)),
        is_paused=await meta.is_paused(tx),
    )


def with_runs(view: RolloutView, open_runs: Sequence[Run]) -> RolloutView:
    """The view with its members' open runs as they are now; the very same one where nothing is different."""
    found = {**view.runs, **{run.id: run for run in open_runs}}
    busy = _busy(view.members, open_runs)
    if busy == view.busy and all(view.runs.get(run.id) is run for run in open_runs):
        return view
    return replace(view, runs=found, busy=busy)


def with_starting(view: RolloutView, starting: Collection[str]) -> RolloutView:
    """The view with the members whose start is under way; the very same one where they were before."""
    return view if set(view.starting) == set(starting) else replace(view, starting=starting)


def having(plan: ReleasePlan, current: Sequence[Release]) -> frozenset[str]:
    """The customers whose every service runs the version and has proved it."""
    found = {(one.slug, one.service_kind) for one in current if one.version == plan.version and one.verified_at}
    everybody = (one for phase in plan.phases for one in phase.members)
    return frozenset(
        one.slug for one in everybody if one.services and all((one.slug, kind) in found for kind, _ in one.services)
    )


def demo_slugs(plan: ReleasePlan) -> tuple[str, ...]:
    """The customers whose first verified deploy begins the testing period."""
    return tuple(one.slug for phase in plan.phases for one in phase.members if one.policy == "demo")


async def _load_runs(tx: Tx, members: Mapping[str, Member], open_runs: Sequence[Run]) -> dict[str, Run]:
    found = {run.id: run for run in open_runs}
    for one in members.values():
        if one.state in _FOLLOWED and one.run_id not in found:
            run = await runs.load_run(tx, one.run_id)
            if run is not None:
                found[run.id] = run
    return found


def _busy(members: Mapping[str, Member], open_runs: Sequence[Run]) -> dict[str, str]:
    """Customers with an unfinished run that is not their member's; one that is only watched does not count."""
    found = {}
    for run in open_runs:
        member = members.get(run.slug)
        if member is None or run.id == member.run_id or run.stage.is_terminal or run.stage is Stage.WATCHING:
            continue
        found[run.slug] = f"{run.id} is {run.stage.value.replace('_', ' ')}"
    return found


def _grant(one: approvals.Approval) -> Grant:
    return Grant(one.plan_hash, one.slug, one.actor, one.at, one.expires_at, one.granted, one.used_by)
