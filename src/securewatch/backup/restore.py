"""Restores a backup into a database that is empty, and compares the two. Makes, drops and switches no database."""

from contextlib import aclosing
from dataclasses import dataclass

from securewatch.backup.archive import open_archive
from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.facts import fetch_server, is_empty, open_snapshot
from securewatch.backup.model import Header, TableDifference, Trailer, compare_tables
from securewatch.backup.pg_dump import Need, choose_programs, restore_dump
from securewatch.backup.place import Place
from securewatch.core.errors import Refused


@dataclass(frozen=True)
class Target:
    """Where to restore: an empty database. An `is_scratch` one gets the data and no more than that needs.

    What is restored belongs to `role`; empty for the one that connects.
    """

    database: DatabaseAddress
    is_scratch: bool = False
    role: str = ""


@dataclass(frozen=True)
class Restored:
    """A backup that was restored: what it says of itself, the seconds it took, and every table that is not the same."""

    header: Header
    trailer: Trailer
    seconds: float
    differences: tuple[TableDifference, ...]


async def restore_into(target: Target, name: str, place: Place, *, customer: str) -> Restored:
    """Restore that backup of the customer into the target, wholly or not at all, and compare every table.

    Raises:
        Refused: the archive is damaged, cut or foreign (SW606); the target is not empty or of an older server (SW610).
        NotFound: there is no such backup (SW206).
        Retryable, Rejected: the database (SW609) or the storage (SW607) failed.
        ConfigError: there are no usable programs (SW110).
    """
    async with aclosing(place.storage.read(name)) as sealed:
        archive = await open_archive(sealed, place.key, customer=customer)
        server = await fetch_server(target.database)
        await _check(target.database, server.major, archive.header)
        programs = await choose_programs(place.pg_bin, Need(server.major, server.tls))
        began = place.clock.monotonic()
        async with aclosing(archive.dump()) as dump:
            await restore_dump(programs, target.database, dump, is_scratch=target.is_scratch, role=target.role)
        if not target.is_scratch:
            await _analyze(target.database)
        seconds = place.clock.monotonic() - began
    async with open_snapshot(target.database) as snapshot:
        found = await snapshot.read_tables()
    return Restored(archive.header, archive.trailer, seconds, compare_tables(archive.trailer.tables, found))


async def read_header_of(name: str, place: Place, *, customer: str) -> Header:
    """What an archive says of itself before its dump. Raises as `restore_into` does for the archive."""
    async with aclosing(place.storage.read(name)) as sealed:
        return (await open_archive(sealed, place.key, customer=customer)).header


async def read_facts_of(name: str, place: Place, *, customer: str) -> tuple[Header, Trailer]:
    """What an archive says of itself, once it is read and proved from end to end. Raises like `read_header_of`."""
    async with aclosing(place.storage.read(name)) as sealed:
        archive = await open_archive(sealed, place.key, customer=customer)
        async with aclosing(archive.dump()) as dump:
            async for _ in dump:
                continue
        return archive.header, archive.trailer


async def _analyze(database: DatabaseAddress) -> None:
    """Let the planner know the restored tables, or the first questions to them would be slow."""
    async with database.connect() as connection:
        await connection.execute("ANALYZE")


async def _check(database: DatabaseAddress, major: int, header: Header) -> None:
    why = ""
    if major < header.server_major:
        why = f"its server is of version {major}, and the backup of version {header.server_major}"
    elif not await is_empty(database):
        why = "it has tables, views or sequences already"
    if why:
        raise Refused(
            "SW610",
            f"nothing can be restored into {database.shown}",
            why=why,
            fix="make a new, empty database on a server that is no older, and restore into that one",
        )
