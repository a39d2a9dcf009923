"""Takes a backup: one snapshot of a live database, dumped, sealed and stored as it comes. Verifies nothing later."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from securewatch.backup.archive import Sealer
from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.facts import Snapshot, open_snapshot
from securewatch.backup.model import Header, TableFacts, Trailer
from securewatch.backup.pg_dump import DUMP_MAGIC, Need, choose_programs, dump_database
from securewatch.backup.place import Place
from securewatch.backup.storage import make_name
from securewatch.core.errors import Rejected

_TABLE_MARK = b"TABLE DATA"
"""What a dump says in its table of contents, in the clear, for each table's rows."""


@dataclass(frozen=True)
class Wanted:
    """Of whom a backup is wanted: the customer's slug, the version that runs now, and the database."""

    customer: str
    version: str
    database: DatabaseAddress


@dataclass(frozen=True)
class Taken:
    """A backup that was taken and stored. It counts only once it is verified (`verify.py`)."""

    name: str
    header: Header
    trailer: Trailer
    stored_bytes: int
    seconds: float


async def take_backup(wanted: Wanted, place: Place, *, progress: Callable[[int], None] | None = None) -> Taken:
    """Take a backup and store it; `progress` hears how many bytes of the dump there are so far.

    What fails leaves nothing that looks like a backup. Raises Retryable (SW609: the database; SW607: the storage),
    Rejected (SW609) for a dump without the tables, ConfigError (SW110) without usable programs.
    """
    began, at = place.clock.monotonic(), place.clock.now()
    name = make_name(wanted.customer, at, secrets.token_hex(4))
    async with open_snapshot(wanted.database) as snapshot:
        server = snapshot.server
        programs = await choose_programs(place.pg_bin, Need(server.major, server.tls))
        header = Header(
            key_id=place.key.key_id,
            customer=wanted.customer,
            version=wanted.version,
            taken_at=at,
            server_at=snapshot.at,
            server_version=server.version,
            server_major=server.major,
            encoding=server.encoding,
            extensions=server.extensions,
        )
        making = _Making(Sealer(place.key, header), snapshot, progress or (lambda count: None))
        dump = dump_database(programs, wanted.database, snapshot=snapshot.exported)
        async with aclosing(dump), aclosing(making.pieces(dump)) as pieces:
            stored_bytes = await place.storage.save(name, pieces)
    return Taken(name, header, making.trailer, stored_bytes, place.clock.monotonic() - began)


class _Making:
    """One archive in the making. The tables are counted while the dump goes on, by the snapshot's own connection."""

    trailer: Trailer

    def __init__(self, sealer: Sealer, snapshot: Snapshot, progress: Callable[[int], None]) -> None:
        self._sealer, self._snapshot, self._progress = sealer, snapshot, progress

    async def pieces(self, dump: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        counting = asyncio.create_task(self._snapshot.read_tables())
        try:
            yield self._sealer.begin()
            head, has_tables = b"", False
            async for piece in dump:
                has_tables = has_tables or _TABLE_MARK in head[-len(_TABLE_MARK) :] + piece
                head = head[: len(DUMP_MAGIC)] + piece[-len(_TABLE_MARK) :] if head else piece
                yield self._sealer.add(piece)
                self._progress(self._sealer.dump_bytes)
            self._check(head, has_tables=has_tables)
            yield self._sealer.finish(await self._make_trailer(await counting))
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)

    async def _make_trailer(self, tables: tuple[TableFacts, ...]) -> Trailer:
        self.trailer = Trailer(
            dump_bytes=self._sealer.dump_bytes,
            dump_sha256=self._sealer.dump_sha256,
            database_bytes=self._snapshot.server.database_bytes,
            tables=tables,
            unchecked=await self._snapshot.read_unchecked(),
        )
        return self.trailer

    def _check(self, head: bytes, *, has_tables: bool) -> None:
        """A dump of nothing is a failure (safety S15)."""
        if head.startswith(DUMP_MAGIC) and (has_tables or not len(self._snapshot.tables)):
            return
        raise Rejected(
            "SW609",
            "the dump holds nothing of the database",
            why=f"{len(self._snapshot.tables)} tables are there, and pg_dump gave {self._sealer.dump_bytes} bytes",
            fix="see which pg_dump is used (SECUREWATCH_PG_BIN, PATH), and try it by hand",
        )
