"""Recoveries, exports and maintenance mode: the client against the local platform, with real databases below it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from localrender.app import create_app
from localrender.database import EmbeddedPostgres
from securewatch.core.ids import OwnerID, PostgresID, ServiceID
from securewatch.render import postgres, services
from securewatch.render.budget import Priority, RateBudget
from securewatch.render.client import RenderClient
from securewatch.render.errors import RequestRejected, ServiceMissing
from securewatch.render.models import Maintenance, PostgresStatus, RecoveryStatus
from tests.fakes.clock import ManualClock
from tests.fakes.rig import BACKEND, DATABASE, FRONTEND, KEY, Rig, running_rig
from tests.integration.localrender.given_databases import acme_of, ask, cluster, orders_of, rig_over
from tests.unit.render.given import no_guard

pytestmark = pytest.mark.xdist_group("embedded-postgres")

INSTANCE = PostgresID(DATABASE)
CLI, ACT = Priority.CLI, Priority.DEPLOY


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with cluster() as found:
        yield found


@asynccontextmanager
async def client_of(rig: Rig) -> AsyncIterator[RenderClient]:
    clock = ManualClock()
    transport = httpx2.ASGITransport(create_app(rig.platform))
    budget = RateBudget(clock)
    async with RenderClient("http://127.0.0.1:1/v1", KEY, clock=clock, budget=budget, transport=transport) as client:
        yield client


async def test_a_recovery_is_a_new_instance_that_is_found_by_its_name(server: EmbeddedPostgres, tmp_path: Path) -> None:
    async with rig_over(server, tmp_path) as rig, client_of(rig) as client:
        owner = OwnerID(rig.backend.owner_id)
        await ask(acme_of(rig).url, "INSERT INTO orders SELECT generate_series(1, 5)")
        early = await postgres.fetch_recovery_window(client, INSTANCE, priority=CLI)
        await rig.admin.post(f"/postgres/{DATABASE}/snapshot")
        at = rig.clock.now()
        await rig.pass_seconds(900)
        window = await postgres.fetch_recovery_window(client, INSTANCE, priority=CLI)

        none = await postgres.fetch_postgres_named(client, "acme-back", owner_id=owner, priority=CLI)
        made = await postgres.recover(client, INSTANCE, at=at, name="acme-back", priority=ACT, guard=no_guard)
        found = await postgres.fetch_postgres_named(client, "acme-back", owner_id=owner, priority=CLI)
        for _ in range(2):
            await rig.pass_seconds(130)
        ready = await postgres.fetch_postgres(client, PostgresID(made.id), priority=CLI)
        known = await postgres.fetch_connection(client, PostgresID(made.id), priority=CLI)

        assert (early.status, early.is_open) == (RecoveryStatus.BACKUP_NOT_READY, False)
        assert (window.is_open, window.starts_at) == (True, at)
        assert (none, [one.id for one in found]) == ([], [made.id])
        assert (made.status, ready.status) == (PostgresStatus.RECOVERY_IN_PROGRESS, PostgresStatus.AVAILABLE)
        assert (made.disk_size_gb, made.database_name != acme_of(rig).database) == (15, True)
        assert await orders_of(known.external_url.get_secret_value()) == 5


async def test_a_recovery_to_a_time_that_is_too_near_is_refused(server: EmbeddedPostgres, tmp_path: Path) -> None:
    async with rig_over(server, tmp_path) as rig, client_of(rig) as client:
        await rig.admin.post(f"/postgres/{DATABASE}/snapshot")
        await rig.pass_seconds(900)
        late = rig.clock.now() - timedelta(minutes=9)

        with pytest.raises(RequestRejected, match="at least 10 minutes ago"):
            await postgres.recover(client, INSTANCE, at=late, name="acme-back", priority=ACT, guard=no_guard)

        assert len(rig.platform.state.databases) == 1


async def test_an_export_is_under_way_then_ready_and_one_at_a_time(server: EmbeddedPostgres, tmp_path: Path) -> None:
    async with rig_over(server, tmp_path) as rig, client_of(rig) as client:
        began = rig.clock.now()
        await postgres.create_export(client, INSTANCE, priority=CLI, guard=no_guard)
        with pytest.raises(RequestRejected, match="already in progress"):
            await postgres.create_export(client, INSTANCE, priority=CLI, guard=no_guard)
        early = await postgres.fetch_exports(client, INSTANCE, priority=CLI)
        await rig.pass_seconds(60)
        ready = await postgres.fetch_exports(client, INSTANCE, priority=CLI)

        assert [one.is_ready for one in early + ready] == [False, True]
        assert ready[0].lapses_at == began + timedelta(days=7)
        assert "exports/" not in repr(ready)


async def test_without_a_database_there_is_no_recovery_and_no_export() -> None:
    async with running_rig() as rig, client_of(rig) as client:
        window = await postgres.fetch_recovery_window(client, INSTANCE, priority=CLI)
        with pytest.raises(RequestRejected):
            await postgres.create_export(client, INSTANCE, priority=CLI, guard=no_guard)
        with pytest.raises(ServiceMissing):
            await postgres.fetch_exports(client, PostgresID("dpg-none-a"), priority=CLI)

        assert RecoveryStatus.NOT_AVAILABLE is window.status


async def test_maintenance_mode_is_switched_on_and_off_and_static_sites_have_none() -> None:
    async with running_rig() as rig, client_of(rig) as client:
        seen = [(await services.fetch_service(client, ServiceID(BACKEND), priority=CLI)).maintenance]
        for enabled in (True, True, False):
            uri = "https://status.example"
            await services.set_maintenance(
                client, ServiceID(BACKEND), enabled=enabled, uri=uri, priority=ACT, guard=no_guard
            )
            seen.append((await services.fetch_service(client, ServiceID(BACKEND), priority=CLI)).maintenance)
        with pytest.raises(RequestRejected):
            await services.set_maintenance(
                client, ServiceID(FRONTEND), enabled=True, uri="", priority=ACT, guard=no_guard
            )
        static = await services.fetch_service(client, ServiceID(FRONTEND), priority=CLI)

        on = Maintenance(enabled=True, uri="https://status.example")
        assert seen == [Maintenance(), on, on, Maintenance(enabled=False, uri="https://status.example")]
        assert static.maintenance is None
