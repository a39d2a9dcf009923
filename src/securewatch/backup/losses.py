"""What a restore of a backup would lose, as far as the database can tell, and where it cannot. Only reads.

Two things tell: the backup's own rows and checksum of each table, and columns in which applications keep the times of
writes, such as `created_at` and `updated_at`. A table of which neither changed has lost nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg import sql

from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.facts import ROW_HASH, Snapshot, open_snapshot, show_name
from securewatch.backup.model import Header, TableFacts, Trailer

_CREATED = ("created_at", "inserted_at", "createdAt", "date_created", "created")
_UPDATED = ("updated_at", "modified_at", "updatedAt", "date_modified", "modified", "last_modified", "updated")
_TIMES: LiteralString = """
    SELECT n.nspname, c.relname, a.attname
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
    AND a.atttypid IN ('pg_catalog.timestamptz'::pg_catalog.regtype, 'pg_catalog.timestamp'::pg_catalog.regtype)
"""
_SINCE = sql.SQL("""
    SELECT count(*) FILTER (WHERE {created} > {at}),
        count(*) FILTER (WHERE {updated} > {at} AND ({created} > {at}) IS NOT TRUE),
        LEAST(min({created}) FILTER (WHERE {created} > {at}), min({updated}) FILTER (WHERE {updated} > {at})),
        GREATEST(max({created}) FILTER (WHERE {created} > {at}), max({updated}) FILTER (WHERE {updated} > {at})),
        COALESCE(sum({hash}) FILTER (WHERE ({created} > {at}) IS NOT TRUE), 0)::text
    FROM ONLY {table} t
""")
_NONE = sql.SQL("NULL::timestamptz")


@dataclass(frozen=True)
class TableLoss:
    """What of one table a restore would lose: rows that were added, changed and removed since the backup.

    Each is None where the database cannot tell it, and `unknown` says why. `rows_then` is None for a table that the
    backup does not have, `rows_now` for one that is gone. The times are those of the first and last write, by the
    server's clock, of which a row still tells.
    """

    name: str
    rows_then: int | None
    rows_now: int | None
    added: int | None = 0
    changed: int | None = 0
    removed: int | None = 0
    first_write: datetime | None = None
    last_write: datetime | None = None
    unknown: str = ""

    @property
    def is_touched(self) -> bool:
        """Whether anything of it would be lost."""
        return bool(self.unknown) or (self.added, self.changed, self.removed) != (0, 0, 0)


async def estimate_losses(database: DatabaseAddress, header: Header, trailer: Trailer) -> tuple[TableLoss, ...]:
    """Every table of then and now, by name. Raises Retryable (SW609)."""
    then = {one.name: one for one in trailer.tables}
    async with open_snapshot(database) as snapshot:
        times = await _read_times(snapshot)
        tables = {show_name(*table): table for table in snapshot.tables}
        now = {one.name: one for one in await snapshot.read_tables()}
        losses = [_of_whole_table(then[name], None) for name in then.keys() - now.keys()]
        for name, found in now.items():
            before = then.get(name)
            if before is None or _is_untouched(before, found):
                losses.append(_of_whole_table(before, found))
            else:
                since = _Since(snapshot, tables[name], times.get(name, ()), header.server_at)
                losses.append(await since.compare(before, found))
    return tuple(sorted(losses, key=lambda one: one.name))


async def estimate_losses_since(database: DatabaseAddress, ago: timedelta) -> tuple[TableLoss, ...]:
    """What the rows of every table tell of so much time until now, by the server's clock, without a backup to compare
    with: of rows that were removed nothing. Raises Retryable (SW609).
    """
    async with open_snapshot(database) as snapshot:
        times = await _read_times(snapshot)
        names = {show_name(*table): table for table in snapshot.tables}
        now = await snapshot.read_tables()
        found = [
            await _Since(snapshot, names[one.name], times.get(one.name, ()), snapshot.at - ago).count(one)
            for one in now
        ]
    return tuple(sorted(found, key=lambda one: one.name))


def _is_untouched(before: TableFacts, found: TableFacts) -> bool:
    return before.checksum is not None and (before.rows, before.checksum) == (found.rows, found.checksum)


def _of_whole_table(before: TableFacts | None, found: TableFacts | None) -> TableLoss:
    """A table that is the same as then, that is new, or that is gone."""
    if before is None:
        assert found is not None
        return TableLoss(found.name, None, found.rows, added=found.rows)
    if found is None:
        return TableLoss(before.name, before.rows, None, removed=before.rows)
    return TableLoss(found.name, before.rows, found.rows)


async def _read_times(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """The columns of times of each table."""
    found: dict[str, tuple[str, ...]] = {}
    for schema, table, column in await snapshot.rows(_TIMES):
        name = show_name(schema, table)
        found[name] = (*found.get(name, ()), column)
    return found


@dataclass(frozen=True)
class _Since:
    """What the rows of one table tell of the time since the backup."""

    snapshot: Snapshot
    table: tuple[str, str]
    columns: Sequence[str]
    at: datetime

    async def compare(self, before: TableFacts, found: TableFacts) -> TableLoss:
        created, updated = self._column(_CREATED), self._column(_UPDATED)
        added, changed, first, last, checksum = await self._read(created, updated, found)
        removed = before.rows + added - found.rows
        is_proved = created is not None and not changed and not removed and checksum == before.checksum
        is_known = before.checksum is not None and found.checksum is not None
        is_silent = not (changed or removed) and (is_known or not added)
        unknown = "" if is_proved else _unknown(created, updated, removed=removed, is_silent=is_silent)
        return TableLoss(
            name=found.name,
            rows_then=before.rows,
            rows_now=found.rows,
            added=max(added, found.rows - before.rows) if created else None,
            changed=changed if updated or is_proved else None,
            removed=max(removed, 0) if created else None,
            first_write=first,
            last_write=last,
            unknown=unknown,
        )

    async def count(self, found: TableFacts) -> TableLoss:
        """What was written since, where nothing is known of the table as it was."""
        created, updated = self._column(_CREATED), self._column(_UPDATED)
        added, changed, first, last, _ = await self._read(created, updated, found)
        missing = _missing(created, updated)
        return TableLoss(
            name=found.name,
            rows_then=None,
            rows_now=found.rows,
            added=added if created else None,
            changed=changed if updated else None,
            removed=None,
            first_write=first,
            last_write=last,
            unknown=f"{missing}; " * bool(missing) + "what was removed leaves no trace",
        )

    async def _read(self, created: str | None, updated: str | None, found: TableFacts) -> tuple[Any, ...]:
        statement = _SINCE.format(
            created=_time(created),
            updated=_time(updated),
            at=sql.Literal(self.at),
            hash=ROW_HASH if found.checksum is not None else sql.SQL("0"),
            table=sql.Identifier(*self.table),
        )
        (row,) = await self.snapshot.rows(statement)
        return row

    def _column(self, names: Sequence[str]) -> str | None:
        return next((name for name in names if name in self.columns), None)


def _time(column: str | None) -> sql.Composable:
    """The column as an instant; one without a time zone is taken for UTC, which the session's is."""
    return sql.SQL("{}::timestamptz").format(sql.Identifier("t", column)) if column else _NONE


def _missing(created: str | None, updated: str | None) -> str:
    missing = [name for name, column in (("created_at", created), ("updated_at", updated)) if column is None]
    return f"it has no column such as {' or '.join(missing)}" if missing else ""


def _unknown(created: str | None, updated: str | None, *, removed: int, is_silent: bool) -> str:
    """Why the numbers may not be all; empty where they are."""
    if missing := _missing(created, updated):
        return missing
    if removed < 0:
        return f"{-removed} rows came whose {created} is from before the backup"
    return f"rows of then were changed, and neither {created} nor {updated} tells how" if is_silent else ""
