"""Customers' databases are apart from each other: found by where each `DATABASE_URL` points, told without its value."""

import base64
from pathlib import Path

import pytest

from securewatch.operations.isolation import find_shared, where
from securewatch.operations.keys import NewKey, rotate
from securewatch.operations.start import start_run
from tests.fakes.rig import BACKEND
from tests.integration.operations.given import Office, planned, running_office

MEDHEALTH = "srv-medhealth-backend-stu901"


def url_of(office: Office, service_id: str = BACKEND) -> str:
    return office.rig.platform.state.services[service_id].env["DATABASE_URL"].value


async def test_customers_with_databases_of_their_own_pass(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()

        findings, prints = await find_shared(deps, deps.fleet.find_customer("acme-corp"), url_of(office))

        assert findings == []
        assert len(set(prints.values())) == len(deps.fleet.customers)


async def test_a_database_that_another_customer_has_too_is_found_and_its_url_not_told(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        shared = url_of(office, MEDHEALTH).replace("medhealth_user", "acme_user")

        (found,), prints = await find_shared(deps, deps.fleet.find_customer("acme-corp"), shared)

        assert (found.code, found.is_soft) == ("SW104", False)
        assert "acme-corp and medhealth share a database" in found.what
        assert "postgresql" not in repr((found, prints))


async def test_what_was_seen_in_an_earlier_plan_is_remembered(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        medhealth = deps.fleet.find_customer("medhealth")
        _, prints = await find_shared(deps, medhealth, url_of(office, MEDHEALTH))
        await start_run(deps, await planned(deps, "medhealth", database_prints=prints))
        shared = url_of(office, MEDHEALTH)
        del office.rig.platform.state.services[MEDHEALTH].env["DATABASE_URL"]

        (found,), _ = await find_shared(await office.deps(), deps.fleet.find_customer("acme-corp"), shared)

        assert "medhealth" in found.what


async def test_what_was_seen_under_an_earlier_encryption_key_is_still_compared(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()
        _, prints = await find_shared(deps, deps.fleet.find_customer("medhealth"), url_of(office, MEDHEALTH))
        await start_run(deps, await planned(deps, "medhealth", database_prints=prints))
        shared = url_of(office, MEDHEALTH)
        del office.rig.platform.state.services[MEDHEALTH].env["DATABASE_URL"]
        await rotate(deps, NewKey(b"n" * 32, "elsewhere"))

        later = await office.deps(SECUREWATCH_SECRET_KEY=base64.b64encode(b"n" * 32).decode())
        (found,), fresh = await find_shared(later, later.fleet.find_customer("acme-corp"), shared)

        assert "medhealth" in found.what
        assert set(fresh.values()).isdisjoint(prints.values())


async def test_a_customer_without_a_database_shares_none(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        deps = await office.deps()

        assert await find_shared(deps, deps.fleet.find_customer("acme-corp"), None) == ([], {})


async def test_two_left_over_placeholders_are_not_one_database(tmp_path: Path) -> None:
    async with running_office(tmp_path) as office:
        office.rig.platform.state.services[MEDHEALTH].env["DATABASE_URL"].value = "${CUSTOMER_DATABASE_URL}"
        deps = await office.deps()

        found, prints = await find_shared(deps, deps.fleet.find_customer("acme-corp"), "${CUSTOMER_DATABASE_URL}")
        _, others = await find_shared(deps, deps.fleet.find_customer("demo"), "postgresql://a:x@db.test/app")

        assert (found, prints) == ([], {})
        assert "medhealth" not in others


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://a:x@db.test/app", "postgresql://b:y@DB.test:5432/app"),
        ("postgresql://a:x@db.test/app?sslmode=require", "postgres://a@db.test/app"),
        ("postgresql://a:x@dpg-x-a/app", "postgresql://a:x@dpg-x-a.oregon-postgres.render.com/app"),
        ("postgresql://a:x@dpg-x-a/app", "postgresql://b:y@DPG-x-a.frankfurt-postgres.render.com:5432/other"),
    ],
)
def test_user_password_port_by_default_options_and_the_way_to_it_do_not_make_another_database(
    one: str, other: str
) -> None:
    assert where(one) == where(other)


def test_two_database_ids_of_render_are_two_databases() -> None:
    assert where("postgresql://a:x@dpg-x-a/app") != where("postgresql://a:x@dpg-y-a/app")
    assert where("postgresql://a:x@db.dpg-x-a.test/app") != where("postgresql://a:x@dpg-x-a/app")


@pytest.mark.parametrize("other", ["postgresql://a:x@db.test/other", "postgresql://a:x@db2.test/app", "nonsense", ""])
def test_another_host_or_name_is_another_database(other: str) -> None:
    assert where("postgresql://a:x@db.test/app") != where(other)
