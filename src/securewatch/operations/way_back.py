"""The way back of one customer, out of the records: the run that brought what is live, its plan, and its backups."""

from collections.abc import Sequence
from datetime import timedelta

from securewatch.config.fleet import Customer, Fleet
from securewatch.deploy.model import Run, RunKind, ServiceKind, Stage
from securewatch.deploy.readiness import KeptBackup, WayBack, find_way_back
from securewatch.deps import Deps
from securewatch.operations.targets import find_sources
from securewatch.store import backups, plans
from securewatch.store.backups import Backup

DEFAULT_WINDOW = timedelta(days=30)
"""For how long backups for a way back are kept where a policy promises nothing."""


async def load_way_back(deps: Deps, customer: Customer, found: Sequence[Run]) -> WayBack | None:
    """Whether the customer can go back, to what and until when; `found` are its runs, newest first.

    None where nothing of ours is live, or a run is under way. Asks neither Render nor git.
    """
    touching = [run for run in found if run.kind is not RunKind.ENV and run.stage is not Stage.REFUSED]
    database = await deps.existing_database()
    run = find_sources(touching, [ServiceKind.BACKEND]).get(ServiceKind.BACKEND)
    if database is None or run is None or run is not touching[0]:
        return None
    async with database.read() as tx:
        plan = await plans.load_plan(tx, run.plan_hash)
        kept = await backups.backups_of(tx, customer.slug)
    if plan is None:
        return None
    return find_way_back(
        run,
        plan.customer(run.slug),
        window=rollback_window(deps.fleet, customer),
        backup=_newest(deps.fleet, customer, kept, run),
        now=deps.clock.now(),
    )


def rollback_window(fleet: Fleet, customer: Customer) -> timedelta | None:
    """For how long the customer's policy promises a way back; None where no file says anything."""
    policy = fleet.policy_of(customer)
    return policy.rollback_window or policy.rollback.window


def _newest(fleet: Fleet, customer: Customer, kept: Sequence[Backup], run: Run) -> KeptBackup | None:
    """The newest verified backup of the version that ran before; the rules of `backup prune` keep it that long."""
    good = run.good_of(ServiceKind.BACKEND)
    version = good.version if good is not None else None
    found = (one for one in kept if one.verified_at and one.removed_at is None and one.version == version)
    newest = next(found, None)
    if newest is None:
        return None
    kept_for = max(fleet.extra.keep_backups, rollback_window(fleet, customer) or DEFAULT_WINDOW)
    return KeptBackup(newest.name, newest.taken_at + kept_for)
