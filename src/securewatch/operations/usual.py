"""What is known beforehand about a release and how long deploys take, from what was measured. Estimates, no rules."""

from collections.abc import Mapping

from securewatch.controller.load_rollouts import demo_slugs
from securewatch.deploy.model import ServiceKind
from securewatch.deploy.steps import progress_seconds
from securewatch.deps import Deps
from securewatch.health.verdict import percentile
from securewatch.rollout.freezes import FreezeKind
from securewatch.rollout.model import ReleasePlan
from securewatch.rollout.schedule import Known
from securewatch.rollout.usual import BUILD_SECONDS
from securewatch.store import freezes, releases, runs

MEASURED = 100
"""How many deploys tell how long one takes: more say the same."""


async def usual_seconds(deps: Deps) -> Mapping[ServiceKind, float]:
    """The median seconds from send to live of each kind, over the newest deploys."""
    database = await deps.existing_database()
    if database is None:
        return {}
    async with database.read() as tx:
        recent = await runs.recent_deploys(tx, MEASURED)
    taken: dict[ServiceKind, list[float]] = {}
    for run in recent:
        for progress in run.progress:
            seconds = progress_seconds(progress)
            if seconds is not None:
                taken.setdefault(progress.kind, []).append(seconds)
    medians = {kind: percentile(values, 0.5) for kind, values in taken.items()}
    return {kind: value for kind, value in medians.items() if value is not None}


async def usual_build_seconds(deps: Deps) -> float:
    """What a service usually takes from send to live, over both kinds."""
    measured = await usual_seconds(deps)
    return sum(measured.get(kind, BUILD_SECONDS) for kind in ServiceKind) / len(ServiceKind)


async def load_known(deps: Deps, plan: ReleasePlan) -> Known:
    """What a schedule of the plan can know: measured times, the first verified demo deploy, freezes and pins.

    A hold is not among them: no schedule knows when somebody ends it.
    """
    database, build_seconds = await deps.existing_database(), await usual_build_seconds(deps)
    if database is None:
        return Known(build_seconds)
    async with database.read() as tx:
        tested_at = await releases.first_verified(tx, plan.version, demo_slugs(plan))
        standing = await freezes.open_freezes(tx)
    return Known(build_seconds, (), tested_at, [one for one in standing if one.kind is not FreezeKind.HOLD])
