"""Render's exports and point-in-time recoveries of databases, over product time (reference, section 6).

The platform keeps a history of snapshots, real dumps: of each database that changed, every `snapshot_seconds`, and when
a test asks for one. A recovery begins from the newest snapshot at or before its time, so that is how fine it is.
"""

import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from localrender.clock import Clock
from localrender.database import DatabaseFailed
from localrender.errands import Errands, Finish
from localrender.ids import IDMint
from localrender.journal import EventBook
from localrender.model import Export, Options, Postgres, PostgresStatus, Snapshot, State
from localrender.storage import Storage

EXPORT_KEPT = timedelta(days=7)
RECENT = timedelta(minutes=10)
"""A recovery reaches no later than this before now."""
_STEM_MAX = 50
_PRO_SIZES_GB = (4, 8, 16, 32, 64, 128, 192, 256, 384, 512)
_ACCELERATED_SIZES_GB = (16, 32, 64, 128, 256, 384, 512, 768, 1024)
PLANS = (
    *("free", "basic_256mb", "basic_1gb", "basic_4gb"),
    *(f"pro_{size}gb" for size in _PRO_SIZES_GB),
    *(f"accelerated_{size}gb" for size in _ACCELERATED_SIZES_GB),
)
"""Plans of databases, the lowest first (OpenAPI document: postgres.plan, without those no longer sold)."""


class BackupRefused(Exception):
    """Render would not do it; the message says why."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a recovery is asked for; `fails` lets it end in failure."""

    at: datetime
    name: str
    plan: str
    fails: bool = False


@dataclass(frozen=True, slots=True)
class Shelf:
    """What backups work with; without `storage` there are no databases, and nothing is possible."""

    clock: Clock
    mint: IDMint
    options: Options
    errands: Errands
    storage: Storage | None


class Backups:
    """The exports, snapshots and recoveries of one state, which is changed in place."""

    def __init__(self, state: State, shelf: Shelf, events: EventBook) -> None:
        self._state = state
        self._shelf = shelf
        self._events = events
        self._rounds_from = shelf.clock.now()
        self._is_in_round = False

    def start_export(self, database: Postgres, *, fails: bool = False) -> None:
        """Begin an export. Raises BackupRefused."""
        storage = self._storage_for(database)
        if any(not one.ready for one in database.exports):
            raise BackupRefused("an export of this database is already in progress")
        now = self._shelf.clock.now()
        export_id = self._shelf.mint.mint("exp", now)
        file = storage.folder / f"{now:%Y-%m-%dT%H-%M-%SZ}-{export_id[-6:]}.dir.tar.gz"
        export = Export(export_id, now, secrets.token_urlsafe(32), file)
        database.exports.append(export)
        self._events.add(database, "postgres_backup_started", now, {})
        self._begin(
            _fail() if fails else storage.export(database.database, file),
            self._shelf.options.export_seconds,
            lambda at, error: self._finish_export(database, export, at, error),
        )

    def exports(self, database: Postgres) -> list[Export]:
        """The exports that are kept or under way, newest first."""
        oldest = self._shelf.clock.now() - EXPORT_KEPT
        return [one for one in reversed(database.exports) if one.created_at > oldest]

    def find_export(self, token: str) -> Export | None:
        """The finished export of a token, while it is kept."""
        found = (one for each in self._state.databases.values() for one in self.exports(each) if one.token == token)
        return next((one for one in found if one.ready), None)

    def starts_at(self, database: Postgres) -> datetime | None:
        """The earliest time to recover to; None while there is none. Raises BackupRefused where there never is."""
        self._storage_for(database)
        usable = [one.at for one in database.snapshots if one.at <= self._shelf.clock.now() - RECENT]
        return max(usable[0], self._shelf.clock.now() - self._window()) if usable else None

    async def recover(self, database: Postgres, asked: Recovery) -> Postgres:
        """Begin a recovery; gives the new instance. Raises BackupRefused, DatabaseFailed."""
        storage = self._storage_for(database)
        snapshot = self._snapshot_for(database, asked.at)
        now = self._shelf.clock.now()
        if asked.plan not in PLANS or PLANS.index(asked.plan) < PLANS.index(database.plan):
            raise BackupRefused("plan must be one that there is, and not lower than the original's")
        new_id = f"{self._shelf.mint.mint('dpg', now)}-a"
        name = f"{database.database[:_STEM_MAX]}_{new_id[-10:-2]}"
        url = await storage.create(name)
        password = url.removeprefix(f"postgresql://{name}:").partition("@")[0]
        made = Postgres(new_id, asked.name, name, name, password, url, database.owner_id, now, asked.plan)
        made.status, made.recovered_from = PostgresStatus.RECOVERING, database.id
        self._state.databases[new_id] = made
        self._begin(
            _fail() if asked.fails else storage.restore(snapshot.file, name),
            self._shelf.options.recovery_seconds,
            lambda at, error: self._finish_restore(made, storage, at, error),
        )
        return made

    async def take_snapshot(self, database: Postgres) -> Snapshot:
        """Dump a database as it is at this moment. Raises BackupRefused, DatabaseFailed."""
        return await self._dump(database, self._storage_for(database))

    async def refuse(self, database: Postgres, refused: bool) -> None:
        """Let a database refuse connections, or take them again. Raises BackupRefused, DatabaseFailed."""
        storage = self._shelf.storage
        if storage is None or database.status not in (PostgresStatus.AVAILABLE, PostgresStatus.UNAVAILABLE):
            raise BackupRefused("the database is not there")
        await storage.admit(database.database, not refused)
        database.status = PostgresStatus.UNAVAILABLE if refused else PostgresStatus.AVAILABLE
        kind = "postgres_unavailable" if refused else "postgres_available"
        self._events.add(database, kind, self._shelf.clock.now(), {})

    def advance(self) -> bool:
        """Do what is due; True if anything moved."""
        now = self._shelf.clock.now()
        moved = self._shelf.errands.advance(now)
        due, storage = self._next_round(), self._shelf.storage
        if storage is not None and due is not None and due <= now:
            self._is_in_round, self._rounds_from = True, now
            self._shelf.errands.begin(self._dump_changed(storage), now, self._finish_round)
            self._forget_old(now)
            return True
        return moved

    def next_due(self) -> datetime | None:
        """When something is due by time."""
        now = self._shelf.clock.now()
        return min((one for one in (self._shelf.errands.next_due(now), self._next_round()) if one), default=None)

    async def clear(self) -> None:
        """Undo everything: empty the databases of the first state, drop all others, and remove every dump."""
        await self._shelf.errands.stop()
        storage = self._shelf.storage
        if storage is None:
            return
        for database in self._state.databases.values():
            if database.recovered_from:
                await storage.drop(database.database)
            else:
                await storage.empty(database.database)
        storage.clear()

    def _storage_for(self, database: Postgres) -> Storage:
        storage = self._shelf.storage
        if storage is None or database.plan == "free":
            raise BackupRefused("backups are not available for this database")
        if database.status is not PostgresStatus.AVAILABLE:
            raise BackupRefused(f"the database is not available: status is {database.status.value}")
        return storage

    def _snapshot_for(self, database: Postgres, at: datetime) -> Snapshot:
        starts_at = self.starts_at(database)
        if starts_at is None or at < starts_at:
            raise BackupRefused("restoreTime is before the earliest time that can be restored")
        if at > self._shelf.clock.now() - RECENT:
            raise BackupRefused("restoreTime must be at least 10 minutes ago")
        return [one for one in database.snapshots if one.at <= at][-1]

    def _window(self) -> timedelta:
        return timedelta(days=self._shelf.options.recovery_days)

    def _begin(self, work: Coroutine[None, None, None], seconds: float, finish: Finish) -> None:
        self._shelf.errands.begin(work, self._shelf.clock.now() + timedelta(seconds=seconds), finish)

    def _finish_export(self, database: Postgres, export: Export, at: datetime, error: str | None) -> None:
        place = database.exports.index(export)
        if error is None:
            database.exports[place] = replace(export, ready=True)
        else:
            del database.exports[place]
        self._events.add(database, "postgres_backup_failed" if error else "postgres_backup_completed", at, {})

    def _finish_restore(self, made: Postgres, storage: Storage, at: datetime, error: str | None) -> None:
        if error is not None:
            made.status = PostgresStatus.RECOVERY_FAILED
            self._events.add(made, "postgres_restore_failed", at, {})
            return
        made.status = PostgresStatus.CREATING
        self._begin(
            storage.admit(made.database, True),
            self._shelf.options.recovery_seconds,
            lambda at, error: self._open(made, at, error),
        )

    def _open(self, made: Postgres, at: datetime, error: str | None) -> None:
        made.status = PostgresStatus.RECOVERY_FAILED if error else PostgresStatus.AVAILABLE
        self._events.add(made, "postgres_restore_failed" if error else "postgres_restore_succeeded", at, {})

    def _next_round(self) -> datetime | None:
        seconds = self._shelf.options.snapshot_seconds
        if self._shelf.storage is None or not seconds or self._is_in_round:
            return None
        return self._rounds_from + timedelta(seconds=seconds)

    async def _dump_changed(self, storage: Storage) -> None:
        changes = await storage.count_changes()
        for database in list(self._state.databases.values()):
            counted = changes.get(database.database)
            if database.status is PostgresStatus.AVAILABLE and counted is not None and counted != database.changes:
                await self._dump(database, storage)
                database.changes = counted

    async def _dump(self, database: Postgres, storage: Storage) -> Snapshot:
        now = self._shelf.clock.now()
        snapshot = Snapshot(now, storage.folder / f"{database.id}-{secrets.token_hex(4)}.dump")
        await storage.dump(database.database, snapshot.file)
        database.snapshots.append(snapshot)
        database.snapshots.sort(key=lambda one: one.at)
        return snapshot

    def _finish_round(self, at: datetime, error: str | None) -> None:
        self._is_in_round = False

    def _forget_old(self, now: datetime) -> None:
        """Remove exports that are no longer kept, and snapshots from which no recovery can begin any more."""
        for database in self._state.databases.values():
            for export in [one for one in database.exports if one.ready and one.created_at <= now - EXPORT_KEPT]:
                export.file.unlink(missing_ok=True)
                database.exports.remove(export)
            old = [one for one in database.snapshots if one.at <= now - self._window()]
            for snapshot in old[:-1]:
                snapshot.file.unlink(missing_ok=True)
                database.snapshots.remove(snapshot)


async def _fail() -> None:
    raise DatabaseFailed("it was to fail")
