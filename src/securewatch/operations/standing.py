"""Which database a customer uses since its last restore, for commands that reach it."""

from securewatch.controller.addresses import DatabaseOf
from securewatch.deps import Deps
from securewatch.store.standing import standing_of


async def since_restore(deps: Deps, wanted: DatabaseOf) -> DatabaseOf:
    """The database that the files name, or the one that a restore put in its place."""
    database = await deps.existing_database()
    if database is None:
        return wanted
    async with database.read() as tx:
        return wanted.since_restore(await standing_of(tx, wanted.slug))
