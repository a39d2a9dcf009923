"""What a restore would lose is told as it is, and where the database cannot tell, that is said."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from securewatch.backup.connection import DatabaseAddress
from securewatch.backup.facts import fetch_grantees
from securewatch.backup.losses import TableLoss, estimate_losses
from tests.integration.backup.given import Databases, execute, given, running_databases

BOTH = "created_at timestamptz DEFAULT clock_timestamp(), updated_at timestamptz DEFAULT clock_timestamp()"


@pytest.fixture(scope="module")
def databases() -> Iterator[Databases]:
    with running_databases() as found:
        yield found


async def losses(databases: Databases, folder: Path, before: list[str], after: list[str]) -> dict[str, TableLoss]:
    """What would be lost of the database that was made by `before`, backed up, and written to by `after`."""
    url = databases.make(*before)
    taken = await given(url, folder).take()
    execute(url, *after)
    found = await estimate_losses(DatabaseAddress(url), taken.header, taken.trailer)
    return {one.name: one for one in found}


async def test_additions_changes_and_removals_are_counted_as_they_were(databases: Databases, tmp_path: Path) -> None:
    before = [f"CREATE TABLE o (id int, {BOTH})", "INSERT INTO o SELECT n FROM generate_series(1, 100) n"]
    after = [
        "INSERT INTO o SELECT n FROM generate_series(101, 107) n",
        "UPDATE o SET id = -id, updated_at = clock_timestamp() WHERE id <= 3",
        "DELETE FROM o WHERE id BETWEEN 50 AND 54",
        "CREATE TABLE times AS SELECT min(created_at) AS a, max(updated_at) AS z FROM o WHERE id > 100 OR id < 0",
    ]

    found = await losses(databases, tmp_path, before, after)

    lost = found["public.o"]
    assert (lost.rows_then, lost.rows_now) == (100, 102)
    assert (lost.added, lost.changed, lost.removed, lost.unknown) == (7, 3, 5, "")
    assert lost.first_write is not None
    assert lost.last_write is not None
    assert lost.first_write < lost.last_write
    assert found["public.times"].rows_then is None


async def test_a_table_that_only_grew_is_proved_by_the_rows_of_then(databases: Databases, tmp_path: Path) -> None:
    before = [
        "CREATE TABLE log (id int, created_at timestamp DEFAULT timezone('UTC', clock_timestamp()))",
        "INSERT INTO log SELECT n FROM generate_series(1, 10) n",
    ]

    found = await losses(databases, tmp_path, before, ["INSERT INTO log VALUES (11), (12)"])

    lost = found["public.log"]
    assert (lost.added, lost.changed, lost.removed, lost.unknown) == (2, 0, 0, "")


async def test_untouched_new_and_dropped_tables_are_told_apart(databases: Databases, tmp_path: Path) -> None:
    before = ["CREATE TABLE same AS SELECT 1 AS n", "CREATE TABLE gone AS SELECT 1 AS n"]

    found = await losses(databases, tmp_path, before, ["DROP TABLE gone", "CREATE TABLE new AS VALUES (1), (2)"])

    assert [(one.name, one.is_touched) for one in found.values()] == [
        ("public.gone", True),
        ("public.new", True),
        ("public.same", False),
    ]
    assert (found["public.gone"].removed, found["public.new"].added) == (1, 2)


async def test_a_table_without_times_says_what_cannot_be_told(databases: Databases, tmp_path: Path) -> None:
    found = await losses(databases, tmp_path, ["CREATE TABLE bare AS VALUES (1), (2)"], ["INSERT INTO bare VALUES (3)"])

    lost = found["public.bare"]
    assert (lost.added, lost.changed, lost.removed) == (None, None, None)
    assert (lost.rows_then, lost.rows_now) == (2, 3)
    assert lost.unknown == "it has no column such as created_at or updated_at"


async def test_a_change_that_no_column_tells_of_is_said(databases: Databases, tmp_path: Path) -> None:
    before = [f"CREATE TABLE o (id int, {BOTH})", "INSERT INTO o VALUES (1), (2)"]

    found = await losses(databases, tmp_path, before, ["UPDATE o SET id = 9 WHERE id = 1"])

    assert found["public.o"].unknown == "rows of then were changed, and neither created_at nor updated_at tells how"


async def test_a_silent_change_is_said_where_rows_came_too(databases: Databases, tmp_path: Path) -> None:
    before = [f"CREATE TABLE o (id int, {BOTH})", "INSERT INTO o VALUES (1), (2)"]

    found = await losses(databases, tmp_path, before, ["UPDATE o SET id = 9 WHERE id = 1", "INSERT INTO o VALUES (3)"])

    assert (found["public.o"].added, found["public.o"].changed) == (1, 0)
    assert found["public.o"].unknown == "rows of then were changed, and neither created_at nor updated_at tells how"


async def test_rows_with_older_times_than_the_backup_are_said(databases: Databases, tmp_path: Path) -> None:
    before = [f"CREATE TABLE o (id int, {BOTH})"]
    after = ["INSERT INTO o VALUES (1, '2000-01-01', '2000-01-01'), (2, '2000-01-01', '2000-01-01')"]

    found = await losses(databases, tmp_path, before, after)

    assert (found["public.o"].added, found["public.o"].removed) == (2, 0)
    assert found["public.o"].unknown == "2 rows came whose created_at is from before the backup"


async def test_the_roles_whose_rights_no_backup_has_are_named(databases: Databases) -> None:
    url = databases.make("CREATE TABLE o (id int)", "CREATE TABLE p (id int)", "CREATE VIEW v AS SELECT 1 AS one")
    assert await fetch_grantees(DatabaseAddress(url)) == ()

    execute(url, "GRANT SELECT ON o TO PUBLIC", "GRANT SELECT ON v TO pg_monitor", "GRANT INSERT ON p TO pg_monitor")

    assert await fetch_grantees(DatabaseAddress(url)) == ("pg_monitor", "public")
