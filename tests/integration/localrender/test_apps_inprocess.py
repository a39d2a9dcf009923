"""What only the host of coroutines has: no ports on request, a quick reset, a pluggable database, a moving tag."""

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from localrender.inprocess import InProcessHost
from localrender.vendor import create_vendor_repo, read_snapshot
from tests.integration.localrender.given_apps import BACKEND, FRONTEND, deploy, get, version_of


def refuse(url: str) -> None:
    """A database that is down for one customer."""
    if url.endswith("/down"):
        raise ConnectionRefusedError


async def test_without_ports_the_host_is_the_application_to_ask(tmp_path: Path) -> None:
    host = InProcessHost(read_snapshot(create_vendor_repo(tmp_path / "vendor")), listen=False)
    await deploy(host, "v1.1.0")
    await deploy(host, "v1.1.0", service_id=FRONTEND)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=host)) as client:
        version = await client.get(f"{host.url(BACKEND)}/api/version?x=1")
        page = await client.get(f"{host.url(FRONTEND)}/")
        nobody = await client.get("http://127.0.0.1:1/")

    assert version.json()["version"] == "1.1.0"
    assert 'content="1.1.0"' in page.text
    assert nobody.status_code == 502
    with pytest.raises(OSError, match="Connect"):
        await get(host, "/api/health")
    await host.close()


async def test_a_reset_forgets_every_service_and_keeps_the_snapshot(tmp_path: Path) -> None:
    host = InProcessHost(read_snapshot(create_vendor_repo(tmp_path / "vendor")), listen=False)
    await deploy(host, "v1.1.0")
    url = host.url(BACKEND)

    await host.reset()

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=host)) as client:
        assert (await client.get(url)).status_code == 502
    await deploy(host, "v1.0.0")
    assert host.url(BACKEND) == url
    await host.close()


@pytest.mark.parametrize(("database_url", "status"), [("postgresql://x/up", 200), ("postgresql://x/down", 503)])
async def test_the_database_check_is_the_one_given(tmp_path: Path, database_url: str, status: int) -> None:
    host = InProcessHost(read_snapshot(create_vendor_repo(tmp_path / "vendor")), check_database=refuse)
    await deploy(host, "v1.1.0", {"DATABASE_URL": database_url})

    answer = await get(host, "/api/health/database")
    await host.close()

    assert answer.status == status
    assert database_url not in answer.body.decode()


async def test_a_tag_moves_with_the_snapshot(tmp_path: Path) -> None:
    host = InProcessHost(read_snapshot(create_vendor_repo(tmp_path / "vendor")))
    tags = host.snapshot.tags

    host.snapshot = replace(host.snapshot, tags={**tags, "v1.1.0": tags["v1.0.0"]})
    await deploy(host, "v1.1.0")
    version = await version_of(host)
    await host.close()

    assert version == "1.0.0"
