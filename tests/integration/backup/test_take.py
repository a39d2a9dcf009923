"""Taking a backup: what it says of itself, and that neither failure nor kill leaves something behind."""

import asyncio
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import fsspec
import psycopg
import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from securewatch.backup.storage import Storage
from securewatch.core.errors import ConfigError, Rejected, Retryable, SecurewatchError
from tests.integration.backup.given import (
    BULK,
    CANARY,
    SCHEMA,
    Databases,
    end_connections,
    given,
    running_databases,
    wanted,
)

PARENT = """
import asyncio, sys
from pathlib import Path
from typing import ClassVar
from tests.integration.backup.given import given
print("ready", flush=True)

async def main():
    def stay(count):
        print(count, flush=True)
        sys.stdin.read()

    await given(sys.argv[1], Path(sys.argv[2])).take(progress=stay)

asyncio.run(main())
"""


class FullFile(MemoryFile):
    def write(self, data: bytes) -> int:
        if self.tell() + len(data) > 100_000:
            raise OSError(28, "No space left on device")
        return super().write(data)


class FullFileSystem(MemoryFileSystem):
    """A disk of 100 kB for each file."""

    protocol = "full"
    store: ClassVar[dict[str, object]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    def _open(self, path: str, mode: str = "rb", **options: object) -> MemoryFile:
        if mode != "wb":
            return super()._open(path, mode, **options)
        file = FullFile(self, path)
        self.store[path] = file
        return file


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    with running_databases() as found:
        yield found


@pytest.fixture(scope="module")
def small(databases: Databases) -> str:
    return databases.make(SCHEMA)


@pytest.fixture(scope="module")
def bulky(databases: Databases) -> str:
    return databases.make(BULK.format(rows=6000))


async def test_a_backup_tells_what_was_in_the_database(small: str, tmp_path: Path) -> None:
    place = given(small, tmp_path / "kept")

    taken = await place.take()

    assert {one.name: one.rows for one in taken.trailer.tables} == {
        '"Billing now"."In voices"': 50,
        "public.nothing": 0,
        "public.people": 503,
        "public.visits_2026": 100,
    }
    assert all(one.checksum is not None for one in taken.trailer.tables)
    assert taken.trailer.unchecked == ("1 materialized views", "1 sequences")
    assert (taken.header.customer, taken.header.version, taken.header.server_major) == ("acme-corp", "v1.0.0", 18)
    assert taken.stored_bytes == place.file(taken).stat().st_size > taken.trailer.dump_bytes > 0


async def test_a_backup_is_a_file_of_its_owner_alone(small: str, tmp_path: Path) -> None:
    place = given(small, tmp_path / "kept")

    taken = await place.take()

    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "kept", *place.file(taken).parents[:1])]
    assert modes == [0o700, 0o700]
    assert stat.S_IMODE(place.file(taken).stat().st_mode) == 0o600
    assert [one.name for one in await place.place.storage.find("acme-corp")] == [taken.name]


async def test_rows_written_while_the_dump_runs_are_in_neither_the_dump_nor_the_counts(
    databases: Databases, tmp_path: Path
) -> None:
    url = databases.make(BULK.format(rows=2000))
    wrote = []

    def write(count: int) -> None:
        if not wrote:
            with psycopg.connect(url, autocommit=True) as connection:
                wrote.append(connection.execute("INSERT INTO bulk SELECT 1, 'late' FROM generate_series(1, 10)"))

    taken = await given(url, tmp_path).take(progress=write)

    assert wrote
    assert [one.rows for one in taken.trailer.tables] == [2000]


async def test_an_empty_database_has_a_backup_too(databases: Databases, tmp_path: Path) -> None:
    taken = await given(databases.make(), tmp_path).take()

    assert taken.trailer.tables == ()


async def test_nothing_of_a_row_can_be_read_in_the_archive(databases: Databases, tmp_path: Path) -> None:
    url = databases.make(f"CREATE TABLE secret_name AS SELECT '{CANARY}' AS text FROM generate_series(1, 100)")
    place = given(url, tmp_path)

    sealed = place.file(await place.take()).read_bytes()

    assert b"acme-corp" in sealed
    assert not [word for word in (CANARY.encode(), b"secret_name", b"PGDMP", password(url).encode()) if word in sealed]


async def test_the_password_stands_in_no_argument_and_no_environment(bulky: str, tmp_path: Path) -> None:
    seen = {}

    def look(count: int) -> None:
        seen.update(programs_of(bulky))

    await given(bulky, tmp_path).take(progress=look)

    assert seen
    assert not [told for told in seen.values() if password(bulky).encode() in told]


async def test_a_database_that_dies_in_the_middle_leaves_nothing(bulky: str, tmp_path: Path) -> None:
    place = given(bulky, tmp_path)

    with pytest.raises(Retryable) as caught:
        await place.take(progress=lambda count: end_connections(bulky))

    assert caught.value.code == "SW609"
    assert password(bulky) not in told(caught.value)
    assert files_in(tmp_path) == []
    assert not programs_of(bulky)


async def test_a_cancelled_backup_leaves_nothing(bulky: str, tmp_path: Path) -> None:
    begun = asyncio.Event()
    task = asyncio.create_task(given(bulky, tmp_path).take(progress=lambda count: begun.set()))
    await begun.wait()

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert files_in(tmp_path) == []
    assert not programs_of(bulky)


async def test_a_killed_process_leaves_no_program_and_no_whole_backup(bulky: str, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, bulky, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    assert int(parent.stdout.readline()) > 0
    (child,) = programs_of(bulky)

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    async with asyncio.timeout(10):
        while Path(f"/proc/{child}").exists():
            await asyncio.sleep(0.02)
    storage = Storage(tmp_path)
    assert await storage.find("acme-corp") == ()
    (left,) = await storage.remove_leftovers("acme-corp", begun_before=given(bulky, tmp_path).place.clock.now())
    assert left.endswith(".partial")
    assert files_in(tmp_path) == []


async def test_a_full_disk_is_one_clear_error_and_leaves_nothing(bulky: str, tmp_path: Path) -> None:
    fsspec.register_implementation("full", FullFileSystem, clobber=True)
    storage = Storage("full://backups")

    with pytest.raises(Retryable) as caught:
        await given(bulky, tmp_path, storage=storage).take()

    assert (caught.value.code, caught.value.why) == ("SW607", "no space is left")
    assert await storage.find("acme-corp") == ()
    assert not [path for path in FullFileSystem.store if "swbackup" in path]
    assert not programs_of(bulky)


async def test_a_wrong_password_is_told_without_it(small: str, tmp_path: Path) -> None:
    wrong = small.replace(password(small), "hunter2-canary")

    with pytest.raises(Retryable) as caught:
        await given(wrong, tmp_path).take()

    assert "password authentication failed" in caught.value.why
    assert "hunter2" not in told(caught.value)


async def test_programs_older_than_the_server_are_refused(small: str, tmp_path: Path) -> None:
    make_program(tmp_path / "bin" / "pg_dump", "echo 'pg_dump (PostgreSQL) 9.6.24'")
    make_program(tmp_path / "bin" / "pg_restore", "echo 'pg_restore (PostgreSQL) 9.6.24'")

    with pytest.raises(ConfigError) as caught:
        await given(small, tmp_path / "kept", pg_bin=tmp_path / "bin").take()

    assert caught.value.code == "SW110"
    assert "version 9, older than the server's 18" in caught.value.why


@pytest.mark.parametrize("output", ["true", "printf PGDMP"])
async def test_a_dump_of_nothing_is_a_failure(small: str, tmp_path: Path, output: str) -> None:
    for name in ("pg_dump", "pg_restore"):
        script = f'[ "$1" = --version ] && echo "{name} (PostgreSQL) 18.1" && exit\n{output}'
        make_program(tmp_path / "bin" / name, script)

    with pytest.raises(Rejected) as caught:
        await given(small, tmp_path / "kept", pg_bin=tmp_path / "bin").take()

    assert caught.value.code == "SW609"
    assert files_in(tmp_path / "kept") == []


def password(url: str) -> str:
    return wanted(url).database.password


def told(error: SecurewatchError) -> str:
    return f"{error!r} {error.why} {error.fix} {error.__cause__!r}"


def programs_of(url: str, name: str = "pg_dump") -> dict[int, bytes]:
    """What /proc tells of each program that runs against the database's server: its arguments and environment."""
    port = f"PGPORT={wanted(url).database.variables['PGPORT']}\0".encode()
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            if f"{name}\0".encode() in command and port in environment:
                found[int(entry.name)] = command + environment
        except OSError:
            continue
    return found


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def make_program(path: Path, script: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
