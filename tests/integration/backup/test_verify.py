"""Verifying and restoring: a whole backup comes back the same, and whatever is not whole or not ours is refused."""

import asyncio
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.model import ArchiveKey, TableDifference
from securewatch.backup.programs import find_programs
from securewatch.backup.restore import Target, restore_into
from securewatch.backup.scratch import PREFIX, ScratchServer, open_scratch
from securewatch.backup.take import Taken
from securewatch.backup.verify import verify_backup
from securewatch.core.errors import Refused, Rejected
from tests.integration.backup.given import (
    BULK,
    KEY,
    SCHEMA,
    Databases,
    Given,
    execute,
    given,
    running_databases,
    wanted,
)
from tests.integration.backup.test_take import make_program, programs_of

HOLDER = """
import asyncio
from securewatch.backup.keeper import open_server

async def main():
    async with open_server() as folder:
        print(folder, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""

RESTORER = """
import asyncio, sys
from pathlib import Path
from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.restore import Target, restore_into
from securewatch.backup.storage import Storage
from tests.integration.backup.given import given

class Stopping(Storage):
    async def read(self, name):
        count = 0
        async for piece in super().read(name):
            yield piece
            count += 1
            if count == 4:
                print("half-way", flush=True)
                sys.stdin.read()

place = given("", Path(sys.argv[1]), storage=Stopping(sys.argv[1])).place
asyncio.run(restore_into(Target(DatabaseAddress(sys.argv[2])), sys.argv[3], place, customer="acme-corp"))
"""


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    with running_databases() as found:
        yield found


@pytest.fixture(scope="module")
def small(databases: Databases) -> str:
    return databases.make(SCHEMA)


@pytest.fixture
def place(small: str, tmp_path: Path) -> Given:
    return given(small, tmp_path / "kept")


async def test_a_backup_that_is_whole_is_verified_in_a_server_of_our_own(place: Given) -> None:
    taken = await place.take()

    restored = await verify_backup(taken.name, place.place, ScratchServer(), customer="acme-corp")

    assert restored.differences == ()
    assert (restored.header, restored.trailer) == (taken.header, taken.trailer)
    assert restored.seconds > 0


async def test_a_backup_is_verified_on_the_server_that_was_named_and_nothing_stays_there(
    databases: Databases, place: Given
) -> None:
    taken, server = await place.take(), databases.own_server()

    restored = await verify_backup(taken.name, place.place, named(server), customer="acme-corp")

    assert restored.differences == ()
    assert execute(server, f"SELECT datname FROM pg_database WHERE datname LIKE '{PREFIX}%'") == []


async def test_scratch_databases_of_killed_processes_are_removed_and_those_in_use_stay(
    databases: Databases, place: Given
) -> None:
    taken, server = await place.take(), databases.own_server()
    execute(server, f"CREATE DATABASE {PREFIX}left", f"CREATE DATABASE {PREFIX}used")

    async with DatabaseAddress(server).beside(f"{PREFIX}used").connect():
        await verify_backup(taken.name, place.place, named(server), customer="acme-corp")

    left = execute(server, f"SELECT datname FROM pg_database WHERE datname LIKE '{PREFIX}%'")
    execute(server, f"DROP DATABASE {PREFIX}used")
    assert left == [(f"{PREFIX}used",)]


async def test_rows_that_a_dump_left_out_are_found(databases: Databases, small: str, tmp_path: Path) -> None:
    careless_programs(tmp_path / "bin", "--exclude-table-data=public.visits_2026 --exclude-table=public.nothing")
    careless = given(small, tmp_path / "kept", pg_bin=tmp_path / "bin")
    taken = await careless.take()

    restored = await verify_backup(taken.name, careless.place, named(databases.own_server()), customer="acme-corp")

    assert restored.differences == (
        TableDifference("public.nothing", 0, None),
        TableDifference("public.visits_2026", 100, 0),
    )


async def test_a_database_with_extensions_that_take_a_superuser_is_verified(
    databases: Databases, tmp_path: Path
) -> None:
    url = databases.own_server()
    execute(url, "CREATE EXTENSION pageinspect", "CREATE EXTENSION citext", "CREATE TABLE t AS SELECT 'a'::citext AS c")
    place = given(url, tmp_path)
    taken = await place.take()

    restored = await verify_backup(taken.name, place.place, ScratchServer(), customer="acme-corp")

    assert set(taken.header.extensions) == {"pageinspect", "citext"}
    assert restored.differences == ()


@pytest.mark.parametrize("damage", ["flipped", "cut", "without its end", "longer"])
async def test_a_damaged_backup_is_refused_and_leaves_the_target_empty(
    databases: Databases, small: str, tmp_path: Path, damage: str
) -> None:
    place, empty = given(small, tmp_path), databases.make()
    taken = await place.take()
    path = place.file(taken)
    whole = path.read_bytes()
    middle = len(whole) // 2
    changed = {
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "cut": whole[:middle],
        "without its end": whole[: trailer_start(whole)],
        "longer": whole + b"x",
    }[damage]
    path.write_bytes(changed)

    with pytest.raises(Refused) as caught:
        await restore_into(Target(DatabaseAddress(empty)), taken.name, place.place, customer="acme-corp")

    assert caught.value.code == "SW606"
    assert tables_of(empty) == []


async def test_a_backup_of_another_key_or_customer_is_refused(
    databases: Databases, place: Given, tmp_path: Path, small: str
) -> None:
    taken, scratch = await place.take(), named(databases.own_server())
    other_name = given(small, tmp_path / "kept", key=ArchiveKey("key-2", KEY.key))
    other_key = given(small, tmp_path / "kept", key=ArchiveKey(KEY.key_id, bytes(32)))
    other_customer = place.folder / taken.name.replace("acme-corp", "medhealth")
    other_customer.parent.mkdir()
    shutil.copy(place.file(taken), other_customer)

    for one, name, customer in (
        (other_name, taken.name, "acme-corp"),
        (other_key, taken.name, "acme-corp"),
        (place, taken.name.replace("acme-corp", "medhealth"), "medhealth"),
    ):
        with pytest.raises(Refused) as caught:
            await verify_backup(name, one.place, scratch, customer=customer)
        assert caught.value.code == "SW606"


async def test_a_restore_into_an_empty_database_brings_everything_back(databases: Databases, place: Given) -> None:
    taken, empty = await place.take(), databases.make()

    restored = await restore_into(Target(DatabaseAddress(empty)), taken.name, place.place, customer="acme-corp")

    assert restored.differences == ()
    assert execute(empty, "SELECT count(*) FROM names") == [(503,)]
    assert execute(empty, "SELECT nextval('people_id_seq')") == [(504,)]
    assert execute(empty, "SELECT obj_description('people'::regclass)") == [("who there is",)]


async def test_a_restore_into_a_database_with_tables_is_refused(place: Given, small: str) -> None:
    taken = await place.take()

    with pytest.raises(Refused) as caught:
        await restore_into(Target(DatabaseAddress(small)), taken.name, place.place, customer="acme-corp")

    assert caught.value.code == "SW610"


async def test_a_restore_that_fails_half_way_keeps_nothing_and_tells_no_data(
    databases: Databases, tmp_path: Path
) -> None:
    source, empty = databases.make(*BROKEN), databases.make()
    place = given(source, tmp_path)
    taken = await place.take()

    with pytest.raises(Rejected) as caught:
        await restore_into(Target(DatabaseAddress(empty)), taken.name, place.place, customer="acme-corp")

    assert (caught.value.code, tables_of(empty)) == ("SW609", [])
    assert "canary" not in f"{caught.value.why} {caught.value.__cause__!r} {caught.value.__context__!r}"


async def test_a_restore_whose_process_is_killed_keeps_nothing_and_can_be_begun_again(
    databases: Databases, tmp_path: Path
) -> None:
    place, empty = given(databases.make(BULK.format(rows=4000)), tmp_path), databases.make()
    taken = await place.take()
    parent = subprocess.Popen(
        [sys.executable, "-c", RESTORER, str(tmp_path), empty, taken.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "half-way\n"
    (child,) = programs_of(empty, "pg_restore")

    parent.send_signal(signal.SIGKILL)
    parent.wait()

    async with asyncio.timeout(10):
        while Path(f"/proc/{child}").exists():
            await asyncio.sleep(0.02)
    assert tables_of(empty) == []
    target = Target(DatabaseAddress(empty))
    restored = await restore_into(target, taken.name, place.place, customer="acme-corp")
    assert restored.differences == ()


async def test_a_customers_database_is_no_scratch_database(place: Given, small: str) -> None:
    taken = await place.take()
    inside = DatabaseAddress("postgresql://u:p@dpg-abc-a/acme")
    outside = DatabaseAddress("postgresql://u:p@DPG-abc-a.oregon-postgres.example.com:5432/acme")

    for scratch, customer in (
        (DatabaseAddress(small.replace("127.0.0.1", "localhost")), wanted(small).database),
        (outside, inside),
    ):
        with pytest.raises(Refused) as caught:
            await verify_backup(taken.name, place.place, ScratchServer(scratch, (customer,)), customer="acme-corp")
        assert caught.value.code == "SW608"


async def test_restored_code_has_no_rights_on_our_own_server(place: Given) -> None:
    taken: Taken = await place.take()

    async with open_scratch(ScratchServer(), taken.header) as database, database.connect() as connection:
        found = await (
            await connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        ).fetchall()

    assert found == [(False,)]


async def test_a_killed_process_leaves_no_server() -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    folder = Path(holder.stdout.readline().strip())
    server = int((folder / "data" / "postmaster.pid").read_text().split()[0])

    holder.send_signal(signal.SIGKILL)

    async with asyncio.timeout(20):
        while folder.exists():
            await asyncio.sleep(0.02)
    assert not Path(f"/proc/{server}").exists()
    holder.wait()


BROKEN = (
    "CREATE TABLE a AS SELECT 1 AS n",
    "CREATE TABLE t (name text)",
    "INSERT INTO t VALUES ('canary-in-a-row')",
    "CREATE FUNCTION allowed(text) RETURNS boolean LANGUAGE sql IMMUTABLE"
    " AS 'SELECT pg_catalog.current_setting(''application_name'') <> ''securewatch'''",
    "ALTER TABLE t ADD CONSTRAINT checked CHECK (allowed(name))",
)
"""A database whose rows cannot be restored, since a rule that they kept holds no longer."""


def named(server: str) -> ScratchServer:
    """The server of SECUREWATCH_SCRATCH_DATABASE_URL."""
    return ScratchServer(DatabaseAddress(server))


def careless_programs(folder: Path, options: str) -> None:
    """A pg_dump that leaves out what the options say, beside a pg_restore."""
    real = list(find_programs(None))[-1]
    asked = f'[ "$1" = --version ] && exec {real.pg_dump} --version'
    make_program(folder / "pg_dump", f'{asked}\nexec {real.pg_dump} {options} "$@"')
    make_program(folder / "pg_restore", f'exec {real.pg_restore} "$@"')


def trailer_start(archive: bytes) -> int:
    """Where the last record begins: the only one whose length has its highest bit set."""
    place = 9 + 4 + int.from_bytes(archive[9:13]) + 32
    while not archive[place] & 0x80:
        place += 4 + int.from_bytes(archive[place : place + 4])
    return place


def tables_of(url: str) -> list[tuple[object, ...]]:
    return execute(url, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
