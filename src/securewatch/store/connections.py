"""Connections to one SQLite file, lent out and kept for the next time. What a transaction is, `database` knows.

They are kept here and not by SQLAlchemy's async engine: each statement is then one step of the connection's thread and
not four, and SQLAlchemy's asyncio part need not be imported.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite

from securewatch.store.failures import translated

BUSY_SECONDS = 10.0
"""How long a connection waits for a lock of another process."""
PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON")
_IDLE_MAX = 4

logging.getLogger("aiosqlite").setLevel(logging.INFO)  # Its debug records hold the parameters of every statement.


class Connections:
    """The connections of one process to one database file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[aiosqlite.Connection] = []

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[aiosqlite.Connection]:
        """A connection outside of any transaction; whatever is still open on it afterwards is rolled back."""
        with translated(str(self._path)):
            connection = self._idle.pop() if self._idle else await self._connect()
        try:
            yield connection
        except BaseException:
            await asyncio.shield(self._abandon(connection))
            raise
        with translated(str(self._path)):
            await self._give_back(connection)

    async def close(self) -> None:
        """Close every connection that is not lent out."""
        while self._idle:
            await self._idle.pop().close()

    async def _give_back(self, connection: aiosqlite.Connection) -> None:
        if connection.in_transaction:
            await connection.rollback()
        if len(self._idle) < _IDLE_MAX:
            self._idle.append(connection)
        else:
            await connection.close()

    async def _abandon(self, connection: aiosqlite.Connection) -> None:
        """Clean up after a failure, which is raised already. A statement that was given up may still run in the
        connection's thread; the rollback comes after it.
        """
        try:
            await connection.rollback()
            await self._give_back(connection)
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                await connection.close()

    async def _connect(self) -> aiosqlite.Connection:
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        opening = aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, cached_statements=256)
        opening._thread.daemon = True  # Else a connection that was left open keeps the process from ending.
        connection = await opening
        try:
            for pragma in PRAGMAS:
                await connection.execute_fetchall(pragma)
        except BaseException:
            await connection.close()
            raise
        return connection
