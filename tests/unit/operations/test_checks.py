"""What the checks say of a customer's database."""

from securewatch.deploy.model import DatabasePlan, MigrationPlan
from securewatch.operations.checks import Check, check_database

DATABASE = "dpg-acmecorp000000000000-a"
ONE = MigrationPlan("v1.1.0/001_a.sql", "0" * 64)
BACKED_UP = Check("backup", f"{DATABASE} is backed up first, and the backup tried")
WAIVED = Check("backup", "none of the database is taken: --no-backup", "warning")


def test_nothing_is_said_where_nothing_is_done_to_it() -> None:
    assert check_database(None) == []


def test_a_backup_and_migrations_are_told() -> None:
    said = check_database(DatabasePlan(DATABASE, (ONE,), needs_backup=True))

    assert said == [BACKED_UP, Check("database", f"1 migration of {DATABASE}; older versions can live with them")]


def test_a_backup_that_somebody_does_not_want_is_warned_of_with_migrations_and_without() -> None:
    assert check_database(None, is_waived=True) == [WAIVED]
    assert check_database(DatabasePlan(DATABASE, (ONE,)), is_waived=True)[0] == WAIVED


def test_a_backup_that_is_taken_all_the_same_is_not_called_waived() -> None:
    assert check_database(DatabasePlan(DATABASE, needs_backup=True), is_waived=True) == [BACKED_UP]
