"""Which backups stay."""

from datetime import UTC, datetime, timedelta

import pytest

from securewatch.backup.freshness import Kept, Retention, plan_retention

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def backup(days: float, *, version: str = "v1.0.0", verified: bool = True) -> Kept:
    """A backup of so many days ago."""
    at = NOW - timedelta(days=days)
    return Kept(f"{version}-{days}", version, at, at if verified else None)


def kept(backups: list[Kept], rules: Retention) -> dict[str, str]:
    return {one.backup.name: one.reason for one in plan_retention(backups, rules, now=NOW) if one.is_kept}


def test_backups_stay_for_the_days_of_the_policy() -> None:
    backups = [backup(1), backup(6.9), backup(7), backup(8)]

    assert kept(backups, Retention(7)) == {
        "v1.0.0-1": "the newest verified one",
        "v1.0.0-6.9": "younger than 7 days",
    }


def test_the_newest_verified_one_stays_however_old_it_is() -> None:
    backups = [backup(400), backup(500), backup(300, verified=False)]

    assert kept(backups, Retention(7)) == {"v1.0.0-400": "the newest verified one"}


def test_where_none_is_verified_the_newest_stays() -> None:
    backups = [backup(400, verified=False), backup(500, verified=False)]

    assert kept(backups, Retention(7)) == {"v1.0.0-400": "the newest one; none is verified"}


def test_a_promised_way_back_needs_one_backup_of_each_version() -> None:
    backups = [
        backup(1, version="v1.2.0"),
        backup(12, version="v1.1.0"),
        backup(20, version="v1.1.0"),
        backup(31, version="v1.0.0"),
    ]

    assert kept(backups, Retention(7, rollback_days=30)) == {
        "v1.2.0-1": "the newest verified one",
        "v1.1.0-12": "the way back to v1.1.0, promised for 30 days",
    }


def test_an_unverified_way_back_does_not_take_the_place_of_a_verified_one() -> None:
    backups = [
        backup(1, version="v1.2.0"),
        backup(12, version="v1.1.0", verified=False),
        backup(40, version="v1.1.0"),
        backup(41, version="v1.1.0"),
    ]

    assert kept(backups, Retention(7, rollback_days=30)).keys() == {"v1.2.0-1", "v1.1.0-12", "v1.1.0-40"}


def test_every_backup_is_judged_the_newest_first() -> None:
    backups = [backup(50), backup(1), backup(20)]

    judged = plan_retention(backups, Retention(7), now=NOW)

    assert [(one.backup.name, one.is_kept) for one in judged] == [
        ("v1.0.0-1", True),
        ("v1.0.0-20", False),
        ("v1.0.0-50", False),
    ]
    assert judged[1].reason == "older than 7 days, and no way back needs it"


def test_no_backups_are_no_trouble() -> None:
    assert plan_retention([], Retention(7), now=NOW) == ()


def test_days_below_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="not below zero"):
        Retention(-1)
