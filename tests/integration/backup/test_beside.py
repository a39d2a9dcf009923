"""A backup restored into a new database beside the one that serves, which is only read."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from localrender.database import find_package
from securewatch.backup.beside import Beside, restore_beside
from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.model import NewDatabase
from securewatch.core.errors import Refused, Rejected, Retryable
from tests.integration.backup.given import SCHEMA, Databases, Given, end_connections, execute, given, running_databases

pytestmark = pytest.mark.xdist_group("backup_beside")

ROWS = 653
BEGUN = "securewatch: being restored from "
LOCALE = "SELECT datcollate, datctype, datlocprovider, datlocale, pg_encoding_to_char(encoding) FROM pg_database"


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    with running_databases() as found:
        yield found


@pytest.fixture
def serving(databases: Databases, tmp_path: Path) -> Given:
    """A customer's database that serves."""
    return given(databases.make(SCHEMA), tmp_path / "kept")


def name_beside(one: Given) -> str:
    return f"{DatabaseAddress(one.url).name}_r2"


def url_beside(one: Given) -> str:
    return f"{one.url}_r2"


async def restore(one: Given, name: str, *, customer: str = "acme-corp", owner: str = "") -> Beside:
    new = NewDatabase(name_beside(one), owner)
    return await restore_beside(DatabaseAddress(one.url), new, name, one.place, customer=customer)


def is_there(one: Given) -> bool:
    """Whether there is a database beside."""
    return execute(one.url, f"SELECT 1 FROM pg_database WHERE datname = '{name_beside(one)}'") == [(1,)]


def comment_of(one: Given) -> str:
    found = execute(
        one.url,
        f"SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{name_beside(one)}'",
    )
    return str(found[0][0])


def people_in(url: str) -> int:
    return int(str(execute(url, "SELECT count(*) FROM people")[0][0]))


def programs(folder: Path, restore_script: str) -> Path:
    """A folder with PostgreSQL's programs, of which pg_restore does what the script says before it begins."""
    real = find_package() / "pginstall" / "bin"
    folder.mkdir()
    (folder / "pg_dump").symlink_to(real / "pg_dump")
    text = f'#!/bin/sh\n[ "$1" = --version ] && exec {real}/pg_restore --version\n{restore_script}\n'
    (folder / "pg_restore").write_text(f'{text}exec {real}/pg_restore "$@"\n')
    (folder / "pg_restore").chmod(0o755)
    return folder


async def test_the_new_database_has_the_rows_of_then_and_what_was_written_since_is_told(serving: Given) -> None:
    taken = await serving.take()
    execute(serving.url, "INSERT INTO people (name) VALUES ('later')")

    made = await restore(serving, taken.name)

    assert (made.rows, made.database.name) == (ROWS, name_beside(serving))
    assert made.losses is not None
    assert [one.name for one in made.losses if one.is_touched] == ["public.people"]
    assert (people_in(serving.url), people_in(url_beside(serving))) == (504, 503)
    names = {DatabaseAddress(serving.url).name, name_beside(serving)}
    found = {row[0] for row in execute(serving.url, f"SELECT datname FROM pg_database WHERE datname IN {(*names,)}")}
    assert found == names
    both = execute(serving.url, f"{LOCALE} WHERE datname IN {(*names,)}")
    assert both[0] == both[1]


async def test_a_whole_one_is_taken_as_it_is(serving: Given) -> None:
    taken = await serving.take()
    await restore(serving, taken.name)
    execute(url_beside(serving), "INSERT INTO people (name) VALUES ('by the new code')")

    again = await restore(serving, taken.name)

    assert (again.rows, again.losses) == (ROWS, None)
    assert people_in(url_beside(serving)) == 504


@pytest.mark.parametrize("is_marked", [True, False])
async def test_what_a_killed_restore_left_is_done_anew(serving: Given, is_marked: bool) -> None:
    taken = await serving.take()
    execute(serving.url, f"CREATE DATABASE {name_beside(serving)}")
    if is_marked:
        execute(serving.url, f"COMMENT ON DATABASE {name_beside(serving)} IS '{BEGUN}{taken.name}'")
        execute(url_beside(serving), "CREATE TABLE people (half int)")

    made = await restore(serving, taken.name)

    assert made.rows == ROWS
    assert people_in(url_beside(serving)) == 503


async def test_somebody_elses_database_of_that_name_is_refused_and_left(serving: Given) -> None:
    taken = await serving.take()
    execute(serving.url, f"CREATE DATABASE {name_beside(serving)}")
    execute(url_beside(serving), "CREATE TABLE theirs AS SELECT 7 AS n")

    with pytest.raises(Refused) as caught:
        await restore(serving, taken.name)

    assert caught.value.code == "SW610"
    assert execute(url_beside(serving), "SELECT n FROM theirs") == [(7,)]


async def test_the_whole_restore_of_another_backup_is_refused_and_left(serving: Given) -> None:
    first, second = await serving.take(), await serving.take()
    await restore(serving, first.name)

    with pytest.raises(Refused) as caught:
        await restore(serving, second.name)

    assert caught.value.code == "SW610"
    assert people_in(url_beside(serving)) == 503


async def test_one_process_at_a_time_restores_on_a_server(serving: Given) -> None:
    taken = await serving.take()
    with psycopg.connect(serving.url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(hashtextextended('securewatch restore', 0))")

        with pytest.raises(Retryable) as caught:
            await restore(serving, taken.name)

    assert "another process is restoring" in str(caught.value)
    assert not is_there(serving)
    assert (await restore(serving, taken.name)).rows == ROWS


async def test_a_damaged_archive_leaves_no_database(serving: Given) -> None:
    taken = await serving.take()
    content = bytearray(serving.file(taken).read_bytes())
    content[-20] ^= 1
    serving.file(taken).write_bytes(content)

    with pytest.raises(Refused) as caught:
        await restore(serving, taken.name)

    assert caught.value.code == "SW606"
    assert not is_there(serving)
    assert people_in(serving.url) == 503


async def test_another_customers_archive_leaves_no_database(serving: Given) -> None:
    taken = await serving.take()

    with pytest.raises(Refused) as caught:
        await restore(serving, taken.name, customer="medhealth")

    assert caught.value.code == "SW606"
    assert not is_there(serving)


async def test_a_role_without_the_right_to_make_databases_is_told_so(databases: Databases, serving: Given) -> None:
    taken = await serving.take()
    databases.forbid_databases(DatabaseAddress(serving.url).name)

    with pytest.raises(Rejected) as caught:
        await restore(serving, taken.name)

    assert caught.value.code == "SW609"
    assert "permission denied to create database" in caught.value.why
    assert "CREATEDB" in caught.value.fix
    assert people_in(serving.url) == 503


async def test_a_full_disk_is_told_and_leaves_no_database(serving: Given, tmp_path: Path) -> None:
    taken = await serving.take()
    full = programs(
        tmp_path / "bin", 'cat >/dev/null; echo "could not extend file: No space left on device" >&2; exit 1'
    )
    place = given(serving.url, serving.folder, pg_bin=full)

    with pytest.raises(Rejected) as caught:
        await restore(place, taken.name)

    assert caught.value.code == "SW609"
    assert "No space left on device" in caught.value.why
    assert not is_there(serving)


async def test_a_server_that_goes_away_in_the_middle_is_tried_again_from_the_start(
    serving: Given, tmp_path: Path
) -> None:
    taken = await serving.take()
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    slow = programs(tmp_path / "bin", f"touch {begun}; while [ ! -e {go_on} ]; do sleep 0.02; done")
    place = given(serving.url, serving.folder, pg_bin=slow)
    task = asyncio.create_task(restore(place, taken.name))
    while not begun.exists() and not task.done():
        await asyncio.sleep(0.02)

    end_connections(serving.url)
    go_on.touch()

    with pytest.raises(Retryable) as caught:
        await task
    assert caught.value.code == "SW609"
    assert (await restore(serving, taken.name)).rows == ROWS
    assert people_in(serving.url) == 503
