"""What a deploy does to a customer's database, and whether migrations bar the way back. Asks repository and linter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from securewatch.config.fleet import Customer
from securewatch.core.errors import Refused, Rejected
from securewatch.core.ids import PostgresID
from securewatch.deploy.back import BARRED, barring_migration
from securewatch.deploy.model import DatabasePlan, MigrationPlan, Run, RunKind
from securewatch.deploy.view import EffectKind
from securewatch.deps import Deps
from securewatch.migration.files import FOLDER, Migration, missing_below, missing_from, read_migrations
from securewatch.migration.lint import check_migrations
from securewatch.render.budget import Priority
from securewatch.render.postgres import fetch_postgres
from securewatch.store import effects, plans
from securewatch.versions.tag import Tag
from securewatch.versions.version import find_version

NEWEST_MAJOR = 18
"""The server's version where Render does not say one: the linter then knows of every statement."""


@dataclass(frozen=True)
class BackupTerms:
    """Whether the policy asks for a backup of the database before a deploy, and what a person asks for.

    `asked` None leaves it to the policy, True has one taken in any case, False (`--no-backup`) has none taken.
    """

    is_required: bool
    asked: bool | None = None

    @property
    def is_taken(self) -> bool:
        """Whether there will be one."""
        return self.is_required or self.asked is True

    def refuse_waived(self, customer: Customer) -> None:
        """Raise Refused (SW427) where a backup is not wanted that the policy asks for; `--force` does not help."""
        if self.is_required and self.asked is False:
            raise Refused(
                "SW427",
                f"a deploy to {customer.slug} must not leave out the backup of its database",
                why=f"its policy, {customer.policy}, asks for one before each deploy, or its phase does",
                fix="give the command without --no-backup",
            )


async def plan_database(
    deps: Deps, customer: Customer, tag: Tag, *, live_commit: str, backup: BackupTerms
) -> DatabasePlan | None:
    """What a deploy of the tag does to the customer's database; None where nothing is done to it.

    The migrations are those that the tag's commit has and the live one has not; the database's own ledger leaves out
    what it has all the same. Raises Refused: SW425 for the way down past one that is irreversible, SW423 where it is
    not known what is live or which database it is, SW424 where the linter says no, SW611 without a needed backup,
    SW427 where a backup that the policy asks for is not wanted.
    """
    backup.refuse_waived(customer)
    migrations = await _plan_migrations(deps, customer, tag, live_commit)
    if not migrations and not backup.is_taken:
        return None
    if customer.database_id is None:
        if migrations:
            raise _unsure(customer, "its files name no database (database_id)")
        raise no_database(customer, is_required=backup.is_required)
    if migrations:
        instance = await fetch_postgres(await deps.client(), PostgresID(customer.database_id), priority=Priority.CLI)
        await check_migrations(migrations, server_major=_major(instance.version))
    planned = tuple(MigrationPlan(one.id, one.checksum, one.is_irreversible) for one in migrations)
    return DatabasePlan(customer.database_id, planned, backup.is_taken)


async def _plan_migrations(deps: Deps, customer: Customer, tag: Tag, live_commit: str) -> tuple[Migration, ...]:
    wanted, live = await _read(deps, tag.commit), await _read_live(deps, live_commit)
    if live is None:
        if wanted:
            raise _unsure(customer, "the commit that is live is not known, so neither is what its database has")
        return ()
    barring = missing_below(live, wanted, find_version(tag.name))
    if barring:
        raise barred(customer.slug, tag.name, ", ".join(one.id for one in barring))
    return missing_from(live, wanted)


async def find_barring(deps: Deps, runs: Sequence[Run]) -> Mapping[str, str]:
    """By the id of each of the runs that applied an irreversible migration, or may have, that migration.

    Asks our records alone: a rollback must not need git.
    """
    database = await deps.existing_database()
    found: dict[str, str] = {}
    if database is None:
        return found
    async with database.read() as tx:
        for run in runs:
            plan = await plans.load_plan(tx, run.plan_hash) if run.kind is RunKind.DEPLOY else None
            part = plan.customer(run.slug).database if plan is not None else None
            if part is not None and part.is_irreversible:
                found[run.id] = barring_migration(part, (await effects.effects_of(tx, run.id)).values())
    return {run_id: one for run_id, one in found.items() if one}


async def first_barred_at(deps: Deps, runs: Sequence[Run]) -> datetime | None:
    """When the first of the irreversible migrations that these runs applied, or may have, was begun; None for none."""
    barring, database = await find_barring(deps, runs), await deps.existing_database()
    if database is None or not barring:
        return None
    async with database.read() as tx:
        found = [one for run_id in barring for one in (await effects.effects_of(tx, run_id)).values()]
    return min(one.sent_at for one in found if one.kind is EffectKind.MIGRATE and one.sent_at is not None)


def barred(slug: str, to: str, migration: str) -> Refused:
    """The error for a way back by code past an irreversible migration; `--force` does not help."""
    return Refused(
        BARRED,
        f"{slug} cannot go back to {to} with its database as it is",
        why=f"irreversible since: {migration}",
        fix="repair it with a newer version, or restore its database too (what was written since is lost): "
        f"securewatch update-customer --rollback {to} --customer {slug}",
    )


async def _read_live(deps: Deps, commit: str) -> tuple[Migration, ...] | None:
    """Those of what is live; None where nobody knows its commit, or the repository does not have it."""
    if not commit:
        return None
    try:
        return await _read(deps, commit)
    except Rejected:
        if await deps.repository.find_commit(commit) is not None:
            raise
        return None


async def _read(deps: Deps, commit: str) -> tuple[Migration, ...]:
    return read_migrations(await deps.repository.read_files(commit, FOLDER))


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdigit() else NEWEST_MAJOR


def no_database(customer: Customer, *, is_required: bool = True) -> Refused:
    """The error of a customer whose files name no database where one is needed; `is_required`: by its policy."""
    without = "without one, a policy that asks for backups does not fit it" if is_required else "or add --no-backup"
    return Refused(
        "SW611",
        f"there is no database of {customer.slug} to back up",
        why="its files name none",
        fix=f"name it in the files (database_id); {without}",
    )


def _unsure(customer: Customer, why: str) -> Refused:
    return Refused(
        "SW423",
        f"the release's migrations cannot be applied for {customer.slug}",
        why=why,
        fix="deploy a released version to it first, and name its database in the files",
    )
