"""The migrations give the schema that the tables describe, from nothing, once, and whoever comes first."""

import asyncio
import sqlite3
import zipfile
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hatchling.builders.wheel import WheelBuilder

from securewatch.store import meta, migrate
from securewatch.store.database import Database
from securewatch.store.tables import metadata
from tests.integration.store.given import NOW, opened, url_of

FOLDER = Path(migrate.__file__).parent / "migrations"


def schema_of(path: Path) -> dict[str, str]:
    """Every table and index with its SQL, whitespace aside."""
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: " ".join(sql.split()) for name, sql in found if name != "alembic_version"}


async def test_the_migrations_give_what_the_tables_say(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        path = state.database.path
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert [one for one in differences if one[0] != "remove_table"] == []


async def test_the_migrated_indexes_are_those_of_the_tables_with_their_conditions(tmp_path: Path) -> None:
    made = tmp_path / "made.db"
    metadata.create_all(sa.create_engine(f"sqlite:///{made}"))
    async with opened(tmp_path) as state:
        migrated = schema_of(state.database.path)

    expected = schema_of(made)

    assert set(expected) == set(migrated)
    assert {name: sql for name, sql in expected.items() if "INDEX" in sql} == {
        name: sql for name, sql in migrated.items() if "INDEX" in sql
    }


def test_the_known_revision_is_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(FOLDER))

    assert scripts.get_heads() == [migrate.REVISION]
    assert all("_pre_" in Path(one.path).name or "_post_" in Path(one.path).name for one in scripts.walk_revisions())


async def test_two_that_open_a_new_database_at_once_both_get_it(tmp_path: Path) -> None:
    one, two = await asyncio.gather(*(Database.open(url_of(tmp_path), now=NOW) for _ in range(2)))

    async with one.write("one") as tx:
        await meta.set_meta(tx, "a", "b")
    async with two.read() as tx:
        assert await meta.get_meta(tx, "a") == "b"
    await one.close()
    await two.close()


async def test_a_migration_that_was_killed_half_way_is_done_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "state" / "state.db"
    path.parent.mkdir()
    path.touch()

    async with opened(tmp_path) as state, state.database.read() as tx:
        assert await meta.get_meta(tx, "min_tool_version") == migrate.MIN_TOOL_VERSION
        assert await meta.get_meta(tx, "created_at") == "2026-11-22T08:00:00.000123+00:00"


def test_the_wheel_holds_every_migration(tmp_path: Path) -> None:
    root = FOLDER.parents[3]
    builder = WheelBuilder(str(root))

    (wheel,) = builder.build(directory=str(tmp_path), versions=["standard"])

    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    needed = {path.relative_to(root / "src").as_posix() for path in FOLDER.rglob("*.py")}
    assert len(needed) >= 2
    assert needed <= packed
