"""A throw-away database to try a backup in: made, handed out and dropped. Never a customer's.

It is made on the server of SECUREWATCH_SCRATCH_DATABASE_URL where that is set, else on a server of our own (see
`keeper.py`). On our own server the restored code runs as a role without rights of any kind beyond its database.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from securewatch.backup.connection import DatabaseAddress, is_among
from securewatch.backup.keeper import SUPERUSER, open_server
from securewatch.backup.model import Header
from securewatch.core.errors import Refused

PREFIX = "securewatch_scratch_"


@dataclass(frozen=True)
class ScratchServer:
    """Where scratch databases are made: at `database`'s server, or on one of our own where there is none.

    `customers` are the databases that it must never be.
    """

    database: DatabaseAddress | None = None
    customers: tuple[DatabaseAddress, ...] = ()


@asynccontextmanager
async def open_scratch(server: ScratchServer, header: Header) -> AsyncIterator[DatabaseAddress]:
    """An empty database in which that backup can be restored; gone at the end, whatever happens.

    Raises:
        Refused: the scratch database is a customer's (SW608).
        ConfigError: there is no server, since the extra is not installed (SW110).
        Retryable: the server failed (SW609).
    """
    if server.database is not None:
        _check(server.database, server.customers)
        async with _made_on(server.database, header) as made:
            yield made
        return
    async with open_server() as folder:
        own = DatabaseAddress(f"host={folder} user={SUPERUSER} dbname={SUPERUSER}")
        async with _made_on(own, header, owner=f"{PREFIX}owner") as made:
            yield made


@asynccontextmanager
async def _made_on(
    server: DatabaseAddress, header: Header, *, owner: str | None = None
) -> AsyncIterator[DatabaseAddress]:
    name = PREFIX + secrets.token_hex(8)
    database = sql.Identifier(name)
    made = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LOCALE 'C'")
    give = sql.SQL("CREATE ROLE {owner} LOGIN; ALTER DATABASE {database} OWNER TO {owner}")
    dropped = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    async with server.connect() as connection:
        await _remove_leftovers(connection)
        await connection.execute(made.format(database, sql.Literal(header.encoding)))
    try:
        # As long as this connection is open, the database is no leftover.
        async with server.beside(name).connect() as connection:
            if owner is not None:
                await connection.execute(give.format(owner=sql.Identifier(owner), database=database))
            await _add_extensions(connection, header.extensions)
            yield server.beside(name, user=owner)
    finally:
        await asyncio.shield(_execute(server, dropped.format(database)))


async def _execute(server: DatabaseAddress, statement: sql.Composed) -> None:
    async with server.connect() as connection:
        await connection.execute(statement)


async def _remove_leftovers(connection: psycopg.AsyncConnection) -> None:
    """Drop scratch databases that nobody is connected to: who made them was killed, and they hold customers' rows."""
    listed = await connection.execute(
        "SELECT datname FROM pg_catalog.pg_database WHERE starts_with(datname, %s)", [PREFIX]
    )
    for (name,) in await listed.fetchall():
        with suppress(psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege):
            await connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


async def _add_extensions(connection: psycopg.AsyncConnection, names: Sequence[str]) -> None:
    """Make the extensions that only a superuser may; where one cannot be made, the restore will say what it lacks."""
    for name in names:
        with suppress(psycopg.Error):
            statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public CASCADE")
            await connection.execute(statement.format(sql.Identifier(name)))


def _check(database: DatabaseAddress, customers: Sequence[DatabaseAddress]) -> None:
    if is_among(database, customers):
        raise Refused(
            "SW608",
            "the scratch database is a customer's",
            why=f"SECUREWATCH_SCRATCH_DATABASE_URL leads to {database.shown}",
            fix="name a database that belongs to no customer, on a server where databases may be made, or none at all",
        )
