"""The ways back of customers, out of the records: the run that brought what is live, its plan, and its backups."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from securewatch.config.fleet import Customer, Fleet
from securewatch.deploy.model import Run, RunKind, ServiceKind, Stage
from securewatch.deploy.readiness import KeptBackup, WayBack, find_way_back
from securewatch.deps import Deps
from securewatch.operations.targets import completes_split, find_sources
from securewatch.store import backups, plans
from securewatch.store.backups import Backup, verified_backups
from securewatch.store.live_runs import LiveRun, live_runs

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
        plan.customer(run.slug).database,
        window=rollback_window(deps.fleet, customer),
        backup=_newest(deps.fleet, customer, kept, run),
        now=deps.clock.now(),
    )


async def load_ways_back(deps: Deps, slugs: Collection[str], version: str) -> Mapping[str, WayBack]:
    """By slug the same of many customers, in two queries, of those where the version is what is live.

    A customer whose newest run only completed a split is left out: its two halves go back to different deploys.
    """
    database = await deps.existing_database()
    wanted = [slug for slug in slugs if slug in deps.fleet.customers]
    if database is None or not wanted:
        return {}
    async with database.read() as tx:
        live = {slug: one for slug, one in (await live_runs(tx, wanted)).items() if _is_whole(one.run, version)}
        asking = [slug for slug, one in live.items() if _asks_for_backups(one)]
        kept = await verified_backups(tx, asking) if asking else {}
    found = {}
    for slug, one in live.items():
        customer = deps.fleet.customers[slug]
        newest = kept.get((slug, _version_before(one.run) or ""))
        way = find_way_back(
            one.run,
            one.database,
            window=rollback_window(deps.fleet, customer),
            backup=_kept(deps.fleet, customer, newest.name, newest.taken_at) if newest is not None else None,
            now=deps.clock.now(),
        )
        if way is not None:
            found[slug] = way
    return found


def _is_whole(run: Run, version: str) -> bool:
    brought = find_sources([run], [ServiceKind.BACKEND])
    return run.version == version and bool(brought) and not completes_split(run, ServiceKind.BACKEND)


def _asks_for_backups(live: LiveRun) -> bool:
    return live.database is not None and (live.database.needs_backup or live.database.is_irreversible)


def rollback_window(fleet: Fleet, customer: Customer) -> timedelta | None:
    """For how long the customer's policy promises a way back; None where no file says anything."""
    policy = fleet.policy_of(customer)
    return policy.rollback_window or policy.rollback.window


def _version_before(run: Run) -> str | None:
    good = run.good_of(ServiceKind.BACKEND)
    return good.version if good is not None else None


def _newest(fleet: Fleet, customer: Customer, kept: Sequence[Backup], run: Run) -> KeptBackup | None:
    """The newest verified backup of the version that ran before."""
    version = _version_before(run)
    found = (one for one in kept if one.verified_at and one.removed_at is None and one.version == version)
    newest = next(found, None)
    return _kept(fleet, customer, newest.name, newest.taken_at) if newest is not None else None


def _kept(fleet: Fleet, customer: Customer, name: str, taken_at: datetime) -> KeptBackup:
    """A backup with the end of its time: the rules of `backup prune` keep it that long."""
    kept_for = max(fleet.extra.keep_backups, rollback_window(fleet, customer) or DEFAULT_WINDOW)
    return KeptBackup(name, taken_at + kept_for)
