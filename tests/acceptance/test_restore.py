"""A customer taken back together with its database, by the real program; and what stays possible afterwards.

From a backup beside the old database, or to a point in time in a new instance of Render's.
"""

import json
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from securewatch.core.clock import RealClock
from tests.acceptance.given import Place, Platform
from tests.acceptance.given_restore import (
    AGREED,
    BACK,
    BACKEND,
    CUSTOMER,
    DATABASE,
    ROW_CANARY,
    ask,
    at_the_release_that_no_code_leads_back_from,
    call,
    is_open,
    name_of,
    order,
    orders_coming_in,
    orders_in,
    password_of,
    platform_with_databases,
    traces_of,
    url_of,
)

pytestmark = pytest.mark.xdist_group("acceptance_restore")

SCRIPT = "update-customer.sh"
OTHERS_DATABASE = "dpg-demo0000000000000000-a"
ADMIN_URL = "SECUREWATCH_SECRET_ACME_CORP_DATABASE_ADMIN_URL"


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform_with_databases(tmp_path_factory.mktemp("platform")) as found:
        yield found


def lost(dry: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """What would be lost, by table."""
    return {one["table"]: (one["added"], one["changed"], one["removed"]) for one in dry["would_be_lost"]}


def test_a_customer_goes_back_with_its_database_and_the_one_of_before_is_kept(place: Place) -> None:
    at_the_release_that_no_code_leads_back_from(place, orders=6)
    old = url_of(place)
    order(place, 3)
    assert call(place, "PATCH", "/api/orders/1", {"amount": 50})[0] == 200
    assert call(place, "PUT", "/api/settings/theme", {"value": "dark"})[0] == 200
    ask(old, "DELETE FROM orders WHERE id = 2")
    ask(old, "GRANT SELECT ON orders TO pg_monitor")

    dry = place.run(*BACK, "--dry-run", "-o", "json").ended(0)
    text = place.run(*BACK, "--dry-run").ended(0).out
    with orders_coming_in(place) as answers:
        ran = place.run(*BACK[1:], *AGREED, script=SCRIPT).ended(0)

    new, service = url_of(place), place.platform.service(BACKEND)
    assert lost(dry.data) == {
        "public.customers_events": (3, 0, 0),
        "public.orders": (3, 1, 1),
        "public.schema_migrations": (3, 0, 0),
        "public.settings": (None, None, None),
    }
    assert dry.data["would_be_lost"][3]["unknown"] == "it has no column such as created_at or updated_at"
    assert "irreversible since v1.0.0: v1.3.0/003_drop_notes.sql" in text
    assert "3 added, 1 changed, 1 removed" in text
    assert dry.data["backup"] in text
    assert dry.data["rights_lost"] == ["pg_monitor"]
    assert "of pg_monitor are not restored" in ran.out
    assert set(answers) == {201, 503}
    taken, closed = answers.index(503), answers[answers.index(503) :].index(201)
    assert set(answers[taken : taken + closed]) == {503}
    assert orders_in(old) == 6 + 3 - 1 + taken
    assert orders_in(new) == 6 + len(answers) - taken - closed
    assert (name_of(new), service["env"]["VERSION_TAG"]) == (f"{name_of(old)}_r2", "v1.0.0")
    assert service["live_env"]["DATABASE_URL"] == new
    assert not service["maintenance"]
    assert f"the database is {name_of(new)}; the one of before is kept" in ran.out
    assert call(place, "GET", "/api/version")[1]["version"] == "1.0.0"
    assert ask(new, "SELECT count(note), to_regclass('schema_migrations') FROM orders WHERE note <> ''") == [(6, None)]

    actions = [one["action"] for one in place.run("audit", "list", "--limit", "1000", "-o", "json").ended(0).data]
    place.run("audit", "verify").ended(0)
    assert {"restore.requested", "backup.taken", "run.closing", "run.restoring", "run.opening"} <= set(actions)
    for secret in (password_of(old), ROW_CANARY):
        assert secret not in dry.out + dry.err + ran.out + ran.err
        assert traces_of(place, secret) == []

    deploys = service["deploys"]
    place.refuses(1, "SW426", "rollback-customer", *CUSTOMER)
    place.refuses(1, "SW426", "rollback-customer", *CUSTOMER, "--to", deploys[-2]["id"])
    assert (
        "way back   none: its database was restored to that of v1.0.0" in place.run("customer", "show", "acme-corp").out
    )
    in_new = orders_in(new)
    drilled = place.run("backup", "drill", *CUSTOMER, "-o", "json").ended(0).data
    again = place.deploy("acme-corp", "v1.3.0").ended(0)
    second = place.run(*BACK, *AGREED, "--no-backup", "-o", "json").ended(0)

    assert ("public.orders", in_new) in [(one["name"], one["rows"]) for one in drilled["tables"]]
    assert (again.data["status"], second.data["status"]) == ("live", "live")
    assert name_of(url_of(place)) == f"{name_of(old)}_r4"
    assert ask(new, "SELECT count(*) FROM schema_migrations") == [(3,)]
    assert orders_in(new) == orders_in(url_of(place)) == in_new
    assert orders_in(old) == 6 + 3 - 1 + taken


def test_where_the_code_alone_can_go_back_it_does_and_no_order_is_lost(place: Place) -> None:
    place.deploy("acme-corp", "v1.1.0").ended(0)
    order(place, 2)
    before = url_of(place)

    place.refuses(1, "SW612", *BACK, "--restore-database", *AGREED)
    with orders_coming_in(place) as answers:
        ran = place.run(*BACK).ended(0)
        forward = place.deploy("acme-corp", "v1.1.0").ended(0)
        full = ("deploy-customer", "--version", "v1.0.0", *CUSTOMER, "--force")
        whole = place.run(*full, script="render-deploy.sh").ended(0)

    assert "no restore of acme-corp's database is needed (no irreversible migration since v1.0.0)" in ran.err
    assert forward.data["status"] == "live"
    assert "v1.0.0 is verified" in whole.out
    assert set(answers) == {201}
    assert url_of(place) == before
    assert orders_in(before) == 2 + len(answers)
    assert place.platform.service(BACKEND)["env"]["VERSION_TAG"] == "v1.0.0"


def test_without_the_name_or_a_backup_of_the_version_nothing_is_written(place: Place) -> None:
    at_the_release_that_no_code_leads_back_from(place, orders=1)
    back_to_other = ("update-customer", "--rollback", "v1.1.0", *CUSTOMER, *AGREED)

    by_code = place.refuses(1, "SW425", "rollback-customer", *CUSTOMER)
    unasked = place.refuses(2, "SW207", *BACK)
    other = place.refuses(2, "SW207", *BACK, "--confirm-customer", "medhealth")
    sure = place.refuses(2, "SW207", "--yes", *BACK)
    no_backup = place.refuses(1, "SW612", *back_to_other)
    no_such = place.refuses(2, "SW206", *BACK, *AGREED, "--backup", "acme-corp/20260101T000000Z-00000000.swbackup")

    assert "update-customer --rollback v1.0.0 --customer acme-corp" in by_code.err
    assert "add --confirm-customer acme-corp" in unasked.err
    assert "'medhealth' is another name" in other.err
    assert "nobody can be asked here" in sure.err
    assert "verified ones are of: v1.0.0" in no_backup.err
    assert "there is no backup acme-corp/20260101T000000Z" in no_such.err


def test_a_second_person_agrees_where_the_policy_asks_for_one(place: Place) -> None:
    customer, backend = ("--customer", "medhealth"), "srv-medhealth-backend-stu901"
    back = ("update-customer", "--rollback", "v1.0.0", *customer, "--confirm-customer", "medhealth", "--no-backup")
    approve = ("approve", "--version", "v1.0.0", *customer)
    order(place, 2, service_id=backend)
    place.run("backup", "create", *customer).ended(0)
    place.deploy("medhealth", "v1.3.0", "--force").ended(0)
    old, before = url_of(place, backend), place.platform.writes()

    waiting = place.run(*back).ended(5)
    own = place.run(*approve, "--comment", "mine").ended(2)
    again = place.run(*back, "-o", "json").ended(5)
    place.refuses(7, "SW410", *back, "--backup", "medhealth/20260101T000000Z-00000000.swbackup")
    untouched = place.platform.writes() == before
    place.run(*approve, "--comment", "the data are wrong", SECUREWATCH_ACTOR="dana").ended(0)
    done = place.run(*back, "-o", "json").ended(0)

    assert "an approval by anyone but robin" in waiting.out
    assert "error[SW413]" in own.err
    assert (again.data["status"], untouched) == ("waiting", True)
    assert (done.data["status"], done.data["run"]) == ("live", again.data["run"])
    assert name_of(url_of(place, backend)) == f"{name_of(old)}_r2"
    assert orders_in(old) == orders_in(url_of(place, backend)) == 2


# --- to a point in time -----------------------------------------------------------------------------------------------


def order_at(place: Place, at: datetime, count: int) -> None:
    """Orders of that time by the database's clock, which does not follow the platform's."""
    for number in range(count):
        assert call(place, "POST", "/api/orders", {"amount": number, "at": at.isoformat()})[0] == 201


def to(at: datetime) -> tuple[str, str]:
    return "--at", at.isoformat(timespec="seconds")


def test_a_backup_of_the_migrated_database_is_not_taken_for_the_old_version(place: Place) -> None:
    order(place, 2)
    place.platform.admin("POST", f"/services/{BACKEND}/scripts", {"ends": "build_failed"})
    held = place.run("update-customer", "--version", "v1.3.0", *CUSTOMER, "-o", "json").ended(9)
    (first,) = place.run("backup", "list", *CUSTOMER, "-o", "json").ended(0).data
    later = place.run("backup", "create", *CUSTOMER, "-o", "json").ended(0).data

    dry = place.run(*BACK, "--dry-run", "-o", "json").ended(0).data
    refused = place.refuses(1, "SW612", *BACK, *AGREED, "--backup", later["name"])
    named = place.run("backup", "restore", first["name"], "--dry-run", "-o", "json").ended(0).data
    place.refuses(2, "SW206", "backup", "restore", "acme-corp/20260101T000000Z-00000000.swbackup")
    place.refuses(2, "SW207", "backup", "restore", first["name"])
    place.refuses(2, "SW201", *BACK, *AGREED, "--backup", first["name"], "--at", "2026-11-20")

    assert held.data["code"] == "SW425"
    assert (first["version"], later["version"]) == ("v1.0.0", "v1.0.0")
    assert dry["backup"] == named["backup"] == first["name"]
    assert (named["plan"], named["version"]) == (dry["plan"], "v1.0.0")
    assert "after a migration that it cannot live with" in refused.err


def recover_anothers(place: Place, at: datetime, name: str) -> None:
    """Have another customer's database recovered into an instance of that name, for Render's names are not unique."""
    env = place.platform.env
    request = urllib.request.Request(
        f"{env['RENDER_HOST']}/postgres/{OTHERS_DATABASE}/recovery",
        json.dumps({"restoreTime": at.isoformat(), "restoreName": name}).encode(),
        {"Authorization": f"Bearer {env['RENDER_API_KEY']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        made = json.loads(answer.read())["id"]
    clock = place.clock()
    for _ in range(100):
        clock.skip_to(clock.now() + timedelta(minutes=1))
        if place.platform.admin("GET", f"/postgres/{made}")["status"] == "available":
            return
    raise AssertionError(f"{made} is not available")


def test_a_customer_goes_back_to_a_time_in_a_new_instance_that_later_commands_find(place: Place) -> None:
    clock, today = place.clock(), RealClock().now()
    order_at(place, today - timedelta(days=10), 3)
    clock.skip_to(clock.now() + timedelta(seconds=30))
    for database in (DATABASE, OTHERS_DATABASE):
        place.platform.admin("POST", f"/postgres/{database}/snapshot")
    clock.skip_to(clock.now() + timedelta(minutes=1))
    at = clock.now()
    place.deploy("acme-corp", "v1.3.0").ended(0)
    order_at(place, today, 2)
    old = url_of(place)

    too_new = place.refuses(1, "SW614", *BACK, *AGREED, *to(clock.now()))
    too_old = place.refuses(1, "SW614", *BACK, *AGREED, *to(at - timedelta(days=30)))
    dry = place.run(*BACK, *to(at), "--dry-run", "-o", "json").ended(0)
    place.platform.admin("POST", "/faults", {"kind": "fails", "method": "POST", "path": "/recovery$"})
    failed = place.run(*BACK, *to(at), *AGREED, "--no-backup", "-o", "json").ended(1)
    serves_on = is_open(place) and url_of(place) == old
    recover_anothers(place, at, "securewatch-acme-corp-db-acme-corp-3")
    done = place.run(*BACK, *to(at), *AGREED, "-o", "json").ended(0)

    new = url_of(place)
    added = {one["table"]: (one["added"], one["removed"], one["unknown"]) for one in dry.data["would_be_lost"]}
    assert "recovery by Render: from" in too_new.err + too_old.err
    assert added["public.orders"] == (2, None, "what was removed leaves no trace")
    assert (dry.data["backup"], dry.data["recover_to"]) == (None, to(at)[1].replace("+00:00", "Z"))
    assert (failed.data["code"], serves_on) == ("SW613", True)
    assert done.data["run"] == "acme-corp-3"
    assert name_of(new).startswith(name_of(old))
    assert "Render says that the recovery failed" in failed.data["detail"]
    assert done.data["status"] == "live"
    assert new != old
    assert (orders_in(old), orders_in(new)) == (5, 3)
    assert ask(new, "SELECT to_regclass('schema_migrations')") == [(None,)]
    assert is_open(place)
    assert DATABASE in done.data["detail"]

    made = place.run("backup", "create", *CUSTOMER, "-o", "json").ended(0).data
    stale = place.refuses(1, "SW408", "backup", "create", *CUSTOMER, **{ADMIN_URL: old})
    again = place.deploy("acme-corp", "v1.3.0").ended(0)

    assert ("public.orders", 3) in [(one["name"], one["rows"]) for one in made["tables"]]
    assert "Render recovered the database into a new instance" in stale.err
    assert again.data["status"] == "live"
    assert ask(new, "SELECT count(*) FROM schema_migrations") == [(3,)]
    assert orders_in(old) == 5
    place.refuses(
        1, "SW426", "rollback-customer", *CUSTOMER, "--to", place.platform.service(BACKEND)["deploys"][0]["id"]
    )
    for url in (old, new):
        assert traces_of(place, password_of(url)) == []
