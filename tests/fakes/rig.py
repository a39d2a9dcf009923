"""The local platform in-process for a test: a stepped clock, a host that runs nothing, and clients over ASGI."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from localrender.app import create_app
from localrender.model import Options, Service
from localrender.platform import Platform
from localrender.seed import World, read_world
from localrender.storage import Storage
from tests.fakes.hosting import FakeHost
from tests.fakes.stepped_clock import SteppedClock

KEY = "rnd_test"
BACKEND = "srv-acme-backend-abc123"
FRONTEND = "srv-acme-frontend-def456"
BYSTANDER = "srv-ct6vn35j0q5s700ckga0"
DATABASE = "dpg-acmecorp000000000000-a"


@dataclass(frozen=True)
class Rig:
    """A running platform, `api` with the key under /v1, and `admin` under /admin."""

    platform: Platform
    clock: SteppedClock
    host: FakeHost
    api: httpx2.AsyncClient
    admin: httpx2.AsyncClient

    @property
    def backend(self) -> Service:
        """acme-corp's backend."""
        return self.platform.state.services[BACKEND]

    async def pass_seconds(self, seconds: float) -> None:
        """Let product time go by and everything happen that is due."""
        await self.platform.settle()
        self.clock.advance(seconds)
        await self.platform.settle()

    async def deploy(self, number: int, service_id: str = BACKEND) -> httpx2.Response:
        """Create a deploy of release v1.<number>.0."""
        return await self.api.post(
            f"/services/{service_id}/deploys", json={"commitId": self.host.tags[f"v1.{number}.0"].id}
        )

    async def deploys(self, service_id: str = BACKEND, **query: str) -> list[Mapping[str, object]]:
        """A service's deploys."""
        answer = await self.api.get(f"/services/{service_id}/deploys", params=query)
        return [one["deploy"] for one in answer.json()]


@asynccontextmanager
async def running_rig(
    options: Options | None = None, *, storage: Storage | None = None, world: World | None = None
) -> AsyncIterator[Rig]:
    """Run a platform with the five seeded customers, or those of a world; with a storage databases are real."""
    clock, host = SteppedClock(), FakeHost()
    platform = Platform(host, clock, world or read_world(None, KEY), options, storage=storage)
    await platform.start()
    transport = httpx2.ASGITransport(create_app(platform))
    headers = {"Authorization": f"Bearer {KEY}"}
    api = httpx2.AsyncClient(transport=transport, base_url="http://render/v1", headers=headers)
    admin = httpx2.AsyncClient(transport=transport, base_url="http://render/admin")
    async with api, admin:
        try:
            yield Rig(platform, clock, host, api, admin)
        finally:
            await platform.close()
