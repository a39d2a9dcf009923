"""What the tests of the hosts begin with: a vendor repository, a host of either kind, and a way to ask a site."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from localrender.apps import ProcessHost
from localrender.forwarder import Answer, Request, ask
from localrender.hosting import AppHost
from localrender.inprocess import InProcessHost
from localrender.vendor import create_vendor_repo, read_snapshot

BACKEND, FRONTEND = "srv-acme-backend", "srv-acme-frontend"
KINDS = ("processes", "coroutines")


@asynccontextmanager
async def hosting(kind: str, folder: Path, repo: Path | None = None) -> AsyncIterator[AppHost]:
    """A host over the sample repository (or another), closed at the end."""
    vendor = repo or create_vendor_repo(folder / "vendor")
    host: AppHost
    host = ProcessHost(vendor, folder / "work") if kind == "processes" else InProcessHost(read_snapshot(vendor))
    try:
        yield host
    finally:
        await host.close()


async def deploy(host: AppHost, ref: str, env: Mapping[str, str] | None = None, service_id: str = BACKEND) -> None:
    """Build, start and switch, as the platform does for one deploy."""
    commit = host.resolve(ref)
    assert commit is not None
    built = await host.build(service_id, "frontend" if service_id == FRONTEND else "backend", commit.id, env or {})
    await host.start(built, env or {})
    await host.switch(service_id)


async def get(host: AppHost, path: str, service_id: str = BACKEND) -> Answer:
    """GET over HTTP at the service's stable port. Raises OSError when nobody listens."""
    return await ask(int(host.url(service_id).rpartition(":")[2]), Request("GET", path))


async def version_of(host: AppHost, service_id: str = BACKEND) -> str:
    """The version that the service reports."""
    path = "/version.json" if service_id == FRONTEND else "/api/version"
    return str(json.loads((await get(host, path, service_id)).body)["version"])
