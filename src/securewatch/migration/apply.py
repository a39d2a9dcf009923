"""Applies migrations to one customer's database: in order, each in a transaction of its own, under a lock.

What was applied stands in the table `schema_migrations`, where the customer's own tools keep it too: its column
`version` holds the id of each file. The row is written in the transaction of the file, so that a process which dies,
or a connection that breaks, leaves each of them done or not done. Decides nothing about deploys.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from securewatch.core.errors import NeedsHuman, Refused, Rejected, Retryable, SecurewatchError
from securewatch.migration.files import Migration

LEDGER = "schema_migrations"
CONNECT_SECONDS = 10
LOCK_SECONDS = 30
"""How long a migration waits for what others hold in the database: the site waits behind it for as long."""
_LOCK = int.from_bytes(b"SWmigrat") >> 1
_COLUMNS = """
SELECT attname AS name, attnotnull AND NOT atthasdef AS needed FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
_MAKE = """
CREATE TABLE schema_migrations (version text PRIMARY KEY, checksum text, applied_at timestamptz NOT NULL DEFAULT now())
"""
Connection = psycopg.AsyncConnection[dict[str, Any]]


@dataclass(frozen=True)
class Applied:
    """The ids of the migrations that the database has now, and what stopped the others."""

    ids: tuple[str, ...]
    error: SecurewatchError | None = None


@dataclass(frozen=True)
class Ledger:
    """What a database says was applied: the checksum by id, empty where it keeps none. `has_checksums` of the table."""

    applied: dict[str, str]
    exists: bool = True
    has_checksums: bool = True


async def apply_migrations(url: str, migrations: Sequence[Migration]) -> Applied:
    """Apply those that the database at `url` does not have, each on a connection of its own.

    What fails is not raised but given: it and those after it are not applied, and the database is as it was before it.
    Raises Retryable (SW509) where the database cannot be reached or goes away: then only its ledger tells how far it
    came. Raises Refused (SW423) where an applied file is another one now, or the ledger is none that we could write.
    """
    done: list[str] = []
    for one in migrations:
        try:
            async with await _connect(url) as connection:
                await _apply(connection, one)
        except psycopg.OperationalError as error:
            raise _away(error) from None
        except psycopg.Error as error:
            raise _unusable_ledger(_reason(error)) from None
        except (Rejected, NeedsHuman) as error:
            return Applied(tuple(done), error)
        done.append(one.id)
    return Applied(tuple(done))


async def _apply(connection: Connection, migration: Migration) -> None:
    """Apply it unless it is there already; two at once wait for each other."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        ledger = await _read_ledger(connection)
        if _is_applied(migration, ledger):
            return
        if not ledger.exists:
            await connection.execute(_MAKE)
        before = await _transaction_id(connection)
        try:
            await connection.execute(migration.sql.encode())
        except psycopg.Error as error:
            if connection.broken:
                raise
            raise _failed(migration, error) from None
        await connection.execute("RESET ROLE")
        await connection.execute("RESET search_path")
        if await _transaction_id(connection) != before:
            raise _ended_early(migration)
        await _note(connection, migration, ledger)


async def _read_ledger(connection: Connection) -> Ledger:
    found = await (await connection.execute(_COLUMNS, [LEDGER])).fetchall()
    names = {str(one["name"]) for one in found}
    if not found:
        return Ledger({}, exists=False)
    needed = {str(one["name"]) for one in found if one["needed"]} - {"version", "checksum"}
    if "version" not in names or needed:
        raise _unusable_ledger(f"it needs {', '.join(sorted(needed))}" if needed else "it has no column `version`")
    has_checksums = "checksum" in names
    columns = sql.SQL("version::text AS version, checksum" if has_checksums else "version::text AS version")
    rows = await connection.execute(sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(LEDGER)))
    applied = {str(row["version"]): str(row.get("checksum") or "") for row in await rows.fetchall()}
    return Ledger(applied, has_checksums=has_checksums)


def _is_applied(migration: Migration, ledger: Ledger) -> bool:
    if migration.id not in ledger.applied:
        return False
    if ledger.applied[migration.id] not in ("", migration.checksum):
        raise Refused(
            "SW423",
            f"the migration {migration.id} is another one than was applied to this database",
            why="its text changed after that",
            fix="leave applied files as they were, and put the change into a new one",
        )
    return True


async def _note(connection: Connection, migration: Migration, ledger: Ledger) -> None:
    row = {"version": migration.id} | ({"checksum": migration.checksum} if ledger.has_checksums else {})
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(LEDGER),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    await connection.execute(statement, row)


async def _transaction_id(connection: Connection) -> object:
    found = await (await connection.execute("SELECT pg_current_xact_id()::text AS id")).fetchone()
    return found["id"] if found else None


async def _connect(url: str) -> Connection:
    """A connection; what is sent on it outside of a transaction is one of its own."""
    try:
        return await psycopg.AsyncConnection.connect(
            url,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            row_factory=dict_row,
            application_name="securewatch",
        )
    except psycopg.Error as error:
        raise _away(error) from None


def _away(error: psycopg.Error) -> Retryable:
    return Retryable(
        "SW509",
        "the customer's database cannot be reached",
        why=_reason(error),
        fix="look at the database's status on Render and at its list of allowed addresses",
    )


def _unusable_ledger(why: str) -> Refused:
    return Refused(
        "SW423",
        f"the table {LEDGER} of the customer's database cannot keep what we apply",
        why=why,
        fix="give its other columns a default and us the right to write it, or rename it and keep its history",
    )


def _failed(migration: Migration, error: psycopg.Error) -> SecurewatchError:
    """Told without the server's words, which may quote the customer's data."""
    where = error.diag.statement_position
    line = f", line {migration.sql.count(chr(10), 0, int(where)) + 1}" if where and where.isdigit() else ""
    return Rejected(
        "SW509",
        f"the migration {migration.id} failed",
        why=f"{_reason(error)}{line}; the database is as it was before it",
        fix="try it on a copy of the database, put it right in a new tag, and deploy that",
    )


def _reason(error: psycopg.Error) -> str:
    return f"{type(error).__name__} ({error.sqlstate})" if error.sqlstate else type(error).__name__


def _ended_early(migration: Migration) -> NeedsHuman:
    return NeedsHuman(
        "SW509",
        f"the migration {migration.id} ended its own transaction",
        why="it holds a COMMIT or ROLLBACK, so a part of it may stand",
        fix="look at the database, finish it by hand, and add its id to the table schema_migrations",
    )
