"""The state database: opening it, and its transactions. What stands in it is the business of one file per aggregate."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from logging import getLogger
from pathlib import Path
from typing import Self

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from securewatch import __version__
from securewatch.core.errors import ConfigError, Refused
from securewatch.store import migrate
from securewatch.store.connections import Connections
from securewatch.store.failures import translated, unusable
from securewatch.store.head import GENESIS, HEAD_NAME, Head, read_head, write_head
from securewatch.store.news import News
from securewatch.store.tables import audit, meta
from securewatch.store.tx import KnownPlans, Prepared, Tx

__all__ = ["Database", "Tx", "changes_seen"]

_log = getLogger(__name__)
_BUMP = "UPDATE meta SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE key = 'change_counter' RETURNING value"
_MAC = Prepared(sa.select(audit.c.mac).where(audit.c.seq == sa.bindparam("p_seq")))
_CHANGES = Prepared(sa.select(meta.c.value).where(meta.c.key == "change_counter"))
INLINE = "sqlite+pysqlite:"


class Database:
    """One installation's state. Many may read and one writes at a time, in this process and in others.

    It belongs to the event loop in which it was opened. `io_hook` is told of every commit before and after it happens.
    `transactions_open` counts what is under way, for loops that must not take waiting for a thread for idleness.
    """

    def __init__(
        self,
        path: Path,
        *,
        io_hook: Callable[[str], None] | None = None,
        head_path: Path | None = None,
        inline: bool = False,
    ) -> None:
        self.path = path
        self.head_path = head_path or path.with_name(HEAD_NAME)
        self.transactions_open = 0
        self.news = News()
        self._io_hook = io_hook or _ignore
        self._connections = Connections(path, inline=inline)
        self._writing = asyncio.Lock()
        self._known = KnownPlans()

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        now: datetime | None,
        io_hook: Callable[[str], None] | None = None,
        head_path: Path | None = None,
        tool_version: str = __version__,
    ) -> Self:
        """Open the database at `url` (`sqlite+aiosqlite:///path`), making and migrating it where needed.

        The folder is made with mode 0700, the file with 0600. `head_path` is by default `audit.head` beside it.
        `sqlite+pysqlite:` works without threads, for virtual clocks (see `connections`). Raises ConfigError (SW109) for
        an unusable URL, Refused (SW702) for an unusable database, Conflict (SW703) where only a newer tool may use it.
        """
        inline = url.startswith(INLINE)
        database = cls(_path_of(url), io_hook=io_hook, head_path=head_path, inline=inline)
        with translated(str(database.path)):
            _make_file(database.path, database.head_path)
        await asyncio.to_thread(migrate.bring_up, database.path, now=now, tool_version=tool_version)
        return database

    @classmethod
    async def open_existing(
        cls,
        url: str,
        *,
        now: datetime | None = None,
        io_hook: Callable[[str], None] | None = None,
        head_path: Path | None = None,
        tool_version: str = __version__,
    ) -> Self | None:
        """Like `open`, for commands that only read: None where there is no database yet, and then nothing is made."""
        if not await asyncio.to_thread(migrate.is_made, _path_of(url)):
            return None
        return await cls.open(url, now=now, io_hook=io_hook, head_path=head_path, tool_version=tool_version)

    @asynccontextmanager
    async def write(self, label: str, *, about: Iterable[str] | None = None) -> AsyncIterator[Tx]:
        """A transaction that may change things: committed at the end, rolled back on an exception.

        `label` names the commit to the io hook. A transaction that changed nothing commits nothing and tells nobody.
        `about` says to this process's controller what it concerns (see `news`), at once and by `Tx.concerns`; where it
        is left out, the controller reads everything again.
        Raises Refused (SW702) where the database cannot be used.
        """
        async with self._writing, self._transaction(is_write=True) as tx:
            tx.about = None if about is None else set(about)
            await tx.run("BEGIN IMMEDIATE")
            yield tx
            await self._commit(tx, label)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Tx]:
        """A transaction that sees one state of everything and changes nothing. Raises like `write`."""
        async with self._transaction(is_write=False) as tx:
            await tx.run("BEGIN")
            yield tx

    async def changes(self) -> int:
        """How many transactions have changed the database so far, in any process: compare to notice news."""
        async with self._transaction(is_write=False) as tx:
            return await changes_seen(tx)

    async def close(self) -> None:
        """Close every connection. The database may not be used after that."""
        await self._connections.close()

    @asynccontextmanager
    async def _transaction(self, *, is_write: bool) -> AsyncIterator[Tx]:
        self.transactions_open += 1
        try:
            async with self._connections.borrow() as connection:
                yield Tx(connection, str(self.path), is_write=is_write, known=self._known)
        finally:
            self.transactions_open -= 1

    async def _commit(self, tx: Tx, label: str) -> None:
        if not tx.has_written:
            return
        head = tx.head if tx.head is not None and await self._is_borne_out(tx) else None
        ((counter,),) = await tx.run(_BUMP)
        self._io_hook(f"commit {label} before")
        await tx.run("COMMIT")
        self.news.note(int(counter), tx.about)
        self._io_hook(f"commit {label} after")
        if head is not None:
            self._write_head(head)

    async def _is_borne_out(self, tx: Tx) -> bool:
        """Whether the log holds the entry that the head on disk speaks of. If not, it was cut: that head stays, so that
        the cut is still found when the log has grown past it.
        """
        try:
            standing = read_head(self.head_path)
        except Refused:
            return True
        if standing is None or standing.count == 0:
            return True
        return await tx.first(_MAC, {"p_seq": standing.count}) == (standing.mac,)

    def _write_head(self, head: Head) -> None:
        """A head that cannot be written is made good by the next one; the commit stands."""
        try:
            write_head(self.head_path, head)
        except OSError as error:
            _log.warning("audit_head_not_written", extra={"action": "audit_head_not_written", "why": error.strerror})


async def changes_seen(tx: Tx) -> int:
    """How many transactions had changed the database when `tx` began."""
    found = await tx.first(_CHANGES)
    return int(found[0]) if found else 0


def _path_of(url: str) -> Path:
    try:
        parsed = sa.make_url(url)
    except ArgumentError as error:
        raise _bad_url("it is not a database URL") from error
    if parsed.get_backend_name() != "sqlite":
        raise _bad_url(f"this version keeps its state in SQLite, not in {parsed.get_backend_name()}")
    if not parsed.database or parsed.database == ":memory:":
        raise _bad_url("it names no file")
    return Path(parsed.database)


def _bad_url(why: str) -> ConfigError:
    return ConfigError(
        "SW109",
        "SECUREWATCH_DATABASE_URL has an unusable value",
        why=why,
        fix="use sqlite+aiosqlite:////absolute/path/state.db, or leave it unset",
    )


def _make_file(path: Path, head_path: Path) -> None:
    """Make the folder and the empty file; the first head comes before it, so that a missing head is a lost one."""
    if path.is_dir():
        raise unusable(str(path), "it is a folder", "point at a file")
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if path.exists() and path.stat().st_size > 0:
        return
    write_head(head_path, Head(0, GENESIS))
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _ignore(_event: str) -> None:
    return None
