"""The customers' databases for effects: finds out how to reach one and applies what a plan names. Keeps no password."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from securewatch.controller.addresses import (
    Addresses,
    DatabaseOf,
    SecretOf,
    database_in,
    find_addresses,
    like,
    with_database,
)
from securewatch.controller.backups import BackupKeeper, Source
from securewatch.core.clock import Clock
from securewatch.core.errors import NotFound, Refused, Rejected, Retryable
from securewatch.core.ids import OwnerID, PostgresID, ServiceID
from securewatch.deploy.ports import Begin, Migrated, RestoredDatabase
from securewatch.deploy.view import Effect
from securewatch.migration.files import FOLDER, Migration, read_migrations
from securewatch.render import postgres
from securewatch.render.budget import Priority
from securewatch.render.client import RenderClient
from securewatch.render.models import PostgresStatus
from securewatch.render.recovery import reach_of, recovery_words
from securewatch.store import backups
from securewatch.store.database import Database
from securewatch.store.standing import standing_of
from securewatch.versions.git import VendorRepository

if TYPE_CHECKING:
    from securewatch.backup.losses import TableLoss

AWAY = ("SW607", "SW609")
"""The storage of the backups, or the database, cannot be reached."""
RESTORE_TRIES_MAX = 10
"""How often one process tries a restore while what it needs is away, before the site is opened as it was."""
RECOVERY_LOOKS_MAX = 60
"""How often one process looks for an instance that a recovery was to make, before it takes it for lost."""
RECOVERY_MAX = timedelta(hours=6)
BACKUPS_MAX = 4
"""Backups that one process takes and tries at once: each is a dump, and a server of its own for the try."""
_SUFFIX = re.compile(r"_r\d+(_\d+)?$")
Apply = Callable[[str, Sequence[Migration]], Awaitable[Migrated]]


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
    store: Database
    clock: Clock
    owner_id: str
    turns: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, BACKUPS_MAX))
    looked: Counter[str] = field(default_factory=Counter)

    async def migrate(self, effect: Effect, begin: Begin) -> Migrated:
        """Apply the migrations that the effect names, as the planned commit has them."""
        wanted: dict[str, str] = dict(effect.args["files"])
        found = read_migrations(await self.repository.read_files(str(effect.args["commit"]), FOLDER))
        planned = tuple(one for one in found if wanted.get(one.id) == one.checksum)
        if len(planned) != len(wanted):
            raise _changed(wanted, planned)
        url = (await self._addresses(await self._database(effect, effect.service_id))).outside
        guard = await begin()
        guard()
        return await self.apply(url, planned)

    async def back_up(self, effect: Effect) -> Mapping[str, Any]:
        """The verified backup of the effect's run; taken and tried now where there is none."""
        keeper = self.keeper()
        url = (await self._addresses(await self._database(effect, str(effect.args["backend"])))).outside
        version, since = str(effect.args["version"]), datetime.fromisoformat(str(effect.args["since"]))
        async with self.turns:
            made = await keeper.ensure(Source(effect.slug, version, url, effect.run_id), since=since)
        return {"backup": made.name, "bytes": made.stored_bytes, "rows": made.rows, "restore": made.restore_seconds}

    async def restore(self, effect: Effect, begin: Begin) -> RestoredDatabase | None:
        """The new database: a backup restored beside the one that serves, or an instance that Render recovers."""
        if not effect.args["backup"]:
            return await self._recover(effect, begin)
        try:
            return await self._restore_backup(effect, begin)
        except Retryable as error:
            self.looked[_name_of(effect)] += error.code in AWAY
            if self.looked[_name_of(effect)] < RESTORE_TRIES_MAX:
                raise
            left = f"a database _r{effect.generation} may be left there, half restored and used by nobody"
            why = f"{error.why}, {RESTORE_TRIES_MAX} times in a row; {left}"
            raise Rejected("SW613", error.what, why=why) from error

    async def _restore_backup(self, effect: Effect, begin: Begin) -> RestoredDatabase:
        keeper, name = self.keeper(), str(effect.args["backup"])
        async with self.store.read() as tx:
            backup = await backups.load_backup(tx, name)
        if backup is None or backup.removed_at is not None or backup.slug != effect.slug:
            raise NotFound("SW206", f"the backup {name} is gone", why="its archive was deleted, or nobody took it here")
        database = await self._database(effect, str(effect.args["backend"]))
        found = await self._addresses(database)
        serving, instance = database_in(found.used), database.postgres_id
        new = name_beside(serving, effect, is_ours=database.database == serving)
        check_switch(found.used)
        guard = await begin()
        guard()
        async with self.turns:
            made = await keeper.restore_beside(backup, found.outside, new, owner=found.other_owner)
        facts: dict[str, Any] = {"database": new, "kept": f"{serving} on {instance}", "rows": made.rows, "backup": name}
        facts |= {"postgres_id": instance, "instance_before": instance}
        lost = None
        if made.losses is not None:
            lost = {one.name: loss_words(one) for one in made.losses if one.is_touched}
        return RestoredDatabase(with_database(found.used, new), facts | {"lost": lost})

    async def _recover(self, effect: Effect, begin: Begin) -> RestoredDatabase | None:
        """Ask Render once for a recovery, and look for what it made by its name; None until that is available.

        Names are not unique at Render: what was called so before this was asked for is somebody else's.
        """
        database = await self._database(effect, str(effect.args["backend"]))
        of = database.postgres_id
        serving = await postgres.fetch_postgres(self.client, of, priority=Priority.DEPLOY)
        name = f"{serving.name[:40]}-{effect.run_id}"
        found = await postgres.fetch_postgres_named(
            self.client, name, owner_id=OwnerID(self.owner_id), priority=Priority.DEPLOY
        )
        if not effect.state.was_sent:
            await self._ask_for_recovery(effect, of, (name, [one.id for one in found]), begin)
            return None
        named = [one for one in found if one.id not in effect.before.get("ids", ())]
        made = named[0] if named else None
        if made is not None and (len(named) > 1 or made.status is PostgresStatus.RECOVERY_FAILED):
            why = f"{len(named)} instances are called so" if len(named) > 1 else "Render says that the recovery failed"
            raise Rejected("SW613", f"the recovered database {name} cannot be used", why=why)
        if made is None or made.status is not PostgresStatus.AVAILABLE:
            self._check_patience(effect, name, is_there=made is not None)
            return None
        known = await postgres.fetch_connection(self.client, PostgresID(made.id), priority=Priority.DEPLOY)
        async with self.store.read() as tx:
            then = await standing_of(tx, effect.slug, by=datetime.fromisoformat(str(effect.args["at"])))
        url = with_database(known.internal_url.get_secret_value(), then.database if then is not None else "")
        used = (await self._addresses(database)).used
        facts: dict[str, Any] = {
            "database": database_in(url),
            "kept": f"{serving.name} ({of})",
            "rows": None,
            "lost": None,
        }
        url = like(used, url)
        return RestoredDatabase(url, facts | {"postgres_id": made.id, "instance_before": of})

    def _check_patience(self, effect: Effect, name: str, *, is_there: bool) -> None:
        """Raise Rejected (SW613) where Render shows nothing of the recovery, or does not come to its end."""
        self.looked[_name_of(effect)] += not is_there
        why = ""
        if self.looked[_name_of(effect)] > RECOVERY_LOOKS_MAX:
            why = "Render shows no instance of that name, though it was asked for one"
        if effect.sent_at is not None and self.clock.now() - effect.sent_at > RECOVERY_MAX:
            why = f"it is not available {RECOVERY_MAX} after it was asked for"
        if why:
            raise Rejected("SW613", f"the recovered database {name} cannot be used", why=why)

    async def _ask_for_recovery(
        self, effect: Effect, of: PostgresID, named: tuple[str, Sequence[str]], begin: Begin
    ) -> None:
        name, known_ids = named
        at = datetime.fromisoformat(str(effect.args["at"]))
        window = await postgres.fetch_recovery_window(self.client, of, priority=Priority.DEPLOY)
        reach = reach_of(window, self.clock.now())
        if not reach.holds(at):
            why = f"recovery by Render: {recovery_words(reach)}"
            raise Refused("SW614", f"{of} cannot be recovered to {at:%Y-%m-%d %H:%M} UTC", why=why)
        guard = await begin({"ids": list(known_ids)})
        await postgres.recover(self.client, of, at=at, name=name, priority=Priority.DEPLOY, guard=guard)

    async def _database(self, effect: Effect, backend: str) -> DatabaseOf:
        """The database that the customer uses now: that of the plan, or the one that a restore put in its place."""
        planned = DatabaseOf(effect.slug, ServiceID(backend), PostgresID(str(effect.args["postgres_id"])))
        async with self.store.read() as tx:
            return planned.since_restore(await standing_of(tx, effect.slug))

    async def _addresses(self, database: DatabaseOf) -> Addresses:
        return await find_addresses(self.client, database, self.secret_of, priority=Priority.DEPLOY)


def _name_of(effect: Effect) -> str:
    """What stays the same of an effect that is dropped and armed again, when its row and so its id is another one."""
    return f"{effect.run_id} {effect.key}"


def name_beside(name: str, effect: Effect, *, is_ours: bool) -> str:
    """What a restore calls its new database beside the one of that name, after its run and attempt; 63 bytes at most.

    `is_ours` says that a restore made that one: then its name ends as another run's.
    """
    attempt = effect.key.partition("#")[2]
    suffix = f"_r{effect.generation}" + (f"_{attempt}" if attempt else "")
    stem = _SUFFIX.sub("", name) if is_ours else name
    return stem.encode()[: 63 - len(suffix)].decode(errors="ignore") + suffix


def check_switch(used: str) -> None:
    """Raise Refused (SW613) where another name in the path of the backend's URL would not lead to another database."""
    options = parse_qs(urlsplit(used).query)
    if {"dbname", "host", "service"} & options.keys():
        raise Refused(
            "SW613",
            "the backend's DATABASE_URL cannot be switched to another database",
            why="its options name host or database, which go before what stands in its path",
            fix="write it as postgresql://user:password@host/name, deploy that, and restore then",
        )


def loss_words(loss: "TableLoss") -> str:
    """What of one table is lost, in words: `3 added, 1 changed`."""
    counts = (("added", loss.added), ("changed", loss.changed), ("removed", loss.removed))
    said = [f"{count} {word}" for word, count in counts if count]
    return ", ".join(said + ([f"not known: {loss.unknown}"] if loss.unknown else []))


def _changed(wanted: dict[str, str], planned: Sequence[Migration]) -> Refused:
    missing = sorted(wanted.keys() - {one.id for one in planned})
    return Refused(
        "SW423",
        "the repository no longer has the migrations of the plan",
        why=f"other or gone: {', '.join(missing)}",
        fix="put the repository right and make a new plan",
    )
