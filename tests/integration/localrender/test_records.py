"""Customers' applications and their own databases: a real platform over HTTP, real processes, a real PostgreSQL."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from localrender.serve import Wanted, running
from tests.integration.localrender.given_databases import ask, until

BACKEND, FRONTEND, DATABASE = "srv-a-backend", "srv-a-frontend", "dpg-a"
RATE = 600.0


@dataclass(frozen=True)
class Given:
    """A platform with one customer, `api` with its key under /v1, `admin`, and the customer's `app`."""

    api: httpx2.AsyncClient
    admin: httpx2.AsyncClient
    app: httpx2.AsyncClient

    async def deploy(self, ref: str) -> str:
        """Deploy a tag and wait until it is live; gives the deploy's id."""
        made = (await self.admin.post(f"/services/{BACKEND}/deploys", json={"ref": ref})).json()["id"]
        await self.wait_until_live(made)
        return str(made)

    async def wait_until_live(self, deploy_id: str) -> None:
        await until(lambda: self._is_live(deploy_id))

    async def _is_live(self, deploy_id: str) -> bool:
        return bool((await self.admin.get(f"/services/{BACKEND}")).json()["live_deploy"] == deploy_id)

    async def url(self, postgres_id: str = DATABASE) -> str:
        """The URL of a database."""
        info = (await self.api.get(f"/postgres/{postgres_id}/connection-info")).json()
        assert info["externalConnectionString"] == info["internalConnectionString"]
        return str(info["internalConnectionString"])

    async def health(self) -> tuple[int, Any]:
        """What the application says of its database."""
        answer = await self.app.get("/api/health/database")
        return answer.status_code, answer.json()


@asynccontextmanager
async def given(folder: Path) -> AsyncIterator[Given]:
    config = folder / "config"
    config.mkdir()
    one = {"backend_service_id": BACKEND, "frontend_service_id": FRONTEND, "database_id": DATABASE}
    document = {"customer_environment_mapping": {"acme-corp": one}}
    (config / "render-deployment.json").write_text(json.dumps(document))
    wanted = Wanted(rate=RATE, config_folder=config, data=folder / "data", migrations=True)
    async with running(wanted) as platform:
        root = platform.base_url.removesuffix("/v1")
        key = {"Authorization": f"Bearer {platform.key}"}
        async with (
            httpx2.AsyncClient(base_url=platform.base_url, headers=key) as api,
            httpx2.AsyncClient(base_url=f"{root}/admin") as admin,
        ):
            site = (await api.get(f"/services/{BACKEND}")).json()["serviceDetails"]["url"]
            async with httpx2.AsyncClient(base_url=site) as app:
                yield Given(api, admin, app)


async def migrate(url: str) -> None:
    folder = resources.files("localrender.sample").joinpath("migrations", "v1.3.0")
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        await ask(url, file.read_text())


async def test_an_application_makes_its_tables_and_writes_and_counts_rows_in_its_own_database(tmp_path: Path) -> None:
    async with given(tmp_path) as it:
        healthy = await it.health()
        old = "2026-01-01T00:00:00+00:00"
        made = [await it.app.post("/api/orders", json=one) for one in ({"amount": 12.5, "note": "gift"}, {"at": old})]
        changed = await it.app.request("PATCH", f"/api/orders/{made[1].json()['id']}", json={"amount": 3})
        missing = await it.app.request("PATCH", "/api/orders/99", json={"amount": 3})
        setting = await it.app.put("/api/settings/theme", json={"value": "dark"})

        counted = (await it.app.get("/api/counts")).json()
        rows = await ask(await it.url(), "SELECT amount::float, note, updated_at > created_at FROM orders ORDER BY id")
        assert healthy == (200, {"status": "ok"})
        assert [one.status_code for one in (*made, changed, missing, setting)] == [201, 201, 200, 404, 200]
        assert counted == {"orders": 2, "customers_events": 2, "settings": 1}
        assert (await it.app.get("/api/orders/count")).json() == {"count": 2}
        assert rows == [(12.5, "gift", False), (3.0, "", True)]


async def test_the_schema_of_another_release_is_said_until_its_migrations_ran_and_old_code_still_writes(
    tmp_path: Path,
) -> None:
    async with given(tmp_path) as it:
        await it.app.post("/api/orders", json={"amount": 2, "note": "gift"})
        await it.deploy("v1.3.0")
        before = await it.health()
        await migrate(await it.url())
        after = await it.health()
        await it.app.post("/api/orders", json={"amount": 3, "note": "lost"})
        cents = await ask(await it.url(), "SELECT amount_cents FROM orders ORDER BY id")

        await it.deploy("v1.1.0")
        old = await it.health()
        written = await it.app.post("/api/orders", json={"amount": 4})

        assert before[0] == 503
        assert "no orders.amount_cents (migrations/v1.3.0)" in before[1]["reason"]
        assert (after[0], cents) == (200, [(200,), (300,)])
        assert old[0] == 503
        assert "no orders.note" in old[1]["reason"]
        assert written.status_code == 201


async def test_a_rollback_brings_back_the_database_of_its_target(tmp_path: Path) -> None:
    async with given(tmp_path) as it:
        await it.health()
        first = await it.deploy("v1.1.0")
        for _ in range(3):
            await it.app.post("/api/orders")
        await it.admin.post(f"/postgres/{DATABASE}/snapshot")
        at = (await it.admin.get(f"/postgres/{DATABASE}")).json()["snapshots"][-1]
        await it.app.post("/api/orders")
        await until(lambda: recoverable(it))
        made = (await it.api.post(f"/postgres/{DATABASE}/recovery", json={"restoreTime": at})).json()["id"]
        await until(lambda: available(it, made))
        variable = f"/services/{BACKEND}/env-vars/DATABASE_URL"
        await it.api.put(variable, json={"value": await it.url(made)})
        before_deploy = (await it.app.get("/api/orders/count")).json()["count"]
        await it.deploy("v1.1.0")
        recovered = (await it.app.get("/api/orders/count")).json()["count"]
        await it.app.post("/api/orders")
        configured = (await it.api.get(variable)).json()["value"]

        back = await it.api.post(f"/services/{BACKEND}/rollback", json={"deployId": first})
        await it.wait_until_live(back.json()["id"])

        assert (before_deploy, recovered) == (4, 3)
        assert (await it.app.get("/api/orders/count")).json()["count"] == 4
        assert (await it.api.get(variable)).json()["value"] == configured


async def recoverable(it: Given) -> bool:
    said = (await it.api.get(f"/postgres/{DATABASE}/recovery")).json()
    return bool(said["recoveryStatus"] == "AVAILABLE")


async def available(it: Given, postgres_id: str) -> bool:
    return bool((await it.api.get(f"/postgres/{postgres_id}")).json()["status"] == "available")


async def test_writes_go_on_while_an_export_is_made(tmp_path: Path) -> None:
    async with given(tmp_path) as it:
        ended = asyncio.Event()

        async def write() -> int:
            written = 0
            while not ended.is_set():
                written += (await it.app.post("/api/orders")).status_code == 201
            return written

        writing = asyncio.create_task(write())
        await it.api.post(f"/postgres/{DATABASE}/export")
        await until(lambda: exported(it))
        ended.set()

        written = await writing
        url = (await it.api.get(f"/postgres/{DATABASE}/export")).json()[0]["url"]
        async with httpx2.AsyncClient() as anybody:
            file = await anybody.get(url)
        assert (written > 0, file.status_code) == (True, 200)
        assert file.content[:2] == b"\x1f\x8b"
        assert (await it.app.get("/api/orders/count")).json()["count"] == written


async def exported(it: Given) -> bool:
    return bool("url" in (await it.api.get(f"/postgres/{DATABASE}/export")).json()[0])


async def test_the_application_is_not_reached_in_maintenance_mode_and_says_when_its_database_refuses(
    tmp_path: Path,
) -> None:
    async with given(tmp_path) as it:
        await it.app.post("/api/orders")
        await it.admin.put(f"/postgres/{DATABASE}/refuse")
        refused = await it.health(), (await it.app.post("/api/orders")).status_code
        await it.admin.delete(f"/postgres/{DATABASE}/refuse")
        mode = {"serviceDetails": {"maintenanceMode": {"enabled": True, "uri": ""}}}
        await it.api.request("PATCH", f"/services/{BACKEND}", json=mode)

        closed = await it.app.post("/api/orders")
        mode["serviceDetails"]["maintenanceMode"]["enabled"] = False
        await it.api.request("PATCH", f"/services/{BACKEND}", json=mode)

        assert (refused[0][0], refused[1]) == (503, 503)
        assert (closed.status_code, "maintenance" in closed.text) == (503, True)
        assert (await it.app.get("/api/orders/count")).json()["count"] == 1


async def test_a_reset_gives_every_customer_an_empty_database_with_tables_again(tmp_path: Path) -> None:
    async with given(tmp_path) as it:
        await it.app.post("/api/orders")
        await migrate(await it.url())

        await it.admin.post("/reset")

        assert await it.health() == (200, {"status": "ok"})
        assert (await it.app.get("/api/orders/count")).json()["count"] == 0


async def test_an_application_starts_without_its_database_and_makes_the_tables_when_it_is_there(tmp_path: Path) -> None:
    async with given(tmp_path) as it:
        await it.admin.put(f"/postgres/{DATABASE}/refuse")
        await it.deploy("v1.1.0")
        down = await it.health()
        await it.admin.delete(f"/postgres/{DATABASE}/refuse")

        assert down[0] == 503
        assert await it.health() == (200, {"status": "ok"})
        with pytest.raises(psycopg.OperationalError):
            await ask((await it.url()).rpartition("/")[0] + "/postgres", "SELECT 1")
