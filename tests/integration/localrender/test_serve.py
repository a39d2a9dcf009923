"""The platform as a server: real sockets, real applications in-process, and nothing left behind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from localrender.app import create_app
from localrender.clock import FileClock, write_clock_file
from localrender.inprocess import InProcessHost
from localrender.platform import Platform
from localrender.seed import read_world
from localrender.serve import serving
from localrender.vendor import create_vendor_repo, read_snapshot
from tests.fakes.rig import BACKEND, FRONTEND

RATE = 1_000.0


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_vendor_repo(tmp_path_factory.mktemp("vendor"))


@asynccontextmanager
async def running(repo: Path, folder: Path) -> AsyncIterator[httpx2.AsyncClient]:
    """A served platform in fast time, and a client with the key at its origin."""
    write_clock_file(folder / "clock.json", RATE)
    platform = Platform(InProcessHost(read_snapshot(repo)), FileClock(folder / "clock.json"), read_world(None, "rnd_x"))
    await platform.start()
    try:
        async with (
            serving(create_app(platform)) as origin,
            httpx2.AsyncClient(base_url=origin, headers={"Authorization": "Bearer rnd_x"}) as client,
        ):
            yield client
    finally:
        await platform.close()


async def wait_until_live(client: httpx2.AsyncClient, service_id: str, deploy_id: str) -> None:
    async with asyncio.timeout(5):
        while (await client.get(f"/admin/services/{service_id}")).json()["live_deploy"] != deploy_id:
            await asyncio.sleep(0.01)


async def test_a_deploy_brings_a_real_application_to_another_version(repo: Path, tmp_path: Path) -> None:
    commit = read_snapshot(repo).tags["v1.1.0"]
    async with running(repo, tmp_path) as client:
        url = (await client.get(f"/v1/services/{BACKEND}")).json()["serviceDetails"]["url"]
        before = (await client.get(f"{url}/api/version")).json()["version"]
        made = await client.post(f"/v1/services/{BACKEND}/deploys", json={"commitId": commit})

        await wait_until_live(client, BACKEND, made.json()["id"])

        after = (await client.get(f"{url}/api/version")).json()
        assert (before, after["version"], after["commit"]) == ("1.0.0", "1.1.0", commit)


async def test_a_site_shows_the_version_it_was_built_with(repo: Path, tmp_path: Path) -> None:
    async with running(repo, tmp_path) as client:
        url = (await client.get(f"/v1/services/{FRONTEND}")).json()["serviceDetails"]["url"]

        page = await client.get(f"{url}/")

        assert page.status_code == 200
        assert "1.0.0" in page.text


@pytest.mark.parametrize(("kind", "deploys"), [("drop_before", 1), ("drop_after", 2)])
async def test_a_cut_connection_has_no_byte_of_an_answer(repo: Path, tmp_path: Path, kind: str, deploys: int) -> None:
    async with running(repo, tmp_path) as client:
        await client.post("/admin/faults", json={"kind": kind, "method": "POST"})

        with pytest.raises(httpx2.TransportError):
            await client.post(f"/v1/services/{BACKEND}/deploys", json={})

        assert len((await client.get(f"/admin/services/{BACKEND}")).json()["deploys"]) == deploys
        assert (await client.get("/v1/users")).status_code == 200


async def test_a_reset_of_running_applications_brings_the_first_version_back(repo: Path, tmp_path: Path) -> None:
    async with running(repo, tmp_path) as client:
        url = (await client.get(f"/v1/services/{BACKEND}")).json()["serviceDetails"]["url"]
        made = await client.post(
            f"/v1/services/{BACKEND}/deploys", json={"commitId": read_snapshot(repo).tags["v1.1.0"]}
        )
        await wait_until_live(client, BACKEND, made.json()["id"])

        await client.post("/admin/reset")

        again = (await client.get(f"/v1/services/{BACKEND}")).json()["serviceDetails"]["url"]
        assert again == url
        assert (await client.get(f"{url}/api/version")).json()["version"] == "1.0.0"


async def test_a_202_and_a_204_have_no_body_on_the_wire(repo: Path, tmp_path: Path) -> None:
    async with running(repo, tmp_path) as client:
        await client.post(f"/admin/services/{BACKEND}/scripts", json={"hangs": True})
        await client.post(f"/v1/services/{BACKEND}/deploys", json={})
        queued = await client.post(f"/v1/services/{BACKEND}/deploys", json={})
        deleted = await client.delete(f"/v1/services/{BACKEND}/env-vars/TZ")

        assert (queued.status_code, queued.content) == (202, b"")
        assert (deleted.status_code, deleted.content) == (204, b"")
        assert "server" not in queued.headers
