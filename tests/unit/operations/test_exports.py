"""Which export is ours, and which one is under way."""

from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from securewatch.operations.exports import UNDER_WAY_MAX, find_new, find_under_way
from securewatch.render.models import Export

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)


def export(number: int, *, ago: timedelta = timedelta(0), is_ready: bool = False) -> Export:
    return Export(id=f"exp-{number}", created_at=NOW - ago, url=SecretStr("https://x") if is_ready else None)


def test_the_export_that_was_not_there_before_is_ours() -> None:
    listed = [export(3, is_ready=True), export(2), export(1)]

    assert find_new({"exp-1", "exp-2"}, listed) == listed[0]
    assert find_new({"exp-1", "exp-2", "exp-3"}, listed) is None
    assert find_new(set(), []) is None


def test_of_two_new_ones_the_first_is_ours() -> None:
    listed = [export(3), export(2, ago=timedelta(minutes=5))]

    assert find_new({"exp-1"}, listed) == listed[1]


def test_an_export_without_an_address_is_under_way_until_it_is_too_old() -> None:
    old, fresh = export(1, ago=UNDER_WAY_MAX), export(2, ago=UNDER_WAY_MAX - timedelta(seconds=1))

    assert find_under_way([export(3, is_ready=True), fresh, old], NOW) == fresh
    assert find_under_way([export(3, is_ready=True), old], NOW) is None
