"""What a deploy does to a customer's database, and whether migrations bar the way back. Asks repository and linter."""

from securewatch.config.fleet import Customer
from securewatch.core.errors import Refused
from securewatch.core.ids import PostgresID
from securewatch.deploy.back import BARRED
from securewatch.deploy.model import DatabasePlan, MigrationPlan
from securewatch.deps import Deps
from securewatch.migration.files import (
    FOLDER,
    Migration,
    irreversible_between,
    migrations_between,
    read_migrations,
)
from securewatch.migration.lint import check_migrations
from securewatch.render.budget import Priority
from securewatch.render.postgres import fetch_postgres
from securewatch.versions.tag import Tag
from securewatch.versions.version import find_version

NEWEST_MAJOR = 18
"""The server's version where Render does not say one: the linter then knows of every statement."""


async def plan_database(
    deps: Deps, customer: Customer, tag: Tag, *, from_version: str, needs_backup: bool
) -> DatabasePlan | None:
    """What a deploy of the tag does to the customer's database; None where nothing is done to it.

    Raises Refused: SW425 for the way down past a migration that is irreversible, SW423 where it is not known what the
    database has or which one it is, SW424 where the linter says no, SW611 where a needed backup is not possible.
    """
    migrations = await _plan_migrations(deps, customer, tag, from_version)
    if not migrations and not needs_backup:
        return None
    if customer.database_id is None:
        raise _unsure(customer, "its files name no database (database_id)") if migrations else no_database(customer)
    if migrations:
        instance = await fetch_postgres(await deps.client(), PostgresID(customer.database_id), priority=Priority.CLI)
        await check_migrations(migrations, server_major=_major(instance.version))
    planned = tuple(MigrationPlan(one.id, one.checksum, one.is_irreversible) for one in migrations)
    return DatabasePlan(customer.database_id, planned, needs_backup)


async def _plan_migrations(deps: Deps, customer: Customer, tag: Tag, from_version: str) -> tuple[Migration, ...]:
    found, wanted, before = await _read(deps, tag.commit), find_version(tag.name), find_version(from_version)
    if wanted is not None and before is not None and before > wanted:
        await refuse_barred(deps, customer.slug, newer=from_version, older=tag.name)
        return ()
    migrations = migrations_between(found, before, wanted) if wanted is not None else ()
    if migrations and before is None:
        raise _unsure(customer, "the version that runs is not known, so neither is what its database has")
    return migrations


async def refuse_barred(deps: Deps, slug: str, *, newer: str, older: str) -> None:
    """Raise Refused (SW425) where an irreversible migration stands between the two versions: code alone must not go
    back over it, with `--force` neither.
    """
    above, below = find_version(newer), find_version(older)
    if above is None or below is None or above <= below:
        return
    commit = next((one.commit for one in await deps.repository.list_tags() if one.name == newer), None)
    barring = irreversible_between(await _read(deps, commit), below, above) if commit else ()
    if barring:
        raise Refused(
            BARRED,
            f"{slug} cannot go back from {newer} to {older} with its database as it is",
            why=f"irreversible since: {', '.join(one.id for one in barring)}",
            fix=f"repair it with a newer version, or restore its database from a backup of the time of {older}",
        )


async def _read(deps: Deps, commit: str) -> tuple[Migration, ...]:
    return read_migrations(await deps.repository.read_files(commit, FOLDER))


def _major(version: str) -> int:
    first = version.partition(".")[0]
    return int(first) if first.isdigit() else NEWEST_MAJOR


def no_database(customer: Customer) -> Refused:
    """The error of a customer whose files name no database where one is needed."""
    return Refused(
        "SW611",
        f"there is no database of {customer.slug} to back up",
        why="its files name none",
        fix="name it in the files (database_id); without one, a policy that asks for backups does not fit it",
    )


def _unsure(customer: Customer, why: str) -> Refused:
    return Refused(
        "SW423",
        f"the release's migrations cannot be applied for {customer.slug}",
        why=why,
        fix="deploy a released version to it first, and name its database in the files",
    )
