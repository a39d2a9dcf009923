"""When a version is expected at each customer, as notices need it: of the open rollout, else as if one began now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from securewatch.core.errors import NotFound, UsageError
from securewatch.deps import Deps
from securewatch.operations.release.status import find_rollout
from securewatch.operations.release_plan import make_release_plan
from securewatch.operations.usual import load_known
from securewatch.rollout.model import Member, MemberState, ReleasePlan, Rollout
from securewatch.rollout.schedule import expected_starts
from securewatch.store import release_plans, rollouts


@dataclass(frozen=True)
class Expected:
    """A release, its customers, and when each is expected; None for who is not."""

    plan: ReleasePlan
    members: Sequence[Member]
    slots: Mapping[str, datetime | None]


async def expect(deps: Deps, version: str | None) -> Expected:
    """The release of the version's open rollout, else by the files; without a version, of the only open rollout.

    Raises UsageError (SW201) where neither says which, NotFound (SW203) for an unknown tag, and (SW208) where several
    rollouts are open.
    """
    found = await _open_rollout(deps, version)
    if found is not None:
        rollout, plan, members = found
        now, known = deps.clock.now(), await load_known(deps, plan)
        return Expected(plan, members, expected_starts(plan, members, rollout.day_zero, now=now, known=known))
    if version is None:
        raise UsageError("SW201", "which version?", why="no rollout is open", fix="name it: --version v1.1.0")
    plan, now = (await make_release_plan(deps, version, force=True, only_minor=False)).plan, deps.clock.now()
    members = [
        Member("", one.slug, phase.name, one.batch, MemberState.PENDING, now)
        for phase in plan.phases
        for one in phase.members
    ]
    return Expected(plan, members, expected_starts(plan, members, now, now=now, known=await load_known(deps, plan)))


async def _open_rollout(deps: Deps, version: str | None) -> tuple[Rollout, ReleasePlan, Sequence[Member]] | None:
    database = await deps.existing_database()
    if database is None:
        return None
    async with database.read() as tx:
        try:
            rollout = await find_rollout(tx, version)
        except NotFound:
            if version is None and await rollouts.open_rollouts(tx):
                raise
            return None
        plan = await release_plans.load_release_plan(tx, rollout.plan_hash)
        if rollout.state.is_over or plan is None:
            return None
        return rollout, plan, tuple((await rollouts.members_of(tx, rollout.id)).values())
