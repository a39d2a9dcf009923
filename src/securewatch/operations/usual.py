"""How long a deploy usually takes, from what was measured here before. An estimate for people, never a rule."""

from collections.abc import Mapping

from securewatch.deploy.model import ServiceKind
from securewatch.deploy.steps import progress_seconds
from securewatch.deps import Deps
from securewatch.health.verdict import percentile
from securewatch.store import runs


async def usual_seconds(deps: Deps) -> Mapping[ServiceKind, float]:
    """The median seconds from send to live of each kind, over every customer's latest run."""
    database = await deps.existing_database()
    if database is None:
        return {}
    async with database.read() as tx:
        latest = await runs.latest_runs(tx)
    taken: dict[ServiceKind, list[float]] = {}
    for run in latest.values():
        for progress in run.progress:
            seconds = progress_seconds(progress)
            if seconds is not None:
                taken.setdefault(progress.kind, []).append(seconds)
    medians = {kind: percentile(values, 0.5) for kind, values in taken.items()}
    return {kind: value for kind, value in medians.items() if value is not None}
