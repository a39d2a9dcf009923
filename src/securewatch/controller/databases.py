"""The customers' databases for effects: finds out how to reach one and applies what a plan names. Keeps no password."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from securewatch.config.templates import secret_variable
from securewatch.controller.backups import BackupKeeper, Source
from securewatch.core.errors import Refused
from securewatch.core.ids import PostgresID, ServiceID
from securewatch.deploy.plan import DATABASE_URL
from securewatch.deploy.ports import Begin, Migrated
from securewatch.deploy.view import Effect
from securewatch.migration.files import FOLDER, Migration, read_migrations
from securewatch.render import env_vars, postgres
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.versions.git import VendorRepository

ADMIN_URL = "DATABASE_ADMIN_URL"
"""The named secret with a database's address as it is reached from here, where Render's own does not do."""
BACKUPS_MAX = 4
"""Backups that one process takes and tries at once: each is a dump, and a server of its own for the try."""
SecretOf = Callable[[str, str], str | None]
Apply = Callable[[str, Sequence[Migration]], Awaitable[Migrated]]


@dataclass(frozen=True)
class DatabaseOf:
    """A customer's database, by Render's ids of it and of the backend that uses it."""

    slug: str
    service_id: ServiceID
    postgres_id: PostgresID


@dataclass(frozen=True)
class CustomerDatabases:
    """Implements the databases that effects use.

    `apply` applies migrations to the database at a URL; `secret_of` gives a named secret by slug and key, where there
    is one; `keeper` keeps backups, of which so many run at once as there are `turns`.
    """

    client: RenderClient
    repository: VendorRepository
    apply: Apply
    secret_of: SecretOf
    keeper: Callable[[], BackupKeeper]
    turns: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, BACKUPS_MAX))

    async def migrate(self, effect: Effect, begin: Begin) -> Migrated:
        """Apply the migrations that the effect names, as the planned commit has them."""
        wanted: dict[str, str] = dict(effect.args["files"])
        found = read_migrations(await self.repository.read_files(str(effect.args["commit"]), FOLDER))
        planned = tuple(one for one in found if wanted.get(one.id) == one.checksum)
        if len(planned) != len(wanted):
            raise _changed(wanted, planned)
        url = await find_url(
            self.client, _database_of(effect, effect.service_id), self.secret_of, priority=Priority.DEPLOY
        )
        guard = await begin()
        guard()
        return await self.apply(url, planned)

    async def back_up(self, effect: Effect) -> Mapping[str, Any]:
        """The verified backup of the effect's run; taken and tried now where there is none."""
        keeper = self.keeper()
        wanted = _database_of(effect, str(effect.args["backend"]))
        url = await find_url(self.client, wanted, self.secret_of, priority=Priority.DEPLOY)
        version, since = str(effect.args["version"]), datetime.fromisoformat(str(effect.args["since"]))
        async with self.turns:
            made = await keeper.ensure(Source(effect.slug, version, url, effect.run_id), since=since)
        return {"backup": made.name, "bytes": made.stored_bytes, "rows": made.rows, "restore": made.restore_seconds}


async def find_url(client: RenderClient, wanted: DatabaseOf, secret_of: SecretOf, *, priority: Priority) -> str:
    """How to reach a customer's database from here: a named secret, else what Render says.

    Raises Refused (SW408) where the backend uses another database than the files name.
    """
    used = await env_vars.fetch_env_var(client, wanted.service_id, DATABASE_URL, priority=priority)
    known = await postgres.fetch_connection(client, wanted.postgres_id, priority=priority)
    internal, external = known.internal_url.get_secret_value(), known.external_url.get_secret_value()
    if used is None or _name_of(used.value.get_secret_value()) not in (_name_of(internal), _name_of(external)):
        raise Refused(
            "SW408",
            f"the backend of {wanted.slug} uses another database than {wanted.postgres_id}",
            why=f"its {DATABASE_URL} names another host, or another database there, than Render does for that id",
            fix="correct database_id in the files, or the env var in Render's dashboard",
        )
    named = secret_of(wanted.slug, ADMIN_URL)
    if named is not None and _name_of(named)[1] != _name_of(external)[1]:
        raise Refused(
            "SW408",
            f"{secret_variable(wanted.slug, ADMIN_URL)} names another database than {wanted.postgres_id} is",
            why="the names of the databases differ",
            fix="give the address of that customer's own database, or unset it",
        )
    return named or external


def _database_of(effect: Effect, backend: str) -> DatabaseOf:
    return DatabaseOf(effect.slug, ServiceID(backend), PostgresID(str(effect.args["postgres_id"])))


def _name_of(url: str) -> tuple[str, str]:
    """Which database a URL names: the first part of the host's name (Render's id inside and outside), and its own."""
    try:
        parts = urlsplit(url)
        return (f"{(parts.hostname or '').partition('.')[0]}", parts.path.strip("/"))
    except ValueError:
        return ("", "")


def _changed(wanted: dict[str, str], planned: Sequence[Migration]) -> Refused:
    missing = sorted(wanted.keys() - {one.id for one in planned})
    return Refused(
        "SW423",
        "the repository no longer has the migrations of the plan",
        why=f"other or gone: {', '.join(missing)}",
        fix="put the repository right and make a new plan",
    )
