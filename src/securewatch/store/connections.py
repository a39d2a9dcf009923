"""Connections to one SQLite file, lent out and kept for the next time. What a transaction is, `database` knows.

They are kept here and not by SQLAlchemy's async engine: each statement is then one step of the connection's thread and
not four, and SQLAlchemy's asyncio part need not be imported.
"""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiosqlite

from securewatch.store.failures import translated

BUSY_SECONDS = 10.0
"""How long a connection waits for a lock of another process."""
PRAGMAS = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON")
_IDLE_MAX = 4

logging.getLogger("aiosqlite").setLevel(logging.INFO)  # Its debug records hold the parameters of every statement.


class Connection(Protocol):
    """What is lent out: one SQLite connection."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open on it."""

    async def execute_fetchall(self, sql: str, parameters: Sequence[Any] = ()) -> Iterable[Any]:
        """Run one statement; gives its rows."""

    async def rollback(self) -> None:
        """Roll back what is open."""

    async def close(self) -> None:
        """Close it."""


class InlineConnection:
    """A connection whose statements run where they are called and not in a thread: they hold the event loop up.

    For loops on a virtual clock, in which nothing else waits and a change of threads costs more than the statement.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open on it."""
        return self._connection.in_transaction

    async def execute_fetchall(self, sql: str, parameters: Sequence[Any] = ()) -> Iterable[Any]:
        """Run one statement; gives its rows."""
        return self._connection.execute(sql, parameters).fetchall()

    async def rollback(self) -> None:
        """Roll back what is open."""
        self._connection.rollback()

    async def close(self) -> None:
        """Close it."""
        self._connection.close()


class Connections:
    """The connections of one process to one database file; `inline` ones use no threads (see InlineConnection)."""

    def __init__(self, path: Path, *, inline: bool = False) -> None:
        self._path = path
        self._inline = inline
        self._idle: list[Connection] = []

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Connection]:
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

    async def _give_back(self, connection: Connection) -> None:
        if connection.in_transaction:
            await connection.rollback()
        if len(self._idle) < _IDLE_MAX:
            self._idle.append(connection)
        else:
            await connection.close()

    async def _abandon(self, connection: Connection) -> None:
        """Clean up after a failure, which is raised already. A statement that was given up may still run in the
        connection's thread; the rollback comes after it.
        """
        try:
            await connection.rollback()
            await self._give_back(connection)
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                await connection.close()

    async def _connect(self) -> Connection:
        connection = await self._open()
        try:
            for pragma in PRAGMAS:
                await connection.execute_fetchall(pragma)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _open(self) -> Connection:
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        if self._inline:
            return InlineConnection(
                sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, cached_statements=256)
            )
        opening = aiosqlite.connect(uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, cached_statements=256)
        opening._thread.daemon = True  # Else a connection that was left open keeps the process from ending.
        return await opening
