"""What stands in a database, all of it from one snapshot: tables, rows, checksums, size. Only reads.

A checksum is the sum of 64-bit hashes of the rows' texts, written the same way on every server. It finds what a backup
may lose or mangle; that nobody changed it on purpose is the archive's business.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.model import TableFacts

_BEGIN: LiteralString = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_SETTINGS: tuple[LiteralString, ...] = (
    "SET LOCAL lock_timeout = '60s'",
    "SET LOCAL row_security = off",
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL lc_monetary = 'C'",
)
_OBJECTS: LiteralString = """
    SELECT n.nspname, c.relname, c.relkind::text
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_(toast_)?temp_'
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1, 2
"""
_TABLE = "r"
_UNCHECKED: tuple[tuple[str, LiteralString], ...] = (
    ("large objects", "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata"),
    ("materialized views", "SELECT count(*) FROM pg_catalog.pg_matviews"),
    ("sequences", "SELECT count(*) FROM pg_catalog.pg_sequences"),
    ("foreign tables", "SELECT count(*) FROM pg_catalog.pg_foreign_table"),
)
_SERVER: LiteralString = """
    SELECT current_setting('server_version'), current_setting('server_encoding'),
        pg_database_size(current_database()), now(),
        ARRAY(SELECT extname::text FROM pg_catalog.pg_extension WHERE extnamespace::regnamespace::text = 'public')
"""
_TOO_LARGE = (psycopg.errors.ProgramLimitExceeded, psycopg.errors.OutOfMemory)


@dataclass(frozen=True)
class ServerFacts:
    """Of the server and the database as a whole; `at` is the server's own time, `extensions` those in public."""

    version: str
    major: int
    encoding: str
    database_bytes: int
    at: datetime
    extensions: tuple[str, ...]
    tls: bool


class Snapshot:
    """One database as it stands at one instant, for as long as it is open (see `open_snapshot`).

    `exported` is the name by which another connection, such as pg_dump's, sees the same instant.
    """

    def __init__(
        self, connection: psycopg.AsyncConnection, exported: str, server: ServerFacts, tables: list[tuple[str, str]]
    ) -> None:
        self._connection = connection
        self._tables = tables
        self.exported = exported
        self.server = server

    @property
    def table_count(self) -> int:
        """How many tables of its own the database has."""
        return len(self._tables)

    async def read_tables(self) -> tuple[TableFacts, ...]:
        """The facts of every table, each read once from end to end. Raises Retryable (SW609) through the connection."""
        return tuple([await self._read_table(schema, table) for schema, table in self._tables])

    async def read_unchecked(self) -> tuple[str, ...]:
        """What the database has that no checksum covers: `2 sequences`."""
        counts = [(what, await _one(self._connection, statement)) for what, statement in _UNCHECKED]
        return tuple(f"{count} {what}" for what, (count,) in counts if count)

    async def _read_table(self, schema: str, table: str) -> TableFacts:
        name, source = f"{schema}.{table}", sql.Identifier(schema, table)
        statement = sql.SQL(
            'SELECT count(*), COALESCE(sum(hashtextextended(t::text COLLATE "C", 0)), 0)::text FROM ONLY {} t'
        ).format(source)
        try:
            async with self._connection.transaction():
                rows, checksum = await _one(self._connection, statement)
            return TableFacts(name, int(rows), str(checksum))
        except _TOO_LARGE:
            rows, *_ = await _one(self._connection, sql.SQL("SELECT count(*) FROM ONLY {}").format(source))
            return TableFacts(name, int(rows), None, "a row is too large to be hashed")


@asynccontextmanager
async def open_snapshot(address: DatabaseAddress) -> AsyncIterator[Snapshot]:
    """The database as it stands now. Its tables cannot be dropped or emptied by TRUNCATE until the end.

    Raises Retryable (SW609) where the database cannot be read, or a table stays locked by others for a minute.
    """
    async with address.connect() as connection:
        await connection.execute(_BEGIN)
        for statement in _SETTINGS:
            await connection.execute(statement)
        tables = [(schema, name) for schema, name, kind in await _all(connection, _OBJECTS) if kind == _TABLE]
        if tables:
            names = sql.SQL(", ").join(sql.SQL("ONLY {}").format(sql.Identifier(*table)) for table in tables)
            await connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
        (exported,) = await _one(connection, "SELECT pg_export_snapshot()")
        yield Snapshot(connection, str(exported), await _read_server(connection), tables)
        if connection.info.transaction_status is TransactionStatus.INTRANS:
            await connection.execute("ROLLBACK")


async def fetch_server(address: DatabaseAddress) -> ServerFacts:
    """What server this is. Raises Retryable (SW609)."""
    async with address.connect() as connection:
        return await _read_server(connection)


async def is_empty(address: DatabaseAddress) -> bool:
    """Whether the database has no table, view or sequence of its own. Raises Retryable (SW609)."""
    async with address.connect() as connection:
        return not await _all(connection, _OBJECTS)


async def _read_server(connection: psycopg.AsyncConnection) -> ServerFacts:
    version, encoding, size, at, extensions = await _one(connection, _SERVER)
    return ServerFacts(
        version=version,
        major=connection.info.server_version // 10000,
        encoding=encoding,
        database_bytes=size,
        at=at,
        extensions=tuple(extensions),
        tls=connection.pgconn.ssl_in_use,
    )


async def _one(connection: psycopg.AsyncConnection, statement: LiteralString | sql.Composed) -> tuple[Any, ...]:
    (row,) = await _all(connection, statement)
    return row


async def _all(connection: psycopg.AsyncConnection, statement: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:
    return await (await connection.execute(statement)).fetchall()
