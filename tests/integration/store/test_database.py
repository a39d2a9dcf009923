"""Opening the database, its transactions, and what goes wrong with files."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from securewatch.core.errors import ConfigError, Conflict, InternalError, Refused
from securewatch.store import meta
from securewatch.store.database import Database
from securewatch.store.head import Head, read_head
from tests.integration.store.given import NOW, State, opened, url_of


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def damage(path: Path, start: int, length: int) -> None:
    content = bytearray(path.read_bytes())
    content[start : start + length] = b"\xa5" * length
    path.write_bytes(bytes(content))


async def set_and_stop(state: State) -> None:
    async with state.database.write("first") as tx:
        await meta.set_meta(tx, "a", "b")
        raise ValueError("stop")


async def fill(state: State) -> None:
    async with state.database.write("big") as tx:
        await tx.run("PRAGMA max_page_count = 1")
        await meta.set_meta(tx, "a", "x" * 1_000_000)


async def read_all(folder: Path) -> None:
    async with opened(folder) as state, state.database.read() as tx:
        for number in range(2000):
            await meta.get_meta(tx, f"key {number}")


async def test_a_new_database_is_only_for_its_owner(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        async with state.database.write("first") as tx:
            await meta.set_meta(tx, "a", "b")

        modes = {path.name: mode_of(path) for path in state.database.path.parent.iterdir()}

    assert mode_of(tmp_path / "state") == 0o700
    assert {0o600} == set(modes.values())
    assert {"state.db", "state.db-wal", "audit.head"} <= set(modes)


async def test_a_new_database_begins_with_the_head_of_an_empty_log(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        assert Head(0, "0" * 64) == read_head(state.database.head_path)


async def test_what_was_committed_is_there_after_opening_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, state.database.write("first") as tx:
        await meta.set_meta(tx, "a", "b")

    async with opened(tmp_path) as state, state.database.read() as tx:
        assert await meta.get_meta(tx, "a") == "b"


async def test_an_exception_rolls_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        with pytest.raises(ValueError, match="stop"):
            await set_and_stop(state)

        async with state.database.read() as tx:
            assert await meta.get_meta(tx, "a") is None


async def test_a_cancelled_transaction_rolls_back_and_the_next_one_works(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        has_written = asyncio.Event()

        async def hang() -> None:
            async with state.database.write("hang") as tx:
                await meta.set_meta(tx, "a", "b")
                has_written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(hang())
        await has_written.wait()
        task.cancel()
        await asyncio.wait([task])
        async with state.database.write("next") as tx:
            found = await meta.get_meta(tx, "a")
            await meta.set_meta(tx, "a", "c")

        assert found is None
        assert state.database.transactions_open == 0


async def test_writers_of_one_process_take_turns(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:

        async def add_one() -> None:
            async with state.database.write("add") as tx:
                count = int(await meta.get_meta(tx, "count") or "0")
                await asyncio.sleep(0)
                await meta.set_meta(tx, "count", str(count + 1))

        await asyncio.gather(*(add_one() for _ in range(20)))
        async with state.database.read() as tx:
            assert await meta.get_meta(tx, "count") == "20"


async def test_a_reader_sees_one_state_while_a_writer_commits(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        async with state.database.read() as reader:
            before = await meta.get_meta(reader, "a")
            async with state.database.write("w") as writer:
                await meta.set_meta(writer, "a", "b")
            after = await meta.get_meta(reader, "a")

        assert (before, after) == (None, None)


async def test_a_read_transaction_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, state.database.read() as tx:
        with pytest.raises(InternalError):
            await meta.set_meta(tx, "a", "b")


async def test_the_io_hook_is_told_before_and_after_a_commit_but_not_of_an_idle_one(tmp_path: Path) -> None:
    told: list[str] = []
    async with opened(tmp_path, io_hook=told.append) as state:
        async with state.database.write("idle") as tx:
            await meta.get_meta(tx, "a")
        async with state.database.write("tick") as tx:
            await meta.set_meta(tx, "a", "b")

    assert told == ["commit tick before", "commit tick after"]


async def test_a_hook_that_raises_before_the_commit_prevents_it_and_one_after_does_not(tmp_path: Path) -> None:
    class Crash(BaseException):
        pass

    def crash(event: str) -> None:
        if event in ("commit one before", "commit two after"):
            raise Crash

    async with opened(tmp_path, io_hook=crash) as state:
        for label in ("one", "two"):
            with pytest.raises(Crash):
                async with state.database.write(label) as tx:
                    await meta.set_meta(tx, label, "x")
        async with state.database.read() as tx:
            found = [await meta.get_meta(tx, label) for label in ("one", "two")]

    assert found == [None, "x"]


async def test_changes_counts_every_commit_that_changed_something_in_any_process(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, opened(tmp_path) as other:
        before = await state.database.changes()
        async with other.database.write("w") as tx:
            await meta.set_meta(tx, "a", "b")
        async with other.database.write("idle") as tx:
            await meta.get_meta(tx, "a")

        assert await state.database.changes() == before + 1


async def test_open_existing_makes_nothing_where_there_is_no_database(tmp_path: Path) -> None:
    assert await Database.open_existing(url_of(tmp_path)) is None
    assert list(tmp_path.iterdir()) == []


async def test_open_existing_opens_what_is_there(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, state.database.write("w") as tx:
        await meta.set_meta(tx, "a", "b")

    database = await Database.open_existing(url_of(tmp_path))

    assert database is not None
    async with database.read() as tx:
        assert await meta.get_meta(tx, "a") == "b"
    await database.close()


async def test_a_database_for_a_newer_tool_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, state.database.write("w") as tx:
        await meta.set_meta(tx, "min_tool_version", "0.10.0")

    with pytest.raises(Conflict) as caught:
        await Database.open(url_of(tmp_path), now=NOW, tool_version="0.9.3")

    assert caught.value.code == "SW703"
    assert "0.10.0" in caught.value.why


async def test_a_newer_schema_that_allows_this_version_is_opened(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        path = state.database.path
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    async with opened(tmp_path) as state, state.database.write("w") as tx:
        await meta.set_meta(tx, "a", "b")


async def test_a_schema_of_another_tool_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        path = state.database.path
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'a1b2c3'")

    with pytest.raises(Refused) as caught:
        await Database.open(url_of(tmp_path), now=NOW)

    assert caught.value.code == "SW702"


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state" / "state.db"
    path.parent.mkdir()
    path.write_text("hello, I am no database at all " * 100)

    with pytest.raises(Refused) as caught:
        await Database.open(url_of(tmp_path), now=NOW)

    assert (caught.value.code, caught.value.why) == ("SW702", "the file is not a database")
    assert path.read_text().startswith("hello")


async def test_a_damaged_database_is_refused_wherever_the_damage_is_met(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        async with state.database.write("w") as tx:
            for number in range(2000):
                await meta.set_meta(tx, f"key {number}", "x" * 50)
        path = state.database.path
    damage(path, 40 * 4096, path.stat().st_size - 40 * 4096)

    with pytest.raises(Refused) as caught:
        await read_all(tmp_path)

    assert (caught.value.code, caught.value.why) == ("SW702", "it is damaged")


async def test_a_database_that_stays_locked_is_refused_and_usable_afterwards(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        async with state.database.read() as tx:
            await tx.run("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(state.database.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(Refused) as caught:
            async with state.database.write("w") as tx:
                await meta.set_meta(tx, "a", "b")
        other.execute("ROLLBACK")
        async with state.database.write("w") as tx:
            await meta.set_meta(tx, "a", "c")
        other.close()

    assert caught.value.code == "SW702"
    assert "locked" in caught.value.why


async def test_a_full_disk_is_refused_and_what_was_there_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        async with state.database.write("w") as tx:
            await meta.set_meta(tx, "a", "b")

        with pytest.raises(Refused) as caught:
            await fill(state)

        async with state.database.read() as tx:
            assert await meta.get_meta(tx, "a") == "b"
    assert (caught.value.code, caught.value.why) == ("SW702", "the disk is full")


async def test_a_read_only_database_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        async with state.database.read() as tx:
            await tx.run("PRAGMA query_only = ON")

        with pytest.raises(Refused) as caught:
            async with state.database.write("w") as tx:
                await meta.set_meta(tx, "a", "b")

    assert (caught.value.code, caught.value.why) == ("SW702", "it is read-only")


async def test_a_database_that_vanished_is_refused_and_not_made_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        path = state.database.path
        await state.database.close()
        path.unlink()

        with pytest.raises(Refused) as caught:
            await state.database.changes()

    assert caught.value.code == "SW702"
    assert not path.exists()


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "sqlite:///:memory:", "postgresql://h/db", "what is this"])
async def test_a_url_of_no_file_is_an_error_of_the_configuration(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await Database.open(url, now=NOW)

    assert caught.value.code == "SW109"


async def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state" / "state.db").mkdir(parents=True)

    with pytest.raises(Refused) as caught:
        await Database.open(url_of(tmp_path), now=NOW)

    assert caught.value.code == "SW702"
