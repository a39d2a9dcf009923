"""`update-customer` by its script: the real database is backed up whatever the policy says, then comes the deploy."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.acceptance.given import Place, Platform, Ran, platform

pytestmark = pytest.mark.xdist_group("acceptance_update_customer")

SCRIPT = "update-customer.sh"
BACKEND = "srv-acme-backend-abc123"
UPDATE = ("--version", "v1.1.0", "--customer", "acme-corp")


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform whose customers have databases."""
    with platform(tmp_path_factory.mktemp("platform"), "--apps", "inprocess") as found:
        yield found


def update(place: Place, *words: str) -> Ran:
    """One command through the script of the runbooks."""
    return place.run(*words, script=SCRIPT)


def with_rows(place: Place, count: int) -> None:
    """Give acme-corp's database a table with so many rows."""
    url = place.platform.service(BACKEND)["env"]["DATABASE_URL"]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS notes")
        connection.execute(f"CREATE TABLE notes AS SELECT i AS id FROM generate_series(1, {count}) i".encode())


def backups(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.run("backup", "list", "--customer", "acme-corp", "-o", "json").ended(0).data
    return found


def require_backups(document: dict[str, Any]) -> None:
    document["deployment_phases"]["standard_rollout"]["rollback_method"] = "snapshot_restore"


def forget_database(document: dict[str, Any]) -> None:
    for one in document["customer_environment_mapping"].values():
        one.pop("database_id", None)


def test_a_dry_run_says_that_the_database_is_backed_up_and_writes_nothing(place: Place) -> None:
    before = place.traces()

    ran = update(place, *UPDATE, "--dry-run").ended(0)
    changes = update(place, *UPDATE, "--dry-run", "--detailed-exitcode").ended(3)
    plain = place.run("deploy-customer", *UPDATE, "--dry-run").ended(0)

    assert place.traces() == before
    assert "dpg-acmecorp000000000000-a is backed up first, and the backup tried" in ran.out
    assert ran.out == changes.out
    assert ran.out.endswith("dry run: nothing was written anywhere\n")
    assert "backed up first" not in plain.out


def test_the_database_is_backed_up_and_the_backup_tried_before_the_deploy(place: Place) -> None:
    with_rows(place, 40)

    ran = update(place, *UPDATE, "-o", "json").ended(0)
    again = update(place, *UPDATE).ended(0)

    (backup,) = backups(place)
    assert ran.data["status"] == "live"
    assert (backup["run_id"], backup["version"], backup["rows"], backup["is_verified"]) == (
        ran.data["run"],
        "v1.0.0",
        40,
        True,
    )
    assert "v1.1.0 is verified" in again.out or "there already" in again.out
    assert place.platform.service(BACKEND)["env"]["VERSION_TAG"] == "v1.1.0"
    place.run("audit", "verify").ended(0)


def test_without_a_backup_it_is_a_plain_deploy_and_the_audit_log_says_so(place: Place) -> None:
    ran = update(place, *UPDATE, "--no-backup").ended(0)

    (asked,) = [one for one in place.run("audit", "list", "-o", "json").data if one["action"] == "deploy.requested"]
    assert "! backup          none of the database is taken: --no-backup" in ran.out
    assert "✔ live  acme-corp  v1.1.0 is verified" in ran.out
    assert backups(place) == []
    assert asked["detail"]["no_backup"] is True


def test_a_policy_that_asks_for_a_backup_cannot_be_waived(place: Place) -> None:
    place.edit("render-deployment.json", require_backups)

    place.refuses(1, "SW427", *UPDATE, "--no-backup", "--force", "--reason", "in a hurry", script=SCRIPT)
    ran = update(place, *UPDATE, "--dry-run").ended(0)

    assert "is backed up first" in ran.out


def test_a_customer_without_a_database_is_told_how_to_go_without_a_backup(place: Place) -> None:
    place.edit("render-deployment.json", forget_database)

    refused = place.refuses(1, "SW611", *UPDATE, script=SCRIPT)
    ran = update(place, *UPDATE, "--no-backup", "--dry-run").ended(0)
    place.edit("render-deployment.json", require_backups)
    required = place.refuses(1, "SW611", *UPDATE, script=SCRIPT)

    assert "or add --no-backup" in refused.err
    assert "--no-backup" not in required.err
    assert "v1.0.0 → v1.1.0" in ran.out


def test_a_deploy_under_way_without_a_backup_is_not_taken_for_one_with(place: Place) -> None:
    place.run("deploy-customer", *UPDATE, "--detach").ended(0)

    ran = place.refuses(7, "SW410", *UPDATE, script=SCRIPT)
    update(place, *UPDATE, "--no-backup").ended(0)

    assert "securewatch deploy-customer --version v1.1.0 --customer acme-corp" in ran.err
    assert backups(place) == []


def test_an_update_under_way_keeps_its_backup_when_it_is_carried_on_without_one(place: Place) -> None:
    update(place, *UPDATE, "--detach").ended(0)

    ran = update(place, *UPDATE, "--no-backup").ended(0)

    assert "--no-backup is ignored: acme-corp-1 goes on with the backup of its plan" in ran.err
    assert len(backups(place)) == 1


def test_many_customers_are_a_rollout_and_one_direction_is_meant(place: Place) -> None:
    everybody = place.refuses(2, "SW201", "--version", "v1.1.0", script=SCRIPT)
    place.refuses(2, "SW201", "--customer", "acme-corp", script=SCRIPT)
    place.refuses(2, "SW201", *UPDATE, "--rollback", "v1.0.0", script=SCRIPT)

    assert "securewatch rollout start --version v1.1.0" in everybody.err


def test_the_script_shows_the_help_of_its_command(place: Place) -> None:
    assert "Usage: securewatch update-customer" in update(place, "--help").ended(0).out
