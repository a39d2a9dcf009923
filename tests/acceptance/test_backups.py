"""Backups of customers' real databases by the real program: taken, tried, pruned, and before a deploy."""

import json
from collections.abc import Iterator

import psycopg
import pytest

from tests.acceptance.given import Place, Platform, platform

BACKEND = "srv-demo-backend-mno345"
SECRET = "row-canary-5f1d"
ROWS = (
    f"CREATE TABLE notes (id bigint, note text); INSERT INTO notes SELECT i, '{SECRET}' FROM generate_series(1, 300) i"
)


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose customers have databases."""
    with platform(tmp_path_factory.mktemp("platform"), "--apps", "inprocess") as found:
        yield found


def url(place: Place) -> str:
    return str(place.platform.service(BACKEND)["env"]["DATABASE_URL"])


def with_rows(place: Place) -> None:
    with psycopg.connect(url(place), autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS notes")
        connection.execute(ROWS.encode())


def test_a_backup_is_taken_tried_listed_and_pruned_and_holds_nothing_readable(place: Place) -> None:
    with_rows(place)

    made = place.run("backup", "create", "--customer", "demo", "-o", "json").ended(0).data
    drilled = place.run("backup", "drill", "--customer", "demo", "-o", "json").ended(0).data
    listed = place.run("backup", "list", "-o", "json").ended(0).data
    again = place.run("backup", "verify", made["name"]).ended(0)
    pruned = place.run("--yes", "backup", "prune", "-o", "json").ended(0).data
    place.refuses(2, "SW206", "backup", "verify", "demo/20260101T000000Z-00000000.swbackup")
    place.refuses(2, "SW207", "backup", "prune")
    place.run("audit", "verify").ended(0)

    assert (made["version"], made["rows"], made["is_verified"]) == ("v1.0.0", 300, True)
    assert [one["name"] for one in listed] == [drilled["name"], made["name"]]
    assert "verified: a restore gives the same rows" in again.out
    assert [one["removed"] for one in pruned] == [False, False]
    kept = [one.read_bytes() for one in place.state.rglob("*.swbackup")]
    password = url(place).split(":")[2].split("@")[0]
    assert len(kept) == 2
    assert not [one for one in kept for secret in (SECRET, password) if secret.encode() in one]
    assert password not in place.run("backup", "list").out


def test_a_damaged_backup_is_refused(place: Place) -> None:
    with_rows(place)
    made = place.run("backup", "create", "--customer", "demo", "--no-verify", "-o", "json").ended(0).data
    (archive,) = place.state.rglob("*.swbackup")
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)

    place.refuses(1, "SW606", "backup", "verify", made["name"])

    (listed,) = place.run("backup", "list", "-o", "json").ended(0).data
    assert (made["is_verified"], listed["is_verified"]) == (False, False)


def test_a_policy_that_asks_for_a_backup_gets_one_before_the_deploy(place: Place) -> None:
    with_rows(place)

    def ask_for_it(document: dict[str, dict[str, dict[str, object]]]) -> None:
        document["deployment_phases"]["demo"]["rollback_method"] = "snapshot_restore"

    place.edit("render-deployment.json", ask_for_it)
    dry = place.run("deploy-customer", "--version", "v1.1.0", "--customer", "demo", "--dry-run").ended(0)
    ran = place.deploy("demo", "v1.1.0").ended(0)

    (backup,) = place.run("backup", "list", "--customer", "demo", "-o", "json").ended(0).data
    card = place.run("customer", "show", "demo").ended(0)
    actions = [one["action"] for one in json.loads(place.run("audit", "list", "-o", "json").ended(0).out)]
    assert "is backed up first, and the backup tried" in dry.out
    assert ran.data["status"] == "live"
    assert (backup["run_id"], backup["version"], backup["rows"], backup["is_verified"]) == (
        ran.data["run"],
        "v1.0.0",
        300,
        True,
    )
    assert "way back   to v1.0.0 until " in card.out
    assert set(actions) >= {"backup.taken", "backup.verified", "run.setting_env"}
