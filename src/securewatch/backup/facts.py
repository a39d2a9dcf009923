"""What stands in a database, all of it from one snapshot: tables, rows, checksums, size. Only reads.

A checksum is the sum of 64-bit hashes of the rows' texts, written the same way on every server. It finds what a backup
may lose or mangle; that nobody changed it on purpose is the archive's business.
"""

import re
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
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
ROW_HASH = sql.SQL('hashtextextended((t.*)::text COLLATE "C", 0)')
"""The hash of a row of `t`, by its text: the same on every server, given the settings of a snapshot."""
_UNCHECKED: tuple[tuple[str, LiteralString], ...] = (
    ("large objects", "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata"),
    ("materialized views", "SELECT count(*) FROM pg_catalog.pg_matviews"),
    ("sequences", "SELECT count(*) FROM pg_catalog.pg_sequences"),
    ("foreign tables", "SELECT count(*) FROM pg_catalog.pg_foreign_table"),
)
_SERVER: LiteralString = """
    SELECT current_setting('server_version'), current_setting('server_encoding'),
        pg_database_size(current_database()),
        ARRAY(SELECT extname::text FROM pg_catalog.pg_extension WHERE extnamespace::regnamespace::text = 'public')
"""
_GRANTEES: LiteralString = """
    SELECT DISTINCT COALESCE(r.rolname::text, 'public')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND a.grantee <> c.relowner
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
    ORDER BY 1
"""
_TOO_LARGE = (psycopg.errors.ProgramLimitExceeded, psycopg.errors.OutOfMemory)


@dataclass(frozen=True)
class ServerFacts:
    """Of the server and the database as a whole; `extensions` are those in the schema public."""

    version: str
    major: int
    encoding: str
    database_bytes: int
    extensions: tuple[str, ...]
    tls: bool


@dataclass(frozen=True)
class Snapshot:
    """One database as it stands at one instant, for as long as it is open (see `open_snapshot`).

    `at` is that instant by the server's clock; `tables` are schema and name of each. By the name `exported` another
    connection, such as pg_dump's, sees the same. Every call raises Retryable (SW609) where the database fails.
    """

    connection: psycopg.AsyncConnection
    at: datetime
    exported: str
    server: ServerFacts
    tables: tuple[tuple[str, str], ...]

    async def read_tables(self) -> tuple[TableFacts, ...]:
        """The facts of every table, each read once from end to end."""
        return tuple([await self._read_table(*table) for table in self.tables])

    async def read_unchecked(self) -> tuple[str, ...]:
        """What the database has that no checksum covers: `2 sequences`."""
        counts = [(what, await _one(self.connection, statement)) for what, statement in _UNCHECKED]
        return tuple(f"{count} {what}" for what, (count,) in counts if count)

    async def rows(self, statement: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:
        """What another question answers; every name in it must have its schema."""
        return await _all(self.connection, statement)

    async def _read_table(self, schema: str, table: str) -> TableFacts:
        name, source = show_name(schema, table), sql.Identifier(schema, table)
        try:
            async with self.connection.transaction():
                asked = sql.SQL("SELECT count(*), COALESCE(sum({}), 0)::text FROM ONLY {} t").format(ROW_HASH, source)
                rows, checksum = await _one(self.connection, asked)
            return TableFacts(name, int(rows), str(checksum))
        except _TOO_LARGE:
            rows, *_ = await _one(self.connection, sql.SQL("SELECT count(*) FROM ONLY {}").format(source))
            return TableFacts(name, int(rows), None, "a row is too large to be hashed")


def show_name(schema: str, table: str) -> str:
    """The table's name as in SQL: `public.people`, `"Billing now"."In voices"`."""
    return ".".join(part if _PLAIN.fullmatch(part) else '"' + part.replace('"', '""') + '"' for part in (schema, table))


@asynccontextmanager
async def open_snapshot(address: DatabaseAddress) -> AsyncIterator[Snapshot]:
    """The database as it stands now. Its tables cannot be dropped or emptied by TRUNCATE until the end.

    Raises Retryable (SW609) where the database cannot be read, or a table stays locked by others for a minute.
    """
    async with address.connect() as connection:
        await connection.execute(_BEGIN)
        for statement in _SETTINGS:
            await connection.execute(statement)
        (at,) = await _one(connection, "SELECT statement_timestamp()")  # the first to look, so the snapshot's instant
        found = await _all(connection, _OBJECTS)
        tables = tuple((schema, name) for schema, name, kind in found if kind == _TABLE)
        if tables:
            names = sql.SQL(", ").join(sql.SQL("ONLY {}").format(sql.Identifier(*table)) for table in tables)
            await connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(names))
        (exported,) = await _one(connection, "SELECT pg_export_snapshot()")
        yield Snapshot(connection, at, str(exported), await _read_server(connection), tables)
        if connection.info.transaction_status is TransactionStatus.INTRANS:
            await connection.execute("ROLLBACK")


async def fetch_server(address: DatabaseAddress) -> ServerFacts:
    """What server this is. Raises Retryable (SW609)."""
    async with address.connect() as connection:
        return await _read_server(connection)


async def fetch_grantees(address: DatabaseAddress) -> tuple[str, ...]:
    """The roles other than the owner that have rights on tables, views or sequences; `public` for everybody.

    No backup has them. Raises Retryable (SW609).
    """
    async with address.connect() as connection:
        return tuple(str(name) for (name,) in await _all(connection, _GRANTEES))


async def is_empty(address: DatabaseAddress) -> bool:
    """Whether the database has no table, view or sequence of its own. Raises Retryable (SW609)."""
    async with address.connect() as connection:
        return not await _all(connection, _OBJECTS)


async def _read_server(connection: psycopg.AsyncConnection) -> ServerFacts:
    version, encoding, size, extensions = await _one(connection, _SERVER)
    return ServerFacts(
        version=version,
        major=connection.info.server_version // 10000,
        encoding=encoding,
        database_bytes=size,
        extensions=tuple(extensions),
        tls=connection.pgconn.ssl_in_use,
    )


async def _one(connection: psycopg.AsyncConnection, statement: LiteralString | sql.Composed) -> tuple[Any, ...]:
    (row,) = await _all(connection, statement)
    return row


async def _all(connection: psycopg.AsyncConnection, statement: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:
    return await (await connection.execute(statement)).fetchall()
