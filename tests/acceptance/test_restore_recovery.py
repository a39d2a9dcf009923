"""A customer taken back to a point in time: Render recovers its database into a new instance, which then is its own."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from securewatch.core.clock import RealClock
from tests.acceptance.given import Place, Platform
from tests.acceptance.given_restore import (
    AGREED,
    BACK,
    BACKEND,
    CUSTOMER,
    DATABASE,
    ask,
    call,
    is_open,
    orders_in,
    password_of,
    platform_with_databases,
    traces_of,
    url_of,
)

pytestmark = pytest.mark.xdist_group("acceptance_restore_recovery")

ADMIN_URL = "SECUREWATCH_SECRET_ACME_CORP_DATABASE_ADMIN_URL"


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform_with_databases(tmp_path_factory.mktemp("platform")) as found:
        yield found


def order_at(place: Place, at: datetime, count: int) -> None:
    """Orders of that time by the database's clock, which does not follow the platform's."""
    for number in range(count):
        assert call(place, "POST", "/api/orders", {"amount": number, "at": at.isoformat()})[0] == 201


def to(at: datetime) -> tuple[str, str]:
    return "--at", at.isoformat(timespec="seconds")


def test_a_customer_goes_back_to_a_time_in_a_new_instance_that_later_commands_find(place: Place) -> None:
    clock, today = place.clock(), RealClock().now()
    order_at(place, today - timedelta(days=10), 3)
    clock.skip_to(clock.now() + timedelta(seconds=30))
    place.platform.admin("POST", f"/postgres/{DATABASE}/snapshot")
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
    done = place.run(*BACK, *to(at), *AGREED, "-o", "json").ended(0)

    new = url_of(place)
    added = {one["table"]: (one["added"], one["removed"], one["unknown"]) for one in dry.data["would_be_lost"]}
    assert "recovery by Render: from" in too_new.err + too_old.err
    assert added["public.orders"] == (2, None, "what was removed leaves no trace")
    assert (dry.data["backup"], dry.data["recover_to"]) == (None, to(at)[1].replace("+00:00", "Z"))
    assert (failed.data["code"], serves_on) == ("SW613", True)
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
