"""A deploy with a backup and migrations, killed at every boundary of both and resumed: the database is whole."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.databases import FILL, ROWS, SCHEMA, ask, be_alone, scratch_server
from tests.crash.given import Point, Stand, points_of, problems_of, standing

VERSION = "v1.3.0"
TRIES_MAX = 3


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """A platform with databases and a release with migrations, and a zygote."""
    with (
        scratch_server() as scratch,
        standing(
            be_alone, flags=("--migrations",), more_environ={"SECUREWATCH_SCRATCH_DATABASE_URL": scratch}
        ) as found,
    ):
        yield found


def begin(stand: Stand) -> tuple[Path, dict[str, Any]]:
    """The seeded platform, with rows in the database, and an empty folder."""
    folder = stand.reset()
    ask(stand, SCHEMA)
    ask(stand, FILL)
    return folder, stand.services()


def deploy(stand: Stand, folder: Path, **kills: Any) -> dict[str, Any]:
    return stand.run(folder, "deploy", version=VERSION, **kills)


def points_of_database(seen: list[str]) -> list[Point]:
    """The boundaries from the first that the backup of the database has, to the last before an env var is written."""
    begins = seen.index("commit backup taken before")
    ends = next(place for place, name in enumerate(seen) if name.startswith("PUT "))
    before, upto = points_of(seen[: begins - 4]), points_of(seen[:ends])
    return [one for one in upto if one not in before]


def problems_after(stand: Stand, folder: Path, seeded: dict[str, Any]) -> list[str]:
    """What is wrong with services, database and state once the deploy is over."""
    problems = problems_of(stand, seeded, live=VERSION, release=VERSION)
    if ask(stand, "SELECT count(*), sum(amount_cents) FROM orders") != [(ROWS, 100 * ROWS * (ROWS + 1) // 2)]:
        problems.append("rows are lost, or changed otherwise than the migrations do")
    applied = [name for (name,) in ask(stand, "SELECT version FROM schema_migrations ORDER BY version")]
    if len(applied) != 3 or not all(name.startswith(f"{VERSION}/") for name in applied):
        problems.append(f"the ledger says {applied}")
    if stand.run(folder, "audit")["code"] != 0:
        problems.append("the audit log does not verify, or an effect is open")
    return problems


def killed_at(stand: Stand, point: Point) -> tuple[bool, str]:
    """Kill at the point and resume. Gives whether it was met, and what is wrong then."""
    for _ in range(TRIES_MAX):
        folder, seeded = begin(stand)
        found = deploy(stand, folder, kill_at=point)
        if found["is_killed"]:
            break
    if found["is_killed"]:
        if ask(stand, "SELECT count(*) FROM orders") != [(ROWS,)]:
            return True, f"{point}: the database is not whole while nobody carries on"
        found = deploy(stand, folder)
    problems = problems_after(stand, folder, seeded) if found["code"] == 0 else [f"exit code {found['code']}"]
    return found["is_killed"], f"{point}: {'; '.join(problems)}\n{stand.words(folder)}" if problems else ""


def test_killed_at_every_boundary_of_backup_and_migration_it_is_carried_on_with_the_database_whole(
    stand: Stand, record_property: Callable[[str, object], None]
) -> None:
    folder, seeded = begin(stand)
    found = deploy(stand, folder, records=True)
    assert found["code"] == 0, stand.words(folder)
    assert problems_after(stand, folder, seeded) == []
    points = points_of_database(found["seen"])

    outcomes = [killed_at(stand, point) for point in points]

    record_property("crash points", f"{len(points)} points of backup and migration: deploy {VERSION}")
    assert [words for _, words in outcomes if words] == []
    assert len(points) >= 10
