"""Backups of customers' databases, for people: list, take, try, drill and prune. Restores none over a customer's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from securewatch.backup.freshness import Kept, Retention, plan_retention
from securewatch.config.fleet import Customer
from securewatch.controller.addresses import DatabaseOf, find_url
from securewatch.controller.backups import DAMAGED, BackupKeeper, Source
from securewatch.core.errors import NotFound, Refused, Rejected
from securewatch.core.ids import PostgresID, ServiceID
from securewatch.deploy.model import ServiceKind
from securewatch.deploy.plan import expected_services
from securewatch.deps import Deps
from securewatch.operations.engine import make_keeper
from securewatch.operations.isolation import KIND, where
from securewatch.operations.migrations import no_database
from securewatch.operations.plan import fetch_all, refuse_held, version_of
from securewatch.operations.standing import since_restore
from securewatch.operations.start import refuse_paused
from securewatch.operations.way_back import DEFAULT_WINDOW, rollback_window
from securewatch.render.budget import Priority
from securewatch.store import backups, former, identity
from securewatch.store.backups import Backup

LEFTOVERS_AFTER = timedelta(days=1)
"""What an interrupted backup left is deleted once it is older: nobody writes at it any more."""
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Pruned:
    """One backup, whether it goes, and by which rule."""

    backup: Backup
    goes: bool
    reason: str


async def list_backups(deps: Deps, slug: str | None) -> Sequence[Backup]:
    """The backups of a customer, or of all, the newest first; those whose archive is deleted are left out."""
    if slug is not None:
        slug = deps.fleet.find_customer(slug).slug
    database = await deps.existing_database()
    if database is None:
        return []
    async with database.read() as tx:
        return [one for one in await backups.backups_of(tx, slug) if one.removed_at is None]


async def expected_bytes(deps: Deps, slug: str) -> int | None:
    """How many bytes a dump of a customer's database will come to, by the newest one; None where there is none."""
    known = await list_backups(deps, slug)
    return known[0].dump_bytes if known else None


async def create_backup(deps: Deps, slug: str, *, progress: Progress | None = None) -> Backup:
    """Take a backup of a customer's database; it counts only once it is verified.

    Raises Refused (SW611) where the files name no database, SW408 where the backend uses another one.
    """
    customer = deps.fleet.find_customer(slug)
    refuse_held(deps, customer)
    keeper = await _keeper(deps)
    async with keeper.database.read() as tx:
        await refuse_paused(tx)
    facts = await fetch_all(deps, expected_services(deps.fleet, customer, [ServiceKind.BACKEND]))
    version, url = await version_of(deps, facts), await _url_of(deps, customer)
    return await keeper.take(Source(customer.slug, version, url), progress=progress)


async def find_backup(deps: Deps, name: str) -> Backup:
    """The backup of that name. Raises NotFound (SW206) for one that nobody knows, or whose archive was deleted."""
    database, backup = await deps.existing_database(), None
    if database is not None:
        async with database.read() as tx:
            backup = await backups.load_backup(tx, name)
    if backup is None or backup.removed_at is not None:
        why = "its archive was deleted" if backup is not None else "nobody took one of that name here"
        fix = "`securewatch backup list` shows those there are"
        raise NotFound("SW206", f"there is no backup {name}", why=why, fix=fix)
    return backup


async def verify_backup(deps: Deps, name: str) -> Backup:
    """Restore a backup into a scratch database and compare it with what was backed up.

    Raises NotFound (SW206) for a backup that nobody knows, Rejected (SW606) where something differs.
    """
    backup, keeper = await find_backup(deps, name), await _keeper(deps)
    await _refuse_customers_database(deps)
    judged = await keeper.verify(backup)
    if judged.problem:
        raise Rejected(
            DAMAGED,
            f"the backup {name} does not give what was backed up",
            why=judged.problem,
            fix=f"take another one: securewatch backup create --customer {backup.slug}",
        )
    return judged


async def drill(deps: Deps, slug: str | None, *, progress: Progress | None = None) -> Backup:
    """Take a backup of one customer and try it; of the customer whose backup was tried longest ago where none is named.

    What the restore took is kept: it is what a real one would take.
    """
    if slug is None:
        slug = await _least_tried(deps)
    made = await create_backup(deps, slug, progress=progress)
    return await verify_backup(deps, made.name)


async def prune(deps: Deps, slug: str | None, *, is_dry: bool) -> Sequence[Pruned]:
    """Delete the archives that neither their age nor a promised way back keeps; with `is_dry` only say which."""
    known = await list_backups(deps, slug)
    if not known:
        return []
    keeper = await _keeper(deps)
    found = [
        judged
        for each in sorted({one.slug for one in known})
        for judged in _judge(deps, [one for one in known if one.slug == each], deps.clock.now())
    ]
    if is_dry:
        return found
    async with keeper.database.read() as tx:
        await refuse_paused(tx)
    for one in found:
        if one.goes:
            await keeper.remove(one.backup, one.reason)
    for each in sorted({one.slug for one in known}):
        await keeper.work.remove_leftovers(each, begun_before=deps.clock.now() - LEFTOVERS_AFTER)
    return found


def _judge(deps: Deps, known: Sequence[Backup], now: datetime) -> list[Pruned]:
    by_name: Mapping[str, Backup] = {one.name: one for one in known}
    kept = [Kept(one.name, one.version, one.taken_at, one.verified_at) for one in known]
    judged = plan_retention(kept, _retention(deps, known[0].slug), now=now)
    return [Pruned(by_name[one.backup.name], not one.is_kept, one.reason) for one in judged]


def _retention(deps: Deps, slug: str) -> Retention:
    """How long every backup of a customer is kept, and what a way back needs by its policy."""
    customer = deps.fleet.customers.get(slug)
    window = rollback_window(deps.fleet, customer) if customer is not None else None
    return Retention(deps.fleet.extra.keep_backups.days, (window or DEFAULT_WINDOW).days)


async def _refuse_customers_database(deps: Deps) -> None:
    """The scratch database must be no customer's, as far as anybody has seen theirs."""
    scratch, database, box = deps.settings.scratch_database_url, await deps.database(), deps.box()
    if scratch is None or box.is_ephemeral:
        return
    async with database.read() as tx:
        prints = await former.fingerprints(tx, box, where(scratch.get_secret_value()))
        owners = [slug for one in prints for slug in await identity.others_with(tx, "", KIND, one)]
    if owners:
        raise Refused(
            "SW608",
            "the scratch database is a customer's",
            why=f"{', '.join(owners)} uses it",
            fix="name another server in SECUREWATCH_SCRATCH_DATABASE_URL, or leave it unset for one of our own",
        )


async def _keeper(deps: Deps) -> BackupKeeper:
    return make_keeper(deps, await deps.database())


async def _url_of(deps: Deps, customer: Customer) -> str:
    if customer.database_id is None:
        raise no_database(customer)
    wanted = DatabaseOf(customer.slug, ServiceID(customer.backend_service_id), PostgresID(customer.database_id))
    wanted = await since_restore(deps, wanted)
    return await find_url(await deps.client(), wanted, deps.settings.customer_secret, priority=Priority.CLI)


async def _least_tried(deps: Deps) -> str:
    """The customer with a database whose newest verified backup is the oldest; of several the first by name."""
    tried: dict[str, str] = {}
    for one in await list_backups(deps, None):
        tried[one.slug] = max(tried.get(one.slug, ""), one.verified_at.isoformat() if one.verified_at else "")
    able = [slug for slug, one in sorted(deps.fleet.customers.items()) if one.database_id and not one.held]
    if not able:
        raise NotFound("SW202", "there is no customer with a database", fix="name databases in the files (database_id)")
    return min(able, key=lambda slug: (tried.get(slug, ""), slug))
