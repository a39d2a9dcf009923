"""What the platform relies on in a host, held by the fake and by the one that serves applications in-process."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from localrender.hosting import AppHost, BuildFailed
from localrender.inprocess import InProcessHost
from localrender.vendor import create_vendor_repo, read_snapshot
from tests.fakes.hosting import FakeHost

SERVICE = "srv-one"


@dataclass(frozen=True)
class Case:
    """A host, and how to ask which commit a service runs."""

    host: AppHost
    version: Callable[[str], Awaitable[str]]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_vendor_repo(tmp_path_factory.mktemp("vendor"))


@pytest.fixture(params=["fake", "inprocess"])
def case(request: pytest.FixtureRequest, repo: Path) -> Case:
    if request.param == "fake":
        fake = FakeHost()
        return Case(fake, fake.version)
    host = InProcessHost(read_snapshot(repo), listen=False)

    async def version(service_id: str) -> str:
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(host)) as client:
            return str((await client.get(f"{host.url(service_id)}/api/version")).json()["commit"])

    return Case(host, version)


async def bring_up(host: AppHost, tag: str) -> str:
    """Build and start a tag; gives its commit."""
    commit = host.resolve(tag)
    assert commit is not None
    built = await host.build(SERVICE, "backend", commit.id, {})
    assert (built.service_id, built.commit) == (SERVICE, commit.id)
    await host.start(built, {"RENDER_GIT_COMMIT": commit.id})
    return commit.id


async def test_what_was_started_serves_only_after_the_switch(case: Case) -> None:
    old = await bring_up(case.host, "v1.0.0")
    await case.host.switch(SERVICE)
    new = await bring_up(case.host, "v1.1.0")

    before = await case.version(SERVICE)
    await case.host.switch(SERVICE)

    assert (before, await case.version(SERVICE)) == (old, new)
    await case.host.close()


async def test_a_discarded_instance_never_serves_and_discarding_again_does_no_harm(case: Case) -> None:
    old = await bring_up(case.host, "v1.0.0")
    await case.host.switch(SERVICE)
    await bring_up(case.host, "v1.1.0")

    await case.host.discard(SERVICE)
    await case.host.discard(SERVICE)
    await case.host.switch(SERVICE)

    assert await case.version(SERVICE) == old
    await case.host.close()


async def test_an_unknown_commit_does_not_build(case: Case) -> None:
    with pytest.raises(BuildFailed):
        await case.host.build(SERVICE, "backend", "f" * 40, {})

    assert case.host.resolve("f" * 40) is None
    assert case.host.resolve("v9.9.9") is None


async def test_a_url_stays_the_same(case: Case) -> None:
    first = case.host.url(SERVICE)
    await bring_up(case.host, "v1.0.0")
    await case.host.switch(SERVICE)

    assert case.host.url(SERVICE) == first
    assert case.host.url("srv-two") != first
    await case.host.close()
