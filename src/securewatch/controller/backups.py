"""Takes backups of customers' databases, tries them and notes what came of it. Which are needed, others decide."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from securewatch.backup.model import NewDatabase
from securewatch.core.clock import Clock
from securewatch.core.errors import ConfigError, Rejected
from securewatch.store import audit, backups, former
from securewatch.store.backups import Backup, TableRows
from securewatch.store.box import SecretBox
from securewatch.store.database import Database

if TYPE_CHECKING:
    from securewatch.backup.beside import Beside
    from securewatch.backup.losses import TableLoss
    from securewatch.backup.restore import Restored
    from securewatch.backup.take import Taken
    from securewatch.backup.work import Backups

DAMAGED = "SW606"
"""A backup of which no restore gives what was backed up."""


@dataclass(frozen=True)
class Source:
    """What is to be backed up: a customer's database at its URL, the version that runs, and the run that needs it."""

    slug: str
    version: str
    url: str
    run_id: str = ""


@dataclass(frozen=True)
class BackupKeeper:
    """Keeps the backups of an installation, on behalf of `actor`."""

    database: Database
    box: SecretBox
    work: "Backups"
    clock: Clock
    actor: str

    async def take(self, source: Source, *, progress: Callable[[int], None] | None = None) -> Backup:
        """Take a backup and note it. It counts only once it is verified. Raises as `Backups.take` does."""
        taken = await self.work.take(source.slug, version=source.version, url=source.url, progress=progress)
        made = _backup(taken, source, self.work.shown_place, self.actor)
        async with self.database.write("backup taken", about=()) as tx:
            await backups.add_backup(tx, made)
            await self._note(tx, "backup.taken", made, {"bytes": made.stored_bytes, "rows": made.rows})
        return made

    async def verify(self, backup: Backup, *, customers: Collection[str] = ()) -> Backup:
        """Restore a backup into a scratch database, compare it and note what came of it; gives it as it is then.

        `customers` are the URLs of databases that the scratch database must never be. Where something differs, it has
        a `problem`. Raises as `Backups.verify` does, and ConfigError (SW107) where its key is not known.
        """
        key = await self._key_of(backup)
        found = await self.work.verify(backup.name, customer=backup.slug, key=key, customers=customers)
        judged = self._judged(backup, found)
        async with self.database.write("backup verified", about=()) as tx:
            await backups.update_backup(tx, judged)
            said = {"seconds": round(found.seconds, 3), "problem": judged.problem}
            await self._note(tx, "backup.failed" if judged.problem else "backup.verified", judged, said)
        return judged

    async def losses(self, backup: Backup, url: str) -> "tuple[TableLoss, ...]":
        """What a restore of a backup would lose of the database at `url` now. Raises as `Backups.losses` does."""
        return await self.work.losses(backup.name, customer=backup.slug, key=await self._key_of(backup), url=url)

    async def restore_beside(self, backup: Backup, url: str, database: str, *, owner: str = "") -> "Beside":
        """Restore a backup into a new database beside the one at `url`, of the role `owner`, else of the one in `url`.

        Raises as `Backups.restore_beside` does.
        """
        key, new = await self._key_of(backup), NewDatabase(database, owner)
        return await self.work.restore_beside(backup.name, customer=backup.slug, key=key, url=url, new=new)

    async def _key_of(self, backup: Backup) -> tuple[str, bytes]:
        async with self.database.read() as tx:
            key = (await former.archive_keys(tx, self.box)).get(backup.key_id)
        if key is None:
            raise ConfigError(
                "SW107",
                f"the backup {backup.name} was sealed under the key {backup.key_id}",
                why="that key is not known here",
                fix="use the key that was in force then, or a state database that went through its rotation",
            )
        return backup.key_id, key

    async def ensure(self, source: Source, *, since: datetime) -> Backup:
        """The verified backup of the source's run that was taken from `since` on: one that there is, or one of now.

        Raises Rejected (SW606) for one of which a restore does not give the same.
        """
        async with self.database.read() as tx:
            known = [one for one in await backups.backups_of_run(tx, source.run_id) if one.taken_at >= since]
        done = next((one for one in known if one.verified_at), None)
        if done is not None:
            return done
        fresh = next((one for one in known if not one.problem), None) or await self.take(source)
        judged = await self.verify(fresh, customers=(source.url,))
        if judged.problem:
            raise Rejected(DAMAGED, f"the backup {judged.name} does not give what was backed up", why=judged.problem)
        return judged

    async def remove(self, backup: Backup, reason: str) -> None:
        """Delete a backup's archive, and note why."""
        await self.work.delete(backup.name)
        gone = replace(backup, removed_at=self.clock.now())
        async with self.database.write("backup removed", about=()) as tx:
            await backups.update_backup(tx, gone)
            await self._note(tx, "backup.removed", gone, {"reason": reason})

    def _judged(self, backup: Backup, found: "Restored") -> Backup:
        problem = "; ".join(map(str, found.differences[:5]))
        if problem:
            return replace(backup, problem=problem, verified_at=None)
        return replace(backup, problem="", verified_at=self.clock.now(), restore_seconds=found.seconds)

    async def _note(self, tx: Any, action: str, backup: Backup, detail: Mapping[str, Any]) -> None:
        said = {"backup": backup.name, "version": backup.version, **detail}
        now, run_id = self.clock.now(), backup.run_id or None
        await audit.append(
            tx, self.box, at=now, actor=self.actor, action=action, slug=backup.slug, run_id=run_id, detail=said
        )


def _backup(taken: "Taken", source: Source, place: str, actor: str) -> Backup:
    header, trailer = taken.header, taken.trailer
    return Backup(
        name=taken.name,
        slug=source.slug,
        version=source.version,
        place=place,
        taken_at=header.taken_at,
        actor=actor,
        run_id=source.run_id,
        key_id=header.key_id,
        server_version=header.server_version,
        database_bytes=trailer.database_bytes,
        dump_bytes=trailer.dump_bytes,
        stored_bytes=taken.stored_bytes,
        dump_sha256=trailer.dump_sha256,
        seconds=taken.seconds,
        tables=tuple(TableRows(one.name, one.rows) for one in trailer.tables),
    )
