"""Whether a customer can go back, to what and until when."""

from datetime import timedelta
from typing import Any

import pytest

from securewatch.deploy.model import DatabasePlan, MigrationPlan, Stage
from securewatch.deploy.readiness import KeptBackup, WayBack, find_way_back
from tests.factories import FRONTEND, NOW, make_good, make_run

WINDOW = timedelta(days=30)
FINAL = DatabasePlan("dpg-1", (MigrationPlan("v1.1.0/002.sql", "c" * 64, irreversible=True),))
BACKED_UP = DatabasePlan("dpg-1", needs_backup=True)
BACKUP = KeptBackup("acme-corp/1.swbackup", NOW + timedelta(days=9))


def way_back(
    database: DatabasePlan | None = None,
    *,
    window: timedelta | None = WINDOW,
    backup: KeptBackup | None = None,
    days: float = 1,
    **run: Any,
) -> WayBack | None:
    """That of a customer who got v1.1.0 after v1.0.0, some days after it was verified."""
    made = make_run(**{"stage": Stage.WATCHING, "verified_at": NOW, **run})
    return find_way_back(made, database, window=window, backup=backup, now=NOW + timedelta(days=days))


def test_the_promise_of_the_policy_says_until_when() -> None:
    assert way_back() == WayBack("v1.0.0", True, NOW + WINDOW, "the policy's rollback window")


def test_without_a_promise_there_is_no_end() -> None:
    assert way_back(window=None) == WayBack("v1.0.0", True)


@pytest.mark.parametrize(("days", "expected"), [(26, ""), (28, "ends soon"), (31, "is over since 20")])
def test_what_lapses_is_warned_of_before(days: float, expected: str) -> None:
    found = way_back(days=days)

    assert found is not None
    assert found.is_possible
    assert expected in found.warning if expected else found.warning == ""


def test_where_the_policy_asks_for_backups_the_earlier_end_counts_and_a_missing_one_is_said() -> None:
    with_backup, without = way_back(BACKED_UP, backup=BACKUP), way_back(BACKED_UP)

    assert with_backup is not None
    assert without is not None
    assert (with_backup.until, with_backup.why) == (BACKUP.until, "the backup acme-corp/1.swbackup")
    assert (without.is_possible, without.warning) == (True, "there is no verified backup of v1.0.0")


@pytest.mark.parametrize("backup", [BACKUP, None])
def test_past_an_irreversible_migration_code_cannot_go_back_and_the_backup_is_named(backup: KeptBackup | None) -> None:
    found = way_back(FINAL, backup=backup)

    assert found is not None
    assert (found.to, found.is_possible) == ("v1.0.0", False)
    assert "after v1.1.0/002.sql only a restore of the database leads back" in found.why
    assert ("acme-corp/1.swbackup" in found.why) is (backup is not None)


def test_without_a_recorded_version_there_is_no_way() -> None:
    for good in ((), (make_good(version=None), make_good(FRONTEND, version=None))):
        found = way_back(good=good)

        assert found is not None
        assert (found.to, found.is_possible) == ("", False)


@pytest.mark.parametrize("stage", [Stage.DEPLOYING, Stage.ROLLED_BACK, Stage.HELD, Stage.SUPERSEDED])
def test_what_is_under_way_or_undone_says_nothing(stage: Stage) -> None:
    assert way_back(stage=stage) is None
